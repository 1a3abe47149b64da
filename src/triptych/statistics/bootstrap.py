"""Errors by resampling.

In: independent samples and a statistic. Out: an Estimate with its 68 % interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from triptych.errors import ConfigError
from triptych.statistics.estimate import Estimate


def bootstrap(
    samples: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    method: Literal["plain", "bca"] = "bca",
) -> Estimate:
    """`statistic` of the samples, with its error and 68 % interval by bootstrap.

    Parameters
    ----------
    samples : (sample, ...); resampled along the first axis, so these must be independent (chains, halos, shots).
    statistic : maps an array like `samples` to a number.
    resamples : number of bootstrap resamples; the error is uncertain by a fraction 1 / sqrt(2 resamples).
    method : ``"plain"`` (percentiles) or ``"bca"`` (bias-corrected and accelerated; B. Efron, JASA 82 (1987) 171).

    Raises
    ------
    ConfigError
        If there are fewer than two samples, or values that are not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = bootstrap(rng.normal(size=400), np.mean, rng=rng)
    >>> abs(found.error - 0.05) < 0.01
    True
    """
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim < 1 or values.shape[0] < 2:
        raise ConfigError("a bootstrap needs samples", got=f"shape {values.shape}", expected="(sample >= 2, ...)")
    if not np.isfinite(values).all():
        raise ConfigError("the samples hold values that are not finite", got=f"{np.sum(~np.isfinite(values))} of {values.size}")
    found = stats.bootstrap(
        (np.arange(values.shape[0]),),
        lambda chosen: statistic(values[chosen]),
        vectorized=False,
        n_resamples=resamples,
        confidence_level=0.6827,
        method={"plain": "percentile", "bca": "BCa"}[method],
        rng=rng,
    )  # type: ignore[call-overload]
    interval = found.confidence_interval
    return Estimate.statistical(
        float(statistic(values)), float(found.standard_error), lower=float(interval.low), upper=float(interval.high)
    )
