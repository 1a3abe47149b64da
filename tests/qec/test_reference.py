"""The tree against the paper's two worked examples, exhaustive enumeration, Stim, closed formulas and independent numbers."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import stim
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as some

from tests.oracles import qec as oracle
from tests.qec.strategies import Case, Table, clifford_circuits, programs
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, QubitSet, Thresholds, criteria, steane, tasks
from triptych.qec import program as do
from triptych.qec import reference as tree
from triptych.qec.program import (
    CX,
    CZ,
    Correct,
    Custom,
    Depolarize1,
    Depolarize2,
    Flip,
    H,
    Measure,
    Merge,
    Prepare,
    S,
    Split,
    Swap,
    Syndrome,
    Tally,
    Verify,
)

EXACT = Thresholds(event=0.0, merge=0.0)
STEADY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def found(
    program: Program, crash: criteria.Criterion, thresholds: Thresholds = EXACT, *, at_any_time: bool = False
) -> tuple[float, float]:
    """The reference's crash rate and its ledger."""
    grown = tree.run(program, thresholds, crash if at_any_time else None)
    rate, ledger, _ = tree.score(grown, program.blocks, crash, thresholds)
    return rate, ledger


def packed(text: str) -> int:
    """A Pauli string as the paper writes it, qubit 0 on the right."""
    return sum("IXZY".index(letter) << 2 * q for q, letter in enumerate(reversed(text)))


def named(one: QubitSet) -> dict[str, float]:
    width = max(one.qubits) + 1
    return {"".join("IXZY"[s >> 2 * q & 3] for q in reversed(range(width))): p for s, p in one.states.items()}


def letters(state: int, qubits: int) -> str:
    """The same, qubit 0 on the left."""
    return "".join("IXZY"[state >> 2 * q & 3] for q in range(qubits))


def test_event_of_figure_1() -> None:
    # The caption fixes rate, threshold and which states branch; the probabilities .6, .35, .05 are chosen to agree with it.
    old = QubitSet(frozenset(range(3)), {packed("III"): 0.6, packed("IIX"): 0.35, packed("IXX"): 0.05})
    new = tasks.branch(old, [(error, 0.1) for error in (1, 2, 3)], threshold=0.1)
    assert named(new) == pytest.approx(
        {
            "III": 0.6 * 0.7 + 0.35 * 0.1,
            "IIX": 0.6 * 0.1 + 0.35 * 0.7,
            "IIY": 0.6 * 0.1 + 0.35 * 0.1,
            "IIZ": 0.6 * 0.1 + 0.35 * 0.1,
            "IXX": 0.05,
        },
        rel=1e-14,
    )
    assert new.ledger == pytest.approx(0.3 * 0.05, rel=1e-12)


@pytest.mark.parametrize("swapped", [False, True])
def test_merge_of_figure_2(swapped: bool) -> None:
    # The caption fixes the threshold .01 and IXXYI at .005; .05 for IXX and .1 for YI are chosen to agree with it.
    left = QubitSet(frozenset({2, 3, 4}), {packed("IIIII"): 0.95, packed("IXXII"): 0.05})
    right = QubitSet(frozenset({0, 1}), {packed("II"): 0.9, packed("YI"): 0.1})
    sets = (right, left) if swapped else (left, right)
    kept = {"IIIII": 0.855, "IXXII": 0.045, "IIIYI": 0.095}
    lossy = tasks.merge(*sets, threshold=0.01, rule="lossy")
    assert named(lossy) == pytest.approx(kept, rel=1e-14)
    preserved = tasks.merge(*sets, threshold=0.01, rule="preservation")
    assert named(preserved) == pytest.approx(kept | {"IIIYI": 0.095 + 0.005}, rel=1e-14)
    assert lossy.ledger == pytest.approx(0.005) and preserved.ledger == pytest.approx(0.005)


