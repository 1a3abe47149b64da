from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr

from tests.halos import gadget
from triptych.errors import ConfigError, DataError
from triptych.halos import CRITICAL_DENSITY, Cosmology
from triptych.halos.histories.accretion import accretion_rate
from triptych.halos.history_commands import HistoriesConfig, histories
from triptych.runs import execute

UNIVERSE = Cosmology(omega_matter=0.3, omega_lambda=0.7, hubble=0.7)
TIMES = np.geomspace(0.25, 1.0, 17)
MASSES, EXPONENTS = (9e11, 5e11), (1.0, 2.0)  # of groups 0 and 1 at the end, and how they grow with the scale factor
LENGTHS = [900, 500, 400, 20]


@pytest.fixture
def folder(tmp_path):
    """Two halos that grow as powers of the scale factor, in catalogues alone; group 1 is lost at output 5.

    At the last output group 2 has no subhalo and group 3 few particles.
    """
    path = tmp_path / "output"
    path.mkdir()
    rows = []
    for output, a in enumerate(TIMES):
        last, lost = output == len(TIMES) - 1, output == 5
        count = 4 if last else 1 if lost else 2
        lengths = (np.array(LENGTHS[:count]) * a).astype(int)
        name = path / f"fof_subhalo_tab_{output:03d}.hdf5"
        gadget.write_catalogue(name, np.full((count, 3), 500.0), lengths=lengths, masses=lengths.astype(float), a=a)
        with h5py.File(name, "r+") as file:
            file["Group/Group_M_Mean200"][: min(count, 2)] = [
                m / 1e10 * a**power for m, power in zip(MASSES, EXPONENTS, strict=True)
            ][:count]
        rows += [(output, group) for group in range(min(count, 2))]
    snap, group = np.array(rows).T
    earlier = [next((row for row in reversed(range(now)) if group[row] == group[now]), -1) for now in range(len(rows))]
    order = np.argsort(group, kind="stable")  # a tree for each halo
    place = np.argsort(order)
    gadget.write_trees(
        path / "trees.hdf5",
        snap=snap[order],
        subhalo=group[order],
        group=group[order],
        tree=group[order],
        main=np.array([place[earlier[row]] if earlier[row] >= 0 else -1 for row in order]),
        first_in_group=np.arange(len(rows)),
        last=len(TIMES) - 1,
    )
    return path


@pytest.mark.parametrize("definition", ["consecutive", "dk14", "dynamical", "instantaneous"])
def test_the_verb_writes_json_and_netcdf(folder, tmp_path, definition):
    config = HistoriesConfig(path=str(folder), gamma=definition)
    assert len(config.inputs()) == len(TIMES) + 1
    run = execute("halos-histories", config, histories, out=tmp_path / "run")
    summary = json.loads(json.dumps(run.summary, allow_nan=False))
    assert [halo["id"] for halo in summary["halos"]] == [0, 1]
    assert (summary["without_subhalo"], summary["gamma_definition"]) == (1, definition)
    table = run.load("results.nc").load()
    rate = accretion_rate(table["mass"], TIMES, UNIVERSE, definition, particles=table["particles"])
    xr.testing.assert_allclose(table["gamma"].drop_attrs(), xr.zeros_like(table["gamma"]).drop_attrs() + rate.gamma)
    np.testing.assert_array_equal(table["bridged"], rate.bridged)
    for halo, exponent, mass in zip(summary["halos"], EXPONENTS, MASSES, strict=True):
        known = [output for output in range(len(TIMES)) if not (halo["id"] == 1 and output == 5)]
        np.testing.assert_allclose(halo["redshift"], 1 / TIMES - 1, atol=1e-9)
        np.testing.assert_allclose(np.array(halo["m200m"], dtype=float)[known], mass * TIMES[known] ** exponent, rtol=1e-6)
        assert halo["id"] == 0 or halo["m200m"][5] is None
        assert all(value == pytest.approx(exponent, rel=1e-5) for value in halo["gamma"] if value is not None)
        assert halo["gamma"][-1] is not None and halo["gamma_error"][-1] > 0
        assert halo["formation_redshift"] == pytest.approx(2 ** (1 / exponent) - 1, rel=1e-4)
        assert (halo["gamma"][0] is None) == (definition != "instantaneous")
    assert (run.path / "figures" / summary["figure"]).stat().st_size > 10_000


def test_other_mass_definitions_have_other_names(folder, tmp_path):
    for name in folder.glob("fof_*"):
        with h5py.File(name, "r+") as file:
            file["Group/Group_M_Crit200"][:] = 0.8 * file["Group/Group_M_Mean200"][:]
    config = HistoriesConfig(path=str(folder), mass_definition="200c", min_particles=600)
    summary = execute("halos-histories", config, histories, out=tmp_path / "run").summary
    (halo,) = summary["halos"]
    assert halo["m200c"][-1] == pytest.approx(0.8 * MASSES[0]) and summary["mass_definition"] == "200c"


def test_without_trees_the_links_are_read(folder):
    (folder / "trees.hdf5").rename(folder / "subhalo_prog_001.hdf5")
    assert {path.name for path in HistoriesConfig(path=str(folder)).inputs()} >= {"subhalo_prog_001.hdf5"}


def test_small_halos_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match="no halo to follow"):
        execute("halos-histories", HistoriesConfig(path=str(folder), min_particles=1000), histories, out=tmp_path / "run")


def test_impossible_settings_are_refused(folder):
    with pytest.raises(ConfigError, match="min_particles"):
        HistoriesConfig(path=str(folder), min_particles=0)
    for path in ("", str(folder / "trees.hdf5")):
        with pytest.raises(ConfigError, match="folder of a run"):
            HistoriesConfig(path=path).inputs()


def test_a_snapshot_is_measured(folder, tmp_path):
    radius = (3 * MASSES[0] / (4 * np.pi * 200 * 0.3 * CRITICAL_DENSITY)) ** (1 / 3)
    ball = gadget.nfw_ball(3000, radius / 5, radius, rng=np.random.default_rng(2))
    gadget.write_snapshot(folder / "snapshot_016.hdf5", ball + 500.0, mass=MASSES[0] / 1e10 / 3000)
    run = execute("halos-histories", HistoriesConfig(path=str(folder), min_particles=600), histories, out=tmp_path / "run")
    table = run.load("results.nc").load()
    assert table["source"][0].to_numpy().tolist() == [2] * 16 + [1]
    assert table["mass"][0, -1].item() == pytest.approx(MASSES[0], rel=2e-3)
    assert abs(table["particles"][0, -1].item() - 3000) < 10
