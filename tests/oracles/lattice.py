"""Exact answers for the lattice panel, by brute force and in plain NumPy.

In: link angles [mu, t, x], or a coupling. Out: the same quantities as the panel, by slower and simpler means.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def plaquettes(links: np.ndarray) -> np.ndarray:
    """Plaquette angles [t, x], walking around each plaquette: +0, +1, then back along 0 and 1."""
    _, height, width = links.shape
    angles = np.empty((height, width))
    for t in range(height):
        for x in range(width):
            up, right = (t + 1) % height, (x + 1) % width
            angles[t, x] = links[0, t, x] + links[1, up, x] - links[0, t, right] - links[1, t, x]
    return angles


def rectangles(links: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Angles [t, x] around rectangles of `size` links, walking along their sides: +0, +1, then back along 0 and 1."""
    _, height, width = links.shape
    angles = np.zeros((height, width))
    for t in range(height):
        for x in range(width):
            for step in range(size[0]):
                row = (t + step) % height
                angles[t, x] += links[0, row, x] - links[0, row, (x + size[1]) % width]
            for step in range(size[1]):
                column = (x + step) % width
                angles[t, x] += links[1, (t + size[0]) % height, column] - links[1, t, column]
    return angles


def action(links: np.ndarray, beta: float) -> float:
    return float(sum(beta * (1 - math.cos(angle)) for angle in plaquettes(links).flat))


def raw_charge(links: np.ndarray) -> float:
    """The sum of eq. 5 with the angle of exp(i x_P), not rounded."""
    return float(np.angle(np.exp(1j * plaquettes(links))).sum() / (2 * np.pi))


def two_by_two(beta: float, points: int = 64) -> tuple[float, float]:
    """Plaquette and <Q^2> of the 2 x 2 torus: a sum over a grid of three plaquette angles, the fourth closes the product.

    The plaquette converges exponentially in `points`; <Q^2>, whose sectors cut grid cells, as
    1 / points^2.
    """
    angle = -np.pi + 2 * np.pi * (np.arange(points) + 0.5) / points
    first, second, third = np.meshgrid(angle, angle, angle, indexing="ij", sparse=True)
    fourth = np.angle(np.exp(-1j * (first + second + third)))
    weight = np.exp(beta * (np.cos(first) + np.cos(second) + np.cos(third) + np.cos(fourth) - 4))
    charge = np.round((first + second + third + fourth) / (2 * np.pi))
    return float((weight * np.cos(fourth)).sum() / weight.sum()), float((weight * charge**2).sum() / weight.sum())


def uniform_sectors(volume: int) -> dict[int, float]:
    """P(Q >= 0) at beta = 0 for even V: the angles are uniform, and P(Q) is an Eulerian number over (V - 1)!."""
    n = volume - 1
    eulerian = [sum((-1) ** j * math.comb(n + 1, j) * (k + 1 - j) ** n for j in range(k + 1)) for k in range(n)]
    middle = n // 2
    return {q: eulerian[middle + q] / math.factorial(n) for q in range(middle + 1)}


