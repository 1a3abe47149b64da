"""
What a history does to a profile
================================

Two thousand halos of the mock universe, all of nearly the same mass. Which part of the profile knows when the core formed, and
which how fast the halo grows today?
"""

# %%
# Mock halos have known histories and known profiles. In the model a core is as dense as the universe was when it assembled, and
# matter that is about to be accreted is already there; both relations scatter. The core holds about a tenth of the mass: we ask
# when the main progenitor first had that. (A few halos are older than the first output, at z = 7.)

import matplotlib.pyplot as plt
import numpy as np

from triptych import halos
from triptych.plotting import COLORS, band, style

universe = halos.draw_universe(2000, seed=1, lowest=1e12, highest=1.5e12)
structure = universe.structure
formed = np.nan_to_num(halos.formation_redshift(universe.histories, universe.scale_factors, share=0.1), nan=7.0)
x = np.geomspace(0.03, 2.0, 60)
log_density = np.log10(structure.density(x))
log_density -= np.median(log_density, axis=0)

# %%
# Thirds of the halos, left by formation, right by growth over the last 0.09 in ln a: median of the true density over that of all
# halos, and the 68 % band of single halos for the outer thirds. Early cores are denser, and since the mass inside r200m is fixed,
# their outskirts are thinner. Recent growth moves the outskirts, but by less than they scatter for reasons that no history knows.

with style():
    fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained", sharey=True)
    for ax, known, words in (
        (axes[0], formed, ("core formed late", "in between", "core formed early")),
        (axes[1], structure.recent, ("grow slowly today", "in between", "grow fast today")),
    ):
        thirds = np.digitize(known, np.quantile(known, (1 / 3, 2 / 3)))
        for third, (color, word) in enumerate(zip(COLORS, words, strict=False)):
            lower, median, upper = np.quantile(log_density[thirds == third], (0.16, 0.5, 0.84), axis=0)
            ax.semilogx(x, median, color=color, label=word)
            if third != 1:
                band(ax, x, lower, upper, color=color)
        ax.axvline(1.0, color="black", lw=0.8, ls="--")
        ax.set_xticks([0.03, 0.1, 0.3, 1, 2], ["0.03", "0.1", "0.3", "1", "2"])
        ax.set_xlabel(r"$r\,/\,r_{\mathrm{200m}}$")
        ax.legend(loc="upper center")
    axes[0].set_ylabel(r"$\log_{10}$ of density over that of the median halo")
    axes[0].set_title("mock universe: by the formation of the core")
    axes[1].set_title("mock universe: by growth today")

# %%
# The square of a correlation is the share of a shell's scatter that a straight line in the history can tell.

for radius in (0.05, 0.2, 0.5, 1.0, 1.7):
    shell = np.log10(structure.density(np.array([radius])))[:, 0]
    early, recent = (np.corrcoef(shell, known)[0, 1] for known in (np.log1p(formed), structure.recent))
    print(f"r = {radius:4.2f} r200m: correlation with formation {early:5.2f}, with recent growth {recent:5.2f}")
