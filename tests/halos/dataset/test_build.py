from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.halos import gadget
from triptych.errors import ConfigError, DataError
from triptych.halos import measure, read_snapshot, sample_data
from triptych.halos.dataset import SPLITS, BoxSpec, Cuts, Role, open_dataset
from triptych.halos.dataset.build import build, shared_times
from triptych.halos.dataset.gather import Part, Recipe, Source
from triptych.halos.dataset_commands import BuildConfig, InspectConfig
from triptych.halos.dataset_commands import build as build_verb
from triptych.halos.dataset_commands import inspect as inspect_verb
from triptych.halos.voxels.grids import density_from_log
from triptych.runs import execute, load

DATA = Path(os.environ.get("TRIPTYCH_DATA", Path(__file__).parents[4] / "shared" / "data"))
LETTER = Source(folder=sample_data(), role=Role("letter", ("training",)))


def recipe(**changes):
    given = {
        "kind": "infall",
        "outer": 2.0,
        "bins": 13,
        "cuts": Cuts(largest_radius=150.0),
        "box": BoxSpec(n=16, sides=(600.0, 150.0), scheme="cic"),
    }
    return Recipe(**given | changes)


@pytest.fixture(scope="module")
def letter(tmp_path_factory):
    return build(tmp_path_factory.mktemp("letter") / "letter.zarr", [LETTER], recipe(), workers=2)


def test_rows_are_the_halos_inside_the_cuts(letter):
    table = measure(sample_data(), outer=2.0, bins=13)
    log_mass, radius = np.log10(table["mass"] / 0.6777), table["halo_radius"]
    inside = ((log_mass >= 11) & (log_mass <= 13) & (radius <= 150)).to_numpy()
    assert letter.table["id"].to_numpy().tolist() == table["id"].to_numpy()[inside].tolist()
    assert letter.table.sizes["halo"] == 20  # as the README of the run says
    np.testing.assert_array_equal(letter.table["radius"], radius[inside])
    np.testing.assert_array_equal(letter.table["einasto_alpha"], table["einasto_alpha"][inside])
    np.testing.assert_array_equal(letter.table["problem"], table["problem"][inside] != "")
    simulation = letter.attributes.simulations[0]
    assert simulation.lost["mass below"] == (log_mass < 11).sum()
    assert simulation.lost["radius above"] == ((log_mass >= 11) & (radius > 150)).sum()
    assert simulation.halos + sum(simulation.lost.values()) == 302  # all FOF groups are accounted for


def test_densities_are_over_the_mean_and_empty_shells_are_nan(tmp_path):
    data = build(tmp_path / "x.zarr", [LETTER], recipe(inner=1.0))  # far inside the softening, so that shells are empty
    table = data.table
    empty = (table["counts"] == 0).to_numpy()
    assert 0 < empty.mean() < 0.5
    assert np.isnan(table["log_density"].to_numpy()[empty]).all()
    assert (table["filled"].to_numpy() == ~empty).all()
    volume = 4 / 3 * np.pi * np.diff(table["r_edge"].to_numpy() ** 3)
    particle = data.attributes.simulations[0].particle_mass / data.attributes.cosmology.mean_density
    expected = table["counts"].to_numpy() * particle / volume
    np.testing.assert_allclose(10 ** table["log_density"].to_numpy()[~empty], expected[~empty], rtol=1e-12)


def test_boxes_hold_the_mass_around_the_halo(letter):
    """Against all particles of the snapshot, in the cube of the outer level; the row is the halo's own."""
    snapshot = read_snapshot(sample_data())
    for row in (0, 7, 19):
        offset = snapshot.positions - letter.table["centre"].to_numpy()[row]
        offset -= snapshot.box_size * np.round(offset / snapshot.box_size)
        inside = (abs(offset) < 300.0).all(axis=1).sum() * snapshot.masses[0] / snapshot.cosmology.mean_density
        boxes = density_from_log(letter.read([row])[0].astype(float))
        assert boxes[0].sum() * (600.0 / 16) ** 3 == pytest.approx(inside, rel=0.03)  # clouds are cut at the faces
        densest = np.array(np.unravel_index(boxes[1].argmax(), (16, 16, 16)))
        assert (abs(densest - 7.5) <= 1).all()


def test_without_trees_there_are_no_histories_and_it_is_said(letter):
    assert "history/mass" not in letter.table
    assert [text for text in letter.attributes.warnings if "letter has neither merger trees" in text]


def test_a_box_too_small_for_the_profile_is_said(tmp_path, letter):
    assert not [text for text in letter.attributes.warnings if "does not contain" in text]
    box = BoxSpec(n=8, sides=(400.0,), scheme="cic")
    data = build(tmp_path / "x.zarr", [LETTER], recipe(kind="virial", outer=1.0, cuts=Cuts(), box=box))
    beyond = int((data.table["radius"] > 200.0).sum())
    assert beyond > 0
    assert f"the profile of {beyond} of 31 halos, beyond 200 kpc/h" in data.attributes.warnings[0]


