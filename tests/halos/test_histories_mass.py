from __future__ import annotations

import gc
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.halos import gadget
from triptych.errors import ConfigError, DataError
from triptych.halos import Snapshot, read_catalogue, read_snapshot
from triptych.halos.histories import mass as module
from triptych.halos.histories.accretion import accretion_rate
from triptych.halos.histories.mass import mass_history
from triptych.halos.simulation.tree_files import read_tree
from triptych.halos.simulation.trees import Branch, MergerTree

DATA = Path(os.environ.get("TRIPTYCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
RADIUS, PARTICLES = {0: 60.0, 1: 90.0, 2: 130.0, 3: 200.0}, 2000  # of the first halo at each output
MASS = {output: 4 / 3 * np.pi * r**3 * 200 * gadget.MEAN_DENSITY for output, r in RADIUS.items()}
TIMES = {0: 0.3, 1: 0.5, 2: 0.7, 3: 1.0}


class KnownTree(MergerTree):
    """Branches by the number of the halo, as (output, subhalo, group, central)."""

    def __init__(self, branches):
        self.branches = {halo: np.array(steps).T for halo, steps in branches.items()}

    def main_branch(self, halo):
        output, subhalo, group, central = self.branches[halo]
        return Branch(output, subhalo, group, central.astype(bool))


@pytest.fixture
def folder(tmp_path):
    """A growing halo about the corner of the box, which is the second group at output 2; a neighbour that fell in at the end.

    Outputs 1 and 3 have snapshots. The neighbour has 40 kpc/h all the time; at the end it is the satellite 1 of group 0.
    """
    rng = np.random.default_rng(8)
    neighbour_mass = MASS[0] * (40 / 60) ** 3
    for output, a in TIMES.items():
        centres = [[0.0] * 3, [500.0] * 3 if output < 3 else [300.0, 0.0, 0.0]]
        masses = [MASS[output] / 1e10, neighbour_mass / 1e10]
        if output == 2:
            centres, masses = centres[::-1], masses[::-1]
        lengths = [PARTICLES, PARTICLES]
        groups = slice(0, 2 if output < 3 else 1)
        gadget.write_catalogue(
            tmp_path / f"fof_subhalo_tab_{output:03d}.hdf5", centres[groups], lengths=lengths[groups], masses=masses[groups], a=a
        )
        with h5py.File(tmp_path / f"fof_subhalo_tab_{output:03d}.hdf5", "r+") as file:
            for name, factor in (("Mean", 1.0), ("Crit", 0.9), ("TopHat", 0.95)):
                file[f"Group/Group_M_{name}200"][:] = factor * np.array(masses[groups])
            subhalos = {"Pos": centres, "Mass": masses, "Len": lengths, "GroupNr": [0, 1], "RankInGr": [0, 0]}
            if output == 3:
                subhalos |= {"GroupNr": [0, 0], "RankInGr": [0, 1]}
            for name, values in subhalos.items():
                file[f"Subhalo/Subhalo{name}"] = np.array(values)
            file["Header"].attrs.update({"Nsubhalos_ThisFile": 2, "Nsubhalos_Total": 2})
        if output in (1, 3):
            balls = [gadget.nfw_ball(PARTICLES, r / 5, r, rng=rng) for r in (RADIUS[output], 40.0)]
            positions = np.concatenate([ball + centre for ball, centre in zip(balls, centres, strict=True)])
            weights = np.repeat(np.array(masses) / PARTICLES, PARTICLES)
            gadget.write_snapshot(tmp_path / f"snapshot_{output:03d}.hdf5", positions, masses=weights, a=a)
    return tmp_path


GROWING = [(3, 0, 0, True), (2, 1, 1, True), (1, 0, 0, True), (0, 0, 0, True)]
FALLEN = [(3, 1, 0, False), (2, 0, 0, True), (1, 1, 1, True)]


def test_masses_come_from_snapshots_and_catalogues(folder):
    histories = mass_history(folder, KnownTree({0: GROWING, 7: FALLEN}), [7, 0])
    mass, expected = histories["mass"].to_numpy(), np.array(list(MASS.values()))
    np.testing.assert_array_equal(histories["source"], [[0, 1, 2, 1], [2, 1, 2, 1]])
    np.testing.assert_allclose(mass[1], expected, rtol=3e-3)  # the last crossing may lie a few particles further in
    np.testing.assert_allclose(mass[0, 1:], MASS[0] * (40 / 60) ** 3, rtol=3e-3)
    assert np.isnan(mass[0, 0])
    np.testing.assert_allclose(histories["particles"][1, [1, 3]], PARTICLES, rtol=3e-3)
    assert histories["particles"].to_numpy()[0, 0] == 0
    np.testing.assert_allclose(histories["relative_mass"], mass / mass[:, -1:])
    assert histories["group"].to_numpy().tolist() == [[-1, 1, 0, 0], [0, 0, 1, 0]]
    assert histories["subhalo"].to_numpy().tolist() == [[-1, 1, 0, 1], [0, 0, 1, 0]]
    assert histories["central"].to_numpy().tolist() == [[False, True, True, False], [True] * 4]
    assert histories["id"].to_numpy().tolist() == [7, 0]
    assert histories["output"].to_numpy().tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(histories["scale_factor"], list(TIMES.values()))
    np.testing.assert_allclose(histories["redshift"], 1 / np.array(list(TIMES.values())) - 1, atol=1e-11)
    assert histories["age"][-1].item() == pytest.approx(13.467, abs=0.005)  # flat, 0.3 and h = 0.7
    assert histories.attrs["hubble"] == 0.7 and histories["mass"].attrs["units"] == "Msun/h"


@pytest.mark.parametrize(("definition", "factor"), [("200m", 1.0), ("200c", 0.9), ("vir", 0.95)])
def test_the_catalogue_has_all_mass_definitions(folder, definition, factor):
    histories = mass_history(folder, KnownTree({0: GROWING}), [0], mass_definition=definition)
    np.testing.assert_allclose(histories["mass"][0, [0, 2]], [factor * MASS[0], factor * MASS[2]], rtol=1e-6)
    assert histories.attrs["mass_definition"] == definition


def test_without_a_snapshot_a_satellite_has_no_mass(folder):
    (folder / "snapshot_003.hdf5").unlink()
    histories = mass_history(folder, KnownTree({0: GROWING, 7: FALLEN}), [0, 7])
    assert histories["source"].to_numpy()[:, -1].tolist() == [2, 0]
    assert np.isnan(histories["mass"].to_numpy()[1, -1]) and np.isnan(histories["relative_mass"][1]).all()


def test_a_group_without_mass_in_the_catalogue_has_none(folder):
    with h5py.File(folder / "fof_subhalo_tab_000.hdf5", "r+") as file:
        file["Group/Group_M_Mean200"][0] = 0.0
    histories = mass_history(folder, KnownTree({0: GROWING}), [0])
    assert np.isnan(histories["mass"][0, 0]) and histories["source"].to_numpy()[0, 0] == histories["particles"][0, 0] == 0


def test_a_progenitor_without_particles_around_it_is_taken_from_the_catalogue(folder):
    with h5py.File(folder / "fof_subhalo_tab_001.hdf5", "r+") as file:
        file["Group/GroupPos"][0] = [0.0, 500.0, 0.0]
        file["Group/Group_M_Mean200"][0] = 7.0
    histories = mass_history(folder, KnownTree({0: GROWING}), [0])
    assert histories["mass"][0, 1].item() == pytest.approx(7e10)
    assert histories["source"].to_numpy().tolist() == [[2, 2, 2, 1]]


def test_one_output_is_in_memory_at_a_time(folder, monkeypatch):
    alive = []

    def counted(path):
        alive.append(sum(isinstance(thing, Snapshot) for thing in gc.get_objects()))
        return read_snapshot(path)

    monkeypatch.setattr(module, "read_snapshot", counted)
    before = sum(isinstance(thing, Snapshot) for thing in gc.get_objects())
    mass_history(folder, KnownTree({0: GROWING}), [0])
    assert alive == [before, before]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ((3, 0, 5, True), "group 5 of fof_subhalo_tab_003"),
        ((3, 9, 0, False), "subhalo 9 of fof_subhalo_tab_003"),
        ((3, -1, 0, False), "subhalo -1"),
        ((4, 0, 0, True), "output 4"),
    ],
)
def test_a_tree_of_another_run_is_refused(folder, step, message):
    with pytest.raises(DataError, match=message):
        mass_history(folder, KnownTree({0: [step]}), [0])


