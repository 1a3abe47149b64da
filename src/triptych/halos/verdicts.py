"""What measured halos say of the paper's claims.

In: the table of halos with the catalogue of their groups, or a cosmology. Out: verdicts on the claims of luciesmith2023 that
they decide; where they do not hold what a claim is about, none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from triptych.halos.cosmology import GYR_IN_S, HALO_OVERDENSITY, MPC_IN_KM, SOLAR_GM, Cosmology
from triptych.halos.dataset.selection import Cuts
from triptych.halos.mass_function import Power, tinker08
from triptych.halos.simulation.catalogue import Catalogue
from triptych.halos.structure.nfw import nfw_shells
from triptych.runs import Verdict

PAPER = "luciesmith2023"
EQ1 = f"{PAPER}/eq1-nfw"
#: 5 %, as "~5 % accuracy, comparable to the accuracy of NFW fits" in the Letter: its Fig. S.1 shows the mean log10 residual of
#: many halos in each radial bin. That is a standard for the average halo, not for a single one.
ACCURACY = 0.02
#: Each has to pass: over all radii at once the fit of a wrong shape also has a median near 0, that of an r^-2 sphere for one.
RANGES = ("inner", "middle", "outer")
LEAST_PARTICLES = 1000  # in each halo: the 15 shells inside r200m then have counting errors of some 10 %
#: The shells of the sample's halos scatter by 0.06 dex; even if those of one halo moved together, the median of 20 halos would be
#: known to 1.25 x 0.06 / sqrt(20) = 0.017 dex, better than ACCURACY.
LEAST_HALOS = 20
LEAST_FITTED = 0.9  # share of the halos with a fit at all; with fewer, NFW does not describe them
REJECTED = 0.01  # p-value below which chi-squared rejects a fit
ROUGH = 1.5  # median deviance/dof of 20 halos that counting errors alone (1.0 +- 0.1) do not reach


#: "Within 1 %": as well as masses from particles agree with SUBFIND's.
SAME_MASS = 0.01
LETTER_TIME, ABOUT = 5.0, 0.1  # Gyr; "about 5 Gyr" is within this share
#: The median residual beyond r200m is so many times that inside, where it is the fits', where profiles deviate strongly.
STRONGLY = 2.0
LETTER_VOLUME, LETTER_HALOS = 3.0 * 50_000.0**3, {"virial": 17_000, "infall": 13_000}  # training halos in three boxes, (kpc/h)^3
LETTER_UNIVERSE, SAME_UNIVERSE = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774), 0.01
LETTER_CUTS = {"virial": Cuts(), "infall": Cuts(largest_radius=150.0)}
#: Mass functions fitted to simulations differ by 10 % (finders, mass definitions), and the Letter's counts are rounded. Chosen
#: with the numbers at hand.
SAME_NUMBER = 0.15
_NEWTON = SOLAR_GM / (MPC_IN_KM / 1e3)  # G in kpc (km/s)^2 / Msun
_GYR = MPC_IN_KM / 1e3 / GYR_IN_S  # kpc / (km/s) in Gyr


def halo_verdicts(halos: xr.Dataset, groups: Catalogue) -> list[Verdict]:
    """All that the table of :func:`triptych.halos.measure` decides, given the catalogue of the same output."""
    if halos.attrs["mass_definition"] != "200m":
        return []
    return [*profile_verdicts(halos), *_virial_radius(halos, groups), *_dynamical_time(halos), *_outskirts(halos)]


def _virial_radius(halos: xr.Dataset, groups: Catalogue) -> list[Verdict]:
    """Is r200m where the mean enclosed density is 200 times the mean: counted here, and by SUBFIND."""
    theirs = groups.m200m[halos["id"].to_numpy()]
    if not (theirs > 0).any():
        return []
    mass, radius = halos["mass"].to_numpy(), halos["halo_radius"].to_numpy()
    density = mass / (4.0 / 3.0 * np.pi * radius**3) / halos.attrs["mean_density"]
    apart = np.abs(mass / theirs - 1.0)[theirs > 0]
    right = np.allclose(density, HALO_OVERDENSITY, rtol=1e-6) and apart.max() < SAME_MASS
    return [
        Verdict(
            id=f"{PAPER}/background-r200m",
            verdict="holds" if right else "does not hold",
            our_value=f"{density.min():.1f} to {density.max():.1f} times the mean density inside r200m; M200m of "
            f"{len(apart)} halos within {apart.max():.1g} of SUBFIND's (holds if within {SAME_MASS:g})",
        )
    ]


def _dynamical_time(halos: xr.Dataset) -> list[Verdict]:
    """2 r / v with v^2 = G M / r of each halo; masses in Msun/h and lengths in kpc/h leave 1/h in the time."""
    if abs(halos.attrs["redshift"]) > 1e-3:
        return []
    radius = halos["halo_radius"].to_numpy()
    crossing = 2.0 * radius**1.5 / np.sqrt(_NEWTON * halos["mass"].to_numpy()) * _GYR / halos.attrs["hubble"]
    return [
        Verdict(
            id=f"{PAPER}/results-dynamical-time",
            verdict="holds" if np.abs(crossing / LETTER_TIME - 1.0).max() < ABOUT else "does not hold",
            our_value=f"2 r200m / v200m = {crossing.min():.2f} to {crossing.max():.2f} Gyr at z = 0 in {len(crossing)} halos of "
            f"{halos['mass'].min().item():.1e} to {halos['mass'].max().item():.1e} Msun/h",
        )
    ]


def _outskirts(halos: xr.Dataset) -> list[Verdict]:
    """Do halos deviate more from the continuation of their fits than they do from the fits themselves?"""
    large = halos.isel(halo=np.flatnonzero((halos["particles"] >= LEAST_PARTICLES) & (halos["problem"] == "")))
    edges = large["r_edge"].to_numpy() / large["halo_radius"].to_numpy()[:, None]
    if large.sizes["halo"] < LEAST_HALOS or not np.allclose(edges[:, -1], 2.0, rtol=1e-6):
        return []
    rows = zip(large["r_edge"].to_numpy(), large["rs"].to_numpy(), large["rho_s"].to_numpy(), strict=True)
    ratio = large["density"].to_numpy() / np.array([nfw_shells(row, rs, rho_s) for row, rs, rho_s in rows])
    with np.errstate(divide="ignore"):  # an empty shell is infinitely far off, which a median takes as it is
        residual = np.abs(np.log10(ratio))
    inside, beyond = np.median(residual[edges[:, 1:] <= 1.0 + 1e-9]), np.median(residual[edges[:, :-1] >= 1.0])
    return [
        Verdict(
            id=f"{PAPER}/background-outskirts-not-nfw",
            verdict="holds" if beyond > STRONGLY * inside else "does not hold",
            our_value=f"|log10(rho/rho_NFW)|, median over shells and {large.sizes['halo']} halos: {inside:.3f} inside r200m, "
            f"{beyond:.3f} from there to 2 r200m (holds if {STRONGLY:g} times as much)",
            note="of single halos; the NFW profile is fitted inside r200m and continued.",
        )
    ]


def number_verdicts(cosmology: Cosmology, power: Power) -> list[Verdict]:
    """Do the Letter's cuts, in Msun, leave as many halos in its three training boxes as it says? By Tinker et al. (2008).

    Another universe than that of Planck decides nothing.
    """
    apart = (
        abs(getattr(cosmology, name) - getattr(LETTER_UNIVERSE, name)) for name in ("omega_matter", "omega_lambda", "hubble")
    )
    if max(apart) > SAME_UNIVERSE:
        return []
    found = {kind: _expected(cuts.mass_range(cosmology), cosmology, power) for kind, cuts in LETTER_CUTS.items()}
    without_h = Cosmology(omega_matter=cosmology.omega_matter, omega_lambda=cosmology.omega_lambda, hubble=1.0)
    wrong = {kind: _expected(cuts.mass_range(without_h), cosmology, power) for kind, cuts in LETTER_CUTS.items()}
    agree = all(abs(found[kind] / number - 1.0) < SAME_NUMBER for kind, number in LETTER_HALOS.items())
    numbers, others = (f"{some['virial']:,.0f} ({some['infall']:,.0f})" for some in (found, wrong))
    return [
        Verdict(
            id=f"{PAPER}/methods-mass-range",
            verdict="holds" if agree else "does not hold",
            our_value=f"these cuts leave {numbers} halos in three boxes of (50 Mpc/h)^3, by Tinker et al. (2008); the Letter has "
            f"about {LETTER_HALOS['virial']:,} ({LETTER_HALOS['infall']:,}) (holds if both within {SAME_NUMBER:.0%})",
            note=f"were the limits in Msun/h, it would be {others}.",
        )
    ]


def _expected(limits: Sequence[float], cosmology: Cosmology, power: Power) -> float:
    log_mass = np.linspace(np.log(limits[0]), np.log(limits[1]), 400)
    return float(LETTER_VOLUME * np.trapezoid(tinker08(np.exp(log_mass), cosmology=cosmology, power=power), log_mass))


def profile_verdicts(halos: xr.Dataset) -> list[Verdict]:
    """Does NFW describe the average halo inside r200m? From the residuals log10(rho / rho_NFW) of the halos' own fits.

    Holds if the median residual is within :data:`ACCURACY` in the inner, middle and outer third of each halo's shells inside
    r200m; empty shells are left out. Fewer than :data:`LEAST_HALOS` halos, or another mass definition, give no verdict.
    """
    large = halos.isel(halo=np.flatnonzero(halos["particles"] >= LEAST_PARTICLES))
    if halos.attrs["mass_definition"] != "200m" or large.sizes["halo"] < LEAST_HALOS:
        return []
    fitted = large.isel(halo=np.flatnonzero(large["problem"] == ""))
    number = f"{fitted.sizes['halo']} of {large.sizes['halo']} halos"
    if fitted.sizes["halo"] < LEAST_FITTED * large.sizes["halo"]:
        return [Verdict(id=EQ1, verdict="does not hold", our_value=f"only {number} have an NFW fit at all")]
    thirds = [_residuals(fitted.isel(halo=row)) for row in range(fitted.sizes["halo"])]
    medians = [float(np.median(np.concatenate(third))) for third in zip(*thirds, strict=True)]
    reduced = float((fitted["deviance"] / fitted["dof"]).median())
    rejected = float(np.mean(stats.chi2.sf(fitted["deviance"], fitted["dof"]) < REJECTED))
    found = ", ".join(f"{median:+.3f} {name}" for median, name in zip(medians, RANGES, strict=True))
    return [
        Verdict(
            id=EQ1,
            verdict="holds" if max(map(abs, medians)) < ACCURACY else "does not hold",
            our_value=f"median log10(rho/rho_NFW) {found} third inside r200m (holds if all within {ACCURACY}, 5 %); "
            f"median deviance/dof {reduced:.1f}; {number} fitted",
            note="for the average halo, as the Letter's own accuracy is meant; single halos are "
            + ("no" if reduced > ROUGH else "not told from")
            + f" smooth NFW spheres: chi-squared rejects {rejected:.0%} of their fits at p < {REJECTED}",
        )
    ]


def _residuals(halo: xr.Dataset) -> list[NDArray[np.float64]]:
    """log10(rho / rho_NFW) of one halo in the inner, middle and outer third of its shells inside r200m."""
    edges = halo["r_edge"].to_numpy()
    within = np.flatnonzero(edges[1:] <= float(halo["halo_radius"]) * (1 + 1e-9))
    ratio = halo["density"].to_numpy() / nfw_shells(edges, float(halo["rs"]), float(halo["rho_s"]))
    return [np.log10(ratio[third][ratio[third] > 0]) for third in np.array_split(within, len(RANGES))]
