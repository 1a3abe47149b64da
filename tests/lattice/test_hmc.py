"""The leapfrog's geometry, and the kernel against exact expectation values and an independent code's statistics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from triptych.lattice import action as u1
from triptych.lattice import hmc

leapfrog = jax.jit(hmc.leapfrog, static_argnames="steps")
action, force = jax.jit(u1.action), jax.jit(u1.force)


def phase(shape, chains, beta, seed=0):
    rng = np.random.default_rng(seed)
    links = jnp.asarray(rng.uniform(-np.pi, np.pi, (2, *shape, chains)))
    return hmc.Phase(links, jnp.asarray(rng.normal(size=links.shape)), force(links, beta))


def test_reversible():
    beta, start = 4.0, phase((6, 4), 5, 4.0)
    end = leapfrog(start, beta=beta, step_size=0.1, steps=20)
    back = leapfrog(end._replace(momenta=-end.momenta), beta=beta, step_size=0.1, steps=20)
    assert np.abs(u1.wrap(back.links - start.links)).max() < 1e-12
    assert np.abs(back.momenta + start.momenta).max() < 1e-12
    assert np.abs(u1.wrap(end.links - start.links)).max() > 0.1


def test_first_step_by_hand():
    """One leapfrog step is half kick, drift, half kick (eq. 10)."""
    beta, start = 3.0, phase((4, 4), 1, 3.0)
    end = leapfrog(start, beta=beta, step_size=0.2, steps=1)
    half = start.momenta - 0.1 * jax.jit(jax.grad(lambda x: action(x, beta).sum()))(start.links)
    moved = start.links + 0.2 * half
    after = half - 0.1 * jax.jit(jax.grad(lambda x: action(x, beta).sum()))(moved)
    np.testing.assert_allclose(end.momenta, after, atol=1e-12)
    assert np.abs(u1.wrap(end.links - moved)).max() < 1e-13
    assert float(end.links.min()) >= -np.pi and float(end.links.max()) < np.pi


@pytest.mark.parametrize("shape", [(2, 2), (4, 4)])
def test_unit_jacobian(shape):
    beta, start = 2.0, phase(shape, 1, 2.0)
    size = start.links.size

    def flow(point):
        links, momenta = point[:size].reshape(start.links.shape), point[size:].reshape(start.links.shape)
        end = leapfrog(hmc.Phase(links, momenta, force(links, beta)), beta=beta, step_size=0.2, steps=5)
        return jnp.concatenate([end.links.ravel(), end.momenta.ravel()])

    jacobian = jax.jit(jax.jacfwd(flow))(jnp.concatenate([start.links.ravel(), start.momenta.ravel()]))
    sign, log_size = np.linalg.slogdet(jacobian)
    assert sign == 1 and abs(log_size) < 1e-11
    assert np.abs(jacobian - np.eye(2 * size)).max() > 0.1


def test_energy_error_is_of_second_order():
    beta, start = 2.0, phase((4, 4), 64, 2.0)

    def energy(point):
        return action(point.links, beta) + 0.5 * jnp.sum(point.momenta**2, axis=(0, 1, 2))

    def error(steps):
        end = leapfrog(start, beta=beta, step_size=1.0 / steps, steps=steps)
        return float(jnp.sqrt(jnp.mean((energy(end) - energy(start)) ** 2)))

    assert error(40) / error(80) == pytest.approx(4, rel=0.02)


def test_info_and_state_belong_together():
    beta = 2.0
    state = hmc.init(phase((4, 4), 256, beta).links, beta=beta)
    following, info = jax.jit(hmc.step, static_argnames="steps")(
        jax.random.split(jax.random.key(3), 256), state, beta=beta, step_size=0.3, steps=4
    )
    np.testing.assert_allclose(info.acceptance, np.minimum(1, np.exp(-np.asarray(info.delta_h))), atol=1e-15)
    moved = np.any(np.asarray(following.links != state.links), axis=(0, 1, 2))
    assert moved.tolist() == info.accepted.tolist()
    assert 0 < moved.sum() < 256
    np.testing.assert_allclose(following.action, action(following.links, beta), atol=1e-12)
    np.testing.assert_allclose(following.force, force(following.links, beta), atol=1e-12)


def test_random_numbers_have_the_right_laws():
    momenta, uniform = jax.vmap(lambda key: hmc._draw(key, (2, 4, 4)), out_axes=-1)(jax.random.split(jax.random.key(5), 4000))
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        values = np.asarray(momenta).ravel() ** power
        assert abs(values.mean() - moment) < 4 * values.std() / np.sqrt(values.size)
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert abs(np.mean(np.asarray(uniform) ** 2) - 1 / 3) < 4 * np.sqrt(4 / 45 / 4000)
    assert abs(np.corrcoef(np.asarray(momenta)[0, 0, 0], np.asarray(uniform))[0, 1]) < 4 / np.sqrt(4000)


def test_coupling_and_step_size_compile_nothing_anew():
    traced = []

    @jax.jit
    def step(keys, state, beta, step_size):
        traced.append(beta)
        return hmc.step(keys, state, beta=beta, step_size=step_size, steps=2)

    state, keys = hmc.init(jnp.zeros((2, 2, 2, 3)), beta=1.0), jax.random.split(jax.random.key(0), 3)
    for beta, step_size in ((1.0, 0.1), (2.0, 0.2), (3.5, 0.05)):
        step(keys, state, beta, step_size)
    assert len(traced) == 1
