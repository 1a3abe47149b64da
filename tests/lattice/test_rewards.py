"""The rewards against hand computations, and their gradients against finite differences."""

from __future__ import annotations

import math
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.lattice.test_leapfroglayers import layers
from triptych.lattice import rewards
from triptych.lattice.action import Wilson, charge, real_charge
from triptych.lattice.rewards import Proposals
from triptych.lattice.samplers.kernel import Phase, init, kinetic

SHAPE, CHAINS, THEORY = (4, 4), 4096, Wilson(3.0)
SMALL = {"mode": "single", "shape": SHAPE, "number": 3, "step_size": 0.3, "heat": 0.0, "noise": 0.1}
PERTURBATION = {"perturbation": 0.05, "key": jax.random.key(1)}
numbers = partial(eqx.filter, filter_spec=eqx.is_inexact_array)


@pytest.fixture(scope="module")
def start():
    """States near equilibrium, and momenta."""
    rng = np.random.default_rng(3)
    links, momenta = 0.6 * rng.normal(size=(2, *SHAPE, CHAINS)), rng.normal(size=(2, *SHAPE, CHAINS))
    return jax.jit(init)(links, THEORY), jnp.asarray(momenta)


@eqx.filter_jit
def propose(model, state, momenta):
    return rewards.proposals(model, state, momenta, THEORY)


@eqx.filter_jit
def gradient(model, state, momenta, loss):
    return rewards.gradient(model, state, momenta, THEORY, loss=loss, **PERTURBATION)


def losses(seen, charges=None):
    """The four rewards and losses in NumPy."""
    a, dq, dqr = (np.asarray(one, dtype=float) for one in seen)
    ell = a * dqr**2 + 1e-4
    return {
        "charge": -(a * dqr**2).mean(),
        "mixed": (0.01 / ell - ell / 0.01).mean(),
        "tunnelling": -math.log(1e-3 + (a * (dq if charges is None else charges) ** 2).mean()),
    }


def test_what_a_proposal_is_worth(start):
    """Against the end of the forward trajectory, with eq. 16 written out."""
    model, (state, momenta) = layers("bias", **SMALL), start

    @eqx.filter_jit
    def ends(model):
        end, log_jacobian = model.forward(Phase(state.links, momenta, state.force), THEORY)
        energies = [THEORY.energy(links) + kinetic(v) for links, v in ((state.links, momenta), (end.links, end.momenta))]
        moved = [number(end.links) - number(state.links) for number in (charge, real_charge)]
        return energies, log_jacobian, moved

    (before, after), log_jacobian, (dq, dqr) = ends(model)
    seen = propose(model, state, momenta)
    np.testing.assert_allclose(seen.acceptance, np.minimum(1, np.exp(before - after + log_jacobian)), atol=1e-12)
    assert seen.charge_change.tolist() == dq.tolist() and 0 < np.mean(dq != 0) < 1
    np.testing.assert_allclose(seen.real_charge_change, dqr, atol=1e-12)


def test_metrics_and_losses_by_hand():
    a, dq, dqr = np.array([1.0, 0.5, 0.25, 0.0]), np.array([0, -2, 1, 3]), np.array([0.1, -1.5, 0.6, 2.0])
    seen = Proposals(*map(jnp.asarray, (a, dq, dqr)))
    found = rewards.metrics(seen)
    assert float(found["acceptance"]) == 1.75 / 4
    assert float(found["charge_reward"]) == pytest.approx((0.01 + 0.5 * 2.25 + 0.25 * 0.36) / 4)
    assert float(found["tunnelling_reward"]) == (0.5 * 4 + 0.25) / 4
    assert float(found["tunnelling_rate"]) == (0.5 * 2 + 0.25) / 4
    for loss in ("charge", "mixed"):
        assert float(rewards._charge_loss(seen, loss)) == pytest.approx(losses(seen)[loss], rel=1e-14)


def direction_in(model):
    """A direction in the space of the numbers of a model, of length about 1 for each of them."""
    rng = np.random.default_rng(4)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), numbers(model))


def both_ways(model, direction, far=1e-5):
    """The model a little further in the direction and against it, and how far."""
    changed, rest = eqx.partition(model, eqx.is_inexact_array)
    moved = [jax.tree.map(lambda leaf, e, by=by: leaf + by * e, changed, direction) for by in (far, -far)]
    return [eqx.combine(one, rest) for one in moved], far


def along(slope, direction):
    return sum(float(jnp.sum(g * e)) for g, e in zip(jax.tree.leaves(slope), jax.tree.leaves(direction), strict=True))


def test_derivatives_along_the_trajectory(start):
    model = layers("bias", **SMALL)
    here, direction = propose(model, *start), direction_in(model)
    ends, far = both_ways(model, direction)
    slopes = jax.jit(
        lambda: [rewards.gradient(model, *start, THEORY, loss=loss, **PERTURBATION) for loss in ("charge", "mixed")]
    )()
    plus, minus = (losses(propose(one, *start)) for one in ends)
    for loss, (slope, seen) in zip(("charge", "mixed"), slopes, strict=True):
        assert along(slope, direction) == pytest.approx((plus[loss] - minus[loss]) / (2 * far), rel=1e-4)
        for name, value in rewards.metrics(here).items():
            assert float(seen[name]) == pytest.approx(float(value), rel=1e-12)