def test_states_at_the_thresholds() -> None:
    old = QubitSet(frozenset({0}), {0: 0.75, 1: 0.25})
    assert tasks.branch(old, [(1, 0.5)], threshold=0.25).ledger < 1e-14, "a state at the threshold branches"
    other = QubitSet(frozenset({1}), {0: 0.5, 4: 0.5})
    assert len(tasks.merge(old, other, threshold=0.125, rule="lossy").states) == 2, "a merged state at the threshold is not kept"


def test_ledgers_add_in_a_product() -> None:
    # Computed: no error at all. True: errors with .1 and .2. The event "any error" is off by .28, more than either ledger.
    a, b = QubitSet(frozenset({0}), {0: 1.0}, 0.1), QubitSet(frozenset({1}), {0: 1.0}, 0.2)
    assert tasks.merge(a, b, threshold=0.0, rule="lossy").ledger >= 1 - 0.9 * 0.8


BODY = (Prepare(qubit=0), Measure(qubit=0), Prepare(qubit=1))
"""Qubit 0 is the check. In a state, 1 is for a rejected block, 4 and 8 are for an X and a Z error on qubit 1, which is kept."""


def tried(step: Verify, block: dict[int, float]) -> dict[int, float]:
    """What the attempts make of a block, summed attempt by attempt; -1 is the crash."""
    out: Counter[int] = Counter()
    waiting = 1.0
    for _ in range(step.supply or 1000):
        for state in (state for state in block if not state & 1):
            out[state] += waiting * block[state]
        waiting *= sum(p for state, p in block.items() if state & 1)
    if step.supply and step.otherwise == "use":
        for state in (state for state in block if state & 1):
            out[state] += waiting * block[state] / sum(p for state, p in block.items() if state & 1)
    elif step.supply:
        out[-1 if step.otherwise == "abort" else 1] += waiting
    return dict(out)


@settings(STEADY, max_examples=300)
@given(
    some.lists(some.integers(0, 50), min_size=6, max_size=6),
    some.lists(some.integers(0, 50), min_size=6, max_size=6),
    some.integers(0, 100),
    some.sampled_from([None, 1, 2, 3, 20]),
    some.sampled_from(["abort", "use", "skip"]),
)
def test_the_ledger_of_repeated_attempts(
    true: list[int], other: list[int], percent: int, supply: int | None, otherwise: str
) -> None:
    # Two blocks a distance d apart, one taken for the other: what comes of them is never further apart than the ledger says.
    step = Verify(body=BODY, checks=(0,), supply=supply, otherwise=otherwise)  # type: ignore[arg-type]
    states = (0, 4, 8, 1, 5, 9)
    truth = {state: (n + 3) / (sum(true) + 18) for state, n in zip(states, true, strict=True)}
    mixed = {state: (n + 3) / (sum(other) + 18) for state, n in zip(states, other, strict=True)}
    computed = {state: truth[state] + (mixed[state] - truth[state]) * percent / 100 for state in states}
    d = sum(abs(truth[state] - computed[state]) for state in states) / 2
    block, accepted = tasks.attempt(QubitSet(frozenset({0, 1}), computed, d), step)
    assert accepted == pytest.approx(sum(computed[state] for state in (0, 4, 8)))
    assert block.states | ({-1: block.crashed} if block.mortal else {}) == pytest.approx(tried(step, computed), abs=1e-13)
    right = tried(step, truth)
    wrong = {state: block.states.get(state, block.crashed) for state in right}
    assert sum(abs(right[state] - wrong[state]) for state in right) / 2 <= block.ledger


@pytest.mark.parametrize("d", [0.001, 0.02, 0.05])
@pytest.mark.parametrize("supply", [None, 1, 2, 5])
def test_the_ledger_of_repeated_attempts_is_reached(d: float, supply: int | None) -> None:
    # Computed: accepted without error .1, rejected .9. True: d of the accepted mass carries an error, and the first to err do so.
    step = Verify(body=BODY, checks=(0,), supply=supply)
    block, accepted = tasks.attempt(QubitSet(frozenset({0, 1}), {0: 0.1, 1: 0.9}, d), step)
    erring = sum(0.9**k * d for k in range(supply or 2000))
    assert accepted == pytest.approx(0.1)
    assert block.ledger == pytest.approx(erring, rel=1e-10)


