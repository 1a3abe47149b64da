"""Tempered trajectories: heat 0 is HMC, the geometry that makes them exact, and what they are for."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.lattice.action import Wilson, wrap
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.sample import sample
from triptych.lattice.samplers.hmc import leapfrog
from triptych.lattice.samplers.kernel import Phase
from triptych.lattice.samplers.tempered import Tempered, tempered

tempered, leapfrog = (jax.jit(one, static_argnames="steps") for one in (tempered, leapfrog))
THEORY = Wilson(3.0)
force, wrap = jax.jit(THEORY.force), jax.jit(wrap)


def phase(shape, chains):
    rng = np.random.default_rng(3)
    links = jnp.asarray(rng.uniform(-np.pi, np.pi, (2, *shape, chains)))
    return Phase(links, jnp.asarray(rng.normal(size=links.shape)), force(links))


def test_without_heat_it_is_hmc():
    start = phase((4, 4), 3)
    end = tempered(start, THEORY, step_size=0.1, heat=0.0, steps=20)
    plain = leapfrog(start, THEORY, step_size=0.1, steps=20)
    for one, other in zip(end, plain, strict=True):
        np.testing.assert_allclose(wrap(one - other), 0, atol=1e-12)


def test_two_steps_by_hand():
    """Warm, a leapfrog step (eq. 10), warm; then cool, a step, cool."""
    start, heat, step_size = phase((4, 4), 2), 0.3, 0.2
    links, momenta = start.links, start.momenta
    for factor in (math.exp(heat / 2), math.exp(-heat / 2)):
        momenta = factor * momenta - step_size / 2 * force(links)
        links = links + step_size * momenta
        momenta = factor * (momenta - step_size / 2 * force(links))
    end = tempered(start, THEORY, step_size=step_size, heat=heat, steps=2)
    np.testing.assert_allclose(end.momenta, momenta, atol=1e-13)
    np.testing.assert_allclose(wrap(end.links - links), 0, atol=1e-13)


def test_followed_by_a_flip_it_is_its_own_inverse():
    settings = {"step_size": 0.1, "heat": 0.06, "steps": 16}
    start = phase((4, 4), 5)
    end = tempered(start, THEORY, **settings)
    back = tempered(end._replace(momenta=-end.momenta), THEORY, **settings)
    assert np.abs(wrap(back.links - start.links)).max() < 1e-12
    assert np.abs(back.momenta + start.momenta).max() < 1e-12
    assert np.abs(wrap(end.links - start.links)).max() > 0.1


def test_unit_jacobian():
    start = phase((2, 2), 1)
    size = start.links.size

    def flow(point):
        links, momenta = point[:size].reshape(start.links.shape), point[size:].reshape(start.links.shape)
        end = tempered(Phase(links, momenta, force(links)), THEORY, step_size=0.2, heat=0.2, steps=6)
        return jnp.concatenate([end.links.ravel(), end.momenta.ravel()])

    jacobian = jax.jit(jax.jacfwd(flow))(jnp.concatenate([start.links.ravel(), start.momenta.ravel()]))
    sign, log_size = np.linalg.slogdet(jacobian)
    assert sign == 1 and abs(log_size) < 1e-11
    assert np.abs(jacobian - np.eye(2 * size)).max() > 0.1


@pytest.fixture(scope="module")
def ensemble():
    """Cold starts, Q = 0 everywhere: plain HMC would keep that for hundreds of trajectories."""
    sampler = Tempered(steps=32, step_size=0.1, heat=0.06)
    return sample(
        beta=5.0, shape=(8, 8), chains=256, trajectories=200, thermalization=100, sampler=sampler, key=jax.random.key(4)
    )


def test_averages_are_exact(ensemble):
    truth, answer = torus(5.0, (8, 8)), measure(ensemble)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4 and answer.plaquette.error < 1e-3
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4
    assert 0.15 < answer.acceptance.value < 0.5


def test_the_charge_does_not_freeze(ensemble):
    """Plain HMC has tau = 600 here."""
    tau = measure(ensemble).tau["Q_Z"]
    assert tau is not None and 8 < tau.value < 18 and tau.error < 2


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"steps": 7}, {"step_size": 0.0}, {"heat": math.nan}, {"heat": math.inf}, {"step_size": math.nan}]
)
def test_refusals(bad):
    with pytest.raises(ConfigError) as refused:
        Tempered(**bad)
    ((name, value),) = bad.items()
    assert name in str(refused.value) and str(value) in str(refused.value)


def test_price_and_settings():
    sampler = Tempered(steps=16, step_size=0.2, heat=0.1)
    assert (sampler.force_evaluations, sampler.network_evaluations) == (16, 0)
    assert sampler.settings() == {"sampler": "tempered", "steps": 16, "step_size": 0.2, "heat": 0.1}
