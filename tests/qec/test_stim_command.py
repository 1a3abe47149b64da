"""The verb: keys of the contract, every option, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stim

from triptych.errors import ConfigError
from triptych.qec.detectors import logical_error_rates
from triptych.qec.stim_command import StimConfig
from triptych.qec.stim_command import stim as work
from triptych.runs import Run, execute, load

CIRCUIT = stim.Circuit.generated(
    "repetition_code:memory", distance=3, rounds=3, before_round_data_depolarization=0.02, before_measure_flip_probability=0.01
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    CIRCUIT.to_file(tmp_path / "memory.stim")
    return tmp_path / "memory.stim"


def answer(file: Path, **options: object) -> Run:
    config = load(StimConfig, None, {"path": str(file)} | {key: str(value) for key, value in options.items()})
    return execute("qec-stim", config, work, out=file.parent / "run")


def test_the_keys_of_the_contract(file: Path) -> None:
    run = answer(file)
    summary, direct = run.summary, logical_error_rates(CIRCUIT)
    rate = direct.observables[0]
    assert summary["observables"] == [{"rate": rate.value, "lower": rate.lower, "upper": rate.upper}] == [summary["any"]]
    assert (summary["engine"], summary["decoder"], summary["detectors"]) == ("transform", "maximum_likelihood", 8)
    assert json.dumps(summary, allow_nan=False)
    saved = run.load("results.nc")
    assert saved is not None and saved["rate"].values.tolist() == [rate.value]


@pytest.mark.parametrize(
    "options",
    [
        {"decoder": "pymatching"},
        {"engine": "tree"},
        {"event_threshold": 1e-5},
        {"decoder": "pymatching", "relative_width": 0.1},
        {"max_memory_gb": 0.002},
    ],
)
def test_options_reach_the_engines(file: Path, options: dict[str, object]) -> None:
    summary = answer(file, **options).summary
    direct = logical_error_rates(CIRCUIT, **options)  # type: ignore[arg-type]
    assert (summary["any"]["rate"], summary["any"]["upper"]) == (direct.any.value, direct.any.upper)
    assert (summary["engine"], summary["event_threshold"]) == (direct.engine, direct.event_threshold)
    assert summary["stopped"] == direct.stopped


def test_a_detector_error_model(file: Path) -> None:
    model = CIRCUIT.detector_error_model()
    model.to_file(file.with_suffix(".dem"))
    assert answer(file.with_suffix(".dem")).summary["any"]["rate"] == logical_error_rates(model).any.value


def test_what_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        StimConfig(path="nowhere.stim")
    for name in ("relative_width", "max_memory_gb"):
        with pytest.raises(ConfigError, match=name):
            StimConfig(path=str(file), **{name: 0.0})
    with pytest.raises(ConfigError, match="event_threshold"):
        StimConfig(path=str(file), event_threshold=1.0)