def test_impossible_questions_are_refused(folder, tmp_path):
    tree = KnownTree({0: GROWING})
    with pytest.raises(ConfigError, match="mass definition"):
        mass_history(folder, tree, [0], mass_definition="500c")
    with pytest.raises(DataError, match="no such folder"):
        mass_history(tmp_path / "nowhere", tree, [0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no catalogues"):
        mass_history(tmp_path / "empty", tree, [0])
    (folder / "snapshot_003.hdf5").write_bytes((folder / "snapshot_001.hdf5").read_bytes())
    with pytest.raises(DataError, match="do not belong together"):
        mass_history(folder, tree, [0])


@pytest.mark.parametrize("run", ["gadget4-tiny32", "gadget4-letter"])
def test_masses_of_a_real_run_are_those_of_subfind(run):
    folder = DATA / run
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: set TRIPTYCH_DATA to the folder with the GADGET-4 runs")
    halos = np.flatnonzero(read_catalogue(folder).lengths >= 300)
    histories = mass_history(folder, read_tree(folder), halos)
    measured = ((histories["source"] == 1) & histories["central"]).to_numpy()
    theirs = np.full(measured.shape, np.nan)
    for column, output in enumerate(histories["output"].to_numpy()):
        catalogue = read_catalogue(folder, output)
        rows = np.flatnonzero(measured[:, column])
        theirs[rows, column] = catalogue.m200m[histories["group"].to_numpy()[rows, column]]
    counts = histories["particles"].to_numpy()
    some = measured & (counts >= 100)
    assert some.sum() > 25 and some[:, -1].all()
    np.testing.assert_allclose(histories["mass"].to_numpy()[some], theirs[some], rtol=0.01)
    catalogued = (histories["source"] == 2).to_numpy()
    assert (catalogued.sum() > 0) and not (catalogued & ~histories["central"].to_numpy()).any()
    growth = accretion_rate(
        histories["mass"], histories["scale_factor"], read_snapshot(folder).cosmology, "dynamical", particles=counts
    )
    late = growth.gamma[:, -1]
    assert np.isfinite(late).mean() > 0.9 and 0.3 < np.nanmedian(late) < 2.5