@pytest.mark.parametrize("supply", [1, 3, 10**6])
@pytest.mark.parametrize("accepted", [1.0, 0.999, 0.3, 1e-9, 0.0])
def test_a_supply_that_runs_out(supply: int, accepted: float) -> None:
    body = (Prepare(qubit=0), Prepare(qubit=1), Measure(qubit=0), Flip(bit=0, rate=1 - accepted))
    after = {}
    for otherwise in ("abort", "use", "skip"):
        step = Verify(body=body, checks=(0,), supply=supply, otherwise=otherwise)  # type: ignore[arg-type]
        program = Program(instructions=(step,), blocks=())
        (after[otherwise],) = tree.run(program, EXACT).sets
    exhausted = (1 - accepted) ** supply
    assert after["abort"].crashed == pytest.approx(exhausted, rel=1e-12, abs=1e-15)
    assert math.fsum(after["abort"].states.values()) == pytest.approx(
        -math.expm1(supply * math.log1p(-accepted)) if accepted < 1 else 1
    )
    assert after["use"].states == pytest.approx({0: 1.0}, abs=1e-12) and after["use"].qubits == {1}
    assert after["skip"].states.get(1, 0.0) == pytest.approx(exhausted, rel=1e-12, abs=1e-15) and after["skip"].qubits == {0, 1}


@settings(STEADY)
@given(
    some.lists(some.floats(1e-3, 1), min_size=1, max_size=6),
    some.lists(some.floats(1e-3, 1), min_size=1, max_size=6),
    some.floats(0, 0.5),
    some.sampled_from(["preservation", "lossy"]),
)
def test_merge_equals_the_literal_cross_product(left: list[float], right: list[float], threshold: float, rule: str) -> None:
    a = QubitSet(frozenset({0, 1}), {s: p / sum(left) for s, p in enumerate(left)})
    b = QubitSet(frozenset({2, 3}), {s << 4: p / sum(right) for s, p in enumerate(right)})
    literal: dict[int, float] = {}
    for s, p in a.states.items():
        for t, q in b.states.items():
            target = s | t if p * q > threshold else (t if p < q else s)
            if p * q > threshold or rule == "preservation":
                literal[target] = literal.get(target, 0.0) + p * q
    assert tasks.merge(a, b, threshold=threshold, rule=rule).states == pytest.approx(literal, abs=1e-14)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "gate",
    [
        H(qubit=0),
        S(qubit=1),
        CX(control=0, target=1),
        CX(control=1, target=0),
        CZ(first=0, second=1),
        Swap(first=0, second=1),
        do.X(qubit=0),
        do.Y(qubit=0),
        do.Z(qubit=0),
    ],
)
def test_gates_move_errors_as_stim_says(gate: do.Gate) -> None:
    circuit = oracle.stim_circuit((gate,))
    for state in range(16):
        moved = stim.PauliString(letters(state, 2)).after(circuit)
        expected = sum((0, 1, 3, 2)[moved[q]] << 2 * q for q in range(2))  # Stim numbers I, X, Y, Z
        struck = [do.PauliChannel(qubits=(0, 1), errors=((letters(state, 2), 1.0),))] if state else []
        (after,) = tree.run(
            Program(instructions=(Prepare(qubit=0), Prepare(qubit=1), Merge(qubits=(0, 1)), *struck, gate), blocks=()), EXACT
        ).sets
        assert {error for error, p in after.states.items() if p > 0} == {expected}


