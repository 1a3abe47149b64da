from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import ConfigError, DataError
from triptych.halos.dataset import Cuts, Role, assign, roles


def test_cuts_are_in_solar_masses():
    """10^11 Msun is 6.774e10 Msun/h for h = 0.6774, and not 10^11 Msun/h."""
    mass = np.array([6.77e10, 6.78e10, 9e10, 6.77e12, 6.78e12])
    chosen, lost = Cuts().apply(mass, np.full(5, 100.0), hubble=0.6774)
    assert chosen.tolist() == [1, 2, 3]
    assert lost == {"mass below": 1, "mass above": 1, "radius above": 0}


def test_every_halo_is_lost_once_or_kept():
    rng = np.random.default_rng(1)
    mass, radius = 10 ** rng.uniform(10, 14, 1000), rng.uniform(50, 300, 1000)
    chosen, lost = Cuts(largest_radius=150.0).apply(mass, radius, hubble=0.7)
    assert len(chosen) + sum(lost.values()) == 1000
    assert (radius[chosen] <= 150.0).all()
    assert (abs(np.log10(mass[chosen] / 0.7) - 12) <= 1).all()
    assert lost["radius above"] == ((abs(np.log10(mass / 0.7) - 12) <= 1) & (radius > 150)).sum()


@pytest.mark.parametrize("cuts", [{"lowest": 13.0}, {"largest_radius": 0.0}, {"highest": float("nan")}])
def test_cuts_that_nothing_passes_are_refused(cuts):
    with pytest.raises(ConfigError, match="no halo can pass"):
        Cuts(**cuts)


def test_simulations_keep_their_order():
    given = {"training": ["x", "y"], "validation": ["b"], "test": ["a"]}
    assert roles(given) == [
        Role("x", ("training",)),
        Role("y", ("training",)),
        Role("b", ("validation",)),
        Role("a", ("test",)),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"training": ["a"], "test": ["a"]}, "held out as well"),
        ({"training": ["a"], "validation": ["b", "a"]}, "held out as well"),
        ({"training": ["a", "a"]}, "named twice"),
        ({"test": []}, "no simulation"),
    ],
)
def test_mixing_is_refused(given, told):
    with pytest.raises(ConfigError, match=told):
        roles(given)


def test_a_shared_simulation_is_divided():
    """Into halves that do not follow the order of the halos, and the same halves for the same seed."""
    role = Role("c", ("validation", "test"))
    codes = assign(role, 1001, rng=np.random.default_rng(3))
    assert np.bincount(codes, minlength=3).tolist() == [0, 501, 500]
    assert abs((codes[:500] == 1).sum() - 250) < 4 * np.sqrt(125)
    assert (codes == assign(role, 1001, rng=np.random.default_rng(3))).all()
    assert (codes != assign(role, 1001, rng=np.random.default_rng(4))).any()
    assert (assign(Role("a", ("training",)), 7, rng=np.random.default_rng(3)) == 0).all()


def test_a_split_without_halos_is_refused():
    with pytest.raises(DataError, match="too few halos"):
        assign(Role("c", ("validation", "test")), 1, rng=np.random.default_rng(1))
