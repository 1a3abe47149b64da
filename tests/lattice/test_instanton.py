"""The instanton hit: its field, its acceptance, and exact sectors where the sampler alone is frozen."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from scipy import stats

from tests.oracles import lattice as oracle
from triptych.lattice.action import Wilson, charge
from triptych.lattice.draws import independent
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.sample import sample
from triptych.lattice.samplers import kernel
from triptych.lattice.samplers.hmc import HMC
from triptych.lattice.samplers.instanton import Instanton, hit, instanton

BETA, SHAPE, CHAINS = 7.0, (8, 8), 3000


@pytest.fixture(scope="module")
def equilibrium():
    """Configurations, and the same after one hit."""

    @jax.jit
    def draw(keys, theory):
        state = kernel.init(independent(keys, theory.beta, SHAPE), theory)
        return state, *hit(jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys), state, theory)

    return draw(jax.random.split(jax.random.key(1), CHAINS), Wilson(BETA))


@pytest.mark.parametrize("shape", [(2, 2), (2, 5), (5, 2), (6, 4), (8, 8)])
def test_flux_of_the_instanton_is_spread_evenly(shape):
    angles = oracle.plaquettes(instanton(shape))
    flux = 2 * np.pi / math.prod(shape)
    np.testing.assert_allclose(np.exp(1j * angles), np.exp(1j * flux), atol=1e-13)
    assert oracle.raw_charge(instanton(shape)) == pytest.approx(1)


def test_acceptance_of_a_hit(equilibrium):
    """The average of min(1, exp(-dS)) over both signs, from loops; close to their bound sum_Q min(P(Q), P(Q + 1)) = 1 - P(0)."""
    before, _, accepted = equilibrium
    links = np.asarray(before.links)[..., :200]
    expected = [
        min(1, math.exp(oracle.action(one, BETA) - oracle.action(one + sign * instanton(SHAPE), BETA)))
        for one in np.moveaxis(links, -1, 0)
        for sign in (1, -1)
    ]
    rate, error = np.mean(accepted), np.std(accepted) / math.sqrt(CHAINS)
    assert abs(rate - np.mean(expected)) < 4 * math.hypot(error, np.std(expected) / 10)
    most = 1 - torus(BETA, SHAPE).sectors[0]
    assert 0.9 * most < rate < most + 4 * error


def test_a_hit_keeps_the_equilibrium_and_its_balance(equilibrium):
    before, after, accepted = equilibrium
    old, new = np.asarray(charge(before.links)), np.asarray(charge(after.links))
    assert np.array_equal(old != new, np.asarray(accepted)) and set(new - old) == {-1, 0, 1}
    up, down = np.sum((old == 0) & (new == 1)), np.sum((old == 1) & (new == 0))
    mirrored_up, mirrored_down = np.sum((old == 0) & (new == -1)), np.sum((old == -1) & (new == 0))
    for there, back in ((up, down), (mirrored_up, mirrored_down), (up, mirrored_up), (down, mirrored_down)):
        assert abs(there - back) < 4 * math.sqrt(there + back) and there > 50
    change = np.asarray(after.action - before.action)
    assert abs(change.mean()) < 4 * change.std() / math.sqrt(CHAINS)


def test_state_after_a_hit_belongs_together(equilibrium):
    before, after, accepted = equilibrium
    again = jax.jit(kernel.init)(after.links, Wilson(BETA))
    np.testing.assert_allclose(after.action, again.action, atol=1e-11)
    np.testing.assert_allclose(after.force, again.force, atol=1e-12)
    kept = ~np.asarray(accepted)
    np.testing.assert_array_equal(np.asarray(after.links)[..., kept], np.asarray(before.links)[..., kept])


def test_exact_sectors_where_hmc_is_frozen():
    """From a cold start, at beta = 7 on 8 x 8: 30 trajectories are some eight autocorrelation times."""
    truth, inner = torus(BETA, SHAPE), HMC(steps=8, step_size=0.125)

    def run(sampler):
        return sample(beta=BETA, shape=SHAPE, chains=CHAINS, trajectories=30, sampler=sampler, key=jax.random.key(2))

    frozen, data = run(inner), run(Instanton(inner))
    assert np.mean(frozen.charge == 0) > 0.995
    last = np.asarray(data.charge[:, -1])
    expected = CHAINS * np.array([truth.sectors[1], truth.sectors[0], truth.sectors[1]])
    counted = np.array([np.sum(last == q) for q in (-1, 0, 1)])
    assert stats.chi2.sf(np.sum((counted - expected) ** 2 / expected), 2) > 1e-4
    assert data.attrs["sampler"] == "instanton" and data.attrs["inner"] == "hmc"
    assert data.attrs["force_evaluations"] == CHAINS * (1 + 30 * 9)


@pytest.mark.parametrize(
    ("beta", "shape", "steps", "least", "most"),
    [
        pytest.param(3.0, (8, 8), 6, 3.0, 4.0, marks=pytest.mark.slow),
        (7.0, (8, 8), 10, 2.9, 3.9),
        pytest.param(4.0, (16, 16), 10, 9.3, 11.3, marks=pytest.mark.slow),
        pytest.param(7.0, (16, 16), 12, 5.7, 6.9, marks=pytest.mark.slow),
    ],
)
def test_autocorrelation_time(beta, shape, steps, least, most):
    """Where HMC alone takes 30 to 2e4 trajectories."""
    sampler = Instanton(HMC(steps=steps, step_size=1 / steps))
    data = sample(
        beta=beta, shape=shape, chains=400, trajectories=250, sampler=sampler, start="equilibrium", key=jax.random.key(3)
    )
    tau, error = oracle.autocorrelation_time(np.asarray(data.charge, dtype=float), window=round(8 * most))
    assert least - 4 * error < tau < most + 4 * error and error < 0.1 * tau
    answer, truth = measure(data), torus(beta, shape)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4


def test_price_and_settings():
    sampler = Instanton(HMC(steps=8, step_size=0.2))
    assert (sampler.steps, sampler.force_evaluations, sampler.network_evaluations) == (8, 9, 0)
    assert sampler.settings() == {"sampler": "instanton", "inner": "hmc", "steps": 8, "step_size": 0.2}