ADAPTIVE = Program(
    instructions=(
        Prepare(qubit=0),
        Prepare(qubit=1),
        Depolarize1(qubit=0, rate=0.12),
        Verify(
            body=(
                Prepare(qubit=0, basis="X"),
                Prepare(qubit=1),
                CX(control=0, target=1),
                Depolarize2(first=0, second=1, rate=0.2),
                Measure(qubit=1),
                Flip(bit=1, rate=0.05),
            ),
            checks=(1,),
            first=2,
        ),
        CX(control=0, target=2),
        Depolarize2(first=0, second=2, rate=0.1),
        CZ(first=1, second=2),
        H(qubit=1),
        Measure(qubit=2, basis="Z"),
        Flip(bit=2, rate=0.03),
        Prepare(qubit=3, basis="X"),
        CX(control=3, target=1),
        Depolarize1(qubit=3, rate=0.07),
        CX(control=3, target=0),
        Measure(qubit=3, basis="X"),
        Syndrome(bits=(2, 3), checks=((0,), (0, 1))),
        Correct(syndromes=((2, 3),), table=((), (0,), (1,), (0, 1)), pauli="X"),
        Split(qubits=(2, 3)),
    ),
    blocks=((0, 1),),
)
"""Four qubits with every kind of instruction: verification, measurement, stored syndrome, feedback."""


@pytest.mark.parametrize(
    "crash", [lambda x, z: x == 1, lambda x, z: z == 2, lambda x, z: (x ^ z) in (1, 3), lambda x, z: (x | z) > 0]
)
def test_adaptive_circuit_against_all_fault_combinations(crash: criteria.Criterion) -> None:
    truth = oracle.crash_rate(ADAPTIVE, crash)
    rate, ledger = found(ADAPTIVE, crash)
    assert rate == pytest.approx(truth, abs=1e-13) and ledger < 1e-12
    for event_threshold in (0.3, 0.1, 0.03, 1e-3):
        for rule in ("preservation", "lossy"):
            rough = Thresholds(event=event_threshold, merge=event_threshold / 10, rule=rule)  # type: ignore[arg-type]
            rate, ledger = found(ADAPTIVE, crash, rough)
            assert abs(rate - truth) <= ledger


def kind(step: do.Instruction) -> str:
    supply = f" {step.otherwise if step.supply else 'without limit'}" if isinstance(step, Verify) else ""
    return type(step).__name__ + supply + (" absent" if isinstance(step, Correct) and step.absent else "")


def test_random_programs_against_all_fault_combinations() -> None:
    seen: Counter[str] = Counter()
    rough = some.builds(
        Thresholds,
        event=some.integers(0, 50).map(lambda n: n / 100),
        merge=some.integers(0, 100).map(lambda n: n / 1000),
        rule=some.sampled_from(["preservation", "lossy"]),
    )

    @settings(STEADY, max_examples=500)
    @given(programs(compiled=True), some.booleans(), rough)
    def holds(case: Case, at_any_time: bool, thresholds: Thresholds) -> None:
        for name in {kind(step) for step in case.program.flat()}:
            event(name)
            seen[name] += 1
        truth = oracle.crash_rate(case.program, case.crash, at_any_time=at_any_time)
        seen["a crash rate between 1 % and 99 %"] += 0.01 < truth < 0.99
        rate, ledger = found(case.program, case.crash, at_any_time=at_any_time)
        assert abs(rate - truth) <= min(ledger, 1e-13)
        rate, ledger = found(case.program, case.crash, thresholds, at_any_time=at_any_time)
        assert abs(rate - truth) <= ledger
        seen["an interval narrower than 1"] += 0.001 < ledger < 0.5

    holds()
    elementary = {
        type_.__name__ for type_ in (Prepare, Measure, *do.Gate.__args__, *do.Event.__args__, do.Hidden, do.Switch, do.When)
    }  # type: ignore[attr-defined]
    tasks_ = {"Syndrome", "Correct", "Correct absent", "Merge", "Split", "Custom", "Channel", "Tally"}
    supplies = {f"Verify {way}" for way in ("without limit", "abort", "use", "skip")}
    both = {"a crash rate between 1 % and 99 %", "an interval narrower than 1"}
    assert {name: n for name in elementary | tasks_ | supplies | both if (n := seen[name]) < 30} == {}


