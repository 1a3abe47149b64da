"""The verb that makes the mock universe."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.halos import open_dataset, read_snapshot
from triptych.halos.dataset_commands import BoxConfig, CutsConfig
from triptych.halos.mock_commands import GadgetConfig, MockConfig, mock
from triptych.runs import execute
from triptych.runs.config import build, to_dict, to_toml

SMALL = {"training": 7, "validation": 2, "test": 3, "box": BoxConfig(n=4, levels=2, scheme="ngp")}


def test_the_summary_says_what_is_in_the_data_set(tmp_path):
    run = execute("halos-mock", MockConfig(**SMALL, seed=3), mock, out=tmp_path / "run")
    found = json.loads(json.dumps(run.summary, allow_nan=False))
    assert (found["source"], found["kind"], found["halos"], found["redshift"]) == ("mock", "infall", 12, 0.0)
    assert found["splits"] == {"training": 7, "validation": 2, "test": 3}
    assert [(one["name"], one["splits"], one["halos"]) for one in found["simulations"]] == [
        ("mock1", "training", 2),
        ("mock2", "training", 2),
        ("mock3", "training", 3),
        ("mock4", "validation", 2),
        ("mock5", "test", 3),
    ]
    assert found["boxes"]["sides"] == [600.0, 150.0] and found["boxes"]["n"] == 4
    assert found["cuts"]["largest_radius"] == 150.0
    assert found["units"] == {"mass": "Msun/h", "length": "comoving kpc/h", "boxes": "log10(1 + rho/rho_m)"}
    data = open_dataset(run.path)
    assert found["digest"] == data.digest and found["dataset"] == str(data.path)
    assert data.table["log_density"].shape == (12, 13)
    assert (data.table["truth/radius"] <= 150.0 + 1e-6).all()


def test_kinds_have_their_own_boxes_and_shells():
    virial, infall = (MockConfig(kind=kind).recipe() for kind in ("virial", "infall"))
    assert (virial.bins, virial.outer, virial.box.sides) == (16, 1.0, (400.0, 100.0))
    assert (infall.bins, infall.outer, infall.box.sides) == (13, 2.0, (600.0, 150.0))
    assert (virial.cuts.largest_radius, infall.cuts.largest_radius) == (None, 150.0)


def test_a_split_without_halos_has_no_box():
    boxes = MockConfig(training=1, validation=0, test=4).realisations()
    assert [(one.split, one.halos) for one in boxes] == [("training", 1), ("test", 4)]
    assert len({one.seed for one in boxes}) == 2


def test_the_configuration_survives_toml():
    config = MockConfig(**SMALL, kind="virial", gadget=GadgetConfig(halos=3, side=20), cuts=CutsConfig(lowest=11.5))
    assert build(MockConfig, tomllib.loads(to_toml(config))) == config
    assert build(MockConfig, to_dict(MockConfig())) == MockConfig()


def test_a_simulation_of_a_given_size(tmp_path):
    gadget = GadgetConfig(halos=2, side=40, outputs=1)
    run = execute("halos-mock", MockConfig(gadget=gadget), mock, out=tmp_path / "run")
    assert {key: run.summary[key] for key in ("halos", "particles", "outputs")} == {"halos": 2, "particles": 40**3, "outputs": 1}
    snapshot = read_snapshot(run.summary["simulation"])
    assert len(snapshot.positions) == 40**3
    assert snapshot.box_size == pytest.approx(50_000.0 / 512 * 40, rel=1e-9)  # the Letter's resolution
    assert np.isclose(snapshot.redshift, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MockConfig(training=-1),
        lambda: MockConfig(training=0, validation=0, test=0),
        lambda: MockConfig(seed=-1),
        lambda: MockConfig(cuts=CutsConfig(lowest=13.0, highest=11.0)),
        lambda: MockConfig(box=BoxConfig(n=0)),
        lambda: GadgetConfig(halos=-1),
        lambda: GadgetConfig(side=0),
        lambda: GadgetConfig(outputs=0),
        lambda: GadgetConfig(files=0),
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_universes_of_different_seeds_share_no_box():
    seeds = [box.seed for seed in range(20) for box in MockConfig(seed=seed).realisations()]
    assert len(set(seeds)) == len(seeds) == 100
