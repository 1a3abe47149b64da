"""The [[7,1,3]] programs against Stim, fault counts, and exact rates by Walsh-Hadamard transform."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import stim

from tests.oracles import qec as oracle
from tests.oracles import qec_blocks
from tests.qec.test_reference import ADAPTIVE
from triptych.errors import ConfigError
from triptych.qec import Noise, criteria, simulate, steane
from triptych.qec import program as do

DATA = range(7)


def body(preparation: str | steane.Preparation, state: steane.Logical) -> do.Verify:
    verify = steane.verified_ancilla(Noise.uniform(0.1), preparation=preparation, state=state).instructions[0]
    assert isinstance(verify, do.Verify)
    return verify


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
@pytest.mark.parametrize(("state", "letter"), [("0", "Z"), ("+", "X")])
def test_the_ancilla_is_the_logical_state_and_its_checks_are_certain(
    preparation: str, state: steane.Logical, letter: str
) -> None:
    simulator = stim.TableauSimulator()
    simulator.do_circuit(oracle.stim_circuit(body(preparation, state).body))
    assert not any(simulator.current_measurement_record())
    stabilizers = [(pauli, row) for pauli in "XZ" for row in criteria.CHECKS]
    for pauli, qubits in [*stabilizers, (letter, tuple(DATA))]:
        operator = stim.PauliString("".join(pauli if q in qubits else "_" for q in DATA))
        assert simulator.peek_observable_expectation(operator) == 1


def count(preparation: str | steane.Preparation, state: steane.Logical) -> tuple[int, int, int]:
    """(single faults, rejected, accepted and bad)."""
    verify = body(preparation, state)
    ends = list(oracle.single_faults(verify.body))
    passed = [end for end in ends if not any(end[check][0] for check in verify.checks)]
    part = 0 if state == "0" else 1
    bad = [end for end in passed if criteria.LOCATION[sum(end[q][part] << q for q in DATA)] == criteria.LOST]
    return len(ends), len(ends) - len(passed), len(bad)


@pytest.mark.parametrize("state", ["0", "+"])
def test_single_faults(state: steane.Logical) -> None:
    assert count("8+1", state) == (173, 92, 0)
    assert count("9+3", state) == (325, 219, 0)


def test_single_faults_of_the_bare_encoder() -> None:
    steps = body("8+1", "0").body
    encoder = steps[: steps.index(do.Prepare(qubit=7))]
    ends = [sum(end[q][0] << q for q in DATA) for end in oracle.single_faults(encoder)]
    assert len(ends) == 127
    assert sum(criteria.LOCATION[x] == criteria.LOST for x in ends) == 29


@pytest.mark.parametrize(
    ("line", "bad"),
    [((2, 3, 6), 0), ((1, 4, 6), 0), ((0, 1, 2), 16), ((0, 3, 4), 16), ((1, 3, 5), 8), ((2, 4, 5), 8), ((0, 5, 6), 24)],
)
def test_which_single_check_is_fault_tolerant(line: tuple[int, ...], bad: int) -> None:
    nine = steane.PREPARATIONS["9+3"]
    assert count(steane.Preparation(pivots=nine.pivots, cnots=nine.cnots, checks=(line,)), "0")[2] == bad


def test_criteria_count_their_survivors() -> None:
    strings = [(x, z) for x in range(128) for z in range(128)]
    survivors = {name: sum(not crash(x, z) for x, z in strings) for name, crash in criteria.CRITERIA.items()}
    # 256 classes of 64 equivalent strings each: 64, 22 and 128 of them survive; strict counts strings.
    assert survivors == {"css": 64 * 64, "paper22": 22 * 64, "strict": 22, "readout": 128 * 64}
    for x, z in strings:
        order = [criteria.CRITERIA[name](x, z) for name in ("readout", "css", "paper22", "strict")]
        assert order == sorted(order), "each criterion is harder than the one before"


def test_the_transform_agrees_with_listing_all_faults() -> None:
    verify = next(step for step in ADAPTIVE.instructions if isinstance(step, do.Verify))
    listed = np.zeros(4)
    for weight, errors in oracle.worlds(verify.body):
        if errors[1][0] == 0:
            x, z = errors[0]
            listed[x + 2 * z] += weight
    kept, acceptance, passed = oracle.verified(verify)
    assert kept == [0] and acceptance == pytest.approx(listed.sum(), rel=1e-14)
    assert passed == pytest.approx(listed / listed.sum(), rel=1e-14)


@pytest.mark.parametrize(
    ("preparation", "css", "paper22"), [("9+3", 4.915725e-6, 5.470793e-6), ("8+1", 5.295822e-6, 5.902150e-6)]
)
def test_the_transform_agrees_with_another_one(preparation: str, css: float, paper22: float) -> None:
    # Rates from another program for the same transform, where a one-qubit event also precedes each syndrome measurement.
    program = steane.recovery(Noise.eshe_rates(), preparation=preparation)
    steps: list[do.Instruction] = []
    for step in program.instructions:
        steps += [do.Depolarize1(qubit=step.qubit, rate=1e-6), step] if isinstance(step, do.Measure) else [step]
    rates = oracle.recovery_rates(do.Program(instructions=tuple(steps), blocks=program.blocks))
    assert (rates["css"], rates["paper22"]) == pytest.approx((css, paper22), rel=2e-7)


@pytest.mark.parametrize("state", ["0", "+"])
@pytest.mark.parametrize(
    ("preparation", "noise", "separate"),  # the last: from another program for the same transform, to as many digits as it has
    [
        ("9+3", Noise.uniform(1e-4), 0.9978226256),
        ("9+3", Noise.uniform(1e-3), 0.9784607371),
        ("8+1", Noise.eshe_rates(), 0.99931110),
    ],
)
def test_acceptance(preparation: str, noise: Noise, separate: float, state: steane.Logical) -> None:
    program = steane.verified_ancilla(noise, preparation=preparation, state=state)
    _, truth, _ = oracle.verified(program.instructions[0])  # type: ignore[arg-type]
    assert truth == pytest.approx(separate, abs=5e-9 if preparation == "8+1" else 1e-10)
    found = simulate(program, event_threshold=1e-9, merge_threshold=1e-15).acceptance
    assert found.value == pytest.approx(truth, abs=2e-9)
    assert found.lower <= truth <= found.upper  # type: ignore[operator]


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_one_recovery_at_the_rates_of_table_1(preparation: str) -> None:
    program = steane.recovery(Noise.eshe_rates(), preparation=preparation)
    exact = oracle.recovery_rates(program)
    for criterion, truth in exact.items():
        assert simulate(program, engine="exact", criterion=criterion).crash_rate.value == pytest.approx(truth, rel=1e-7)
        found = simulate(program, engine="tree", criterion=criterion).crash_rate
        assert found.value == pytest.approx(truth, rel=5e-3)
        assert found.lower < truth < found.upper  # type: ignore[operator]
        assert found.upper - found.lower < 0.05 * exact["css"]  # type: ignore[operator]


@pytest.mark.parametrize(("p", "extractions"), [(1e-5, 3), (1e-3, 2)])
def test_one_bit_flip_recovery_in_uniform_noise(p: float, extractions: int) -> None:
    program = steane.bit_flip_recovery(Noise.uniform(p), preparation="8+1", extractions=extractions)
    for criterion, truth in oracle.recovery_rates(program).items():
        assert simulate(program, engine="exact", criterion=criterion).crash_rate.value == pytest.approx(truth, rel=1e-6)
        found = simulate(program, engine="tree", criterion=criterion).crash_rate
        assert found.lower < truth < found.upper  # type: ignore[operator]


@pytest.mark.slow
def test_one_recovery_converges() -> None:
    program = steane.recovery(Noise.eshe_rates())
    found = simulate(program, event_threshold=1e-10, merge_threshold=1e-16).crash_rate
    assert found.value == pytest.approx(oracle.recovery_rates(program)["css"], rel=1e-4)


@pytest.mark.parametrize(("preparation", "events"), [("9+3", (10, 3, 21, 3)), ("8+1", (8, 3, 11, 1))])
def test_noise_follows_every_operation(preparation: str, events: tuple[int, ...]) -> None:
    noise = Noise(reset=0.1, one_qubit=0.2, two_qubit=0.3, measurement=0.4)
    rates = [getattr(step, "rate", None) for step in steane.verified_ancilla(noise, preparation=preparation).flat()]
    assert tuple(rates.count(rate) for rate in (0.1, 0.2, 0.3, 0.4)) == events


@pytest.mark.parametrize("options", [{}, {"preparation": "8+1", "extractions": 2}])
def test_a_recovery_as_matrices_agrees_with_its_joint_transform(options: steane.Options) -> None:
    program = steane.recovery(Noise.uniform(1e-3), **options)
    assert qec_blocks.rates(program) == pytest.approx(oracle.recovery_rates(program), rel=1e-8)


@pytest.mark.parametrize(
    ("build", "truth"),  # to as many digits as another program for the same transform has them
    [
        (steane.cnot_recovery, {"css": 1.49638627e-5, "paper22": 1.64382065e-5, "readout": 8.828324e-6}),
        (steane.two_qubit, {"readout": 1.677615e-5}),
    ],
)
def test_two_blocks(build: Callable[..., do.Program], truth: dict[str, float]) -> None:
    rates = qec_blocks.rates(build(noise=Noise.uniform(1e-4)))
    for criterion, rate in truth.items():
        assert rates[criterion] == pytest.approx(rate, rel=1e-7)


def test_two_blocks_at_a_stronger_noise() -> None:
    rates = qec_blocks.rates(steane.tree_program(Noise.uniform(1e-3)))
    assert (rates["css"], rates["paper22"]) == pytest.approx((1.47960918e-3, 1.63170732e-3), rel=1e-8)


def story(program: do.Program) -> list[tuple[str, ...]]:
    """Logical CNOTs and corrections, by block, in their order."""
    home = {q: str(i) for i, block in enumerate(program.blocks) for q in block}
    found: list[tuple[str, ...]] = []
    for step in program.instructions:
        if isinstance(step, do.CX) and step.control in home and step.target in home:
            found.append((home[step.control], home[step.target]))
        elif isinstance(step, do.Correct):
            found.append((step.pauli, *{home[q] for row in step.table for q in row}))
    return found


def gate(control: int, target: int, *, recovered: bool = True) -> list[tuple[str, ...]]:
    a, b = str(control), str(target)
    return [(a, b)] * 7 + ([("X", a), ("Z", a), ("X", b), ("Z", b)] if recovered else [])


def test_the_order_of_the_logical_gates() -> None:
    noise = Noise.uniform(1e-3)
    assert story(steane.cnot_recovery(noise)) == gate(0, 1)
    assert story(steane.two_qubit(noise)) == gate(0, 1) + gate(0, 1, recovered=False)
    tree = [step for pair in [(0, 1), (0, 2), (1, 3), (0, 4), (1, 5)] for step in gate(*pair)]
    assert story(steane.tree_program(noise, logical_qubits=6)) == tree
    ring = [step for pair in [(0, 1), (1, 2), (2, 0)] for step in gate(*pair)]
    assert story(steane.ring_program(noise, logical_qubits=3)) == ring + ring
    for n in (2, 3, 7, 8, 9):
        assert len(story(steane.tree_program(noise, logical_qubits=n))) == 11 * (n - 1)


def test_logical_cnots_are_transversal() -> None:
    steps = steane.tree_program(Noise.uniform(1e-3), logical_qubits=3).instructions
    pairs = [(step.control, step.target) for step in steps if isinstance(step, do.CX) and max(step.control, step.target) < 21]
    assert pairs == [(q, q + 7) for q in DATA] + [(q, q + 14) for q in DATA]


def test_every_recovery_is_tallied_and_every_block_is_read() -> None:
    program = steane.tree_program(Noise.uniform(1e-3), logical_qubits=3)
    first, second, third = program.blocks
    tallies = [step.blocks for step in program.instructions if isinstance(step, do.Tally)]
    assert tallies == [(first,), (second,), (first,), (third,)]
    assert program.instructions[-21:] == tuple(do.PauliChannel(qubits=(q,), errors=(("X", 1e-3),)) for q in range(21))


@pytest.mark.parametrize("otherwise", ["abort", "skip", "use"])
@pytest.mark.parametrize("name", steane.PROGRAMS)
def test_ancillas_of_finite_supply(name: str, otherwise: steane.Otherwise) -> None:
    program = steane.PROGRAMS[name](Noise.uniform(1e-3), supply=2, otherwise=otherwise)
    votes = [step for step in program.instructions if isinstance(step, do.Correct)]
    verified = [step for step in program.instructions if isinstance(step, do.Verify)]
    assert {(step.supply, step.otherwise) for step in verified} == {(2, otherwise)}
    markers = [step.first + 7 for step in verified] if otherwise == "skip" else []
    assert [bit for vote in votes for bit in vote.absent] == markers
    forgotten = [q for step in program.instructions if isinstance(step, do.Split) for q in step.qubits]
    assert len(forgotten) == 9 * len(votes) + len(markers), "three bits of each syndrome, and its marker"


def test_numbers_of_ancillas_are_used_again() -> None:
    program = steane.tree_program(Noise.uniform(1e-3), logical_qubits=5)
    ends = [step.first + 10 for step in program.instructions if isinstance(step, do.Verify)]
    assert max(ends) == 35 + 3 * 10 and program.physical_qubits == 5 * 7 + 8 * 60


def test_qubits_are_counted_without_reuse() -> None:
    noise = Noise.uniform(1e-3)
    assert steane.recovery(noise).physical_qubits == 7 + 6 * 10
    assert steane.bit_flip_recovery(noise, preparation="8+1", extractions=5).physical_qubits == 7 + 5 * 8


def test_bad_arguments_are_refused() -> None:
    noise = Noise.uniform(1e-3)
    with pytest.raises(ConfigError, match="preparation"):
        steane.recovery(noise, preparation="9+1")
    with pytest.raises(ConfigError, match="extractions"):
        steane.bit_flip_recovery(noise, extractions=0)
    with pytest.raises(ConfigError, match="logical state"):
        steane.verified_ancilla(noise, state="1")  # type: ignore[arg-type]
    for build in (steane.tree_program, steane.ring_program):
        for n in (-1, 0, 1):
            with pytest.raises(ConfigError, match="two blocks"):
                build(noise, logical_qubits=n)
    with pytest.raises(ConfigError, match="supply"):
        steane.recovery(noise, supply=0)
    with pytest.raises(TypeError, match="preparaton"):
        steane.recovery(noise, preparaton="9+3")  # type: ignore[call-arg]
