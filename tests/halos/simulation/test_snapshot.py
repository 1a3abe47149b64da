from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from tests.halos import gadget
from triptych.errors import DataError
from triptych.halos import Cosmology, read_snapshot, sample_data
from triptych.halos.simulation.snapshot import read_particle_ids

RNG = np.random.default_rng(1)
POSITIONS = RNG.uniform(0, 1000, (60, 3))


def test_the_sample_has_the_units_it_says():
    snapshot = read_snapshot(sample_data())
    assert snapshot.positions.shape == (64**3, 3)
    assert snapshot.box_size == pytest.approx(6250.0, rel=1e-12)
    assert snapshot.masses[0] == pytest.approx(8.0083996e7, rel=1e-7)
    assert snapshot.softening == pytest.approx(6250 / 64 / 30, rel=1e-6)
    assert (snapshot.redshift, snapshot.scale_factor) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert snapshot.cosmology == Cosmology(omega_matter=0.3099, omega_lambda=0.6901, hubble=0.6777)
    # All matter is there: its mean density is Omega_m rho_c to the roundings of GADGET's own constants.
    assert snapshot.masses.sum() / snapshot.box_size**3 == pytest.approx(snapshot.cosmology.mean_density, rel=5e-4)


def test_units_come_from_the_file(tmp_path):
    for name, unit in (("000", gadget.KPC), ("001", gadget.MPC)):
        scale = gadget.KPC / unit
        gadget.write_snapshot(
            tmp_path / f"snapshot_{name}.hdf5",
            POSITIONS * scale,
            mass=0.5,
            box=1000 * scale,
            parameter=gadget.parameters(unit_length=unit, softening=3 * scale),
        )
    kpc, mpc = read_snapshot(tmp_path, 0), read_snapshot(tmp_path, 1)
    np.testing.assert_allclose(kpc.positions, POSITIONS, rtol=1e-12)
    np.testing.assert_allclose(mpc.positions, POSITIONS, rtol=1e-12)
    assert (kpc.box_size, mpc.box_size, mpc.softening) == pytest.approx((1000, 1000, 3), rel=1e-12)
    assert kpc.masses.tolist() == pytest.approx([0.5e10] * 60)


def test_positions_are_wrapped(tmp_path):
    odd = np.array([[-1.0, 1000.0, 2500.0], [-1e-17, 0.0, 999.0]])
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", odd)
    np.testing.assert_allclose(read_snapshot(tmp_path).positions, [[999, 0, 500], [0, 0, 999]])


def test_masses_of_each_particle_and_several_types(tmp_path):
    path = tmp_path / "snapshot_000.hdf5"
    gadget.write_snapshot(path, POSITIONS, masses=np.arange(60.0))
    with h5py.File(path, "r+") as file:
        table, total = np.zeros(6), file["Header"].attrs["NumPart_Total"]
        table[4], total[4] = 2.0, 1
        file["Header"].attrs.update(MassTable=table, NumPart_Total=total)
        file.create_group("PartType4")["Coordinates"] = [[1.0, 2.0, 3.0]]
    snapshot = read_snapshot(path)
    assert snapshot.masses.tolist() == pytest.approx([*(1e10 * np.arange(60)), 2e10])
    assert snapshot.positions[-1].tolist() == [1, 2, 3]
    dark, stars = read_snapshot(path, types=[1]), read_snapshot(path, types=[4])
    np.testing.assert_array_equal(dark.positions, snapshot.positions[:-1])
    assert (stars.positions.tolist(), stars.masses.tolist()) == ([[1, 2, 3]], pytest.approx([2e10]))
    np.testing.assert_array_equal(read_snapshot(path, types=(4, 1)).masses, snapshot.masses)
    with pytest.raises(DataError, match="does not hold the particles"):
        read_snapshot(path, types=[0])
    for none in ([6], [-1], []):
        with pytest.raises(DataError, match="knows no such particle type"):
            read_snapshot(path, types=none)


@pytest.mark.parametrize("pattern", ["snapshot_012.{}.hdf5", "snapdir_012/snapshot_012.{}.hdf5"])
def test_parts_are_one_snapshot(tmp_path, pattern):
    (tmp_path / "snapdir_012").mkdir()
    gadget.write_snapshot(tmp_path / pattern, POSITIONS, parts=3)
    for path in (tmp_path, str(tmp_path / pattern).format(0), str(tmp_path / pattern).format(2)):
        np.testing.assert_array_equal(read_snapshot(path).positions, POSITIONS)
    (tmp_path / pattern.format(1)).unlink()
    with pytest.raises(DataError, match=r"parts of a file are missing\n.*snapshot_012\.1\.hdf5"):
        read_snapshot(tmp_path)


