from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from triptych.errors import DataError, MissingExtraError
from triptych.halos import CRITICAL_DENSITY, read_catalogue, read_snapshot, sample_data
from triptych.halos.simulation.outside import _densest, read_catalogue_with_pynbody, read_with_pynbody

SNAPSHOT = {"letter": "snapshot_023.hdf5", "tiny32": "snapshot_011.hdf5"}
DATA = Path(os.environ.get("TRIPTYCH_DATA", Path(__file__).parents[4] / "shared" / "data"))
BOX, HUBBLE, OMEGA = 8000.0, 0.7, 0.3  # kpc/h
guesses = pytest.mark.filterwarnings("ignore:Masses are either stored in the header", "ignore:Unable to infer units")


@pytest.fixture(name="pynbody", scope="module")
def _pynbody():
    return pytest.importorskip("pynbody")


def universe():
    """Particles on a lattice, 4 of 5 replaced by three round halos, one across the corner; numbers of halos, 0 outside."""
    rng = np.random.default_rng(3)
    lattice = (np.indices((16, 16, 16)).reshape(3, -1).T + 0.5) * BOX / 16
    centres = np.array([[BOX - 5, 3, 10], [2000, 3000, 4000], [6000, 1000, BOX - 1]])
    positions, numbers = lattice, np.zeros(len(lattice), dtype=np.int32)
    for number, (centre, size) in enumerate(zip(centres, (2000, 900, 40), strict=True), 1):
        radii = 300 * rng.uniform(0.01, 1, size) ** 2
        direction = rng.normal(size=(size, 3))
        ball = centre + radii[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        positions, numbers = np.concatenate([positions, ball]), np.append(numbers, np.full(size, number))
    order = rng.permutation(len(positions))
    mass = OMEGA * CRITICAL_DENSITY * BOX**3 / len(positions)
    return np.mod(positions, BOX)[order], mass, numbers[order], centres


def write(pynbody, path, kind, positions, mass):
    """All in the file's own units, whatever pynbody takes them for."""
    sim = pynbody.new(dm=len(positions))
    sim["pos"], sim["mass"], sim["vel"] = positions, np.full(len(positions), mass), np.zeros((len(positions), 3))
    for array, unit in (("pos", "Mpc a h**-1"), ("vel", "km s**-1 a**1/2"), ("mass", "1e10 Msol h**-1")):
        sim[array].units = unit
    sim["iord"], sim["phi"], sim["eps"] = np.arange(len(positions)), np.zeros(len(positions)), np.full(len(positions), 1e-3)
    sim.properties.update(a=0.5, h=HUBBLE, omegaM0=OMEGA, omegaL0=0.7, boxsize=pynbody.units.Unit(f"{BOX / 1e3} Mpc a h**-1"))
    sim.write(filename=str(path), fmt=kind)


def write_tipsy(pynbody, folder):
    """Lengths in boxes about the middle, masses in critical masses of the box, as Gasoline has them; `h` comes from the units."""
    positions, mass, numbers, _ = universe()
    kpc, sun = BOX / HUBBLE, CRITICAL_DENSITY * BOX**3 / HUBBLE
    hubble_in_units = HUBBLE / (10 * 8.0285 * np.sqrt(6.6743e-8 * sun / kpc**3))  # pynbody's own numbers
    parameters = {"dKpcUnit": kpc, "dMsolUnit": sun, "dOmega0": OMEGA, "dLambda": 0.7, "dHubble0": hubble_in_units, "bComove": 1}
    (folder / "box.param").write_text("".join(f"{key} = {value:.17g}\n" for key, value in parameters.items()))
    write(pynbody, folder / "box.00128", pynbody.snapshot.tipsy.TipsySnap, positions / BOX - 0.5, mass / HUBBLE / sun)
    (folder / "box.00128.grp").write_text("\n".join(map(str, [len(numbers), *numbers])))
    return folder / "box.00128"


@pytest.mark.parametrize("run", ["letter", "tiny32"])
def test_what_gadget4_wrote_reads_as_with_our_own_reader(pynbody, run):
    ours, theirs = read_snapshot(sample_data(run)), read_with_pynbody(sample_data(run) / SNAPSHOT[run])
    np.testing.assert_allclose(theirs.positions, ours.positions, rtol=0, atol=1e-10 * ours.box_size)
    np.testing.assert_allclose(theirs.masses, ours.masses, rtol=1e-7)  # pynbody keeps header masses in float32
    assert theirs.cosmology == ours.cosmology
    for name in ("box_size", "redshift", "scale_factor", "softening"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("run", ["letter", "tiny32"])
def test_groups_of_gadget4_read_as_with_our_own_reader(pynbody, run):
    agree(read_catalogue(sample_data(run)), read_catalogue_with_pynbody(sample_data(run) / SNAPSHOT[run]))


def test_lengths_are_comoving(pynbody, tmp_path):
    path = shutil.copy(sample_data("tiny32") / "snapshot_011.hdf5", tmp_path / "snapshot_007.hdf5")
    with h5py.File(path, "r+") as file:
        file["Header"].attrs.update(Time=0.4, Redshift=1.5)
    ours, theirs = read_snapshot(path), read_with_pynbody(path)
    assert theirs.redshift == 1.5
    assert theirs.softening == pytest.approx(ours.softening, rel=1e-7)
    np.testing.assert_allclose(theirs.positions, ours.positions, rtol=0, atol=1e-10 * ours.box_size)


def agree(ours, theirs):
    for name in ("positions", "lengths", "masses", "m200m", "r200m", "m200c", "r200c", "mvir", "rvir"):
        np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), rtol=3e-7)
    for name in ("box_size", "redshift", "scale_factor"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=1e-7, abs=1e-12)


