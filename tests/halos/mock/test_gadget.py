"""Mock universes as files of GADGET-4: what is in them, whatever reads them."""

from __future__ import annotations

from dataclasses import fields, replace

import h5py
import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.halos import (
    CRITICAL_DENSITY,
    mass_history,
    overdensity,
    read_catalogue,
    read_snapshot,
    read_subhalos,
    read_tree,
    threshold,
)
from triptych.halos.mock import draw_universe, write_simulation
from triptych.halos.mock.gadget import REACH, _inside, _places
from triptych.halos.mock.universe import PLANCK
from triptych.halos.simulation.snapshot import read_particle_ids
from triptych.halos.structure.spheres import index

PARTICLE, TIMES, SIDE = 2e9, np.array([0.12, 0.3, 0.6, 1.0]), 40


@pytest.fixture(scope="module")
def universe():
    return draw_universe(10, seed=2, lowest=2e11, highest=4e13, scale_factors=TIMES, particle_mass=PARTICLE)


def written(universe, folder, **options):
    settings = {"particles": SIDE**3, "softening": 15.0, "rng": np.random.default_rng(3)} | options
    return write_simulation(universe, folder, **settings)


@pytest.fixture(scope="module")
def simulation(universe, tmp_path_factory):
    return written(universe, tmp_path_factory.mktemp("simulation"))


@pytest.mark.parametrize("output", range(len(TIMES)))
def test_all_particles_are_there_once(simulation, output):
    snapshot = read_snapshot(simulation, output)
    ids = read_particle_ids(simulation, output)
    np.testing.assert_array_equal(np.sort(ids), np.arange(1, SIDE**3 + 1))
    assert snapshot.positions.shape == (SIDE**3, 3)
    assert (snapshot.positions >= 0).all() and (snapshot.positions <= snapshot.box_size).all()
    assert snapshot.masses.sum() == pytest.approx(PLANCK.mean_density * snapshot.box_size**3, rel=1e-6)
    assert (snapshot.scale_factor, snapshot.softening) == (pytest.approx(TIMES[output]), 15.0)
    for name in ("omega_matter", "omega_lambda", "hubble"):
        assert getattr(snapshot.cosmology, name) == pytest.approx(getattr(PLANCK, name))


def test_light_halos_are_no_groups(universe, simulation):
    """At the first output none is heavy enough; at each later one just those of at least 32 particles, on average."""
    for output, masses in enumerate(universe.histories.T):
        found = len(read_catalogue(simulation, output).lengths)
        assert (masses > 50 * PARTICLE).sum() <= found <= (masses > 20 * PARTICLE).sum()
    assert len(read_catalogue(simulation, 0).lengths) == 0
    assert len(read_catalogue(simulation, 3).lengths) == 10


def test_groups_are_the_first_particles_and_the_nearest(simulation):
    snapshot, groups, ids = read_snapshot(simulation), read_catalogue(simulation), read_particle_ids(simulation)
    first = 0
    for centre, length, mass in zip(groups.positions, groups.lengths, groups.masses, strict=True):
        offset = snapshot.positions[first : first + length] - centre
        offset -= snapshot.box_size * np.round(offset / snapshot.box_size)
        radius = np.linalg.norm(offset, axis=1)
        assert (np.diff(radius) >= 0).all()  # from the inside out
        assert np.ptp(ids[first : first + length]) < 3 * length  # of one halo
        assert mass == pytest.approx(length * PARTICLE)
        first += length
    assert (np.diff(groups.lengths) <= 0).all()


def test_nothing_but_the_halo_lies_within_its_reach(universe, simulation):
    snapshot, groups, ids = read_snapshot(simulation), read_catalogue(simulation), read_particle_ids(simulation)
    reach = REACH * np.cbrt(universe.structure.mass / (4 / 3 * np.pi * 200 * PLANCK.mean_density))
    order = np.argsort(np.argsort(read_ids_of_centres(simulation)))
    for centre, far in zip(groups.positions, reach[order], strict=True):
        offset = np.abs(snapshot.positions - centre)
        distance = np.linalg.norm(np.minimum(offset, snapshot.box_size - offset), axis=1)
        mine = np.sort(ids[distance < 0.999 * far])
        assert np.ptp(mine) < 1.3 * len(mine)
        assert len(mine) > 1.1 * (distance < far / REACH).sum()  # there are outskirts


def read_ids_of_centres(folder):
    with h5py.File(read_catalogue(folder).path) as file:
        return file["Subhalo/SubhaloIDMostbound"][...]


def test_a_halo_that_grows_keeps_its_particles(simulation):
    tree, groups = read_tree(simulation), read_catalogue(simulation)
    history = mass_history(simulation, tree, np.arange(len(groups.lengths)))
    ids = [read_particle_ids(simulation, output) for output in range(4)]
    starts = [np.cumsum([0, *read_catalogue(simulation, output).lengths]) for output in range(4)]
    for branch in history["group"].to_numpy():
        early, late = (set(ids[o][starts[o][branch[o]] : starts[o][branch[o] + 1]]) for o in (2, 3))
        if len(early) < len(late):
            assert early <= late


