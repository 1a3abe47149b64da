from __future__ import annotations

import numpy as np
import pytest

from tests.halos import gadget
from triptych.errors import DataError
from triptych.halos import read_catalogue, sample_data

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
    import h5py

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
