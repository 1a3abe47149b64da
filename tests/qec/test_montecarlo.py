"""The Monte Carlo against exhaustive enumeration and against the tree, within four standard deviations."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import qec as oracle
from tests.qec.test_reference import ADAPTIVE
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, Thresholds, criteria, montecarlo, reference, simulate, steane, tasks
from triptych.qec.program import Correct, Flip, Measure, Prepare, Verify


@pytest.mark.parametrize("crash", [lambda x, z: x == 1, lambda x, z: z == 2, lambda x, z: (x ^ z) in (1, 3)])
def test_adaptive_circuit_against_all_fault_combinations(crash: criteria.Criterion) -> None:
    found = simulate(ADAPTIVE, engine="montecarlo", criterion=crash, shots=1_000_000, rng=np.random.default_rng(11))
    assert abs(found.crash_rate.pull(oracle.crash_rate(ADAPTIVE, crash))) < 4  # type: ignore[arg-type]
    assert abs(found.acceptance.pull(simulate(ADAPTIVE, criterion=crash, event_threshold=0, merge_threshold=0).acceptance)) < 4  # type: ignore[arg-type]


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_one_extraction_agrees_with_the_tree(preparation: str) -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-2), preparation=preparation, extractions=1)
    thresholds = Thresholds(event=3e-7, merge=3e-9)
    final = reference.joined(reference.run(program, thresholds).sets, thresholds)
    for seed, (name, crash) in enumerate(criteria.CRITERIA.items()):
        drawn = simulate(program, engine="montecarlo", criterion=name, shots=500_000, rng=np.random.default_rng(seed))
        assert abs(drawn.crash_rate.pull(tasks.tally(final, program.blocks, crash))) < 4  # type: ignore[arg-type]


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_a_whole_recovery_agrees_with_the_tree(preparation: str) -> None:
    program = steane.recovery(Noise.uniform(1e-3), preparation=preparation)
    tree = simulate(program, criterion="css", event_threshold=1e-6, merge_threshold=1e-10)
    drawn = simulate(program, engine="montecarlo", criterion="css", shots=500_000, rng=np.random.default_rng(7))
    assert abs(drawn.crash_rate.pull(tree.crash_rate)) < 4  # type: ignore[arg-type]
    assert abs(drawn.acceptance.pull(tree.acceptance)) < 4  # type: ignore[arg-type]


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_a_whole_recovery_at_strong_noise_agrees_with_the_transform(preparation: str) -> None:
    program = steane.recovery(Noise.uniform(1e-2), preparation=preparation)
    for seed, (name, truth) in enumerate(oracle.recovery_rates(program).items()):
        drawn = simulate(program, engine="montecarlo", criterion=name, shots=200_000, rng=np.random.default_rng(seed))
        assert abs(drawn.crash_rate.pull(truth)) < 4  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_three_extractions_at_strong_noise_agree_with_the_tree(preparation: str) -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-2), preparation=preparation)
    thresholds = Thresholds(event=1e-7, merge=1e-10)
    final = reference.joined(reference.run(program, thresholds).sets, thresholds)
    for seed, (name, crash) in enumerate(criteria.CRITERIA.items()):
        drawn = simulate(program, engine="montecarlo", criterion=name, shots=100_000, rng=np.random.default_rng(seed))
        value = tasks.tally(final, program.blocks, crash)
        assert abs(drawn.crash_rate.value - value) < 4 * (drawn.crash_rate.error or 0)


@pytest.mark.parametrize("votes", [1, 2, 3, 4])
def test_a_majority_is_more_than_half(votes: int) -> None:
    bits = range(1, votes + 1)
    read = [step for bit in bits for step in (Prepare(qubit=bit), Measure(qubit=bit), Flip(bit=bit, rate=0.1 * bit))]
    vote = Correct(syndromes=tuple((bit,) for bit in bits), table=((), (0,)), pauli="X")
    program = Program(instructions=(Prepare(qubit=0), *read, vote), blocks=((0,),))
    truth = oracle.crash_rate(program, lambda x, z: x == 1)
    tree = simulate(program, criterion=lambda x, z: x == 1, event_threshold=0, merge_threshold=0)
    assert tree.crash_rate.value == pytest.approx(truth, abs=1e-14)
    rng = np.random.default_rng(votes)
    drawn = simulate(program, engine="montecarlo", criterion=lambda x, z: x == 1, shots=100_000, rng=rng)
    assert abs(drawn.crash_rate.pull(truth)) < 4  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_answer() -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-2))
    counts = {montecarlo.sample(program, criteria.css, shots=1000, rng=np.random.default_rng(3)) for _ in range(2)}
    assert len(counts) == 1


def test_rejected_ancillas_are_prepared_again() -> None:
    body = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=0.5))
    program = Program(instructions=(Verify(body=body, checks=(0,)), Prepare(qubit=0)), blocks=((0,),))
    counts = montecarlo.sample(program, lambda x, z: False, shots=10_000, rng=np.random.default_rng(4))
    assert counts.accepted == 10_000 and abs(counts.prepared - 20_000) < 4 * np.sqrt(20_000)


def test_what_the_monte_carlo_refuses() -> None:
    program = steane.verified_ancilla(Noise.uniform(0.01))
    with pytest.raises(ConfigError, match="generator"):
        simulate(program, engine="montecarlo")
    with pytest.raises(ConfigError, match="shots"):
        simulate(program, engine="montecarlo", shots=0, rng=np.random.default_rng(1))
    always = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=1.0))
    hopeless = Program(instructions=(Verify(body=always, checks=(0,)),), blocks=())
    with pytest.raises(ConfigError, match="hardly ever accepts"):
        montecarlo.sample(hopeless, criteria.css, shots=1, rng=np.random.default_rng(1))
