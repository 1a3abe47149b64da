"""Figures of a data set.

In: a data set and what its inspection found. Out: matplotlib axes, and one page of figures.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray
from scipy.stats import poisson

from triptych.halos.dataset.inspect import Inspection
from triptych.halos.dataset.store import DataSet
from triptych.halos.structure.einasto import einasto_density
from triptych.halos.structure.nfw import nfw_density
from triptych.plotting import COLORS, band, figure, new_axes, style


def plot_mass_function(found: Inspection, *, ax: Axes | None = None) -> Axes:
    """Halos in bins of mass, beside Tinker et al. (2008) with the 68 % band of counting."""
    ax = new_axes() if ax is None else ax
    middle = 10 ** ((found.log_mass[1:] + found.log_mass[:-1]) / 2)
    lower, upper = np.asarray(poisson.interval(0.68, found.expected))
    floor = 0.3  # on a logarithmic axis the band ends above zero
    band(ax, middle, np.maximum(lower, floor), np.maximum(upper, floor), color=COLORS[5], label="Tinker et al. (2008), 68 %")
    filled = found.counts > 0
    ax.loglog(middle[filled], found.counts[filled], "o", ms=4, color=COLORS[0], label=f"{found.counts.sum()} halos")
    ax.set_xlabel(r"$M_{200\mathrm{m}}$ [$M_\odot/h$]")
    ax.set_ylabel("halos in the bin")
    ax.set_ylim(max(floor, min(found.counts.min(), lower.min()) / 8), 8 * max(found.counts.max(), upper.max()))
    ax.legend(loc="upper right")
    return ax


def plot_slice(data: DataSet, row: int, level: int, *, ax: Axes | None = None) -> Axes:
    """log10(1 + rho/rho_m) in the middle layer of voxels of one box, with r200m."""
    ax = new_axes() if ax is None else ax
    half = data.box.sides[level] / 2
    box = data.read([row])[0, level]
    image = ax.imshow(box[:, :, data.box.n // 2].T.astype(np.float32), origin="lower", extent=(-half, half, -half, half))
    angle = np.linspace(0.0, 2 * np.pi, 200)
    radius = float(data.table["radius"][row])
    ax.plot(radius * np.cos(angle), radius * np.sin(angle), color="white", lw=0.8, ls="--")
    ax.set(xlim=(-half, half), ylim=(-half, half), xlabel="x [kpc/h]", ylabel="y [kpc/h]")
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label=r"$\log_{10}(1+\rho/\rho_{\mathrm{m}})$")
    return ax


def name_of(data: DataSet, row: int) -> str:
    """The halo in a row: its simulation and its number there."""
    halo = data.table.isel(halo=row)
    return f"{data.attributes.simulations[int(halo['simulation'])].name}/{int(halo['id'])}"


def plot_profiles(data: DataSet, rows: NDArray[np.intp], *, ax: Axes | None = None) -> Axes:
    """Profiles of some halos with Poisson errors, and their NFW (line) and Einasto (dotted) fits."""
    ax = new_axes() if ax is None else ax
    table, mean = data.table.isel(halo=rows), data.attributes.cosmology.mean_density
    for place in range(len(rows)):
        one, color = table.isel(halo=place), COLORS[place % len(COLORS)]
        filled = one["filled"].to_numpy()
        r, counts = one["r"].to_numpy()[filled], one["counts"].to_numpy()[filled]
        error = np.minimum(1.0 / np.sqrt(counts), 0.9)
        y = 10 ** one["log_density"].to_numpy()[filled]
        ax.errorbar(r, y, yerr=error * y, fmt="o", ms=3, color=color, elinewidth=0.8, label=name_of(data, int(rows[place])))
        fine = np.geomspace(float(one["r_edge"][0]), float(one["r_edge"][-1]), 100)
        fits = {"-": nfw_density(fine, float(one["rs"]), float(one["rho_s"]))}
        einasto = (float(one[f"einasto_{name}"]) for name in ("rs", "rho_s", "alpha"))
        fits[":"] = einasto_density(fine, *einasto)
        for dashes, density in fits.items():
            ax.plot(fine, density / mean, dashes, color=color, lw=1.0)
    ax.set(xscale="log", yscale="log", xlabel="r [comoving kpc/h]", ylabel=r"$\rho\,/\,\rho_{\mathrm{m}}$")
    ax.legend()
    return ax


def plot_histories(data: DataSet, rows: NDArray[np.intp], *, ax: Axes | None = None) -> Axes:
    """M(z) / M(last output) of some halos, and the median and 68 % band of all."""
    ax = new_axes() if ax is None else ax
    if "history/mass" not in data.table:
        ax.text(0.5, 0.5, "no histories", ha="center", va="center", transform=ax.transAxes)
        return ax
    a = data.table["history/scale_factor"].to_numpy()
    share = (data.table["history/mass"] / data.table["history/mass"].isel(output=-1)).to_numpy()
    known = np.isfinite(share).any(axis=0)
    lower, median, upper = np.nanquantile(share[:, known], [0.16, 0.5, 0.84], axis=0)
    band(ax, a[known], lower, upper, color=COLORS[5], label="68 % of the halos")
    ax.loglog(a[known], median, color=COLORS[5], label="median")
    for place, row in enumerate(rows):
        ax.loglog(a, share[row], color=COLORS[place % len(COLORS)], lw=0.8)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="scale factor", ylabel=r"$M_{200\mathrm{m}}(a)\,/\,M_{200\mathrm{m}}(\mathrm{last})$")
    ax.legend()
    return ax


@style()
def dataset_figure(data: DataSet, found: Inspection, *, shown: int, rng: np.random.Generator) -> Figure:
    """One page: the mass function, profiles and histories above, slices of boxes below, a row for each level."""
    halos = data.table.sizes["halo"]
    rows = np.sort(rng.choice(halos, size=min(shown, halos), replace=False))
    columns = max(len(rows), 3)
    made, axes = figure(1 + data.box.levels, columns, width=3.6 * columns, height=3.2 * (1 + data.box.levels))
    plot_mass_function(found, ax=axes[0, 0])
    plot_profiles(data, rows, ax=axes[0, 1])
    plot_histories(data, rows, ax=axes[0, 2])
    for level in range(data.box.levels):
        for place, row in enumerate(rows):
            plot_slice(data, int(row), level, ax=axes[1 + level, place]).set_title(name_of(data, int(row)))
    for empty in (*axes[0, 3:], *axes[1:, len(rows) :].flat):
        empty.set_axis_off()
    names = ", ".join(one.name for one in data.attributes.simulations)
    mock = "mock universe, " if data.attributes.source == "mock" else ""
    made.suptitle(f"{mock}{data.attributes.kind} data set: {halos} halos of {names}")
    return made
