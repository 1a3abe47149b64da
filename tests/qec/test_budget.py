"""The error budget against finite differences of brute force, closed formulas, and the enumeration of pairs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Noise, budget, steane
from triptych.qec import program as do
from triptych.qec.budget import Budget
from triptych.qec.budget_command import BudgetConfig, report
from triptych.runs import Run, execute, load


def guarded(gate: float = 0.06, check: float = 0.03, memory: float = 0.02) -> do.Program:
    """A bit repeated on three qubits whose helper is prepared with a check; one look-up correction."""
    body = (
        do.Prepare(qubit=0), do.Prepare(qubit=1),
        do.Depolarize2(first=0, second=1, rate=gate, source="encoder/two_qubit"),
        do.CX(control=0, target=1), do.Measure(qubit=1), do.Flip(bit=1, rate=check, source="check/measurement"),
    )  # fmt: skip
    flips = [do.PauliChannel(qubits=(q,), errors=(("X", memory),), source="idle") for q in range(3)]
    steps = (
        *(do.Prepare(qubit=q) for q in range(3)), *flips,
        do.Verify(body=body, checks=(1,), first=3), do.Prepare(qubit=5),
        do.CX(control=0, target=3), do.CX(control=1, target=3), do.CX(control=1, target=5), do.CX(control=2, target=5),
        do.Depolarize2(first=2, second=5, rate=gate, source="extraction/two_qubit"),
        do.Measure(qubit=3), do.Measure(qubit=5), do.Flip(bit=5, rate=check, source="extraction/measurement"),
        do.Correct(syndromes=((3, 5),), table=((), (0,), (2,), (1,)), pauli="X"), do.Split(qubits=(3, 5)), *flips[:1],
    )  # fmt: skip
    return do.Program(instructions=steps, blocks=((0, 1, 2),))


def majority(x: int, _: int) -> bool:
    return x.bit_count() > 1


def test_derivatives_are_finite_differences_of_brute_force() -> None:
    found = budget(guarded(), criterion=majority)
    assert found.crash_rate == pytest.approx(oracle.crash_rate(guarded(), majority), rel=1e-12)
    rates, step = {"two_qubit": 0.06, "measurement": 0.03, "idle": 0.02}, 1e-4
    names = {"two_qubit": "gate", "measurement": "check", "idle": "memory"}
    slopes = {}
    for name, rate in rates.items():
        up, down = (oracle.crash_rate(guarded(**{names[name]: rate + sign * step}), majority) for sign in (1, -1))
        slopes[name] = (up - down) / (2 * step)
    assert set(found.classes) == set(rates)
    for name, parts in found.classes.items():
        assert sum(part.derivative for part in parts) == pytest.approx(slopes[name], rel=1e-5)
        share = rates[name] * slopes[name] / sum(rates[other] * slopes[other] for other in rates)
        assert sum(part.share for part in parts) == pytest.approx(share, rel=1e-5)
    assert [part.place for part in found.classes["idle"]] == [""]
    assert {part.place for part in found.classes["two_qubit"]} == {"encoder", "extraction"}


def test_orders_are_those_of_brute_force() -> None:
    scales = np.array([1.0, 2.0, 3.0, 4.0, 5.0]) / 100
    rates = [oracle.crash_rate(guarded(0.06 * s, 0.03 * s, 0.02 * s), majority) for s in scales]
    fitted = np.linalg.solve(scales[:, None] ** np.arange(1, 6), rates)
    found = budget(guarded(), criterion=majority, orders=3)
    assert found.orders == pytest.approx(fitted[:3], rel=2e-3, abs=1e-8)
    assert found.pairs is not None
    assert found.orders[:2] == pytest.approx((found.pairs.first_order, found.pairs.second_order), rel=1e-12)


def test_one_source_of_two_strengths() -> None:
    """Two flips of a bit, r and t: P = r + t - 2 r t; moved together, dP = 2 (1 - r - t)."""
    steps = (do.Prepare(qubit=0), do.Measure(qubit=0), do.Flip(bit=0, rate=0.1, source="a"), do.Flip(bit=0, rate=0.3, source="a"))
    quiet = do.Flip(bit=0, rate=0.0)
    found = budget(do.Program(instructions=(*steps, quiet), blocks=((0,),)), criterion=lambda x, _: x == 1)
    (part,) = found.parts
    assert (part.name, part.place, part.share) == ("a", "", 1.0)
    assert found.crash_rate == pytest.approx(0.4 - 0.06) and part.derivative == pytest.approx(2 * (1 - 0.4))
    assert found.orders == pytest.approx((0.4, -0.06, 0, 0))


def test_noise_without_a_source_is_named_by_its_kind() -> None:
    steps = (do.Prepare(qubit=0), do.Depolarize1(qubit=0, rate=0.3), do.Measure(qubit=0), do.Flip(bit=0, rate=0.1))
    found = budget(do.Program(instructions=steps, blocks=((0,),)), criterion=lambda x, _: x == 1)
    assert [part.name for part in found.parts] == ["Depolarize1", "Flip"]
    assert [part.derivative for part in found.parts] == pytest.approx([2 / 3 * 0.8, 1 - 2 * 0.2])


@pytest.fixture(scope="module")
def weak() -> Budget:
    """A recovery at noise so weak that three faults do not matter."""
    return budget(steane.recovery(Noise.uniform(1e-7)), orders=2)


def test_shares_at_weak_noise_are_those_of_the_malignant_pairs(weak: Budget) -> None:
    assert weak.pairs is not None
    shares: Counter[str] = Counter()
    for location, share in zip(weak.pairs.locations, weak.pairs.shares.tolist(), strict=True):
        shares[location.source] += share
    assert len(weak.parts) == 7
    for part in weak.parts:
        assert part.share == pytest.approx(shares[f"{part.place}/{part.name}"], abs=1e-5)
    assert sum(part.share for part in weak.parts) == pytest.approx(1)
    assert weak.orders == pytest.approx((0, weak.pairs.second_order), rel=1e-9) and weak.crash_rate == pytest.approx(
        weak.orders[1]
    )


def test_classes_are_in_order_of_their_shares(weak: Budget) -> None:
    shares = [sum(part.share for part in parts) for parts in weak.classes.values()]
    assert shares == sorted(shares, reverse=True) and next(iter(weak.classes)) == "two_qubit"
    assert [part.share for part in weak.parts] == sorted((part.share for part in weak.parts), reverse=True)


def test_what_cannot_be_solved_is_refused() -> None:
    program = steane.cnot_recovery(Noise.uniform(1e-3), preparation="8+1")
    with pytest.raises(ConfigError, match="does not fit into the memory"):
        budget(program, max_memory_gb=1e-3)
    with pytest.raises(ConfigError, match="there is no error budget"):
        budget(steane.recovery(Noise.uniform(0.0)))


def test_without_pairs() -> None:
    """Two blocks can be rejected by two faults, which are no pair then; the exact engine still answers."""
    steps = [replace(step, supply=2) if isinstance(step, do.Verify) else step for step in guarded().instructions]
    program = do.Program(instructions=tuple(steps), blocks=guarded().blocks)
    found = budget(program, criterion=majority)
    assert found.pairs is None and "supply=2" in found.refused
    assert found.crash_rate == pytest.approx(oracle.crash_rate(program, majority), rel=1e-12)


def run(folder: Path, **options: str) -> Run:
    asked = {"program.kind": "bit_flip_recovery", "program.preparation": "8+1"} | options
    return execute("qec-budget", load(BudgetConfig, None, asked), report, out=folder)


def test_the_verb_writes_a_table_and_a_chart(tmp_path: Path) -> None:
    done = run(tmp_path / "run", **{"orders": "3", "noise.p": "1e-4"})
    summary = done.summary
    found = budget(steane.bit_flip_recovery(Noise.uniform(1e-4), preparation="8+1"), orders=3)
    assert found.pairs is not None and json.dumps(summary, allow_nan=False)
    assert summary["crash_rate"] == found.crash_rate and summary["malignant_pairs"] == found.pairs.count
    assert [summary["first_order"], *summary["orders"]] == list(found.orders)
    assert summary["coefficients"] == pytest.approx([found.orders[0] / 1e-4, found.orders[1] / 1e-8, found.orders[2] / 1e-12])
    assert sum(one["share"] for one in summary["classes"]) == pytest.approx(1)
    assert sum(one["share"] for one in summary["steps"]) == pytest.approx(1)
    assert sum(one["weight"] for one in summary["pairs"]) == pytest.approx(summary["orders"][0])
    data = done.load("results.nc")
    assert data is not None and float(data["share"].sum()) == pytest.approx(1)
    for one in summary["classes"]:
        assert float(data["derivative"].sel({"class": one["name"]}).sum()) == pytest.approx(one["derivative"])
    assert (done.path / "figures" / "budget.png").stat().st_size > 0


def test_the_verb_without_pairs(tmp_path: Path) -> None:
    summary = run(tmp_path / "run", **{"noise.preset": "eshe_rates", "program.supply": "2"}).summary
    assert summary["malignant_pairs"] is None and "supply=2" in summary["refused"]
    assert "coefficients" not in summary and "steps" not in summary


def test_a_budget_has_two_orders_at_least() -> None:
    with pytest.raises(ConfigError, match="pairs of faults"):
        BudgetConfig(orders=1)
