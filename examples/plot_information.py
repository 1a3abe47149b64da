r"""
How much does one variable tell about another?
==============================================

A correlation of zero does not mean independence. :mod:`triptych.information` measures dependence of any shape, in nats, with an
error: on a parabola and a ring, then in a table of many pairs, and last where a third variable is known.
"""

import matplotlib.pyplot as plt
import numpy as np

from triptych.information import mutual_information, mutual_information_table
from triptych.information.plots import plot_table
from triptych.plotting import COLORS, band, style

# %%
# Two relations that a correlation does not see. The contours are those of the Gaussian mixture whose information is quoted.

rng = np.random.default_rng(4)
x = rng.normal(size=1500)
angle, radius = rng.uniform(0, 2 * np.pi, size=1500), rng.normal(1.0, 0.15, size=1500)
relations = {
    "parabola": (x, x**2 + rng.normal(size=1500)),
    "ring": (radius * np.cos(angle), radius * np.sin(angle)),
    "independent": (x, rng.normal(size=1500)),
}
with style():
    fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.4), layout="constrained")
    for ax, (name, (a, b)) in zip(axes, relations.items(), strict=True):
        mi = mutual_information(a, b, rng=rng)
        mi.plot(ax=ax)
        ax.set_title(f"{name}: {mi}", fontsize=9)
        print(f"{name:11} correlation {np.corrcoef(a, b)[0, 1]:+.2f}  {mi}  p-value {mi.p_value:.3f}  neighbours {mi.cross_check}")

# %%
# A table compares everything with everything, side by side on all cores. Here are 800 synthetic profiles at eight radii, made from
# three independent numbers: one that scales all of a profile, one for its inner shape, one for its outer shape.

radii = np.geomspace(0.05, 1.5, 8)
scale, inner, outer = rng.normal(size=(3, 800, 1))
profiles = scale + 0.8 * inner * np.exp(-radii / 0.2) + 0.6 * outer * radii**2 / (1 + radii**2)
profiles += 0.2 * rng.normal(size=profiles.shape)
latents = {"scale": scale[:, 0], "inner shape": inner[:, 0], "outer shape": outer[:, 0]}
by_radius = {f"{r:.2f}": column for r, column in zip(radii, profiles.T, strict=True)}
table = mutual_information_table(latents, by_radius, rng=rng)
with style():
    ax = plot_table(table)
    ax.set_xlabel("radius")
    ax.set_title("mutual information of latent and profile, synthetic")
    plt.figure(ax.figure)
