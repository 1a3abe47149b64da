"""Gaussian mixtures in compiled loops: log densities and weighted expectation-maximisation.

In: points as (axis, sample), and a mixture as weights (component,), means (component, axis), covariances (component, axis,
axis). Out: log densities and fitted mixtures. Samples are taken in blocks, so that every inner loop runs along memory, and
exponentials are polynomials that the processor computes several at a time: one step of the fit takes about 8 ns a sample and
component on two axes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.kernels import compiled, compiled_sums

Floats = NDArray[np.float64]

BLOCK = 256
LOG_2PI = math.log(2 * math.pi)
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # ln 2, split so that n LN2_HIGH is exact
LOWEST = -700.0  # exp of it is still a normal number
SMALLEST, LARGEST = 0.05, 1.5  # variances of a start; the axes have variance 1


@compiled
def exponentials(values: Floats, n: int, powers: Floats) -> None:
    """Replace values[:n] <= 0 by their exponentials, to 1e-15; `powers` is room for as many numbers."""
    bits = powers.view(np.int64)
    for i in range(n):
        value = max(values[i], LOWEST)
        power = np.floor(value * LOG2_E + 0.5)
        bits[i] = (np.int64(power) + 1023) << 52
        x = (value - power * LN2_HIGH) - power * LN2_LOW
        series = 1.0 / 6227020800.0
        series = series * x + 1.0 / 479001600.0
        series = series * x + 1.0 / 39916800.0
        series = series * x + 1.0 / 3628800.0
        series = series * x + 1.0 / 362880.0
        series = series * x + 1.0 / 40320.0
        series = series * x + 1.0 / 5040.0
        series = series * x + 1.0 / 720.0
        series = series * x + 1.0 / 120.0
        series = series * x + 1.0 / 24.0
        series = series * x + 1.0 / 6.0
        series = series * x + 0.5
        series = series * x + 1.0
        values[i] = series * x + 1.0
    for i in range(n):
        values[i] *= powers[i]


@compiled
def whiten(weights: Floats, covariances: Floats, whitening: Floats, heights: Floats) -> Any:
    """The inverse Cholesky factors of the components, and the logarithms of their weighted peaks; False where one is singular."""
    components, axes = covariances.shape[0], covariances.shape[1]
    factor = np.zeros((axes, axes))
    for k in range(components):
        height = math.log(max(weights[k], 1e-300)) - 0.5 * axes * LOG_2PI
        for i in range(axes):
            for j in range(i + 1):
                rest = covariances[k, i, j]
                for m in range(j):
                    rest -= factor[i, m] * factor[j, m]
                if i > j:
                    factor[i, j] = rest / factor[j, j]
                elif rest > 0:
                    factor[i, i] = math.sqrt(rest)
                else:
                    return False
            height -= math.log(factor[i, i])
            whitening[k, i, i] = 1 / factor[i, i]
            for j in range(i):
                rest = 0.0
                for m in range(j, i):
                    rest += factor[i, m] * whitening[k, m, j]
                whitening[k, i, j] = -rest / factor[i, i]
        heights[k] = height
    return True


@compiled_sums
def component_log_densities(
    points: Floats, first: int, n: int, mean: Floats, whitening: Floats, height: float, densities: Floats
) -> None:
    """One component's weighted log density at points[:, first : first + n]."""
    axes = points.shape[0]
    for b in range(n):
        densities[b] = height
    if axes == 2:  # the usual case, unrolled
        x0, y0, a, b_, c = mean[0], mean[1], whitening[0, 0], whitening[1, 0], whitening[1, 1]
        for b in range(n):
            x, y = points[0, first + b] - x0, points[1, first + b] - y0
            u, v = a * x, b_ * x + c * y
            densities[b] -= 0.5 * (u * u + v * v)
        return
    for i in range(axes):
        for b in range(n):
            u = 0.0
            for j in range(i + 1):
                u += whitening[i, j] * (points[j, first + b] - mean[j])
            densities[b] -= 0.5 * u * u


@compiled_sums
def block_log_densities(
    points: Floats, first: int, n: int, means: Floats, whitening: Floats, heights: Floats, shares: Floats, work: Floats
) -> None:
    """For a block of points: the log density in work[0], and what each component contributes to the density in `shares`.

    `shares` [component, point] is relative to the largest contribution, and work[1] holds the sum over components.
    """
    components = means.shape[0]
    top, total, powers = work[0], work[1], work[2]
    for k in range(components):
        component_log_densities(points, first, n, means[k], whitening[k], heights[k], shares[k])
    for b in range(n):
        top[b] = shares[0, b]
        total[b] = 0.0
    for k in range(1, components):
        for b in range(n):
            top[b] = max(top[b], shares[k, b])
    for k in range(components):
        for b in range(n):
            shares[k, b] -= top[b]
        exponentials(shares[k], n, powers)
        for b in range(n):
            total[b] += shares[k, b]
    for b in range(n):
        top[b] += math.log(total[b])