def hmc(
    *,
    beta: float,
    side: int,
    chains: int,
    trajectories: int,
    thermalization: int,
    steps: int,
    step_size: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """HMC (eqs. 10 and 11) in NumPy: charges and acceptance probabilities [chain, trajectory], from a cold start."""

    def angles(x: np.ndarray) -> np.ndarray:
        return x[:, 0] + np.roll(x[:, 1], -1, axis=1) - np.roll(x[:, 0], -1, axis=2) - x[:, 1]

    def kick(x: np.ndarray) -> np.ndarray:
        sines = beta * np.sin(angles(x))
        return np.stack([sines - np.roll(sines, 1, axis=2), np.roll(sines, 1, axis=1) - sines], axis=1)

    def energy(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return -beta * np.cos(angles(x)).sum(axis=(1, 2)) + (v**2).sum(axis=(1, 2, 3)) / 2

    links = np.zeros((chains, 2, side, side))
    charges, probabilities = [], []
    for _ in range(thermalization + trajectories):
        old = rng.normal(size=links.shape)
        moved, momenta = links, old
        for _ in range(steps):
            momenta = momenta - step_size / 2 * kick(moved)
            moved = moved + step_size * momenta
            momenta = momenta - step_size / 2 * kick(moved)
        probability = np.minimum(1, np.exp(energy(links, old) - energy(moved, momenta)))
        links = np.where((rng.uniform(size=chains) < probability)[:, None, None, None], moved, links)
        charges.append(np.round(np.angle(np.exp(1j * angles(links))).sum(axis=(1, 2)) / (2 * np.pi)))
        probabilities.append(probability)
    return np.array(charges[thermalization:]).T, np.array(probabilities[thermalization:]).T


def autocorrelation_time(series: np.ndarray, window: int) -> tuple[float, float]:
    """1 + 2 sum rho up to lag `window` of chains [chain, time] with mean 0, and its jackknife error over chains."""
    length = series.shape[1]
    products = np.array([(series[:, : length - lag] * series[:, lag:]).mean(axis=1) for lag in range(window + 1)])

    def time(products: np.ndarray) -> float:
        gamma = products.mean(axis=1)
        return float(1 + 2 * gamma[1:].sum() / gamma[0])

    left_out = [time(np.delete(products, chain, axis=1)) for chain in range(len(series))]
    return time(products), float(np.sqrt((len(series) - 1) * np.var(left_out)))


def force(links: np.ndarray, beta: float) -> np.ndarray:
    """dS/dx [mu, t, x]: each plaquette pulls at its four links."""
    _, height, width = links.shape
    sines, pulls = beta * np.sin(plaquettes(links)), np.zeros_like(links)
    for t in range(height):
        for x in range(width):
            up, right = (t + 1) % height, (x + 1) % width
            for sign, (mu, row, column) in ((1, (0, t, x)), (1, (1, up, x)), (-1, (0, t, right)), (-1, (1, t, x))):
                pulls[mu, row, column] += sign * sines[t, x]
    return pulls


def leapfrog_layer(
    links: np.ndarray, momenta: np.ndarray, *, beta: float, layer: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, float]:
    """One LeapfrogLayer (eqs. 12 to 14 and the four updates before them), link by link: links, momenta, log Jacobian.

    `layer` holds the step sizes eps_v and eps_x, the mask m, and two networks "kick" and "drift" as in `network`.
    """
    eps_v, eps_x = layer["eps_v"], layer["eps_x"]
    links, momenta, log_jacobian = links.copy(), momenta.copy(), 0.0

    def kick() -> None:
        nonlocal log_jacobian
        pull = force(links, beta)
        s, t, q = network(layer["kick"], links, np.ones(links.shape, bool), pull)
        for i in np.ndindex(links.shape):
            momenta[i] = momenta[i] * math.exp(eps_v * s[i] / 2) - eps_v / 2 * (pull[i] * math.exp(eps_v * q[i]) + t[i])
            log_jacobian += eps_v * s[i] / 2

    def drift(seen: np.ndarray) -> None:
        nonlocal log_jacobian
        s, t, q = network(layer["drift"], links, seen, momenta)
        for i in np.ndindex(links.shape):
            if not seen[i]:
                a, x = eps_x * s[i], links[i]
                links[i] = 2 * math.atan(math.exp(a) * math.tan(x / 2)) + eps_x * (momenta[i] * math.exp(eps_x * q[i]) + t[i])
                log_jacobian += a - math.log(math.cos(x / 2) ** 2 + math.exp(2 * a) * math.sin(x / 2) ** 2)

    kick()
    drift(layer["mask"])
    drift(~layer["mask"])
    kick()
    return links, momenta, log_jacobian


def network(weights: dict[str, Any], links: np.ndarray, seen: np.ndarray, field: np.ndarray) -> list[np.ndarray]:
    """s, t and q (eqs. 12 to 14) with tanh for sigma; what is not seen has neither cosine nor sine."""
    cosines = [math.cos(x) if see else 0.0 for x, see in zip(links.flat, seen.flat, strict=True)]
    sines = [math.sin(x) if see else 0.0 for x, see in zip(links.flat, seen.flat, strict=True)]

    def times(matrix: np.ndarray, vector: list[float] | np.ndarray) -> list[float]:
        return [sum(w * z for w, z in zip(row, vector, strict=True)) for row in matrix]

    parts = times(weights["cos"], cosines), times(weights["sin"], sines), times(weights["field"], field.ravel()), weights["b_1"]
    h = [math.tanh(sum(one)) for one in zip(*parts, strict=True)]
    for matrix, bias in weights["hidden"]:
        h = [math.tanh(z + b) for z, b in zip(times(matrix, h), bias, strict=True)]

    def head(name: str) -> np.ndarray:
        return np.reshape(times(weights[f"w_{name}"], h), links.shape) + weights[f"b_{name}"]

    return [weights["lambda_s"] * np.tanh(head("s")), head("t"), weights["lambda_q"] * np.tanh(head("q"))]
