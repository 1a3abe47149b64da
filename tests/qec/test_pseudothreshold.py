"""Brackets against crossings that are known otherwise: roots of polynomials, and signs from an exact transform."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from tests.oracles import qec as oracle
from triptych.errors import ConfigError, ConvergenceError
from triptych.qec import Builder, Noise, Program, pseudothreshold, simulate, steane
from triptych.qec.program import PauliChannel, Prepare, Tally
from triptych.statistics import Estimate


def flipped(bits: int) -> Callable[[float], Program]:
    """So many bits, each of which flips with probability p."""

    def build(p: float) -> Program:
        circuit = Builder(noise=Noise.uniform(0))
        data = circuit.block(bits)
        return circuit.add(*(PauliChannel(qubits=(q,), errors=(("X", p),)) for q in data)).program(blocks=[data])

    return build


def several(x: int, z: int) -> bool:
    return x.bit_count() > 1


@pytest.mark.parametrize("width", [0.5, 1e-2, 1e-5])
@pytest.mark.parametrize(
    ("bits", "criterion", "rate"),
    [
        (3, several, np.polynomial.Polynomial([0, 0, 3, -2])),
        (7, several, np.polynomial.Polynomial([0, 0, 21, -70, 105, -84, 35, -6])),
        (7, "readout", oracle.hamming_failure),
    ],
)
def test_the_bracket_holds_the_root_of_the_polynomial(
    bits: int, criterion: Any, rate: Callable[[float], float], width: float
) -> None:
    root = brentq(lambda p: rate(p) / p - 1, 1e-3, {3: 0.7, 7: 0.2}[bits], xtol=1e-14)
    found = pseudothreshold(flipped(bits), criterion=criterion, upper=0.9, relative_width=width)
    assert found.kind == "certified" and found.lower is not None and found.upper is not None
    assert found.lower < root < found.upper <= (1 + 1.0001 * width) * found.lower
    assert found.lower <= found.value <= found.upper and found.value == pytest.approx(root, rel=0.1 * width)


@pytest.mark.parametrize("criterion", ["css", "readout"])
@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_both_signs_are_those_of_the_exact_rate(preparation: str, criterion: str) -> None:
    """The Walsh-Hadamard transform shares no code with the tree."""

    def build(p: float) -> Program:
        return steane.recovery(Noise.uniform(p), preparation=preparation)

    found = pseudothreshold(build, criterion=criterion, relative_width=5e-3, lower=1e-3, upper=1e-2)
    assert found.lower is not None and found.upper is not None
    assert found.upper / found.lower <= 1.005000001
    for p, sign in ((found.lower, -1), (found.upper, 1)):
        assert np.sign(oracle.recovery_rates(build(p))[criterion] - p) == sign


def test_a_crash_at_any_time_counts_where_it_is_asked_for() -> None:
    """Three bits are scored half-way and then made anew, so that nothing is lost at the end."""

    def build(p: float) -> Program:
        once = flipped(3)(p)
        anew = tuple(Prepare(qubit=q) for q in range(3))
        return Program(instructions=(*once.instructions, Tally(blocks=once.blocks), *anew), blocks=once.blocks)

    found = pseudothreshold(build, criterion=several, at_any_time=True, upper=0.9)
    assert found.lower < 0.5 < found.upper  # type: ignore[operator]
    with pytest.raises(ConvergenceError, match="always pays"):
        pseudothreshold(build, criterion=several, upper=0.9)


def said(lower: float, value: float, upper: float, *, stopped: str = "") -> Any:
    return SimpleNamespace(crash_rate=Estimate.certified(value, lower=lower, upper=upper), stopped=stopped)


@pytest.mark.parametrize("lean", [-1.0, 1.0])
def test_an_interval_that_holds_p_decides_nothing(monkeypatch: pytest.MonkeyPatch, lean: float) -> None:
    """Values as far off as their intervals allow do not lead the bracket astray: P = 100 p^2 crosses at 0.01."""
    asked = []

    def biased(p: float, *, relative_width: float, **_: object) -> Any:
        truth, half = 100 * p * p, 0.4 * relative_width * 100 * p * p
        asked.append(relative_width)
        return said(truth - half * (1 - lean), truth + lean * half, truth + half * (1 + lean))

    monkeypatch.setitem(pseudothreshold.__globals__, "simulate", biased)
    found = pseudothreshold(lambda p: p, relative_width=1e-3)  # type: ignore[arg-type,return-value]
    assert found.lower < 0.01 < found.upper <= 1.0010001 * found.lower  # type: ignore[operator]
    assert min(asked) < 2e-3 and max(asked) > 0.1, "tight where it has to be, and loose elsewhere"


@pytest.mark.parametrize("stopped", ["max_memory_gb", ""])
def test_a_certificate_that_gets_no_tighter_is_no_answer(monkeypatch: pytest.MonkeyPatch, stopped: str) -> None:
    def coarse(p: float, **_: object) -> Any:
        return said(99 * p * p, 100 * p * p, 101 * p * p, stopped=stopped)

    monkeypatch.setitem(pseudothreshold.__globals__, "simulate", coarse)
    wide = pseudothreshold(lambda p: p, relative_width=0.1)  # type: ignore[arg-type,return-value]
    assert wide.lower < 0.01 < wide.upper  # type: ignore[operator]
    with pytest.raises(ConvergenceError, match=stopped or "rounding"):
        pseudothreshold(lambda p: p, relative_width=1e-3)  # type: ignore[arg-type,return-value]


def test_no_crossing() -> None:
    with pytest.raises(ConvergenceError, match="always pays"):
        pseudothreshold(flipped(3), criterion=several, upper=0.4)
    with pytest.raises(ConvergenceError, match="does not pay"):
        pseudothreshold(flipped(2), criterion=lambda x, z: x > 0)
    with pytest.raises(ConvergenceError, match="does not tell"):
        pseudothreshold(flipped(1), criterion=lambda x, z: x > 0)


@pytest.mark.parametrize(
    "wrong", [{"lower": 0.0}, {"lower": 0.1, "upper": 0.1}, {"upper": 1.5}, {"relative_width": 0.0}, {"engine": "montecarlo"}]
)
def test_refusals(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        pseudothreshold(flipped(3), criterion=several, **wrong)


def test_the_ends_are_recomputed_by_anyone() -> None:
    found = pseudothreshold(flipped(3), criterion=several, upper=0.9)
    assert found.lower is not None and found.upper is not None
    low, high = (simulate(flipped(3)(p), criterion=several, relative_width=1e-4).crash_rate for p in (found.lower, found.upper))
    assert low.upper < found.lower and high.lower > found.upper  # type: ignore[operator]
