"""Figs. 4 to 7 at tiny sizes: what is promised is there, consistent with what was sampled, and the same after an interruption."""

from __future__ import annotations

import dataclasses
import importlib
import json

import jax
import numpy as np
import pytest
import scipy.stats
import xarray as xr

from triptych.errors import ConfigError, DataError
from triptych.lattice import race as racing
from triptych.lattice import reproduce
from triptych.lattice.exact import torus
from triptych.lattice.model import LayersConfig
from triptych.lattice.race import Entrant, ensemble, race, ratio, reward, sectors_p_value, tune_tempered
from triptych.lattice.samplers.hmc import HMC
from triptych.lattice.samplers.tempered import Tempered
from triptych.lattice.train import TrainConfig
from triptych.runs import Run, execute, load, to_toml
from triptych.runs.claims import PAPERS
from triptych.statistics import Estimate

COUPLINGS = (1.0, 2.0)
TRAINING = TrainConfig(ramp=10, hold=10, chains=64, layers=LayersConfig(number=2))
SIZE = {"shape": (4, 4), "couplings": COUPLINGS, "training": TRAINING}
NAMES = ["HMC, N = 4", "HMC, N = 2", "tempered, N = 4", "HMC and instantons", "exact draws", "trained 0"]


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Few trials for tuning; effective couplings are looked for up to 100: the exact values at 3e4 take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(racing, "STEP_SIZES", (0.1, 0.2))
        patch.setattr(racing, "HEATS", (0.0, 0.1))
        patch.setattr(racing, "DRAWS", 256)
        patch.setattr(importlib.import_module("triptych.lattice.along"), "LARGEST_BETA", 100.0)
        yield


@pytest.fixture(scope="module")
def fig4(quick, tmp_path_factory):
    config = reproduce.Fig4Config(**SIZE, chains=16, trajectories=50, hmc_steps=(2,), seeds=(3,))
    return config, execute("lattice-fig4", config, reproduce.reproduce_fig4, out=tmp_path_factory.mktemp("fig4"))


def test_fig4(fig4):
    config, run = fig4
    assert config.training.shape == (4, 4) and config.training.couplings == COUPLINGS
    first, second = run.summary["couplings"]
    assert [row["name"] for row in second["samplers"]] == [*NAMES[:-1], "trained 3"]
    assert first["exact"]["charge_squared"] == torus(1.0, (4, 4)).charge_squared
    rows = {row["name"]: row for row in second["samplers"]}
    trained, hmc = rows["trained 3"], rows["HMC, N = 4"]
    assert trained["steps"] == hmc["steps"] == rows["tempered, N = 4"]["steps"] == 4
    assert trained["N_tau"]["value"] == pytest.approx(4 * trained["tau_Q_Z"]["value"])
    assert trained["training"]["force_evaluations"] > 0 and hmc["training"] is None
    assert trained["independent_charge"]["seconds"]["value"] > 0
    (ratios,) = second["ratios"]
    expected = hmc["tau_Q_Z"]["value"] / trained["tau_Q_Z"]["value"]
    assert ratios["tau of HMC / trained, same N"]["value"] == pytest.approx(expected)
    cheapest = min(rows[name]["N_tau"]["value"] for name in NAMES[:2])
    assert rows[ratios["cheapest HMC"]]["N_tau"]["value"] == cheapest
    assert first["paper"] is None and second["paper"] == {"hmc": 156.0, "trained": 4.2}  # two steps a layer
    assert abs(rows["exact draws"]["tau_Q_Z"]["value"] - 1) < 0.3 and rows["exact draws"]["N_tau"] is None
    for row in rows.values():
        assert row["sectors_p_value"] > 1e-4 and abs(row["pulls"]["plaquette"]) < 4 and abs(row["pulls"]["charge_squared"]) < 4
    assert not {"foreman2021/fig4-tau-against-beta", "foreman2021/sec3-annealing"} & {one["id"] for one in run.summary["claims"]}
    json.dumps(run.summary, allow_nan=False)


def test_fig4_results_and_figure(fig4):
    _, run = fig4
    data = run.load("results.nc")
    assert data.sizes == {"beta": 2, "sampler": 6}
    row = run.summary["couplings"][1]["samplers"][0]
    cell = data.sel(beta=2.0, sampler=row["name"])
    assert cell["tau_Q_Z"] == row["tau_Q_Z"]["value"] and cell["tau_Q_Z_error"] == row["tau_Q_Z"]["error"]
    assert (run.path / "figures" / "fig4.png").stat().st_size > 0
    assert (run.path / "training" / "trained-3" / "model-beta-2.eqx").exists()