@guesses
def test_an_output_without_groups_is_an_empty_table(pynbody, tmp_path):
    shutil.copy(sample_data("tiny32") / "snapshot_011.hdf5", tmp_path / "snapshot_000.hdf5")
    shutil.copy(sample_data("tiny32") / "fof_subhalo_tab_000.hdf5", tmp_path)
    with pytest.raises(KeyError):
        pynbody.load(tmp_path / "snapshot_000.hdf5").halos()
    assert read_catalogue_with_pynbody(tmp_path / "snapshot_000.hdf5").positions.shape == (0, 3)


@guesses
def test_as_many_subhalos_as_groups(pynbody):
    run = DATA / "gadget4-tiny32"
    if not run.is_dir():
        pytest.skip(f"no {run}: set TRIPTYCH_DATA to the folder of the simulations")
    path = run / "snapshot_004.hdf5"
    moved = pynbody.load(path).halos().get_properties_all_halos()
    assert "SubhaloMass" in moved  # pynbody hands what belongs to subhalos to the groups
    agree(read_catalogue(run, 4), read_catalogue_with_pynbody(path))


@guesses
def test_a_halo_across_the_edge_keeps_its_centre(pynbody):
    path = sample_data("tiny32") / SNAPSHOT["tiny32"]
    sim, snapshot, groups = pynbody.load(path), read_snapshot(path), read_catalogue(path.parent)
    halo = sim.halos()[0]
    lost = 1e3 * np.asarray(pynbody.analysis.halo.center(halo, mode="com", return_cen=True))
    found = _densest(snapshot.positions[halo.get_index_list(sim)], snapshot.box_size)
    assert np.linalg.norm(lost - groups.positions[0]) > 1000
    assert np.linalg.norm(found - groups.positions[0]) < snapshot.softening


def test_the_densest_part_is_found_wherever_the_edges_lie():
    rng = np.random.default_rng(1)
    spread = np.repeat([[10.0], [100]], [500, 1000], axis=0)
    clump = np.array([400.0, 500, 600]) + rng.normal(size=(1500, 3)) * spread
    stray = np.array([460.0, 560, 660]) + rng.normal(size=(200, 3)) * 20  # pulls the centre of mass by 12
    positions = np.concatenate([clump, stray])
    found = _densest(positions, 1000.0)
    assert np.linalg.norm(found - [400, 500, 600]) < 4 * 10 * np.sqrt(3 / 30)
    for shift in ([600.0, 0, 0], [-401, -502, -603]):
        moved = _densest(np.mod(positions + shift, 1000), 1000.0)
        np.testing.assert_allclose(np.mod(moved - found - shift + 500, 1000), 500, rtol=1e-12)
    np.testing.assert_array_equal(_densest(np.full((50, 3), 7.0), 1000.0), [7, 7, 7])  # all in one place


