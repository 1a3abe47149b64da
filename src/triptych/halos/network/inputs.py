"""What an encoder sees of a halo.

In: what a data set stores of it: log10(1 + rho/rho_m) in boxes, or particles counted in spherical cells, or a vector of anything.
Out: numbers of order one. Means and widths are those of training halos, and belong to the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from triptych.halos.voxels.symmetries import apply_symmetry

Form = Literal["counts", "log_density", "plain"]
Stored = Literal["log_density", "counts", "plain"]
_ANSCOMBE = 3.0 / 8.0  # 2 sqrt(n + 3/8) of a Poisson number n has variance 1 (F. J. Anscombe, Biometrika 35 (1948) 246)


class Input(eqx.Module):
    """From what is stored to what an encoder sees: (value(stored) - mean) / width.

    Attributes
    ----------
    at_mean : broadcasts to the cells: the number of particles in a cell at the mean density of the universe.
    mean, width : broadcast to the cells.
    stored : what the data set holds: log10(1 + rho/rho_m), numbers of particles, or a plain vector.
    form : the value. "counts": 2 sqrt(n + 3/8) of the number n of particles, whose noise is the same in empty and full cells,
        less the same of the mean number at this distance from the centre. "log_density": log10(1 + rho/rho_m), as in the Letter.
        "plain": as it is.
    """

    at_mean: jax.Array
    mean: jax.Array
    width: jax.Array
    stored: Stored = eqx.field(static=True)
    form: Form = eqx.field(static=True)

    def __call__(self, stored: jax.Array) -> jax.Array:
        """What the encoder sees: an array of the same shape, float32."""
        return (value(stored.astype(jnp.float32), self.at_mean, self.stored, self.form) - self.mean) / self.width


def value(stored: jax.Array, at_mean: jax.Array, kind: Stored, form: Form) -> jax.Array:
    """What :class:`Input` standardises."""
    if form == "plain" or (form, kind) == ("log_density", "log_density"):
        return stored
    if form == "log_density":
        return jnp.log10(1.0 + stored / at_mean)
    return 2.0 * jnp.sqrt(_particles(stored, at_mean, kind) + _ANSCOMBE)


def _particles(stored: jax.Array, at_mean: jax.Array, kind: Stored) -> jax.Array:
    return stored if kind == "counts" else jnp.expm1(stored * np.log(10.0).astype(np.float32)) * at_mean


def learn(pieces: Iterable[NDArray[np.generic]], at_mean: NDArray[np.floating], kind: Stored, form: Form) -> Input:
    """The input with means and widths of some training halos.

    Parameters
    ----------
    pieces : of what is stored: (halo, level, n, n, n), (halo, layer, pixel) or (halo, number).
    at_mean : (level, 1, 1, 1), (layer, 1) or ().

    Returns
    -------
    Input
        With "counts" the mean is that of the mean number of particles in the cells at one distance from the centre, the width 1;
        with "log_density" both are of a whole level or layer; with "plain" of each number.
    """
    cells = jnp.asarray(at_mean, jnp.float32)
    number, total, square = 0, np.zeros(()), np.zeros(())
    for piece in pieces:
        stored = jnp.asarray(piece).astype(jnp.float32)
        seen = np.asarray(_particles(stored, cells, kind) if form == "counts" else value(stored, cells, kind, form), np.float64)
        number, total, square = number + len(seen), total + seen.sum(axis=0), square + (seen**2).sum(axis=0)
    mean, square = total / number, square / number
    if form == "counts":
        mean, width = 2.0 * np.sqrt(_alike(mean) + _ANSCOMBE), np.ones(())
    else:
        if form == "log_density":
            mean, square = (moment.mean(axis=tuple(range(1, mean.ndim)), keepdims=True) for moment in (mean, square))
        width = np.sqrt(np.maximum(square - mean**2, 0.0))
        width = np.where(width > 1e-6 * np.abs(mean), width, 1.0)  # what never changes, but for rounding
    return Input(cells, jnp.asarray(mean, jnp.float32), jnp.asarray(width, jnp.float32), kind, form)


def _alike(cells: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mean over cells that a symmetry carries into each other; the sphere's pixels are all alike."""
    if cells.ndim == 2:
        return np.asarray(cells.mean(axis=1, keepdims=True))
    total = np.zeros_like(cells)
    for k in range(48):
        total += apply_symmetry(cells, k)
    return total / 48
