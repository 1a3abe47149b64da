"""One convolution for every machine.

In: boxes with channels, and a kernel. Out: the convolved boxes, every second voxel of them.

XLA has no fast three-dimensional convolution on CPUs: there the 27 shifted boxes are laid side by side and one matrix product
does the rest. Accelerators have one, and take it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp

KERNEL = 3  # voxels along each side of the kernel
Convolve = Callable[[jax.Array, jax.Array], jax.Array]
_FORM = ("NDHWC", "DHWIO", "NDHWC")


def conv3d(boxes: jax.Array, kernel: jax.Array, *, stride: int = 2) -> jax.Array:
    """Convolve with a kernel of 3^3 voxels; beyond the faces of a box there is nothing.

    Parameters
    ----------
    boxes : [box, x, y, z, channel].
    kernel : [3, 3, 3, channel, filter].
    stride : 1, or 2 to keep every second voxel.

    Returns
    -------
    [box, x', y', z', filter], x' = ceil(x / stride).

    Notes
    -----
    Time: 27 channels filters for each voxel that is kept. On CPUs the memory is 27 times that of the channels at these voxels.

    Examples
    --------
    >>> conv3d(jnp.ones((1, 4, 4, 4, 1)), jnp.ones((3, 3, 3, 1, 1)))[0, :, 0, 0, 0].tolist()  # a corner has 8 neighbours
    [8.0, 12.0]
    """
    convolved: jax.Array = jax.lax.platform_dependent(boxes, kernel, cpu=_patches(stride), default=_native(stride))
    return convolved


def _native(stride: int) -> Convolve:
    def convolve(boxes: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(boxes, kernel, (stride,) * 3, ((1, 1),) * 3, dimension_numbers=_FORM)

    return convolve


def _patches(stride: int) -> Convolve:
    def convolve(boxes: jax.Array, kernel: jax.Array) -> jax.Array:
        number, *sides, channels = boxes.shape
        padded = jnp.pad(boxes, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
        kept = [-(-side // stride) for side in sides]
        shifted = [
            jax.lax.slice(
                padded,
                (0, *shift, 0),
                (number, *(first + stride * (keep - 1) + 1 for first, keep in zip(shift, kept, strict=True)), channels),
                (1, stride, stride, stride, 1),
            )
            for shift in itertools.product(range(KERNEL), repeat=3)
        ]
        return jnp.concatenate(shifted, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])

    return convolve
