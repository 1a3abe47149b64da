"""Stim's samples of exported programs against lists of all faults, the transform, and the panel's own sampler."""

from __future__ import annotations

import math

import numpy as np
import pytest
import stim
from hypothesis import HealthCheck, given, settings

from tests.oracles import qec as oracle
from tests.qec.strategies import Case, programs
from tests.qec.test_reference import ADAPTIVE
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, criteria, montecarlo, steane
from triptych.qec import program as do
from triptych.qec.program import Correct, Flip, Measure, PauliChannel, Prepare, Verify
from triptych.qec.stim_export import to_stim
from triptych.statistics import wilson


@pytest.mark.parametrize("crash", [lambda x, z: x == 1, lambda x, z: z == 2, lambda x, z: (x ^ z) in (1, 3)])
def test_adaptive_circuit_against_all_fault_combinations(crash: criteria.Criterion) -> None:
    found = to_stim(ADAPTIVE).sample(crash, shots=200_000, rng=np.random.default_rng(1))
    assert abs(wilson(found.crashes, found.accepted).pull(oracle.crash_rate(ADAPTIVE, crash))) < 4  # type: ignore[arg-type]
    accepted = sum(weight for weight, _ in oracle.worlds(ADAPTIVE.instructions))
    assert abs(wilson(found.accepted, found.shots).pull(accepted)) < 4  # type: ignore[arg-type]


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_a_recovery_against_the_transform(preparation: str) -> None:
    program = steane.recovery(Noise.uniform(1e-2), preparation=preparation)
    exported = to_stim(program)
    for seed, (name, truth) in enumerate(oracle.recovery_rates(program).items()):
        found = exported.sample(criteria.CRITERIA[name], shots=100_000, rng=np.random.default_rng(seed))
        assert abs(wilson(found.crashes, found.accepted).pull(truth)) < 4  # type: ignore[arg-type]


def test_two_blocks_against_the_frames() -> None:
    """Corrections of the first block pass through the second logical CNOT, and the blocks are measured in the end."""
    program = steane.two_qubit(Noise.uniform(5e-3), preparation="8+1")
    found = to_stim(program).sample(criteria.readout, shots=100_000, rng=np.random.default_rng(1))
    drawn = montecarlo.sample(program, criteria.readout, shots=100_000, rng=np.random.default_rng(2))
    rates = wilson(found.crashes, found.accepted), wilson(drawn.crashes, drawn.shots)
    assert abs(rates[0].pull(rates[1])) < 4  # type: ignore[arg-type]


def test_the_detectors_are_the_checks() -> None:
    """Stim's own sampler draws gauge freedom at random; the checks do not depend on it, and accept as often as they should."""
    program = steane.recovery(Noise.uniform(1e-2), preparation="9+3")
    circuit = to_stim(program).circuit
    rejects = circuit.compile_detector_sampler(seed=1).sample(100_000)
    assert rejects.shape[1] == 18
    truth = math.prod(oracle.verified(step)[1] for step in program.instructions if isinstance(step, Verify))
    assert abs(wilson(int((~rejects.any(axis=1)).sum()), 100_000).pull(truth)) < 4  # type: ignore[arg-type]
    assert not stim.Circuit(str(circuit)).without_noise().compile_detector_sampler(seed=1).sample(100).any()


def exportable(case: Case) -> bool:
    hidden = do.Custom | do.Hidden | do.Conditional
    return not any(
        isinstance(step, hidden) or (isinstance(step, Verify) and step.supply is not None) for step in case.program.flat()
    )


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(case=programs().filter(exportable))
def test_random_programs(case: Case) -> None:
    found = to_stim(case.program).sample(case.crash, shots=3000, rng=np.random.default_rng(1))
    truth = oracle.crash_rate(case.program, case.crash)
    assert abs(found.crashes - found.accepted * truth) <= 5 * math.sqrt(found.accepted * truth * (1 - truth)) + 5


def test_a_correction_reaches_later_syndromes() -> None:
    """The second vote must see what the first has corrected, or it corrects it again."""
    read = [
        [Prepare(qubit=b), do.CX(control=0, target=b), Measure(qubit=b), Correct(syndromes=((b,),), table=((), (0,)), pauli="X")]
        for b in (1, 2)
    ]
    flipped = PauliChannel(qubits=(0,), errors=(("X", 1.0),))
    program = Program(instructions=(Prepare(qubit=0), flipped, *read[0], *read[1]), blocks=((0,),))
    exported = to_stim(program)
    assert exported.sample(lambda x, z: x == 1, shots=100, rng=np.random.default_rng(1)).crashes == 0
    first, second = exported.corrections
    assert first.flips[0].tolist() == [False, True] and first.x[0].tolist() == [True, False, True]
    assert second.flips[0].tolist() == [False, False]


def test_marked_syndromes_have_no_vote() -> None:
    bits = range(1, 7)
    read = [step for bit in bits for step in (Prepare(qubit=bit), Measure(qubit=bit), Flip(bit=bit, rate=0.07 * bit))]
    vote = Correct(syndromes=((1,), (3,), (5,)), table=((), (0,)), pauli="Z", absent=(2, 4, 6))
    program = Program(instructions=(Prepare(qubit=0), *read, vote), blocks=((0,),))
    found = to_stim(program).sample(lambda x, z: z == 1, shots=100_000, rng=np.random.default_rng(1))
    assert abs(wilson(found.crashes, found.accepted).pull(oracle.crash_rate(program, lambda x, z: z == 1))) < 4  # type: ignore[arg-type]


def test_the_errors_of_a_channel_exclude_one_another() -> None:
    errors = (("XYZ", 0.3), ("ZIX", 0.1), ("YYI", 0.6))
    program = Program(
        instructions=(*(Prepare(qubit=q) for q in range(3)), PauliChannel(qubits=(0, 1, 2), errors=errors)), blocks=((0, 1, 2),)
    )
    exported = to_stim(program)
    for seed, ((_, p), final) in enumerate(zip(errors, ((3, 6), (4, 1), (3, 3)), strict=True)):
        found = exported.sample(lambda x, z, final=final: (x, z) == final, shots=20_000, rng=np.random.default_rng(seed))
        assert abs(wilson(found.crashes, found.accepted).pull(p)) < 4  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_answer() -> None:
    exported = to_stim(steane.bit_flip_recovery(Noise.uniform(2e-2)))
    found = [exported.sample(criteria.css, shots=2000, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_what_stim_cannot_follow() -> None:
    body = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=0.1))
    with pytest.raises(ConfigError, match="supply of 3"):
        to_stim(Program(instructions=(Verify(body=body, checks=(0,), supply=3, otherwise="skip"),), blocks=()))
    custom = do.Custom(qubits=(0,), change=lambda x, z: {(x, z): 1.0})
    with pytest.raises(ConfigError, match="Custom"):
        to_stim(Program(instructions=(Prepare(qubit=0), custom), blocks=((0,),)))
    channel = do.Channel(qubits=(0,), looks=(1,), errors=(1,), matrix=np.eye(2))
    with pytest.raises(ConfigError, match="compiled Channel"):
        to_stim(Program(instructions=(Prepare(qubit=0), channel), blocks=((0,),)))
    burst = do.When(bit=1, event=do.Depolarize1(qubit=0, rate=0.1))
    for steps in ((do.Hidden(bit=1), burst), (Prepare(qubit=1), Measure(qubit=1), burst)):
        with pytest.raises(ConfigError, match="a hidden bit"):
            to_stim(Program(instructions=(Prepare(qubit=0), *steps), blocks=((0,),)))
