"""Schedules against NumPy's own interpolation and closed formulas, and what is refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import ConfigError
from triptych.learning.schedules import exponential, linear, optimiser, piecewise

TIMES = np.linspace(-0.1, 1.1, 61)
fractions = st.lists(st.integers(0, 64), min_size=6, max_size=6, unique=True).map(lambda them: [n / 64 for n in sorted(them)])
values = st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=6, max_size=6)


@settings(max_examples=50)
@given(fractions=fractions, values=values, falling=st.booleans())
def test_piecewise_against_numpy(fractions, values, falling):
    values.sort(reverse=falling)
    with jax.enable_x64(True):
        schedule = piecewise(list(zip(fractions, values, strict=True)))
        np.testing.assert_allclose(schedule(jnp.asarray(TIMES)), np.interp(TIMES, fractions, values), rtol=1e-13, atol=1e-10)
        np.testing.assert_array_equal(schedule(jnp.asarray(fractions)), values)


@given(first=st.floats(1e-6, 1e6), last=st.floats(1e-6, 1e6))
def test_ends_are_exact(first, last):
    with jax.enable_x64(True):
        for kind in (linear, exponential):
            schedule = kind(first, last)
            assert [float(schedule(t)) for t in (-1.0, 0.0, 1.0, 2.0)] == [first, first, last, last]
        assert float(exponential(first, last)(0.5)) == pytest.approx(math.sqrt(first * last), rel=1e-13)
        assert float(linear(first, last)(0.25)) == pytest.approx(0.75 * first + 0.25 * last, rel=1e-13)


def test_schedules_are_traced(bits):
    times = jnp.asarray(TIMES)
    for schedule in (linear(0.2, 1.0), exponential(0.2, 1.0), piecewise([(0.3, 0.0), (0.6, 1.0)])):
        one_by_one = [float(schedule(t)) for t in times]
        jitted = jax.jit(jax.vmap(schedule))(times)
        assert jitted.dtype == jnp.dtype(f"float{bits}")
        np.testing.assert_allclose(jitted, one_by_one, rtol=1e-6 if bits == 32 else 1e-14)
        assert (np.diff(one_by_one) >= 0).all()


@pytest.mark.parametrize(
    ("knots", "what"),
    [
        ([], "not in order"),
        ([(0.5, 1.0)], "not in order"),
        ([(0.0, 1.0), (0.0, 2.0)], "not in order"),
        ([(0.5, 1.0), (0.2, 2.0)], "not in order"),
        ([(-0.1, 1.0), (0.2, 2.0)], "not in order"),
        ([(0.1, 1.0), (1.2, 2.0)], "not in order"),
        ([(0.1, 1.0), (math.nan, 2.0)], "not in order"),
        ([(0.0, 0.0), (0.5, 1.0), (1.0, 0.5)], "not monotone"),
        ([(0.0, 0.0), (1.0, math.inf)], "not monotone"),
        ([(0.0, math.nan), (1.0, 1.0)], "not monotone"),
    ],
)
def test_knots_that_are_refused(knots, what):
    with pytest.raises(ConfigError, match=what):
        piecewise(knots)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, -1.0), (math.inf, 1.0), (math.nan, 1.0)])
def test_ends_that_are_refused(ends):
    with pytest.raises(ConfigError, match="exponential"):
        exponential(*ends)


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"warmup": -1},
        {"warmup": 10},
        {"final": 1.5},
        {"final": math.nan},
        {"clip": 0.0},
        {"clip": math.nan},
        {"decay": -0.1},
        {"decay": math.nan},
        {"decay": math.inf},
    ],
)
def test_optimisers_that_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        optimiser(**{"learning_rate": 1e-3, "steps": 10, **bad})


@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_decay_shrinks_each_parameter_by_itself(decay, wide):
    """Decoupled: with any slope the step is that without decay, less the learning rate times decay times the parameter."""
    parameters, slope = jnp.asarray([2.0, -3.0]), jnp.asarray([0.1, 0.0])
    settings = {"learning_rate": 0.2, "steps": 10, "final": 1.0}
    plain, decayed = optimiser(**settings), optimiser(**settings, decay=decay)
    states = [adam.init(parameters) for adam in (plain, decayed)]
    for _ in range(3):
        without, states[0] = plain.update(slope, states[0], parameters)
        step, states[1] = decayed.update(slope, states[1], parameters)
        np.testing.assert_allclose(step, without - 0.2 * decay * parameters, rtol=1e-12)
