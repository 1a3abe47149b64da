"""Latents by other names: the same network, and the same order among networks."""

from __future__ import annotations

from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.halos.network import curves
from triptych.halos.network import ACTIVE, Posterior, active, kl_of, match
from triptych.halos.network.latents import in_order, rearranged
from triptych.halos.network.network import encode

LATENTS = 4
rearrangements = st.tuples(
    st.permutations(range(LATENTS)), st.lists(st.sampled_from([-1.0, 1.0]), min_size=LATENTS, max_size=LATENTS)
)


@given(rearrangements, st.integers(0, 5))
def test_a_known_rearrangement_is_found(rearrangement, seed):
    """Through noise, scale and offset; and against all rearrangements."""
    order, sign = (np.array(part) for part in rearrangement)
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(200, LATENTS))
    other = np.empty_like(latents)
    other[:, order] = sign * (3.0 * latents + 1.0) + 0.5 * rng.normal(size=latents.shape)
    found, signs = match(latents, other)
    np.testing.assert_array_equal(found, order)
    np.testing.assert_array_equal(signs, sign)


def test_the_best_of_all_rearrangements():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 30, 3))
    order, sign = match(one, other)
    correlation = np.corrcoef(one.T, other.T)[:3, 3:]
    sums = [sum(s * correlation[k, j] for k, (j, s) in enumerate(zip(way, signs, strict=True))) for way, signs in ways(3)]
    assert sum(sign[k] * correlation[k, order[k]] for k in range(3)) == pytest.approx(max(sums))


def ways(latents):
    return product(permutations(range(latents)), product((-1, 1), repeat=latents))


def test_a_latent_that_never_moves_is_put_where_room_is():
    rng = np.random.default_rng(4)
    one = rng.normal(size=(50, 3))
    other = np.stack([-one[:, 2], np.zeros(50), one[:, 0]], axis=1)
    order, sign = match(one, other)
    assert order.tolist() == [2, 1, 0]
    assert sign[[0, 2]].tolist() == [1.0, -1.0]


def test_active_latents_are_those_that_tell_something():
    """sigma and mean such that the divergence is known: 0 nats; just below and above the limit; many."""
    sigma = np.ones((2, 4))
    mean = np.array([0.0, np.sqrt(2 * 0.99 * ACTIVE), np.sqrt(2 * 1.01 * ACTIVE), 2.0]) * np.array([[1.0], [-1.0]])
    np.testing.assert_allclose(kl_of(Posterior(mean, sigma)), [0.0, 0.99 * ACTIVE, 1.01 * ACTIVE, 2.0])
    assert active(Posterior(mean, sigma)).tolist() == [3, 2]
    assert active(Posterior(0 * mean, sigma)).tolist() == []


@pytest.fixture(scope="module")
def posteriors(ensemble):
    made = curves.examples()
    return [encode(one.ive, made, made.rows["validation"]) for one in ensemble.networks]


@pytest.mark.parametrize(("order", "sign"), [((2, 0, 1), (1.0, -1.0, -1.0)), ((0, 1, 2), (-1.0, 1.0, 1.0))])
def test_a_rearranged_network_gives_the_same_curves(ensemble, order, sign):
    made = curves.examples()
    order, sign = np.array(order), np.array(sign)
    rows = made.rows["test"]
    old = ensemble.networks[0].ive
    new = rearranged(old, order, sign)
    before, after = (encode(one, made, rows) for one in (old, new))
    np.testing.assert_allclose(after.mean, sign * before.mean[:, order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after.sigma, before.sigma[:, order], rtol=1e-5)
    query = jnp.asarray(made.profiles.query[rows])
    curves_of = [
        np.asarray(one.log_density(jnp.asarray(posterior.mean, jnp.float32), query))
        for one, posterior in ((old, before), (new, after))
    ]
    np.testing.assert_allclose(*curves_of, rtol=1e-5, atol=1e-6)


def test_networks_of_an_ensemble_agree_on_order_and_sign(ensemble, posteriors):
    leader = int(np.argmin(ensemble.loss))
    kl = kl_of(posteriors[leader])
    assert (np.diff(kl) <= 1e-9).all()
    for place, posterior in enumerate(posteriors):
        order, sign = match(posteriors[leader].mean, posterior.mean)
        assert order.tolist() == [0, 1, 2], place
        assert sign.tolist() == [1.0, 1.0, 1.0]


def test_a_larger_latent_raises_the_innermost_density(ensemble):
    leader = ensemble.selected
    innermost = [10.0 ** float(leader.ive.scale.centre - leader.ive.scale.reach)]
    for latent in range(3):
        low, high = leader.traverse(latent, [-1.0, 1.0], innermost)[:, 0]
        assert high >= low


def test_order_and_sign_do_not_depend_on_how_the_seeds_came_out(ensemble, posteriors):
    """Each network rearranged at random is put back to where it was, up to latents that carry nothing."""
    rng, models = np.random.default_rng(7), [one.ive for one in ensemble.networks]
    leader = int(np.argmin(ensemble.loss))
    ways = [(rng.permutation(3), rng.choice([-1.0, 1.0], 3)) for _ in models]
    stirred = [rearranged(model, *way) for model, way in zip(models, ways, strict=True)]
    seen = [
        Posterior(sign * one.mean[:, order], one.sigma[:, order]) for one, (order, sign) in zip(posteriors, ways, strict=True)
    ]
    again = in_order(stirred, seen, leader)
    for model, other in zip(models, again, strict=True):
        for here, there in zip(jax.tree.leaves(model), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-7)
