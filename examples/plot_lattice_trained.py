r"""
What a trained trajectory does
==============================

LeapfrogLayers are leapfrog steps with numbers that are learned, run forwards and then backwards. A model of 2D U(1) on an 8 x 8
lattice is trained here in seconds, to change the topological charge at :math:`\beta = 5`, where plain HMC needs hundreds of
trajectories. Then it is watched behind each of its layers.
"""

import jax
import matplotlib.pyplot as plt

from triptych import lattice
from triptych.lattice.plots import plot_along, plot_effective_coupling
from triptych.plotting import style

SHAPE = (8, 8)

# %%
# Train, with a rising coupling: the action is scaled down at first, so that there is some tunnelling to learn from. One model is
# kept at each coupling.

config = lattice.TrainConfig(
    shape=SHAPE, couplings=(3.0, 5.0), ramp=20, hold=60, chains=256, layers=lattice.LayersConfig(number=8)
)
models = lattice.train(config)

# %%
# Trajectories from independent exact draws, one for each chain. The coupling whose exact mean plaquette is that in the middle
# tells how far the layers heat.

seen = [
    lattice.along(model, beta=beta, shape=SHAPE, chains=1024, key=jax.random.key(number))
    for number, (beta, model) in enumerate(models.items())
]
for data in seen:
    middle = data.plaquette.mean("chain")[data.sizes["step"] // 2].item()
    hops = (data.charge[:, -1] != data.charge[:, 0]).mean().item()
    like = lattice.effective_beta(middle, SHAPE)
    print(f"beta {data.beta:g}: in the middle as at {like:.1f}; {hops:.0%} of the proposals have another charge")

# %%
# Left, the mean plaquette at each coupling, with the exact values dashed. In the middle, the real charge of a few trajectories at
# :math:`\beta = 5`, and the band that holds 68 % of all: the charge moves while the lattice is hot. Right, the energy goes up by
# tens and comes back; what it misses at the end is paid for in the acceptance.

with style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    plot_effective_coupling(seen, ax=axes[0])
    plot_along(seen[-1], "real_charge", ax=axes[1])
    plot_along(seen[-1], "energy", ax=axes[2])
    fig.suptitle("Trained trajectories, 8 x 8 lattice")
