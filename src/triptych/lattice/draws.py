"""Exact, independent configurations of the Wilson action, without a Markov chain.

In: a key for each chain, beta, and a shape. Out: link angles [mu, t, x, chain] in [-pi, pi).

The V plaquette angles are independent, each with the von Mises density f(x) ~ exp(beta cos x), but for one condition: on a
periodic lattice they add up to a multiple of 2 pi. So V angles are drawn from f, and s / V is taken off each; s in [-pi, pi) is
their sum, up to multiples of 2 pi. Any s may have led to the angles x that remain. Their density is therefore exp(-S) times

    G(x) = int_{-pi}^{pi} ds prod_P f(x_P + s / V) / f(x_P) = int_{-pi}^{pi} ds exp(beta [C (cos(s / V) - 1) - R sin(s / V)]),

with C = sum_P cos x_P and R = sum_P sin x_P. G is smallest where C = V and R = 0. To keep x with probability G_min / G(x), on
average 0.77 or more, makes the draw exact.

The links follow from the plaquettes up to what no plaquette sees: one constant shift of all links in each direction (the torons),
and a gauge transformation. All of these are uniform.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, ndtri

from triptych.lattice.action import TWO_PI, Scalar, lattice_sum, sine, wrap
from triptych.lattice.theory import Shape

FARTHEST, SPACING = 8.5, 1 / 16  # of the nodes of a quantile function; normal deviates made of 53 bits end at 8.3
NEWTON_STEPS = 12
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)


@partial(jax.jit, static_argnames="shape")
def independent(keys: jax.Array, beta: Scalar, shape: Shape) -> jax.Array:
    """One configuration for each key, distributed as exp(-S) and independent of all others.

    Parameters
    ----------
    keys : [chain], used up. A chain depends on its own key alone, not on its neighbours.
    beta : inverse coupling, 0 to 3e4; a traced number.
    shape : (T, L), static.

    Returns
    -------
    Array
        Links [mu, t, x, chain], float64.

    Notes
    -----
    Exact up to rounding and the quantiles, whose distribution function is right to 1e-10. Costs about 1.2 T L normal numbers a
    chain, but all chains wait for the one that is rejected most often, some five times. What depends on beta alone is made anew
    in every call, in about a millisecond.

    Examples
    --------
    >>> from triptych.lattice.action import charge
    >>> links = independent(jax.random.split(jax.random.key(1), 100), 2.0, (8, 8))
    >>> links.shape, len(set(charge(links).tolist())) > 3
    ((2, 8, 8, 100), True)
    """
    beta = jnp.asarray(beta, float)
    draw = partial(_configuration, beta=beta, shape=shape, quantile=_von_mises_quantile(beta))
    return jax.vmap(draw, out_axes=-1)(keys)


def _configuration(key: jax.Array, *, beta: Scalar, shape: Shape, quantile: Quantile) -> jax.Array:
    """The links [mu, t, x] of one chain."""
    for_plaquettes, for_links = jax.random.split(key)
    plaquettes = _plaquettes(for_plaquettes, beta=beta, volume=math.prod(shape), quantile=quantile)
    return _links(for_links, plaquettes.reshape(shape))


def _plaquettes(key: jax.Array, *, beta: Scalar, volume: int, quantile: Quantile) -> jax.Array:
    """Plaquette angles [P] whose sum is a multiple of 2 pi."""
    reach = jnp.minimum(math.pi, 10 * jnp.sqrt(volume / (beta + 1e-9)))  # beyond 10 standard deviations the integrand is nothing
    bend, tilt = jnp.cos(reach * NODES / volume) - 1, jnp.sin(reach * NODES / volume)
    smallest = jnp.exp(beta * volume * bend) @ WEIGHTS

    def attempt(now: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        tries, _, _ = now
        uniform = jax.random.uniform(jax.random.fold_in(key, tries), (volume + 1,), minval=jnp.nextafter(-1.0, 0.0))
        angles = quantile(math.sqrt(2) * jax.lax.erf_inv(uniform[:-1]))
        angles = angles - wrap(total(angles)) / volume
        cosines, sines = volume - total(2 * sine(angles / 2) ** 2), total(sine(angles))
        found = jnp.exp(beta * (cosines * bend - sines * tilt)) @ WEIGHTS
        return tries + 1, angles, (1 + uniform[-1]) / 2 * found < smallest

    def total(values: jax.Array) -> jax.Array:
        return lattice_sum(values[:, None])

    begin = jnp.asarray(0), jnp.zeros(volume), jnp.asarray(False)
    _, angles, _ = jax.lax.while_loop(lambda now: ~now[2], attempt, begin)
    return angles


def _links(key: jax.Array, plaquettes: jax.Array) -> jax.Array:
    """Links [mu, t, x] with these plaquettes [t, x], everything else uniform.

    Links along x that are constant along x take up the sum of each row; links along t take up the rest.
    """
    height, width = plaquettes.shape
    uniform = jax.random.uniform(key, (height * width + 2,), minval=-math.pi, maxval=math.pi)
    gauge, torons = uniform[:-2].reshape(height, width), uniform[-2:]
    in_rows = jnp.cumsum(plaquettes, axis=1)
    rows = in_rows[:, -1:] / width
    along_x = jnp.broadcast_to(jnp.cumsum(rows, axis=0) - rows, plaquettes.shape)
    along_t = plaquettes - in_rows + (jnp.roll(along_x, -1, axis=0) - along_x) * np.arange(width)
    moved = jnp.stack([jnp.roll(gauge, -1, axis=0), jnp.roll(gauge, -1, axis=1)])
    return wrap(jnp.stack([along_t, along_x]) + torons[:, None, None] + gauge - moved)


class Quantile(NamedTuple):
    """An odd function of a normal deviate, at equally spaced nodes >= 0, with its derivatives in units of the spacing."""

    value: jax.Array  # [node]
    slope: jax.Array  # [node]
    curvature: jax.Array  # [node]

    def __call__(self, normal: jax.Array) -> jax.Array:
        """Quintic Hermite interpolation between neighbouring nodes."""
        position = jnp.abs(normal) / SPACING
        node = jnp.floor(position).astype(jnp.int32)
        t = position - node
        value, slope, half = self.value[node], self.slope[node], self.curvature[node] / 2
        rise = self.value[node + 1] - value - slope - half
        steeper = self.slope[node + 1] - slope - 2 * half
        rounder = self.curvature[node + 1] / 2 - half
        third = 10 * rise - 4 * steeper + rounder
        fourth = -15 * rise + 7 * steeper - 2 * rounder
        fifth = 6 * rise - 3 * steeper + rounder
        found = value + t * (slope + t * (half + t * (third + t * (fourth + t * fifth))))
        return jnp.where(normal < 0, -found, found)


def _von_mises_quantile(beta: Scalar) -> Quantile:
    """The angle that as many lie below as below a normal deviate z: F(x) = Phi(z), solved by Newton's method.

    The derivatives follow from x' = phi(z) / f(x).
    """
    z = SPACING * jnp.arange(round(FARTHEST / SPACING) + 1)
    scaled_bessel = i0e(beta)

    def density(angles: jax.Array) -> jax.Array:
        return jnp.exp(-2 * beta * sine(angles / 2) ** 2) / (TWO_PI * scaled_bessel)

    def newton(_: int, x: jax.Array) -> jax.Array:
        left = jnp.maximum(math.pi - x, 1e-15)
        half = jnp.minimum(left, 10 / jnp.sqrt(beta + 1)) / 2  # farther out there is nothing
        above = density(x[:, None] + half[:, None] * (NODES + 1)) @ WEIGHTS * half
        now = -ndtri(above)
        return x + jnp.minimum((z - now) * normal_density(now) / density(x), 0.9 * left)

    def normal_density(deviates: jax.Array) -> jax.Array:
        return jnp.exp(-(deviates**2) / 2) / math.sqrt(TWO_PI)

    x = jax.lax.fori_loop(0, NEWTON_STEPS, newton, math.pi * jax.lax.erf(scaled_bessel * z / math.sqrt(2)))
    slope = normal_density(z) / density(x)
    return Quantile(x, slope * SPACING, slope * (beta * sine(x) * slope - z) * SPACING**2)
