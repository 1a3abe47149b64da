"""Figures of the information room.

In: estimates with their fits, or a table of pairs. Out: matplotlib axes and figures.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.information.estimate import MutualInformation
from triptych.information.integral import spread
from triptych.information.mixture import Mixture
from triptych.plotting import COLORS, figure, new_axes, style

ENCLOSED = (0.3935, 0.8647, 0.9889)  # what lies within 1, 2 and 3 standard deviations of a Gaussian in the plane
POINTS = 2000  # more would be one blot
GRID = 300
MOST_NUMBERS = 15  # rows or columns of a table whose values are printed
SHORT = 6  # letters of a name that is written horizontally
MARGINS = {"raw": "standardised", "normal_scores": "normal score"}


def plot_fit(results: MutualInformation, *, x: str = "x", y: str = "y", ax: Axes | None = None) -> Axes:
    """The samples (2000 of them at most) and contours that enclose 39, 86 and 99 % of the mixture, in the plane of the fit.

    Parameters
    ----------
    results : an estimate for one x and one y.
    x, y : what they are called.

    Raises
    ------
    ConfigError
        If there are other variables, or one is constant.
    """
    if results.mixture is None or len(results.values) != 2:
        what = "a constant" if results.mixture is None else f"a fit on {len(results.values)} axes"
        raise ConfigError("this fit has no picture", got=what, expected="one x and one y")
    ax = new_axes() if ax is None else ax
    shown = results.values[:, :: max(1, -(-results.values.shape[1] // POINTS))]
    ax.plot(shown[0], shown[1], ".", ms=2.5, mew=0, color=COLORS[0], alpha=0.5, rasterized=True)
    low, high = shown.min(axis=1), shown.max(axis=1)
    room = np.array([0.08, 0.3])  # above the samples is the legend
    ends = zip(low - 0.08 * (high - low), high + room * (high - low), strict=True)
    axes = [np.linspace(*end, GRID) for end in ends]
    plane = np.stack(np.meshgrid(*axes), axis=0)
    logs = results.mixture.log_density(plane.reshape(2, -1)).reshape(GRID, GRID)
    levels = [level for level in _levels(results.mixture) if level < logs.max()]  # a ridge may fall between the grid's points
    if levels:
        ax.contour(*axes, logs, levels=levels, colors=COLORS[1], linewidths=1.0, linestyles="-")
    shares = ", ".join(f"{100 * share:.0f}" for share in ENCLOSED)
    handles = [Line2D([], [], marker=".", ls="", color=COLORS[0]), Line2D([], [], color=COLORS[1])]
    ax.legend(handles, ["samples", f"{shares} % of the fit"], loc="upper left", frameon=True, handlelength=1.2)
    ax.set_xlabel(f"{x} ({MARGINS[results.margins]})")
    ax.set_ylabel(f"{y} ({MARGINS[results.margins]})")
    ax.set_title(f"{results.estimate} {results.unit}" + ("" if results.reliable else ", not reliable"))
    return ax


def _levels(mixture: Mixture) -> NDArray[np.float64]:
    """The log densities above which the shares `ENCLOSED` of a mixture in the plane lie, the lowest first."""
    logs = mixture.log_density(spread(mixture).reshape(2, -1))
    shares = np.repeat(mixture.weights, logs.size // mixture.components)
    order = np.argsort(-logs)
    above = np.cumsum(shares[order]) / shares.sum()
    return np.asarray(logs[order][np.searchsorted(above, ENCLOSED)][::-1])


def plot_table(table: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The table of :func:`mutual_information_table` as a heat map, hatched where an estimate is not reliable.

    Values are printed where there are at most 15 rows and columns; infinite ones are grey. Without `ax` the figure is as large as
    the table needs.
    """
    x, y = ([str(name) for name in table[side].to_numpy()] for side in ("x", "y"))
    printed = max(len(x), len(y)) <= MOST_NUMBERS
    flat = printed and max(map(len, y)) <= SHORT
    if ax is None:
        cell, letter = ((0.55, 0.4), 0.085) if printed else ((0.2, 0.2), 0.06)
        width = 1.5 + cell[0] * len(y) + letter * max(map(len, x))
        height = 0.85 + cell[1] * len(x) + letter * (2 if flat else max(map(len, y)))
        ax = figure(width=max(width, 3.0), height=max(height, 2.0))[1][0, 0]
    values = table["value"].where(np.isfinite(table["value"])).to_numpy()
    top = max(float(np.max(values, where=np.isfinite(values), initial=0.0)), 0.01)
    colors = colormaps["Blues"].with_extremes(bad="0.85")
    image = ax.imshow(values, cmap=colors, vmin=0.0, vmax=top, aspect="auto", interpolation="none")
    for row, column in np.argwhere(~table["reliable"].to_numpy()):
        hatched = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", edgecolor="0.55", linewidth=0)
        hatched.set_hatch_linewidth(0.5)
        ax.add_patch(hatched)
    for (row, column), value in np.ndenumerate(values if printed else np.empty((0, 0))):
        ink = "white" if value > 0.55 * top else "black"
        plate = {"facecolor": colors(value / top), "edgecolor": "none", "pad": 1.0}
        text = "\N{INFINITY}" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink, bbox=plate)
    for axis, names in ((ax.xaxis, y), (ax.yaxis, x)):
        axis.set_ticks(range(len(names)), labels=names, fontsize=9 if printed else 6)
    ax.tick_params(axis="x", rotation=0 if flat else 90)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    if not table["reliable"].all():
        ax.set_xlabel("hatched: not reliable", fontsize=8)
    ax.set_title(table["value"].attrs["long_name"], loc="left")
    ax.figure.colorbar(image, ax=ax, label=table.attrs["unit"], pad=0.02)
    return ax


@style()
def table_figure(table: xr.Dataset) -> Figure:
    """The heat map alone."""
    made = plot_table(table).get_figure(root=True)
    assert made is not None
    return made


@style()
def fits_figure(results: Mapping[tuple[str, str], MutualInformation]) -> Figure:
    """One panel for each pair, by its names: its samples and its fit."""
    columns = min(len(results), 3)
    rows = -(-len(results) // columns)
    made, axes = figure(rows, columns, width=0.4 + 3.4 * columns, height=0.2 + 3.1 * rows)
    for ax, ((x, y), found) in zip(axes.flat, results.items(), strict=False):
        plot_fit(found, x=x, y=y, ax=ax)
    for ax in axes.flat[len(results) :]:
        ax.set_axis_off()
    return made
