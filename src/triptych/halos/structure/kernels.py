"""Fits of density profiles in compiled loops, one halo after another.

In: counts of particles in shells, and the exposure that turns a model of unit density into expected counts. Out: the most likely
parameters, the deviance and the Fisher matrix. The model is rho_s times a shape m(ln rs, alpha); with the most likely rho_s, N
over the sum of m, the logarithm of the Poisson likelihood is sum n ln(m / sum m) but for a constant. Its derivative by ln rs, the
score, is sum n s - N <s>, with s = d ln m / d ln rs and <.> the mean with weights m; the second derivative follows likewise.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.kernels import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FITTED, STEEP, SHALLOW, NARROW, WIDE, SPARSE = range(6)  # what became of a fit, as triptych.halos.structure.fits tells it
REACH = math.log(30.0)  # ln rs may lie outside the shells by this; beyond it the profile is a mere power law
NEAR = 1e-9  # so short a step of Newton's method was the last: the next would be of its square
END = 1e-6  # a search that comes so close to an end has run into it
ROUNDS = 100  # enough to halve any interval down to rounding
LOWEST = -690.0  # exp of it is a normal number


class Halo(NamedTuple):
    """One profile, and room for a model of it.

    `edges` (edge,); `nodes` (shell, node), ln r; `weights` (shell, node), logarithm of r^3 and of the node's weight; `counts` and
    `exposures` (shell,); `used`, numbers of the shells that count. Of the shape in each shell, `mass` over 4 pi rho_s, up to a
    common factor, `slope` and `bend`, first and second derivative of its logarithm by ln rs, and `tilt`, that by alpha.
    """

    edges: Floats
    nodes: Floats
    weights: Floats
    counts: Floats
    exposures: Floats
    used: Ints
    mass: Floats
    slope: Floats
    bend: Floats
    tilt: Floats
    room: Floats


@compiled
def nfw(halo: Halo, log_rs: float) -> float:
    """Shape of the NFW profile; returns the logarithm of what `mass` is still to be multiplied with.

    With w = x / (1 + x), x = r / rs, the enclosed mass over rs^3 is ln(1 + x) - w. By ln rs it changes by -w^2, w by -w (1 - w).
    """
    scale = math.exp(-log_rs)
    inside, first, second = halo.room[0], halo.room[1], halo.room[2]
    for edge in range(len(halo.edges)):
        x = halo.edges[edge] * scale
        w = x / (1 + x)
        inside[edge] = math.log1p(x) - w
        first[edge] = w * w
        second[edge] = w * w * (1 - w)
    for shell in halo.used:
        mass = inside[shell + 1] - inside[shell]
        change = (first[shell + 1] - first[shell]) / mass
        halo.mass[shell] = mass
        halo.slope[shell] = 3 - change
        halo.bend[shell] = 2 * (second[shell + 1] - second[shell]) / mass - change * change
    return 3 * log_rs


@compiled
def einasto(halo: Halo, log_rs: float, alpha: float) -> float:
    """The same for Einasto's profile, by sums over the nodes in ln r.

    With e = (r / rs)^alpha the logarithm of the density is -(2 / alpha) (e - 1); by ln rs it changes by 2 e, and e by -alpha e.
    """
    powers, logs = halo.room[0], halo.room[1]
    highest = -np.inf
    for shell in halo.used:
        top = -np.inf
        for node in range(halo.nodes.shape[1]):
            powers[node] = math.exp(alpha * (halo.nodes[shell, node] - log_rs))
            logs[node] = halo.weights[shell, node] - 2 / alpha * (powers[node] - 1)
            top = max(top, logs[node])
        mass, first, second, tilt = 0.0, 0.0, 0.0, 0.0
        for node in range(halo.nodes.shape[1]):
            e, part = powers[node], math.exp(logs[node] - top)
            mass += part
            first += part * 2 * e
            second += part * (4 * e * e - 2 * alpha * e)
            tilt += part * 2 / alpha * ((e - 1) / alpha - e * (halo.nodes[shell, node] - log_rs))
        halo.mass[shell] = top + math.log(mass)
        halo.slope[shell] = first / mass
        halo.bend[shell] = second / mass - (first / mass) ** 2
        halo.tilt[shell] = tilt / mass
        highest = max(highest, halo.mass[shell])
    for shell in halo.used:
        halo.mass[shell] = math.exp(max(halo.mass[shell] - highest, LOWEST))
    return highest


@compiled
def shape(halo: Halo, log_rs: float, alpha: float) -> float:
    """Einasto's, or for alpha = 0 that of NFW."""
    if alpha == 0:
        return nfw(halo, log_rs)
    return einasto(halo, log_rs, alpha)


@compiled
def score(halo: Halo, log_rs: float, alpha: float) -> tuple[float, float]:
    """First and second derivative of the logarithm of the likelihood by ln rs."""
    shape(halo, log_rs, alpha)
    number, mass, first, second, seen, curved = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for shell in halo.used:
        n, m = halo.counts[shell], halo.mass[shell] / halo.exposures[shell]
        s, b = halo.slope[shell], halo.bend[shell]
        number += n
        mass += m
        first += m * s
        second += m * (s * s + b)
        seen += n * s
        curved += n * b
    mean = first / mass
    return seen - number * mean, curved - number * (second / mass - mean * mean)


