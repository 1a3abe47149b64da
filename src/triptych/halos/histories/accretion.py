"""How fast a halo grew, and when it was half as heavy.

In: masses along main branches. Out: the accretion rate Gamma = d ln M / d ln a in four definitions, with errors; the redshift of
formation.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from triptych.errors import ConfigError, DataError
from triptych.halos.cosmology import Cosmology

RateDefinition = Literal["consecutive", "dk14", "dynamical", "instantaneous"]

DK14_STEP = 0.5  # in redshift
BANDWIDTH = 0.2  # in ln a on either side: the window is as wide as one dynamical time at redshift 0
_SAME = 1e-9  # outputs closer than this in ln a are one


class AccretionRate(NamedTuple):
    """Gamma = d ln M / d ln a of halos.

    Attributes
    ----------
    gamma : (halo, output), NaN where the definition reaches an output at which the mass is not known.
    error : (halo, output), one standard deviation from counting particles; NaN where their number was not given.
    bridged : (halo, output), whether the value rests on a mass interpolated across an output at which the halo was lost.
    """

    gamma: NDArray[np.float64]
    error: NDArray[np.float64]
    bridged: NDArray[np.bool_]


def accretion_rate(
    mass: ArrayLike,
    scale_factor: ArrayLike,
    cosmology: Cosmology,
    definition: RateDefinition,
    *,
    particles: ArrayLike | None = None,
    bandwidth: float = BANDWIDTH,
) -> AccretionRate:
    """The accretion rate Gamma = Delta ln M / Delta ln a at every output.

    The four definitions differ in the time over which the halo has grown; each value belongs to the later end of it, so that
    Gamma at an output knows nothing of what follows (the last definition apart):

    - "consecutive": since the output before, as in Lucie-Smith, Peiris & Pontzen (arXiv:2305.03077).
    - "dk14": since z + 0.5. At redshift 0 this is the pair of B. Diemer and A. V. Kravtsov, ApJ 789 (2014) 1, with any mass in
      place of their virial mass; at other redshifts the step of 0.5 is kept.
    - "dynamical": since one dynamical time before, :meth:`Cosmology.dynamical_time` at the output; B. Diemer et al., ApJ 843
      (2017) 140, the crossing time of colossus.
    - "instantaneous": the slope at the output of the parabola in ln a that fits ln M best at all outputs within `bandwidth`,
      before and after (A. Savitzky and M. J. E. Golay, Anal. Chem. 36 (1964) 1627, for any steps).

    Between outputs ln M is interpolated linearly in ln a. A halo that was lost at one output is bridged in the same way, and
    marked; where it was lost at two or more in a row nothing is interpolated.

    Parameters
    ----------
    mass : (halo, output), any unit; NaN where the mass is not known.
    scale_factor : (output,), increasing.
    cosmology : for the dynamical time.
    definition : one of the four.
    particles : (halo, output), number of particles that make up each mass; without it there are no errors.
    bandwidth : half the width of the window of "instantaneous", in ln a; fewer than three known outputs inside give NaN.

    Raises
    ------
    DataError
        If the shapes do not agree, the scale factors do not increase, a mass is not positive, or has no particles.
    ConfigError
        If the definition is unknown, or the bandwidth not positive.

    Notes
    -----
    Gamma is a weighted sum of the ln M of a halo, and the error is that of the sum where each ln M has the independent error
    1 / sqrt(N) of N particles. Most particles of a halo are there at the output before as well, so that this is an upper limit:
    between two halves of the particles of a real run (GADGET-4, outputs 0.09 apart in ln a) the noise was 0.55 of it for
    "consecutive" and 0.7 of it over a dynamical time. Each mass enters two consecutive rates with opposite signs: where errors
    are independent, those of neighbouring rates are anticorrelated, by -1/2 at equal steps.

    O(halo * output^2) time, O(output^2) memory beside the result; halos that are known at the same outputs share their weights:
    17,000 of them over 91 outputs take 0.2 s. With gaps of its own a halo takes 0.1 ms, 1 ms for "instantaneous".

    Examples
    --------
    >>> from triptych.halos import Cosmology
    >>> a, planck = np.geomspace(0.125, 1.0, 24), Cosmology(omega_matter=0.31, omega_lambda=0.69, hubble=0.68)
    >>> for definition in ("consecutive", "dk14", "dynamical", "instantaneous"):
    ...     print(f"{accretion_rate([1e12 * a**1.5], a, planck, definition).gamma[0, -1]:.6f}")
    1.500000
    1.500000
    1.500000
    1.500000
    """
    masses, a = _checked(mass, scale_factor)
    if definition not in get_args(RateDefinition):
        raise ConfigError(
            "unknown definition of the accretion rate", got=definition, expected=" | ".join(get_args(RateDefinition))
        )
    if not bandwidth > 0:
        raise ConfigError("the bandwidth is impossible", got=bandwidth, expected="> 0, in ln a")
    x = np.log(a)
    known = np.isfinite(masses)
    log_mass = np.log(np.where(known, masses, 1.0))
    noise = np.full(masses.shape, np.nan) if particles is None else _noise(np.asarray(particles, dtype=np.float64), known)
    start = _start(definition, a, cosmology)
    gamma, variance = np.empty(masses.shape), np.empty(masses.shape)
    bridged = np.empty(masses.shape, dtype=np.bool_)
    order, first = _alike(known)
    for rows in filter(len, np.split(order, first)):  # halos known at the same outputs share their weights
        if definition == "instantaneous":
            weights, bridged[rows] = _parabola_slope(x, known[rows[0]], bandwidth)
        else:
            weights, bridged[rows] = _mean_slope(x, known[rows[0]], start)
        gamma[rows], variance[rows] = log_mass[rows] @ weights.T, noise[rows] @ (weights**2).T
    return AccretionRate(gamma=gamma, error=np.sqrt(variance), bridged=bridged)


def dynamical_start(scale_factor: ArrayLike, cosmology: Cosmology) -> NDArray[np.float64]:
    """The scale factor one dynamical time earlier, the shape of `scale_factor`; NaN where there was no such time.

    Examples
    --------
    >>> from triptych.halos import Cosmology
    >>> planck = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
    >>> f"z = {1 / dynamical_start(1.0, planck) - 1:.3f}"
    'z = 0.500'
    """
    end = np.asarray(scale_factor, dtype=np.float64)
    redshift = 1.0 / end - 1.0
    fine = np.linspace(np.log(end.min()) - 8.0, np.log(end.max()), 800)
    age = CubicSpline(np.log(cosmology.age(np.exp(-fine) - 1.0)), fine, extrapolate=False)
    before = cosmology.age(redshift) - cosmology.dynamical_time(redshift)
    return np.asarray(np.exp(age(np.log(np.where(before > 0, before, np.nan)))))


def output_times(number: int = 91, first_redshift: float = 7.0) -> NDArray[np.float64]:
    """Scale factors of `number` outputs at equal steps of ln a, the last one today.

    Examples
    --------
    >>> output_times(4)
    array([0.125, 0.25 , 0.5  , 1.   ])
    """
    return np.geomspace(1.0 / (1.0 + first_redshift), 1.0, number)


def formation_redshift(mass: ArrayLike, scale_factor: ArrayLike, *, share: float = 0.5) -> NDArray[np.float64]:
    """The redshift at which a halo first had `share` of its mass at the last output.

    Parameters
    ----------
    mass : (halo, output), NaN where not known.
    scale_factor : (output,), increasing.
    share : between 0 and 1.

    Returns
    -------
    (halo,)
        ln M is interpolated linearly in ln a, across one lost output at most. NaN where the halo had this mass already when it
        was first seen, or the last mass is not known.

    Raises
    ------
    DataError
        If the shapes do not agree, the scale factors do not increase, or a mass is not positive.
    ConfigError
        If the share is not between 0 and 1.

    Examples
    --------
    >>> a = np.geomspace(0.125, 1.0, 100)
    >>> formation_redshift([1e12 * a, 1e12 * a**2], a).round(6)
    array([1.      , 0.414214])
    """
    if not 0 < share < 1:
        raise ConfigError("the share of the mass is impossible", got=share, expected="0 < share < 1")
    masses, a = _checked(mass, scale_factor)
    x = np.log(a)
    excess = np.log(masses / (share * masses[:, -1:]))
    halo = np.arange(len(masses))
    later = np.argmax(excess >= 0, axis=1)
    earlier = np.max(np.where(np.isfinite(masses) & (np.arange(len(a)) < later[:, None]), np.arange(len(a)), -1), axis=1)
    below, above = excess[halo, earlier], excess[halo, later]
    crossed = (excess >= 0).any(axis=1) & (earlier >= 0) & (later - earlier <= 2)
    part = np.divide(-below, above - below, where=crossed, out=np.full(len(masses), np.nan))
    return np.asarray(np.exp(-(x[earlier] + part * (x[later] - x[earlier]))) - 1.0)


def _checked(mass: ArrayLike, scale_factor: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    masses, a = np.asarray(mass, dtype=np.float64), np.asarray(scale_factor, dtype=np.float64)
    if masses.ndim != 2 or a.shape != masses.shape[1:]:
        raise DataError(
            "masses and outputs do not belong together",
            got=f"masses {masses.shape}, scale factors {a.shape}",
            expected="masses (halo, output), scale factors (output,)",
        )
    if not (np.all(a[:1] > 0) and np.all(np.diff(a) > 0)):
        raise DataError("the outputs are not in order of time", got=a, expected="scale factors that increase", fix="sort them")
    if np.any(masses <= 0) or np.any(np.isinf(masses)):
        raise DataError(
            "a mass cannot be", got=masses[(masses <= 0) | np.isinf(masses)][0], expected="> 0", fix="NaN stands for no mass"
        )
    return masses, a


def _noise(counts: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Variance of each ln M, 0 where there is no mass."""
    if counts.shape != known.shape:
        raise DataError("masses and numbers of particles differ in shape", got=counts.shape, expected=str(known.shape))
    if not np.all(counts[known] > 0):
        raise DataError(
            "a mass without particles",
            got=f"{np.sum(~(counts[known] > 0))} of {known.sum()}",
            expected="at least one where the mass is known",
        )
    return np.divide(1.0, counts, where=known, out=np.zeros(known.shape))


