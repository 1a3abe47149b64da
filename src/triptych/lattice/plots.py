"""Figures of the lattice panel.

In: Datasets of `sample`, of `race.table` and of `along`. Out: matplotlib axes and figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import cycle

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from triptych.lattice.along import effective_beta
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.plotting import COLORS, band, figure, new_axes

KINDS = {  # colour, marker and label of what takes part in a race
    "hmc": (COLORS[1], "o", "HMC"),
    "tempered": (COLORS[3], "s", "tempered"),
    "trained": (COLORS[0], "D", "trained"),
    "trained otherwise": (COLORS[4], "v", ""),
    "instanton": (COLORS[2], "^", "HMC and instantons"),
    "exact": (COLORS[5], "x", "exact draws"),
}


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


def plot_times(results: xr.Dataset, *, price: bool = False, ax: Axes | None = None) -> Axes:
    """Fig. 4: tau of the charge against beta, or the price N tau with the paper's points; 68 % error bars.

    Parameters
    ----------
    results : `tau_Q_Z` and `tau_Q_R` with errors and `steps` (beta, sampler), and the coordinate `kind` of a sampler; for the
        price also `paper_hmc` and `paper_trained` (beta), in leapfrog steps. tau(Q_R) is drawn in open markers.
    """
    ax = new_axes() if ax is None else ax
    seen: set[str] = set()
    dashes = {kind: cycle(("-", ":", "-.", "--")) for kind in ("hmc", "trained otherwise")}
    for sampler in results["sampler"].values:
        line = results.sel(sampler=sampler)
        kind = str(line["kind"].item())
        if price and kind == "exact":  # it takes no steps
            continue
        color, marker, label = KINDS[kind]
        name = None if kind == "trained" and kind in seen else str(sampler) if kind in ("hmc", "trained otherwise") else label
        look = partial(ax.errorbar, color=color, marker=marker, capsize=2)
        factor = line["steps"].values if price else 1.0
        tau, error = factor * line["tau_Q_Z"].values, factor * line["tau_Q_Z_error"].values
        dash = next(dashes[kind]) if kind in dashes else "-"
        look(line["beta"].values, tau, error, markersize=4, linestyle=dash, label=name)
        if not price:
            real, its_error = line["tau_Q_R"].values, line["tau_Q_R_error"].values
            look(line["beta"].values, real, its_error, markersize=7, linestyle="none", markerfacecolor="none")
        seen.add(kind)
    if price:
        for kind in ("hmc", "trained"):
            color, marker, label = KINDS[kind]
            theirs = results[f"paper_{kind}"]
            ax.plot(theirs["beta"], theirs, marker + "--", color=color, alpha=0.35, label=f"{label}, paper, 16 x 16")
    height, width = (int(n) for n in results.attrs["shape"])
    ax.set(yscale="log", xlabel=r"$\beta$", title=f"{height} x {width} lattice")
    tau_axis = r"$\tau_\mathrm{int}$ of $Q_\mathbb{Z}$ (open: $Q_\mathbb{R}$), trajectories"
    ax.set_ylabel(r"$N\,\tau_\mathrm{int}(Q)$, leapfrog steps" if price else tau_axis)
    ax.legend(loc="upper left", fontsize="x-small", frameon=False)
    return ax


def plot_run_lengths(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Fig. 5: estimates of N tau(Q_Z) from longer and longer runs; horizontal lines with 68 % bands are the final values.

    Parameters
    ----------
    results : of one coupling: `run_length`, `estimate`, `estimate_error` and `long_enough` (sampler, length), and `tau_Q_Z` with
        its error and `steps` (sampler). Estimates from runs that are too short are drawn in open markers.
    """
    ax = new_axes() if ax is None else ax
    shades = dict.fromkeys(("hmc", "trained"), 0)
    for sampler in results["sampler"].values:
        line = results.sel(sampler=sampler)
        kind = str(line["kind"].item())
        color, _, _ = KINDS[kind]
        marker = "osD^vP"[shades[kind] % 6]
        shades[kind] += 1
        length, found, error = (line[name].values for name in ("run_length", "estimate", "estimate_error"))
        enough = line["long_enough"].values
        ax.plot(length, found, "-", color=color, linewidth=0.7, alpha=0.6)
        for some, face in ((enough, color), (~enough, "white")):
            ax.errorbar(
                length[some],
                found[some],
                error[some],
                fmt=marker,
                color=color,
                markerfacecolor=face,
                markersize=4,
                elinewidth=0.8,
            )
        ax.plot([], [], marker, color=color, markersize=4, label=str(sampler).replace("N_LF", r"$N_\mathrm{LF}$"))
        price, spread = (float(line["steps"] * line[name]) for name in ("tau_Q_Z", "tau_Q_Z_error"))
        if np.isfinite(price):
            ends = np.array([np.nanmin(length), np.nanmax(length)]) if np.isfinite(length).any() else np.array([1.0, 10.0])
            ax.plot(ends, [price, price], "--", color=color, linewidth=0.8)
            band(ax, ends, [price - spread] * 2, [price + spread] * 2, color=color)
    ax.set(xscale="log", yscale="log", xlabel="run length (leapfrog steps)", ylabel=r"$N\,\tau_\mathrm{int}(Q_\mathbb{Z})$")
    ax.set_title(rf"$\beta = {float(results['beta']):g}$")
    ax.legend(fontsize="x-small", ncols=2, frameon=False)
    return ax


