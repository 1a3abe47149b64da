from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.halos.voxels import direct
from triptych.errors import ConfigError, DataError
from triptych.halos import index
from triptych.halos.voxels.grids import contains, density_from_log, deposit, log_density, voxelise, zoom_grids, zoom_sides
from triptych.halos.voxels.smoothing import smooth

ORDERS = {"ngp": 1, "cic": 2, "tsc": 3}
SIDE, N = 21.0, 7


def cloud(number, width, rng):
    return rng.uniform(-width / 2, width / 2, (number, 3)), rng.uniform(0.5, 1.5, number)


@pytest.mark.parametrize(("scheme", "order"), ORDERS.items())
def test_clouds_are_shared_as_b_splines_say_and_reach_in_from_outside(scheme, order):
    offsets, masses = cloud(300, 1.6 * SIDE, np.random.default_rng(1))
    density = deposit(offsets, masses, side=SIDE, n=N, scheme=scheme, out=np.empty((N, N, N)))
    np.testing.assert_allclose(density, direct.assigned(offsets, masses, SIDE, N, order), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("scheme", ORDERS)
def test_a_grid_that_holds_all_clouds_has_their_mass_and_their_centre(scheme):
    offsets, masses = cloud(20_000, 0.7 * SIDE, np.random.default_rng(2))
    exact = deposit(offsets, masses, side=SIDE, n=N, scheme=scheme, out=np.empty((N, N, N)))
    single = deposit(offsets, masses, side=SIDE, n=N, scheme=scheme)
    volume = (SIDE / N) ** 3
    assert abs(exact.sum() * volume / masses.sum() - 1) < 1e-12
    assert single.dtype == np.float32 and abs(single.sum(dtype=np.float64) * volume / masses.sum() - 1) < 1e-6
    if scheme != "ngp":
        centre = [np.average(direct.centres(SIDE, N), weights=exact.sum(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        np.testing.assert_allclose(centre, np.average(offsets, axis=0, weights=masses), atol=1e-12)


@pytest.mark.parametrize("scheme", [*ORDERS, "sph"])
@pytest.mark.parametrize("centre", [(3.0, 3.0, 3.0), (999.0, 500.0, 2.0), (-1.0, 1001.0, 3.0)])
def test_cubes_reach_across_the_edges_of_the_box(corner, scheme, centre):
    side, n, rho_m = 240.0, 9, 1e5
    particles = index(corner)
    smoothing = smooth(particles, neighbours=8)
    assert 0 < len(smoothing.wide) < 0.03 * len(smoothing.lengths)
    offsets = direct.images(corner.positions, corner.box_size, np.array(centre))
    near = np.abs(offsets).max(axis=1) < side / 2 + 2 * smoothing.widest
    offsets, masses, lengths = offsets[near], np.tile(corner.masses, 27)[near], np.tile(smoothing.lengths, 27)[near]
    if scheme == "sph":
        expected = direct.smoothed(offsets, masses, lengths, side, n) / rho_m
    else:
        expected = direct.assigned(offsets, masses, side, n, ORDERS[scheme]) / rho_m
    found = voxelise(particles, centre, side=side, n=n, mean_density=rho_m, scheme=scheme, smoothing=smoothing)
    assert expected.max() > 0 and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_nested_cubes_share_their_mass(corner):
    particles = index(corner)
    boxes = zoom_grids(particles, (3, 3, 3), side=400.0, n=8, levels=3, mean_density=2.0, scheme="ngp", zoom=2.0)
    for outer, inner in itertools.pairwise(boxes):
        np.testing.assert_allclose(outer[2:6, 2:6, 2:6], inner.reshape(4, 2, 4, 2, 4, 2).mean(axis=(1, 3, 5)), rtol=1e-5)
    smoothing = smooth(particles, neighbours=8)
    for scheme in ("cic", "sph"):
        boxes = zoom_grids(
            particles, (3, 3, 3), side=300.0, n=8, levels=3, zoom=3.0, mean_density=2.0, scheme=scheme, smoothing=smoothing
        )
        for side, box in zip(zoom_sides(300.0, 3, 3.0), boxes, strict=True):
            alone = voxelise(
                particles, (3, 3, 3), side=side, n=8, mean_density=2.0, scheme=scheme, smoothing=smoothing, out=np.ones((8, 8, 8))
            )
            np.testing.assert_allclose(box, alone, rtol=1e-4, atol=1e-6 * alone.max())


def test_what_was_in_the_grid_is_overwritten_and_one_mass_will_do():
    offsets, _ = cloud(50, SIDE, np.random.default_rng(3))
    grid = np.full((N, N, N), np.nan, dtype=np.float32)
    assert deposit(offsets, 2.0, side=SIDE, n=N, out=grid) is grid
    np.testing.assert_array_equal(grid, deposit(offsets, np.full(50, 2.0), side=SIDE, n=N))


def test_the_logarithm_keeps_the_precision_and_comes_back():
    density = np.array([0.0, 1e-4, 1.0, 1e6])
    np.testing.assert_allclose(log_density(density), [0, np.log10(1.0001), np.log10(2), np.log10(1e6 + 1)], rtol=1e-12)
    np.testing.assert_allclose(density_from_log(log_density(density)), density, rtol=1e-12)
    single = log_density(density.astype(np.float32))
    assert single.dtype == np.float32 and density_from_log(single).dtype == np.float32


def test_a_cube_contains_the_sphere_of_half_its_side():
    assert contains(400.0, 200.0) and not contains(400.0, 200.1)


def test_what_cannot_be_is_refused(corner):
    particles = index(corner)
    with pytest.raises(ConfigError, match="no such cube"):
        deposit(np.zeros((1, 3)), 1.0, side=-1.0, n=4)
    with pytest.raises(ConfigError, match="unknown assignment"):
        deposit(np.zeros((1, 3)), 1.0, side=1.0, n=4, scheme="pcs")
    with pytest.raises(ConfigError, match="another shape"):
        deposit(np.zeros((1, 3)), 1.0, side=1.0, n=4, out=np.zeros((4, 4, 5)))
    with pytest.raises(ConfigError, match="needs smoothing lengths"):
        deposit(np.zeros((1, 3)), 1.0, side=1.0, n=4, scheme="sph")
    with pytest.raises(DataError, match="different number"):
        deposit(np.zeros((2, 3)), 1.0, side=1.0, n=4, scheme="sph", smoothing=[1.0])
    with pytest.raises(ConfigError, match="needs smoothing lengths"):
        voxelise(particles, (0, 0, 0), side=100.0, n=4, mean_density=1.0, scheme="sph")
    with pytest.raises(ConfigError, match="no such cube"):
        voxelise(particles, (0, 0, 0), side=0.0, n=4, mean_density=1.0)
    with pytest.raises(ConfigError, match="mean density"):
        voxelise(particles, (0, 0, 0), side=100.0, n=4, mean_density=0.0)
    with pytest.raises(DataError, match="do not fit"):
        voxelise(particles, (0, 0, 0), side=990.0, n=4, mean_density=1.0)
    with pytest.raises(DataError, match="do not fit"):
        voxelise(particles, (0, 0, 0), side=400.0, n=4, mean_density=1.0, scheme="sph", smoothing=smooth(particles, 300))
    with pytest.raises(ConfigError, match="no such zoom"):
        zoom_grids(particles, (0, 0, 0), side=100.0, n=4, levels=2, mean_density=1.0, zoom=1.0)