@compiled
def summit(halo: Halo, alpha: float, start: float) -> tuple[float, int]:
    """The most likely ln rs for a given alpha, by Newton's method from `start`, safeguarded by halving, and what became of it.

    The slope of the profile steepens outwards, so that s grows with ln r, and the score falls through zero once. Where it does
    not within reach, the end towards which the likelihood rises is returned.
    """
    lowest, highest = math.log(halo.edges[halo.used[0]]) - REACH, math.log(halo.edges[halo.used[-1] + 1]) + REACH
    low, high = lowest, highest
    x, last = start, high - low
    for _ in range(ROUNDS):
        value, change = score(halo, x, alpha)
        if value > 0:
            low = x
        else:
            high = x
        step = -value / change if change < 0 else np.inf
        if not (low < x + step < high and abs(step) < 0.5 * abs(last)):
            step = 0.5 * (low + high) - x
        last = step
        x += step
        if abs(step) < NEAR:
            break
    if x - lowest < END:
        return x, STEEP
    return x, SHALLOW if highest - x < END else FITTED


@compiled
def rise(halo: Halo, log_rs: float, alpha: float) -> tuple[float, float]:
    """Derivative of the logarithm of the likelihood by alpha, and the expected second one along the maxima in ln rs.

    At the maximum in ln rs the first is the total derivative too. The second is minus the Fisher information on alpha with rho_s
    and ln rs unknown: N times the variance of the tilt that is not explained by the slope.
    """
    shape(halo, log_rs, alpha)
    number, mass, seen, tilt, slope, tilts, slopes, both = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for shell in halo.used:
        n, m = halo.counts[shell], halo.mass[shell] / halo.exposures[shell]
        t, s = halo.tilt[shell], halo.slope[shell]
        number += n
        mass += m
        seen += n * t
        tilt += m * t
        slope += m * s
        tilts += m * t * t
        slopes += m * s * s
        both += m * t * s
    tilt, slope = tilt / mass, slope / mass
    covariance = both / mass - tilt * slope
    unexplained = tilts / mass - tilt * tilt - covariance**2 / (slopes / mass - slope * slope)
    return seen - number * tilt, -number * unexplained


@compiled
def ridge(halo: Halo, lowest: float, highest: float, alpha: float, start: float) -> tuple[float, float, int]:
    """Most likely alpha, from `lowest` to `highest`, and the most likely ln rs with it, and what became of the search.

    Along the maxima in ln rs the likelihood has one in alpha, which is sought from `alpha` in the same way as they are.
    """
    low, high, last = lowest, highest, highest - lowest
    for _ in range(ROUNDS):
        start, status = summit(halo, alpha, start)
        value, change = rise(halo, start, alpha)
        if value > 0:
            low = alpha
        else:
            high = alpha
        step = -value / change if change < 0 else np.inf
        if not (low < alpha + step < high and abs(step) < 0.5 * abs(last)):
            step = 0.5 * (low + high) - alpha
        last = step
        alpha += step
        if abs(step) < NEAR:
            break
    if alpha - lowest < END:
        status = NARROW
    elif highest - alpha < END:
        status = WIDE
    return alpha, start, status


@compiled
def fits(
    edges: Floats,
    counts: Floats,
    exposures: Floats,
    used: NDArray[np.bool_],
    low: float,
    high: float,
    rule: Floats,
    found: Floats,
    fisher: Floats,
) -> None:
    """Fill `found` (halo, ln rs and ln rho_s and alpha and deviance and status) and `fisher` (halo, parameter, parameter).

    alpha lies from `low` to `high`; equal, it is fixed; both 0, the profile is NFW's. `rule` is that of Gauss and Legendre: nodes
    and weights.
    """
    shells, points = counts.shape[1], rule.shape[1]
    nodes, weights = np.empty((shells, points)), np.empty((shells, points))
    mass, slope, bend, tilt = np.empty(shells), np.empty(shells), np.empty(shells), np.zeros(shells)
    room = np.empty((3, max(shells + 1, points)))
    for row in range(len(counts)):
        chosen = np.flatnonzero(used[row])
        if (counts[row, chosen] > 0).sum() < 3:
            found[row, 4] = SPARSE
            continue
        if high > 0:
            for shell in chosen:
                inner, outer = math.log(edges[row, shell]), math.log(edges[row, shell + 1])
                for node in range(points):
                    log_r = 0.5 * (inner + outer + (outer - inner) * rule[0, node])
                    nodes[shell, node] = log_r
                    weights[shell, node] = 3 * log_r + math.log(0.5 * (outer - inner) * rule[1, node])
        halo = Halo(edges[row], nodes, weights, counts[row], exposures[row], chosen, mass, slope, bend, tilt, room)
        alpha, start = low, 0.5 * math.log(halo.edges[chosen[0]] * halo.edges[chosen[-1] + 1])
        if low < high:
            alpha, log_rs, status = ridge(halo, low, high, math.sqrt(low * high), start)
        else:
            log_rs, status = summit(halo, alpha, start)
        found[row, 4] = status
        if status != FITTED:
            continue
        factor = shape(halo, log_rs, alpha)
        number, total = 0.0, 0.0
        for shell in chosen:
            number += halo.counts[shell]
            total += mass[shell] / halo.exposures[shell]
        deviance = 0.0
        for shell in chosen:
            n, mu = halo.counts[shell], mass[shell] / halo.exposures[shell] * (number / total)
            deviance += 2 * (mu - n + (n * math.log(n / mu) if n > 0 else 0.0))
            gradient = (slope[shell], 1.0, tilt[shell])
            for i in range(fisher.shape[1]):
                for j in range(fisher.shape[1]):
                    fisher[row, i, j] += mu * gradient[i] * gradient[j]
        found[row, 0], found[row, 1], found[row, 2], found[row, 3] = log_rs, math.log(number / total) - factor, alpha, deviance