def test_models_of_another_run_and_ensembles_that_are_there(fig4, tmp_path, monkeypatch):
    """With `models` nothing is trained; after an interruption no ensemble that was finished is sampled again."""
    config, run = fig4
    place = str(run.path / "training" / "trained-3")
    given = dataclasses.replace(config, models=(place,), couplings=(2.0,))
    assert given.inputs() == [run.path / "training" / "trained-3" / "model-beta-2.eqx"] and given.trainings() == {}
    monkeypatch.setattr(reproduce, "train", None)
    asked, right = [], racing.sample

    def counted(**settings):
        asked.append(0 if settings["resume"] is None else int(settings["resume"].attrs["trajectories_done"]))
        if len(asked) == 5:
            raise KeyboardInterrupt
        return right(**settings)

    monkeypatch.setattr(racing, "sample", counted)
    with pytest.raises(KeyboardInterrupt):
        execute("lattice-fig4", given, reproduce.reproduce_fig4, out=tmp_path)
    again = execute("lattice-fig4", given, reproduce.reproduce_fig4, out=tmp_path)
    assert asked == [0, 50, 0, 50, 0] + [50, 50] + 4 * [0, 50]  # the first two ensembles were complete
    rows = {row["name"]: row for row in again.summary["couplings"][0]["samplers"]}
    before = {row["name"]: row for row in run.summary["couplings"][1]["samplers"]}
    for name in NAMES[:4]:
        assert rows[name]["tau_Q_Z"] == before[name]["tau_Q_Z"]
    with pytest.raises(DataError, match="coupling"):
        dataclasses.replace(config, models=(place,), couplings=(3.0,)).inputs()


def test_fig5(fig4, tmp_path, monkeypatch):
    place = str(fig4[1].path / "training" / "trained-3")
    monkeypatch.setattr(reproduce, "learn", lambda lesson: place)
    config = reproduce.Fig5Config(**{**SIZE, "couplings": (1.0,)}, chains=16, trajectories=50, hmc_steps=(4,), layers=(2,))
    run = execute("lattice-fig5", config, reproduce.reproduce_fig5, out=tmp_path)
    hmc, trained = run.summary["couplings"][0]["samplers"]
    assert (hmc["name"], trained["name"]) == ("HMC, N = 4", "trained, N_LF = 2") and trained["steps"] == 4
    for row in (hmc, trained):
        last = row["estimates"][-1]
        assert last["run_length"] == 4 * 50 and last["long_enough"]
        assert last["N_tau"]["value"] == pytest.approx(row["N_tau"]["value"])  # the whole run, both by the Gamma method
        assert [one["run_length"] for one in row["estimates"]] == sorted(one["run_length"] for one in row["estimates"])
    data = run.load("results.nc")
    assert float(data["estimate"].sel(beta=1.0, sampler="HMC, N = 4")[0]) == hmc["estimates"][0]["N_tau"]["value"]
    assert (run.path / "figures" / "fig5.png").stat().st_size > 0


def test_fig6_and_fig7(fig4, tmp_path):
    model = str(fig4[1].path / "training" / "trained-3")
    config = reproduce.AlongConfig(shape=(4, 4), couplings=COUPLINGS, chains=64, model=model)
    six = execute("lattice-fig6", config, reproduce.reproduce_fig6, out=tmp_path / "6")
    seven = execute("lattice-fig7", config, reproduce.reproduce_fig7, out=tmp_path / "7")
    assert six.summary["beta"] == 2.0 and len(six.summary["energy"]) == 5 and six.summary["energy"][0] == 0
    one, two = seven.summary["couplings"]
    assert (one["beta"], two["beta"]) == COUPLINGS
    assert two["plaquette"] == six.summary["plaquette"]
    assert torus(two["effective_beta_mid_trajectory"], (4, 4)).plaquette == pytest.approx(two["plaquette"][2], abs=1e-9)
    data = seven.load("results.nc")
    np.testing.assert_allclose(data["plaquette"].sel(beta=2.0).mean("chain"), two["plaquette"], rtol=1e-12)
    for run, name in ((six, "fig6"), (seven, "fig7")):
        assert (run.path / "figures" / f"{name}.png").stat().st_size > 0
        assert all(f"/{name}" in claim["id"] for claim in run.summary["claims"])


def test_the_reward_is_that_of_a_chain():
    """E[A dQ_Z^2] is the mean squared change of the charge in a chain in equilibrium."""
    beta, shape, sampler = 2.0, (4, 4), HMC(steps=4, step_size=0.3)
    found = reward(sampler, beta=beta, shape=shape, key=jax.random.key(0))
    data = racing.sample(
        beta=beta, shape=shape, chains=16, trajectories=400, start="equilibrium", sampler=sampler, key=jax.random.key(1)
    )
    changes = np.diff(data["charge"].transpose("chain", "trajectory").to_numpy(), axis=1) ** 2
    chains = changes.mean(axis=1)
    assert abs(found.pull(Estimate.statistical(chains.mean(), chains.std(ddof=1) / 4))) < 4


