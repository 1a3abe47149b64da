"""
When is a halo an NFW halo?
===========================

Three halos of a small GADGET-4 run at z = 0 with their NFW fits, and the concentrations of all groups of 1000 particles or more.
"""

# %%
# Masses, radii, profiles and fits come in one table. The errors are those of counting particles. The deviance of a fit, over its
# degrees of freedom, tells whether counting is the only thing that separates the halo from an NFW sphere: then it is about 1.

import matplotlib.pyplot as plt
import numpy as np

from triptych import halos
from triptych.halos.plots import plot_concentrations
from triptych.plotting import COLORS, style

table = halos.measure(halos.sample_data(), min_particles=1000)
reduced = table["deviance"] / table["dof"]
resolved = np.flatnonzero(table["resolved"])
ranked = resolved[np.argsort(reduced.values[resolved])]
shown = ranked[[0, len(ranked) // 2, -1]]  # the best, the median and the worst fit among the halos with a resolved core
print(table[["id", "mass", "concentration", "deviance", "dof"]].isel(halo=shown).to_dataframe())

# %%
# Left, the profiles times the square of the radius, so that an isothermal halo is flat. The fit sees the shells inside r200m
# (dashed line). A halo that fits badly shows bumps far above the counting errors: substructure, or a merger. Right, its small
# error bar on the concentration is then misleading. Where the scale radius lies inside the innermost shell (hollow points), the
# concentration is an extrapolation. Circles mark the three halos.

with style():
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
    plot_concentrations(table, ax=right)
    right.set_title("concentrations, with the errors of counting")
    for color, row in zip(COLORS, shown, strict=False):
        halo = table.isel(halo=row)
        radius = halo["halo_radius"].item()
        scale = halo["r"] ** 2 / radius**2 / table.attrs["mean_density"]
        label = f"halo {halo['id'].item()}: deviance / dof = {reduced[row].item():.1f}"
        left.errorbar(
            halo["r"] / radius, scale * halo["density"], scale * halo["density_error"], fmt="o", ms=3.5, color=color, label=label
        )
        fine = np.geomspace(halo["r_edge"][0].item(), radius)
        fitted = halos.nfw_density(fine, halo["rs"].item(), halo["rho_s"].item())
        left.plot(fine / radius, fine**2 / radius**2 * fitted / table.attrs["mean_density"], color=color)
        right.plot(halo["mass"], halo["concentration"], "o", ms=9, mfc="none", color=color)
    left.axvline(1.0, color="black", lw=0.8, ls="--")
    left.set(xscale="log", yscale="log", xlabel=r"$r\,/\,r_{\mathrm{200m}}$", title="GADGET-4, z = 0: profiles and NFW fits")
    left.set_ylabel(r"$(r/r_{\mathrm{200m}})^2\,\rho\,/\,\rho_{\mathrm{m}}$")
    left.set_yticks([20, 50, 100], ["20", "50", "100"])
    left.set_yticks([], minor=True)
    left.legend(loc="lower left")
