r"""
Charge freezing, in one chain and in the ensemble
=================================================

Sixty-four HMC chains of 2D U(1) on an 8 x 8 lattice at three couplings, all started cold (all angles zero, so :math:`Q = 0`).
Left: the integer topological charge of one chain. Right: how often all chains visited each sector, with the spread over the
chains as error, and the exact probabilities on the same torus.

At :math:`\beta = 2` the two agree. At :math:`\beta = 4` they agree within larger errors. At :math:`\beta = 6` most chains are
still in the sector they started in: the error bars are small and the bars are wrong.
"""

import jax
import matplotlib.pyplot as plt

from triptych import lattice
from triptych.lattice.plots import plot_charge_history, plot_sectors
from triptych.plotting import style

SHAPE = (8, 8)

# %%
# Sample. The coupling is a traced number: the three runs share one compilation.

ensembles = [
    lattice.sample(beta=beta, shape=SHAPE, chains=64, trajectories=500, thermalization=200, key=jax.random.key(seed))
    for seed, beta in enumerate((2.0, 4.0, 6.0))
]

# %%
# The averages beside the exact values. The pull is the difference in units of the error that the chains themselves suggest.

for data in ensembles:
    found, exact = lattice.measure(data).charge_squared, lattice.torus(data.beta, SHAPE).charge_squared
    print(f"beta {data.beta:g}: <Q^2> = {found}, exact {exact:.4f}, pull {found.pull(exact):.1f}")

# %%
# One row for each coupling.

with style():
    fig, axes = plt.subplots(3, 2, figsize=(8, 6), layout="constrained", width_ratios=(3, 2), sharex="col", sharey="col")
    for data, (left, right) in zip(ensembles, axes, strict=True):
        plot_charge_history(data, ax=left).label_outer()
        plot_sectors(data, ax=right).set_title("")
    for right in axes[:-1, 1]:
        right.set_xlabel("")
    for right in axes[1:, 1]:
        right.get_legend().remove()
    axes[0, 0].set_xlim(1, 500)
    axes[0, 1].set_xlim(-4.5, 4.5)
    fig.suptitle("Topological charge of HMC chains from cold starts, 8 x 8 lattice")
