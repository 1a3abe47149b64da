"""The Wilson action of 2D U(1) gauge theory, its force, and the observables of a configuration.

In: link angles [mu, t, x, ...] in [-pi, pi), float64; mu = 0 points along t, mu = 1 along x; the lattice is periodic.
Out: plaquette angles [t, x, ...], and numbers [...] in lattice units.

Any further axes, such as the chain, stand last here: neighbours in memory then do the same arithmetic, which on CPUs is several
times faster than the public order [chain, mu, t, x].

Equation numbers are those of Foreman, Jin and Osborn, "LeapfrogLayers" (Lattice 2021). Everything costs O(T L) time and memory
for each configuration.
"""

from __future__ import annotations

import math
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from triptych.errors import ConfigError

Scalar = float | jax.Array
Charges = TypeVar("Charges", jax.Array, np.ndarray)

TWO_PI = 2 * math.pi
SINE_SERIES = [(-1) ** n / math.factorial(2 * n + 1) for n in range(15)]
SINE_FIT = [9.9999960392e-01, -1.6666553447e-01, 8.3324075968e-03, -1.9808740104e-04, 2.6998228439e-06, -2.0366232705e-08]


def wrap(angles: jax.Array) -> jax.Array:
    """The same angles in [-pi, pi), up to rounding: the bracket of eq. 5."""
    return angles - TWO_PI * jnp.floor((angles + math.pi) / TWO_PI)


def sine(angles: jax.Array) -> jax.Array:
    """Sin of any angle, by a polynomial in the angle wrapped to [-pi, pi).

    In float64 the Taylor series to the 29th power, right to 1e-14. In float32 the odd polynomial of the 11th power whose greatest
    error on [-pi, pi] is smallest (Remez exchange), 1e-7, and with rounding 5e-7.

    `jnp.sin` would do, but on CPUs XLA's is several times slower, and the sine is most of the work of a trajectory.
    """
    coefficients = SINE_FIT if angles.dtype == jnp.float32 else SINE_SERIES
    reduced = wrap(angles)
    square = reduced**2
    series = jnp.full_like(square, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        series = series * square + coefficient
    return reduced * series


def plaquette_angles(links: jax.Array) -> jax.Array:
    """x_P = x_0(n) + x_1(n + e_0) - x_0(n + e_1) - x_1(n), the angle around each plaquette (below eq. 4), not wrapped.

    Raises
    ------
    ConfigError
        If the first axis is not the direction, as in an ensemble's [chain, mu, t, x].
    """
    if links.ndim < 3 or links.shape[0] != 2:
        raise ConfigError(
            "these are no links in the kernels' order",
            got=f"shape {links.shape}",
            expected="[mu = 2, t, x, ...]",
            fix="move the chains last",
        )
    along_t, along_x = links[0], links[1]
    return along_t + jnp.roll(along_x, -1, axis=0) - jnp.roll(along_t, -1, axis=1) - along_x


class Wilson(eqx.Module):
    """The Wilson action S = beta sum_P (1 - cos x_P), eq. 4.

    Attributes
    ----------
    beta : inverse coupling, >= 0; a traced number: changing it compiles nothing anew.

    Examples
    --------
    >>> float(Wilson(4.0).energy(jnp.zeros((2, 8, 8))))
    0.0
    """

    beta: Scalar

    def energy(self, links: jax.Array) -> jax.Array:
        """S [...] of links [mu, t, x, ...], through 1 - cos x = 2 sin^2(x / 2); in float64, also of links in float32."""
        return self.beta * lattice_sum(2 * sine(plaquette_angles(links.astype(float)) / 2) ** 2)

    def force(self, links: jax.Array) -> jax.Array:
        """dS/dx for every link [mu, t, x, ...]: beta times the difference of sin x_P over the two plaquettes that share it."""
        sines = jnp.asarray(self.beta, links.dtype) * sine(plaquette_angles(links))
        return jnp.stack([sines - jnp.roll(sines, 1, axis=1), jnp.roll(sines, 1, axis=0) - sines])

    def observables(self, links: jax.Array) -> dict[str, jax.Array]:
        """Mean plaquette, Q_Z and Q_R, each [...]."""
        return {"plaquette": mean_plaquette(links), "charge": charge(links), "real_charge": real_charge(links)}


def mean_plaquette(links: jax.Array) -> jax.Array:
    """Mean of cos x_P over the lattice.

    Examples
    --------
    >>> float(mean_plaquette(jnp.zeros((2, 8, 8))))
    1.0
    """
    return 1 - Wilson(1.0).energy(links) / math.prod(links.shape[1:3])


def wilson_loop(links: jax.Array, height: int, width: int) -> jax.Array:
    """Mean of the cosine of the angle around all rectangles of `height` links along t and `width` along x.

    A plaquette is 1 x 1; :func:`triptych.lattice.exact.wilson_loop` is what to expect.

    Raises
    ------
    ConfigError
        If the rectangle does not fit into the lattice.

    Examples
    --------
    >>> float(wilson_loop(jnp.zeros((2, 8, 8)), 2, 3))
    1.0
    """
    if not (1 <= height <= links.shape[1] and 1 <= width <= links.shape[2]):
        raise ConfigError(
            "the loop does not fit into the lattice",
            got=f"{height} x {width} on {links.shape[1]} x {links.shape[2]}",
            expected="at least one link and at most the lattice in each direction",
            fix="give a smaller height or width",
        )
    angles = plaquette_angles(links.astype(float))
    for axis, length in enumerate((height, width)):  # the angle around a rectangle is the sum of those inside
        angles = jnp.stack([jnp.roll(angles, -step, axis) for step in range(length)]).sum(axis=0)
    return 1 - lattice_sum(2 * sine(angles / 2) ** 2) / math.prod(links.shape[1:3])


def charge(links: jax.Array) -> jax.Array:
    """Q_Z = sum_P [x_P] / 2 pi, the integer topological charge (eq. 5).

    Examples
    --------
    >>> int(charge(jnp.zeros((2, 8, 8))))
    0
    """
    return jnp.round(lattice_sum(wrap(plaquette_angles(links))) / TWO_PI).astype(jnp.int32)


def real_charge(links: jax.Array) -> jax.Array:
    """Q_R = sum_P sin x_P / 2 pi, the smooth stand-in for Q_Z (below eq. 15).

    Examples
    --------
    >>> float(real_charge(jnp.zeros((2, 8, 8))))
    0.0
    """
    return lattice_sum(sine(plaquette_angles(links))) / TWO_PI


def tunnelling(charges: Charges) -> Charges:
    """``|Q_Z(i + 1) - Q_Z(i)|`` between successive configurations (eq. 6), from [..., trajectory] to one entry less.

    Examples
    --------
    >>> tunnelling(np.array([0, 0, 1, -1])).tolist()
    [0, 1, 2]
    """
    return abs(charges[..., 1:] - charges[..., :-1])


def lattice_sum(values: jax.Array) -> jax.Array:
    """The sum over the two first axes, in one fixed order of additions.

    A compiler orders `jnp.sum` as it likes, and differently for other batch sizes; a chain must not depend on its neighbours.
    """
    terms = values.reshape(-1, *values.shape[2:])
    while len(terms) > 1:
        half = len(terms) // 2
        terms = jnp.concatenate([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    return terms[0]