def test_the_tempered_sampler_is_the_best_of_its_grid(monkeypatch):
    monkeypatch.setattr(racing, "STEP_SIZES", (0.05, 0.2))
    monkeypatch.setattr(racing, "HEATS", (0.0, 0.2))
    where = {"beta": 5.0, "shape": (4, 4), "key": jax.random.key(0)}
    best = tune_tempered(16, **where)
    rewards = {
        (size, heat): reward(Tempered(steps=16, step_size=size, heat=heat), **where).value
        for size in (0.05, 0.2)
        for heat in (0.0, 0.2)
    }
    assert (best.step_size, best.heat) == max(rewards, key=lambda one: rewards[one])
    assert best.heat == 0.2  # at this coupling HMC hardly tunnels


def test_a_run_is_as_long_as_tau_asks(tmp_path):
    """Independent draws stop early, a frozen charge takes all there is."""
    run = Run(path=tmp_path, id="x")
    common = {"shape": (4, 4), "chains": 16, "trajectories": 400, "seed": 0, "run": run}
    short = ensemble(Entrant(name="exact", kind="exact", steps=0, beta=2.0, **common))
    assert short.sizes["trajectory"] == racing.LEAST and short.attrs["start"] == "equilibrium"
    frozen = ensemble(Entrant(name="hmc", kind="hmc", steps=4, beta=9.0, **common))
    assert frozen.sizes["trajectory"] == 400
    cold = race(Entrant(name="hmc", kind="hmc", steps=4, beta=9.0, **common))
    assert cold.price() is None or cold.price().value > 400


def test_chi_squared_of_the_sectors():
    """Against scipy, and it finds a wrong coupling out."""
    sectors, rng = torus(3.0, (8, 8)).sectors, np.random.default_rng(0)
    weights = {0: sectors[0], **{sign * q: p for q, p in sectors.items() if q for sign in (-1, 1)}}
    charges = rng.choice(list(weights), size=(100, 20), p=np.array(list(weights.values())) / sum(weights.values()))
    spaced = abs(charges[:, ::-1][:, ::6]).ravel()
    expected = spaced.size * np.array([sectors[0], 2 * sectors[1], 2 * sectors[2]])
    expected = np.append(expected, spaced.size - expected.sum())
    bins = [*((spaced == q).sum() for q in (0, 1, 2)), (spaced > 2).sum()]
    if expected[-1] < racing.POOLED:
        expected, bins = np.append(expected[:2], expected[2:].sum()), [*bins[:2], bins[2] + bins[3]]
    p_value = sectors_p_value(charges, sectors, Estimate.statistical(3.0, 0.1))
    assert p_value == pytest.approx(scipy.stats.chisquare(bins, expected).pvalue) and p_value > 1e-4
    assert sectors_p_value(charges, torus(6.0, (8, 8)).sectors, Estimate.statistical(1.0, 0.1)) < 1e-4
    assert sectors_p_value(charges[:2], sectors, None) == 1.0  # too few for two bins


def test_ratios():
    one, other = Estimate.statistical(6.0, 0.3), Estimate.statistical(2.0, 0.2)
    assert ratio(one, other).value == 3.0 and ratio(one, other).error == pytest.approx(3 * np.hypot(0.05, 0.1))


def test_configurations_of_the_paper():
    """Each file is a valid configuration, and as such survives a round trip."""
    for name, kind in (
        ("fig4", reproduce.Fig4Config),
        ("fig5", reproduce.Fig5Config),
        ("fig6", reproduce.AlongConfig),
        ("fig7", reproduce.AlongConfig),
    ):
        config = load(kind, PAPERS / "foreman2021" / f"{name}.toml")
        assert config.training.couplings == config.couplings and config.training.shape == config.shape
        assert load(kind, None, {}).shape == (8, 8) and "shape" in to_toml(config)
    trainings = reproduce.Fig4Config(seeds=(5, 6)).trainings()
    assert {name: one.seed for name, one in trainings.items()} == {"trained 5": 5, "trained 6": 6}


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: reproduce.Fig4Config(couplings=()), "coupling"),
        (lambda: reproduce.Fig4Config(couplings=(3.0, 2.0)), "rise"),
        (lambda: reproduce.Fig4Config(seeds=()), "trained model"),
        (lambda: reproduce.Fig4Config(chains=7), "chains"),
        (lambda: reproduce.Fig4Config(hmc_steps=(0,)), "hmc_steps"),
        (lambda: reproduce.Fig5Config(layers=()), "compare"),
        (lambda: reproduce.AlongConfig(shape=(1, 8)), "shape"),
    ],
)
def test_refusals(make, word):
    with pytest.raises(ConfigError, match=word):
        make()


def test_paper_points_are_whole():
    curves = reproduce._paper_curves((2.0, 2.5, 7.0))
    assert np.isnan(curves["paper_hmc"][1][1]) and curves["paper_trained"][1][2] == 198.0
    assert isinstance(xr.Dataset(curves), xr.Dataset)
