"""Means over independent Markov chains.

In: one value per chain and time. Out: an Estimate whose error needs no model of the autocorrelation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError
from triptych.statistics.estimate import Estimate


def mean_over_chains(series: ArrayLike) -> Estimate:
    """The mean of `series` (chain, time), with the error from the spread of the chains' own means.

    The chains must be independent and in equilibrium; the error is then right for any autocorrelation inside a chain, also
    where that is much longer than the run. It is itself uncertain by a fraction 1 / sqrt(2 (chains - 1)).

    Raises
    ------
    ConfigError
        If there are fewer than two chains, no samples, or values that are not finite.

    Examples
    --------
    >>> print(mean_over_chains([[1.0, 2.0], [2.0, 3.0], [1.5, 2.5]]))
    2.00(29)
    """
    values = as_chains(series, shortest=1)
    if values.shape[0] < 2:
        raise ConfigError("an error from several chains needs them", got=f"{values.shape[0]} chain", expected=">= 2 chains")
    means = values.mean(axis=1)
    return Estimate.statistical(float(means.mean()), float(means.std(ddof=1) / np.sqrt(means.size)))


def as_chains(series: ArrayLike, *, shortest: int) -> NDArray[np.float64]:
    """A series as (chain, time) in float64; one chain may come as (time,).

    Raises
    ------
    ConfigError
        If it has another shape, fewer than `shortest` samples a chain, or values that are not finite.
    """
    values = np.ascontiguousarray(np.atleast_2d(np.asarray(series, dtype=np.float64)))  # sums then depend on the values alone
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < shortest:
        raise ConfigError("the series has the wrong shape", got=values.shape, expected=f"(chain, time >= {shortest})")
    if not np.isfinite(values).all():
        raise ConfigError("the series holds values that are not finite", got=f"{np.sum(~np.isfinite(values))} of {values.size}")
    return values
