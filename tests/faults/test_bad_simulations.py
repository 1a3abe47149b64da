"""Simulation output that is damaged, or that lies, as a user meets it on the command line."""

import shutil

import h5py
import numpy as np
import pytest

from tests.faults.command import answer, refusal, triptych
from triptych.halos import sample_data

SNAPSHOT, CATALOGUE = "snapshot_011.hdf5", "fof_subhalo_tab_011.hdf5"


@pytest.fixture
def folder(tmp_path):
    """A copy of the small sample run, to be damaged."""
    for name in (SNAPSHOT, CATALOGUE):
        shutil.copy(sample_data("tiny32") / name, tmp_path / name)
        (tmp_path / name).chmod(0o644)
    return tmp_path


def without_mass_table(snapshot, catalogue):
    del snapshot["Header"].attrs["MassTable"]


def zero_masses(snapshot, catalogue):
    snapshot["Header"].attrs["MassTable"] = np.zeros_like(snapshot["Header"].attrs["MassTable"])


def nan_coordinates(snapshot, catalogue):
    snapshot["PartType1/Coordinates"][17, 1] = np.nan


def negative_omega(snapshot, catalogue):
    snapshot["Parameters"].attrs["Omega0"] = -0.3


def no_omega(snapshot, catalogue):
    del snapshot["Parameters"].attrs["Omega0"]


def other_redshift(snapshot, catalogue):
    catalogue["Header"].attrs["Redshift"] = 1.0
    catalogue["Header"].attrs["Time"] = 0.5


def no_box(snapshot, catalogue):
    snapshot["Header"].attrs["BoxSize"] = 0.0


FAULTS = {
    "missing MassTable and no Masses": without_mass_table,
    "all masses zero": zero_masses,
    "NaN coordinates": nan_coordinates,
    "wrong cosmology: Omega0 = -0.3": negative_omega,
    "wrong cosmology: no Omega0": no_omega,
    "snapshot and catalogue of different outputs": other_redshift,
    "a box without size": no_box,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_message(fault, folder, seen):
    with h5py.File(folder / SNAPSHOT, "r+") as snapshot, h5py.File(folder / CATALOGUE, "r+") as catalogue:
        FAULTS[fault](snapshot, catalogue)
    message = refusal(triptych("halos", "measure", SNAPSHOT, "--json", cwd=folder), 3)
    seen(fault, "triptych halos measure", message, 3)


def test_truncated_and_foreign_files(folder, seen):
    whole = (folder / SNAPSHOT).read_bytes()
    (folder / SNAPSHOT).write_bytes(whole[: len(whole) // 2])
    seen("truncated snapshot", "triptych halos measure", refusal(triptych("halos", "measure", SNAPSHOT, cwd=folder), 3), 3)
    (folder / SNAPSHOT).write_text("no HDF5")
    seen("a file that is no HDF5", "triptych halos measure", refusal(triptych("halos", "measure", SNAPSHOT, cwd=folder), 3), 3)
    (folder / SNAPSHOT).unlink()
    seen("no such file", "triptych halos measure", refusal(triptych("halos", "measure", SNAPSHOT, cwd=folder), 3), 3)


def test_a_catalogue_without_groups(folder, seen):
    shutil.copy(folder / SNAPSHOT, folder / "snapshot_000.hdf5")
    shutil.copy(sample_data("tiny32") / "fof_subhalo_tab_000.hdf5", folder / "fof_subhalo_tab_000.hdf5")
    with (
        h5py.File(folder / "fof_subhalo_tab_000.hdf5") as catalogue,
        h5py.File(folder / "snapshot_000.hdf5", "r+") as snapshot,
    ):
        for name in ("Redshift", "Time"):
            snapshot["Header"].attrs[name] = catalogue["Header"].attrs[name]
    message = refusal(triptych("halos", "measure", "snapshot_000.hdf5", cwd=folder), 3)
    seen("a catalogue without groups", "triptych halos measure", message, 3)


def test_a_box_edge_through_a_halo_changes_nothing(folder, seen):
    """Every particle and centre moved by a third of the box: the edge now runs through other halos."""
    before = answer(triptych("halos", "measure", SNAPSHOT, "--json", cwd=folder))
    with h5py.File(folder / SNAPSHOT, "r+") as snapshot, h5py.File(folder / CATALOGUE, "r+") as catalogue:
        box = float(snapshot["Header"].attrs["BoxSize"])
        for data in (snapshot["PartType1/Coordinates"], catalogue["Group/GroupPos"]):
            data[...] = np.mod(data[...].astype(np.float64) + box / 3, box).astype(data.dtype)
    after = answer(triptych("halos", "measure", SNAPSHOT, "--json", cwd=folder))
    masses = [[halo["m200m"] for halo in found["halos"]] for found in (before, after)]
    assert len(masses[0]) > 3
    np.testing.assert_allclose(masses[1], masses[0], rtol=0.02)  # float32 positions: a particle at the crossing may change sides
    worst = np.max(np.abs(np.divide(*masses) - 1))
    seen("a box edge through a halo", "triptych halos measure", f"the same masses (worst relative change {worst:.1e})", 0)
