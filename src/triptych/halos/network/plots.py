"""Figures of networks.

In: the table of a scan, the log of a training, traverses, or the table of :func:`judge`. Out: matplotlib axes and figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from triptych.halos.network.latents import ACTIVE
from triptych.halos.network.scan import by_beta, by_latents, recommendation
from triptych.halos.plots import plot_degrees
from triptych.information.plots import plot_table
from triptych.plotting import COLORS, band, figure, new_axes, style

UNBIASED = 0.02  # dex, the largest mean residual in a bin that counts as none

_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def plot_rms(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Rms of the predicted profiles against the number of latents: every seed and the median, from :func:`scan`."""
    ax = new_axes() if ax is None else ax
    rows = by_latents(results)
    for color, name, label in ((COLORS[0], "rms", "against measured profiles"), (COLORS[1], "rms_true", "against true profiles")):
        if rows[name].isnull().all():
            continue
        ax.plot(rows["latents"], rows[name], "o", ms=3, color=color, alpha=0.6, mew=0, zorder=3)
        ax.plot(rows["latents"], rows[name].median("member"), "o-", ms=6, mfc="white", color=color, label=label)
    ax.axvline(recommendation(results).latents, color="black", lw=0.8, ls="--", label="recommended")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="latents", ylabel="rms [dex]")
    ax.set_title(rf"accuracy, $\beta$ = {results.attrs['beta']:g}")
    ax.legend()
    return ax


