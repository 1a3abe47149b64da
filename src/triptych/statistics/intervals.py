"""Intervals for counted events.

In: hits and trials. Out: an Estimate with its 68 % interval.
"""

from __future__ import annotations

import math

from triptych.errors import ConfigError
from triptych.statistics.estimate import Estimate


def wilson(hits: int, trials: int, *, sigmas: float = 1.0) -> Estimate:
    """A rate from counts, with Wilson's score interval (E. B. Wilson, JASA 22 (1927) 209).

    The value is hits / trials. `error` is half the width of the interval at `sigmas` = 1; it stays positive where no hit was
    seen, unlike the binomial standard deviation. `lower` and `upper` are the interval's ends at `sigmas`.

    Raises
    ------
    ConfigError
        Unless 0 <= hits <= trials and trials > 0.

    Examples
    --------
    >>> print(wilson(40, 1000))
    0.0400(62)
    """
    if not (trials > 0 and 0 <= hits <= trials):
        raise ConfigError("counts cannot be", got=f"{hits} hits in {trials} trials", expected="0 <= hits <= trials, trials > 0")

    def ends(z: float) -> tuple[float, float]:
        share, weight = hits / trials, z * z / trials
        centre = (share + weight / 2) / (1 + weight)
        half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
        # At no hit or all hits one end is exactly 0 or 1; rounding must not move it.
        return (0.0 if hits == 0 else centre - half), (1.0 if hits == trials else centre + half)

    low, high = ends(1.0)
    lower, upper = ends(sigmas)
    return Estimate.statistical(hits / trials, (high - low) / 2, lower=lower, upper=upper)
