"""A smooth map of the circle onto itself that stretches one side and squeezes the other, and its slope.

In: angles in [-pi, pi) and the logarithm a of the scale. Out: angles in [-pi, pi], or logarithms of slopes; both elementwise.

tan(x / 2) -> e^a tan(x / 2) keeps 0 and pi in place, rises everywhere, and has the inverse with -a. It takes the place of x ->
e^a x, which leaves the circle. Half angles make it stable where the tangent overflows.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from triptych.lattice.action import sine


def scale(angles: jax.Array, log_scale: jax.Array) -> jax.Array:
    """2 atan(e^a tan(x / 2)).

    Examples
    --------
    >>> there = scale(jnp.array([-3.0, 0.0, 2.0]), jnp.array(0.7))
    >>> bool(jnp.allclose(scale(there, jnp.array(-0.7)), jnp.array([-3.0, 0.0, 2.0])))
    True
    """
    half = jnp.exp(log_scale / 2)  # on either side of the fraction: neither overflows before e^a does
    return 2 * jnp.arctan2(half * sine(angles / 2), sine((angles + math.pi) / 2) / half)


def log_slope(angles: jax.Array, log_scale: jax.Array) -> jax.Array:
    """The logarithm of the map's slope at `angles`: -log(e^-a cos^2(x / 2) + e^a sin^2(x / 2))."""
    cosines, sines = sine((angles + math.pi) / 2), sine(angles / 2)
    return -jnp.log(jnp.exp(-log_scale) * cosines**2 + jnp.exp(log_scale) * sines**2)
