"""Particles in spherical cells, against a loop over particles, the symmetries of the cube, and areas of the sky."""

from __future__ import annotations

import math
from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest

from triptych.errors import ConfigError, DataError
from triptych.halos import Cosmology, cube_symmetries, index, measure, read_catalogue, read_snapshot, sample_data
from triptych.halos.dataset import BoxSpec, Cuts, Role
from triptych.halos.dataset.build import build
from triptych.halos.dataset.gather import Recipe, Source
from triptych.halos.mock import build as building
from triptych.halos.mock.build import Realisation, build_mock
from triptych.halos.simulation.snapshot import Snapshot
from triptych.halos.voxels.sphere import LAYERS, PIXELS, sphere_counts, sphere_edges

BOX = 2000.0
EDGES = sphere_edges(600.0)


def particles(offsets, centre):
    return index(
        Snapshot(
            positions=(np.asarray(offsets) + centre) % BOX,
            masses=np.ones(len(offsets)),
            box_size=BOX,
            redshift=0.0,
            scale_factor=1.0,
            cosmology=Cosmology(omega_matter=0.3, omega_lambda=0.7, hubble=0.7),
            softening=1.0,
            path=Path("test"),
        )
    )


def counted(offsets, centre=(1000.0, 1000.0, 1000.0)):
    return sphere_counts(particles(offsets, centre), centre, EDGES)


def domain(offset):
    """The part of the sky: the order of |x|, |y|, |z| and the three signs, as words."""
    return tuple(np.argsort(np.abs(offset)).tolist()), tuple(np.asarray(offset > 0).tolist())


def by_hand(offsets, pixels):
    """Counts (layer, pixel), particle by particle."""
    counts = np.zeros((LAYERS, PIXELS), int)
    for offset, r in zip(offsets, np.linalg.norm(offsets, axis=1), strict=True):
        if EDGES[0] <= r < EDGES[-1]:
            counts[bisect_right(EDGES, r) - 1, pixels[domain(offset)]] += 1
    return counts


@pytest.fixture(scope="module")
def offsets():
    """Particles inside, outside and between."""
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(3000, 3))
    return 700.0 * rng.random((3000, 1)) ** 2 * directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def pixels():
    """The pixel of each domain, by one particle in each."""
    corner = np.array([1.0, 2.0, 3.0]) * 20.0
    return {domain(matrix @ corner): int(counted([matrix @ corner]).sum(axis=0).argmax()) for matrix in cube_symmetries()}


def test_against_a_loop(offsets, pixels):
    assert sorted(pixels.values()) == list(range(PIXELS))
    found = counted(offsets)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, by_hand(offsets, pixels))
    radii = np.linalg.norm(offsets, axis=1)
    assert found.sum() == ((radii >= EDGES[0]) & (radii < EDGES[-1])).sum() < len(offsets)


def test_symmetries_permute_the_pixels(offsets, pixels):
    """To turn the particles by any of the 48 symmetries moves whole columns, and each has its own way."""
    before, ways = counted(offsets), set()
    corner = np.array([1.0, 2.0, 3.0])
    for matrix in cube_symmetries():
        to = np.empty(PIXELS, int)
        for other in cube_symmetries():
            to[pixels[domain(other @ corner)]] = pixels[domain(matrix @ other @ corner)]
        assert sorted(to) == list(range(PIXELS))
        np.testing.assert_array_equal(counted(offsets @ matrix.T)[:, to], before)
        ways.add(tuple(to))
    assert len(ways) == 48


def test_pixels_have_equal_areas():
    """Directions at random: chi-squared of 48 pixels, and of 24 layers by the volume."""
    rng = np.random.default_rng(4)
    number = 96_000
    directions = rng.normal(size=(number, 3))
    ball = 500.0 * rng.random((number, 1)) ** (1 / 3) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    counts = counted(ball).astype(float)
    expected = counts.sum() / PIXELS
    chi2 = ((counts.sum(axis=0) - expected) ** 2 / expected).sum()
    assert abs(chi2 - 47) < 4 * math.sqrt(2 * 47)
    layers = number * np.diff(np.minimum(EDGES, 500.0) ** 3) / 500.0**3
    assert (abs(counts.sum(axis=1) - layers) < 4 * np.sqrt(layers) + 1).all()


@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (1990.0, 5.0, 1000.0), (3000.0, -1000.0, 1000.0)])
def test_the_box_is_periodic(offsets, centre):
    shifted = np.round(offsets * 1024) / 1024  # so that no sum is rounded
    np.testing.assert_array_equal(counted(shifted, centre), counted(shifted))


