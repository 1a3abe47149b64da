"""Distributions whose mutual information is known: the one-by-one tasks of P. Czyz et al. (NeurIPS 2023, arXiv:2306.11078).

In: a number of samples. Out: samples of x and y, their mutual information in nats from a closed form and, where the density has
one, ln p(x, y) / (p(x) p(y)) at each sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import digamma, gammaln, ndtr

RHO = 0.75


class Task(NamedTuple):
    """A joint distribution of x and y.

    `truth` in nats; `draw(n, rng)` gives x and y; `pointwise(x, y)`, where known, has the mean `truth`.
    """

    name: str
    truth: float
    draw: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    pointwise: Callable[[Any, Any], np.ndarray] | None = None


def gaussian_information(rho: float) -> float:
    return float(-0.5 * np.log(1 - rho**2))


def gaussian(rho: float) -> Task:
    """Two standard normal variables with correlation `rho`."""
    joint = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, noise = rng.normal(size=(2, n))
        return x, rho * x + np.sqrt(1 - rho**2) * noise

    def pointwise(x: Any, y: Any) -> np.ndarray:
        return joint.logpdf(np.stack([x, y], axis=-1)) - stats.norm.logpdf(x) - stats.norm.logpdf(y)

    return Task(f"normal {rho}", gaussian_information(rho), draw, pointwise)


def moved(name: str, task: Task, x_to: Callable[[np.ndarray], np.ndarray], y_to: Callable[[np.ndarray], np.ndarray]) -> Task:
    """The variables of another task, each through an increasing function, which leaves the information as it is."""

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = task.draw(n, rng)
        return x_to(x), y_to(y)

    return Task(name, task.truth, draw)


def additive_noise(width: float) -> Task:
    """X uniform in [0, 1], Y = X + N with N uniform in [-width, width]: the difference of the entropies of Y and of N."""
    truth = width - np.log(2 * width) if width <= 0.5 else 1 / (4 * width)

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.random(n)
        return x, x + rng.uniform(-width, width, n)

    def pointwise(x: Any, y: Any) -> np.ndarray:
        overlap = np.minimum(y + width, 1) - np.maximum(y - width, 0)
        return 0 * x - np.log(overlap)

    return Task(f"additive noise {width}", float(truth), draw, pointwise)


def student(dof: float) -> Task:
    """Uncorrelated, but not independent: Student's t in the plane."""

    def entropy(k: int) -> float:
        a, b = dof / 2, (dof + k) / 2
        return float(gammaln(a) - gammaln(b) + k / 2 * np.log(dof * np.pi) + b * (digamma(b) - digamma(a)))

    joint = stats.multivariate_t([0, 0], np.eye(2), df=dof)

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = rng.normal(size=(2, n)) / np.sqrt(rng.chisquare(dof, n) / dof)
        return x, y

    def pointwise(x: Any, y: Any) -> np.ndarray:
        return joint.logpdf(np.stack([x, y], axis=-1)) - stats.t.logpdf(x, dof) - stats.t.logpdf(y, dof)

    return Task(f"Student {dof}", 2 * entropy(1) - entropy(2), draw, pointwise)


def wiggly_x(x: np.ndarray) -> np.ndarray:
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def wiggly_y(y: np.ndarray) -> np.ndarray:
    return y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5)


def half_cube(t: np.ndarray) -> np.ndarray:
    return t * np.sqrt(np.abs(t))


def two_bumps(weight: float, first: float, second: float) -> Callable[[np.ndarray], np.ndarray]:
    """From a standard normal variable to weight N(first, 1) + (1 - weight) N(second, 1), through the distribution functions."""
    grid = np.linspace(min(first, second) - 8, max(first, second) + 8, 200_001)
    below = weight * ndtr(grid - first) + (1 - weight) * ndtr(grid - second)
    return lambda t: np.interp(ndtr(t), below, grid)


TASKS = (
    gaussian(RHO),
    moved("uniform margins", gaussian(RHO), ndtr, ndtr),
    additive_noise(0.1),
    additive_noise(0.75),
    moved("bimodal", gaussian(RHO), two_bumps(0.3, 0, 5), two_bumps(0.5, -1, 3)),
    moved("wiggly", gaussian(RHO), wiggly_x, wiggly_y),
    moved("half-cube", gaussian(RHO), half_cube, half_cube),
    student(1),
    moved("asinh Student 1", student(1), np.arcsinh, np.arcsinh),
)


def mixture_information(weights: Any, means: Any, covariances: Any) -> float:
    """I(X; Y) of a mixture of Gaussians in the plane: a sum over a grid of 401 x 401 points."""
    spreads = np.sqrt(np.array([np.diag(c) for c in covariances]))
    low, high = (means - 9 * spreads).min(axis=0), (means + 9 * spreads).max(axis=0)
    axes = np.linspace(low, high, 401).T
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = sum(w * stats.multivariate_normal(m, c).pdf(grid) for w, m, c in zip(weights, means, covariances, strict=True))
    dx, dy = (axis[1] - axis[0] for axis in axes)
    product = np.outer(density.sum(axis=1) * dy, density.sum(axis=0) * dx)
    seen = density > 1e-290
    return float((density[seen] * np.log(density[seen] / product[seen])).sum() * dx * dy)