def test_a_binary_gadget_file(pynbody, tmp_path):
    positions, mass, _, _ = universe()
    write(pynbody, tmp_path / "box", pynbody.snapshot.gadget.GadgetSnap, positions / 1e3, mass / 1e10)
    snapshot = read_with_pynbody(tmp_path / "box")
    np.testing.assert_allclose(snapshot.positions, positions, rtol=1e-6)
    np.testing.assert_allclose(snapshot.masses, mass, rtol=1e-6)
    assert (snapshot.box_size, snapshot.redshift, snapshot.softening) == pytest.approx((BOX, 1.0, 1.0))
    assert (snapshot.cosmology.omega_matter, snapshot.cosmology.hubble) == (OMEGA, HUBBLE)


def test_units_that_the_file_does_not_tell_are_not_believed(pynbody, tmp_path):
    positions, mass, _, _ = universe()
    write(pynbody, tmp_path / "box", pynbody.snapshot.gadget.GadgetSnap, positions / 1e3, mass / 1e8)
    with pytest.raises(DataError, match=r"does not hold the mean density[^$]*got: +100 times"):
        read_with_pynbody(tmp_path / "box")


def test_a_tipsy_file_and_an_array_of_group_numbers(pynbody, tmp_path):
    positions, mass, _, centres = universe()
    path = write_tipsy(pynbody, tmp_path)
    snapshot, groups = read_with_pynbody(path), read_catalogue_with_pynbody(path)
    apart = np.mod(snapshot.positions - positions, BOX) - BOX / 2  # the origin is the middle of the box
    assert np.abs(apart).max() < 1e-6 * BOX
    np.testing.assert_allclose(snapshot.masses, mass, rtol=1e-6)
    assert snapshot.cosmology.hubble == pytest.approx(HUBBLE, rel=1e-12)
    assert (snapshot.box_size, snapshot.scale_factor, snapshot.softening) == pytest.approx((BOX, 0.5, 1e-3 * BOX))
    assert groups.lengths.tolist() == [2000, 900, 40]  # what is numbered 0 lies in no halo
    np.testing.assert_allclose(groups.masses, mass * np.array([2000, 900, 40]), rtol=1e-6)
    away = np.mod(groups.positions - centres, BOX) - BOX / 2
    assert np.all(np.linalg.norm(away, axis=1) < [2, 4, 60])
    assert not groups.m200m.any()


@pytest.mark.filterwarnings("ignore:No readable param file:RuntimeWarning")
def test_a_file_without_cosmology_is_refused(pynbody, tmp_path):
    path = write_tipsy(pynbody, tmp_path)
    (tmp_path / "box.param").unlink()
    with pytest.raises(DataError, match=r"does not tell its box and cosmology[^$]*no a, h, omegaM0"):
        read_with_pynbody(path)


def test_a_snapshot_without_halos_is_refused(pynbody, tmp_path):
    shutil.copy(sample_data("tiny32") / "snapshot_011.hdf5", tmp_path / "alone.hdf5")
    with pytest.raises(DataError, match="cannot read the halos"):
        read_catalogue_with_pynbody(tmp_path / "alone.hdf5")


@pytest.mark.parametrize("content", [None, b"", b"no snapshot at all"])
def test_what_is_no_snapshot_is_refused(pynbody, tmp_path, content):
    if content is not None:
        (tmp_path / "box").write_bytes(content)
    with pytest.raises(DataError, match="cannot read the snapshot"):
        read_with_pynbody(tmp_path / "box")


def test_without_pynbody_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynbody", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'triptych\[halos-io\]'"):
        read_with_pynbody("anything")