@settings(STEADY, max_examples=200)
@given(clifford_circuits())
def test_random_clifford_circuits_against_the_transform(case: Case) -> None:
    qubits = sorted({q for block in case.program.blocks for q in block})
    exact = oracle.distribution(case.program.instructions, [[(q, part)] for part in (0, 1) for q in qubits])

    def lost(error: int) -> bool:
        held = {q: (error >> i & 1, error >> len(qubits) + i & 1) for i, q in enumerate(qubits)}
        parts = [[sum(held[q][part] << i for i, q in enumerate(block)) for part in (0, 1)] for block in case.program.blocks]
        return any(case.crash(x, z) for x, z in parts)

    rate, ledger = found(case.program, case.crash)
    assert abs(rate - math.fsum(p for error, p in enumerate(exact) if lost(error))) < 1e-13 + ledger / 100
    assert ledger < 1e-12


def flip(x: int, z: int) -> bool:
    return x > 0


@pytest.mark.parametrize("partner", [(), (CX(control=0, target=2),), (CX(control=3, target=2),)])
def test_a_crash_counts_after_its_qubits_are_forgotten(partner: tuple[do.Instruction, ...]) -> None:
    body = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=0.2), Prepare(qubit=1))
    verified = (Prepare(qubit=0), Prepare(qubit=9), Verify(body=body, checks=(0,), first=1, supply=2), Prepare(qubit=3))
    steps = (*verified, *partner, Split(qubits=(0, 2, 3)), Depolarize1(qubit=9, rate=0.3))
    program = Program(instructions=steps, blocks=((9,),))
    truth = 1 - (1 - 0.2**2) * (1 - 0.2)
    assert found(program, flip)[0] == pytest.approx(truth, rel=1e-13)
    rate, ledger = found(program, flip, Thresholds(event=0.9, merge=0.0))
    assert abs(rate - truth) <= ledger


def test_crashes_at_any_time() -> None:
    # The error of the first tally is wiped out by the new preparation, that of the end comes afterwards.
    noisy = (Prepare(qubit=0), Depolarize1(qubit=0, rate=0.3))
    program = Program(instructions=(*noisy, Tally(blocks=((0,),)), *noisy), blocks=((0,),))
    assert found(program, flip)[0] == pytest.approx(0.2)
    assert found(program, flip, at_any_time=True)[0] == pytest.approx(0.2 + 0.8 * 0.2)


def test_independent_blocks_are_scored_apart() -> None:
    # Ten blocks of four states each; joined they would be a million states. Rates far below the rounding of 1 keep their digits.
    steps = [step for q in range(10) for step in (Prepare(qubit=q), Depolarize1(qubit=q, rate=1.5e-20))]
    program = Program(instructions=tuple(steps), blocks=tuple((q,) for q in range(10)))
    assert found(program, flip)[0] == pytest.approx(1e-19, rel=1e-12)
    assert tree.run(program, EXACT).peak == 40


def test_the_probabilities_of_a_custom_task_are_normalised() -> None:
    twice = Custom(qubits=(0,), change=lambda x, z: {(0, z): 0.5, (1, z): 0.5 + 8e-13})
    (one,) = tree.run(Program(instructions=(Prepare(qubit=0), *[twice] * 20), blocks=()), EXACT).sets
    assert math.fsum(one.states.values()) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize(
    "chances", [{(0, 0): 0.9}, {(0, 0): 1.5, (1, 0): -0.5}, {(2, 0): 1.0}, {(0, -1): 1.0}, {(0, 0): math.nan}, {}]
)
def test_a_custom_task_that_is_no_distribution_is_refused(chances: dict[tuple[int, int], float]) -> None:
    steps = (
        Prepare(qubit=0),
        Depolarize1(qubit=0, rate=0.1),
        Custom(qubits=(0,), change=lambda x, z: chances if x else {(x, z): 1}),
    )
    with pytest.raises(ConfigError, match=r"\(x, z\) = \(1, 0\)"):
        tree.run(Program(instructions=steps, blocks=()), EXACT)


