from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial import cKDTree

from tests.halos.voxels import direct
from tests.oracles.halos import distances
from triptych.errors import ConfigError, DataError
from triptych.halos import index, read_catalogue, read_snapshot, sample_data
from triptych.halos.structure.spheres import Particles
from triptych.halos.voxels.grids import deposit, voxelise
from triptych.halos.voxels.smoothing import smooth, smoothing_lengths


def test_lengths_are_half_the_distance_to_the_kth_neighbour_across_the_edges():
    positions, box = np.random.default_rng(4).uniform(0, 100.0, (200, 3)), 100.0
    lengths = smoothing_lengths(cKDTree(positions, boxsize=box), 10)
    expected = [np.sort(distances(positions, box, centre))[9] / 2 for centre in positions]
    np.testing.assert_allclose(lengths, expected, rtol=1e-12)


@pytest.mark.parametrize("h", [0.1, 0.45, 0.6, 1.0, 1.7, 2.0, 2.6, 4.0, 9.0])
def test_kernels_of_any_width_are_those_of_a_direct_sum(h):
    rng, side, n = np.random.default_rng(5), 30.0, 15
    offsets, masses = rng.uniform(-20, 20, (60, 3)), rng.uniform(0.5, 1.5, 60)
    lengths = np.full(60, h * side / n)
    expected = direct.smoothed(offsets, masses, lengths, side, n)
    exact = deposit(offsets, masses, side=side, n=n, scheme="sph", smoothing=lengths, out=np.empty((n, n, n)))
    np.testing.assert_allclose(exact, expected, rtol=1e-9, atol=1e-12 * expected.max())
    single = deposit(offsets, masses, side=side, n=n, scheme="sph", smoothing=lengths)
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-6 * expected.max())
    assert single.min() >= 0


def test_no_mass_is_lost():
    """A particle in the middle of a grid that holds its kernel, at any place inside its voxel."""
    rng, side, n = np.random.default_rng(6), 51.0, 51
    assert abs(quad(lambda r: 4 * np.pi * r**2 * direct.kernel(r, 2.0), 0, 4, epsabs=1e-10)[0] - 1) < 1e-9
    for h in (0.01, 0.3, 0.5, 0.7, 1.0, 1.5, 1.99, 2.01, 3.0, 5.0, 12.0):
        for offset in rng.uniform(-0.5, 0.5, (4, 3)):
            grid = deposit(offset, 3.0, side=side, n=n, scheme="sph", smoothing=[h], out=np.empty((n, n, n)))
            assert abs(grid.sum() / 3.0 - 1) < (1e-12 if h < 2 else 1e-4), h


def test_a_uniform_universe_has_the_mean_density_everywhere():
    """Particles on a lattice: the density is 1 to the per cent of the kernel's own sum."""
    lattice = np.stack(np.meshgrid(*3 * [np.arange(30.0)], indexing="ij"), axis=-1).reshape(-1, 3) - 14.7
    lengths = smoothing_lengths(cKDTree(lattice + 14.7, boxsize=30.0), 57)
    grid = deposit(lattice, 1.0, side=8.0, n=20, scheme="sph", smoothing=lengths)
    np.testing.assert_allclose(grid, 1.0, rtol=0.02)


def test_no_kernel_that_reaches_into_a_cube_is_missed():
    """A clump, and few particles around of kernels a hundred times as wide."""
    rng, box, half = np.random.default_rng(9), 1000.0, 20.0
    positions = np.concatenate([rng.normal(500, 10, (3000, 3)), rng.uniform(0, box, (40, 3))])
    particles = Particles(tree=cKDTree(positions, boxsize=np.full(3, box)), masses=np.ones(3040), box_size=box)
    smoothing = smooth(particles, neighbours=3)
    assert smoothing.widest > 5 * smoothing.common
    found = 0
    for centre in rng.uniform(0, box, (50, 3)):
        offsets = np.abs((positions - centre + box / 2) % box - box / 2)
        outside = np.linalg.norm(np.maximum(offsets - half, 0), axis=1)
        reaching = np.flatnonzero(outside < 2 * smoothing.lengths)
        rows = smoothing.reaching(particles, centre, half)
        assert set(reaching) <= set(rows) and len(rows) == len(set(rows))
        found += len(reaching)
    assert found > 50


def test_too_few_neighbours_or_particles_are_refused():
    with pytest.raises(ConfigError, match="needs a neighbour"):
        smoothing_lengths(cKDTree(np.zeros((5, 3))), 1)
    with pytest.raises(DataError, match="not enough particles"):
        smoothing_lengths(cKDTree(np.zeros((5, 3))), 6)


@pytest.mark.filterwarnings("ignore")
def test_pynbody_renders_the_same():
    """All kernels are of 2 voxels or more. pynbody looks them up in 201 steps of r^2, at the nearer end: up to 3 % too much."""
    pynbody = pytest.importorskip("pynbody")
    snapshot, groups = read_snapshot(sample_data("tiny32")), read_catalogue(sample_data("tiny32"))
    particles, side, n, box = index(snapshot), 400.0, 80, snapshot.box_size
    smoothing = smooth(particles)
    assert smoothing.lengths.min() > 2 * side / n
    offsets = snapshot.positions - groups.positions[0]
    sim = pynbody.new(dm=len(offsets))
    sim["pos"] = pynbody.array.SimArray(offsets - box * np.round(offsets / box), "kpc")
    sim["mass"] = pynbody.array.SimArray(snapshot.masses.copy(), "Msol")
    sim.properties["boxsize"] = box * pynbody.units.Unit("kpc")
    pynbody.config["sph"]["smooth-particles"] = 32
    np.testing.assert_allclose(sim["smooth"], smoothing.lengths, rtol=1e-9)
    theirs = np.asarray(pynbody.sph.render_3d_grid(sim, "rho", nx=n, width=side, approximate_fast=False))
    ours = voxelise(particles, groups.positions[0], side=side, n=n, mean_density=1.0, scheme="sph", smoothing=smoothing)
    np.testing.assert_allclose(theirs, ours, rtol=0.03)
    assert 1.0 < np.median(theirs / ours) < 1.015
