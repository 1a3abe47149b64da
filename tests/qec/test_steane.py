"""The [[7,1,3]] programs against Stim, fault counts, and exact rates by Walsh-Hadamard transform."""

from __future__ import annotations

import numpy as np
import pytest
import stim

from tests.oracles import qec as oracle
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
        found = simulate(program, criterion=criterion).crash_rate
        assert found.value == pytest.approx(truth, rel=5e-3)
        assert found.lower < truth < found.upper  # type: ignore[operator]
        assert found.upper - found.lower < 0.05 * exact["css"]  # type: ignore[operator]


@pytest.mark.parametrize(("p", "extractions"), [(1e-5, 3), (1e-3, 2)])
def test_one_bit_flip_recovery_in_uniform_noise(p: float, extractions: int) -> None:
    program = steane.bit_flip_recovery(Noise.uniform(p), preparation="8+1", extractions=extractions)
    for criterion, truth in oracle.recovery_rates(program).items():
        found = simulate(program, criterion=criterion).crash_rate
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


def test_the_rates_of_table_1() -> None:
    assert Noise.eshe_rates() == Noise(reset=1e-6, one_qubit=1e-6, two_qubit=1e-4, measurement=1e-4)


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
    with pytest.raises(ConfigError, match=r"noise\.reset"):
        Noise.uniform(1.5)