@pytest.mark.parametrize("q", [1e-4, 0.03, 0.4])
def test_iid_flips_of_a_block(q: float) -> None:
    steps = [step for qubit in range(7) for step in (Prepare(qubit=qubit), Measure(qubit=qubit), Flip(bit=qubit, rate=q))]
    program = Program(instructions=tuple(steps), blocks=(tuple(range(7)),))
    assert found(program, criteria.readout)[0] == pytest.approx(oracle.hamming_failure(q), rel=1e-12)


def test_sets_split_and_merge() -> None:
    pair = (Prepare(qubit=0), Prepare(qubit=1), Prepare(qubit=2), CX(control=0, target=1))
    apart = tree.run(Program(instructions=pair, blocks=()), EXACT)
    assert sorted(map(sorted, (one.qubits for one in apart.sets))) == [[0, 1], [2]]
    together = tree.run(Program(instructions=(*pair, Merge(qubits=(1, 2)), Split(qubits=(0,))), blocks=()), EXACT)
    assert sorted(map(sorted, (one.qubits for one in together.sets))) == [[1, 2]]


def test_a_verified_pair_is_conditioned() -> None:
    body = (Prepare(qubit=0), Depolarize1(qubit=0, rate=0.3), Prepare(qubit=1), CX(control=0, target=1), Measure(qubit=1))
    grown = tree.run(Program(instructions=(Verify(body=body, checks=(1,)),), blocks=((0,),)), EXACT)
    assert grown.acceptances[0][0] == pytest.approx(0.8)
    assert named(grown.sets[0]) == pytest.approx({"I": 0.7 / 0.8, "Z": 0.1 / 0.8})


def test_a_verification_that_cannot_succeed_is_refused() -> None:
    body = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=1.0))
    with pytest.raises(ConfigError, match="never accepts"):
        tree.run(Program(instructions=(Verify(body=body, checks=(0,)),), blocks=()), Thresholds(event=0.0, merge=1e-9))


@pytest.mark.parametrize("arguments", [{"event": -1e-9}, {"merge": 1.0}, {"event": math.nan}, {"rule": "bounded"}])
def test_impossible_thresholds_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Thresholds(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("noise", [Noise.uniform(1e-3), Noise.eshe_rates()])
def test_preservation_conserves_probability_and_bounds_success_from_above(noise: Noise) -> None:
    program = steane.bit_flip_recovery(noise, preparation="8+1")
    for event_threshold, merge_threshold in ((1e-5, 1e-9), (1e-6, 1e-8), (1e-5, 1e-7)):
        success = {}
        for rule in ("preservation", "lossy"):
            thresholds = Thresholds(event=event_threshold, merge=merge_threshold, rule=rule)  # type: ignore[arg-type]
            grown = tree.run(program, thresholds)
            whole = [math.fsum(one.states.values()) for one in grown.sets]
            success[rule] = tree.score(grown, program.blocks, criteria.css, thresholds).success
            assert rule == "lossy" or whole == pytest.approx([1.0] * len(whole), abs=1e-12)
            assert rule == "preservation" or math.prod(whole) < 1 - 1e-12
        assert success["preservation"] >= success["lossy"]


def test_what_was_neglected_before_a_run_could_end_is_in_the_ledger():
    """Two flips end the run; their joint state is not followed, and the block is reset afterwards."""
    matrix = np.diag([1.0, 1.0, 1.0, 0.0])
    flips = [(Prepare(qubit=q), do.PauliChannel(qubits=(q,), errors=(("X", 0.01),))) for q in (0, 1)]
    gadget = do.Channel(qubits=(0, 1), looks=(1, 4), errors=(1, 4), matrix=matrix)
    program = Program(instructions=(*flips[0], *flips[1], gadget, Prepare(qubit=0)), blocks=((0,),))
    never = Table(bits=0)
    assert found(program, never) == (pytest.approx(1e-4, rel=1e-9), pytest.approx(0.0, abs=1e-13))
    for rule in ("preservation", "lossy"):
        rate, ledger = found(program, never, Thresholds(event=0.0, merge=1e-3, rule=rule))
        assert rate == 0.0 and ledger >= 1e-4
