"""Intervals for counted events.

In: hits and trials. Out: an Estimate with its 68 % interval.
"""

from __future__ import annotations

import math
from typing import Literal

from scipy.stats import binomtest

from triptych.errors import ConfigError
from triptych.statistics.estimate import Estimate


def wilson(hits: int, trials: int, *, sigmas: float = 1.0) -> Estimate:
    """A rate from counts, with Wilson's score interval (E. B. Wilson, JASA 22 (1927) 209).

    The value is hits / trials; [`lower`, `upper`] is the interval at the coverage of `sigmas` standard deviations; `error` is
    half the width of the interval at one. Unlike the binomial standard deviation it stays positive where no hit was seen.

    Raises
    ------
    ConfigError
        Unless 0 <= hits <= trials and trials > 0.

    Examples
    --------
    >>> print(wilson(40, 1000))
    0.0400(62)
    """
    return _rate(hits, trials, "wilson", sigmas)


def clopper_pearson(hits: int, trials: int, *, sigmas: float = 1.0) -> Estimate:
    """A rate from counts, with the exact interval of C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404.

    It covers at least as often as it says, for any rate: use it where a claim rests on few counts. Fields and errors as for
    :func:`wilson`.

    Examples
    --------
    >>> clopper_pearson(0, 100, sigmas=2.0).upper < 0.04
    True
    """
    return _rate(hits, trials, "exact", sigmas)


def _rate(hits: int, trials: int, method: Literal["wilson", "exact"], sigmas: float) -> Estimate:
    if not (trials > 0 and 0 <= hits <= trials):
        raise ConfigError("counts cannot be", got=f"{hits} hits in {trials} trials", expected="0 <= hits <= trials, trials > 0")
    test = binomtest(hits, trials)

    def ends(z: float) -> tuple[float, float]:
        interval = test.proportion_ci(confidence_level=math.erf(z / math.sqrt(2)), method=method)
        return float(interval.low), float(interval.high)

    low, high = ends(1.0)
    lower, upper = ends(sigmas)
    return Estimate.statistical(hits / trials, (high - low) / 2, lower=lower, upper=upper)
