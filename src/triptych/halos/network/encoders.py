"""Encoders: from what is seen of a halo to the mean and width of its latents.

In: arrays [halo, ...] of order one. Out: the means and log variances of L independent Gaussians, [halo, L] each. A convolutional
network on one grid, as in the Letter, or on nested ones; a stem that sees spherical cells; and layers for plain vectors.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp

from triptych.halos.network.conv import KERNEL, conv3d

_SMALLEST = 4  # voxels along a side that the convolutions leave


class Encoder(Protocol):
    """What every encoder is; its last layers are dense ones."""

    @property
    def dense(self) -> Layers:
        """The last layers, which give means and log variances."""
        ...

    def __call__(self, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Means and log variances of the latents, [halo, latent] each, from [halo, ...]."""
        ...


class Layers(eqx.Module):
    """Dense layers with x sigmoid(x) between them."""

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]

    def __init__(self, *widths: int, key: jax.Array) -> None:
        shapes = list(pairwise(widths))
        keys = jax.random.split(key, (len(shapes), 2))
        scales = [before**-0.5 for before, _ in shapes]
        self.weights = tuple(
            jax.random.uniform(k[0], shape, jnp.float32, -scale, scale)
            for shape, scale, k in zip(shapes, scales, keys, strict=True)
        )
        self.biases = tuple(
            jax.random.uniform(k[1], shape[1:], jnp.float32, -scale, scale)
            for shape, scale, k in zip(shapes, scales, keys, strict=True)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., first width] to [..., last width]."""
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = (jax.nn.silu(x) if place else x) @ weight + bias
        return x


class Convolutions(eqx.Module):
    """The Letter's three-dimensional network, on one grid or on nested ones, whose levels are its channels.

    Convolutions by 3^3 kernels that keep every second voxel, until at most 4 are left along a side: 2 for boxes of 16^3, 6 for
    131^3. Then one dense layer. In "bfloat16" the convolutions take and give 16 bits, which accelerators do fast.
    """

    kernels: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    dense: Layers
    half: bool = eqx.field(static=True)

    def __init__(self, levels: int, n: int, latents: int, *, filters: int, width: int, half: bool, key: jax.Array) -> None:
        sides = [n]
        while sides[-1] > _SMALLEST:
            sides.append(-(-sides[-1] // 2))
        channels = [levels, *(min(filters * 2**depth, 8 * filters) for depth in range(len(sides) - 1))]
        *keys, last = jax.random.split(key, len(sides))
        self.kernels = tuple(
            jax.random.normal(k, (KERNEL,) * 3 + (before, after), jnp.float32) * math.sqrt(2.0 / (KERNEL**3 * before))
            for (before, after), k in zip(pairwise(channels), keys, strict=True)
        )
        self.biases = tuple(jnp.zeros(after, jnp.float32) for after in channels[1:])
        self.dense = Layers(channels[-1] * sides[-1] ** 3, width, 2 * latents, key=last)
        self.half = half

    def __call__(self, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
        """From [halo, level, n, n, n]."""
        x = jnp.moveaxis(seen, 1, -1)
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            if self.half:
                x = conv3d(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)).astype(jnp.float32)
            else:
                x = conv3d(x, kernel)
            x = jax.nn.silu(x + bias)
        return _halves(self.dense(x.reshape(len(x), -1)))


class SphericalStem(eqx.Module):
    """Sees particles counted in 24 spherical layers times 48 pixels of the sky.

    The same layers look at the profile above each pixel; the mean and the scatter over the sky go on. So the spherical geometry
    is built in, which the Letter's network had to learn, and no symmetry of the cube changes what comes out.
    """

    pixel: Layers
    dense: Layers

    def __init__(self, layers: int, latents: int, *, width: int, key: jax.Array) -> None:
        first, second = jax.random.split(key)
        self.pixel = Layers(layers, width, width, key=first)
        self.dense = Layers(2 * width, width, 2 * latents, key=second)

    def __call__(self, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
        """From [halo, layer, pixel]."""
        x = jax.nn.silu(self.pixel(jnp.swapaxes(seen, 1, 2)))
        spread = jnp.sqrt(x.var(axis=1) + 1e-6)  # a root at 0 has no slope
        return _halves(self.dense(jnp.concatenate([x.mean(axis=1), spread], axis=1)))


class Vector(eqx.Module):
    """Dense layers for a plain vector: a profile itself, a power spectrum, parameters."""

    dense: Layers

    def __init__(self, size: int, latents: int, *, width: int, key: jax.Array) -> None:
        self.dense = Layers(size, width, width, 2 * latents, key=key)

    def __call__(self, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
        """From [halo, number]."""
        return _halves(self.dense(seen))


def _halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    mean, log_variance = jnp.split(x, 2, axis=-1)
    return mean, log_variance
