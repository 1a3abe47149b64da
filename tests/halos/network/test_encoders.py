"""Encoders: how deep, what they cannot see, and that halos of a batch do not see each other."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from triptych.halos.network.encoders import Convolutions, Layers, SphericalStem, Vector

KEY = jax.random.key(2)


def seen(*shape):
    return jnp.asarray(np.random.default_rng(1).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def made():
    """Each encoder, and something that it sees."""
    small = partial(Convolutions, 2, 8, 3, filters=2, width=8, key=KEY)
    return {
        "boxes": (small(half=False), seen(5, 2, 8, 8, 8)),
        "half": (small(half=True), seen(5, 2, 8, 8, 8)),
        "sphere": (SphericalStem(24, 3, width=8, key=KEY), seen(5, 24, 48)),
        "vector": (Vector(7, 3, width=8, key=KEY), seen(5, 7)),
    }


look = eqx.filter_jit(lambda encoder, x: encoder(x))


@pytest.mark.parametrize(("n", "depth", "last"), [(131, 6, 3), (16, 2, 4), (32, 3, 4), (8, 1, 4), (4, 0, 4)])
def test_depth(n, depth, last):
    """Nothing is computed: 131^3 voxels, as in the Letter, take 6 convolutions."""
    make = partial(Convolutions, 2, n, 5, filters=16, width=64, half=False)
    encoder = eqx.filter_eval_shape(make, key=KEY)
    assert len(encoder.kernels) == depth
    channels = [2, *(min(16 * 2**k, 128) for k in range(depth))]
    assert [kernel.shape for kernel in encoder.kernels] == [(3, 3, 3, *channels[k : k + 2]) for k in range(depth)]
    assert encoder.dense.weights[0].shape == (channels[-1] * last**3, 64)
    given = jax.ShapeDtypeStruct((3, 2, n, n, n), "float32")
    assert [part.shape for part in eqx.filter_eval_shape(encoder, given)] == [(3, 5), (3, 5)]


def test_layers_against_numpy():
    layers, x = Layers(4, 6, 5, 2, key=KEY), seen(3, 4)
    weights = [[np.asarray(array, float) for array in pair] for pair in zip(layers.weights, layers.biases, strict=True)]
    assert [weight.shape for weight, _ in weights] == [(4, 6), (6, 5), (5, 2)]
    y = np.asarray(x, float)
    for place, (weight, bias) in enumerate(weights):
        y = (y / (1 + np.exp(-y)) if place else y) @ weight + bias
    np.testing.assert_allclose(layers(x), y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["boxes", "sphere", "vector"])
def test_halos_do_not_see_each_other(made, kind):
    encoder, x = made[kind]
    together = look(encoder, x)
    assert [part.shape for part in together] == [(5, 3), (5, 3)]
    assert all(part.dtype == jnp.float32 for part in together)
    alone = look(encoder, x.at[1:].set(7.0))
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one[0], other[0], rtol=1e-5, atol=1e-6)
        assert float(jnp.abs(one[1:] - other[1:]).min()) > 1e-6


def test_the_stem_does_not_know_the_order_of_the_pixels(made):
    encoder, x = made["sphere"]
    shuffled = np.random.default_rng(4).permutation(48)
    for one, other in zip(look(encoder, x), look(encoder, x[..., shuffled]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)  # sums in another order
    layers = look(encoder, x[:, np.random.default_rng(4).permutation(24)])
    assert float(jnp.abs(look(encoder, x)[0] - layers[0]).max()) > 1e-3


def test_the_stem_sees_the_scatter_over_the_sky(made):
    """The same layers on the average over the sky, but no scatter: other latents. Its slope there is finite."""
    encoder, x = made["sphere"]
    even = jnp.broadcast_to(x.mean(axis=2, keepdims=True), x.shape)
    assert float(jnp.abs(look(encoder, x)[0] - look(encoder, even)[0]).max()) > 1e-3
    slope = jax.jit(jax.grad(lambda x: encoder(x)[0].sum()))(even)
    assert bool(jnp.isfinite(slope).all())


def test_sixteen_bits_are_close_to_thirty_two(made):
    (whole, x), (half, _) = made["boxes"], made["half"]
    for one, other in zip(look(whole, x), look(half, x), strict=True):
        assert other.dtype == jnp.float32
        assert 0 < float(jnp.abs(one - other).max()) < 0.03


def test_the_first_outputs_are_of_order_one(made):
    """Weights are drawn such that signals neither die nor grow through the convolutions."""
    mean, log_variance = look(*made["boxes"])
    assert 0.02 < float(mean.std()) < 2.0 and 0.02 < float(log_variance.std()) < 2.0
