"""Figures of the qec panel.

In: datasets as the verbs save them. Those of the tour have the dimension ``p`` (physical error rate) and the variables
``crash_rate``, ``lower`` and ``upper`` (tree), ``drawn`` and ``drawn_error`` (Monte Carlo, NaN where nothing was drawn); those of
the paper's figures are described at their functions. Out: axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

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


def plot_uncertainties(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """How well each method knows the crash rate: half the certified interval, and one standard deviation, over the rate."""
    ax = new_axes() if ax is None else ax
    p, rate = results["p"].values, results["crash_rate"].values
    half = (results["upper"].values - results["lower"].values) / 2
    ax.plot(p, half / rate, "o-", color=COLORS[0], markersize=3.5, label="tree, half the interval")
    deviation = results["drawn_error"].values / rate
    ax.plot(p, deviation, "s:", color=COLORS[1], markersize=4, label="Monte Carlo, one standard deviation")
    ax.set(xscale="log", yscale="log", xlabel="physical error rate $p$ of each operation", ylabel="relative uncertainty")
    ax.legend(loc="lower left")
    return ax


def plot_sweep(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Crash rate against the physical error rate, and where it equals that of a bare qubit.

    Parameters
    ----------
    results : ``crash_rate``, ``lower`` and ``upper`` (preparation, extractions, p), and ``pseudothreshold`` (preparation,
        extractions), NaN where there is none.
    """
    ax = new_axes() if ax is None else ax
    p, rates = results["p"].values, results["crash_rate"].values
    floor = rates[rates > 0].min(initial=p[0]) / 5
    ax.plot(p, p, "--", color=COLORS[5], linewidth=1, label="bare qubit")
    lines = product(enumerate(results["preparation"].values), enumerate(results["extractions"].values))
    for (i, preparation), (j, extractions) in lines:
        line, color = results.sel(preparation=preparation, extractions=extractions), COLORS[j % 5]
        band(ax, p, np.maximum(line["lower"].values, floor), line["upper"].values, color=color)
        label = f"{preparation}, {extractions} extraction{'s' if extractions > 1 else ''}"
        crossing = line["pseudothreshold"].item()
        if np.isfinite(crossing):
            ax.plot(crossing, crossing, "*", color=color, markersize=10)
            label += f": pseudothreshold {crossing:.3g}"
        ax.plot(p, line["crash_rate"].values, ("o-", "s:")[i % 2], color=color, markersize=3.5, label=label)
    ax.set(xscale="log", yscale="log", xlabel="physical error rate $p$ of each operation", ylabel="crash rate")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(loc="upper left", frameon=False, fontsize="small")
    return ax


def plot_thresholds(results: xr.Dataset, *, against: str, ax: Axes | None = None) -> Axes:
    """Fig. 3: deviation from the paper's kind of baseline or from the converged rate, against time.

    Parameters
    ----------
    results : ``crash_rate`` and ``seconds`` (rule, event, merge), ``certified_lower``, ``_upper``, ``_crash_rate`` and
        ``_seconds`` (width), with the attributes ``baseline`` and ``converged``.
    against : which of the two attributes.
    """
    ax = new_axes() if ax is None else ax
    for (i, event), rule in product(enumerate(results["event"].values), results["rule"].values):
        line = results.sel(event=event, rule=rule)
        deviation = 100 * np.abs(line["crash_rate"].values / results.attrs[against] - 1)
        marks = {"preservation": "o-", "lossy": "s--"}[str(rule)]
        fill = COLORS[i] if rule == "preservation" else "white"
        seen = deviation > 0
        ax.plot(
            line["seconds"].values[seen], deviation[seen], marks, color=COLORS[i], markerfacecolor=fill, markersize=4,
            label=f"event {power(event)}, {rule}",
        )  # fmt: skip
    if against == "baseline":
        ax.plot([3.3 * 60], [0.1], "*", color=COLORS[2], markersize=10)
        ax.text(3.3 * 60, 0.065, "the paper:\n$10^{-7}$, $10^{-12}$\nin 3.3 min", ha="center", va="top", size="small")
        ax.axhline(10, linestyle=":", color=COLORS[0], linewidth=1)
        ax.text(
            1,
            10,
            "the paper: event $10^{-5}$ stays above 10 %",
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="bottom",
            size="small",
        )
    else:
        half = (results["certified_upper"] - results["certified_lower"]) / 2 / results["certified_crash_rate"]
        ax.plot(
            results["certified_seconds"], 100 * half, "D-", color=COLORS[5], markersize=4, label="certified: half the interval"
        )
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")
    title = {"baseline": "from the smallest thresholds, as in the paper", "converged": "from the converged rate"}[against]
    ax.set(xscale="log", yscale="log", xlabel="processor time (s)", ylabel="deviation of the crash rate (%)", title=title)
    return ax


