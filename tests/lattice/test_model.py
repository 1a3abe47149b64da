"""Models in files: the same bits back, and refusals that name the cause."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from triptych.errors import ConfigError, DataError
from triptych.lattice import model as files
from triptych.lattice.model import LayersConfig
from triptych.learning import models

SHAPE = (2, 3)
TRAINING = {"steps": 30, "seconds": 1.5, "force_evaluations": 1000, "config": {"couplings": [2.0]}}


def built(config, shape=SHAPE):
    """A model of random numbers."""
    empty = eqx.filter_eval_shape(lambda key: config.build(shape, key=key), jax.random.key(0))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape).astype(leaf.dtype)), empty)


@pytest.fixture(scope="module")
def bias():
    config = LayersConfig(number=2)
    return built(config), config


def saved(path, model, config, beta=2.0):
    files.save(path, model, config, beta=beta, shape=SHAPE, training=TRAINING)
    return path


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "single", "shared": True, "heat": 0.0},
        {"network": "dense", "width": 3, "depth": 2, "activation": "relu"},
    ],
)
def test_round_trip_is_bitwise(tmp_path, settings):
    config = LayersConfig(number=2, step_size=0.13, **settings)
    model = built(config)
    back = files.load(saved(tmp_path / "any.eqx", model, config), 2.0, SHAPE)
    assert jax.tree.structure(back) == jax.tree.structure(model)
    for ours, theirs in zip(jax.tree.leaves(back), jax.tree.leaves(model), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert back.settings() == model.settings()


def test_a_file_runs_at_any_coupling_and_a_run_has_one_for_each(tmp_path, bias):
    for beta in (2.0, 2.5):
        saved(tmp_path / files.name_of(beta), *bias, beta=beta)
    assert files.find(tmp_path, 2.5).name == "model-beta-2.5.eqx" and files.name_of(7.0) == "model-beta-7.eqx"
    digest = bias[0].settings()["digest"]
    assert files.load(tmp_path, 2.0, SHAPE).settings()["digest"] == digest
    assert files.load(tmp_path / "model-beta-2.eqx", 6.0, SHAPE).settings()["digest"] == digest
    with pytest.raises(DataError, match=r"model-beta-2\.5") as refused:
        files.load(tmp_path, 3.0, SHAPE)
    assert "model-beta-3.eqx" in str(refused.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no models"):
        files.load(tmp_path / "empty", 2.0, SHAPE)


def test_training_price(tmp_path, bias):
    path = saved(tmp_path / "model-beta-2.eqx", *bias)
    for where in (path, tmp_path):
        assert files.training_price(where, 2.0) == {"training_seconds": 1.5, "training_force_evaluations": 1000}


def test_another_lattice_is_refused(tmp_path, bias):
    path = saved(tmp_path / "one.eqx", *bias)
    with pytest.raises(DataError, match="2,3") as refused:
        files.load(path, 2.0, (3, 2))
    assert "3,2" in str(refused.value)


def test_other_files_are_refused(tmp_path, bias):
    with pytest.raises(DataError, match=r"none\.eqx"):
        files.load(tmp_path / "none.eqx", 2.0, SHAPE)
    path = saved(tmp_path / "one.eqx", *bias)
    whole = path.read_bytes()
    for number in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:number] + bytes([whole[number] ^ 1]) + whole[number + 1 :])
        with pytest.raises(DataError, match="damaged"):
            files.load(path, 2.0, SHAPE)
    path.write_bytes(whole[:-10])
    with pytest.raises(DataError, match="damaged"):
        files.load(path, 2.0, SHAPE)
    models.save(path, {"slope": np.ones(3)}, {"kind": "line"})
    with pytest.raises(DataError, match="line"):
        files.load(path, 2.0, SHAPE)


@pytest.mark.parametrize(
    "bad",
    [{"number": 0}, {"width": 0}, {"depth": 0}, {"step_size": 0.0}, {"step_size": float("inf")}, {"heat": float("nan")}],
)
def test_refusals(bad):
    ((name, value),) = bad.items()
    with pytest.raises(ConfigError, match=name) as refused:
        LayersConfig(**bad)
    assert str(value) in str(refused.value)
