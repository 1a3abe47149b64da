"""Malignant pairs against brute-force enumeration, closed formulas, published counts and the certified tree."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.oracles import qec as oracle
from tests.qec.strategies import Case, Table, programs
from triptych.errors import ConfigError
from triptych.qec import Noise, criteria, simulate, steane
from triptych.qec import program as do
from triptych.qec.pairs import MalignantPairs, malignant_pairs
from triptych.qec.preparations import PREPARATIONS

UNIFORM = Noise.uniform(1e-4)


def post_selected(case: Case) -> Case:
    """The program without tasks of one's own, with verifications that are repeated without limit; no error is no crash."""

    def limitless(step: do.Instruction) -> do.Instruction:
        return replace(step, supply=None, otherwise="abort") if isinstance(step, do.Verify) else step

    try:
        steps = tuple(limitless(step) for step in case.program.instructions if not isinstance(step, do.Custom))
        chosen = Case(replace(case.program, instructions=steps), Table(case.crash.bits & ~1))
        malignant_pairs(*chosen, at_any_time=True)
    except ConfigError:  # it uses the marker bit of a supply that ends, or corrects without need
        assume(False)
    return chosen


def with_rates(program: do.Program, rate: object) -> do.Program:
    """The program whose events are replaced by ``rate(index, event)``; an index counts the locations of positive rate."""
    index = -1

    def changed(steps: tuple[do.Instruction, ...]) -> tuple[do.Instruction, ...]:
        nonlocal index
        new: list[do.Instruction] = []
        for step in steps:
            if isinstance(step, do.Verify):
                new.append(replace(step, body=changed(step.body)))
            elif isinstance(step, do.Event):
                index += step.rate > 0
                new += rate(index, step) if step.rate > 0 else []  # type: ignore[operator]
            else:
                new.append(step)
        return tuple(new)

    return replace(program, instructions=changed(program.instructions))


def scaled(program: do.Program, factor: float) -> do.Program:
    def event(_: int, step: do.Event) -> list[do.Instruction]:
        if isinstance(step, do.PauliChannel):
            return [replace(step, errors=tuple((error, factor * p) for error, p in step.errors))]
        return [replace(step, rate=factor * step.rate)]

    return with_rates(program, event)


def struck(program: do.Program, faults: dict[int, str]) -> do.Program:
    """The program in which these errors strike for certain, and no others do."""

    def event(index: int, step: do.Event) -> list[do.Instruction]:
        if index not in faults:
            return []
        if isinstance(step, do.Flip):
            return [replace(step, rate=1.0)]
        return [do.PauliChannel(qubits=do.outcomes(step)[0], errors=((faults[index], 1.0),))]

    return with_rates(program, event)


@settings(max_examples=60)
@given(programs())
def test_every_pair_of_locations_of_random_programs(case: Case) -> None:
    """Each pair of errors is run alone, through every instruction."""
    program, crash = post_selected(case)
    found = malignant_pairs(program, crash, at_any_time=True)
    errors = [[(word, p) for word, p in do.outcomes(one.event)[1] if p > 0] for one in found.locations]

    def crashes(faults: dict[int, str]) -> bool:
        worlds = [world for world in oracle.worlds(struck(program, faults).instructions, crash=crash) if world[0] > 0]
        return any(errors is None or oracle._lost(errors, program.blocks, crash) for _, errors in worlds)

    for i, outcomes in enumerate(errors):
        assert found.singles[i] == pytest.approx(sum(p for word, p in outcomes if crashes({i: word})), abs=1e-12)
    for i, j in combinations(range(len(errors)), 2):
        weight = sum(p * q for (a, p), (b, q) in product(errors[i], errors[j]) if crashes({i: a, j: b}))
        assert found.weights[i, j] == found.weights[j, i] == pytest.approx(weight, abs=1e-12)
        assert (found.weights[i, j] > 0) == (weight > 0)
    assert not found.weights.diagonal().any()


def coefficients(program: do.Program, crash: criteria.Criterion, step: float = 1e-4) -> tuple[float, float]:
    """c1 and c2 by brute force: the crash rate at three weak noises, fitted by a cubic without a constant."""
    scales = step * np.array([1.0, 2.0, 4.0])
    rates = [oracle.crash_rate(scaled(program, s), crash) for s in scales]
    first, second, _ = np.linalg.solve(scales[:, None] ** [1, 2, 3], rates)
    return float(first), float(second)


