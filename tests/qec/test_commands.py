"""The verb: keys of the contract, resume, refusals, and the tour on a small scale."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Noise, check, commands, simulate, steane, tour
from triptych.runs import Run, execute, load

KEYS = {"crash_rate", "lower", "upper", "acceptance", "engine", "states_peak", "logical_qubits", "physical_qubits", "seconds"}


def small(**options: str) -> commands.RunConfig:
    named = {key.replace("__", "."): value for key, value in options.items()}
    return load(commands.RunConfig, None, {"program.kind": "bit_flip_recovery", "program.preparation": "8+1"} | named)


def test_the_tree_answers_with_the_keys_of_the_contract(tmp_path: Path) -> None:
    config = small(engine__event_threshold="1e-6", engine__merge_threshold="1e-9")
    run = execute("qec-run", config, commands.run, out=tmp_path / "run")
    summary = run.summary
    assert set(summary) >= KEYS and summary["engine"] == "reference" and "error" not in summary
    direct = simulate(
        steane.bit_flip_recovery(Noise.uniform(1e-3), preparation="8+1"), event_threshold=1e-6, merge_threshold=1e-9
    )
    assert summary["crash_rate"] == direct.crash_rate.value and summary["upper"] == direct.crash_rate.upper
    assert (summary["logical_qubits"], summary["physical_qubits"]) == (1, 7 + 3 * 8)
    saved = run.load("results.nc")
    assert saved is not None and saved["crash_rate"].item() == summary["crash_rate"]


def test_thresholds_follow_the_noise_unless_they_are_given() -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-3), preparation="8+1")
    assert program.strongest_rate == 1e-3
    given = simulate(program, event_threshold=1e-3 * 1e-3, merge_threshold=1e-3 * 1e-3 * 1e-3)
    assert simulate(program, resolution=1e-3).crash_rate == given.crash_rate
    coarser = simulate(program, resolution=1e-3, merge_threshold=1e-7).crash_rate
    assert coarser.lower < given.crash_rate.lower < given.crash_rate.upper < coarser.upper


def test_table_1_is_a_preset() -> None:
    assert commands.NoiseConfig(preset="eshe_rates").noise() == Noise.eshe_rates()


def test_an_interrupted_monte_carlo_goes_on_with_the_same_shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(engine__name="montecarlo", engine__shots="230", noise__p="0.02")
    monkeypatch.setattr(commands, "BATCH", 50)
    monkeypatch.setattr(commands, "BATCHES_PER_WORKER", 2)
    whole = execute("qec-run", config, commands.run, out=tmp_path / "whole").summary
    assert set(whole) >= KEYS | {"error"} and whole["cost"]["shots"] == 230

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
    timeless = {"seconds", "cost"}
    assert {k: v for k, v in resumed.summary.items() if k not in timeless} == {
        k: v for k, v in whole.items() if k not in timeless
    }


def test_the_price_of_batches_is_wall_clock_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(engine__name="montecarlo", engine__shots="230", noise__p="0.02")
    monkeypatch.setattr(commands, "BATCH", 50)
    monkeypatch.setattr(commands, "BATCHES_PER_WORKER", 2)
    clock = [0.0]
    monkeypatch.setattr(commands, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    by_itself = Run.map

    def round_of_ten_seconds(self: Run, *arguments: object, **options: object) -> list[object]:
        clock[0] += 10.0
        if clock[0] == 20.0:
            raise KeyboardInterrupt
        return by_itself(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Run, "map", round_of_ten_seconds)
    with pytest.raises(KeyboardInterrupt):
        execute("qec-run", config, commands.run, out=tmp_path / "run")
    summary = execute("qec-run", config, commands.run, out=tmp_path / "run").summary
    # Five batches in rounds of two: one round before the interrupt, two after it.
    assert summary["seconds"] == summary["cost"]["seconds"] == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("noise.p", "1.5", "probability"),
        ("program.extractions", "0", "syndromes"),
        ("engine.shots", "0", "shots"),
        ("engine.event_threshold", "-1", "event_threshold"),
        ("engine.name", "exact", "engine.name"),
        ("program.criterion", "CSS", "program.criterion"),
    ],
)
def test_impossible_options_are_refused(key: str, value: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(commands.RunConfig, None, {key: value})


def test_the_tour_tells_its_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "RATES", (1e-5, 1e-4, 1e-3, 1e-2))
    config = tour.TourConfig(resolution=1e-2, shots=20_000)
    summary = execute("qec-tour", config, tour.tour, out=tmp_path / "tour").summary
    assert (tmp_path / "tour" / "figures" / summary["figure"]).stat().st_size > 10_000
    assert len(summary["comparisons"]) == 3 and json.dumps(summary, allow_nan=False)
    acceptance = summary["comparisons"][1]
    assert abs(acceptance["pull"]) < 4
    # Too coarse, and too few shots, to compare crash rates.
    assert [claim["id"].split("-")[0] for claim in summary["claims"]] == ["chi2008/sec2e", "chi2008/sec4d"]


def test_impossible_tours_are_refused() -> None:
    for wrong in ({"resolution": 0.0}, {"shots": 0}):
        with pytest.raises(ConfigError):
            tour.TourConfig(**wrong)  # type: ignore[arg-type]


def test_self_test() -> None:
    ok, sentence = check.check()
    assert ok and f"(exact {check.ACCEPTANCE})" in sentence
    _, exact, _ = oracle.verified(steane.verified_ancilla(Noise.uniform(1e-4)).instructions[0])  # type: ignore[arg-type]
    assert pytest.approx(exact, abs=1e-13) == check.ACCEPTANCE
