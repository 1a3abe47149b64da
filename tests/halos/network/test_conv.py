"""The convolution against SciPy's, voxel by voxel, and its two forms against each other."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from triptych.halos.network import conv
from triptych.halos.network.conv import conv3d

SHAPES = [((2, 8, 8, 8, 2), 3), ((1, 9, 5, 4, 1), 1)]


def drawn(shape, filters):
    rng = np.random.default_rng(1)
    return rng.normal(size=shape), rng.normal(size=(3, 3, 3, shape[-1], filters))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("shape", "filters"), SHAPES)
def test_against_scipy(shape, filters, stride):
    boxes, kernel = drawn(shape, filters)
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(partial(conv3d, stride=stride))(boxes, kernel))
    for box in range(shape[0]):
        for out in range(filters):
            whole = sum(
                ndimage.correlate(boxes[box, ..., channel], kernel[..., channel, out], mode="constant")
                for channel in range(shape[-1])
            )
            np.testing.assert_allclose(found[box, ..., out], whole[::stride, ::stride, ::stride], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("shape", "filters", "stride"), [(*SHAPES[0], 2), (*SHAPES[1], 1)])
def test_both_forms_and_their_slopes_agree(shape, filters, stride):
    with jax.enable_x64(True):
        arrays = tuple(map(jnp.asarray, drawn(shape, filters)))

        def summed(form, *arrays):
            made = form(*arrays)
            return jnp.sin(made).sum(), made

        found = [
            jax.jit(jax.value_and_grad(partial(summed, form(stride)), argnums=(0, 1), has_aux=True))(*arrays)
            for form in (conv._patches, conv._native)
        ]
        for one, other in zip(*map(jax.tree.leaves, found), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("side", "stride", "expected"), [(131, 2, 66), (66, 2, 33), (9, 2, 5), (9, 1, 9), (2, 2, 1)])
def test_sides(side, stride, expected):
    boxes, kernel = jax.ShapeDtypeStruct((1, side, side, side, 1), "float32"), jax.ShapeDtypeStruct((3, 3, 3, 1, 2), "float32")
    assert jax.eval_shape(lambda *them: conv3d(*them, stride=stride), boxes, kernel).shape == (1, *(expected,) * 3, 2)


def test_sixteen_bits_stay_sixteen():
    boxes, kernel = (jnp.asarray(array, jnp.bfloat16) for array in drawn((2, 8, 8, 8, 3), 4))
    found = jax.jit(conv3d)(boxes, kernel)
    assert found.dtype == jnp.bfloat16
    exact = jax.jit(conv3d)(boxes.astype(jnp.float32), kernel.astype(jnp.float32))
    np.testing.assert_allclose(found.astype(jnp.float32), exact, atol=0.02 * float(jnp.abs(exact).max()))
