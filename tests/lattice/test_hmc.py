"""The integrators' geometry and order, the kernel's random numbers and bookkeeping, and what is refused."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.lattice.action import Wilson, wrap
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.sample import sample
from triptych.lattice.samplers import kernel
from triptych.lattice.samplers.hmc import HMC, Omelyan, leapfrog, minimum_norm
from triptych.lattice.samplers.kernel import Phase, init

LAMBDA = 0.1931833275037836
leapfrog, minimum_norm = (jax.jit(one, static_argnames="steps") for one in (leapfrog, minimum_norm))
INTEGRATORS = pytest.mark.parametrize("integrate", [leapfrog, minimum_norm], ids=["leapfrog", "minimum_norm"])
gradient = jax.jit(jax.grad(lambda links, theory: theory.energy(links).sum()))


def phase(shape, chains, theory, seed=0):
    rng = np.random.default_rng(seed)
    links = jnp.asarray(rng.uniform(-np.pi, np.pi, (2, *shape, chains)))
    return Phase(links, jnp.asarray(rng.normal(size=links.shape)), force(links, theory))


@jax.jit
def force(links, theory):
    return theory.force(links)


@jax.jit
def energy(point, theory):
    return theory.energy(point.links) + 0.5 * jnp.sum(point.momenta**2, axis=(0, 1, 2))


@INTEGRATORS
def test_reversible(integrate):
    theory = Wilson(4.0)
    start = phase((6, 4), 5, theory)
    end = integrate(start, theory, step_size=0.1, steps=20)
    back = integrate(end._replace(momenta=-end.momenta), theory, step_size=0.1, steps=20)
    assert np.abs(wrap(back.links - start.links)).max() < 1e-12
    assert np.abs(back.momenta + start.momenta).max() < 1e-12
    assert np.abs(wrap(end.links - start.links)).max() > 0.1


@pytest.mark.parametrize(
    ("integrate", "drifts", "kicks"),
    [
        (leapfrog, [1.0], [0.5, 0.5]),
        (minimum_norm, [0.5, 0.5], [LAMBDA, 1 - 2 * LAMBDA, LAMBDA]),
    ],
    ids=["leapfrog", "minimum_norm"],
)
def test_two_steps_by_hand(integrate, drifts, kicks):
    """Kicks by the derivative of the action, and drifts between them (eq. 10)."""
    theory, step_size = Wilson(3.0), 0.2
    start = phase((4, 4), 1, theory)
    links, momenta = start.links, start.momenta
    for _ in range(2):
        for length, part in zip([*drifts, 0.0], kicks, strict=True):
            momenta = momenta - part * step_size * gradient(links, theory)
            links = links + length * step_size * momenta
    end = integrate(start, theory, step_size=step_size, steps=2)
    np.testing.assert_allclose(end.momenta, momenta, atol=1e-12)
    assert np.abs(wrap(end.links - links)).max() < 1e-12
    np.testing.assert_allclose(end.force, gradient(links, theory), atol=1e-12)
    assert float(end.links.min()) >= -np.pi and float(end.links.max()) < np.pi


@INTEGRATORS
def test_unit_jacobian(integrate):
    theory = Wilson(2.0)
    start = phase((4, 4), 1, theory)
    size = start.links.size

    def flow(point):
        links, momenta = point[:size].reshape(start.links.shape), point[size:].reshape(start.links.shape)
        end = integrate(Phase(links, momenta, theory.force(links)), theory, step_size=0.2, steps=5)
        return jnp.concatenate([end.links.ravel(), end.momenta.ravel()])

    jacobian = jax.jit(jax.jacfwd(flow))(jnp.concatenate([start.links.ravel(), start.momenta.ravel()]))
    sign, log_size = np.linalg.slogdet(jacobian)
    assert sign == 1 and abs(log_size) < 1e-11
    assert np.abs(jacobian - np.eye(2 * size)).max() > 0.1


@INTEGRATORS
def test_energy_error_is_of_second_order(integrate):
    theory = Wilson(2.0)
    start = phase((4, 4), 64, theory)

    def error(steps):
        end = integrate(start, theory, step_size=1.0 / steps, steps=steps)
        return float(jnp.sqrt(jnp.mean((energy(end, theory) - energy(start, theory)) ** 2)))

    assert error(40) / error(80) == pytest.approx(4, rel=0.02)


def test_minimum_norm_errs_less_for_the_same_force_evaluations():
    theory = Wilson(4.0)
    rng = np.random.default_rng(1)
    links = 0.3 * jnp.asarray(rng.normal(size=(2, 4, 4, 64)))
    start = Phase(links, jnp.asarray(rng.normal(size=links.shape)), force(links, theory))

    def error(end):
        return float(jnp.mean((energy(end, theory) - energy(start, theory)) ** 2) ** 0.5)

    plain = error(leapfrog(start, theory, step_size=0.05, steps=20))
    assert error(minimum_norm(start, theory, step_size=0.1, steps=10)) < plain / 4


@pytest.mark.parametrize("sampler", [HMC(steps=4, step_size=0.3), Omelyan(steps=2, step_size=0.6)], ids=["hmc", "omelyan"])
def test_info_and_state_belong_together(sampler):
    theory = Wilson(2.0)
    state = jax.jit(init)(phase((4, 4), 256, theory).links, theory)
    following, info = jax.jit(sampler.step)(jax.random.split(jax.random.key(3), 256), state, theory)
    np.testing.assert_allclose(info.acceptance, np.minimum(1, np.exp(-np.asarray(info.delta_h))), atol=1e-15)
    moved = np.any(np.asarray(following.links != state.links), axis=(0, 1, 2))
    assert moved.tolist() == info.accepted.tolist()
    assert 0 < moved.sum() < 256
    again = jax.jit(init)(following.links, theory)
    np.testing.assert_allclose(following.action, again.action, atol=1e-12)
    np.testing.assert_allclose(following.force, again.force, atol=1e-12)


def test_omelyan_averages_are_exact():
    """At a step size where the integrator alone would be off by far."""
    sampler = Omelyan(steps=2, step_size=0.55)
    data = sample(
        beta=2.0, shape=(4, 4), chains=600, trajectories=200, thermalization=100, sampler=sampler, key=jax.random.key(11)
    )
    truth, answer = torus(2.0, (4, 4)), measure(data)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4 and answer.plaquette.error < 1e-3
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4
    assert 0.5 < answer.acceptance.value < 0.95
    assert answer.cost.counts["force_evaluations"] == 600 * (1 + 300 * 4)


def test_random_numbers_have_the_right_laws():
    draw = jax.jit(jax.vmap(partial(kernel._draw, shape=(2, 4, 4), dtype=float), out_axes=-1))
    momenta, uniform = draw(jax.random.split(jax.random.key(5), 4000))
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        values = np.asarray(momenta).ravel() ** power
        assert abs(values.mean() - moment) < 4 * values.std() / np.sqrt(values.size)
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert abs(np.mean(np.asarray(uniform) ** 2) - 1 / 3) < 4 * np.sqrt(4 / 45 / 4000)
    assert abs(np.corrcoef(np.asarray(momenta)[0, 0, 0], np.asarray(uniform))[0, 1]) < 4 / np.sqrt(4000)


@pytest.mark.parametrize("kind", [HMC, Omelyan])
def test_coupling_and_step_size_compile_nothing_anew(kind):
    traced = []

    @jax.jit
    def step(keys, state, theory, sampler):
        traced.append(theory)
        return sampler.step(keys, state, theory)

    state, keys = jax.jit(init)(jnp.zeros((2, 4, 4, 1)), Wilson(1.0)), jax.random.split(jax.random.key(0), 1)
    for beta, step_size in ((1.0, 0.1), (2.0, 0.2), (3.5, 0.05)):
        step(keys, state, Wilson(beta), kind(steps=2, step_size=step_size))
    assert len(traced) == 1


@pytest.mark.parametrize("kind", [HMC, Omelyan])
@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"steps": 2.5}, {"step_size": 0.0}, {"step_size": -0.1}, {"step_size": math.inf}, {"step_size": math.nan}],
)
def test_refusals(kind, bad):
    with pytest.raises(ConfigError) as refused:
        kind(**bad)
    ((name, value),) = bad.items()
    assert name in str(refused.value) and str(value) in str(refused.value)


def test_price_and_settings():
    assert (HMC(steps=8).force_evaluations, Omelyan(steps=8).force_evaluations) == (8, 16)
    assert HMC(steps=8, step_size=0.2).settings() == {"sampler": "hmc", "steps": 8, "step_size": 0.2}
    assert Omelyan(steps=8, step_size=0.2).settings() == {"sampler": "omelyan", "steps": 8, "step_size": 0.2}
