"""Figures of the lattice panel.

In: Datasets of `sample`. Out: matplotlib axes and figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.plotting import COLORS, figure, new_axes


def plot_charge_history(data: xr.Dataset, *, chain: int = 0, ax: Axes | None = None) -> Axes:
    """Q_Z of one chain against the trajectory; the tunnelling rate in the title is the mean over all chains."""
    ax = new_axes() if ax is None else ax
    rate = measure(data).tunnelling_rate.value
    ax.step(data.trajectory, data.charge.isel(chain=chain), where="post", color=COLORS[0], linewidth=0.8)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    ax.set_ylabel(r"$Q_\mathbb{Z}$")
    ax.set_xlabel("trajectory")
    ax.set_title(rf"$\beta = {data.attrs['beta']:g}$", loc="left", fontsize="small")
    ax.set_title(rf"$\overline{{\delta Q_\mathbb{{Z}}}} = {_two_digits(rate)}$", loc="right", fontsize="small")
    return ax


def plot_freezing(ensembles: Sequence[xr.Dataset]) -> Figure:
    """The paper's Fig. 1: one chain's charge for each coupling, panels stacked, axes shared."""
    stacked, axes = figure(len(ensembles), width=6.4, height=0.6 + 1.1 * len(ensembles), sharex=True, sharey=True)
    for data, ax in zip(ensembles, axes[:, 0], strict=True):
        plot_charge_history(data, ax=ax).label_outer()
    height, width = (int(n) for n in ensembles[0].attrs["shape"])
    stacked.suptitle(f"Topological charge of one HMC chain, {height} x {width} lattice", fontsize="medium")
    axes[0, 0].set_xlim(1, int(ensembles[0].trajectory[-1]))
    return stacked


def plot_sectors(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """How often each sector Q_Z was visited, with the standard error over chains, and the exact probabilities on the torus."""
    ax = new_axes() if ax is None else ax
    beta, (height, width) = float(data.attrs["beta"]), (int(n) for n in data.attrs["shape"])
    exact = {q: p for q, p in torus(beta, (height, width)).sectors.items() if p > 1e-4}
    reach = max(int(abs(data.charge).max()), *exact)
    charges = np.arange(-reach, reach + 1)
    visits = np.array([(data.charge == q).mean("trajectory") for q in charges])
    error = visits.std(axis=1, ddof=1) / np.sqrt(visits.shape[1])
    ax.bar(charges, visits.mean(axis=1), yerr=error, color=COLORS[0], alpha=0.5, error_kw={"linewidth": 1.2}, label="sampled")
    ax.plot(charges, [exact.get(abs(int(q)), np.nan) for q in charges], "o", color=COLORS[1], markersize=4, label="exact")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(r"$Q_\mathbb{Z}$")
    ax.set_ylabel("probability")
    ax.set_title(rf"Topological sectors, $\beta = {beta:g}$, {height} x {width} lattice")
    ax.legend()
    return ax


def _two_digits(rate: float) -> str:
    """A rate as 0.60 or 3.6 x 10^-5."""
    if rate == 0 or rate >= 1e-3:
        return f"{rate:#.2g}" if rate else "0"
    mantissa, exponent = f"{rate:.1e}".split("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"
