"""When an estimate is not to be trusted, by the data alone.

In: the fit, its information computed in different ways, and the samples. Out: the reasons, in words; none means reliable.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.information.mixture import Mixture
from triptych.statistics import Estimate

Floats = NDArray[np.float64]

GAP, LEAST_GAP = 1.75, 0.01  # standard errors, and nats
CROSS_CHECK, LEAST_CROSS_CHECK = 3.0, 0.05
SAMPLES_A_PARAMETER = 5
RESOLUTION = 1.5  # ln(samples in a cell of the plane)
HALVINGS, STAYS, ROUNDING = 8, 0.75, 0.25  # ranks are whole, their distances halves


def problems(
    *, value: float, error: float, gap: float, cross_check: Estimate, mixture: Mixture, exhausted: bool, samples: int
) -> tuple[str, ...]:
    """Why the estimate of a fit is not reliable.

    Parameters
    ----------
    value, error : mutual information and its standard error by resampling [nats].
    gap : information of the mixture itself, less that which the folds' mixtures predicted for samples that they had not seen
        [nats]. The first overestimates and the second underestimates where the mixture does not fit.
    cross_check : the same by nearest neighbours [nats].
    mixture, exhausted : the fit, and whether the search for it ended at the largest number of components that is allowed.
    samples : how many there are.
    """
    if not math.isfinite(value):
        return ("no number came out of the fit",)
    found = []
    if gap > max(GAP * error, LEAST_GAP):
        found.append(f"the mixture does not fit: its information falls by {gap:.3f} nats on data that it has not seen")
    distance = abs(cross_check.value - value)
    if distance > max(CROSS_CHECK * math.hypot(error, cross_check.half_width), LEAST_CROSS_CHECK):
        found.append(f"nearest neighbours find {cross_check.value:.3f} nats")
    if exhausted:
        found.append("more components than are allowed might fit better")
    if samples < SAMPLES_A_PARAMETER * mixture.parameters:
        found.append(f"{samples} samples are few for {mixture.parameters} parameters")
    return tuple(found)


def unresolved(value: float, samples: int) -> str | None:
    """Why an estimate [nats] is more than this number of samples can tell: about samples x exp(-value) of them share a cell."""
    if value < math.log(samples) - RESOLUTION:
        return None
    return f"diverges: the dependence is sharper than {samples} samples can resolve"


def functional(x: Floats, y: Floats, *, rng: np.random.Generator) -> str | None:
    """Why the mutual information is infinite: one variable is a function of the other. None where neither is.

    Sorted by x, the ranks of a function of x lie on smooth curves. How far a rank lies from the mean of its neighbours' (the
    median over all) is then as much when half of the samples are left out, while noise becomes half as many ranks.

    Parameters
    ----------
    x, y : (sample,), without ties.
    """
    for first, second, words in ((x, y, "y is a function of x"), (y, x, "x is a function of y")):
        away = _away(first, second)
        halves = [rng.permutation(first.size)[: first.size // 2] for _ in range(HALVINGS)]
        stays = np.mean([_away(first[half], second[half]) for half in halves]) >= STAYS * away + ROUNDING
        if away <= 2 * ROUNDING or (stays and away < first.size / 10):
            return f"diverges: {words}, as far as {first.size} samples can tell"
    return None


def _away(x: Floats, y: Floats) -> float:
    """The median distance of the rank of y from the mean of those of the two neighbours in x."""
    ranks = np.argsort(np.argsort(y))[np.argsort(x)]
    return float(np.median(np.abs(ranks[1:-1] - (ranks[:-2] + ranks[2:]) / 2)))
