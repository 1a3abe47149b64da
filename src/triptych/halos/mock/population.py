"""Masses and histories of mock halos.

In: a cosmology, a number of halos and seeds. Out: masses from Tinker's mass function, and a mass accretion history for each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.halos.cosmology import Cosmology
from triptych.halos.mass_function import Power, tinker08
from triptych.halos.mock import amplitudes as known
from triptych.halos.mock.diffmah import smooth_histories
from triptych.halos.structure.overdensity import threshold

#: The history is known from this scale factor on: earlier than the first output, since dense cores assemble early.
FIRST_SCALE_FACTOR = 1.0 / 16.0
_STEPS = 128


def box_side(halos: int, lowest: float, highest: float, *, cosmology: Cosmology, power: Power) -> float:
    """Side in comoving kpc/h of the cube that holds so many halos between two masses (Msun/h), on average."""
    log_mass = np.linspace(np.log(lowest), np.log(highest), 400)
    density = np.trapezoid(tinker08(np.exp(log_mass), cosmology=cosmology, power=power), log_mass)
    return float(np.cbrt(halos / density))


def draw_masses(
    count: int, lowest: float, highest: float, *, cosmology: Cosmology, power: Power, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(count,) masses M200m in Msun/h between two limits, from the mass function of Tinker et al. (2008) at z = 0."""
    log_mass = np.linspace(np.log(lowest), np.log(highest), 400)
    density = tinker08(np.exp(log_mass), cosmology=cosmology, power=power)
    steps = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(log_mass))])
    return np.asarray(np.exp(np.interp(rng.uniform(0.0, steps[-1], count), steps, log_mass)))


def draw_histories(
    masses: NDArray[np.float64], scale_factors: NDArray[np.float64], *, cosmology: Cosmology, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(halo, time) M200m in Msun/h: smooth histories of diffmah whose accretion rates fluctuate, and `masses` at the last time.

    The rate dlnM/dlna of the smooth history is multiplied by exp(s g - s^2 / 2), with s = :data:`amplitudes.HISTORY_SCATTER` and
    g a Gaussian process of unit variance whose covariance is a squared exponential in the number of dynamical times that have
    passed: halos never shrink, and the rate is much smoother than the outputs are spaced. Masses follow by summing back.

    Parameters
    ----------
    masses : (halo,), M200m today, Msun/h.
    scale_factors : (time,), increasing; the last is 1.

    Notes
    -----
    O(time^3 + halo time^2): 17,000 histories of 200 times in 3 s.
    """
    smooth = np.log(smooth_masses(masses, scale_factors, cosmology=cosmology, rng=rng))
    crossings = crossings_passed(scale_factors, cosmology)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * ((crossings[:, None] - crossings) / known.HISTORY_MEMORY) ** 2))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    process = known.HISTORY_SCATTER * rng.standard_normal((len(masses), len(values))) @ root.T
    steps = np.diff(smooth, axis=1) * np.exp(0.5 * (process[:, 1:] + process[:, :-1]) - known.HISTORY_SCATTER**2 / 2.0)
    grown = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]  # in ln M, from each time until today
    return np.asarray(masses[:, None] * np.exp(-np.pad(grown, ((0, 0), (0, 1)))))


def smooth_masses(
    masses: NDArray[np.float64], scale_factors: NDArray[np.float64], *, cosmology: Cosmology, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(halo, time) M200m in Msun/h from diffmah's virial masses: a halo that has stopped to accrete still gains M200m, since the
    density inside r200m falls with the mean density (pseudo-evolution, Diemer, More & Kravtsov 2013, arXiv:1207.0816).
    """
    redshifts = 1.0 / scale_factors - 1.0
    share = smooth_histories(masses / cosmology.hubble, cosmology.age(redshifts), seed=int(rng.integers(2**31)))
    density = np.array([threshold(cosmology, "vir", float(redshift)) for redshift in redshifts])
    return np.asarray(masses[:, None] * share * (density / density[-1]) ** known.VIRIAL_EXPONENT)


def crossings_passed(scale_factors: NDArray[np.float64], cosmology: Cosmology) -> NDArray[np.float64]:
    """(time,) integral of dt / t_dyn since the first time."""
    redshifts = 1.0 / scale_factors - 1.0
    rate = 1.0 / cosmology.dynamical_time(redshifts)
    steps = np.diff(cosmology.age(redshifts)) * 0.5 * (rate[1:] + rate[:-1])
    return np.concatenate([[0.0], np.cumsum(steps)])


def time_grid(outputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Scale factors from :data:`FIRST_SCALE_FACTOR` on that contain all `outputs`, and the places of the outputs among them."""
    fine = np.geomspace(FIRST_SCALE_FACTOR, 1.0, _STEPS)
    grid = np.union1d(fine[np.abs(fine[:, None] / outputs - 1.0).min(axis=1) > 1e-3], outputs)
    return grid, np.searchsorted(grid, outputs)
