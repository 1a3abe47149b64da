"""The verbs that train networks and use them, on a mock universe of 200 halos."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest
import xarray as xr

from triptych.cli import main
from triptych.errors import ConfigError, DataError
from triptych.halos import network_commands as verbs
from triptych.halos import open_dataset
from triptych.halos.dataset_commands import BoxConfig
from triptych.halos.mock_commands import MockConfig, mock
from triptych.halos.network import EncoderConfig, LossConfig, NetworkConfig, OptimiserConfig, kl_of, load_network
from triptych.halos.network.verdicts import MOCK, count_verdict, independence_verdict
from triptych.runs import Run, execute, options
from triptych.runs.config import build, to_toml

SMALL = {
    "members": 2,
    "encoder": EncoderConfig(sees="sphere", width=16),
    "decoder": 32,
    "optimiser": OptimiserConfig(epochs=8, batch=16),
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    config = MockConfig(training=112, validation=40, test=48, seed=3, box=BoxConfig(n=4, levels=2, scheme="ngp"))
    return execute("halos-mock", config, mock, out=tmp_path_factory.mktemp("mock") / "run").path


@pytest.fixture(scope="module")
def training(dataset):
    return verbs.TrainConfig(data=str(dataset), latents=2, seed=4, **SMALL)


@pytest.fixture(scope="module")
def trained(training, tmp_path_factory):
    return execute("halos-train", training, verbs.train, out=tmp_path_factory.mktemp("trained") / "run")


def answered(run):
    """The summary as JSON gives it back: there is no NaN in it."""
    return json.loads(json.dumps(run.summary, allow_nan=False))


def never(config, run):
    raise AssertionError("a finished run is not run again")


def test_a_training_leaves_networks_tables_and_figures(trained, training):
    found = answered(trained)
    assert found["halos"] == {"training": 112, "validation": 40, "test": 48}
    assert found["judged_on"] == "test" and found["source"] == "mock"
    assert found["encoder_passes"] == 8 * 112 and found["times_fewer_than_one_for_each_radius"] == 13
    assert found["seconds_per_network"] == pytest.approx(found["seconds"] / 2)
    losses = [one["validation_loss"] for one in found["networks"]]
    assert found["selected"] == f"model-{np.argmin(losses) + 1}.eqx"
    for place, one in enumerate(found["networks"]):
        network = load_network(trained.path / f"model-{place + 1}.eqx")
        assert network.about["validation_loss"] == one["validation_loss"] and len(one["kl"]) == 2
        assert one["active"] == sum(nats > 0.1 for nats in one["kl"])
    selected = load_network(trained.path)
    assert selected.about["validation_loss"] == min(losses)
    assert [one["name"] for one in found["accuracy"]][2:] == ["profile autoencoder", "pca", "nfw", "einasto"]
    assert found["claims"] == []  # too few halos
    for name in ("training.png", "latents.png", "traverse.png"):
        assert (trained.path / "figures" / name).stat().st_size > 1000
    table = xr.load_dataset(trained.path / "results.nc", engine="h5netcdf")
    assert table.sizes["network"] == 2 and table.sizes["halo"] == 48


def test_the_question_asked_again_is_answered_from_the_run(trained, training):
    assert execute("halos-train", training, never, out=trained.path).summary == trained.summary


def test_a_training_that_was_interrupted_ends_with_the_same_networks(trained, training, tmp_path, monkeypatch):
    log = Run.log

    def stop(run, record):
        log(run, record)
        if record.get("step", 0) >= 35:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "log", stop)
    with pytest.raises(KeyboardInterrupt):
        execute("halos-train", training, verbs.train, out=tmp_path / "run")
    assert not (tmp_path / "run" / "model.eqx").exists()
    monkeypatch.setattr(Run, "log", log)
    again = execute("halos-train", training, verbs.train, out=tmp_path / "run")
    for member in (1, 2):
        ours, theirs = (load_network(run.path / f"model-{member}.eqx").ive for run in (again, trained))
        leaves = [jax.tree.leaves(eqx.filter(one, eqx.is_array)) for one in (ours, theirs)]
        assert all(np.array_equal(one, other) for one, other in zip(*leaves, strict=True))


def test_encode_gives_the_latents_of_a_split(trained, dataset, tmp_path):
    config = verbs.EncodeConfig(model=str(trained.path), data=str(dataset), split="validation")
    run = execute("halos-encode", config, verbs.encode, out=tmp_path / "run")
    found, table = answered(run), run.load("results.nc")
    data = open_dataset(dataset)
    rows = data.rows("validation")
    posterior = load_network(trained.path).encode(data, rows)
    np.testing.assert_array_equal(table["mean"], posterior.mean)
    np.testing.assert_array_equal(table["sigma"], posterior.sigma)
    np.testing.assert_array_equal(table["id"], data.table["id"][rows])
    assert set(table["simulation"].to_numpy()) == {"mock4"}
    assert found["halos"] == 40 and [one["kl"] for one in found["latents"]] == pytest.approx(kl_of(posterior))
    assert execute("halos-encode", config, never, out=run.path).summary == run.summary


def test_predict_gives_profiles_with_bands(trained, dataset, tmp_path):
    config = verbs.PredictConfig(model=str(trained.path / "model-1.eqx"), data=str(dataset), draws=40)
    run = execute("halos-predict", config, verbs.predict, out=tmp_path / "run")
    found, table = answered(run), run.load("results.nc")
    assert (table["lower_90"] <= table["lower_68"]).all() and (table["lower_68"] <= table["upper_68"]).all()
    assert (table["upper_68"] <= table["upper_90"]).all()
    data = open_dataset(dataset)
    rows = data.rows("test")
    np.testing.assert_array_equal(table["measured"], data.table["log_density"][rows])
    off = table["predicted"] - table["measured"]
    assert found["split"] == "test" and found["rms"] == pytest.approx(float(np.sqrt((off**2).mean())))
    assert found["rms_true"] == pytest.approx(
        float(np.sqrt(np.mean((table["predicted"].to_numpy() - data.table["truth/log_density"].to_numpy()[rows]) ** 2)))
    )
    assert len(found["bins"]) == 13 and found["worst_bias"] == pytest.approx(float(np.abs(off.mean("halo")).max()))


def test_decode_gives_the_profile_of_latents(trained, tmp_path):
    config = verbs.DecodeConfig(model=str(trained.path), latents=(1.0, -0.5), r=(20.0, 100.0))
    run = execute("halos-decode", config, verbs.decode, out=tmp_path / "run")
    expected = load_network(trained.path).decode([1.0, -0.5], [20.0, 100.0])[0]
    assert [one["log_density"] for one in answered(run)["profile"]] == pytest.approx(expected)
    assert run.load("results.nc")["log_density"].to_numpy() == pytest.approx(expected)
    average = execute("halos-decode", verbs.DecodeConfig(model=str(trained.path)), verbs.decode, out=tmp_path / "average")
    assert average.summary["latents"] == [0.0, 0.0] and len(average.summary["profile"]) == 24
    with pytest.raises(ConfigError, match="latents of the network"):
        execute("halos-decode", replace(config, latents=(1.0,)), verbs.decode, out=tmp_path / "wrong")


def test_traverse_moves_one_latent_at_a_time(trained, dataset, tmp_path):
    config = verbs.TraverseConfig(model=str(trained.path), values=(-1.0, 0.0, 2.0))
    run = execute("halos-traverse", config, verbs.traverse, out=tmp_path / "run")
    found, table = answered(run), run.load("results.nc")
    assert table["log_density"].shape == (2, 3, 24)
    r = open_dataset(dataset).table["r"].to_numpy()[open_dataset(dataset).rows("training")]
    assert (table["r"][0], table["r"][-1]) == (pytest.approx(r.min(), rel=1e-5), pytest.approx(r.max(), rel=1e-5))
    expected = load_network(trained.path).traverse(1, [-1.0, 0.0, 2.0], table["r"].to_numpy())
    np.testing.assert_array_equal(table["log_density"][1], expected)
    assert found["latents"][1]["largest_change"] == pytest.approx(np.ptp(expected, axis=0).max())
    assert (run.path / "figures" / "traverse.png").exists()


def test_interpret_compares_the_latents_of_all_seeds_with_what_is_known(trained, dataset, tmp_path):
    config = verbs.InterpretConfig(model=str(trained.path), data=str(dataset))
    assert [path.name for path in config.models()] == ["model-1.eqx", "model-2.eqx"]
    run = execute("halos-interpret", config, verbs.interpret, out=tmp_path / "run")
    found, table = answered(run), run.load("results.nc")
    used = sum(one["active"] for one in found["networks"])
    assert used > 0 and len(found["information"]) == len(found["correlation"]) == used
    for one in found["correlation"]:
        known = table.isel(network=one["network"] - 1, latent=one["latent"] - 1)
        assert one["log_mass"] == float(known["correlation"].sel(quantity="log_mass"))
    assert len(found["strongest"]) == 2
    assert (run.path / "figures" / "latents.png").exists()


def test_a_scan_recommends_a_number_with_its_reason(dataset, tmp_path):
    config = verbs.ScanConfig(data=str(dataset), latents=(1, 2), betas=(0.02,), **SMALL)
    assert config.network().latents == 2
    run = execute("halos-scan", config, verbs.scan, out=tmp_path / "run")
    found = answered(run)
    assert [(one["latents"], one["beta"]) for one in found["settings"]] == [(1, 0.02), (2, 0.02)]
    assert found["recommended"] in (1, 2) and "beta" in found["reason"]
    assert len(found["degrees"]) == 13 and found["degrees"][0] > 10
    assert all(len(one["kl"]) == one["latents"] and len(one["active_of_seeds"]) == 2 for one in found["settings"])
    assert (run.path / "figures" / "scan.png").exists() and found["claims"] == []


def test_options_are_those_of_the_network_and_short():
    config = verbs.TrainConfig(data="x")
    assert config.network() == NetworkConfig()
    known = {leaf.key: (leaf.default, leaf.help) for leaf in options(NetworkConfig)}
    ours = {leaf.key: (leaf.default, leaf.help) for leaf in options(verbs.TrainConfig)}
    assert known == {key: ours[key] for key in ours if key != "data"}
    changed = replace(config, latents=3, loss=LossConfig(beta=0.1))
    assert build(verbs.TrainConfig, tomllib.loads(to_toml(changed))) == changed
    assert changed.network() == NetworkConfig(latents=3, loss=LossConfig(beta=0.1))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: verbs.TrainConfig(),
        lambda: verbs.TrainConfig(data="x", latents=0),
        lambda: verbs.ScanConfig(data="x", latents=()),
        lambda: verbs.ScanConfig(data="x", latents=(0, 1)),
        lambda: verbs.ScanConfig(data="x", betas=(-0.1,)),
        lambda: verbs.EncodeConfig(model="x"),
        lambda: verbs.PredictConfig(data="x"),
        lambda: verbs.PredictConfig(model="x", data="x", draws=1),
        lambda: verbs.DecodeConfig(),
        lambda: verbs.DecodeConfig(model="x", r=(0.0,)),
        lambda: verbs.DecodeConfig(model="x", latents=(float("nan"),)),
        lambda: verbs.TraverseConfig(model="x", values=(1.0,)),
        lambda: verbs.TraverseConfig(model="x", r=(float("inf"),)),
        lambda: verbs.InterpretConfig(model="x"),
        lambda: verbs.InterpretConfig(model="x", data="x", seed=-1),
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_what_is_not_there_is_bad_data(dataset, trained, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        execute("halos-encode", verbs.EncodeConfig(model="nothing", data=str(dataset)), verbs.encode, out=tmp_path / "a")
    with pytest.raises(DataError):
        execute("halos-encode", verbs.EncodeConfig(model=str(trained.path), data="nothing"), verbs.encode, out=tmp_path / "b")
    with pytest.raises(DataError, match="no networks"):
        verbs.InterpretConfig(model=str(tmp_path), data=str(dataset)).inputs()


def test_the_command_line_decodes(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["halos", "decode", str(trained.path), "--latents", "-1,0.5", "--r", "30", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert left.value.code == 0 and found["latents"] == [-1.0, 0.5] and found["profile"][0]["r"] == 30.0
    with pytest.raises(SystemExit) as left:
        main(["halos", "traverse", "nowhere"])
    assert left.value.code == 3 and "nowhere" in capsys.readouterr().err


def judged(pair_mi, active):
    """A table of networks whose two most dependent latents share so much."""
    worst = np.full((len(pair_mi), 3, 3), np.nan)
    worst[:, 0, 1] = worst[:, 1, 0] = pair_mi
    return xr.Dataset({"pair_mi": (("network", "latent", "other"), worst), "active": ("network", active)})


@pytest.mark.parametrize(
    ("pair_mi", "word"), [([0.02, 0.05, 0.09, 0.01, 0.3], "holds"), ([0.02, 0.05, 0.2, 0.01, np.inf], "does not hold")]
)
def test_latents_are_independent_where_most_networks_say_so(pair_mi, word):
    (found,) = independence_verdict(judged(pair_mi, [3] * 5), halos=1000, source="mock")
    assert (found.id, found.verdict, found.note) == ("luciesmith2023/model-latents-independent", word, MOCK)
    assert independence_verdict(judged(pair_mi, [3] * 5), halos=1000, source="gadget4")[0].note == ""
    assert independence_verdict(judged(pair_mi, [3] * 5), halos=100, source="mock") == []
    assert independence_verdict(judged(pair_mi, [3, 3, 1, 3, 3]), halos=1000, source="mock") == []


@pytest.mark.parametrize(("number", "word"), [(3, "holds"), (2, "does not hold")])
def test_three_latents_are_what_the_letter_has_for_the_outskirts(number, word):
    known = {"halos": 1000, "members": 5, "source": "mock"}
    (found,) = count_verdict(number, "because.", kind="infall", **known)
    assert (found.id, found.verdict, found.note) == ("luciesmith2023/intro-three-latents", word, MOCK)
    assert "because." in found.our_value
    assert count_verdict(number, "because.", kind="virial", **known) == []
    assert count_verdict(number, "because.", kind="infall", **known | {"members": 2}) == []
