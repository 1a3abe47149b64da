from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from tests.halos import gadget
from tests.oracles import halos as oracle
from triptych.errors import ConfigError, DataError
from triptych.halos import fit_nfw, measure, read_catalogue, read_snapshot, sample_data
from triptych.halos.check import check
from triptych.halos.commands import MeasureConfig
from triptych.halos.commands import measure as verb
from triptych.halos.structure.einasto import fit_einasto
from triptych.halos.tour import TourConfig, tour
from triptych.runs import execute

TINY = sample_data("tiny32")


@pytest.fixture
def folder(tmp_path):
    """Two halos of known concentration, 12 and 6, in a run of several parts; the second about a corner."""
    rng = np.random.default_rng(9)
    r200 = 200.0
    number = 40_000
    positions = [gadget.nfw_ball(number, r200 / c, r200, rng=rng) + middle for c, middle in ((12, 500.0), (6, 0.0))]
    mass = 4 / 3 * np.pi * r200**3 * 200 * gadget.MEAN_DENSITY / number / 1e10
    for name in ("snapdir_003", "groups_003"):
        (tmp_path / name).mkdir()
    gadget.write_snapshot(tmp_path / "snapdir_003" / "snapshot_003.{}.hdf5", np.concatenate(positions), mass=mass, parts=2)
    gadget.write_catalogue(
        tmp_path / "groups_003" / "fof_subhalo_tab_003.{}.hdf5",
        np.array([[500.0] * 3, [0.0] * 3]),
        lengths=[number] * 2,
        masses=[number * mass] * 2,
        parts=2,
    )
    return tmp_path


def test_known_halos_come_back(folder):
    halos = measure(folder)
    # A ball cut off at r200 holds all its particles there; the last crossing can lie a few particles further in.
    np.testing.assert_allclose(halos["halo_radius"], 200.0, rtol=1e-3)
    np.testing.assert_array_less(np.abs(halos["concentration"] - [12, 6]), 4 * halos["concentration_error"])
    np.testing.assert_allclose(halos["concentration"], halos["halo_radius"] / halos["rs"])
    for halo in (halos.isel(halo=row) for row in range(2)):
        assert oracle.nfw_mass(halo["halo_radius"].item(), halo["rs"].item(), halo["rho_s"].item()) == pytest.approx(
            halo["mass"].item(), rel=0.03
        )
    assert halos["r_edge"].to_numpy()[0, [0, -1]] == pytest.approx([3.0, 2 * halos["halo_radius"].item(0)])


def test_the_fits_are_those_of_the_shells_inside_the_halo(folder):
    for halo in (measure(folder, outer=1.7).isel(halo=row) for row in range(2)):
        edges = halo["r_edge"].to_numpy()
        inside = np.count_nonzero(edges <= halo["halo_radius"].item())  # 1.7 is no edge: that shell straddles the radius
        shells = edges[:inside], halo["density"].to_numpy()[: inside - 1], halo["density_error"].to_numpy()[: inside - 1]
        nfw, einasto = fit_nfw(*shells), fit_einasto(*shells)
        for name in ("rs", "rs_error", "rho_s", "rho_s_error", "deviance", "dof", "problem"):
            assert halo[name].item() == getattr(nfw, name)
            assert halo[f"einasto_{name}"].item() == getattr(einasto, name)
        assert halo["einasto_alpha"].item() == einasto.alpha
        assert halo["einasto_alpha_error"].item() == einasto.alpha_error


