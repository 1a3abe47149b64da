"""The exact values: two routes against each other, brute force, closed forms, and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from tests.oracles import lattice as oracle
from triptych.errors import ConfigError
from triptych.lattice import torus

SHAPES = [(2, 2), (2, 3), (3, 3), (4, 7), (8, 8), (16, 16), (64, 64)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 1.0, 3.0, 7.0, 20.0])
def test_two_routes_agree(beta, shape):
    one, two = torus(beta, shape), torus(beta, shape, route="convolution")
    assert one.plaquette == pytest.approx(two.plaquette, abs=1e-12)
    assert one.charge_squared == pytest.approx(two.charge_squared, rel=1e-9, abs=1e-12)
    for charge in {**one.sectors, **two.sectors}:
        assert one.sectors.get(charge, 0.0) == pytest.approx(two.sectors.get(charge, 0.0), abs=1e-12)


@pytest.mark.parametrize("route", ["characters", "convolution"])
@pytest.mark.parametrize("shape", [(2, 2), (4, 7), (8, 8)])
def test_sectors_are_probabilities_with_the_right_width(route, shape):
    answer = torus(2.0, shape, route=route)
    charges, probabilities = np.array(list(answer.sectors.items())).T
    assert 2 * probabilities.sum() - probabilities[0] == pytest.approx(1, abs=1e-12)
    assert 2 * (charges**2 * probabilities).sum() == pytest.approx(answer.charge_squared, abs=1e-11)
    assert charges.max() < shape[0] * shape[1] / 2


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 4.0])
def test_brute_force_on_two_by_two(beta):
    plaquette, charge_squared = oracle.two_by_two(beta)
    answer = torus(beta, (2, 2))
    assert answer.plaquette == pytest.approx(plaquette, abs=1e-12)
    assert answer.charge_squared == pytest.approx(charge_squared, abs=2e-4)


@pytest.mark.parametrize("route", ["characters", "convolution"])
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (4, 4)])
def test_free_angles(route, shape):
    volume = shape[0] * shape[1]
    answer = torus(0.0, shape, route=route)
    assert answer.plaquette == pytest.approx(0, abs=1e-14)
    assert answer.charge_squared == pytest.approx(volume / 12, abs=1e-11)
    for charge, probability in oracle.uniform_sectors(volume).items():
        assert answer.sectors.get(charge, 0.0) == pytest.approx(probability, abs=1e-12)


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_large_volume_is_one_plaquette(beta):
    def average(f):
        above = integrate.quad(lambda x: f(x) * math.exp(beta * math.cos(x)), -math.pi, math.pi, epsabs=1e-13)[0]
        return above / integrate.quad(lambda x: math.exp(beta * math.cos(x)), -math.pi, math.pi, epsabs=1e-13)[0]

    answer = torus(beta, (64, 64))
    assert answer.plaquette == pytest.approx(average(math.cos), abs=1e-12)
    assert answer.charge_squared / 64**2 == pytest.approx(average(lambda x: x * x) / (2 * math.pi) ** 2, rel=1e-10)


def test_plaquette_is_the_slope_of_the_partition_function():
    """Z = sum_n I_n^V by numerical integration of Bessel's integral, its logarithm differentiated by differences."""

    def log_z(beta):
        angles = 2 * np.pi * np.arange(256) / 256
        characters = [np.mean(np.exp(beta * np.cos(angles)) * np.cos(n * angles)) for n in range(20)]
        return math.log(characters[0] ** 12 + 2 * sum(c**12 for c in characters[1:]))

    slope = (log_z(3.001) - log_z(2.999)) / 0.002 / 12
    assert torus(3.0, (3, 4)).plaquette == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize(
    ("beta", "side", "plaquette", "charge_squared", "sectors"),
    [
        (2, 8, 0.69777466, 1.239299, [0.35899, 0.23922, 0.07112, 0.00956, 0.00059]),
        (3, 8, 0.80998555, 0.707843, [0.47511, 0.23344, 0.02813, 0.00087]),
        (4, 8, 0.86353004, 0.482016, [0.57442, 0.20348, 0.00925, 0.00006]),
        (7, 8, 0.92570036, 0.217111, [0.78459, 0.10742, 0.00028]),
        (8, 8, 0.93547709, 0.167771, [0.83275, 0.08354, 0.00009]),
        (2, 16, 0.69777466, 4.957196, [0.17926, 0.16203, 0.11967, 0.07224, 0.03565]),
        (4, 16, 0.86352261, 1.933879, [0.28697, 0.22152, 0.10193, 0.02799, 0.00459]),
        (7, 16, 0.92553221, 1.006414, [0.39771, 0.24195, 0.05450, 0.00455, 0.00014]),
    ],
)
def test_tables_computed_by_others(beta, side, plaquette, charge_squared, sectors):
    answer = torus(beta, (side, side))
    assert answer.plaquette == pytest.approx(plaquette, abs=6e-9)
    assert answer.charge_squared == pytest.approx(charge_squared, abs=6e-7)
    assert [answer.sectors[q] for q in range(len(sectors))] == pytest.approx(sectors, abs=6e-6)


@pytest.mark.parametrize(
    ("beta", "shape"),
    [
        (-0.1, (8, 8)),
        (math.nan, (8, 8)),
        (math.inf, (8, 8)),
        (2.0, (1, 8)),
        (2.0, (8, 0)),
        (2.0, (8,)),
        (2.0, (4, 4.5)),
        (2.0, (4, True)),
    ],
)
def test_refusals(beta, shape):
    with pytest.raises(ConfigError, match=r"no coupling|no lattice"):
        torus(beta, shape)


def test_unknown_route():
    with pytest.raises(ConfigError, match="route"):
        torus(2.0, (4, 4), route="guess")
