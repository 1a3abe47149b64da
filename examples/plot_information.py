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
# Two relations that a correlation does not see. The contours are those of the Gaussian mixture whose information is quoted;
# a ring takes more samples than a parabola until no diagnostic objects to its fit.

rng = np.random.default_rng(4)
x = rng.normal(size=1500)
angle = rng.uniform(0, 2 * np.pi, size=5000)
relations = {
    "parabola": (x, x**2 + rng.normal(size=1500)),
    "ring": np.array([np.cos(angle), np.sin(angle)]) + rng.normal(scale=0.2, size=(2, 5000)),
    "independent": (x, rng.normal(size=1500)),
}
with style():
    fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.4), layout="constrained")
    for ax, (name, (a, b)) in zip(axes, relations.items(), strict=True):
        mi = mutual_information(a, b, rng=rng)
        mi.plot(ax=ax)
        ax.set_title(f"{name}: {ax.get_title()}")
        print(f"{name:11} correlation {np.corrcoef(a, b)[0, 1]:+.2f}  {mi}  p-value {mi.p_value:.3f}  KSG {mi.cross_check}")

# %%
# A table compares everything with everything, side by side on all cores. Here are 800 synthetic profiles at eight radii, made
# from three independent numbers: one that scales all of a profile, one for its inner shape, one for its outer shape.

radii = np.geomspace(0.05, 1.5, 8)
scale, inner, outer = rng.normal(size=(3, 800, 1))
strength = {"inner shape": 0.8 * np.exp(-radii / 0.2), "outer shape": 0.6 * radii**2 / (1 + radii**2)}
profiles = scale + inner * strength["inner shape"] + outer * strength["outer shape"] + 0.2 * rng.normal(size=(800, 8))
latents = {"scale": scale[:, 0], "inner shape": inner[:, 0], "outer shape": outer[:, 0]}
by_radius = {f"{r:.2f}": column for r, column in zip(radii, profiles.T, strict=True)}
table = mutual_information_table(latents, by_radius, rng=rng)
with style():
    fig, ax = plt.subplots(figsize=(7.2, 2.6), layout="constrained")
    plot_table(table, ax=ax)
    ax.set_xlabel("radius")
    ax.set_title("mutual information of latents and profiles (synthetic)", loc="left")

# %%
# The scale hides the shapes: it moves all radii together, so that for the shapes it is noise. Where it is known, a shape tells
# more. That is the conditional information I(shape; profile | scale), and the same table with one more word. All is Gaussian
# here, so that the exact values are known (points).

known = mutual_information_table(
    {name: latents[name] for name in ("inner shape", "outer shape")}, by_radius, given=latents["scale"], rng=rng
)
with style():
    fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for color, (name, amplitude) in zip(COLORS, strength.items(), strict=False):
        for found, variance, line, words in ((table, 1.0, "--", ""), (known, 0.0, "-", ", scale known")):
            row = found.sel(x=name)
            ax.plot(radii, row["value"], line, color=color, label=f"{name}{words}")
            band(ax, radii, row["lower"], row["upper"], color=color)
            total = variance + sum(one**2 for one in strength.values()) + 0.2**2
            ax.plot(radii, -0.5 * np.log(1 - amplitude**2 / total), ".", color=color)
    ax.set(xscale="log", xlabel="radius", ylabel="mutual information with the density [nats]", title="synthetic profiles")
    ax.legend()