def power(threshold: float) -> str:
    """A threshold as a power of ten, for labels.

    Examples
    --------
    >>> power(1e-6)
    '$10^{-6}$'
    """
    mantissa, exponent = f"{threshold:.3g}".split("e") if "e" in f"{threshold:.3g}" else (f"{threshold:.3g}", "0")
    factor = "" if mantissa == "1" else rf"{mantissa} \times "
    return f"${factor}10^{{{int(exponent)}}}$"


def plot_rivals(results: xr.Dataset, *, paper: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Fig. 4: inaccuracy against time, of trees and samplers; a sampler's line goes on as the square root of its shots.

    Parameters
    ----------
    results : ``tree_inaccuracy`` and ``tree_seconds`` (merge), ``certified_inaccuracy`` and ``_seconds`` (width), ``inaccuracy``
        (one standard deviation) and ``seconds`` (sampler).
    paper : ``inaccuracy`` and ``seconds`` of the paper's ``monte_carlo`` and ``tree``.
    """
    ax = new_axes() if ax is None else ax
    ax.plot(
        results["tree_seconds"],
        100 * results["tree_inaccuracy"],
        "o-",
        color=COLORS[0],
        markersize=4,
        label="tree as in the paper: bias",
    )
    half = 100 * results["certified_inaccuracy"]
    ax.plot(results["certified_seconds"], half, "D-", color=COLORS[5], markersize=4, label="tree: half the certified interval")
    for i, sampler in enumerate(results["sampler"].values):
        one = results.sel(sampler=sampler)
        seconds, level = float(one["seconds"]), 100 * float(one["inaccuracy"])
        ax.plot(seconds, level, "s", color=COLORS[i + 1], markersize=5, label=f"Monte Carlo, {sampler}")
        ends = np.array([seconds / 30, seconds * max(1.0, (level / 0.03) ** 2)])
        ax.plot(ends, level * np.sqrt(seconds / ends), ":", color=COLORS[i + 1], linewidth=1)
    for name, mark, label in (("tree", "*", "tree"), ("monte_carlo", "X", "Monte Carlo")):
        x, y = paper[name]["seconds"], 100 * paper[name]["inaccuracy"]
        ax.plot(x, y, mark, color="black", markersize=9, label=f"{label} of the paper (2008)")
    ax.set(xscale="log", yscale="log", xlabel="processor time (s)", ylabel="inaccuracy of the crash rate (%)")
    top = ax.secondary_xaxis("top")
    top.set_xticks([60, 3600, 86400, 86400 * 30], ["minute", "hour", "day", "month"])
    top.minorticks_off()
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        fontsize="small",
        title="dotted: one standard deviation,\nas 1 / √shots",
    )
    return ax


NAMES = {"strings": "Pauli strings, as in the paper", "observed": "observed values", "certified": "certified"}


def plot_run_times(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Fig. 5: ``seconds`` (series, logical_qubits), and where the paper sees them bend."""
    ax = _lines(results, "seconds", new_axes() if ax is None else ax)
    for size in (4, 8):
        if size < results["logical_qubits"].max():
            label = "inflections of the paper" if size == 4 else None
            ax.axvline(size, linestyle=":", color=COLORS[5], linewidth=1, label=label)
    ax.set(ylabel="processor time (s)")
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    return ax


def plot_biases(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """How far fixed thresholds are off: ``bias`` (series, logical_qubits), and the interval of the certified series."""
    ax = new_axes() if ax is None else ax
    one = results.sel(series="certified")
    size, rate = results["logical_qubits"].values, one["crash_rate"].values
    lower, upper = (100 * (one[name].values / rate - 1) for name in ("lower", "upper"))
    band(ax, size, lower, upper, color=COLORS[2], label=NAMES["certified"])
    for i, series in enumerate(("strings", "observed")):
        ax.plot(size, 100 * results["bias"].sel(series=series), "o-", color=COLORS[i], markersize=3.5, label=NAMES[series])
    ax.set(xlabel="logical qubits", ylabel="deviation of the crash rate (%)")
    ax.legend(loc="lower left", frameon=False, fontsize="small")
    return ax


def plot_largest_maps(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Fig. 6: ``states_peak`` (series, logical_qubits)."""
    ax = _lines(results, "states_peak", new_axes() if ax is None else ax)
    ax.set(ylabel="states of the largest error map")
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    return ax


def plot_memory(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Traced ``bytes`` (traced), what they make of ``states_peak`` elsewhere, and the paper's report of 1 to 8 GB."""
    ax = new_axes() if ax is None else ax
    size, strings = results["logical_qubits"].values, results["states_peak"].sel(series="strings")
    each = float((results["bytes"].values / strings.sel(logical_qubits=results["traced"].values)).mean())
    ax.plot(size, each * strings / 1e9, "-", color=COLORS[0], label=f"states x {each:.0f} bytes")
    ax.plot(results["traced"], results["bytes"] / 1e9, "o", color=COLORS[0], markersize=4, label="traced")
    ax.plot([2, 13], [1, 8], "*", color=COLORS[5], markersize=9, label="the paper: 1 to 8 GB")
    ax.set(yscale="log", xlabel="logical qubits", ylabel="memory (GB)")
    ax.legend(loc="center right", frameon=False, fontsize="small")
    return ax


def _lines(results: xr.Dataset, name: str, ax: Axes) -> Axes:
    """One line for each series."""
    for i, series in enumerate(results["series"].values):
        values = results[name].sel(series=series)
        ax.plot(results["logical_qubits"], values, "o-", color=COLORS[i], markersize=3.5, label=NAMES[str(series)])
    ax.set(yscale="log", xlabel="logical qubits")
    return ax


def plot_budget(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Error budget: ``share`` (class, place) of each class of faults in the crash rate, by the place where it acts."""
    ax = new_axes() if ax is None else ax
    names, start = [str(name).replace("_", " ") for name in results["class"].values], np.zeros(results.sizes["class"])
    for i, place in enumerate(results["place"].values):
        width = 100 * results["share"].sel(place=place).values
        bars = ax.barh(names, width, left=start, color=COLORS[i % len(COLORS)], label=str(place) or "elsewhere")
        start = start + width
    ax.bar_label(bars, [f"{share:.2g} %" for share in start], padding=3, fontsize="small")
    ax.invert_yaxis()
    ax.set(xlabel="share of the error budget (%)", xlim=(0, 1.2 * start.max()), axisbelow=True)
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    return ax


def plot_steps(results: xr.Dataset, *, most: int = 10, ax: Axes | None = None) -> Axes:
    """Error budget: the largest ``step_share`` (step), each a part of the program and a source of noise."""
    ax = new_axes() if ax is None else ax
    shown = results.isel(step=slice(most))
    ax.barh([str(step) for step in shown["step"].values], 100 * shown["step_share"].values, color=COLORS[0])
    ax.tick_params(axis="y", labelsize="small")
    ax.invert_yaxis()
    ax.set(xlabel="share of malignant faults (%)", axisbelow=True)
    return ax
