"""The data set of a mock universe: the same for the same seed, and true to what it was drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from triptych.halos.dataset import BoxSpec, Cuts, open_dataset
from triptych.halos.dataset.build import build
from triptych.halos.dataset.gather import Recipe, Source
from triptych.halos.dataset.selection import Role
from triptych.halos.histories.accretion import accretion_rate
from triptych.halos.mock import LETTER_OUTPUTS, PLANCK, amplitudes, draw_universe, write_simulation
from triptych.halos.mock import build as building
from triptych.halos.mock.build import SOFTENING, Realisation, build_mock

RECIPE = Recipe(
    kind="infall",
    outer=2.0,
    bins=8,
    cuts=Cuts(lowest=11.0, highest=12.0),
    box=BoxSpec(n=8, sides=(600.0, 150.0), scheme="ngp"),
    min_particles=1,
    histories=False,
)
BOXES = (Realisation("a", 4, "training", 40), Realisation("b", 5, "validation", 6), Realisation("c", 6, "test", 8))


@pytest.fixture(scope="module")
def small():
    """Blocks and pieces of few halos, so that there are several of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "BLOCK", 16)
        patch.setattr(building, "PIECE", 7)
        yield


@pytest.fixture(scope="module")
def data(small, tmp_path_factory):
    return build_mock(tmp_path_factory.mktemp("mock") / "x.zarr", BOXES, RECIPE)


@pytest.mark.slow
def test_it_does_not_depend_on_who_makes_it(data, small, tmp_path):
    assert build_mock(tmp_path / "two.zarr", BOXES, RECIPE, workers=2).digest == data.digest


def test_it_does_not_depend_on_interruptions(data, small, tmp_path, monkeypatch):
    """Killed in its third block; the rest is made by another call, and what is finished is not made again."""
    made, make = [], building._make

    def dies(block):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(block.start)
        return make(block)

    monkeypatch.setattr(building, "_make", dies)
    with pytest.raises(KeyboardInterrupt):
        build_mock(tmp_path / "x.zarr", BOXES, RECIPE)
    monkeypatch.setattr(building, "_make", lambda block: made.append(block.start) or make(block))
    assert build_mock(tmp_path / "x.zarr", BOXES, RECIPE).digest == data.digest
    assert sorted(made) == [0, 16, 32, 48]


def test_another_seed_is_another_universe(data, small, tmp_path):
    other = build_mock(tmp_path / "x.zarr", [BOXES[0]._replace(seed=7), *BOXES[1:]], RECIPE)
    assert other.digest != data.digest
    assert not np.isclose(other.table["mass"][:40], data.table["mass"][:40]).any()
    np.testing.assert_array_equal(other.table["mass"][40:], data.table["mass"][40:])


def test_splits_are_boxes_of_their_own(data):
    table = data.table
    assert [len(data.rows(split)) for split in ("training", "validation", "test")] == [40, 6, 8]
    np.testing.assert_array_equal(table["split"], table["simulation"])
    np.testing.assert_array_equal(table["id"], np.concatenate([np.arange(one.halos) for one in BOXES]))
    assert [one.name for one in data.attributes.simulations] == ["a", "b", "c"]


def test_the_truth_is_the_universes(data):
    """Rows of the validation box against its universe drawn again."""
    universe, table = draw_universe(6, seed=5, highest=1e12 * PLANCK.hubble), data.table.isel(halo=slice(40, 46))
    structure = universe.structure
    truth = {
        name: getattr(structure, name) for name in ("mass", "radius", "concentration", "truncation", "infall", "gamma", "recent")
    }
    for name, values in (truth | {"assembled": universe.assembled, "axis_ratios": universe.shapes}).items():
        np.testing.assert_array_equal(table[f"truth/{name}"], values)
    np.testing.assert_array_equal(table["history/mass"], universe.histories)
    np.testing.assert_allclose(table["history/scale_factor"], LETTER_OUTPUTS, rtol=1e-12)
    for name in ("consecutive", "dk14", "dynamical", "instantaneous"):
        rate = accretion_rate(universe.histories, LETTER_OUTPUTS, PLANCK, name).gamma
        np.testing.assert_allclose(table[f"history/gamma_{name}"], rate, rtol=1e-9)
    x = np.exp((np.log(table["r_edge"][:, :-1].to_numpy()) + np.log(table["r_edge"][:, 1:].to_numpy())) / 2)
    middle = np.array([structure.density(row / structure.radius[halo])[halo] for halo, row in enumerate(x)])
    np.testing.assert_allclose(table["truth/log_density"], np.log10(middle), atol=0.08)  # at the middle; the column is the mean