@settings(max_examples=60)
@given(programs())
def test_the_power_series_of_random_programs(case: Case) -> None:
    """Single faults that crash, faults that are rejected, and both in one location."""
    program, crash = post_selected(case)
    found = malignant_pairs(program, crash)
    first, second = coefficients(program, crash)
    size = sum(one.event.rate for one in found.locations)
    assert found.first_order == pytest.approx(first, abs=1e-6 * (1 + size))
    assert found.second_order == pytest.approx(second, abs=1e-4 * (1 + size) ** 2)


def code_capacity(rate: float) -> do.Program:
    steps = [do.Prepare(qubit=q) for q in range(7)] + [do.PauliChannel(qubits=(q,), errors=(("X", rate),)) for q in range(7)]
    return do.Program(instructions=tuple(steps), blocks=(tuple(range(7)),))


def test_flips_of_a_block() -> None:
    """1 - (1 - q)^7 - 7 q (1 - q)^6 = 21 q^2 - ...: each of the 21 pairs is malignant."""
    found = malignant_pairs(code_capacity(0.01), criteria.css)
    assert found.count == 21 and found.first_order == 0
    assert found.second_order == pytest.approx(21e-4) and found.shares == pytest.approx(np.full(7, 1 / 7))


def test_a_fault_that_crashes_alone_crashes_with_any_other() -> None:
    """Strictly, on one qubit: 1 - (1 - q)^2, but two flips cancel: 2 q (1 - q)."""
    flip = do.PauliChannel(qubits=(0,), errors=(("X", 0.1),))
    program = do.Program(instructions=(do.Prepare(qubit=0), flip, flip), blocks=((0,),))
    found = malignant_pairs(program, lambda x, _: x == 1)
    assert (found.first_order, found.count) == (0.2, 0) and found.second_order == pytest.approx(-2 * 0.1**2)


@pytest.mark.parametrize(
    ("criterion", "rates"),
    [("css", (1.49638627e-5, 1.47960918e-3)), ("paper22", (1.64382065e-5, 1.63170732e-3))],
)
def test_the_logical_cnot_against_exact_crash_rates(criterion: str, rates: tuple[float, float]) -> None:
    """The crash rates at p = 1e-4 and 1e-3 come from Walsh-Hadamard transforms of the whole program, without pruning."""
    low, high = rates[0] / 1e-8, rates[1] / 1e-6
    found = malignant_pairs(steane.cnot_recovery(UNIFORM), criteria.CRITERIA[criterion])
    assert found.second_order / 1e-8 == pytest.approx(low + (low - high) / 9, rel=2e-4) and found.first_order == 0


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
@pytest.mark.parametrize("criterion", ["css", "strict"])
def test_a_recovery_against_the_tree(preparation: str, criterion: str) -> None:
    p = 1e-7
    program = steane.recovery(Noise.uniform(p), preparation=preparation)
    found = malignant_pairs(program, criteria.CRITERIA[criterion])
    rate = simulate(program, engine="tree", criterion=criterion, relative_width=1e-3 if criterion == "css" else 1e-9).crash_rate
    assert rate.lower is not None and rate.upper is not None
    series = found.first_order + found.second_order
    assert rate.lower - 1e4 * p**3 < series < rate.upper + 1e4 * p**3
    assert (found.first_order == 0) == (criterion == "css")


@pytest.mark.parametrize(
    ("checked", "bad"),
    [((0, 1, 2), 16), ((0, 3, 4), 16), ((1, 3, 5), 8), ((2, 4, 5), 8), ((2, 3, 6), 0), ((1, 4, 6), 0), ((0, 5, 6), 24)],
)
def test_preparations_with_a_bad_check_have_malignant_singles(checked: tuple[int, ...], bad: int) -> None:
    """Of the seven logical Z of weight three, only two catch every single fault of the nine CNOTs."""
    preparation = replace(PREPARATIONS["9+3"], checks=(checked,))
    cnots = Noise(reset=0.0, one_qubit=0.0, two_qubit=15e-4, measurement=0.0)  # 1e-4 for each error
    block = malignant_pairs(steane.verified_ancilla(cnots, preparation=preparation), criteria.readout)
    assert block.first_order / 1e-4 == pytest.approx(bad)
    recovery = malignant_pairs(steane.recovery(UNIFORM, preparation=preparation), criteria.css)
    assert (recovery.first_order > 0) == (bad > 0)
    assert recovery.shares.sum() == pytest.approx(1)