def test_a_halo_that_was_heavier_before_has_lost_particles(universe, tmp_path):
    """All halos half as heavy again at the third output as today; the sum of their masses is known to a few per cent."""
    histories = universe.histories.copy()
    histories[:, 2] = 1.5 * histories[:, 3]
    folder = written(replace(universe, histories=histories), tmp_path)
    for output in (2, 3):
        found = read_catalogue(folder, output).m200m
        assert found.sum() == pytest.approx(histories[:, output].sum(), rel=0.1)
        assert len(found) == 10


def test_parts_are_the_same_simulation(universe, simulation, tmp_path):
    parts = written(universe, tmp_path, files=3)
    assert len(list(parts.glob("snapshot_003.*.hdf5"))) == len(list(parts.glob("fof_subhalo_tab_003.*.hdf5"))) == 3
    for output in range(4):
        one, other = read_snapshot(simulation, output), read_snapshot(parts, output)
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(read_particle_ids(simulation, output), read_particle_ids(parts, output))
        for read in (read_catalogue, read_subhalos):
            one, other = read(simulation, output), read(parts, output)
            for field in fields(one):
                if field.name != "path":
                    np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    for halo in range(10):
        for one, other in zip(read_tree(simulation).main_branch(halo), read_tree(parts).main_branch(halo), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("definition", "name"), [("200c", "m200c"), ("vir", "mvir")])
def test_other_masses_of_the_catalogue_are_counted_too(simulation, definition, name):
    groups = read_catalogue(simulation)
    found = overdensity(index(read_snapshot(simulation)), groups.positions, groups.masses, threshold(PLANCK, definition))
    np.testing.assert_allclose(getattr(groups, name), found.mass, rtol=0.01)
    assert (found.mass < groups.m200m).all()


def test_a_halo_moved_across_the_corner_is_the_same(universe, tmp_path):
    """One halo alone, in the corner of its box and in the middle."""
    alone = draw_universe(1, seed=9, lowest=3e12, highest=4e12, scale_factors=np.array([1.0]), particle_mass=PARTICLE)

    class Places:
        """A generator that puts the halo at a place of our choice."""

        def __init__(self, place):
            self.place, self.rng = place, np.random.default_rng(1)

        def permutation(self, values):
            return values

        def uniform(self, low, high, size):
            return np.full(3, self.place * high) if size == 3 else self.rng.uniform(low, high, size)

    masses = []
    for place in (0.5, 0.0):
        folder = written(alone, tmp_path / str(place), particles=20**3, rng=Places(place))
        groups = read_catalogue(folder)
        found = overdensity(index(read_snapshot(folder)), groups.positions, groups.masses, 200 * PLANCK.mean_density)
        np.testing.assert_allclose(found.mass, groups.m200m, rtol=0.01)
        masses.append(found.mass.item())
    assert masses[0] == masses[1]
    spread = np.ptp(read_snapshot(tmp_path / "0.0").positions[: groups.lengths[0]], axis=0)
    assert (spread > 0.9 * groups.box_size).all()


def test_where_the_density_crosses_the_limit_twice():
    """A dense core, a gap, and a shell that lifts the mean density above the limit once more."""
    radii = np.concatenate([np.linspace(0.1, 1.0, 64), np.full(400, 2.0)])
    limit = 40 / (4 / 3 * np.pi)
    group = 200 * CRITICAL_DENSITY * 4 / 3 * np.pi  # 1 kpc/h at 200 times the critical density: the first trial is at 1.5 kpc/h
    assert _inside(radii, group, 1.0, limit) == 64  # 64 = 40 r^3 at r = 1.17, and 1.5 is outside
    assert _inside(radii, 1.4**3 * group, 1.0, limit) == 464  # 464 = 40 r^3 at r = 2.26, and 2.1 is inside


def test_spheres_without_room_are_refused():
    with pytest.raises(ConfigError, match="do not fit"):
        _places(np.full(9, 250.0), 1000.0, np.random.default_rng(1))
    with pytest.raises(ConfigError, match="do not fit"):
        _places(np.array([500.0]), 1000.0, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("halos", "options", "message"),
    [
        ({}, {"particles": 1000}, "more matter than the box"),
        ({"lowest": 1e10, "highest": 3e10}, {}, "no halo is a group"),
    ],
)
def test_impossible_boxes_are_refused(tmp_path, halos, options, message):
    given = {"halos": 10, "lowest": 2e11, "highest": 4e13} | halos
    universe = draw_universe(seed=2, scale_factors=np.array([1.0]), particle_mass=PARTICLE, **given)
    with pytest.raises(ConfigError, match=message):
        written(universe, tmp_path, **options)
