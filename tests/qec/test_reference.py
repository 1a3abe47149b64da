"""The tree against the paper's two worked examples, exhaustive enumeration, Stim, closed formulas and independent numbers."""

from __future__ import annotations

import math

import pytest
import stim
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, QubitSet, Thresholds, criteria, simulate, steane, tasks
from triptych.qec import program as do
from triptych.qec import reference as tree
from triptych.qec.program import (
    CX,
    CZ,
    Correct,
    Depolarize1,
    Depolarize2,
    Flip,
    H,
    Measure,
    Merge,
    Prepare,
    Split,
    Syndrome,
    Verify,
)

EXACT = Thresholds(event=0.0, merge=0.0)


def packed(text: str) -> int:
    """A Pauli string as the paper writes it, qubit 0 on the right."""
    return sum("IXZY".index(letter) << 2 * q for q, letter in enumerate(reversed(text)))


def named(one: QubitSet) -> dict[str, float]:
    width = max(one.qubits) + 1
    return {"".join("IXZY"[s >> 2 * q & 3] for q in reversed(range(width))): p for s, p in one.states.items()}


def test_event_of_figure_1() -> None:
    # The caption fixes rate, threshold and which states branch; the probabilities .6, .35, .05 are chosen to agree with it.
    old = QubitSet(frozenset(range(3)), {packed("III"): 0.6, packed("IIX"): 0.35, packed("IXX"): 0.05})
    new = tasks.branch(old, (1, 2, 3), 0.3, threshold=0.1)
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
    assert tasks.branch(old, (1,), 0.5, threshold=0.25).ledger < 1e-14, "a state at the threshold branches"
    other = QubitSet(frozenset({1}), {0: 0.5, 4: 0.5})
    assert len(tasks.merge(old, other, threshold=0.125, rule="lossy").states) == 2, "a merged state at the threshold is not kept"


def test_ledgers_add_in_a_product() -> None:
    # Computed: no error at all. True: errors with .1 and .2. The event "any error" is off by .28, more than either ledger.
    a, b = QubitSet(frozenset({0}), {0: 1.0}, 0.1), QubitSet(frozenset({1}), {0: 1.0}, 0.2)
    assert tasks.merge(a, b, threshold=0.0, rule="lossy").ledger >= 1 - 0.9 * 0.8


@pytest.mark.parametrize("d", [0.001, 0.02, 0.05])
def test_the_ledger_of_a_conditioned_set(d: float) -> None:
    # Computed: accepted without error .1, rejected .9. True: d of the accepted mass carries an error, or d of it is rejected.
    computed = QubitSet(frozenset({0, 1}), {0: 0.1, 4: 0.9}, d)
    block, accepted = tasks.accept(computed, (1,))
    assert accepted == 0.1 and block.states == {0: 1.0}
    assert min(1.0, d / 0.1) <= block.ledger <= min(1.0, d / (0.1 - d)) + 1e-14


@settings(deadline=None)
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


@pytest.mark.parametrize("gate", [H(qubit=0), CX(control=0, target=1), CX(control=1, target=0), CZ(first=0, second=1)])
def test_gates_move_errors_as_stim_says(gate: H | CX | CZ) -> None:
    circuit = oracle.stim_circuit((gate,))
    for state in range(16):
        after = stim.PauliString(["_XZY"[state >> 2 * q & 3] for q in range(2)]).after(circuit)
        expected = sum((0, 1, 3, 2)[after[q]] << 2 * q for q in range(2))  # Stim numbers I, X, Y, Z
        moved = tasks.rewrite(QubitSet(frozenset({0, 1}), {state: 1.0}), tasks.propagation(gate))
        assert moved.states == {expected: 1.0}


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
    exact = simulate(ADAPTIVE, criterion=crash, event_threshold=0, merge_threshold=0).crash_rate
    assert exact.value == pytest.approx(truth, abs=1e-13)
    assert exact.upper - exact.lower < 1e-12  # type: ignore[operator]
    for event in (0.3, 0.1, 0.03, 1e-3):
        for rule in ("preservation", "lossy"):
            rough = simulate(ADAPTIVE, criterion=crash, event_threshold=event, merge_threshold=event / 10, merge=rule).crash_rate  # type: ignore[arg-type]
            assert rough.lower <= truth <= rough.upper  # type: ignore[operator]


