"""Float32: what follows the links and what stays in float64, how far off a trajectory is, and exact averages."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracles import lattice as oracle
from triptych.lattice.action import Wilson, sine, wrap
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.sample import sample
from triptych.lattice.samplers import kernel
from triptych.lattice.samplers.hmc import HMC, Omelyan
from triptych.lattice.samplers.kernel import Phase, init
from triptych.lattice.samplers.tempered import Tempered

SHAPE, CHAINS = (4, 4), 64
LINKS = np.random.default_rng(5).uniform(-0.5, 0.5, (2, *SHAPE, CHAINS)).astype(np.float32)
MOMENTA = np.random.default_rng(6).normal(size=LINKS.shape).astype(np.float32)
KEYS = jax.random.split(jax.random.key(2), CHAINS)


@jax.jit
def there_and_back(links, momenta, theory, sampler):
    """The end of a trajectory, where the flipped trajectory comes back to, and the change of H on the way there."""
    start = Phase(links, momenta, theory.force(links))
    end, _ = sampler.move(start, theory)
    back, _ = sampler.move(end._replace(momenta=-end.momenta), theory)
    _, delta_h = kernel.propose(init(links, theory), momenta, theory, sampler.move)
    return end, back, delta_h


def test_sine():
    for largest, error in ((np.pi, 6e-7), (4 * np.pi, 1.2e-6)):
        angles = np.linspace(-largest, largest, 100_001).astype(np.float32)
        assert np.abs(np.asarray(jax.jit(sine)(angles)) - np.sin(angles.astype(np.float64))).max() < error
    assert jax.jit(sine)(angles).dtype == np.float32


@pytest.mark.parametrize(
    "kind", [partial(HMC, steps=3), partial(Omelyan, steps=2), partial(Tempered, steps=4)], ids=["hmc", "omelyan", "tempered"]
)
def test_dtypes(kind):
    """Also where coupling and step size come as float64 arrays."""
    theory, sampler = Wilson(jnp.asarray(2.0)), kind(step_size=jnp.asarray(0.1))
    state, info = jax.jit(lambda keys, links: sampler.step(keys, init(links, theory), theory))(KEYS, LINKS)
    assert {state.links.dtype, state.force.dtype} == {jnp.dtype(jnp.float32)}
    assert {state.action.dtype, info.delta_h.dtype, info.acceptance.dtype} == {jnp.dtype(jnp.float64)}


def test_energies_are_those_of_the_rounded_links():
    action = jax.jit(Wilson(3.0).energy)(LINKS)
    kinetic = jax.jit(kernel.kinetic)(MOMENTA)
    for chain in range(3):
        exact = LINKS[..., chain].astype(np.float64)
        assert float(action[chain]) == pytest.approx(oracle.action(exact, 3.0), abs=1e-11)
        assert float(kinetic[chain]) == pytest.approx((MOMENTA[..., chain].astype(np.float64) ** 2).sum() / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("sampler", "off"),
    [(HMC(steps=20, step_size=0.1), 1e-5), (Omelyan(steps=10, step_size=0.2), 1e-5), (Tempered(steps=20, heat=0.06), 1e-4)],
    ids=["hmc", "omelyan", "tempered"],
)
def test_trajectories_are_reversible_and_right_to_rounding(sampler, off):
    end, back, delta_h = there_and_back(LINKS, MOMENTA, Wilson(4.0), sampler)
    assert end.links.dtype == np.float32
    assert np.abs(wrap(back.links - LINKS)).max() < off
    assert np.abs(back.momenta + MOMENTA).max() < off
    double, _, exact = there_and_back(LINKS.astype(np.float64), MOMENTA.astype(np.float64), Wilson(4.0), sampler)
    assert np.abs(wrap(end.links - double.links)).max() < off
    assert np.abs(delta_h - exact).max() < 10 * off


def test_random_numbers_have_the_right_laws():
    draw = jax.jit(jax.vmap(partial(kernel._draw, shape=(2, 4, 4), dtype=jnp.float32), out_axes=-1))
    momenta, uniform = draw(jax.random.split(jax.random.key(5), 20_000))
    assert momenta.dtype == uniform.dtype == np.float32
    values = np.asarray(momenta).ravel().astype(np.float64)
    assert np.isfinite(values).all()
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        assert abs((values**power).mean() - moment) < 4 * (values**power).std() / np.sqrt(values.size)
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(np.asarray(uniform, np.float64).mean() - 0.5) < 4 / np.sqrt(12 * 20_000)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_smallest_uniform_number_makes_a_finite_momentum(monkeypatch, dtype):
    """The generator may return its lower end; -1 itself would be an infinite momentum."""
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype, minval, maxval: jnp.full(shape, minval, dtype))
    momenta, uniform = kernel._draw(KEYS[0], (3,), dtype)
    assert np.isfinite(momenta).all() and momenta.dtype == dtype
    assert 0 <= uniform < 1e-7


def test_averages_are_exact():
    data = sample(
        beta=2.0,
        shape=SHAPE,
        chains=512,
        trajectories=200,
        sampler=HMC(steps=6, step_size=0.2),
        thermalization=100,
        precision="float32",
        key=jax.random.key(12),
    )
    assert data.links.dtype == data.force.dtype == np.float32 and data.action.dtype == np.float64
    truth, answer = torus(2.0, SHAPE), measure(data)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4 and answer.plaquette.error < 1e-3
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4
