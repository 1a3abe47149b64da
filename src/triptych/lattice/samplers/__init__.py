"""Ways to the next configuration, all with one algebra: `init(links, theory) -> State`, `sampler.step(keys, state, theory)`."""

from triptych.lattice.samplers.hmc import HMC, Omelyan
from triptych.lattice.samplers.independent import Independent
from triptych.lattice.samplers.instanton import Instanton
from triptych.lattice.samplers.kernel import Info, Phase, Sampler, State, init
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers
from triptych.lattice.samplers.tempered import Tempered

__all__ = [
    "HMC",
    "Independent",
    "Info",
    "Instanton",
    "LeapfrogLayers",
    "Omelyan",
    "Phase",
    "Sampler",
    "State",
    "Tempered",
    "init",
]
