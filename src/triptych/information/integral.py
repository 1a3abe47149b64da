"""Means over a mixture, by quasi-Monte Carlo; the information in it among them.

In: a mixture and a function of points. Out: the mean, with the error of the integration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from triptych.information.mixture import Mixture

Floats = NDArray[np.float64]

BATCHES = 8  # independent scramblings, whose scatter is the error
LOG2_NODES = 8  # of each batch and component


def expectation(mixture: Mixture, function: Callable[[Floats], Floats]) -> tuple[float, float]:
    """The mean of `function` over the mixture, and the standard error of the integration.

    `function` takes points (axis, point) and gives one number for each. Every component is sampled at 2048 nodes.
    """
    points = spread(mixture)
    values = function(points.reshape(len(points), -1)).reshape(points.shape[1:])
    batches = mixture.weights @ values.mean(axis=2)
    return float(batches.mean()), float(batches.std(ddof=1) / np.sqrt(BATCHES))


def spread(mixture: Mixture) -> Floats:
    """The points (axis, component, batch, node) at which every component is sampled."""
    normal = nodes(mixture.means.shape[1])
    factors = np.linalg.cholesky(mixture.covariances)
    return np.asarray(mixture.means.T[:, :, None, None] + np.einsum("kij,bjn->ikbn", factors, normal))


@lru_cache(maxsize=16)
def nodes(axes: int) -> Floats:
    """Standard normal nodes (batch, axis, node): Sobol points, scrambled anew for each batch."""
    uniform = [qmc.Sobol(axes, scramble=True, rng=batch).random_base2(LOG2_NODES).T for batch in range(BATCHES)]
    return np.asarray(ndtri(np.clip(uniform, 1e-15, 1 - 1e-15)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """Which densities a mutual information compares: sum_s signs[s] ln q(axes of subset s).

    Its mean is I(X; Y) = <ln q(x,y) - ln q(x) - ln q(y)>, or with a condition Z
    I(X; Y | Z) = <ln q(x,y,z) + ln q(z) - ln q(x,z) - ln q(y,z)>.

    Attributes
    ----------
    subsets : (subset, axis) booleans.
    signs : (subset,), 1 or -1.
    """

    subsets: NDArray[np.bool_]
    signs: Floats

    @classmethod
    def between(cls, x: int, y: int, given: int = 0) -> Contrast:
        """For the first `x` axes and the next `y`, given the last ones."""
        block = np.repeat([0, 1, 2], [x, y, given])
        chosen = [block < 3, block != 1, block != 0] + ([block == 2] if given else [])
        return cls(subsets=np.array(chosen), signs=np.array([1.0, -1.0, -1.0, 1.0][: len(chosen)]))

    def at(self, points: Floats, mixture: Mixture) -> Floats:
        """The contrast (point,) at each of the points (axis, point)."""
        total = np.zeros(points.shape[1])
        for subset, sign in zip(self.subsets, self.signs, strict=True):
            axes = np.flatnonzero(subset)
            total += sign * mixture.marginal(axes).log_density(points[axes])
        return total

    def mean(self, mixture: Mixture) -> tuple[float, float]:
        """The mean over the mixture in nats, and the standard error of the integration.

        Only the difference to the contrast of the Gaussian with the same mean and covariance is integrated numerically; the mean
        of that one is known, -1/2 sum_s signs[s] ln det C_s, since its logarithm is quadratic. For one component nothing is left.
        """
        mean, covariance = mixture.moments()
        gaussian = Mixture(weights=np.ones(1), means=mean[None], covariances=covariance[None])
        determinants = [np.linalg.slogdet(covariance[np.ix_(subset, subset)])[1] for subset in self.subsets]
        known = -0.5 * float(self.signs @ np.array(determinants))
        return expectation(mixture, lambda points: known + self.at(points, mixture) - self.at(points, gaussian))
