"""The verbs: keys of the contract, every option, resume, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import sinter

from triptych.errors import ConfigError
from triptych.qec import Architecture, Noise, commands, describe, simulate, steane
from triptych.qec.architecture import ESHE
from triptych.qec.criteria import paper22
from triptych.qec.describe import noise_classes
from triptych.qec.montecarlo import Counts, geometric
from triptych.qec.settings import BLOCKS, DescribeConfig, NoiseConfig, ProgramConfig, RunConfig
from triptych.runs import Run, execute, load, stream, to_toml
from triptych.runs.identity import digest_files

KEYS = {"crash_rate", "lower", "upper", "acceptance", "engine", "states_peak", "logical_qubits", "physical_qubits", "seconds"}
KEYS |= {"criterion", "reason", "reduction", "stopped", "event_threshold", "merge_threshold", "success", "cost"}
MANY = {"event_threshold": 1e-6, "merge_threshold": 1e-9}
"""Thresholds at which a bit-flip recovery at p = 1e-3 takes milliseconds."""


def small(**options: object) -> RunConfig:
    named = {key.replace("__", "."): str(value) for key, value in options.items()}
    return load(RunConfig, None, {"program.kind": "bit_flip_recovery", "program.preparation": "8+1"} | named)


def answer(folder: Path, **options: object) -> dict[str, object]:
    return execute("qec-run", small(**options), commands.run, out=folder).summary


def test_the_tree_answers_with_the_keys_of_the_contract(tmp_path: Path) -> None:
    config = small(engine__event_threshold=1e-6, engine__merge_threshold=1e-9)
    run = execute("qec-run", config, commands.run, out=tmp_path / "run")
    summary = run.summary
    assert set(summary) == KEYS and summary["engine"] == "tree" and json.dumps(summary, allow_nan=False)
    direct = simulate(steane.bit_flip_recovery(Noise.uniform(1e-3), preparation="8+1"), **MANY)  # type: ignore[arg-type]
    assert summary["crash_rate"] == direct.crash_rate.value and summary["upper"] == direct.crash_rate.upper
    assert summary["success"] == direct.success and summary["acceptance"] == direct.acceptance.value
    assert (summary["event_threshold"], summary["merge_threshold"]) == (1e-6, 1e-9)
    assert (summary["reduction"], summary["stopped"], summary["criterion"]) == ("observed", "", "css")
    assert (summary["logical_qubits"], summary["physical_qubits"]) == (1, 7 + 3 * 8)
    saved = run.load("results.nc")
    assert saved is not None and saved["crash_rate"].item() == summary["crash_rate"]


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({"engine__relative_width": 0.02}, {"relative_width": 0.02}),
        ({"engine__name": "reference"}, {"engine": "reference", "merge": "preservation"}),
        ({"engine__name": "reference", "engine__merge": "lossy"}, {"engine": "reference", "merge": "lossy"}),
        ({"engine__merge": "preservation"}, {"merge": "preservation"}),
        ({"engine__reduction": "none"}, {"reduction": "none"}),
        ({"engine__max_faults": 1}, {"max_faults": 1}),
        ({"engine__max_memory_gb": 0.001}, {"max_memory_gb": 0.001}),
        ({"program__criterion": "readout"}, {"criterion": "readout"}),
    ],
)
def test_every_engine_option_reaches_the_engine(tmp_path: Path, options: dict[str, object], arguments: dict[str, object]) -> None:
    """Each of these changes the answer, to that of the same words in Python."""
    if "engine__relative_width" not in options:
        options = {f"engine__{name}": value for name, value in MANY.items()} | options
        arguments = MANY | arguments
    found = answer(tmp_path / "run", **options)
    program = steane.bit_flip_recovery(Noise.uniform(1e-3), preparation="8+1")
    same = simulate(program, **arguments)  # type: ignore[arg-type]
    rate = same.crash_rate
    assert (found["crash_rate"], found["lower"], found["upper"]) == (rate.value, rate.lower, rate.upper)
    assert (found["engine"], found["reduction"], found["stopped"]) == (same.engine, same.reduction, same.stopped)
    plain = simulate(program, **MANY)  # type: ignore[arg-type]
    assert found["upper"] != plain.crash_rate.upper


@pytest.mark.parametrize("engine", ["tree", "montecarlo"])
def test_at_any_time_counts_what_is_lost_between(tmp_path: Path, engine: str) -> None:
    """In a tree of three the first block is recovered twice: what the second recovery cures has crashed all the same."""
    asked = {"program.kind": "tree", "program.logical_qubits": "3", "program.criterion": "readout", "noise.p": "1e-2"}
    asked |= {"engine.name": engine, "engine.shots": "20000"}
    if engine == "tree":
        asked |= {"engine.relative_width": "0.01"}
    found = {
        any_time: execute(
            "qec-run", load(RunConfig, None, asked | {"program.at_any_time": any_time}), commands.run, out=tmp_path / any_time
        ).summary
        for any_time in ("false", "true")
    }
    assert found["true"]["crash_rate"] > found["false"]["crash_rate"]


@pytest.mark.parametrize("kind", steane.PROGRAMS)
def test_every_kind_of_program(kind: str) -> None:
    options = {"preparation": "8+1", "extractions": 2, "supply": 2, "otherwise": "skip"}
    size = 3 if kind in ("tree", "ring") else 2
    built = ProgramConfig(kind=kind, logical_qubits=size, **options).build(Noise.eshe())  # type: ignore[arg-type]
    named = {"logical_qubits": 3} if size == 3 else {}
    assert built == steane.PROGRAMS[kind](Noise.eshe(), **options, **named)
    assert len(built.blocks) == BLOCKS.get(kind, 3)
    assert ProgramConfig(kind=kind, logical_qubits=len(built.blocks)).kind == kind  # type: ignore[arg-type]


def test_presets_and_overrides() -> None:
    assert NoiseConfig(preset="eshe").noise() == Noise.eshe()
    assert NoiseConfig(preset="eshe_rates").noise() == Noise.eshe_rates()
    assert NoiseConfig(p=0.02).noise() == Noise.uniform(0.02)
    assert NoiseConfig(preset="biased", p=0.02, bias=10.0).noise() == Noise.biased(0.02, bias=10.0)
    mixing = NoiseConfig(preset="eshe", decay="mixing").noise()
    assert mixing == Noise.of(Architecture.eshe(), decay="mixing") != Noise.eshe()
    changed = load(NoiseConfig, None, {"overrides": "check/measurement=1e-2, data/two_qubit=0"}).noise()
    assert changed == Noise.uniform(1e-3).override({"check/measurement": 1e-2, "data/two_qubit": 0.0})


def test_a_machine_of_ones_own_is_an_input(tmp_path: Path) -> None:
    machine = tmp_path / "machine.toml"
    machine.write_text(ESHE.read_text().replace("two_qubit_error = 1e-4", "two_qubit_error = 2e-3"))
    config = small(noise__file=machine, engine__relative_width=0.1)
    assert config.noise.noise().two_qubit == 2e-3
    run = execute("qec-run", config, commands.run, out=tmp_path / "run")
    assert run.manifest["inputs"] == digest_files([machine])
    assert load(RunConfig, run.path / "config.toml") == config and to_toml(config) == (run.path / "config.toml").read_text()
    machine.write_text(ESHE.read_text())
    with pytest.raises(ConfigError, match="another run"):
        execute("qec-run", config, commands.run, out=tmp_path / "run")


def test_describe_counts_the_program(tmp_path: Path) -> None:
    asked = {"program.kind": "tree", "program.logical_qubits": "10", "noise.preset": "eshe"}
    summary = execute("qec-describe", load(DescribeConfig, None, asked), commands.describe, out=tmp_path / "run").summary
    assert (summary["physical_qubits"], summary["cycles"], summary["logical_qubits"]) == (1150, 34, 10)  # Sec. IV.C
    build = steane.tree_program
    direct = describe(build(Noise.eshe(), logical_qubits=10)).to_json()
    assert {key: summary[key] for key in direct} == json.loads(json.dumps(direct))
    assert summary["noise_classes"] == noise_classes(lambda noise: build(noise, logical_qubits=10), Noise.eshe())
    assert sum(summary["noise_classes"].values()) == sum(row["count"] for row in summary["noise"])
    assert summary["nonfailing_states"] == {"css": 64, "paper22": 22, "strict": 22, "readout": 128}  # Sec. IV.D


def test_an_interrupted_monte_carlo_goes_on_with_the_same_shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(engine__name="montecarlo", engine__shots=230, noise__p=0.02)
    monkeypatch.setattr(commands, "BATCH", 50)
    monkeypatch.setattr(commands, "ROUND", 0.0)
    whole = execute("qec-run", config, commands.run, out=tmp_path / "whole").summary
    assert set(whole) == KEYS | {"error"} and whole["cost"]["shots"] == 230
    assert (whole["event_threshold"], whole["states_peak"], whole["reduction"]) == (None, 0, "none")

    drawn: list[int] = []

    def stops(batch: commands.Batch) -> dict[str, object]:
        if len(drawn) == 3:
            raise KeyboardInterrupt
        drawn.append(batch.index)
        return commands_draw(batch)

    commands_draw = commands.draw
    monkeypatch.setattr(commands, "draw", stops)
    with pytest.raises(KeyboardInterrupt):
        execute("qec-run", config, commands.run, out=tmp_path / "broken")
    monkeypatch.setattr(commands, "draw", commands_draw)
    resumed = execute("qec-run", config, commands.run, out=tmp_path / "broken")
    assert [record["batch"] for record in resumed.history()] == [0, 1, 2, 3, 4]
    (task,) = sinter.read_stats_from_csv_files(tmp_path / "broken" / "sinter.csv")
    assert (task.shots, task.errors) == (230, round(230 * whole["crash_rate"]))
    assert task.json_metadata["noise"]["p"] == 0.02
    timeless = {"seconds", "cost"}
    assert {k: v for k, v in resumed.summary.items() if k not in timeless} == {
        k: v for k, v in whole.items() if k not in timeless
    }


def test_the_batches_are_independent_and_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "BATCH", 20_000)
    config = small(engine__name="montecarlo", engine__shots=50_000, noise__p=0.02)
    run = execute("qec-run", config, commands.run, out=tmp_path / "run")
    records = run.history()
    assert [record["shots"] for record in records] == [20_000, 20_000, 10_000]
    assert records[0]["crashes"] != records[1]["crashes"]
    total = Counts(*(sum(record[name] for record in records) for name in Counts._fields))
    assert run.summary["crash_rate"] == total.crashes / 50_000
    assert run.summary["acceptance"] == pytest.approx(total.accepted / total.prepared)
    tree = simulate(steane.bit_flip_recovery(Noise.uniform(0.02), preparation="8+1"))
    assert abs(run.summary["crash_rate"] - tree.crash_rate.value) < 4 * run.summary["error"]


def test_the_price_of_batches_is_wall_clock_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(engine__name="montecarlo", engine__shots=330, noise__p=0.02)
    monkeypatch.setattr(commands, "BATCH", 50)
    monkeypatch.setattr(commands, "ROUND", 20.0)
    clock = [0.0]
    monkeypatch.setattr(commands, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    rounds: list[int] = []
    by_itself = Run.map

    def round_of_ten_seconds(self: Run, function: object, tasks: list[object], **options: object) -> list[object]:
        clock[0] += 10.0
        if clock[0] == 20.0:
            raise KeyboardInterrupt
        rounds.append(len(tasks))
        return by_itself(self, function, tasks, **options)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(Run, "map", round_of_ten_seconds)
    with pytest.raises(KeyboardInterrupt):
        execute("qec-run", config, commands.run, out=tmp_path / "run")
    summary = execute("qec-run", config, commands.run, out=tmp_path / "run").summary
    # Seven batches: one, an interrupt, one, then as many as take 20 seconds, and twice as many again since these took 10.
    assert rounds == [1, 1, 2, 3]
    assert summary["seconds"] == summary["cost"]["seconds"] == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"noise.p": "1.5"}, "probability"),
        ({"noise.preset": "eshe-rates"}, "eshe_rates"),
        ({"noise.bias": "10"}, "biased"),
        ({"noise.preset": "biased"}, "bias"),
        ({"noise.preset": "biased", "noise.bias": "10", "noise.file": str(ESHE)}, "biased"),
        ({"noise.preset": "biased", "noise.bias": "-1"}, "bias"),
        ({"noise.file": "nowhere.toml"}, "nowhere.toml"),
        ({"noise.decay": "linear"}, "decay"),
        ({"noise.overrides": "check/measurement"}, "place/class=rate"),
        ({"noise.overrides": "chek/measurement=0.1"}, "did you mean 'check/measurement'"),
        ({"noise.overrides": "check/measurement=2"}, "probability"),
        ({"program.kind": "three_qubit"}, "did you mean 'two_qubit'"),
        ({"program.kind": "recovery", "program.logical_qubits": "3"}, "recovery has 1 logical"),
        ({"program.kind": "two_qubit", "program.logical_qubits": "1"}, "two_qubit has 2 logical"),
        ({"program.kind": "ring", "program.logical_qubits": "1"}, "two blocks"),
        ({"program.code": "golay"}, "program.code"),
        ({"program.extractions": "0"}, "syndromes"),
        ({"program.supply": "0"}, "supply"),
        ({"program.otherwise": "use"}, "supply"),
        ({"program.criterion": "CSS"}, "program.criterion"),
        ({"program.at_any_time": "sometimes"}, "at_any_time"),
        ({"engine.shots": "0"}, "shots"),
        ({"engine.event_threshold": "-1"}, "event_threshold"),
        ({"engine.merge_threshold": "1"}, "merge_threshold"),
        ({"engine.max_faults": "16"}, "max_faults"),
        ({"engine.max_memory_gb": "0"}, "memory"),
        ({"engine.relative_width": "0"}, "relative_width"),
        ({"engine.relative_width": "0.1", "engine.merge_threshold": "0"}, "relative_width"),
        ({"engine.name": "reference", "engine.merge": "bounded"}, "reference"),
        ({"engine.name": "reference", "engine.relative_width": "0.1"}, "reference"),
        ({"engine.name": "reference", "engine.max_faults": "2"}, "reference"),
        ({"engine.name": "montecarlo", "engine.max_faults": "2"}, "montecarlo"),
        ({"engine.name": "montecarlo", "engine.relative_width": "0.1"}, "montecarlo"),
        ({"engine.name": "montecarlo", "engine.event_threshold": "0"}, "montecarlo has no thresholds"),
        ({"engine.name": "pauli"}, "engine.name"),
        ({"engine.reduction": "some"}, "reduction"),
        ({"engine.resolution": "1e-4"}, "resolution"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(RunConfig, None, options)


def test_a_batch_has_a_stream_of_its_own() -> None:
    program = steane.recovery(Noise.uniform(1e-2))
    batch = commands.Batch(program=program, criterion="paper22", code="steane", at_any_time=False, seed=5, index=3, shots=2_000)
    direct = geometric.sample(program, paper22, shots=2_000, rng=stream(5, "montecarlo", 3))
    assert commands.draw(batch) == {"batch": 3, **direct._asdict()}
