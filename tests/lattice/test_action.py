"""Action, force and charges against loops in NumPy, derivatives, and the symmetries of the theory."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracles import lattice as oracle
from triptych.errors import ConfigError
from triptych.lattice import action as u1

BETA = 2.7
THEORY = u1.Wilson(BETA)
plaquette_angles, action, force, charge, real_charge, mean_plaquette, lattice_sum = map(
    jax.jit,
    (u1.plaquette_angles, THEORY.energy, THEORY.force, u1.charge, u1.real_charge, u1.mean_plaquette, u1.lattice_sum),
)
wilson_loop = jax.jit(u1.wilson_loop, static_argnums=(1, 2))


@pytest.fixture(params=[(2, 2), (4, 4), (3, 5), (8, 6)])
def links(request):
    return np.random.default_rng(1).uniform(-np.pi, np.pi, (2, *request.param))


def test_sine_of_any_angle():
    angles = np.linspace(-40, 40, 100_001)
    assert np.abs(u1.sine(jnp.asarray(angles)) - np.sin(angles)).max() < 1e-14


def test_wrap_keeps_the_angle_and_its_range():
    angles = np.concatenate([np.linspace(-30, 30, 10_001), [-np.pi, np.pi, 3 * np.pi, -1e-17]])
    wrapped = np.asarray(u1.wrap(jnp.asarray(angles)))
    assert wrapped.min() >= -np.pi and wrapped.max() <= np.nextafter(np.pi, 0) + 1e-14
    assert np.abs(np.exp(1j * wrapped) - np.exp(1j * angles)).max() < 1e-14
    assert wrapped[-3] == -np.pi


def test_action_and_charges_against_loops(links):
    angles = oracle.plaquettes(links)
    np.testing.assert_allclose(plaquette_angles(jnp.asarray(links)), angles, atol=1e-13)
    assert float(action(links)) == pytest.approx(oracle.action(links, BETA), abs=1e-11)
    assert float(mean_plaquette(links)) == pytest.approx(np.cos(angles).mean(), abs=1e-13)
    assert float(real_charge(links)) == pytest.approx(np.sin(angles).sum() / (2 * np.pi), abs=1e-13)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_wilson_loops_against_a_walk(links, size):
    found = float(wilson_loop(jnp.asarray(links), *size))
    assert found == pytest.approx(np.cos(oracle.rectangles(links, size)).mean(), abs=1e-13)


def test_wilson_loops_of_plaquettes_and_of_the_whole_lattice():
    many = jnp.asarray(np.random.default_rng(5).uniform(-np.pi, np.pi, (2, 3, 5, 7)))
    np.testing.assert_allclose(wilson_loop(many, 1, 1), mean_plaquette(many), atol=1e-13)
    np.testing.assert_allclose(wilson_loop(many, 3, 5), 1, atol=1e-13)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (5, 1), (1, 5)])
def test_loops_that_do_not_fit_are_refused(size):
    with pytest.raises(ConfigError, match=f"{size[0]} x {size[1]} on 4 x 4"):
        u1.wilson_loop(jnp.zeros((2, 4, 4)), *size)


def test_charge_is_an_integer(links):
    raw = oracle.raw_charge(links)
    assert raw == pytest.approx(round(raw), abs=1e-12)
    assert int(charge(jnp.asarray(links))) == round(raw)


def test_charges_of_many_configurations_take_several_values():
    many = np.random.default_rng(2).uniform(-np.pi, np.pi, (2, 6, 6, 50))
    charges = np.asarray(charge(jnp.asarray(many)))
    assert charges.tolist() == [round(oracle.raw_charge(many[..., i])) for i in range(50)]
    assert len(set(charges.tolist())) > 3


def test_instanton_has_charge_one():
    height, width = 6, 4
    links = np.zeros((2, height, width))
    links[1] = 2 * np.pi * np.arange(height)[:, None] / (height * width)
    links[0, -1] = -2 * np.pi * np.arange(width) / width
    np.testing.assert_allclose(
        np.exp(1j * plaquette_angles(jnp.asarray(links))), np.exp(2j * np.pi / (height * width)), atol=1e-13
    )
    assert int(charge(jnp.asarray(links))) == 1


def test_force_is_the_gradient(links):
    gradient = jax.jit(jax.grad(THEORY.energy))(jnp.asarray(links))
    np.testing.assert_allclose(force(jnp.asarray(links)), gradient, atol=1e-12)


def test_force_is_the_finite_difference_of_the_loops(links):
    forces, step = np.asarray(force(jnp.asarray(links))), 1e-5
    for index in [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, -1, 0), (0, 0, -1)]:
        shift = np.zeros_like(links)
        shift[index] = step
        slope = (oracle.action(links + shift, BETA) - oracle.action(links - shift, BETA)) / (2 * step)
        assert forces[index] == pytest.approx(slope, abs=1e-7)


def test_gauge_invariance(links):
    phase = np.random.default_rng(3).uniform(-np.pi, np.pi, links.shape[1:])
    moved = links + phase - np.stack([np.roll(phase, -1, axis=0), np.roll(phase, -1, axis=1)])
    assert np.abs(action(jnp.asarray(moved)) - action(jnp.asarray(links))) < 1e-12
    np.testing.assert_allclose(force(jnp.asarray(moved)), force(jnp.asarray(links)), atol=1e-12)
    assert int(charge(jnp.asarray(moved))) == int(charge(jnp.asarray(links)))
    assert float(wilson_loop(jnp.asarray(moved), 2, 2)) == pytest.approx(float(wilson_loop(jnp.asarray(links), 2, 2)), abs=1e-12)


def test_charge_conjugation(links):
    mirrored = jnp.asarray(-links)
    assert float(action(mirrored)) == pytest.approx(float(action(jnp.asarray(links))), abs=1e-12)
    assert int(charge(mirrored)) == -int(charge(jnp.asarray(links)))
    assert float(real_charge(mirrored)) == pytest.approx(-float(real_charge(jnp.asarray(links))), abs=1e-13)


def test_tunnelling_counts_hops():
    assert u1.tunnelling(np.array([[0, 1, -1], [2, 2, 2]])).tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize("shape", [(1, 2), (3, 5), (8, 8)])
def test_lattice_sum(shape):
    values = np.random.default_rng(4).normal(size=(*shape, 3))
    np.testing.assert_allclose(lattice_sum(jnp.asarray(values)), values.sum(axis=(0, 1)), atol=1e-13)


def test_links_in_the_order_of_an_ensemble_are_refused():
    with pytest.raises(ConfigError, match="order"):
        u1.charge(jnp.zeros((5, 2, 4, 4)))
