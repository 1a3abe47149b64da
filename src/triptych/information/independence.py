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
    """Products of cosines of a block's cumulative probabilities (axis, point), as (sample, feature), each of mean 0.

    All products of orders j_1 j_2 ... <= 8, weighted with 1 / (j_1 j_2 ...).
    """
    found = []
    for orders in itertools.product(range(ORDER + 1), repeat=len(probabilities)):
        weight = np.prod([max(order, 1) for order in orders])
        if any(orders) and weight <= ORDER:
            cosines = [np.cos(np.pi * order * u) for order, u in zip(orders, probabilities, strict=True)]
            found.append(points.mean(np.prod(cosines, axis=0)) / weight)
    table = np.array(found).T
    return np.ascontiguousarray(table - table.mean(axis=0))
