"""2D U(1) lattice gauge theory: how do I get independent gauge configurations when topology freezes?

:func:`sample` runs many Hamiltonian Monte Carlo chains at once (JAX), :func:`measure` turns what they saw into numbers with
errors, and :func:`torus` gives the exact answer on the same finite lattice, so that freezing shows as what it is: a chain that
keeps the topological charge it started with, and an average that is wrong.

Importing this package switches JAX to 64-bit numbers for the whole process: an energy of several hundred, known to seven digits,
would decide the Metropolis step wrongly.

Examples
--------
>>> import jax
>>> from triptych import lattice
>>> data = lattice.sample(beta=2.0, shape=(8, 8), chains=32, trajectories=300, thermalization=100, key=jax.random.key(7))
>>> answer, truth = lattice.measure(data), lattice.torus(2.0, (8, 8))
>>> abs(answer.plaquette.pull(truth.plaquette)) < 4, abs(answer.charge_squared.pull(truth.charge_squared)) < 4
(True, True)
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]

from triptych.lattice import action, exact, samplers  # noqa: E402 (only now, so that no constant is made in 32 bits)
from triptych.lattice.along import along, effective_beta  # noqa: E402
from triptych.lattice.exact import Torus, torus  # noqa: E402
from triptych.lattice.measure import Measurement, measure  # noqa: E402
from triptych.lattice.model import LayersConfig  # noqa: E402
from triptych.lattice.sample import sample  # noqa: E402
from triptych.lattice.train import TrainConfig, train  # noqa: E402

__all__ = [
    "LayersConfig",
    "Measurement",
    "Torus",
    "TrainConfig",
    "action",
    "along",
    "effective_beta",
    "exact",
    "measure",
    "sample",
    "samplers",
    "torus",
    "train",
]
