"""From a history to a density profile.

In: masses and histories. Out: concentration, truncation and infall of each halo, hence its true spherical density profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.halos.cosmology import HALO_OVERDENSITY, Cosmology
from triptych.halos.mass_function import Power, peak_height
from triptych.halos.mock import amplitudes as known

#: Radii in units of r200m at which profiles are tabulated: from far inside any softening to the corners of the largest boxes.
_ONE = 384
X = np.concatenate([np.geomspace(1e-3, 1.0, _ONE + 1), np.geomspace(1.0, 8.0, 128)[1:]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What shapes the profile of each halo.

    Attributes
    ----------
    mass, radius : (halo,), M200m in Msun/h and r200m in comoving kpc/h.
    concentration : (halo,), r200m / ``r_-2`` of the orbiting matter.
    truncation : (halo,), ``r_t`` / r200m.
    infall : (halo,), delta_1: density of the infalling matter at r200m over the mean.
    gamma : (halo,), dlnM/dlna over the last dynamical time.
    recent : (halo,), dlnM/dlna over the last :data:`amplitudes.INFALL_INTERVAL` in ln a.
    mean_density : comoving Msun h^2 / kpc^3.
    """

    mass: NDArray[np.float64]
    radius: NDArray[np.float64]
    concentration: NDArray[np.float64]
    truncation: NDArray[np.float64]
    infall: NDArray[np.float64]
    gamma: NDArray[np.float64]
    recent: NDArray[np.float64]
    mean_density: float

    def density(self, x: NDArray[np.float64] = X) -> NDArray[np.float64]:
        """(halo, x) density over the mean at x = r / r200m: orbiting, infalling and mean matter.

        Diemer (2023, arXiv:2205.03420), model A: exp(-2/alpha [(r/r_s)^alpha - 1] - 1/beta [(r/r_t)^beta - (r_s/r_t)^beta]) times
        what makes the mean inside r200m 200 times the mean density of the universe.
        """
        orbiting, other = self._parts(x)
        inside = [enclosed(part)[:, _ONE] for part in self._parts(X)]
        amplitude = (HALO_OVERDENSITY - inside[1]) / inside[0]
        return np.asarray(amplitude[:, None] * orbiting + other)

    def _parts(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scale, cut = 1.0 / self.concentration[:, None], self.truncation[:, None]
        alpha, beta = known.EINASTO_ALPHA, known.TRUNCATION_BETA
        orbiting = np.exp(-2.0 / alpha * ((x / scale) ** alpha - 1.0) - ((x / cut) ** beta - (scale / cut) ** beta) / beta)
        delta, power = self.infall[:, None], 1.0 / known.INFALL_ZETA
        infalling = delta * ((delta / known.INFALL_MAXIMUM) ** power + x ** (known.INFALL_SLOPE * power)) ** -known.INFALL_ZETA
        return orbiting, infalling + 1.0


def enclosed(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """(halo, X) mean density inside x times x^3, from (halo, X) densities: power laws in between, r^-1 inside the first."""
    weighted = np.maximum(density, np.finfo(np.float64).tiny) * X**3  # where nothing orbits any more
    first = weighted[:, :1] / 2.0
    slope = np.diff(np.log(weighted), axis=1) / np.diff(np.log(X))
    steps = np.where(np.abs(slope) > 1e-9, np.diff(weighted, axis=1) / slope, weighted[:, 1:] * np.diff(np.log(X)))
    return 3.0 * np.concatenate([first, first + np.cumsum(steps, axis=1)], axis=1)


def assembly_concentration(
    histories: NDArray[np.float64], scale_factors: NDArray[np.float64], cosmology: Cosmology
) -> NDArray[np.float64]:
    """(halo,) r200m / r_-2 by Ludlow et al. (2013, arXiv:1302.0288): when the main progenitor's mass was that inside r_-2 today,
    the critical density was the mean density inside r_-2 over :data:`amplitudes.LUDLOW_DENSITY`.

    The mass inside r_-2 is that of an NFW profile, as in that work. At those early times M200m and M200c are nearly the same.
    """
    trial = np.geomspace(1.5, 80.0, 200)
    inside = (np.log(2.0) - 0.5) / (np.log1p(trial) - trial / (1.0 + trial))  # M(r_-2) / M200m
    wanted = HALO_OVERDENSITY * cosmology.omega_matter * trial**3 * inside / known.LUDLOW_DENSITY  # E(z_-2)^2
    log_a = np.log(scale_factors)
    passed = np.interp(-wanted, -(cosmology.expansion(1.0 / scale_factors - 1.0) ** 2), log_a)
    log_share = np.log(histories / histories[:, -1:])
    excess = np.array([np.interp(passed, log_a, row) for row in log_share]) - np.log(inside)
    first = np.argmax(excess < 0.0, axis=1).clip(1)  # the core holds less than this from here on
    rows = np.arange(len(histories))
    low, high = excess[rows, first - 1], excess[rows, first]
    step = np.clip(low / np.where(low > high, low - high, 1.0), 0.0, 1.0)
    log_c = np.log(trial)
    return np.asarray(np.exp(log_c[first - 1] + step * (log_c[first] - log_c[first - 1])))


def _accretion(histories: NDArray[np.float64], scale_factors: NDArray[np.float64], *, since: float) -> NDArray[np.float64]:
    """(halo,) Delta ln M / Delta ln a between ln a = `since` and today."""
    log_a = np.log(scale_factors)
    before = np.array([np.interp(since, log_a, row) for row in np.log(histories)])
    return np.asarray((before - np.log(histories[:, -1])) / since)


def draw_structure(
    histories: NDArray[np.float64],
    scale_factors: NDArray[np.float64],
    *,
    cosmology: Cosmology,
    power: Power,
    rng: np.random.Generator,
) -> Structure:
    """Concentration from when the core assembled, truncation and infall from what was accreted lately, and scatter.

    Parameters
    ----------
    histories : (halo, time), Msun/h.
    scale_factors : (time,), increasing to 1.
    """
    mass = histories[:, -1]
    radius = np.cbrt(mass / (4.0 / 3.0 * np.pi * HALO_OVERDENSITY * cosmology.mean_density))
    ages = cosmology.age(1.0 / scale_factors - 1.0)
    crossing = float(np.interp(ages[-1] - cosmology.dynamical_time(0.0), ages, np.log(scale_factors)))
    gamma = _accretion(histories, scale_factors, since=crossing)
    recent = _accretion(histories, scale_factors, since=-known.INFALL_INTERVAL)
    draws = rng.standard_normal((3, len(mass)))
    concentration = assembly_concentration(histories, scale_factors, cosmology) * 10.0 ** (known.CONCENTRATION_SCATTER * draws[0])
    a, b, c, d = known.TRUNCATION
    median = a * (1.0 + b * cosmology.omega_matter) * (1.0 + c * np.exp(-gamma / d))
    s0, s_gamma, s_nu = known.TRUNCATION_SCATTER
    scatter = np.maximum(
        s0 + s_gamma * gamma - s_nu * peak_height(mass, cosmology=cosmology, power=power), known.TRUNCATION_SCATTER_FLOOR
    )
    return Structure(
        mass=mass,
        radius=radius,
        concentration=concentration,
        truncation=median * 10.0 ** (scatter * draws[1]),
        infall=known.INFALL_DENSITY
        * 10.0 ** (known.INFALL_ACCRETION * (recent - known.INFALL_PIVOT) + known.INFALL_SCATTER * draws[2]),
        gamma=gamma,
        recent=recent,
        mean_density=cosmology.mean_density,
    )