def bell(supply: int | None, otherwise: str) -> do.Program:
    """A pair whose parity is checked, from a finite supply; either qubit is lost by its X error."""
    body = (
        do.Prepare(qubit=0), do.Prepare(qubit=1), do.Prepare(qubit=2),
        do.Depolarize2(first=0, second=1, rate=0.3), do.CX(control=0, target=2), do.CX(control=1, target=2),
        do.Measure(qubit=2), do.Flip(bit=2, rate=0.1),
    )  # fmt: skip
    verify = do.Verify(body=body, checks=(2,), supply=supply, otherwise=otherwise)  # type: ignore[arg-type]
    return do.Program(instructions=(verify, do.Depolarize1(qubit=1, rate=0.2)), blocks=((0, 1),))


@pytest.mark.parametrize("otherwise", ["abort", "use", "skip"])
def test_three_blocks_are_without_limit_for_two_faults(otherwise: str) -> None:
    program = bell(3, otherwise)
    found, limitless = (malignant_pairs(one, lambda x, _: x > 0) for one in (program, bell(None, "abort")))
    assert found.second_order == limitless.second_order and found.count == limitless.count
    first, second = coefficients(program, lambda x, _: x > 0)
    assert (found.first_order, found.second_order) == (pytest.approx(first), pytest.approx(second, rel=1e-4))
    with pytest.raises(ConfigError, match="no post-selection"):
        malignant_pairs(bell(2, otherwise), lambda x, _: x > 0)


@pytest.fixture(scope="module")
def cnot() -> MalignantPairs:
    return malignant_pairs(steane.cnot_recovery(UNIFORM), criteria.css)


def test_sources_and_shares_add_up(cnot: MalignantPairs) -> None:
    by_source = cnot.by_source()
    assert sum(by_source.values()) == pytest.approx(cnot.second_order)
    assert list(by_source.values()) == sorted(by_source.values(), reverse=True)
    kind = np.array([one.source == "extraction/two_qubit" for one in cnot.locations])
    same = sum(cnot.weights[i, j] for i, j in combinations(np.flatnonzero(kind), 2))
    mixed = cnot.weights[kind][:, [one.source == "data/measurement" for one in cnot.locations]].sum()
    assert by_source["extraction/two_qubit", "extraction/two_qubit"] == pytest.approx(same)
    assert by_source["data/measurement", "extraction/two_qubit"] == pytest.approx(mixed)
    by_step = cnot.by_step()
    assert sum(by_step.values()) == pytest.approx(1) and list(by_step.values()) == sorted(by_step.values(), reverse=True)
    readout = sum(cnot.weights[i].sum() / 2 for i, one in enumerate(cnot.locations) if one.gadget == "after the last correction")
    assert by_step["after the last correction", "data/measurement"] == pytest.approx(readout / cnot.second_order)
    assert cnot.shares == pytest.approx(cnot.weights.sum(axis=1) / 2 / cnot.second_order)


def test_locations_are_named_in_order(cnot: MalignantPairs) -> None:
    first, last = cnot.locations[0], cnot.locations[-1]
    assert (first.source, first.gadget) == ("logical/two_qubit", "before correction 1 (X block 0)")
    assert (last.source, last.gadget) == ("data/measurement", "after the last correction")
    gadgets = list(dict.fromkeys(one.gadget for one in cnot.locations))
    assert gadgets[1:6] == [
        "ancilla 1 for correction 1 (X block 0)",
        "ancilla 2 for correction 1 (X block 0)",
        "ancilla 3 for correction 1 (X block 0)",
        "ancilla 1 for correction 2 (Z block 0)",
        "before correction 2 (Z block 0)",
    ]
    assert "ancilla 3 for correction 4 (Z block 1)" in gadgets and len(gadgets) == 4 * 4 + 1


def test_what_two_faults_cannot_tell_is_refused() -> None:
    coin = do.Custom(qubits=(0,), change=lambda x, z: {(x, z): 1.0})
    program = do.Program(instructions=(do.Prepare(qubit=0), coin), blocks=((0,),))
    with pytest.raises(ConfigError, match="do not add up"):
        malignant_pairs(program, lambda x, _: x == 1)
    with pytest.raises(ConfigError, match="without any fault"):
        malignant_pairs(code_capacity(0.1), lambda x, _: x == 0)
    with pytest.raises(ConfigError, match="too many pairs"):
        malignant_pairs(steane.tree_program(UNIFORM, logical_qubits=10), criteria.css)