def test_softening_is_capped_in_physical_length(tmp_path):
    settings = gadget.parameters(softening=4.0) | {"SofteningMaxPhysClass0": 1.0}
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", POSITIONS, a=0.5, parameter=settings)
    gadget.write_snapshot(tmp_path / "snapshot_001.hdf5", POSITIONS, a=0.2, parameter=settings)
    assert read_snapshot(tmp_path, 0).softening == pytest.approx(2.0)
    assert read_snapshot(tmp_path, 1).softening == pytest.approx(4.0)
    gadget.write_snapshot(
        tmp_path / "snapshot_002.hdf5", POSITIONS, parameter={key: value for key, value in settings.items() if "Soft" not in key}
    )
    assert read_snapshot(tmp_path, 2).softening is None


def test_the_last_output_of_a_folder(tmp_path):
    gadget.write_snapshot(tmp_path / "snapshot_002.hdf5", POSITIONS)
    gadget.write_snapshot(tmp_path / "snapshot_010.hdf5", POSITIONS)
    assert read_snapshot(tmp_path).path.name == "snapshot_010.hdf5"
    assert read_snapshot(tmp_path, 2).path.name == "snapshot_002.hdf5"
    with pytest.raises(DataError, match="one of 2, 10"):
        read_snapshot(tmp_path, 5)


def test_a_missing_file_names_its_neighbours(tmp_path):
    gadget.write_snapshot(tmp_path / "snapshot_002.hdf5", POSITIONS)
    with pytest.raises(DataError, match=r"no such file(.|\n)*did you mean 'snapshot_002\.hdf5'"):
        read_snapshot(tmp_path / "snapshot_003.hdf5")
    with pytest.raises(DataError, match=f"look into {tmp_path}$"):
        read_snapshot(tmp_path / "a" / "snapshot_003.hdf5")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no snapshot file"):
        read_snapshot(tmp_path / "empty")


def test_a_truncated_file_is_refused(tmp_path):
    source = sample_data("tiny32") / "snapshot_011.hdf5"
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes()[:200_000])
    with pytest.raises(DataError, match=r"truncated or damaged(.|\n)*200000 bytes"):
        read_snapshot(path)


def test_damage_that_shows_only_while_reading_is_refused(tmp_path):
    source = sample_data("tiny32") / "snapshot_011.hdf5"
    path = tmp_path / source.name
    shutil.copyfile(source, path)
    with h5py.File(path) as file:
        chunk = file["PartType1/Coordinates"].id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        file.write(b"\0" * 1000)
    with pytest.raises(DataError, match="truncated or damaged"):
        read_snapshot(path)


def test_what_is_not_hdf5_is_refused(tmp_path):
    path = tmp_path / "snapshot_000.hdf5"
    path.write_bytes(b"\x00\x01\x00\x00GADGET-2")
    with pytest.raises(DataError, match="not an HDF5 file"):
        read_snapshot(path)


@pytest.mark.parametrize("key", ["BoxSize", "NumFilesPerSnapshot", "NumPart_Total", "Redshift", "Time"])
def test_a_missing_header_value_is_named(tmp_path, key):
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", POSITIONS, leave_out=(key,))
    with pytest.raises(DataError, match=f"the file has no {key}"):
        read_snapshot(tmp_path)


@pytest.mark.parametrize("key", ["Omega0", "HubbleParam", "UnitLength_in_cm", "UnitMass_in_g"])
def test_a_missing_parameter_is_named(tmp_path, key):
    rest = {name: value for name, value in gadget.parameters().items() if name != key}
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", POSITIONS, parameter=rest)
    with pytest.raises(DataError, match=f"the file has no {key}"):
        read_snapshot(tmp_path)


def test_a_parameter_that_is_no_number_is_refused(tmp_path):
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", POSITIONS, parameter=gadget.parameters() | {"Omega0": np.nan})
    with pytest.raises(DataError, match="Omega0 is not a number"):
        read_snapshot(tmp_path)


def test_coordinates_that_are_not_finite_are_refused(tmp_path):
    bad = POSITIONS.copy()
    bad[7, 2] = np.nan
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", bad)
    with pytest.raises(DataError, match=r"Coordinates that are not finite(.|\n)*1 of 180, the first at \(7, 2\)"):
        read_snapshot(tmp_path)


def test_masses_of_each_particle_need_no_mass_table(tmp_path):
    path = tmp_path / "snapshot_000.hdf5"
    gadget.write_snapshot(path, np.full((3, 3), 5.0), masses=[1.0, 2.0, 3.0], leave_out=("MassTable",))
    np.testing.assert_allclose(read_snapshot(path).masses, [1e10, 2e10, 3e10])