@some.composite
def small_programs(draw: some.DrawFn) -> Program:
    """Three qubits, a verified pair or not, up to six gates, four noise events, a measurement with feedback."""
    rate = some.floats(0.0, 0.5)
    steps: list[do.Instruction] = [Prepare(qubit=q) for q in range(3)]
    if draw(some.booleans()):
        body = (Prepare(qubit=0), Prepare(qubit=1), Depolarize2(first=0, second=1, rate=draw(rate)), Measure(qubit=1))
        steps.append(Verify(body=body, checks=(1,), first=1))
        steps.append(Prepare(qubit=2))
    pair_event = Depolarize2(first=1, second=2, rate=draw(rate))
    noise = iter([Depolarize1(qubit=0, rate=draw(rate)), pair_event, Depolarize1(qubit=2, rate=draw(rate))])
    for _ in range(draw(some.integers(1, 6))):
        a, b, _ = draw(some.permutations(range(3)))
        gates = (H(qubit=a), CX(control=a, target=b), CZ(first=a, second=b), Merge(qubits=(a, b)))
        steps.append(draw(some.sampled_from(gates)))
        steps += [event for event in [next(noise, None)] if event is not None and draw(some.booleans())]
    steps += [Measure(qubit=2, basis=draw(some.sampled_from(["Z", "X"]))), Flip(bit=2, rate=draw(rate))]
    steps.append(Correct(syndromes=((2,),), table=((), (draw(some.integers(0, 1)),)), pauli=draw(some.sampled_from(["X", "Z"]))))
    return Program(instructions=tuple(steps), blocks=((0, 1),))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(small_programs(), some.floats(0, 0.5), some.floats(0, 0.2), some.sampled_from(["preservation", "lossy"]))
def test_certificate_contains_the_truth(program: Program, event: float, merge: float, rule: tasks.MergeRule) -> None:
    for crash in (lambda x, z: x > 0, lambda x, z: z == 1 or x == 2):
        found = simulate(program, criterion=crash, event_threshold=event, merge_threshold=merge, merge=rule).crash_rate
        assert found.lower <= oracle.crash_rate(program, crash) <= found.upper  # type: ignore[operator]


@pytest.mark.parametrize("q", [1e-4, 0.03, 0.4])
def test_iid_flips_of_a_block(q: float) -> None:
    steps = [step for qubit in range(7) for step in (Prepare(qubit=qubit), Measure(qubit=qubit), Flip(bit=qubit, rate=q))]
    program = Program(instructions=tuple(steps), blocks=(tuple(range(7)),))
    found = simulate(program, criterion="readout", event_threshold=0, merge_threshold=0)
    assert found.crash_rate.value == pytest.approx(oracle.hamming_failure(q), rel=1e-12)


def test_sets_split_and_merge() -> None:
    pair = (Prepare(qubit=0), Prepare(qubit=1), Prepare(qubit=2), CX(control=0, target=1))
    apart = tree.run(Program(instructions=pair, blocks=()), EXACT)
    assert sorted(map(sorted, (one.qubits for one in apart.sets))) == [[0, 1], [2]]
    together = tree.run(Program(instructions=(*pair, Merge(qubits=(1, 2)), Split(qubits=(0,))), blocks=()), EXACT)
    assert sorted(map(sorted, (one.qubits for one in together.sets))) == [[1, 2]]


def test_a_verified_pair_is_conditioned() -> None:
    body = (Prepare(qubit=0), Depolarize1(qubit=0, rate=0.3), Prepare(qubit=1), CX(control=0, target=1), Measure(qubit=1))
    found = tree.run(Program(instructions=(Verify(body=body, checks=(1,)),), blocks=((0,),)), EXACT)
    assert found.acceptances[0][0] == pytest.approx(0.8)
    assert named(found.sets[0]) == pytest.approx({"I": 0.7 / 0.8, "Z": 0.1 / 0.8})


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
    for event, merge in ((1e-5, 1e-9), (1e-6, 1e-8), (1e-5, 1e-7)):
        whole = tree.run(program, Thresholds(event=event, merge=merge)).sets
        assert [math.fsum(one.states.values()) for one in whole] == pytest.approx([1.0] * len(whole), abs=1e-12)
        kept = simulate(program, event_threshold=event, merge_threshold=merge)
        lossy = simulate(program, event_threshold=event, merge_threshold=merge, merge="lossy")
        assert 1 - kept.crash_rate.value >= 1 - lossy.crash_rate.value - lossy.lost
        assert lossy.lost > 0
