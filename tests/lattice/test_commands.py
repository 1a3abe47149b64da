"""The verbs: summaries as promised, resumption through a run directory, and configurations that are refused."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math

import jax
import numpy as np
import pytest
import xarray as xr

from triptych.errors import ConfigError, DataError
from triptych.lattice import commands, torus
from triptych.lattice import model as models
from triptych.lattice.check import check
from triptych.lattice.settings import SamplerConfig, build
from triptych.lattice.tour import TourConfig, tour
from triptych.runs import execute, fanout, load, to_toml

driver = importlib.import_module("triptych.lattice.sample")
KEY = jax.random.key(0)
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
    truth, plaquette = torus(2.0, (4, 4)).plaquette, run.summary["plaquette"]
    pull = (plaquette["value"] - truth) / plaquette["error"]
    assert run.summary["exact"]["plaquette"] == {"value": truth, "pull": pytest.approx(pull)}
    assert (tmp_path / "figures" / "sectors.png").stat().st_size > 0


def test_interrupted_run_resumes_to_the_same_result(tmp_path, monkeypatch):
    whole = execute("lattice-sample", SMALL, commands.sample, out=tmp_path / "whole").load("results.nc")
    monkeypatch.setattr(driver, "CHUNK", 4)
    monkeypatch.setattr(driver, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(driver, "MOST_TIME_FOR_CHECKPOINTS", math.inf)

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
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").glob("4x4-beta-2-*.nc")
    left = xr.load_dataset(checkpoint, engine="h5netcdf")
    assert left.attrs["trajectories_done"] == 8
    resumed = execute("lattice-sample", SMALL, commands.sample, out=tmp_path / "cut").load("results.nc")
    for name in ("plaquette", "charge", "delta_h", "links"):
        np.testing.assert_array_equal(resumed[name], whole[name])


def test_exact_sampler_end_to_end(tmp_path):
    """Independent configurations: tau = 1, and exact averages where HMC is frozen."""
    config = commands.SampleConfig(
        beta=6.0, shape=(4, 4), chains=64, trajectories=100, thermalization=0, sampler=SamplerConfig(name="exact")
    )
    summary = execute("lattice-sample", config, commands.sample, out=tmp_path).summary
    for name, tau in summary["tau"].items():
        assert abs(tau["value"] - 1) < 4 * tau["error"] and summary["tau_method"][name] == "gamma"
    assert abs(summary["exact"]["plaquette"]["pull"]) < 4 and abs(summary["exact"]["charge_squared"]["pull"]) < 4
    assert summary["acceptance"] == 1.0 and summary["cost"]["network_evaluations"] == 0


def test_samplers_by_name(tmp_path):
    """Each name is its sampler, with the numbers that are given and defaults for the rest, also through a TOML file."""
    made = {
        "hmc": {"sampler": "hmc", "steps": 10, "step_size": 0.1},
        "omelyan": {"sampler": "omelyan", "steps": 5, "step_size": 0.2},
        "tempered": {"sampler": "tempered", "steps": 32, "step_size": 0.1, "heat": 0.06},
        "exact": {"sampler": "exact"},
    }
    for name, settings in made.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(to_toml(commands.SampleConfig(sampler=SamplerConfig(name=name))))
        config = load(commands.SampleConfig, path).sampler
        assert config == SamplerConfig(name=name)
        assert build(config, beta=2.0, shape=(4, 4), key=KEY).settings().items() >= settings.items()
    around = build(SamplerConfig(name="instanton", steps=3), beta=2.0, shape=(4, 4), key=KEY).settings()
    assert around["sampler"] == "instanton" and around["steps"] == 3
    assert commands.SampleConfig(start="equilibrium").thermalization == 0 != commands.SampleConfig().thermalization
    assert SamplerConfig() == SamplerConfig(name="hmc", steps=10, step_size=0.1)


def test_tuned_samplers(monkeypatch):
    """At given steps the step size is tuned, with a length the number of steps; the tuning makes the sampler that is named."""
    asked = []

    def tune(make, **given):
        asked.append(given)
        return make(**{"steps": 4, "step_size": 0.3} if "length" in given else {"step_size": 0.3})

    monkeypatch.setattr("triptych.lattice.settings.tune_steps", tune)
    monkeypatch.setattr("triptych.lattice.settings.tune_step_size", tune)
    where = {"beta": 2.0, "shape": (4, 4), "key": KEY}
    tuned = [
        build(SamplerConfig(name="omelyan", length=1.5, target_acceptance=0.9), **where),
        build(SamplerConfig(name="tempered", steps=6, heat=0.1, target_acceptance=0.3), **where),
        build(SamplerConfig(name="instanton", target_acceptance=0.7), **where),
    ]
    assert [one.steps for one in tuned] == [4, 6, 10]
    assert [one.settings()["sampler"] for one in tuned] == ["omelyan", "tempered", "instanton"]
    assert tuned[1].settings()["heat"] == 0.1
    assert asked == [{"length": 1.5, "target": 0.9, **where}, {"target": 0.3, **where}, {"target": 0.7, **where}]


def test_a_model_samples_and_names_its_price(tmp_path):
    """An untrained model in the place of a trained one; another file of the same name is another question."""

    def save(seed):
        model = layers.build((4, 4), key=jax.random.key(seed))
        training = {"seconds": 12.5, "force_evaluations": 700}
        models.save(tmp_path / "run" / "model-beta-2.eqx", model, layers, beta=2.0, shape=(4, 4), training=training)

    layers = models.LayersConfig(number=1, network="dense", width=4, depth=1)
    save(1)
    sampler = SamplerConfig(name="leapfroglayers", model=str(tmp_path / "run"))
    config = commands.SampleConfig(beta=2.0, shape=(4, 4), chains=4, trajectories=8, thermalization=0, sampler=sampler)
    run = execute("lattice-sample", config, commands.sample, root=tmp_path)
    assert run.summary["training"] == {"force_evaluations": 700, "seconds": 12.5}
    assert run.summary["steps_per_trajectory"] == 2 and run.summary["cost"]["network_evaluations"] > 0
    assert run.load("results.nc").attrs["sampler"] == "leapfroglayers"
    save(2)
    assert execute("lattice-sample", config, commands.sample, root=tmp_path).id != run.id
    with pytest.raises(DataError, match="coupling"):
        commands.SampleConfig(beta=3.0, shape=(4, 4), sampler=sampler).inputs()
    with pytest.raises(DataError, match="another lattice"):
        build(sampler, beta=2.0, shape=(4, 6), key=KEY)


def test_measure_of_a_run_and_of_its_links(tmp_path):
    config = dataclasses.replace(SMALL, keep_links=1)
    run = execute("lattice-sample", config, commands.sample, out=tmp_path / "run")
    own = execute("lattice-measure", commands.MeasureConfig(path=str(run.path)), commands.measure, out=tmp_path / "own").summary
    assert own == {name: value for name, value in run.summary.items() if name != "claims"}
    run.load("results.nc")[["configurations"]].drop_attrs(deep=False).to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    for beta in (None, 2.0):
        theirs = commands.MeasureConfig(path=str(tmp_path / "theirs.nc"), beta=beta)
        found = execute("lattice-measure", theirs, commands.measure, out=tmp_path / f"theirs-{beta}").summary
        assert found["plaquette"]["value"] == pytest.approx(own["plaquette"]["value"], abs=1e-12)
        assert found["charge_squared"] == own["charge_squared"] and found["tau"]["Q_Z"] == own["tau"]["Q_Z"]
        assert found["acceptance"] is None and found["exp_minus_dh"] is None and found["cost"] is None
        assert (found["exact"] is None) == (beta is None)
    assert found["exact"]["charge_squared"] == own["exact"]["charge_squared"]
    kept = execute("lattice-measure", theirs, commands.measure, out=tmp_path / "theirs-2.0").load("results.nc")
    assert kept.charge.sizes == {"chain": 3, "trajectory": 8}


def test_an_ensemble_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        execute("lattice-measure", commands.MeasureConfig(path="nowhere.nc"), commands.measure, root=tmp_path)


def test_measure_with_another_beta_is_refused(tmp_path):
    path = execute("lattice-sample", SMALL, commands.sample, out=tmp_path / "run").path
    with pytest.raises(DataError, match="another beta"):
        execute("lattice-measure", commands.MeasureConfig(path=str(path), beta=3.0), commands.measure, out=tmp_path / "own")


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
    assert summary["couplings"][0]["tau"] == {"Q_Z": None, "Q_Z^2": None, "Q_R": None, "plaquette": None}
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
    config = TourConfig(chains=8, trajectories=20, many_chains=8, lessons=10)
    summary = execute("lattice-tour", config, tour, out=tmp_path).summary
    assert (tmp_path / "figures" / summary["figure"]).exists()
    assert summary["story"].count(". ") == 2
    assert len(summary["comparisons"]) == 8
    frozen, thawed = summary["comparisons"][-2:]
    assert frozen["what"] == "<Q^2>, HMC, at beta = 7" and "freezing" in frozen["note"]
    assert thawed["what"] == "<Q^2>, trained LeapfrogLayers, at beta = 7" and "16 steps" in thawed["note"]
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
        (lambda: commands.SampleConfig(start="warm"), "start"),
        (lambda: SamplerConfig(steps=0), "steps"),
        (lambda: SamplerConfig(step_size=0.0), "step_size"),
        (lambda: SamplerConfig(name="hcm"), "did you mean 'hmc'"),
        (lambda: SamplerConfig(name="tempered", steps=7), "odd"),
        (lambda: SamplerConfig(name="hmc", heat=0.1), "a sampler that has it: tempered"),
        (lambda: SamplerConfig(name="exact", steps=10), "no option 'steps'"),
        (lambda: SamplerConfig(name="tempered", length=3.0), "no option 'length'"),
        (lambda: SamplerConfig(name="leapfroglayers"), "needs a model"),
        (lambda: SamplerConfig(length=1.0), "goes with"),
        (lambda: SamplerConfig(target_acceptance=1.5), "target_acceptance"),
        (lambda: SamplerConfig(target_acceptance=0.8, length=0.0), "length"),
        (lambda: SamplerConfig(target_acceptance=0.8, step_size=0.1), "step_size is what is tuned"),
        (lambda: SamplerConfig(target_acceptance=0.8, length=1.0, steps=3), "steps is what is tuned"),
        (lambda: commands.MeasureConfig(), "no ensemble is given"),
        (lambda: commands.MeasureConfig(path=__file__, beta=-1.0), "beta"),
        (lambda: commands.Fig1Config(beta_first=5, beta_last=4), "coupling"),
        (lambda: commands.Fig1Config(beta_first=-2), "beta"),
    ],
)
def test_refusals(make, word):
    with pytest.raises(ConfigError, match=word):
        make()