def test_weights_follow_the_acceptance(start):
    """With the change of charge as a fixed weight."""
    model = layers("dense", **SMALL)
    schedule, weights = eqx.partition(numbers(model), model.schedule())
    rest = eqx.combine(schedule, eqx.filter(model, eqx.is_inexact_array, inverse=True))
    slope = jax.jit(jax.grad(rewards._weighted_loss))(weights, rest, *start, THEORY)
    direction = direction_in(weights)
    ends, far = both_ways(weights, direction)
    fixed = propose(model, *start).charge_change
    plus, minus = (losses(propose(eqx.combine(one, rest), *start), fixed)["tunnelling"] for one in ends)
    assert along(slope, direction) == pytest.approx((plus - minus) / (2 * far), rel=1e-4)


def test_perturbation_finds_the_slope_of_a_quadratic_reward(start, monkeypatch):
    """E[(R(+) - R(-)) e] / 2 sigma is the slope of a quadratic R for every sigma; the loss is -log of it."""
    model, chains, sigma = layers("bias", **SMALL), 100_000, 0.3
    target = jax.tree.map(lambda leaf: leaf + 0.5, numbers(model))

    def quadratic(model, state, momenta, theory):
        rows = [
            jnp.broadcast_to((one - other[..., None] if one.ndim > other.ndim else one - other) ** 2, (*other.shape, chains))
            for one, other in zip(jax.tree.leaves(numbers(model)), jax.tree.leaves(target), strict=True)
        ]
        reward = 2.0 + sum(row.sum(axis=0) for row in rows)
        return Proposals(jnp.ones(chains), jnp.sqrt(reward), jnp.zeros(chains))

    monkeypatch.setattr(rewards, "proposals", quadratic)
    slope, seen = jax.jit(
        lambda key: rewards.gradient(
            model, start[0], jnp.zeros((2, 1, 1, chains)), THEORY, loss="tunnelling", perturbation=sigma, key=key
        )
    )(jax.random.key(5))
    found = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(slope)])
    size = found.size
    reward = 2.0 + 0.25 * size
    assert float(seen["tunnelling_reward"]) == pytest.approx(reward + sigma**2 * size, rel=0.01)  # of the moved models
    expected = 2 * 0.5 / (1e-3 + float(seen["tunnelling_reward"]))  # -d log R, R falls towards the target
    error = expected * math.sqrt((1 + size) / chains)
    assert np.all(np.abs(found - expected) < 4 * error) and error < 0.05 * expected


def test_perturbation_finds_the_slope_of_the_tunnelling_reward(start):
    """Against finite differences with the same momenta, along the common logarithm of the step sizes of x."""
    model, (state, momenta) = layers("bias", **SMALL), start

    zeros = jax.tree.map(jnp.zeros_like, numbers(model))
    direction = eqx.tree_at(lambda it: it.layers.log_drift, zeros, replace_fn=jnp.ones_like)

    @jax.jit
    def slopes(keys):
        return jax.lax.map(
            lambda key: rewards.gradient(model, state, momenta, THEORY, loss="tunnelling", perturbation=0.05, key=key)[0], keys
        )

    found = jax.tree.leaves(slopes(jax.random.split(jax.random.key(2), 64)))
    sums = sum(
        np.asarray(leaf * e).reshape(64, -1).sum(axis=1) for leaf, e in zip(found, jax.tree.leaves(direction), strict=True)
    )
    ends, far = both_ways(model, direction, far=0.1)
    plus, minus = (losses(propose(one, *start))["tunnelling"] for one in ends)
    assert abs(sums.mean() - (plus - minus) / (2 * far)) < 4 * np.hypot(sums.std() / 8, 0.1 * abs(sums.mean()))
    assert abs(sums.mean()) > 10 * sums.std() / 8


@pytest.mark.parametrize("kind", ["bias", "dense", "dense shared"])
@pytest.mark.parametrize("loss", ["tunnelling", "charge"])
def test_every_number_is_trained_once_and_no_mask(start, kind, loss):
    model = layers(kind, **SMALL)
    schedule, weights = eqx.partition(numbers(model), model.schedule())
    counts = [len(jax.tree.leaves(part)) for part in (schedule, weights, numbers(model))]
    assert counts[0] + counts[1] == counts[2] and (counts[1] > 0) == ("dense" in kind)
    assert weights.kicks.s is None and weights.layers.log_kick is None
    assert not jax.tree.leaves((schedule.kicks.dense, schedule.drifts.dense))
    slope = eqx.filter_eval_shape(gradient, model, *start, loss)[0]
    assert slope.layers.mask is None
    assert jax.tree.structure(slope) == jax.tree.structure(numbers(model))
    assert [leaf.shape for leaf in jax.tree.leaves(slope)] == [leaf.shape for leaf in jax.tree.leaves(numbers(model))]
