"""Figures of the halos panel.

In: the table of :func:`triptych.halos.measure`, histories, or the tour's results. Out: matplotlib axes and figures.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from triptych.halos.cosmology import Cosmology
from triptych.halos.structure.nfw import nfw_density
from triptych.plotting import COLORS, band, figure, new_axes, style

_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def plot_profiles(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """(r / radius)^2 density over the mean density against r / radius of the halo, one thin line per halo, empty shells left out.

    `results` is the table of :func:`triptych.halos.measure`.
    """
    ax = new_axes() if ax is None else ax
    x = results["r"] / results["halo_radius"]
    density = (x**2 * results["density"] / results.attrs["mean_density"]).where(results["filled"])
    for row in range(results.sizes["halo"]):
        label = f"{results.sizes['halo']} halos" if row == 0 else None
        ax.loglog(x[row], density[row], color=COLORS[5], lw=0.6, alpha=0.35, label=label)
    _radius_axis(ax, results.attrs["mass_definition"])
    _density_axis(ax, results.attrs["mass_definition"])
    return ax


def plot_concentrations(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Concentration against mass with one standard deviation; hollow where the scale radius is extrapolated."""
    ax = new_axes() if ax is None else ax
    for resolved, face, label in ((True, COLORS[0], "NFW fit"), (False, "white", r"$r_{\mathrm{s}}$ below the innermost shell")):
        rows = np.flatnonzero((results["resolved"] == resolved) & np.isfinite(results["concentration"]))
        if len(rows):
            some = results.isel(halo=rows)
            c, error = some["concentration"].to_numpy(), some["concentration_error"].to_numpy()
            lower = np.minimum(error, 0.9 * c)  # on a logarithmic axis the bar ends above zero
            ax.errorbar(
                some["mass"], c, yerr=(lower, error), fmt="o", ms=4, mfc=face, color=COLORS[0], elinewidth=0.8, label=label
            )
    ax.set(xscale="log", yscale="log")
    ax.yaxis.set_major_formatter(_PLAIN)
    definition = results.attrs["mass_definition"]
    ax.set_xlabel(rf"$M_{{\mathrm{{{definition}}}}}$ [$M_\odot/h$]")
    ax.set_ylabel(rf"concentration $r_{{\mathrm{{{definition}}}}}/r_{{\mathrm{{s}}}}$")
    ax.legend()
    return ax


