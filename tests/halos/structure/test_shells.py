from __future__ import annotations

import numpy as np
import pytest

from tests.halos import gadget
from tests.oracles import halos as oracle
from triptych.errors import ConfigError, DataError
from triptych.halos import density_profiles, index, log_edges, read_snapshot, stack

CENTRE = (3.0, 3.0, 3.0)


def test_shells_hold_what_a_loop_over_particles_finds(corner):
    edges = log_edges(5.0, 400.0, 12)
    ours = density_profiles(index(corner), [CENTRE], edges)
    radii = oracle.distances(corner.positions, corner.box_size, CENTRE)
    volume = 4 / 3 * np.pi * (edges[0, 1:] ** 3 - edges[0, :-1] ** 3)
    np.testing.assert_allclose(ours.density[0] * volume, oracle.shells(radii, corner.masses, edges[0]), rtol=1e-12)
    np.testing.assert_allclose((ours.error[0] * volume) ** 2, oracle.shells(radii, corner.masses**2, edges[0]), rtol=1e-12)
    np.testing.assert_array_equal(ours.counts[0], oracle.shells(radii, np.ones(len(radii)), edges[0]))


def test_the_shells_add_up_to_the_enclosed_mass(corner):
    particles = index(corner)
    ours = density_profiles(particles, [CENTRE], log_edges(10.0, 300.0, 25))
    volume = 4 / 3 * np.pi * np.diff(ours.edges[0] ** 3)
    between = particles.around(CENTRE, 300.0).masses.sum() - particles.around(CENTRE, 10.0).masses.sum()
    assert (ours.density[0] * volume).sum() == pytest.approx(between, rel=1e-12)


def test_a_uniform_box_has_the_mean_density(tmp_path):
    rng = np.random.default_rng(3)
    number, mass = 200_000, gadget.MEAN_DENSITY * 1000.0**3 / 200_000
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", rng.uniform(0, 1000, (number, 3)), mass=mass / 1e10)
    snapshot = read_snapshot(tmp_path / "snapshot_000.hdf5")
    ours = density_profiles(index(snapshot), [(990.0, 5.0, 400.0)], log_edges(100.0, 500.0, 6))
    expected = gadget.MEAN_DENSITY * 4 / 3 * np.pi * np.diff(ours.edges[0] ** 3) / mass
    assert np.all(np.abs(ours.counts[0] - expected) < 4 * np.sqrt(expected))
    assert np.all(np.abs(ours.density[0] - gadget.MEAN_DENSITY) < 4 * ours.error[0])


def test_an_empty_shell_is_flagged_and_kept(corner):
    ours = density_profiles(index(corner), [CENTRE], np.array([[1e-6, 1e-5, 200.0]]))
    assert ours.filled.tolist() == [[False, True]]
    assert ours.density[0, 0] == 0.0
    one = corner.masses.mean() / (4 / 3 * np.pi * (1e-15 - 1e-18))
    assert ours.error[0, 0] == pytest.approx(one, rel=1e-9)


def test_a_particle_on_an_edge_belongs_to_the_inner_shell(tmp_path):
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", [[500.0, 500.0, 508.0], [500.0, 516.0, 500.0], [500.0, 500.0, 500.0]])
    edges = np.array([[4.0, 8.0, 16.0, 32.0]])
    assert density_profiles(index(read_snapshot(tmp_path)), [(500.0,) * 3], edges).counts.tolist() == [[1, 1, 0]]


def test_edges_are_equal_steps_of_the_logarithm():
    edges = log_edges([1.0, 2.0], [8.0, 200.0], 5)
    np.testing.assert_allclose(np.diff(np.log(edges)), np.repeat([[np.log(8) / 5], [np.log(100) / 5]], 5, axis=1), rtol=1e-12)
    np.testing.assert_allclose(edges[:, [0, -1]], [[1, 8], [2, 200]], rtol=1e-12)


@pytest.mark.parametrize(("inner", "outer", "bins"), [(1.0, 1.0, 3), (0.0, 1.0, 3), (2.0, [3.0, 1.0], 3), (1.0, 2.0, 0)])
def test_shells_without_extent_are_refused(inner, outer, bins):
    with pytest.raises(ConfigError, match="no extent"):
        log_edges(inner, outer, bins)


def test_a_shell_wider_than_the_box_is_refused(corner):
    with pytest.raises(DataError, match="does not fit"):
        density_profiles(index(corner), [CENTRE], log_edges(10.0, 501.0, 3))


def test_the_stack_is_the_mean_with_its_standard_error(corner):
    rng = np.random.default_rng(11)
    centres = rng.uniform(0, 1000, (12, 3))
    radii, edges = np.linspace(150, 250, 12), np.array([0.5, 1.0, 1.5])
    ours = stack(index(corner), centres, radii, edges, samples=4000, rng=rng)
    every = np.array(
        [
            oracle.shells(oracle.distances(corner.positions, 1000.0, centre), corner.masses, radius * edges)
            / (4 / 3 * np.pi * np.diff((radius * edges) ** 3))
            for centre, radius in zip(centres, radii, strict=True)
        ]
    )
    np.testing.assert_allclose(ours.density, every.mean(axis=0), rtol=1e-12)
    # Exactly, the bootstrap gives std / sqrt(n); 4000 samples know it to 1 / sqrt(8000), a little worse with tails.
    np.testing.assert_allclose(ours.error, every.std(axis=0) / np.sqrt(12), rtol=4 * 1.5 / np.sqrt(8000))
    assert np.all((ours.lower < ours.density) & (ours.density < ours.upper))
    assert np.all(np.abs((ours.upper - ours.lower) / 2 / ours.error - 1) < 0.25)


def test_a_stack_needs_several_halos(corner):
    with pytest.raises(ConfigError, match="several halos"):
        stack(index(corner), [CENTRE], [100.0], np.array([0.5, 1.0]), rng=np.random.default_rng(1))