@pytest.mark.slow
def test_two_million_particles_take_less_than_three_times_their_memory(tmp_path):
    """From the snapshot to the table of 1000 groups, in a process of its own; the peak is that of the resident memory."""
    rng, number, box, groups = np.random.default_rng(1), 2_000_000, 50_000.0, 1000
    mass = gadget.MEAN_DENSITY * box**3 / number
    lengths = np.minimum(300 / rng.uniform(size=groups), 100_000).astype(int)
    radii = np.cbrt(3 * lengths * mass / (4 * np.pi * 200 * gadget.MEAN_DENSITY))
    centres = rng.uniform(0, box, (groups, 3))
    balls = [
        centre + gadget.nfw_ball(length, radius / 8, radius, rng=rng)
        for centre, length, radius in zip(centres, lengths, radii, strict=True)
    ]
    around = rng.uniform(0, box, (number - lengths.sum(), 3))
    masses = {"mass": mass / 1e10}
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", np.concatenate([*balls, around]), box=box, **masses)
    gadget.write_catalogue(tmp_path / "fof_subhalo_tab_000.hdf5", centres, lengths=lengths, masses=lengths * mass / 1e10, box=box)
    answer = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True)
    peak, seconds, halos, fitted = (float(word) for word in answer.stdout.split())
    print(f"{peak / (number * 24):.2f} snapshots of memory, {seconds:.1f} s")
    assert halos == groups and fitted > 0.9 * groups
    assert peak < 3 * number * 24


MEMORY = """
import sys, time
from pathlib import Path
from triptych.halos import measure, read_snapshot, sample_data

def resident(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

measure(sample_data("tiny32"))  # compiles
before = resident("VmRSS")
snapshot = read_snapshot(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far, that of reading
began = time.perf_counter()
halos = measure(snapshot)
print(resident("VmHWM") - before, time.perf_counter() - began, halos.sizes["halo"], int((halos["problem"] == "").sum()))
"""


def test_a_scale_radius_below_the_innermost_shell_is_not_resolved(folder):
    assert measure(folder, inner=25.0)["resolved"].to_numpy().tolist() == [False, True]  # rs is 17 and 33 kpc/h


def test_a_file_a_folder_and_objects_give_the_same():
    first = measure(TINY)
    second = measure(TINY / "snapshot_011.hdf5", read_catalogue(TINY))
    third = measure(read_snapshot(TINY), output=None)
    xr.testing.assert_identical(first, second)
    xr.testing.assert_identical(first, third)
    assert first["id"].to_numpy().tolist() == np.flatnonzero(read_catalogue(TINY).lengths >= 300).tolist()


def test_smaller_spheres_against_the_critical_density():
    mean, critical = measure(TINY), measure(TINY, mass_definition="200c")
    assert np.all(critical["mass"] < mean["mass"])
    assert np.all(critical["halo_radius"] < mean["halo_radius"])


def test_one_halo_is_a_table_of_its_own():
    one = measure(TINY, mass_definition="vir").isel(halo=0)
    assert one["halo_radius"].dims == ()
    assert one["halo_radius"].attrs["long_name"] == "rvir"
    assert one["density"].dims == ("radius",)


def test_options_shape_the_profile():
    halos = measure(TINY, inner=80.0, outer=1.5, bins=7)
    assert halos.sizes["radius"] == 7
    np.testing.assert_allclose(halos["r_edge"][:, 0], 80.0)
    np.testing.assert_allclose(halos["r_edge"][:, -1], 1.5 * halos["halo_radius"])


def test_no_groups_says_why():
    from dataclasses import replace

    snapshot, groups = read_snapshot(TINY), read_catalogue(TINY, 0)
    empty = replace(groups, scale_factor=1.0)
    with pytest.raises(DataError, match=r"no halo to measure(.|\n)*0 groups at redshift 6.99: the catalogue is empty"):
        measure(snapshot, empty)
    with pytest.raises(DataError, match="the largest has 3588 particles"):
        measure(TINY, min_particles=5000)


def test_files_of_different_outputs_are_refused():
    with pytest.raises(DataError, match=r"their scale factor differs(.|\n)*snapshot_011.hdf5, 0.1251475 in fof_subhalo_tab_000"):
        measure(TINY, read_catalogue(TINY, 0))
    with pytest.raises(DataError, match="their box size"):
        measure(TINY, read_catalogue(sample_data()))


