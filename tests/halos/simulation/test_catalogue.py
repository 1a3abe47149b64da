from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.halos import gadget
from triptych.errors import DataError
from triptych.halos import read_catalogue, sample_data
from triptych.halos.simulation.catalogue import read_slices, read_subhalos
from triptych.halos.simulation.snapshot import read_particle_ids, read_snapshot

GROUPS = {"centres": np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]), "lengths": [900, 90, 40], "masses": [9.0, 0.9, 0.4]}


def write(path, **changes):
    options = GROUPS | changes
    gadget.write_catalogue(path, options.pop("centres"), **options)


def test_the_sample_is_in_kpc_and_solar_masses():
    groups = read_catalogue(sample_data())
    assert len(groups.lengths) == 302
    # Three relations that only the right units fulfil: particle mass, and the definitions of r200m and r200c.
    np.testing.assert_allclose(groups.masses / groups.lengths, 8.0084e7, rtol=1e-4)
    assert np.all((groups.positions >= 0) & (groups.positions < groups.box_size))
    for mass, radius, density in ((groups.m200m, groups.r200m, 277.5366 * 0.3099), (groups.m200c, groups.r200c, 277.5366)):
        found = mass > 0
        np.testing.assert_allclose(mass[found] / (4 / 3 * np.pi * radius[found] ** 3) / density, 200, rtol=2e-3)


def test_an_output_without_groups_is_an_empty_table():
    groups = read_catalogue(sample_data("tiny32"), 0)
    assert groups.positions.shape == (0, 3)
    assert len(groups.lengths) == len(groups.masses) == len(groups.m200m) == 0
    assert groups.redshift == pytest.approx(6.99, abs=0.01)


def test_units_come_from_the_file(tmp_path):
    write(tmp_path / "fof_subhalo_tab_000.hdf5", box=10.0, parameter=gadget.parameters(unit_length=gadget.MPC))
    groups = read_catalogue(tmp_path)
    np.testing.assert_allclose(groups.positions, 1e3 * GROUPS["centres"], rtol=1e-12)
    np.testing.assert_allclose(groups.masses, [9e10, 0.9e10, 0.4e10])


@pytest.mark.parametrize("parts", [2, 5])  # five parts of three groups: two of them are empty
def test_parts_are_one_catalogue(tmp_path, parts):
    (tmp_path / "groups_004").mkdir()
    write(tmp_path / "groups_004" / "fof_subhalo_tab_004.{}.hdf5", parts=parts)
    groups = read_catalogue(tmp_path)
    np.testing.assert_array_equal(groups.positions, GROUPS["centres"])
    assert groups.lengths.tolist() == GROUPS["lengths"]


@pytest.mark.parametrize("key", ["NumFiles", "Ngroups_Total", "Redshift", "Time", "BoxSize", "Ngroups_ThisFile"])
def test_a_missing_header_value_is_named(tmp_path, key):
    write(tmp_path / "fof_subhalo_tab_000.hdf5", leave_out=(key,))
    with pytest.raises(DataError, match=f"the file has no {key}"):
        read_catalogue(tmp_path)


def test_a_missing_dataset_is_named(tmp_path):
    write(tmp_path / "fof_subhalo_tab_000.hdf5", leave_out=("Group_M_Mean200",))
    with pytest.raises(DataError, match="no Group/Group_M_Mean200"):
        read_catalogue(tmp_path)


def test_a_catalogue_with_fewer_groups_than_it_counts_is_refused(tmp_path):
    write(tmp_path / "fof_subhalo_tab_000.hdf5")
    with h5py.File(tmp_path / "fof_subhalo_tab_000.hdf5", "r+") as file:
        file["Header"].attrs["Ngroups_Total"] = 4
    with pytest.raises(DataError, match="does not hold the groups"):
        read_catalogue(tmp_path)


def test_centres_that_are_not_finite_are_refused(tmp_path):
    write(tmp_path / "fof_subhalo_tab_000.hdf5", centres=np.array([[1.0, 2, 3], [4, np.inf, 6], [7, 8, 9]]))
    with pytest.raises(DataError, match="not finite"):
        read_catalogue(tmp_path)


