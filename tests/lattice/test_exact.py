"""The exact values: two routes against each other, brute force, and closed forms."""

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
        assert one.sectors.get(charge, 0.0) == pytest.approx(two.sectors.get(charge, 0.0), abs=2e-12)


@pytest.mark.parametrize("route", ["characters", "convolution"])
@pytest.mark.parametrize("shape", [(2, 2), (4, 7), (8, 8)])
def test_sectors_are_probabilities_with_the_right_width(route, shape):
    answer = torus(2.0, shape, route=route)
    charges, probabilities = np.array(list(answer.sectors.items())).T
    assert 2 * probabilities.sum() - probabilities[0] == pytest.approx(1, abs=1e-11)
    assert 2 * (charges**2 * probabilities).sum() == pytest.approx(answer.charge_squared, abs=1e-9)
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
        assert answer.sectors.get(charge, 0.0) == pytest.approx(probability, abs=2e-12)


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


@pytest.mark.parametrize("route", ["characters", "convolution"])
def test_rare_sectors_are_left_out(route):
    """At beta = 20 on 4 x 4, P(1) is above and P(2) below the resolution; the convolution keeps no rounding noise either."""
    assert set(torus(20.0, (4, 4), route=route).sectors) == {0, 1}
    assert min(torus(4.0, (64, 64), route=route).sectors.values()) > 1e-12


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


@pytest.mark.parametrize(
    ("beta", "shape", "route", "word"),
    [
        (4.0, (1025, 1024), "characters", "1049600 sites"),
        (4.0, (10**9, 10**9), "characters", "shape"),
        (1e5, (2, 2), "characters", "beta"),
        (1e3, (1024, 1024), "convolution", "convolution"),
    ],
)
def test_what_would_take_gigabytes_is_refused(beta, shape, route, word):
    with pytest.raises(ConfigError, match=word):
        torus(beta, shape, route=route)


def test_the_largest_lattice_is_infinite_volume():
    """At 1024 x 1024 both averages of a single free plaquette hold to rounding."""
    small, large = torus(4.0, (64, 64)), torus(4.0, (1024, 1024))
    assert large.plaquette == pytest.approx(small.plaquette, abs=1e-12)
    assert large.charge_squared == pytest.approx(256 * small.charge_squared, rel=1e-10)


def test_unknown_route():
    with pytest.raises(ConfigError, match="route"):
        torus(2.0, (4, 4), route="guess")
