"""What is simulated: a theory of link angles on a periodic T x L lattice, and what a sampler must know of it.

In: a coupling and a shape. Out: nothing, or a refusal of a theory that cannot be.
"""

from __future__ import annotations

import math
from typing import Protocol

import jax

from triptych.errors import ConfigError

Shape = tuple[int, int]


class Action(Protocol):
    """What samplers and drivers ask of a theory, for links [mu, t, x, chain]: a pytree whose couplings are traced numbers.

    :class:`triptych.lattice.action.Wilson` is the one of the paper; another theory needs these three methods and nothing else.
    """

    def energy(self, links: jax.Array) -> jax.Array:
        """S [chain]; the weight of a configuration is exp(-S)."""

    def force(self, links: jax.Array) -> jax.Array:
        """dS/dx, like `links`."""

    def observables(self, links: jax.Array) -> dict[str, jax.Array]:
        """What is recorded of each configuration, each [chain]."""


def refuse_impossible(beta: float, shape: Shape) -> None:
    """Refuse a coupling or a lattice that cannot be.

    Parameters
    ----------
    beta : inverse coupling, >= 0.
    shape : (T, L), the number of sites in the two directions. With a single site in a direction the links around a plaquette
        cancel in pairs, so at least two are asked for.

    Raises
    ------
    ConfigError
        If `beta` is negative or not finite, or `shape` is not two whole numbers >= 2.

    Examples
    --------
    >>> refuse_impossible(4.0, (8, 8))
    """
    if not (math.isfinite(beta) and beta >= 0):
        raise ConfigError("beta is no coupling", got=beta, expected="a finite number >= 0", fix="the paper uses 2 to 7")
    if len(shape) != 2 or any(isinstance(n, bool) or int(n) != n or n < 2 for n in shape):
        raise ConfigError("shape is no lattice", got=shape, expected="two whole numbers >= 2", fix="give T,L such as 8,8")