def test_profiles_scatter_about_the_truth_as_counts_do(small, tmp_path, monkeypatch):
    """Halos without clumps."""
    monkeypatch.setattr(amplitudes, "SUBHALO_SURVIVORS", 0.0)
    table = build_mock(tmp_path / "x.zarr", BOXES[:1], RECIPE).table
    error = 1 / np.sqrt(table["counts"].to_numpy()) / np.log(10)
    pull = (table["log_density"] - table["truth/log_density"]).to_numpy() / error
    deep = table["counts"].to_numpy() > 30  # where log10 of a count is nearly Gaussian
    assert deep.mean() > 0.7
    assert abs(pull[deep].mean()) < 4 / np.sqrt(deep.sum()) + 0.05
    assert pull[deep].std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * deep.sum()) + 0.02)
    lever = 1 / (1 - 10 ** table["truth/log_density"][:, -3:-2].to_numpy().ravel() / 200)
    mass = (table["mass"] / table["truth/mass"] - 1).to_numpy() * np.sqrt(table["particles"].to_numpy()) / lever
    assert 1e-4 < stats.chi2.sf((mass**2).sum(), 40) < 1 - 1e-4


def test_boxes_hold_the_matter_about_the_halo(data):
    """Both levels, summed over voxels, against the mass that the profile encloses."""
    density = 10.0 ** data.boxes[...].astype(float) - 1
    mass = density.mean(axis=(2, 3, 4)) * np.array(RECIPE.box.sides) ** 3 * PLANCK.mean_density
    inside = data.table["mass"].to_numpy()
    small = data.table["radius"].to_numpy() < 300
    assert (mass[small, 0] > inside[small]).all()
    assert (mass[:, 1] < mass[:, 0]).all() and (mass[:, 1] > 0.3 * inside.clip(max=3e11)).all()


def test_a_simulation_of_the_same_universe_gives_the_same_data_set(data, tmp_path):
    """Other particles of the same halos, written as GADGET-4 would and read back: they agree as two draws of one halo do."""
    universe = draw_universe(40, seed=4, highest=1e12 * PLANCK.hubble)
    last = replace(universe, histories=universe.histories[:, -1:], scale_factors=LETTER_OUTPUTS[-1:])
    folder = write_simulation(last, tmp_path / "run", particles=76**3, softening=SOFTENING, rng=np.random.default_rng(1))
    wide = replace(RECIPE, cuts=Cuts(lowest=10.5, highest=12.5))  # measured masses scatter across the cut
    source = Source(folder=folder, role=Role(simulation="run", splits=("training",)))
    table = build(tmp_path / "x.zarr", [source], wide).table
    boxes = open_dataset(tmp_path / "x.zarr").boxes[...].astype(float)
    mock = data.table.isel(halo=data.rows("training"))
    assert set(map(str, table)) == {str(name) for name in mock if not str(name).startswith(("truth/", "history/"))}
    assert len(table["mass"]) == len(mock["mass"]) == 40
    ours, theirs = np.argsort(table["mass"].to_numpy()), np.argsort(mock["mass"].to_numpy())
    ratio = np.log(table["mass"].to_numpy()[ours] / mock["mass"].to_numpy()[theirs])
    assert np.abs(ratio).max() < 0.3 and abs(ratio.mean()) < 0.03  # sorted: a few per cent each
    shift = (table["log_density"].to_numpy()[ours] - mock["log_density"].to_numpy()[theirs])[:, 1:]
    error = shift.std(axis=0, ddof=1) / np.sqrt(40)
    assert (np.abs(shift.mean(axis=0)) < 4 * error).all() and (error < 0.05).all()
    core = [(10.0 ** one[:, 1] - 1).mean(axis=(1, 2, 3)) for one in (boxes[ours], data.boxes[...].astype(float)[:40][theirs])]
    assert np.log(core[0] / core[1]).mean() == pytest.approx(0.0, abs=0.04)
