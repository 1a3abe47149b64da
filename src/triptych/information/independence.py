"""Are two variables independent? A permutation test.

In: cumulative probabilities of two blocks of variables. Out: the p-value of their independence.

The statistic is that of J. R. Blum, J. Kiefer and M. Rosenblatt (Ann. Math. Stat. 32 (1961) 485), the integrated squared
difference of the joint distribution function and the product of the margins, cut off at the eighth cosine. It depends on ranks
alone, sees every kind of dependence at that resolution, and knows nothing of the mixture, so that its p-value is uniform under
independence whatever was fitted.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from triptych.information.variables import Points

Floats = NDArray[np.float64]

ORDER = 8


def independence(x: Floats, y: Floats, *, permutations: int, rng: np.random.Generator) -> float:
    """The p-value of the independence of two blocks of features (sample, feature), by shuffling the samples of one.

    It is (1 + number of shuffled statistics that reach the observed one) / (1 + permutations): uniform under independence, never
    0. Time grows as permutations x sample x features of x x features of y.
    """
    observed = np.sum((x.T @ y) ** 2) * (1 - 1e-12)
    reached = sum(np.sum((x.T @ y[rng.permutation(len(y))]) ** 2) >= observed for _ in range(permutations))
    return (1 + int(reached)) / (1 + permutations)


def features(probabilities: Floats, points: Points) -> Floats:
    """Cosines of a block's cumulative probabilities (axis, point), as (sample, feature), each of mean 0.

    All orders j <= 8 of each axis, weighted with 1 / j, and their products for two axes up to j_1 j_2 <= 8, so that what three
    axes of a block tell only together is not seen.
    """
    cosines = [[np.cos(np.pi * order * u) / order for order in range(1, ORDER + 1)] for u in probabilities]
    found = [cosine for row in cosines for cosine in row]
    for one, two in itertools.combinations(cosines, 2):
        found += [one[j] * two[k] for j in range(ORDER) for k in range(ORDER) if (j + 1) * (k + 1) <= ORDER]
    table = np.array([points.mean(cosine) for cosine in found]).T
    return np.ascontiguousarray(table - table.mean(axis=0))