def test_a_snapshot_without_its_catalogue_is_refused(tmp_path):
    shutil.copyfile(TINY / "snapshot_011.hdf5", tmp_path / "snapshot_011.hdf5")
    with pytest.raises(DataError, match="holds no fof_subhalo_tab"):
        measure(tmp_path)
    shutil.copyfile(TINY / "snapshot_011.hdf5", tmp_path / "last.hdf5")
    with pytest.raises(DataError, match="does not tell its output number"):
        measure(tmp_path / "last.hdf5")


def test_an_unknown_softening_asks_for_the_inner_radius(tmp_path):
    without = {key: value for key, value in gadget.parameters().items() if "Soft" not in key}
    gadget.write_snapshot(tmp_path / "snapshot_000.hdf5", np.random.default_rng(1).uniform(0, 1000, (9, 3)), parameter=without)
    gadget.write_catalogue(tmp_path / "fof_subhalo_tab_000.hdf5", np.ones((1, 3)), lengths=[900], masses=[1.0])
    with pytest.raises(ConfigError, match=r"softening(.|\n)*inner"):
        measure(tmp_path)


@pytest.mark.parametrize(
    "option", [{"min_particles": 0}, {"outer": -1.0}, {"outer": float("inf")}, {"inner": 0.0}, {"inner": 1e5}]
)
def test_impossible_options_are_refused(option):
    with pytest.raises(ConfigError):
        measure(TINY, **option)


def test_the_verb_writes_json_and_netcdf(folder, tmp_path):
    config = MeasureConfig(path=str(folder), min_particles=1000)
    assert len(config.inputs()) == 4
    run = execute("halos-measure", config, verb, out=tmp_path / "run")
    summary = json.loads(json.dumps(run.summary, allow_nan=False))
    expected = measure(folder, min_particles=1000)
    assert [halo["id"] for halo in summary["halos"]] == [0, 1]
    for key, name in {
        "m200m": "mass",
        "r200m": "halo_radius",
        "concentration": "concentration",
        "particles": "particles",
    }.items():
        assert [halo[key] for halo in summary["halos"]] == expected[name].to_numpy().tolist()
    xr.testing.assert_identical(run.load("results.nc").load(), expected)
    assert (run.path / "figures" / summary["figure"]).stat().st_size > 10_000


def test_a_failed_fit_is_null_with_a_reason(tmp_path):
    run = execute("halos-measure", MeasureConfig(), verb, out=tmp_path / "run")
    failed = [halo for halo in run.summary["halos"] if halo["problem"]]
    assert failed
    assert all(halo["concentration"] is None and halo["m200m"] > 0 for halo in failed)


@pytest.mark.parametrize("option", [{"min_particles": 0}, {"outer": 0.0}, {"inner": -1.0}, {"bins": 2}, {"output": -1}])
def test_impossible_settings_are_refused(option):
    with pytest.raises(ConfigError, match=next(iter(option))):
        MeasureConfig(**option)


def test_the_tour_agrees_with_its_rivals(tmp_path):
    summary = execute("halos-tour", TourConfig(mock_halos=100), tour, out=tmp_path / "run").summary
    median, worst, total, known, mass, density = summary["comparisons"]
    assert median["rival_price"] is worst["rival_price"] is None  # how long SUBFIND took inside GADGET-4 is not known
    assert median["answer"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert worst["answer"]["value"] == pytest.approx(1.0, abs=0.01)
    assert total["answer"]["value"] == pytest.approx(total["truth"]["value"], rel=1e-3)
    assert max(abs(row["pull"]) for row in (known, mass, density)) < 4
    assert (tmp_path / "run" / "figures" / summary["figure"]).stat().st_size > 10_000
    assert len([part for part in summary["story"].split(". ") if part]) == 3
    assert {path.name for path in TourConfig().inputs()} == {"snapshot_023.hdf5", "fof_subhalo_tab_023.hdf5"}
    with pytest.raises(ConfigError, match="known_particles"):
        TourConfig(known_particles=10)


def test_the_self_test_passes():
    ok, sentence = check()
    assert ok, sentence