def plot_kl(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """KL of each latent against beta, the largest first: the median over seeds and all of them, from :func:`scan`."""
    ax = new_axes() if ax is None else ax
    rows = by_beta(results)
    floor = ACTIVE / 20  # unused latents lie many decades below
    number = int(rows["latents"].max())
    for latent in range(number):
        color = COLORS[latent % len(COLORS)]
        kl = rows["kl"].isel(latent=latent).clip(min=floor)
        band(ax, rows["beta"], kl.min("member"), kl.max("member"), color=color)
        ax.plot(rows["beta"], kl.median("member"), "o-", ms=4, color=color, label=_ordinal(latent + 1))
    ax.axhline(ACTIVE, color="black", lw=0.8, ls="--", label="active above")
    ax.set(yscale="log", ylim=(floor, 12.0 * max(float(rows["kl"].max()), ACTIVE)), ylabel="KL of a latent [nats]")
    ax.yaxis.set_major_formatter(_PLAIN)
    _beta_axis(ax, results)
    ax.set_title(f"{number} latents by their KL; bands: all seeds")
    ax.legend(loc="upper right", ncols=3)
    return ax


def plot_active(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Active latents, and on the right the largest mutual information of two of them, against beta, from :func:`scan`."""
    ax = new_axes() if ax is None else ax
    rows = by_beta(results)
    right = ax.twinx()
    shown = ((ax, "active", COLORS[0], "o", -1), (right, "pair_mi", COLORS[1], "s", 1))
    for side, name, color, marker, place in shown:
        beside = rows["beta"] * 1.03**place  # so that the two do not hide each other
        side.plot(beside, rows[name], marker, ms=3, color=color, alpha=0.6, mew=0, zorder=3)
        side.plot(beside, rows[name].median("member"), f"{marker}-", ms=6, mfc="white", color=color)
        side.tick_params(axis="y", colors=color)
    number = int(rows["latents"].max())
    ax.set_ylim(0, number + 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("active latents", color=COLORS[0])
    finite = rows["pair_mi"].where(np.isfinite(rows["pair_mi"]), 0.0)
    right.set_ylim(0, max(0.2, 1.1 * float(finite.max())))
    right.set_ylabel("largest MI of two of them [nats]", color=COLORS[1])
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    _beta_axis(ax, results)
    ax.set_title(f"active among {number} latents; small: each seed")
    return ax


@style()
def scan_figure(results: xr.Dataset) -> Figure:
    """Accuracy, KL and active latents of a scan, beside the linear count of degrees of freedom."""
    made, axes = figure(2, 2, width=10.0, height=7.2)
    plot_rms(results, ax=axes[0, 0])
    plot_kl(results, ax=axes[0, 1])
    plot_active(results, ax=axes[1, 0])
    plot_degrees(results["degrees"].to_numpy(), ax=axes[1, 1]).set_title(f"linear algebra alone; noise: {results.attrs['noise']}")
    count = recommendation(results).latents
    made.suptitle(
        _title(
            results.attrs["source"],
            f"{results.attrs['kind']} profiles: {count} {'latent' if count == 1 else 'latents'} recommended",
        )
    )
    return made


def plot_traverse(results: xr.Dataset, *, latent: int = 0, change: bool = False, ax: Axes | None = None) -> Axes:
    """Profiles where one latent takes several values and the others are 0.

    Parameters
    ----------
    results : `log_density` (latent, value, bin), log10(rho/rho_m); `value` (value); `r` (bin), comoving kpc/h; `latent` (latent),
        their numbers, the first 0.
    latent : place in `results`.
    change : show the difference to where this latent is 0 as well, which must be among the values.
    """
    ax = new_axes() if ax is None else ax
    curves, values = results["log_density"].isel(latent=latent).to_numpy(), results["value"].to_numpy()
    if change:
        curves = curves - curves[np.argmin(np.abs(values))]
    reach = max(float(np.abs(values).max()), 1e-9)
    for value, curve in zip(values, curves, strict=True):
        color = colormaps["coolwarm"](0.5 + 0.5 * value / reach) if abs(value) > 0 else "black"
        ax.semilogx(results["r"], curve, color=color, label=f"{value:+.3g}" if value else "0")
    _radius_axis(ax)
    density = r"\log_{10}(\rho/\rho_{\mathrm{m}})"
    ax.set_ylabel(rf"change of ${density}$" if change else f"${density}$")
    return ax


@style()
def traverse_figure(results: xr.Dataset) -> Figure:
    """What each latent does to a profile: a column for each, the change below; `results` as in :func:`plot_traverse`."""
    number = results.sizes["latent"]
    made, axes = figure(2, number, width=1.2 + 2.9 * number, height=5.4, sharex=True, sharey="row")
    for place in range(number):
        plot_traverse(results, latent=place, ax=axes[0, place]).set_title(f"latent {int(results['latent'][place]) + 1}")
        plot_traverse(results, latent=place, change=True, ax=axes[1, place])
    for ax in axes.flat:
        ax.label_outer()
    axes[0, -1].legend(title="value", loc="upper right")
    made.suptitle(_title(results.attrs["source"], "profiles where one latent changes and the others are 0"))
    return made


def plot_training(history: Iterable[Mapping[str, Any]], metric: str, *, name: str = "training", ax: Axes | None = None) -> Axes:
    """One metric of a training against the step: "rms", "loss", "beta", or "kl" for those of all latents, the largest first.

    Where the validation halos were judged by it, a thin line for each seed.

    Parameters
    ----------
    history : the records of ``metrics.jsonl``, as :meth:`triptych.runs.Run.history` gives them.
    metric : which one.
    name : of the training in the run.
    """
    ax = new_axes() if ax is None else ax
    records = list(history)
    lines = [record for record in records if record.get("training") == name]
    steps = [record["step"] for record in lines]
    shown = [metric] if metric != "kl" else [key for key in (lines[0] if lines else {}) if key.startswith("kl_")]
    for place, key in enumerate(shown):
        label = _ordinal(int(key[3:])) if metric == "kl" else "training, mean over seeds"
        ax.plot(steps, [record[key] for record in lines], color=COLORS[place % len(COLORS)], label=label)
    for member, (step, values) in enumerate(_validated(records, metric, name)):
        ax.plot(step, values, color=COLORS[1], lw=0.7, alpha=0.7, label="validation, each seed" if member == 0 else None)
    ax.set_xlabel("step")
    return ax


@style()
def training_figure(history: Iterable[Mapping[str, Any]], *, name: str = "training", source: str = "") -> Figure:
    """Accuracy, loss, beta and the KL of the latents in the course of a training.

    `history` and `name` as in :func:`plot_training`; `source` is that of the data set.
    """
    records = list(history)
    made, axes = figure(2, 2, width=10.0, height=6.0, sharex=True)
    for ax, metric, label in zip(
        axes.flat, ("rms", "loss", "beta", "kl"), ("rms [dex]", "loss", r"$\beta$", "KL [nats]"), strict=True
    ):
        plot_training(records, metric, name=name, ax=ax).set_ylabel(label)
    for ax in axes[0]:
        ax.set(yscale="log", xlabel="")
        ax.yaxis.set_major_locator(MaxNLocator(6))
        ax.yaxis.set_major_formatter(_PLAIN)
        ax.yaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].legend()
    axes[1, 1].legend(title="latent", ncols=2)
    made.suptitle(_title(source, "training"))
    return made


def plot_information(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Mutual information of each latent with each quantity, as a heat map with numbers: the median over networks.

    `results` is the table of :func:`judge`. A network in which a latent is not active does not count for it; latents that are
    active in none, and quantities that are not known, are left out.
    """
    known = results["mi"].notnull()
    some = results["mi"].isel(
        latent=np.flatnonzero(known.any(["network", "quantity"])), quantity=np.flatnonzero(known.any(["network", "latent"]))
    )
    names = [f"latent {latent + 1}" for latent in np.flatnonzero(known.any(["network", "quantity"]))]
    quantities = [str(quantity).replace("_", " ") for quantity in some["quantity"].to_numpy()]
    value = some.median("network").transpose("latent", "quantity").to_numpy()
    if not value.size:
        ax = new_axes() if ax is None else ax
        ax.text(0.5, 0.5, "no active latent", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    number = results.sizes["network"]
    table = xr.Dataset(
        {"value": (("x", "y"), value), "reliable": (("x", "y"), np.ones_like(value, bool))},
        coords={"x": names, "y": quantities},
        attrs={"unit": "nats"},
    )
    table["value"].attrs["long_name"] = "mutual information" + (f", median over {number} networks" if number > 1 else "")
    return plot_table(table, ax=ax)


def plot_bias(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Mean and 90 % band of the residuals in each bin, predicted minus measured; a line for each network.

    `results` is the table of :func:`judge`; the band is that of its first network.
    """
    ax = new_axes() if ax is None else ax
    first = results.isel(network=0)
    band(ax, results["r"], first["lower"], first["upper"], color=COLORS[0], label="90 % of the halos")
    for network in range(results.sizes["network"]):
        label = "mean, each network" if network == 0 else None
        ax.semilogx(results["r"], results["bias"].isel(network=network), "o-", ms=3, lw=0.8, color=COLORS[0], label=label)
    for sign in (-1, 1):
        label = f"{UNBIASED:g} dex" if sign > 0 else None
        ax.axhline(sign * UNBIASED, color="black", lw=0.8, ls="--", label=label)
    _radius_axis(ax)
    ax.set_ylabel(r"$\log_{10}$(predicted / measured density) [dex]")
    ax.legend()
    return ax


@style()
def latents_figure(results: xr.Dataset) -> Figure:
    """What the latents tell of the halos, and how well they give profiles; `results` is the table of :func:`judge`."""
    shown = int(results["mi"].notnull().any(["network", "quantity"]).sum())
    quantities = results.sizes["quantity"]
    made, axes = figure(
        1, 2, width=7.0 + 0.65 * quantities, height=3.0 + 0.45 * shown, width_ratios=(1.5 + 0.55 * quantities, 5.0)
    )
    plot_information(results, ax=axes[0, 0])
    plot_bias(results, ax=axes[0, 1]).set_title("residuals of the predicted profiles", loc="left")
    made.suptitle(_title(results.attrs["source"], "what the latents tell"))
    return made


def _beta_axis(ax: Axes, results: xr.Dataset) -> None:
    ax.axvline(results.attrs["beta"], color="black", lw=0.8, ls=":")
    ax.set(xscale="log", xlabel=r"$\beta$, the price of a nat (dotted: of the configuration)")
    betas = by_beta(results)["beta"].to_numpy()
    ax.set_xticks(betas[betas > 0], [f"{beta:g}" for beta in betas[betas > 0]])
    ax.xaxis.set_minor_formatter(NullFormatter())


def _radius_axis(ax: Axes) -> None:
    ax.set_xlabel("r [comoving kpc/h]")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(_PLAIN)
    ax.xaxis.set_minor_formatter(NullFormatter())


def _ordinal(place: int) -> str:
    return {1: "1st", 2: "2nd", 3: "3rd"}.get(place, f"{place}th")


def _title(source: str, words: str) -> str:
    return f"mock universe: {words}" if source == "mock" else words


def _validated(records: list[Mapping[str, Any]], metric: str, name: str) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each seed the steps and values of a metric on validation halos.

    An epoch is validated just before the line of its last step is written; after an interrupt perhaps once more, with the same
    values.
    """
    found: dict[int, dict[int, tuple[float, float]]] = {}
    waiting: list[Mapping[str, Any]] = []
    for record in records:
        if record.get("validation") == name and isinstance(record.get(metric), float):
            waiting.append(record)
        elif record.get("training") == name:
            for one in waiting:
                found.setdefault(one["member"], {}).setdefault(one["epoch"], (record["step"], one[metric]))
            waiting = []
    points = [np.array([epochs[epoch] for epoch in sorted(epochs)]) for _, epochs in sorted(found.items())]
    return [(some[:, 0], some[:, 1]) for some in points]