def plot_along(data: xr.Dataset, name: str, *, ax: Axes | None = None) -> Axes:
    """Fig. 6: a quantity (chain, step) along the trajectory: mean, its spread over chains as a 68 % band, and a few chains."""
    ax = new_axes() if ax is None else ax
    values = data[name].transpose("chain", "step").values
    lower, upper = np.quantile(values, [0.16, 0.84], axis=0)
    band(ax, data["step"], lower, upper, color=COLORS[0], label="68 % of the trajectories")
    ax.plot(data["step"], values[:6].T, color=COLORS[5], linewidth=0.5, alpha=0.7)
    ax.plot(data["step"], values.mean(axis=0), color=COLORS[0], label="mean")
    labels = {
        "energy": r"$H - \sum \log |J|$, from its start",
        "plaquette": r"$\langle \cos x_P \rangle$",
        "real_charge": r"$Q_\mathbb{R}$",
        "charge": r"$Q_\mathbb{Z}$",
    }
    ax.set(xlabel="leapfrog step", ylabel=labels[name])
    height, width = (int(n) for n in data.attrs["shape"])
    ax.set_title(rf"$\beta = {data.attrs['beta']:g}$, {height} x {width} lattice")
    ax.margins(y=0.2)
    ax.legend(fontsize="x-small", frameon=False)
    return ax


def plot_effective_coupling(seen: Sequence[xr.Dataset], *, difference: bool = False, ax: Axes | None = None) -> Axes:
    """Fig. 7: the mean plaquette along the trajectory for several couplings, or its difference from the exact value.

    Dashed lines are exact mean plaquettes; the legend names the coupling whose exact plaquette is that in the middle. The error
    of the mean is below the width of the lines.
    """
    ax = new_axes() if ax is None else ax
    for number, data in enumerate(seen):
        beta, (height, width) = float(data.attrs["beta"]), (int(n) for n in data.attrs["shape"])
        color, mean, truth = COLORS[number % len(COLORS)], data["plaquette"].mean("chain"), float(data.attrs["plaquette_exact"])
        place = data["step"] / (data.sizes["step"] - 1)
        label, middle = rf"$\beta = {beta:g}$", float(mean[data.sizes["step"] // 2])
        if not difference:
            ax.axhline(truth, color=color, linestyle="--", linewidth=0.8)
            label += rf" $\to {effective_beta(middle, (height, width)):.2f}$" if middle >= 0 else ""
        ax.plot(place, mean - truth if difference else mean, "o-", color=color, markersize=2.5, label=label)
    ax.set_title(f"{height} x {width} lattice")
    ax.margins(y=0.1)
    if difference:
        ax.axhline(0, color=COLORS[5], linestyle="--", linewidth=0.8)
    ax.legend(loc="lower left", fontsize="x-small", frameon=False)
    ax.set_xlabel("part of the trajectory")
    ax.set_ylabel(r"$\langle \cos x_P \rangle$" + (" less the exact value" if difference else ""))
    return ax


def _two_digits(rate: float) -> str:
    """A rate as 0.60 or 3.6 x 10^-5."""
    if rate == 0 or rate >= 1e-3:
        return f"{rate:#.2g}" if rate else "0"
    mantissa, exponent = f"{rate:.1e}".split("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"
