"""The grid against single simulations; what the file, the summary and the figure hold; resume; refusals."""

from __future__ import annotations

import json
import pickle
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from triptych.errors import ConfigError
from triptych.qec import Noise, commands, pseudothreshold, simulate, steane, sweep
from triptych.qec.sweep import SweepConfig
from triptych.runs import Run, execute, load, to_toml

SMALL = {
    "program.kind": "bit_flip_recovery",
    "program.criterion": "readout",
    "engine.name": "tree",
    "engine.relative_width": "0.01",
    "axes.p": "1e-3,1e-2,3e-2",
}
BOTH = {"axes.preparations": "9+3,8+1", "axes.extractions": "1,3"}
LINES = list(product(("9+3", "8+1"), (1, 3)))


def asked(**more: str) -> SweepConfig:
    return load(SweepConfig, None, SMALL | {key.replace("__", "."): value for key, value in more.items()})


def answer(folder: Path, **more: str) -> Run:
    return execute("qec-sweep", asked(**more), sweep.sweep, out=folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = load(SweepConfig, None, SMALL | BOTH)
    return execute("qec-sweep", config, sweep.sweep, out=tmp_path_factory.mktemp("sweep") / "run")


@pytest.fixture(scope="module")
def data(run: Run) -> xr.Dataset:
    found = run.load("results.nc")
    assert found is not None
    return found


def build(line: tuple[str, int], p: float) -> Any:
    return steane.bit_flip_recovery(Noise.uniform(p), preparation=line[0], extractions=line[1])


@pytest.mark.parametrize("line", LINES)
def test_each_point_is_what_simulate_says(data: xr.Dataset, line: tuple[str, int]) -> None:
    for p in (1e-3, 1e-2, 3e-2):
        point = data.sel(preparation=line[0], extractions=line[1], p=p)
        direct = simulate(build(line, p), criterion="readout", engine="tree", relative_width=0.01).crash_rate
        assert [point[name].item() for name in ("lower", "crash_rate", "upper")] == [direct.lower, direct.value, direct.upper]


@pytest.mark.parametrize("line", LINES)
def test_each_pseudothreshold_is_within_the_grid_cell_that_it_crosses(data: xr.Dataset, line: tuple[str, int]) -> None:
    one = data.sel(preparation=line[0], extractions=line[1])
    direct = pseudothreshold(lambda p: build(line, p), criterion="readout", engine="tree", lower=1e-2, upper=3e-2)
    found = [one[name].item() for name in ("pseudothreshold_lower", "pseudothreshold", "pseudothreshold_upper")]
    assert found == [direct.lower, direct.value, direct.upper] and 1e-2 < found[0] < found[2] < 1.01001 * found[0]


def test_more_noise_more_crashes(data: xr.Dataset) -> None:
    assert data["crash_rate"].dims == ("preparation", "extractions", "p") and data["crash_rate"].shape == (2, 2, 3)
    assert (data["upper"].values[..., :-1] < data["lower"].values[..., 1:]).all()


def test_the_summary_says_what_the_file_holds(run: Run, data: xr.Dataset) -> None:
    assert json.dumps(run.summary, allow_nan=False)
    assert (run.summary["program"], run.summary["criterion"]) == ("bit_flip_recovery", "readout")
    assert len(run.summary["points"]) == data["crash_rate"].size and len(run.summary["pseudothresholds"]) == 4
    for point in run.summary["points"]:
        place = {name: point[name] for name in ("preparation", "extractions", "p")}
        assert data.sel(place)["upper"].item() == point["upper"]
    for one in run.summary["pseudothresholds"]:
        place = {name: one[name] for name in ("preparation", "extractions")}
        assert data.sel(place)["pseudothreshold"].item() == one["value"]
    assert (run.path / "figures" / "sweep.png").stat().st_size > 10_000


def test_a_line_that_does_not_cross_has_no_pseudothreshold(tmp_path: Path) -> None:
    """Up to p = 1e-2 encoding pays; then nothing is sought."""
    run = answer(tmp_path / "below", axes__p="1e-3,1e-2")
    data = run.load("results.nc")
    assert run.summary["pseudothresholds"] == [] and data is not None and np.isnan(data["pseudothreshold"].item())
    assert answer(tmp_path / "none", pseudothreshold="0").summary["pseudothresholds"] == []


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answer(tmp_path / "whole").load("results.nc")
    solved: list[float] = []

    def counted(program: Any, **options: Any) -> Any:
        if len(solved) == 2:
            raise KeyboardInterrupt
        solved.append(program.strongest_rate)
        return simulate(program, **options)

    monkeypatch.setattr(commands, "simulate", counted)
    with pytest.raises(KeyboardInterrupt):
        answer(tmp_path / "cut")
    assert solved == [1e-3, 1e-2]
    solved.append(0.0)
    resumed = answer(tmp_path / "cut").load("results.nc")
    assert solved == [1e-3, 1e-2, 0.0, 3e-2], "the points that were done are not solved again"
    assert whole is not None and resumed is not None
    assert resumed.drop_vars("seconds").equals(whole.drop_vars("seconds"))


def test_shots_are_drawn_afresh_at_every_point(tmp_path: Path) -> None:
    """The rates agree with the tree's within four standard deviations, and the points are independent."""
    options = {"engine.name": "montecarlo", "engine.shots": "20000", "pseudothreshold": "0"}
    config = load(SweepConfig, None, {key: value for key, value in SMALL.items() if key != "engine.relative_width"} | options)
    run = execute("qec-sweep", config, sweep.sweep, out=tmp_path / "run")
    for point in run.summary["points"]:
        truth = simulate(build(("9+3", 3), point["p"]), criterion="readout").crash_rate.value
        assert abs(point["crash_rate"] - truth) < 4 * (truth / 20000) ** 0.5 and point["error"] > 0
    assert len({point.seed for point in config.points()}) == 3


def test_tasks_travel_to_other_processes(tmp_path: Path) -> None:
    config = asked()
    for task in (partial(sweep.solve, tmp_path), config.points()[0]):
        copied = pickle.loads(pickle.dumps(task))
        assert repr(copied) == repr(task)


def test_the_axes_take_the_place_of_single_values() -> None:
    config = asked(axes__preparations="8+1", axes__extractions="1,2", program__supply="2")
    assert config.lines() == [("8+1", 1), ("8+1", 2)] and asked().lines() == [("9+3", 3)]
    assert [(point.noise.p, point.program.preparation, point.program.extractions) for point in config.points()] == [
        (p, "8+1", extractions) for extractions in (1, 2) for p in (1e-3, 1e-2, 3e-2)
    ]
    assert all(point.program.supply == 2 and point.engine == config.engine for point in config.points())


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = load(SweepConfig, None, SMALL | BOTH)
    (tmp_path / "sweep.toml").write_text(to_toml(config))
    assert load(SweepConfig, tmp_path / "sweep.toml") == config


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"axes.p": "1e-3"}, "axes.p"),
        ({"axes.p": "1e-2,1e-3"}, "smallest first"),
        ({"axes.p": "0,1e-3"}, "axes.p"),
        ({"axes.p": "0.5,1.5"}, "axes.p"),
        ({"axes.preparations": "9+3,9+3"}, "axes.preparations"),
        ({"axes.preparations": "7+7"}, "no such choice"),
        ({"axes.extractions": "1,1"}, "axes.extractions"),
        ({"axes.extractions": "0"}, "needs syndromes"),
        ({"noise.preset": "eshe"}, "no error rate p"),
        ({"pseudothreshold": "-1"}, "pseudothreshold is no width"),
        ({"engine.name": "reference"}, "does not certify"),
        ({"engine.event_threshold": "1e-6"}, "does not certify"),
    ],
)
def test_refusals(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(SweepConfig, None, wrong)
