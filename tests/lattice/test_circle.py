"""The map of the circle against the Moebius transformation that it is, and its slope against automatic differentiation."""

from __future__ import annotations

import jax
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from triptych.lattice.samplers import circle

scale, log_slope = jax.jit(circle.scale), jax.jit(circle.log_slope)
slope = jax.jit(jax.vmap(jax.grad(circle.scale), in_axes=(0, None)))
gradients = [jax.jit(jax.vmap(jax.grad(one, argnums=(0, 1)), in_axes=(0, None))) for one in (circle.scale, circle.log_slope)]

ANGLES = arrays(float, 16, elements=st.floats(-np.pi, np.pi))
EDGES = np.array([-np.pi, -3.0, -1e-9, 0.0, 1e-9, 1.0, np.nextafter(np.pi, 0), np.pi] * 2)
MODERATE, ANY = st.floats(-3, 3), st.floats(-50, 50)


def distance(one, other):
    """Largest distance on the circle."""
    return np.abs(np.angle(np.exp(1j * (np.asarray(one) - np.asarray(other))))).max()


@given(x=ANGLES, a=MODERATE)
@example(x=EDGES, a=2.0)
def test_it_is_a_moebius_transformation(x, a):
    """(z - 1) / (z + 1) -> e^a (z - 1) / (z + 1) for z = e^ix."""
    z, factor = np.exp(1j * x), np.exp(a)
    moved = ((1 + factor) * z + (1 - factor)) / ((1 - factor) * z + (1 + factor))
    assert np.abs(np.exp(1j * np.asarray(scale(x, a))) - moved).max() < 1e-13


@given(x=ANGLES, a=MODERATE)
@example(x=EDGES, a=-2.0)
def test_inverse(x, a):
    there = scale(x, a)
    assert distance(scale(there, -a), x) < 1e-13
    np.testing.assert_allclose(log_slope(there, -a), -log_slope(x, a), atol=1e-12)


@given(x=ANGLES, a=MODERATE)
@example(x=EDGES, a=2.0)
def test_slope(x, a):
    np.testing.assert_allclose(log_slope(x, a), np.log(slope(x, a)), atol=1e-12)


@given(a=ANY)
@example(a=50.0)
@example(a=-50.0)
def test_it_covers_the_circle_once(a):
    """It rises from -pi to pi through 0, so that the mean of its slope is 1."""
    x = np.linspace(-np.pi, np.pi, 4001)
    y = np.asarray(scale(x, a))
    assert np.all(np.diff(y[1:-1]) >= 0) and np.abs(y[1:-1]).max() <= np.pi and y[2000] == 0
    if abs(a) < 5:
        assert np.all(np.diff(y) > 0)
        np.testing.assert_allclose(y[[0, -1]], [-np.pi, np.pi], atol=1e-13)
        assert abs(np.exp(np.asarray(log_slope(x[:-1], a))).mean() - 1) < 1e-12


@given(x=ANGLES, a=ANY)
@example(x=EDGES, a=50.0)
@example(x=EDGES, a=-50.0)
def test_nothing_overflows(x, a):
    values = [scale(x, a), log_slope(x, a), *gradients[0](x, a), *gradients[1](x, a)]
    assert all(np.isfinite(one).all() for one in values)
    assert np.abs(log_slope(x, a)).max() <= abs(a) + 1e-12


@given(x=ANGLES, a=MODERATE, turns=st.integers(-3, 3))
def test_periodic(x, a, turns):
    further = x + 2 * np.pi * turns
    assert distance(scale(further, a), scale(x, a)) < 1e-12
    np.testing.assert_allclose(log_slope(further, a), log_slope(x, a), atol=1e-12)


def test_no_scale_is_the_identity():
    x = np.linspace(-3.1, 3.1, 100)
    np.testing.assert_allclose(scale(x, 0.0), x, atol=1e-15)
    np.testing.assert_allclose(log_slope(x, 0.0), 0, atol=1e-15)