def plot_stack(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The stacked profile with its 68 % bootstrap band and the NFW profile fitted inside the halo radius."""
    ax = new_axes() if ax is None else ax
    x = results["stack_x"].to_numpy()
    scale = x**2 / results.attrs["mean_density"]
    band(ax, x, scale * results["stack_lower"], scale * results["stack_upper"], color=COLORS[1])
    ax.loglog(x, scale * results["stack_density"], "o", ms=3.5, color=COLORS[1], label="stack, 68 % bootstrap band")
    rs, rho_s = results["stack_rs"].item(), results["stack_rho_s"].item()
    for inside, dashes in ((True, "-"), (False, ":")):
        fine = np.geomspace(x[0], 1.0, 100) if inside else np.geomspace(1.0, x[-1], 50)
        label = rf"NFW fit to the stack, $c={1 / rs:.1f}$" if inside else "its continuation"
        fitted = fine**2 * nfw_density(fine, rs, rho_s) / results.attrs["mean_density"]
        ax.loglog(fine, fitted, dashes, color=COLORS[0], label=label)
    _radius_axis(ax, results.attrs["mass_definition"])
    _density_axis(ax, results.attrs["mass_definition"])
    ax.legend(loc="lower left")
    return ax


def plot_residuals(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Median and 68 % band over halos of log10(measured density / own NFW fit) against r / radius, and the Poisson noise."""
    ax = new_axes() if ax is None else ax
    x = results["stack_x"].to_numpy()
    lower, median, upper = results["residual_quantiles"].to_numpy()
    band(ax, x, lower, upper, color=COLORS[2], label="68 % of the halos")
    ax.semilogx(x, median, "o-", ms=3.5, color=COLORS[2], label="median halo")
    for sign in (-1, 1):
        label = "Poisson noise of the median halo" if sign > 0 else None
        ax.semilogx(x, sign * results["residual_noise"], ":", color=COLORS[5], label=label)
    ax.axhline(0.0, color="black", lw=0.8)
    _radius_axis(ax, results.attrs["mass_definition"])
    ax.set_ylabel(r"$\log_{10}\,(\rho\,/\,\rho_{\mathrm{NFW}})$")
    ax.legend(loc="upper left")
    return ax


def plot_histories(
    results: xr.Dataset, quantity: Literal["relative_mass", "gamma"] = "relative_mass", *, ax: Axes | None = None
) -> Axes:
    """Mass over the last mass, or accretion rate, against lookback time: a thin line per halo, their median and 68 % band.

    `results` is the table of ``triptych halos histories``. One dynamical time before the last output is marked.
    """
    ax = new_axes() if ax is None else ax
    values = results[quantity].to_numpy()
    lookback = (results["age"][-1] - results["age"]).to_numpy()
    for row in range(len(values)):
        ax.plot(lookback, values[row], color=COLORS[5], lw=0.6, alpha=0.25, label=f"{len(values)} halos" if row == 0 else None)
    some = np.isfinite(values).any(axis=0)
    if some.any():
        lower, median, upper = np.nanquantile(values[:, some], (0.16, 0.5, 0.84), axis=0)
        band(ax, lookback[some], lower, upper, color=COLORS[0], label="68 % of them")
        ax.plot(lookback[some], median, color=COLORS[0], label="median")
    cosmology = Cosmology(**{name: results.attrs[name] for name in ("omega_matter", "omega_lambda", "hubble")})
    crossing = cosmology.dynamical_time(results["redshift"][-1].item()).item()
    ax.axvline(crossing, color="black", lw=0.8, ls="--", label="one dynamical time")
    mass = rf"M_{{\mathrm{{{results.attrs['mass_definition']}}}}}"
    if quantity == "relative_mass":
        ax.set(yscale="log", ylabel=rf"${mass}\,/\,{mass}(\mathrm{{last}})$")
        ax.yaxis.set_major_formatter(_PLAIN)
    else:
        ax.axhline(0.0, color="black", lw=0.8)
        ax.set_ylabel(rf"$\Gamma=\Delta\ln {mass}\,/\,\Delta\ln a$ ({results.attrs['gamma_definition']})")
        if some.any():  # single halos of few particles may leap out of the frame
            least, most = np.nanquantile(values, (0.01, 0.99))
            ax.set_ylim(least - 0.5, most + 0.5)
    ax.invert_xaxis()
    ax.set_xlabel("lookback time [Gyr]")
    ax.legend()
    return ax


@style()
def history_figure(results: xr.Dataset) -> Figure:
    """Masses and accretion rates side by side."""
    made, axes = figure(1, 2, width=9.6, height=3.8)
    plot_histories(results, ax=axes[0, 0])
    plot_histories(results, "gamma", ax=axes[0, 1])
    return made


@style()
def halo_figure(results: xr.Dataset) -> Figure:
    """Profiles and concentrations side by side."""
    made, axes = figure(1, 2, width=9.6, height=3.8)
    plot_profiles(results, ax=axes[0, 0]).legend(loc="lower left")
    plot_concentrations(results, ax=axes[0, 1])
    return made


def plot_degrees(ratio: NDArray[np.float64], *, ax: Axes | None = None) -> Axes:
    """Variance of all halos over variance of the noise along each degree of freedom, from :func:`degrees_of_freedom`."""
    ax = new_axes() if ax is None else ax
    place = np.arange(1, len(ratio) + 1)
    ax.semilogy(place, ratio, "o-", color=COLORS[0], ms=5)
    ax.axhline(1.0, color="black", lw=0.8, ls="--", label="noise alone")
    ax.set(xlabel="degree of freedom", ylabel="total variance / noise variance")
    ax.set_xticks(place[::2])
    ax.yaxis.set_major_formatter(_PLAIN)
    ax.legend(loc="upper right")
    return ax


@style()
def tour_figure(results: xr.Dataset, degrees: NDArray[np.float64]) -> Figure:
    """Individual and stacked profiles, how far the NFW profile holds, and the degrees of freedom of mock halos."""
    made, axes = figure(1, 3, width=14.4, height=3.9)
    plot_profiles(results, ax=axes[0, 0])
    plot_stack(results, ax=axes[0, 0]).set_title(f"density profiles, GADGET-4, z = {abs(results.attrs['redshift']):.1f}")
    plot_residuals(results, ax=axes[0, 1]).set_title("what an NFW fit to each halo leaves over")
    plot_degrees(degrees, ax=axes[0, 2]).set_title("mock universe: profiles out to 2 r200m")
    return made


def _density_axis(ax: Axes, definition: str) -> None:
    ax.set_ylabel(rf"$(r/r_{{\mathrm{{{definition}}}}})^2\,\rho\,/\,\rho_{{\mathrm{{m}}}}$")


def _radius_axis(ax: Axes, definition: str) -> None:
    ax.axvline(1.0, color="black", lw=0.8, ls="--")
    ax.set_xlabel(rf"$r\,/\,r_{{\mathrm{{{definition}}}}}$")
    ax.xaxis.set_major_formatter(_PLAIN)