@compiled
def log_density(points: Floats, weights: Floats, means: Floats, covariances: Floats) -> Any:
    """Ln q at each point; NaN where a component is singular."""
    axes, n = points.shape
    components = weights.size
    found = np.full(n, np.nan)
    whitening, heights = np.zeros((components, axes, axes)), np.empty(components)
    if not whiten(weights, covariances, whitening, heights):
        return found
    shares, work = np.empty((components, BLOCK)), np.empty((3, BLOCK))
    for first in range(0, n, BLOCK):
        size = min(BLOCK, n - first)
        block_log_densities(points, first, size, means, whitening, heights, shares, work)
        found[first : first + size] = work[0, :size]
    return found


@compiled_sums
def fit(
    points: Floats,
    counts: Floats,
    weights: Floats,
    means: Floats,
    covariances: Floats,
    floor: float,
    tolerance: float,
    steps: int,
) -> Any:
    """Weighted expectation-maximisation, in place; the mean log density of the samples before the last step.

    Stops where a step gains less than `tolerance` in the mean log density, or after `steps`. `floor` is added to all variances.
    A component that holds fewer samples than it has parameters dies: its weight becomes 0.
    """
    axes, n = points.shape
    components = weights.size
    whitening, heights = np.zeros((components, axes, axes)), np.empty(components)
    shares, work = np.empty((components, BLOCK)), np.empty((3, BLOCK))
    sums, firsts, seconds = np.empty(components), np.empty((components, axes)), np.empty((components, axes, axes))
    total = counts.sum()
    fewest = 1 + axes + axes * (axes + 1) // 2
    before, died = -np.inf, False
    for _ in range(steps):
        if not whiten(weights, covariances, whitening, heights):
            return -np.inf
        sums[:] = 0.0
        firsts[:] = 0.0
        seconds[:] = 0.0
        gained = 0.0
        for first in range(0, n, BLOCK):
            size = min(BLOCK, n - first)
            block_log_densities(points, first, size, means, whitening, heights, shares, work)
            for b in range(size):
                gained += counts[first + b] * work[0, b]
                work[1, b] = counts[first + b] / work[1, b]
            for k in range(components):
                share = shares[k]
                some = 0.0
                for b in range(size):
                    share[b] *= work[1, b]
                    some += share[b]
                sums[k] += some
                for i in range(axes):
                    some = 0.0
                    for b in range(size):
                        some += share[b] * (points[i, first + b] - means[k, i])
                    firsts[k, i] += some
                    for j in range(i + 1):
                        some = 0.0
                        for b in range(size):
                            some += share[b] * (points[i, first + b] - means[k, i]) * (points[j, first + b] - means[k, j])
                        seconds[k, i, j] += some
        gained /= total
        if gained - before < tolerance and not died:
            return gained
        before = gained
        died = False
        largest = np.argmax(sums)
        for k in range(components):
            if sums[k] < fewest and k != largest:
                died = died or weights[k] > 0  # then the next step is the first of another fit
                weights[k] = 0.0
                continue
            weights[k] = sums[k]
            for i in range(axes):
                firsts[k, i] /= sums[k]
            for i in range(axes):
                for j in range(i + 1):
                    covariances[k, i, j] = seconds[k, i, j] / sums[k] - firsts[k, i] * firsts[k, j]
                    covariances[k, j, i] = covariances[k, i, j]
                covariances[k, i, i] += floor
                means[k, i] += firsts[k, i]
        weights /= weights.sum()
    return before


@compiled
def scatter(points: Floats, counts: Floats, uniforms: Floats, weights: Floats, means: Floats, covariances: Floats) -> None:
    """A start: round components of random sizes about random samples.

    `uniforms` (component, 2) chooses the sample and the logarithm of the variance. Sizes of all kinds find heavy tails and
    narrow ridges, where centres that keep away from each other miss components that share one.
    """
    components, axes = means.shape
    cumulative = np.cumsum(counts)
    weights[:] = 1 / components
    covariances[:] = 0.0
    for k in range(components):
        means[k] = points[:, np.searchsorted(cumulative, uniforms[k, 0] * cumulative[-1], side="right")]
        for i in range(axes):
            covariances[k, i, i] = SMALLEST * (LARGEST / SMALLEST) ** uniforms[k, 1]


@compiled
def fit_from_starts(
    points: Floats, counts: Floats, uniforms: Floats, floor: float, tolerance: float, first_steps: int, steps: int
) -> Any:
    """From each start (row of `uniforms`) a few steps; the best of them to the end. Log density, weights, means, covariances."""
    starts, components = uniforms.shape[:2]
    axes = points.shape[0]
    best, best_weights = -np.inf, np.full(components, 1 / components)
    best_means, best_covariances = np.zeros((components, axes)), np.zeros((components, axes, axes))
    for s in range(starts):
        weights, means, covariances = np.empty(components), np.empty((components, axes)), np.empty((components, axes, axes))
        scatter(points, counts, uniforms[s], weights, means, covariances)
        found = fit(points, counts, weights, means, covariances, floor, tolerance, first_steps)
        if found > best:
            best, best_weights, best_means, best_covariances = found, weights, means, covariances
    found = fit(points, counts, best_weights, best_means, best_covariances, floor, tolerance, steps)
    return found, best_weights, best_means, best_covariances
