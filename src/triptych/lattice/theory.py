"""What is simulated: 2D U(1) lattice gauge theory with the Wilson action on a periodic T x L lattice.

In: a coupling and a shape. Out: nothing, or a refusal of a theory that cannot be.
"""

from __future__ import annotations

import math

from triptych.errors import ConfigError

Shape = tuple[int, int]


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