def test_a_truncated_catalogue_is_refused(tmp_path):
    source = sample_data() / "fof_subhalo_tab_023.hdf5"
    (tmp_path / source.name).write_bytes(source.read_bytes()[:60_000])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_catalogue(tmp_path)


def test_the_subhalos_of_the_sample_lie_in_their_groups():
    groups, subhalos = read_catalogue(sample_data()), read_subhalos(sample_data())
    assert len(subhalos.lengths) == 378
    central = subhalos.rank == 0
    np.testing.assert_array_equal(subhalos.positions[central], groups.positions[subhalos.group[central]])
    np.testing.assert_allclose(subhalos.masses / subhalos.lengths, 8.0084e7, rtol=1e-4)
    assert (np.bincount(subhalos.group, subhalos.lengths) <= groups.lengths[: subhalos.group.max() + 1]).all()


def test_an_output_without_subhalos_is_an_empty_table():
    subhalos = read_subhalos(sample_data("tiny32"), 0)
    assert subhalos.positions.shape == (0, 3)
    assert len(subhalos.lengths) == len(subhalos.masses) == len(subhalos.group) == len(subhalos.rank) == 0
    assert [len(column) for column in read_slices(sample_data("tiny32"), 0, of="Subhalo")] == [0, 0]


@pytest.mark.parametrize("of", ["Group", "Subhalo"])
def test_slices_hold_the_particles_of_each_halo(of):
    """The most massive halos of the sample, across the edge of the box too: their particles lie around their centres."""
    run = sample_data("tiny32")
    snapshot, halos = read_snapshot(run), read_catalogue(run) if of == "Group" else read_subhalos(run)
    first, count = read_slices(run, of=of)
    np.testing.assert_array_equal(count, halos.lengths)
    for halo in range(4):
        mine = snapshot.positions[first[halo] : first[halo] + count[halo]]
        offset = np.mod(mine - halos.positions[halo] + 10000, 20000) - 10000
        assert np.linalg.norm(offset, axis=1).max() < 3000
        assert snapshot.masses[0] * count[halo] == pytest.approx(halos.masses[halo], rel=1e-5)
    bound = read_particle_ids(run)[first]
    if of == "Subhalo":
        with h5py.File(halos.path) as file:
            np.testing.assert_array_equal(bound, file["Subhalo/SubhaloIDMostbound"])


def test_subhalos_in_parts_and_across_the_edge(tmp_path):
    places = {name: np.array([name + 997.0, 1.0, 2.0]) for name in range(6)}
    gadget.write_halos(tmp_path, 3, [[[0, 1], [2]], [[5], [3, 4]]], positions=places, parts=2)
    subhalos = read_subhalos(tmp_path)
    assert subhalos.positions[:, 0].tolist() == [997, 999, 2, 0]
    assert (subhalos.lengths.tolist(), subhalos.group.tolist()) == ([2, 1, 1, 2], [0, 0, 1, 1])
    assert subhalos.rank.tolist() == [0, 1, 0, 1]
    assert [column.tolist() for column in read_slices(tmp_path, of="Subhalo")] == [[0, 2, 3, 4], [2, 1, 1, 2]]
    assert [column.tolist() for column in read_slices(tmp_path, of="Group")] == [[0, 3], [3, 3]]
    assert read_particle_ids(tmp_path).tolist() == [0, 1, 2, 5, 3, 4]


def test_parts_with_other_units_are_refused(tmp_path):
    write(tmp_path / "fof_subhalo_tab_004.{}.hdf5", parts=2)
    with h5py.File(tmp_path / "fof_subhalo_tab_004.1.hdf5", "r+") as file:
        file["Parameters"].attrs["UnitLength_in_cm"] = gadget.MPC
    with pytest.raises(DataError, match="parts of an output have different units"):
        read_catalogue(tmp_path)


def test_a_dataset_of_the_wrong_shape_is_refused(tmp_path):
    write(tmp_path / "fof_subhalo_tab_000.hdf5", centres=np.array([1.0, 2.0, 3.0]))
    with pytest.raises(DataError, match="GroupPos is not what it should be"):
        read_catalogue(tmp_path)
