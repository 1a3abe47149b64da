"""Figures of the qec panel.

In: datasets as the tour saves them, with the dimension ``p`` (physical error rate) and the variables ``crash_rate``, ``lower``
and ``upper`` (tree), ``drawn`` and ``drawn_error`` (Monte Carlo, NaN where nothing was drawn). Out: axes.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from triptych.plotting import COLORS, band, new_axes


def plot_crash_rates(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Crash rate against the physical error rate, with the certified interval and a line of slope p^2 through the first point."""
    ax = new_axes() if ax is None else ax
    p, rate = results["p"].values, results["crash_rate"].values
    ax.plot(p, rate[0] * (p / p[0]) ** 2, "--", color=COLORS[5], linewidth=1, label=r"slope $p^2$")
    _draw(results, ax, scale=np.ones_like(p), floor=rate[0] / 5)
    ax.set(xscale="log", yscale="log", ylabel="crash rate")
    ax.set_ylim(rate[0] / 5, 1)
    ax.legend(loc="upper left")
    return ax


def plot_crash_rates_over_square(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The same divided by p^2: the weighted number of harmful pairs of faults, where p is small."""
    ax = new_axes() if ax is None else ax
    p, rate = results["p"].values, results["crash_rate"].values
    ax.axhline(rate[0] / p[0] ** 2, linestyle="--", color=COLORS[5], linewidth=1)
    _draw(results, ax, scale=p**2, floor=0.0)
    ax.set(xscale="log", xlabel="physical error rate $p$ of each operation", ylabel="crash rate / $p^2$")
    ax.set_ylim(0, 1.7 * rate[0] / p[0] ** 2)
    return ax


def _draw(results: xr.Dataset, ax: Axes, *, scale: np.ndarray[tuple[int], np.dtype[np.float64]], floor: float) -> None:
    p, lower = results["p"].values, np.maximum(results["lower"].values, floor)
    band(ax, p, lower / scale, results["upper"].values / scale, color=COLORS[0], label="tree, certified interval")
    ax.plot(p, results["crash_rate"].values / scale, "o-", color=COLORS[0], markersize=3.5, label="tree")
    drawn, error = results["drawn"].values / scale, results["drawn_error"].values / scale
    ax.errorbar(p, drawn, error, fmt="s", color=COLORS[1], markersize=4, capsize=2.5, label="Monte Carlo")
