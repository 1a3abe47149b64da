from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from tests.halos import gadget
from tests.oracles import halos as oracle
from triptych.errors import ConfigError, DataError
from triptych.halos import Cosmology, index, overdensity, read_catalogue, read_snapshot, sample_data, threshold


@pytest.mark.parametrize("definition", ["200m", "200c"])
def test_mass_is_a_crossing_of_all_pairs_across_the_corner(corner, definition):
    density = threshold(corner.cosmology, definition, corner.redshift)
    ours = overdensity(index(corner), [(3.0, 3.0, 3.0)], [3e11], density)
    every = oracle.crossings(oracle.distances(corner.positions, 1000.0, (3.0, 3.0, 3.0)), corner.masses, density)
    assert any(
        count == ours.particles[0] and mass == pytest.approx(ours.mass[0], rel=1e-12) and radius == pytest.approx(ours.radius[0])
        for mass, radius, count in every
    )


def test_mass_of_a_smooth_halo_is_that_of_its_formula(tmp_path):
    number, rs, cut, total = 20001, 20.0, 350.0, 2e12
    x = np.geomspace(1e-4, cut / rs, 200_000)
    inside = np.log1p(x) - x / (1 + x)
    radii = np.interp((np.arange(number) + 0.5) / number, inside / inside[-1], x * rs)  # noiseless quantiles
    direction = np.random.default_rng(2).normal(size=(number, 3))
    positions = 500.0 + radii[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", positions, mass=total / number / 1e10)
    snapshot = read_snapshot(tmp_path / "snapshot_000.hdf5")
    shape = total / oracle.nfw_mass(cut, rs, 1.0)
    density = 200 * gadget.MEAN_DENSITY
    radius = brentq(lambda r: oracle.nfw_mass(r, rs, shape) - 4 / 3 * np.pi * r**3 * density, 100.0, 340.0)
    for start in (1e9, 1e12, 1e13):  # also from an interval that has to be widened
        ours = overdensity(index(snapshot), [(500.0, 500.0, 500.0)], [start], density)
        assert ours.radius[0] == pytest.approx(radius, rel=3 / number)
        assert ours.mass[0] == pytest.approx(4 / 3 * np.pi * radius**3 * density, rel=3 / number)


@pytest.mark.parametrize("run", ["letter", "tiny32"])
@pytest.mark.parametrize("definition", ["200m", "200c", "vir"])
def test_masses_and_radii_agree_with_subfind(run, definition):
    snapshot, groups = read_snapshot(sample_data(run)), read_catalogue(sample_data(run))
    rows = np.flatnonzero(groups.lengths >= 300)
    ours = overdensity(
        index(snapshot), groups.positions[rows], groups.masses[rows], threshold(snapshot.cosmology, definition, snapshot.redshift)
    )
    mass, radius = getattr(groups, f"m{definition}")[rows], getattr(groups, f"r{definition}")[rows]
    np.testing.assert_allclose(ours.mass, mass, rtol=0.01)
    np.testing.assert_allclose(ours.radius, radius, rtol=0.01)
    # Nearly always the particles are the same, to the last one; another first interval of the halving would not do that.
    assert np.mean(np.abs(ours.mass / mass - 1) < 1e-6) > 0.9


def test_the_largest_halo_of_tiny32_lies_across_the_edge():
    snapshot, groups = read_snapshot(sample_data("tiny32")), read_catalogue(sample_data("tiny32"))
    centre, mass, density = groups.positions[0], groups.masses[:1], threshold(snapshot.cosmology, "200m", snapshot.redshift)
    ours = overdensity(index(snapshot), centre, mass, density)
    assert np.any((centre < ours.radius[0]) | (centre > snapshot.box_size - ours.radius[0]))
    middle = snapshot.box_size / 2
    moved = replace(snapshot, positions=np.mod(snapshot.positions - centre + middle, snapshot.box_size))
    assert overdensity(index(moved), [(middle,) * 3], mass, density).mass[0] == pytest.approx(ours.mass[0], rel=1e-12)


def test_a_halo_wider_than_half_the_box_is_refused(corner):
    heavy = replace(corner, masses=corner.masses * 1000)
    with pytest.raises(DataError, match="wider than half the box"):
        overdensity(index(heavy), [(3.0, 3.0, 3.0)], [1e13], threshold(heavy.cosmology, "200m", heavy.redshift))


def test_particles_at_one_place_end_the_search(tmp_path):
    positions = np.repeat([[500.0, 500.0, 500.0], [600.0, 500.0, 500.0]], 50, axis=0)
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", positions, mass=0.1)
    snapshot = read_snapshot(tmp_path / "snapshot_000.hdf5")
    ours = overdensity(index(snapshot), [(500.0,) * 3], [1e11], threshold(snapshot.cosmology, "200m", snapshot.redshift))
    assert ours.particles[0] in (50, 100)


def test_thresholds_follow_the_friedmann_equation():
    curved = Cosmology(omega_matter=0.3, omega_lambda=0.6, hubble=0.7)
    physical = 0.3 * 8 + 0.1 * 4 + 0.6  # E^2 at z = 1 with curvature
    assert threshold(curved, "200c", 1.0) == pytest.approx(200 * 277.53663 * physical / 8, rel=1e-7)
    assert threshold(curved, "200m", 1.0) == pytest.approx(200 * 277.53663 * 0.3, rel=1e-7)


def test_an_unknown_definition_is_refused(corner):
    with pytest.raises(ConfigError, match="unknown mass definition"):
        threshold(corner.cosmology, "500c", corner.redshift)
