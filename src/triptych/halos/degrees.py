"""How many numbers the profiles of a population need, by linear algebra alone.

In: log densities of many halos and their noise. Out: the directions in which halos differ by more than noise, and by how much.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from triptych.errors import DataError


class Degrees(NamedTuple):
    """The linear degrees of freedom of profiles, the strongest first.

    Attributes
    ----------
    ratio : (degree,), variance of all halos over variance of the noise along each; 1 is noise alone.
    modes : (degree, shell), the log density that one standard deviation of the noise along each stands for.
    """

    ratio: NDArray[np.float64]
    modes: NDArray[np.float64]


def degrees_of_freedom(log_density: ArrayLike, noise: ArrayLike) -> Degrees:
    """Generalised eigenvalues of the total against the noise covariance: C_total v = ratio C_noise v.

    Noise is what differs between two halos of the same true profile: counting, substructure and shape. A ratio of 2 means that
    halos differ along that direction as much as noise does. Only straight lines count: a curved dependence, as that on mass where
    the shells scale with the halo, takes several.

    Parameters
    ----------
    log_density : (halo, shell), measured; halos with an empty shell (NaN) are left out.
    noise : (halo, shell), measured minus true.

    Raises
    ------
    DataError
        If fewer halos than shells are left, or the noise is zero along some direction.

    Notes
    -----
    O(halo shell^2 + shell^3).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> noise = rng.normal(size=(20000, 5))
    >>> truth = 3.0 * rng.normal(size=(20000, 1)) * np.array([1, 0, 0, 0, 0])  # one degree of freedom: variance 1 + 9
    >>> degrees_of_freedom(truth + noise, noise).ratio.round().tolist()
    [10.0, 1.0, 1.0, 1.0, 1.0]
    """
    measured, scatter = np.asarray(log_density, dtype=np.float64), np.asarray(noise, dtype=np.float64)
    whole = np.isfinite(measured).all(axis=1) & np.isfinite(scatter).all(axis=1)
    if whole.sum() <= measured.shape[1]:
        raise DataError(
            "too few halos for a covariance",
            got=f"{int(whole.sum())} of {len(measured)} without an empty shell",
            expected=f"more than the {measured.shape[1]} shells",
        )
    try:
        ratio, vectors = eigh(np.cov(measured[whole].T), np.cov(scatter[whole].T))
    except np.linalg.LinAlgError as error:
        raise DataError("the noise vanishes along some direction", got=error, expected="measured minus true densities") from None
    modes = np.cov(scatter[whole].T) @ vectors
    return Degrees(ratio=ratio[::-1], modes=modes.T[::-1])
