"""The networks against plain loops, and what they must not see."""

from __future__ import annotations

import math
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracles import lattice as oracle
from triptych.lattice.samplers import networks
from triptych.lattice.samplers.networks import Dense, Network

SHAPE, LINKS = (3, 4), 24
RNG = np.random.default_rng(2)
VISIBLE = RNG.permutation(np.arange(LINKS) < LINKS // 2).reshape(2, *SHAPE, 1)


@cache
def network(depth=2):
    """Of random weights and biases, none of them small."""
    made = jax.jit(lambda key: Network.new(s=0.3, dense=dense(key, "tanh", depth)))(jax.random.key(1))
    rng = np.random.default_rng(3)
    return jax.tree.map(lambda leaf: leaf + 0.4 * rng.normal(size=leaf.shape), made)


def dense(key, activation="swish", depth=2):
    return Dense.new(shape=SHAPE, width=7, depth=depth, activation=activation, key=key)


def fields(chains):
    rng = np.random.default_rng(4)
    return rng.uniform(-np.pi, np.pi, (2, *SHAPE, chains)), rng.normal(size=(2, *SHAPE, chains))


@eqx.filter_jit
def outputs(network, links, visible, field):
    return [jnp.broadcast_to(one, links.shape) for one in network(links, visible, field)]


def as_plain_arrays(network):
    """The weights as the oracle wants them."""
    dense = network.dense
    cosines, sines = np.split(np.asarray(dense.of_links.weight), 2, axis=1)
    heads = {f"w_{name}": np.asarray(head.weight) for name, head in zip("stq", dense.heads, strict=True)}
    biases = {f"b_{name}": float(getattr(network, name)) for name in "stq"}
    bounds = {f"lambda_{name}": math.exp(getattr(network, f"log_lambda_{name}")) for name in "sq"}
    return {
        "cos": cosines,
        "sin": sines,
        "field": np.asarray(dense.of_field.weight),
        "b_1": np.asarray(dense.of_links.bias),
        "hidden": [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in dense.hidden],
        **heads,
        **biases,
        **bounds,
    }


@pytest.mark.parametrize("depth", [1, 3])
def test_equations_12_to_14(depth):
    one, (links, field) = network(depth=depth), fields(2)
    found = outputs(one, links, VISIBLE, field)
    for chain in range(2):
        at = np.s_[..., chain]
        known = oracle.network(as_plain_arrays(one), *(np.asarray(part) for part in (links[at], VISIBLE[..., 0], field[at])))
        for ours, theirs in zip(found, known, strict=True):
            assert np.abs(theirs).max() > 0.1
            np.testing.assert_allclose(ours[at], theirs, atol=1e-13)


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("relu", lambda z: np.maximum(z, 0)),
        ("leaky_relu", lambda z: np.where(z > 0, z, 0.01 * z)),
        ("swish", lambda z: z / (1 + np.exp(-z))),
        ("tanh", np.tanh),
    ],
)
def test_activations(activation, formula):
    z = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(networks.ACTIVATIONS[activation](z), formula(z), atol=1e-15)


def test_links_enter_as_angles_of_a_circle():
    one, (links, field) = network(), fields(3)
    turns = RNG.integers(-2, 3, links.shape)
    for ours, theirs in zip(*(outputs(one, x, VISIBLE, field) for x in (links, links + 2 * math.pi * turns)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_hidden_links_have_no_part_in_anything():
    one, (links, field) = network(), fields(1)
    slopes = jax.jit(jax.jacfwd(lambda links: jnp.stack(outputs(one, links, VISIBLE, field))))(links)[..., 0, :, :, :, 0]
    by_link = np.abs(slopes).max(axis=(0, 1, 2, 3))
    seen = np.asarray(VISIBLE[..., 0])
    assert np.all(by_link[~seen] == 0) and np.all(by_link[seen] > 1e-4)


def test_chains_do_not_see_each_other():
    one, (links, field) = network(), fields(9)
    many = outputs(one, links, VISIBLE, field)
    few = outputs(one, links[..., 4:6], VISIBLE, field[..., 4:6])
    for ours, theirs in zip(few, many, strict=True):
        np.testing.assert_allclose(ours, theirs[..., 4:6], atol=1e-13)


def test_a_new_network_is_its_biases():
    links, field = fields(2)
    for s in (0.0, 0.3, -0.9, 1.7, -4.0):
        bias = Network.new(s=s, dense=None)
        assert math.exp(bias.log_lambda_s) > abs(s)
        for value, expected in zip(outputs(bias, links, VISIBLE, field), (s, 0, 0), strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-14)
    whole = jax.jit(lambda key: Network.new(s=-0.9, dense=dense(key)))(jax.random.key(6))
    for value, expected in zip(outputs(whole, links, VISIBLE, field), (-0.9, 0, 0), strict=True):
        assert 0 < np.abs(value - expected).max() < 0.05


def test_nothing_is_scaled_where_s_is_left_out():
    s, t, q = Network.new(s=None, dense=None)(*(jnp.asarray(part) for part in (fields(1)[0], VISIBLE, fields(1)[1])))
    assert s is None and float(t) == float(q) == 0