@pytest.mark.parametrize("wrong", [{"Omega0": 0.0}, {"HubbleParam": -0.7}])
def test_a_cosmology_that_cannot_be_is_refused(tmp_path, wrong):
    path = tmp_path / "snapshot_000.hdf5"
    gadget.write_snapshot(path, np.full((3, 3), 5.0), parameter=gadget.parameters() | wrong)
    with pytest.raises(DataError, match="cannot be"):
        read_snapshot(path)


def test_absent_masses_are_refused(tmp_path):
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", POSITIONS, mass=0.0)
    with pytest.raises(DataError, match="the masses of PartType1 are missing"):
        read_snapshot(tmp_path)


def test_absent_or_too_few_particles_are_refused(tmp_path):
    path = tmp_path / "snapshot_000.hdf5"
    gadget.write_snapshot(path, POSITIONS)
    with h5py.File(path, "r+") as file:
        file["Header"].attrs["NumPart_Total"] = np.array([0, 99, 0, 0, 0, 0])
    with pytest.raises(DataError, match=r"60 particles(.|\n)*99"):
        read_snapshot(path)
    with h5py.File(path, "r+") as file:
        del file["PartType1/Coordinates"]
    with pytest.raises(DataError, match="has no Coordinates"):
        read_snapshot(path)


@pytest.mark.parametrize("parts", [1, 3])
def test_ids_come_in_the_order_of_the_file(tmp_path, parts):
    names = 2**64 - 1 - RNG.permutation(60).astype(np.uint64)
    path = str(tmp_path / ("snapshot_000.hdf5" if parts == 1 else "snapshot_000.{}.hdf5"))
    gadget.write_snapshot(path, POSITIONS, parts=parts)
    for part, rows in enumerate(np.array_split(names, parts)):
        with h5py.File(path.format(part), "r+") as file:
            file["PartType1/ParticleIDs"] = rows
    np.testing.assert_array_equal(read_particle_ids(tmp_path), names)
    with h5py.File(path.format(parts - 1), "r+") as file:
        del file["PartType1/ParticleIDs"]
    with pytest.raises(DataError, match=r"PartType1 has no ParticleIDs(.|\n)*Coordinates"):
        read_particle_ids(tmp_path)
    with pytest.raises(DataError, match="does not hold the particles"):
        read_particle_ids(tmp_path, type=2)


def test_ids_that_are_no_whole_numbers_are_refused(tmp_path):
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", POSITIONS)
    with h5py.File(tmp_path / "snapshot_000.hdf5", "r+") as file:
        file["PartType1/ParticleIDs"] = np.arange(60.0)
    with pytest.raises(DataError, match="no whole numbers"):
        read_particle_ids(tmp_path)


@pytest.mark.parametrize("unit", [gadget.KPC, gadget.MPC])
@pytest.mark.parametrize(
    ("data", "name", "wrong"),
    [
        ("Coordinates", "to_cgs", 3.0857e23),
        ("Coordinates", "h_scaling", 0.0),
        ("Coordinates", "a_scaling", 0.0),
        ("Masses", "to_cgs", 1.989e33),
        ("Masses", "a_scaling", 1.0),
    ],
)
def test_units_of_a_dataset_that_contradict_the_parameters_are_refused(tmp_path, unit, data, name, wrong):
    path = tmp_path / "snapshot_000.hdf5"
    gadget.write_snapshot(path, POSITIONS, masses=np.ones(60), parameter=gadget.parameters(unit_length=unit))
    with h5py.File(path, "r+") as file:
        file["PartType1/Coordinates"].attrs.update(to_cgs=unit * (1 + 2e-7), a_scaling=1.0, h_scaling=-1.0)
        file["PartType1/Masses"].attrs.update(to_cgs=1.989e43, a_scaling=0.0, h_scaling=-1.0)
    assert len(read_snapshot(path).positions) == 60
    with h5py.File(path, "r+") as file:
        file[f"PartType1/{data}"].attrs[name] = wrong
    with pytest.raises(DataError, match=f"contradicts itself: {name} of PartType1/{data}"):
        read_snapshot(path)


def test_parts_with_other_units_are_converted_each(tmp_path):
    pattern = str(tmp_path / "snapshot_000.{}.hdf5")
    gadget.write_snapshot(pattern, POSITIONS, parts=2)
    with h5py.File(pattern.format(1), "r+") as file:
        file["Parameters"].attrs["UnitLength_in_cm"] = gadget.MPC
        file["PartType1/Coordinates"][...] /= 1000
    np.testing.assert_allclose(read_snapshot(tmp_path).positions, POSITIONS, rtol=1e-12)


def test_a_short_mass_table_leaves_masses_missing(tmp_path):
    path = tmp_path / "snapshot_000.hdf5"
    gadget.write_snapshot(path, POSITIONS)
    with h5py.File(path, "r+") as file:
        file["Header"].attrs["MassTable"] = 1.0
    with pytest.raises(DataError, match="the masses of PartType1 are missing"):
        read_snapshot(path)
