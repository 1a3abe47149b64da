"""Independent draws against the exact values, SciPy's laws, and each other."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from triptych.errors import ConfigError
from triptych.lattice import action as u1
from triptych.lattice import draws, exact
from triptych.lattice.draws import independent
from triptych.lattice.samplers.independent import Independent
from triptych.lattice.samplers.kernel import init

SHAPES = [(2, 2), (3, 5), (8, 8)]
CHAINS = 20_000
traced = []
quantile = jax.jit(lambda beta, normal: draws._von_mises_quantile(beta)(normal))


@partial(jax.jit, static_argnums=2)
def links_of(keys, beta, shape):
    traced.append((len(keys), shape))
    return independent(keys, beta, shape)


@jax.jit
def seen(links):
    return {
        "plaquette": u1.mean_plaquette(links),
        "charge": u1.charge(links),
        "loop": u1.wilson_loop(links, 1, 2),
    }


def keys(seed, chains=CHAINS):
    return jax.random.split(jax.random.key(seed), chains)


def pull(values, truth):
    return (values.mean() - truth) / (values.std() / math.sqrt(values.size))


def sectors_p_value(charges, truth):
    """Chi-squared of Q = ..., -1, 0, 1, ... with at least 10 expected each, and of all others together."""
    expected = {q: len(charges) * truth.sectors[abs(q)] for q in range(-max(truth.sectors), max(truth.sectors) + 1)}
    common = [q for q, number in expected.items() if number > 10]
    counted = [np.sum(charges == q) for q in common] + [np.sum(~np.isin(charges, common))]
    numbers = [expected[q] for q in common] + [len(charges) - sum(expected[q] for q in common)]
    if numbers[-1] < 1:  # too few for the law of large numbers: by the law of rare events
        assert stats.poisson.sf(counted.pop() - 1, max(numbers.pop(), 0)) > 1e-6
    return stats.chi2.sf(sum((np.array(counted) - numbers) ** 2 / numbers), max(len(numbers) - 1, 1))


@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0, 7.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_values(shape, beta):
    truth = exact.torus(beta, shape)
    found = {name: np.asarray(values, dtype=float) for name, values in seen(links_of(keys(1), beta, shape)).items()}
    assert abs(pull(found["plaquette"], truth.plaquette)) < 4
    assert abs(pull(found["loop"], exact.wilson_loop(beta, shape, 2))) < 4
    assert sectors_p_value(found["charge"], truth) > 1e-4


def test_loops_on_a_large_lattice_follow_the_area_law():
    """(I_1 / I_0)^A in infinite volume, with the ratio by a Riemann sum."""
    angles = 2 * np.pi * np.arange(256) / 256
    ratio = np.average(np.cos(angles), weights=np.exp(4 * np.cos(angles)))
    links = links_of(keys(2, 500), 4.0, (16, 16))
    sizes = [(1, 1), (1, 3), (2, 2), (3, 2)]
    loops = jax.jit(lambda links: [u1.wilson_loop(links, *size) for size in sizes])(links)
    for (height, width), found in zip(sizes, loops, strict=True):
        assert abs(pull(np.asarray(found), ratio ** (height * width))) < 4
        assert exact.wilson_loop(4.0, (16, 16), height * width) == pytest.approx(ratio ** (height * width), abs=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("beta", [0.0, 0.5, 7.0])
def test_exact_loops_of_one_plaquette_and_of_the_whole_lattice(beta, shape):
    assert exact.wilson_loop(beta, shape, 1) == pytest.approx(exact.torus(beta, shape).plaquette, abs=1e-14)
    assert exact.wilson_loop(beta, shape, math.prod(shape)) == pytest.approx(1, abs=1e-13)
    assert exact.wilson_loop(beta, shape, 2) == pytest.approx(exact.wilson_loop(beta, shape, math.prod(shape) - 2), abs=1e-13)


@pytest.mark.parametrize("area", [-1, 17])
def test_impossible_areas_are_refused(area):
    with pytest.raises(ConfigError, match=str(area)):
        exact.wilson_loop(2.0, (4, 4), area)


def test_links_and_torons_are_uniform_and_independent_of_each_other():
    """The gauge transformation makes every link uniform; lines around the torus are gauge invariant and uniform, too."""
    links = np.asarray(links_of(keys(3), 2.0, (3, 5)))
    assert links.min() >= -np.pi and links.max() < np.pi
    lines = links[0, :, 2].sum(axis=0), links[1, 1].sum(axis=0)
    turns = [(angles / (2 * np.pi)) % 1 for angles in (links[0, 0, 0], links[1, 2, 4], links[0, 2, 1], *lines)]
    for one in turns:
        assert stats.kstest(one, "uniform").pvalue > 1e-4
    for first, second in ((0, 1), (0, 2), (1, 2), (3, 4), (0, 3), (1, 4)):
        for sign in (1, -1):
            assert stats.kstest((turns[first] + sign * turns[second]) % 1, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("shape", [(4, 4), (3, 5)])
def test_gauge_invariance_of_the_links_of_given_plaquettes(shape):
    """Built links have the plaquettes that were asked for, whatever the key."""
    angles = np.random.default_rng(4).normal(size=shape)
    angles[-1, -1] -= angles.sum() - 2 * np.pi
    build = jax.jit(draws._links)
    one, other = build(jax.random.key(1), jnp.asarray(angles)), build(jax.random.key(2), jnp.asarray(angles))
    for links in (one, other):
        np.testing.assert_allclose(np.exp(1j * u1.plaquette_angles(links)), np.exp(1j * angles), atol=1e-13)
    assert int(u1.charge(one)) == int(u1.charge(other))
    assert np.abs(one - other).min() > 1e-6


@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0, 7.0, 1e3, 3e4])
def test_von_mises_quantiles(beta):
    """At and between the nodes, against the Fourier series of the distribution function."""
    normal = np.concatenate([np.linspace(0, 6, 301), [0.03125, 1.0, 8.2]])
    angles, mirrored = np.asarray(quantile(beta, jnp.asarray([normal, -normal])))
    n = np.arange(1, 30 + int(10 * math.sqrt(beta)))
    series = np.sin(np.outer(angles, n)) @ (special.ive(n, beta) / special.ive(0, beta) / n)
    assert np.abs(0.5 - (angles / 2 + series) / np.pi - stats.norm.sf(normal)).max() < 1e-10
    assert np.all(np.diff(angles[:301]) > 0)
    np.testing.assert_allclose(mirrored, -angles, atol=1e-14)


def test_a_chain_does_not_depend_on_its_neighbours():
    many = np.asarray(links_of(keys(5), 2.0, (8, 8)))
    few = np.asarray(links_of(keys(5)[7:10], 2.0, (8, 8)))
    np.testing.assert_array_equal(few, many[..., 7:10])
    assert len(np.unique(many[0, 0, 0])) == CHAINS


def test_coupling_compiles_nothing_anew():
    for beta in (0.0, 2.0, 3.5):
        assert np.isfinite(links_of(keys(6), beta, (2, 2))).all()
    assert traced.count((CHAINS, (2, 2))) == 1


def test_independent_sampler():
    theory, chains = u1.Wilson(4.0), 2000

    def step(state, keys):
        state, info = Independent().step(keys, state, theory)
        return state, (state, info)

    @jax.jit
    def two_steps(keys):
        _, (states, info) = jax.lax.scan(step, init(jnp.ones((2, 8, 8, chains)), theory), keys)
        return states, info, init(states.links[-1], theory)

    states, info, last = two_steps(keys(7, 2 * chains).reshape(2, chains))
    assert np.all(info.acceptance == 1) and np.all(info.accepted) and np.all(info.delta_h == 0)
    for one, other in zip(jax.tree.map(lambda leaf: leaf[-1], states), last, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-11)
    assert abs(np.corrcoef(*states.action)[0, 1]) < 4 / math.sqrt(chains)
    assert abs(pull(np.asarray(states.action), 64 * 4.0 * (1 - exact.torus(4.0, (8, 8)).plaquette))) < 4
    assert (Independent().steps, Independent().force_evaluations, Independent().settings()) == (0, 1, {"sampler": "exact"})


def test_exact_draws_of_another_theory_are_refused():
    class Free:
        def energy(self, links):
            return jnp.zeros(links.shape[-1])

        def force(self, links):
            return jnp.zeros_like(links)

        def observables(self, links):
            return {}

    state = init(jnp.zeros((2, 4, 4, 1)), Free())
    with pytest.raises(ConfigError, match="Free"):
        Independent().step(keys(9, 1), state, Free())