def _start(definition: RateDefinition, a: NDArray[np.float64], cosmology: Cosmology) -> NDArray[np.float64]:
    """Where the growth towards each output begins, as ln a."""
    match definition:
        case "dk14":
            return -np.log(1.0 / a + DK14_STEP)
        case "dynamical":
            return np.log(dynamical_start(a, cosmology))
    return np.concatenate([[-np.inf], np.log(a[:-1])])


def _alike(known: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The order that puts rows that are equal side by side, and where each new kind but the first begins."""
    packed = np.packbits(known, axis=1)
    order = np.lexsort(packed.T[::-1])
    changes = (np.diff(packed[order].astype(np.int16), axis=0) != 0).any(axis=1)
    return order, np.flatnonzero(changes) + 1


def _mean_slope(
    x: NDArray[np.float64], known: NDArray[np.bool_], start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Weights of all ln M in the mean slope from `start` to each output, (output, output); which of them bridge a gap."""
    end_weights, end_bridged = _interpolation(x, known, x)
    start_weights, start_bridged = _interpolation(x, known, start)
    weights = (end_weights - start_weights) / (x - start)[:, None]
    return weights, (end_bridged | start_bridged) & np.isfinite(weights).all(axis=1)


def _parabola_slope(
    x: NDArray[np.float64], known: NDArray[np.bool_], bandwidth: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The same for the slope at each output of the parabola fitted around it."""
    weights = np.full((len(x), len(x)), np.nan)
    at, bridged = _interpolation(x, known, x)
    for output in np.flatnonzero(np.isfinite(at).all(axis=1)):
        distance = x - x[output]
        near = np.flatnonzero(known & (np.abs(distance) <= bandwidth + _SAME))
        if len(near) >= 3:
            weights[output] = 0.0
            powers = np.vander(distance[near] / bandwidth, 3, increasing=True)
            weights[output, near] = np.linalg.pinv(powers)[1] / bandwidth
    return weights, bridged & np.isfinite(weights).all(axis=1)


def _interpolation(
    x: NDArray[np.float64], known: NDArray[np.bool_], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Weights (target, output) of ln M at the known `x` in ln M at each target, NaN out of reach; whether a gap is bridged."""
    weights = np.full((len(targets), len(x)), np.nan)
    bridged = np.zeros(len(targets), dtype=np.bool_)
    places = np.flatnonzero(known)
    if len(places) == 0:
        return weights, bridged
    later = np.searchsorted(x[places], targets - _SAME)
    inside = later < len(places)
    later = np.minimum(later, len(places) - 1)
    left, right = places[np.maximum(later - 1, 0)], places[later]
    at = inside & (np.abs(x[right] - targets) <= _SAME)
    between = inside & ~at & (left < right) & (right - left <= 2)
    part = np.divide(targets - x[left], x[right] - x[left], where=between, out=np.ones(len(targets)))
    rows = np.flatnonzero(at | between)
    weights[rows] = 0.0
    weights[rows, left[rows]] = 1.0 - part[rows]
    weights[rows, right[rows]] += part[rows]
    bridged[rows] = (between & (right - left == 2))[rows]
    return weights, bridged
