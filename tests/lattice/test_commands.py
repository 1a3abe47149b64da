"""The verbs: summaries as promised, resumption through a run directory, and configurations that are refused."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import xarray as xr

from triptych.errors import ConfigError
from triptych.lattice import commands, torus
from triptych.lattice.check import check
from triptych.lattice.tour import TourConfig, tour
from triptych.runs import execute, fanout

driver = importlib.import_module("triptych.lattice.sample")
SMALL = commands.SampleConfig(beta=2.0, shape=(4, 4), chains=3, trajectories=8, thermalization=8, seed=5)


def test_exact(tmp_path):
    summary = execute("lattice-exact", commands.ExactConfig(beta=3.0, shape=(4, 7)), commands.exact, out=tmp_path).summary
    truth = torus(3.0, (4, 7))
    assert summary["plaquette"] == truth.plaquette and summary["charge_squared"] == truth.charge_squared
    assert summary["sectors"]["1"] == truth.sectors[1]


def test_sample_writes_ensemble_and_summary(tmp_path):
    run = execute("lattice-sample", SMALL, commands.sample, out=tmp_path)
    data = run.load("results.nc")
    assert data.charge.sizes == {"chain": 3, "trajectory": 8} and data.links.dims == ("chain", "mu", "t", "x")
    assert run.summary["charge_squared"]["value"] == pytest.approx(float((data.charge.astype(float) ** 2).mean()))
    assert (tmp_path / "figures" / "sectors.png").stat().st_size > 0


def test_interrupted_run_resumes_to_the_same_result(tmp_path, monkeypatch):
    whole = execute("lattice-sample", SMALL, commands.sample, out=tmp_path / "whole").load("results.nc")
    monkeypatch.setattr(driver, "CHUNK", 4)
    monkeypatch.setattr(driver, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def interrupted(config, run):
        save, saved = type(run).save, []

        def save_and_stop(self, name, data):
            save(self, name, data)
            saved.append(name)
            if len(saved) == 2:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(type(run), "save", save_and_stop)
            return commands.sample(config, run)

    with pytest.raises(KeyboardInterrupt):
        execute("lattice-sample", SMALL, interrupted, out=tmp_path / "cut")
    left = xr.load_dataset(tmp_path / "cut" / "checkpoints" / "4x4-beta-2.nc", engine="h5netcdf")
    assert left.attrs["trajectories_done"] == 8
    resumed = execute("lattice-sample", SMALL, commands.sample, out=tmp_path / "cut").load("results.nc")
    for name in ("plaquette", "charge", "delta_h", "links"):
        np.testing.assert_array_equal(resumed[name], whole[name])


def test_fig1(tmp_path):
    config = commands.Fig1Config(beta_first=2, beta_last=3, shape=(4, 4), chains=3, trajectories=8, thermalization=8)
    run = execute("lattice-fig1", config, commands.reproduce_fig1, out=tmp_path)
    assert [row["beta"] for row in run.summary["couplings"]] == [2.0, 3.0]
    assert run.summary["couplings"][1]["exact"]["plaquette"] == torus(3.0, (4, 4)).plaquette
    assert run.load("results.nc").charge.sizes == {"beta": 2, "chain": 3, "trajectory": 8}
    assert (tmp_path / "figures" / "fig1.png").stat().st_size > 0
    first, second = config.ensembles()
    assert first.seed != second.seed
    assert [claim["id"] for claim in run.summary["claims"]] == ["foreman2021/sec1-zero-sector-dominates"]  # exact values only


@pytest.mark.parametrize("trajectories", [2, 7])
def test_fig1_of_a_few_trajectories(tmp_path, trajectories):
    """Too short for an autocorrelation time: there is a summary, and no verdict from the samples."""
    config = commands.Fig1Config(beta_first=2, beta_last=3, shape=(4, 4), chains=3, trajectories=trajectories, thermalization=0)
    summary = execute("lattice-fig1", config, commands.reproduce_fig1, out=tmp_path).summary
    assert summary["couplings"][0]["tau"] == {"Q_Z": None, "Q_R": None, "plaquette": None}
    assert [claim["id"] for claim in summary["claims"]] == ["foreman2021/sec1-zero-sector-dominates"]


def test_ensembles_are_sampled_where_the_run_computes(tmp_path, monkeypatch):
    """The number of workers and the scheduler are the run's; a scheduler that is not there is refused."""
    config = commands.Fig1Config(beta_first=2, beta_last=3, shape=(4, 4), chains=2, trajectories=2, thermalization=0)
    asked = []

    def refuse(function, tasks, *, workers, dask, label):
        asked.append((workers, dask, [task.config.beta for task in tasks]))
        raise ConfigError("the Dask scheduler does not answer", got=dask)

    monkeypatch.setattr(fanout, "map", refuse)
    with pytest.raises(ConfigError, match="scheduler"):
        execute("lattice-fig1", config, commands.reproduce_fig1, out=tmp_path, workers=2, dask="tcp://127.0.0.1:1")
    assert asked == [(2, "tcp://127.0.0.1:1", [2.0, 3.0])]


def test_ensembles_of_a_run_do_not_share_a_checkpoint():
    *fig1, many = TourConfig().ensembles()
    assert len({(one.beta, one.shape) for one in (*fig1, many)}) == 7
    assert len({one.seed for one in (*fig1, many)}) == 7


def test_tour_rows(tmp_path):
    summary = execute("lattice-tour", TourConfig(chains=8, trajectories=20, many_chains=8), tour, out=tmp_path).summary
    assert (tmp_path / "figures" / summary["figure"]).exists()
    assert summary["story"].count(". ") == 1
    assert len(summary["comparisons"]) == 7
    assert summary["comparisons"][-1]["what"] == "<Q^2> at beta = 7"
    assert "freezing" in summary["comparisons"][-1]["note"]
    assert summary["comparisons"][1]["truth"]["value"] == pytest.approx(1.239299, abs=1e-6)
    json.dumps(summary, allow_nan=False)


def test_check_passes():
    ok, detail = check()
    assert ok and "0.699251927" in detail


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: commands.ExactConfig(beta=-1.0), "beta"),
        (lambda: commands.ExactConfig(shape=(2048, 2048)), "shape"),
        (lambda: commands.SampleConfig(shape=(8, 1)), "shape"),
        (lambda: commands.SampleConfig(beta=1e6), "beta"),
        (lambda: commands.SampleConfig(chains=1), "chains"),
        (lambda: commands.SampleConfig(sampler=commands.SamplerConfig(steps=0)), "steps"),
        (lambda: commands.SampleConfig(sampler=commands.SamplerConfig(step_size=0.0)), "step_size"),
        (lambda: commands.Fig1Config(beta_first=5, beta_last=4), "coupling"),
        (lambda: commands.Fig1Config(beta_first=-2), "beta"),
    ],
)
def test_refusals(make, word):
    with pytest.raises(ConfigError, match=word):
        make()