def test_borders_belong_to_one_cell():
    """On axes, diagonals and planes a particle is counted once; at the centre and at the outer edge not at all."""
    for offset in ([100.0, 0, 0], [0, -100.0, 0], [50.0, 50.0, 0], [50.0, 50.0, 50.0], [-50.0, 50.0, 20.0], [20.0, -50.0, -50.0]):
        assert counted([offset]).sum() == 1
    edges, centre = np.array([8.0, 16.0, 32.0]), [1000.0] * 3  # without rounding
    for x, expected in ((0.0, [0, 0]), (8.0, [1, 0]), (16.0, [0, 1]), (32.0, [0, 0])):
        assert sphere_counts(particles([[x, 0.0, 0.0]], centre), centre, edges).sum(axis=1).tolist() == expected


def test_counts_end_where_sixteen_bits_do():
    assert counted(np.tile([10.0, 11.0, 12.0], (70_000, 1))).max() == 65_535


def test_edges_reach_from_a_voxel_to_the_corners():
    assert len(EDGES) == LAYERS + 1
    np.testing.assert_allclose(np.diff(np.log(EDGES)), np.log(EDGES[-1] / EDGES[0]) / LAYERS)
    assert EDGES[0] == pytest.approx(600.0 / 64) and EDGES[-1] == pytest.approx(np.linalg.norm([300.0] * 3))


def test_what_cannot_be_is_refused(offsets):
    for side in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match="no such cube"):
            sphere_edges(side)
    with pytest.raises(DataError):
        sphere_counts(particles(offsets, [1000.0] * 3), [1000.0] * 3, sphere_edges(3000.0))


def test_a_data_set_of_a_simulation_holds_them(tmp_path, pixels):
    """Each halo against all particles of the snapshot."""
    box = BoxSpec(n=4, sides=(600.0,), scheme="ngp")
    recipe = Recipe(kind="virial", outer=1.0, bins=5, cuts=Cuts(), box=box)
    sources = [Source(folder=sample_data(), role=Role("letter", ("training",)))]
    table = build(tmp_path / "x.zarr", sources, recipe).table
    np.testing.assert_array_equal(table["sphere/edge"], EDGES)
    snapshot = read_snapshot(sample_data())
    for row in (0, len(table["id"]) - 1):
        offsets = snapshot.positions - table["centre"].to_numpy()[row]
        offsets -= snapshot.box_size * np.round(offsets / snapshot.box_size)
        near = offsets[np.linalg.norm(offsets, axis=1) < EDGES[-1] + 1]
        np.testing.assert_array_equal(table["sphere/counts"].to_numpy()[row], by_hand(near, pixels))


def test_a_mock_data_set_holds_them(tmp_path, monkeypatch, pixels):
    """Each halo against the particles that were drawn for it alone."""
    drawn = {}
    universes = building.draw_universe

    def watched(*args, **kwargs):
        universe = universes(*args, **kwargs)
        particles_of = type(universe).particles

        def particles(self, row, *rest, **named):
            drawn[row] = particles_of(self, row, *rest, **named)
            return drawn[row]

        monkeypatch.setattr(type(universe), "particles", particles)
        return universe

    monkeypatch.setattr(building, "draw_universe", watched)
    building._universe.cache_clear()
    box = BoxSpec(n=4, sides=(600.0,), scheme="ngp")
    recipe = Recipe(kind="virial", outer=1.0, bins=5, cuts=Cuts(lowest=11.0, highest=11.3), box=box, min_particles=1)
    table = build_mock(tmp_path / "x.zarr", [Realisation("a", 4, "training", 3)], recipe).table
    assert sorted(drawn) == [0, 1, 2]
    for row, offsets in drawn.items():
        found = table["sphere/counts"].to_numpy()[row].astype(int)
        assert abs(found - by_hand(offsets, pixels)).sum() <= 2  # positions in the box are rounded at a border
        assert found.sum() > 1000


def test_the_sample_has_halos_to_count():
    """The counts of the doctest, and the profile's: both count the particles in a sphere."""
    everyone, groups = index(read_snapshot(sample_data())), read_catalogue(sample_data())
    table = measure(sample_data(), outer=1.0, bins=5, min_particles=5000)
    row = int(table["id"][0])
    counts = sphere_counts(everyone, groups.positions[row], EDGES)
    radii = everyone.around(groups.positions[row], EDGES[-1]).radii
    np.testing.assert_array_equal(counts.sum(axis=1), np.histogram(radii, EDGES)[0])