def write_run(folder, *, seed, omega=0.3, a=1.0, halos=3):
    """A run with `halos` NFW halos of 1000 particles each and its catalogue."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    centres = np.linspace(1000.0, 5000.0, halos)[:, None] * np.array([1.0, 0.3, 0.7])
    balls = [centre + gadget.nfw_ball(1000, 20.0, 150.0, rng=rng) for centre in centres]
    parameter = gadget.parameters() | {"Omega0": omega, "OmegaLambda": 1 - omega}
    radius = 150.0
    mass = 4 / 3 * np.pi * radius**3 * 200 * omega * gadget.MEAN_DENSITY / 0.3 / 1000 / 1e10
    gadget.write_snapshot(folder / "snapshot_000.hdf5", np.concatenate(balls), mass=mass, box=6000.0, a=a, parameter=parameter)
    lengths, masses = np.full(halos, 1000), np.full(halos, 1000 * mass)
    gadget.write_catalogue(
        folder / "fof_subhalo_tab_000.hdf5", centres, lengths=lengths, masses=masses, box=6000.0, a=a, parameter=parameter
    )
    return folder


def test_several_runs_make_one_set(tmp_path):
    """Blocks that hold halos of two runs get each box from its own."""
    runs = [write_run(tmp_path / name, seed=seed) for seed, name in enumerate("abc")]
    held_out: tuple[str, ...] = ("validation", "test")
    sources = [
        Source(folder=folder, role=Role(folder.name, ("training",) if folder.name != "c" else held_out)) for folder in runs
    ]
    data = build(tmp_path / "x.zarr", sources, recipe(bins=5))
    assert data.table["simulation"].to_numpy().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.rows("training").tolist() == [0, 1, 2, 3, 4, 5]
    assert sorted([len(data.rows("validation")), len(data.rows("test"))]) == [1, 2]
    for place, source in enumerate(sources):
        alone = build(tmp_path / f"{place}.zarr", [source], recipe(bins=5))
        np.testing.assert_array_equal(alone.read([0, 1, 2]), data.read(3 * place + np.arange(3)))
    assert (data.read([0]) != data.read([3])).any()


@pytest.mark.parametrize(("change", "told"), [({"omega": 0.4}, "omega_matter"), ({"a": 0.5}, "different times")])
def test_other_universes_are_refused(tmp_path, change, told):
    runs = [write_run(tmp_path / "a", seed=1), write_run(tmp_path / "b", seed=2, **change)]
    sources = [Source(folder=folder, role=Role(folder.name, ("training",))) for folder in runs]
    with pytest.raises(DataError, match=told):
        build(tmp_path / "x.zarr", sources, recipe(bins=5))


def with_outputs(letter, *scale_factors):
    """Parts of simulations that differ in the times of their outputs alone."""
    simulation, cosmology = letter.attributes.simulations[0], letter.attributes.cosmology
    return [Part(simulation, cosmology, 0.0, {}, None if a is None else np.array(a)) for a in scale_factors]


def test_histories_share_their_outputs(letter):
    redshift, told = shared_times(with_outputs(letter, [0.25, 0.5, 1.0], [0.25, 0.501, 1.0]), recipe())
    np.testing.assert_allclose(redshift, [3.0, 1.0, 0.0])
    assert len(told) == 1
    assert "up to 0.002 in ln a" in told[0]
    assert shared_times(with_outputs(letter, [0.25, 0.5, 1.0], [0.25, 0.5, 1.0]), recipe())[1] == []
    for other in ([0.25, 0.7, 1.0], [0.5, 1.0]):
        with pytest.raises(DataError, match="outputs at different times"):
            shared_times(with_outputs(letter, [0.25, 0.5, 1.0], other), recipe())
    redshift, told = shared_times(with_outputs(letter, [0.5, 1.0], None), recipe())
    assert redshift is None
    assert "neither merger trees" in told[0]
    assert shared_times(with_outputs(letter, [0.5, 1.0]), recipe(histories=False)) == (
        None,
        ["no histories: they were not asked for"],
    )


def test_cuts_without_halos_are_refused(tmp_path):
    with pytest.raises(DataError, match="no halo passes"):
        build(tmp_path / "x.zarr", [LETTER], recipe(cuts=Cuts(lowest=14.0, highest=15.0)))


def test_the_verb_goes_on_after_a_kill(tmp_path, monkeypatch):
    """The measurement is not repeated, and the finished set is that of a run that was left alone."""
    from triptych.halos.dataset import build as room
    from triptych.halos.dataset import gather

    options = {"training": str(sample_data()), "box.n": "8", "box.scheme": "cic", "kind": "infall"}
    config = load(BuildConfig, None, options)
    create = room.create
    monkeypatch.setattr(room, "create", lambda *args, **words: create(*args, **words, block=8))
    whole = execute("halos-build", config, build_verb, root=tmp_path / "whole").summary
    fill, calls = room.box_of, []

    def killing(*args, **words):
        calls.append(1)
        if len(calls) == 13:
            raise KeyboardInterrupt
        return fill(*args, **words)

    monkeypatch.setattr(room, "box_of", killing)
    with pytest.raises(KeyboardInterrupt):
        execute("halos-build", config, build_verb, root=tmp_path / "killed")
    monkeypatch.setattr(gather, "measure", None)  # would fail
    calls[:] = [1] * 100
    again = execute("halos-build", config, build_verb, root=tmp_path / "killed")
    assert len(calls) == 100 + 12  # the first block of eight was complete
    assert again.summary["digest"] == whole["digest"]
    assert again.summary["splits"] == {"training": 20, "validation": 0, "test": 0}
    assert again.summary["simulations"][0]["lost"]["radius above"] == 11
    assert open_dataset(again.path).attributes.provenance["config"]["box"]["n"] == 8
    assert set(open_dataset(again.path).attributes.simulations[0].inputs) == {
        "snapshot_023.hdf5",
        "fof_subhalo_tab_023.hdf5",
    }


def test_presets():
    virial, infall = BuildConfig().recipe(), BuildConfig(kind="infall").recipe()
    assert (virial.box.sides, virial.outer, virial.cuts.largest_radius, virial.box.n) == ((400.0,), 1.0, None, 131)
    assert (infall.box.sides, infall.outer, infall.cuts.largest_radius, infall.box.n) == ((600.0,), 2.0, 150.0, 131)
    small = load(BuildConfig, None, {"box.levels": "2", "box.zoom": "4", "box.n": "16", "cuts.largest_radius": "99"}).recipe()
    assert (small.box.sides, small.box.n, small.cuts.largest_radius) == ((400.0, 100.0), 16, 99.0)


def test_runs_are_named_by_what_tells_them_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "output").mkdir(parents=True)
    one, two = (str(tmp_path / name / "output") for name in ("one", "two"))
    names = [role.simulation for role in BuildConfig(training=(one,), test=(two,)).sources().values()]
    assert names == ["one/output", "two/output"]
    with pytest.raises(ConfigError, match="held out as well"):
        BuildConfig(training=(one,), test=(f"{two}/../../one/output",)).sources()
    with pytest.raises(DataError, match="no such folder"):
        BuildConfig(training=(f"{one}/three",)).sources()


@pytest.mark.parametrize("wrong", [{"bins": 2}, {"min_particles": 0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError, match="impossible"):
        BuildConfig(**wrong)


needs_data = pytest.mark.skipif(not (DATA / "gadget4-letter").is_dir(), reason=f"the full runs are not in {DATA} (TRIPTYCH_DATA)")


@pytest.mark.slow
@needs_data
def test_real_histories(tmp_path):
    """Smooth boxes, and histories that end at the mass of the table and grow by two orders of magnitude."""
    box = BoxSpec(n=16, sides=(600.0,), scheme="sph", dtype="float16")
    source = Source(folder=DATA / "gadget4-letter", role=Role("letter", ("validation", "test")))
    data = build(tmp_path / "x.zarr", [source], recipe(box=box), workers=2)
    table = data.table
    assert data.attributes.warnings == ()
    np.testing.assert_allclose(table["history/mass"][:, -1], table["mass"], rtol=1e-12)
    assert table["history/redshift"].to_numpy()[[0, -1]] == pytest.approx([6.9906, 0.0], abs=1e-3)
    assert np.isnan(table["history/gamma_consecutive"][:, 0]).all()
    late = slice(12, None)
    assert np.isfinite(table["history/mass"].to_numpy()[:, late]).mean() > 0.95
    growth = np.nanmedian(table["history/mass"][:, -1] / table["history/mass"][:, 8])
    assert 2 < growth < 100
    assert sorted(len(data.rows(split)) for split in SPLITS) == [0, 10, 10]


@pytest.mark.slow
@needs_data
def test_real_mass_function(tmp_path):
    """All halos of 100 particles or more: the expected number within four standard deviations."""
    options = {
        "test": str(DATA / "gadget4-seedA"),
        "min_particles": "50",
        "cuts.lowest": "11.588",
        "cuts.highest": "15",
        "histories": "false",
        "box.n": "8",
        "box.scheme": "cic",
        "inner": "10",
    }
    made = execute("halos-build", load(BuildConfig, None, options), build_verb, root=tmp_path)
    config = InspectConfig(path=str(made.path), sigma8=0.8288, spectral_index=0.9611, omega_baryon=0.04)
    bins = execute("halos-inspect", config, inspect_verb, root=tmp_path).summary["mass_function"]
    found, expected = sum(row["halos"] for row in bins), sum(row["tinker08"]["value"] for row in bins)
    assert found == made.summary["halos"] > 90
    assert abs(found - expected) < 4 * np.sqrt(expected)
