"""Exact values on the finite torus, by two routes that share no formula.

In: a coupling beta >= 0 and a lattice shape (T, L). Out: the mean plaquette, <Q_Z^2> and the probability of each sector Q_Z.

On a periodic lattice the V = T L plaquette angles in [-pi, pi) are independent, each with density proportional to
f(phi) = exp(beta cos phi), but for one constraint: they sum to 2 pi Q_Z. Hence |Q_Z| < V / 2.

- Characters: every quantity is a sum over the characters n of U(1) of powers of c(nu) = <cos(nu phi)>_f; nu is an integer for
  the plaquette (Bessel functions) and n + theta / 2 pi at vacuum angle theta (Kovacs, Tomboulis and Schram, hep-th/9505005;
  Bonati and Rossi, arXiv:1901.09830).
- Convolution: the density of the sum itself, on grids of angles whose error is extrapolated away in powers of the spacing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ive, zeta

from triptych.errors import ConfigError
from triptych.lattice.theory import Shape, refuse_impossible

Floats = NDArray[np.float64]
RESOLUTION = 1e-12  # sectors rarer than this are left out: rounding, at 1e-13, blurs them
LARGEST_VOLUME = 1024**2  # a second, by characters
LARGEST_BETA = 3e4  # half a gigabyte and three seconds on 2 x 2
LARGEST_GRID = 2**25  # angles on the finest grid of the convolution: 256 MB each array


@dataclass(frozen=True, slots=True, kw_only=True)
class Torus:
    """The exact answer at one coupling on one lattice.

    Attributes
    ----------
    plaquette : <cos x_P>.
    charge_squared : <Q_Z^2>.
    sectors : P(Q) for Q = 0, 1, 2, ...; P(-Q) = P(Q). Sectors with P(Q) below 1e-12 are left out.
    """

    plaquette: float
    charge_squared: float
    sectors: dict[int, float]


def torus(beta: float, shape: Shape, *, route: Literal["characters", "convolution"] = "characters") -> Torus:
    """Exact plaquette, <Q_Z^2> and sector probabilities on a periodic T x L lattice.

    Rounding leaves an absolute error of about 1e-13 in the plaquette and in the sectors, and 1e-11 V^(1/2) in <Q_Z^2>, which
    is therefore not resolved where it is smaller (large beta on a tiny lattice); sectors rarer than 1e-12 are left out.
    The convolution is a check: beyond 64 x 64 its <Q_Z^2> is good to 1e-8 (relative) only. Time and memory grow as V^(1/2) and
    beta^(1/2): milliseconds up to 16 x 16, a tenth of a second for 64 x 64, a second for 1024 x 1024.

    Raises
    ------
    ConfigError
        If beta, the shape or the route cannot be; if there are more than 1024^2 sites, or beta exceeds 3e4.

    Examples
    --------
    >>> answer = torus(4.0, (8, 8))
    >>> print(f"{answer.plaquette:.6f} {answer.charge_squared:.6f} {answer.sectors[1]:.5f}")
    0.863530 0.482016 0.20348
    """
    refuse_impossible(beta, shape)
    refuse_too_large(beta, shape)
    volume = shape[0] * shape[1]
    if route == "characters":
        return _by_characters(beta, volume)
    if route == "convolution":
        return _by_convolution(beta, volume)
    raise ConfigError("no such route to the exact values", got=route, expected="'characters' or 'convolution'")


def wilson_loop(beta: float, shape: Shape, area: int) -> float:
    """Exact mean of the cosine of the angle around `area` plaquettes: sum_n c(n)^(V - A) c(n + 1)^A / sum_n c(n)^V.

    Tends to (I_1(beta) / I_0(beta))^A in infinite volume; an area of 1 gives the plaquette.

    Raises
    ------
    ConfigError
        If beta or the shape cannot be or are too large, or the area is not between 0 and V.

    Examples
    --------
    >>> print(f"{wilson_loop(4.0, (8, 8), 4):.6f}")
    0.556099
    """
    refuse_impossible(beta, shape)
    refuse_too_large(beta, shape)
    volume = shape[0] * shape[1]
    if not 0 <= area <= volume:
        raise ConfigError(
            "no loop has this area", got=area, expected=f"0 to {volume} plaquettes", fix="count the plaquettes inside"
        )
    n = np.arange(-_cutoff(beta, volume), _cutoff(beta, volume) + 1)
    bessel, above = ive(np.abs(n), beta) / ive(0, beta), ive(np.abs(n + 1), beta) / ive(0, beta)
    return float(np.sum(bessel ** (volume - area) * above**area) / np.sum(bessel**volume))


def refuse_too_large(beta: float, shape: Shape) -> None:
    """Refuse what would take minutes or gigabytes: more than 1024^2 sites, or beta above 3e4.

    Raises
    ------
    ConfigError
        Naming the number that is too large.
    """
    volume = int(shape[0]) * int(shape[1])
    if volume > LARGEST_VOLUME:
        raise ConfigError(
            "shape is too large for the exact values",
            got=f"{shape[0]},{shape[1]}: {volume} sites",
            expected=f"<= {LARGEST_VOLUME} sites",
            fix="give a smaller lattice: already at 64,64 the plaquette and <Q^2> / V are those of infinite volume",
        )
    if beta > LARGEST_BETA:
        raise ConfigError("beta is too large for the exact values", got=beta, expected=f"<= {LARGEST_BETA:g}")


def _period(volume: int) -> int:
    """How many consecutive charges hold all the probability: all V, or 9 standard deviations at the widest, beta = 0."""
    return min(volume, 4 + 2 * math.ceil(9 * math.sqrt(volume / 12)))


def _sectors(weights: Floats) -> dict[int, float]:
    """Sector probabilities from the weights of Q = 0, 1, ..., -2, -1 (FFT order)."""
    probabilities = weights / weights.sum()
    return {q: float(p) for q, p in enumerate(probabilities[: (weights.size + 1) // 2]) if q == 0 or p > RESOLUTION}


def _by_characters(beta: float, volume: int) -> Torus:
    n = np.arange(-_cutoff(beta, volume), _cutoff(beta, volume) + 1)
    bessel, below = ive(np.abs(n), beta) / ive(0, beta), ive(np.abs(n - 1), beta) / ive(0, beta)
    plaquette = np.sum(bessel ** (volume - 1) * below) / np.sum(bessel**volume)

    angles, weights = _one_plaquette(beta, n[-1])
    slope = -np.sin(np.outer(n, angles)) @ (weights * angles)
    curvature = -np.cos(np.outer(n, angles)) @ (weights * angles**2)
    second = volume * (volume - 1) * bessel ** (volume - 2) * slope**2 + volume * bessel ** (volume - 1) * curvature
    charge_squared = -np.sum(second) / np.sum(bessel**volume) / (2 * np.pi) ** 2

    return Torus(
        plaquette=float(plaquette),
        charge_squared=max(float(charge_squared), 0.0),
        sectors=_sectors(_fourier_weights(beta, volume)),
    )


def _cutoff(beta: float, volume: int) -> int:
    """The largest character needed at integer nu: c(n)^V falls at least as fast as exp(-V n^2 / 2 beta)."""
    return 16 + math.ceil(10 * math.sqrt(beta / volume))


def _fourier_weights(beta: float, volume: int) -> Floats:
    """P(Q) up to a factor, as the Fourier coefficients of Z(theta) = sum_n c(n + theta / 2 pi)^V, which has finitely many."""
    reach = _cutoff(beta, volume) + 256 // volume
    period = _period(volume)
    angles, weights = _one_plaquette(beta, reach + 1)
    partition = np.empty(period)
    for k in range(period):
        shift = min(k, period - k) / period
        nu = np.arange(-reach, reach + 1) + shift
        partition[k] = np.sum((np.cos(np.outer(nu, angles)) @ weights) ** volume) + _rest(beta, volume, reach, shift)
    return np.fft.fft(partition).real


def _rest(beta: float, volume: int, reach: int, shift: float) -> float:
    """The sum of c(n + shift)^V over |n| > reach, seen only on 2 x 2 and 2 x 3 lattices.

    The circle is cut at pi, where f is not 0: there c(nu) = f(pi) sin(pi nu) / (pi nu) (1 + O(beta / nu^2)).
    """
    edge = math.exp(-2 * beta) / ive(0, beta) * math.sin(math.pi * shift) / math.pi
    return float(edge**volume * (zeta(volume, reach + 1 + shift) + zeta(volume, reach + 1 - shift)))


def _one_plaquette(beta: float, frequency: int) -> tuple[Floats, Floats]:
    """Nodes in [-pi, pi] and weights that average cos(nu phi) and phi^2 cos(nu phi) over f for |nu| <= frequency.

    Gauss-Legendre panels of 24 nodes; f itself holds frequencies up to about 9 sqrt(beta).
    """
    panels = 4 + math.ceil((frequency + 9 * math.sqrt(beta)) / 4)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    centres = np.pi * (2 * np.arange(panels) + 1 - panels) / panels
    angles = (centres[:, None] + np.pi / panels * nodes).ravel()
    density = np.tile(weights, panels) * np.exp(beta * (np.cos(angles) - 1))
    return angles, density / density.sum()


def _by_convolution(beta: float, volume: int) -> Torus:
    period, coarsest = _period(volume), 32 * (1 + math.ceil(math.sqrt(beta)))
    if period * coarsest * 2**5 > LARGEST_GRID:
        raise ConfigError(
            "beta and shape are too large for the convolution",
            got=f"beta {beta:g}, {volume} sites",
            fix="give route='characters', or a smaller lattice",
        )
    table = [_on_grid(beta, volume, period, coarsest * 2**level) for level in range(6)]
    for order in (2, 3, 4, 5, 6):  # Richardson: even powers of the spacing, and odd ones from V - 1 on for even V
        table = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in pairwise(table)]
    density, with_cosine = table[0]
    charges = np.fft.fftfreq(period, 1 / period)
    return Torus(
        plaquette=float(with_cosine.sum() / density.sum()),
        charge_squared=float(np.sum(charges**2 * density) / density.sum()),
        sectors=_sectors(density),
    )


def _on_grid(beta: float, volume: int, period: int, points: int) -> Floats:
    """Density of the sum of V angles at 2 pi Q, plain and with cos of one of them as a weight: [2, Q in FFT order].

    One turn holds `points` grid points; the cut at -pi = pi counts half on either side.
    """
    angles = 2 * np.pi * np.fft.fftfreq(period * points, 1 / (period * points)) / points
    inside = np.where(np.isclose(np.abs(angles), np.pi), 0.5, np.abs(angles) < np.pi)
    one = inside * np.exp(beta * (np.cos(angles) - 1))
    norm = one.sum()
    spectrum = np.fft.rfft(one / norm)
    weighted = np.fft.rfft(one / norm * np.cos(angles))
    sums = np.fft.irfft([spectrum**volume, spectrum ** (volume - 1) * weighted], period * points)
    return sums[:, ::points] * points
