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
RESOLUTION = 3.0  # ln(samples in a cell of the plane): a dependence that is sharper than that cannot be told from a function
RANKS = 10.0


def problems(
    *, value: float, error: float, gap: float, cross_check: Estimate, mixture: Mixture, most: int, samples: int
) -> tuple[str, ...]:
    """Why the estimate of a fit is not reliable.

    Parameters
    ----------
    value, error : mutual information and its standard error by resampling [nats].
    gap : information of the mixture itself, less that which the folds' mixtures predicted for samples that they had not seen
        [nats]. The first overestimates and the second underestimates where the mixture does not fit.
    cross_check : the same by nearest neighbours [nats].
    mixture, most : the fit, and the number of components at which its search ends.
    samples : how many there are.
    """
    found = []
    if gap > max(GAP * error, LEAST_GAP):
        found.append(f"the mixture does not fit: its information falls by {gap:.3f} nats on data that it has not seen")
    distance = abs(cross_check.value - value)
    if distance > max(CROSS_CHECK * math.hypot(error, cross_check.half_width), LEAST_CROSS_CHECK):
        found.append(f"nearest neighbours find {cross_check.value:.3f} nats")
    if mixture.components == most:
        found.append(f"more than {most} components would fit better")
    if samples < SAMPLES_A_PARAMETER * mixture.parameters:
        found.append(f"{samples} samples are few for {mixture.parameters} parameters")
    return tuple(found)


def divergence(value: float, x: Floats, y: Floats, samples: int) -> str | None:
    """Why the mutual information cannot be told from infinity at this number of samples; None where it can.

    It diverges where one variable is a function of the other. Sorted by x, the ranks of y then lie on smooth curves: we look at
    the median distance of a rank from the mean of its neighbours', both ways. In any number of dimensions the value itself must
    stay below ln(samples) - 3.

    Parameters
    ----------
    value : the estimate [nats].
    x, y : (axis, sample), without ties.
    samples : how many there are.
    """
    for first, second, words in ((x, y, "y is a function of x"), (y, x, "x is a function of y")):
        if len(first) == len(second) == 1:
            ranks = np.argsort(np.argsort(second[0]))[np.argsort(first[0])]
            if np.median(np.abs(ranks[1:-1] - (ranks[:-2] + ranks[2:]) / 2)) < min(RANKS, samples / 30):
                return f"diverges: {words}, as far as {samples} samples can tell"
    if not value < math.log(samples) - RESOLUTION:
        return f"diverges: the dependence is sharper than {samples} samples can resolve"
    return None
