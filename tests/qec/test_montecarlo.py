"""The samplers against lists of all faults, the transform, closed formulas and one another, within four standard deviations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from scipy.stats import chi2

from tests.oracles import qec as oracle
from tests.qec.strategies import Case, programs
from tests.qec.test_reference import ADAPTIVE
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, criteria, montecarlo, simulate, steane
from triptych.qec import program as do
from triptych.qec.montecarlo import geometric, kernels
from triptych.qec.montecarlo.flat import flatten
from triptych.qec.program import Correct, Depolarize1, Flip, Measure, PauliChannel, Prepare, Verify
from triptych.statistics import wilson

Sampler = Callable[..., montecarlo.Counts]
SAMPLERS: dict[str, Sampler] = {
    "frames": montecarlo.sample,
    "per location": partial(montecarlo.sample, per_location=True),
    "geometric": geometric.sample,
}
every_sampler = pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS)

# Rates from 1e-3 to 1/2, every gate, a channel on three qubits, a retried preparation, a vote in which syndromes may be absent.
UNEQUAL = Program(
    instructions=(
        *(Prepare(qubit=q) for q in range(3)),
        PauliChannel(qubits=(2, 0, 1), errors=(("XYI", 0.2), ("IZX", 0.05), ("YYY", 0.001))),
        do.H(qubit=0),
        do.S(qubit=0),
        do.X(qubit=0),
        do.CX(control=0, target=1),
        Depolarize1(qubit=1, rate=0.3),
        do.S(qubit=1),
        do.Swap(first=1, second=2),
        do.CZ(first=1, second=0),
        do.Depolarize2(first=1, second=0, rate=0.01),
        Verify(
            body=(
                *(Prepare(qubit=q, basis="X") for q in (0, 2)),
                PauliChannel(qubits=(0,), errors=(("Z", 0.3),)),
                do.CZ(first=0, second=2),
                do.CX(control=0, target=2),
                Depolarize1(qubit=0, rate=0.2),
                do.CX(control=0, target=2),
                Measure(qubit=2),
                Flip(bit=2, rate=0.1),
            ),
            checks=(2,),
            first=3,
        ),
        do.Y(qubit=2),
        do.Z(qubit=2),
        do.CX(control=2, target=3),
        Measure(qubit=3, basis="X"),
        Measure(qubit=2),
        Flip(bit=2, rate=0.5),
        do.Tally(blocks=((0,), (1, 3))),
        *(step for q in (6, 7) for step in (Prepare(qubit=q, basis="X"), Measure(qubit=q, basis="X"), Flip(bit=q, rate=0.1))),
        Correct(syndromes=((2,), (3,), (6,)), table=((), (0, 1)), pauli="X", absent=(7, 6, 7)),
    ),
    blocks=((0, 1),),
)


@cache
def final_errors() -> dict[tuple[int, int], float]:
    """How often each error is on the block of UNEQUAL in the end."""
    found: Counter[tuple[int, int]] = Counter()
    for weight, errors in oracle.worlds(UNEQUAL.instructions):
        assert errors is not None
        found[sum(errors[q][0] << q for q in (0, 1)), sum(errors[q][1] << q for q in (0, 1))] += weight  # type: ignore[assignment]
    return {final: weight / sum(found.values()) for final, weight in found.items()}


def rate(counts: montecarlo.Counts) -> Any:
    return wilson(counts.crashes, counts.shots)


@every_sampler
@pytest.mark.parametrize("crash", [lambda x, z: x == 1, lambda x, z: z == 2, lambda x, z: (x ^ z) in (1, 3)])
def test_adaptive_circuit_against_all_fault_combinations(sample: Sampler, crash: criteria.Criterion) -> None:
    counts = sample(ADAPTIVE, crash, shots=200_000, rng=np.random.default_rng(11))
    assert abs(rate(counts).pull(oracle.crash_rate(ADAPTIVE, crash))) < 4
    acceptance = simulate(ADAPTIVE, criterion=crash, event_threshold=0, merge_threshold=0).acceptance
    assert abs(wilson(counts.accepted, counts.prepared).pull(acceptance)) < 4  # type: ignore[arg-type]


@every_sampler
def test_every_final_error_of_a_program_with_unequal_rates(sample: Sampler) -> None:
    rng, shots, total = np.random.default_rng(12), 50_000, 0.0
    finals = final_errors()
    for final, truth in finals.items():
        counts = sample(UNEQUAL, lambda x, z, final=final: (x, z) == final, shots=shots, rng=rng)
        total += (counts.crashes - shots * truth) ** 2 / (shots * truth * (1 - truth))
    assert chi2.isf(1 - 1e-5, len(finals)) < total < chi2.isf(1e-5, len(finals))


@every_sampler
def test_crashes_at_any_time(sample: Sampler) -> None:
    def crash(x: int, z: int) -> bool:
        return x == 1 and z < 2

    rates = {}
    for seed, at_any_time in enumerate((False, True)):
        counts = sample(UNEQUAL, crash, shots=100_000, rng=np.random.default_rng(seed), at_any_time=at_any_time)
        rates[at_any_time] = oracle.crash_rate(UNEQUAL, crash, at_any_time=at_any_time)
        assert abs(rate(counts).pull(rates[at_any_time])) < 4
    assert rates[True] > rates[False] + 0.05


@every_sampler
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(case=programs(compiled=True), at_any_time=some.booleans())
def test_random_programs(sample: Sampler, case: Case, at_any_time: bool) -> None:
    shots = 3000
    counts = sample(case.program, case.crash, shots=shots, rng=np.random.default_rng(1), at_any_time=at_any_time)
    truth = oracle.crash_rate(case.program, case.crash, at_any_time=at_any_time)
    assert abs(counts.crashes - shots * truth) <= 5 * math.sqrt(shots * truth * (1 - truth)) + 5


@every_sampler
@pytest.mark.parametrize(("otherwise", "lost"), [("abort", True), ("use", False), ("skip", False)])
def test_a_finite_supply(sample: Sampler, otherwise: Any, lost: bool) -> None:
    """A block that is rejected with probability 2/5, an error on it of 3/10, and three of them: one shot in 15.6 gets none."""
    body = (*(Prepare(qubit=q) for q in (0, 1)), Measure(qubit=1), Flip(bit=1, rate=0.4), Depolarize1(qubit=0, rate=0.45))
    supplied = Verify(body=body, checks=(1,), first=4, supply=3, otherwise=otherwise)
    program = Program(instructions=(supplied, Verify(body=body, checks=(1,))), blocks=((4,),))
    shots, none, error = 200_000, 0.4**3, 0.3
    counts = sample(program, lambda x, z: x == 1, shots=shots, rng=np.random.default_rng(5))
    truth = {"abort": none + (1 - none) * error, "use": error, "skip": (1 - none) * error}[otherwise]
    assert abs(rate(counts).pull(truth)) < 4
    runs = shots * (1 - none) if lost else shots
    expected = (shots * (1 - none) + runs, shots * (1 + 0.4 + 0.16) + runs / 0.6)
    for seen, mean in zip((counts.accepted, counts.prepared), expected, strict=True):
        assert abs(seen - mean) < 4 * math.sqrt(4 * shots)


@every_sampler
def test_a_skipped_block_is_marked_and_has_no_vote(sample: Sampler) -> None:
    body = (
        *(Prepare(qubit=q) for q in (0, 1)),
        *(Measure(qubit=q) for q in (0, 1)),
        Flip(bit=0, rate=0.3),
        Flip(bit=1, rate=0.2),
    )
    blocks = [Verify(body=body, checks=(1,), first=1 + 2 * i, supply=1, otherwise="skip") for i in range(3)]
    vote = Correct(syndromes=((1,), (3,), (5,)), table=((), (0,)), pauli="Z", absent=(2, 4, 6))
    program = Program(instructions=(Prepare(qubit=0), *blocks, vote), blocks=((0,),))
    counts = sample(program, lambda x, z: z == 1, shots=200_000, rng=np.random.default_rng(6))
    truth = sum(
        math.comb(3, voters) * 0.8**voters * 0.2 ** (3 - voters) * math.comb(voters, votes) * 0.3**votes * 0.7 ** (voters - votes)
        for voters in range(4)
        for votes in range(voters + 1)
        if 2 * votes > voters
    )
    assert abs(rate(counts).pull(truth)) < 4


def coin(x: int, z: int) -> dict[tuple[int, int], float]:
    return {(x ^ 1, z): 0.25, (x, z ^ 2): 0.75} if x & 2 else {(x, z): 1.0}


@every_sampler
def test_a_task_of_ones_own(sample: Sampler) -> None:
    steps = (*(Prepare(qubit=q) for q in (0, 1)), Depolarize1(qubit=0, rate=0.6), do.CX(control=0, target=1))
    program = Program(instructions=(*steps, do.Custom(qubits=(0, 1), change=coin)), blocks=((0, 1),))
    for seed, lost in enumerate([(2, 0), (3, 2), (3, 3)]):
        counts = sample(program, lambda x, z, lost=lost: (x, z) == lost, shots=100_000, rng=np.random.default_rng(seed))
        assert abs(rate(counts).pull(oracle.crash_rate(program, lambda x, z, lost=lost: (x, z) == lost))) < 4


@every_sampler
@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_a_whole_recovery_at_strong_noise_agrees_with_the_transform(sample: Sampler, preparation: str) -> None:
    program = steane.recovery(Noise.uniform(1e-2), preparation=preparation)
    for seed, (name, truth) in enumerate(oracle.recovery_rates(program).items()):
        counts = sample(program, criteria.CRITERIA[name], shots=100_000, rng=np.random.default_rng(seed))
        assert abs(rate(counts).pull(truth)) < 4


@every_sampler
def test_the_ancillas_that_are_prepared(sample: Sampler) -> None:
    program = steane.recovery(Noise.uniform(1e-2), preparation="9+3")
    truths = [oracle.verified(step)[1] for step in program.instructions if isinstance(step, Verify)]
    counts = sample(program, criteria.css, shots=50_000, rng=np.random.default_rng(8))
    assert counts.accepted == 50_000 * len(truths)
    spread = math.sqrt(50_000 * sum((1 - a) / a**2 for a in truths))
    assert abs(counts.prepared - 50_000 * sum(1 / a for a in truths)) < 4 * spread


def test_rare_crashes_agree_with_the_transform() -> None:
    """Noise as in Table I: 3 of 4 shots have no fault at all, and of the others few crash."""
    for seed, noise in enumerate((Noise.eshe_rates(), Noise.uniform(1e-3))):
        program = steane.recovery(noise, preparation="8+1")
        counts = geometric.sample(program, criteria.css, shots=10_000_000, rng=np.random.default_rng(seed))
        assert abs(rate(counts).pull(oracle.recovery_rates(program)["css"])) < 4


@pytest.mark.parametrize("otherwise", ["abort", "use", "skip"])
def test_two_blocks_with_a_finite_supply(otherwise: Any) -> None:
    program = steane.two_qubit(Noise.uniform(1e-2), supply=2, otherwise=otherwise)
    drawn = [sample(program, criteria.css, shots=50_000, rng=np.random.default_rng(9)) for sample in SAMPLERS.values()]
    for counts in drawn[1:]:
        assert abs(rate(counts).pull(rate(drawn[0]))) < 4
        assert abs(wilson(counts.accepted, counts.prepared).pull(wilson(drawn[0].accepted, drawn[0].prepared))) < 4  # type: ignore[arg-type]


@every_sampler
def test_what_needs_no_chance(sample: Sampler) -> None:
    rng = np.random.default_rng(1)
    for certain in (0.0, 1.0):
        steps = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=certain))
        counts = sample(Program(instructions=steps, blocks=((0,),)), lambda x, z: x == 1, shots=100, rng=rng)
        assert counts.crashes == 100 * certain
    silent = Correct(syndromes=((1,),), table=((0,), ()), pauli="X")  # corrects where there is nothing to correct
    steps = (Prepare(qubit=0), Prepare(qubit=1), Measure(qubit=1), Flip(bit=1, rate=1e-9), silent)
    assert sample(Program(instructions=steps, blocks=((0,),)), lambda x, z: x == 1, shots=100, rng=rng).crashes == 100


@every_sampler
@pytest.mark.parametrize("votes", [1, 2, 3, 4])
def test_a_majority_is_more_than_half(sample: Sampler, votes: int) -> None:
    bits = range(1, votes + 1)
    read = [step for bit in bits for step in (Prepare(qubit=bit), Measure(qubit=bit), Flip(bit=bit, rate=0.1 * bit))]
    vote = Correct(syndromes=tuple((bit,) for bit in bits), table=((), (0,)), pauli="X")
    program = Program(instructions=(Prepare(qubit=0), *read, vote), blocks=((0,),))
    counts = sample(program, lambda x, z: x == 1, shots=100_000, rng=np.random.default_rng(votes))
    assert abs(rate(counts).pull(oracle.crash_rate(program, lambda x, z: x == 1))) < 4


def test_every_vote_of_five_syndromes() -> None:
    """The kernel finds a majority in two passes; here all 4^5 votes, by counting."""
    rng = np.random.default_rng(2)
    bits = [tuple(range(2 * i + 2, 2 * i + 4)) for i in range(5)]
    steps = [step for q in (q for pair in bits for q in pair) for step in (Prepare(qubit=q), Measure(qubit=q))]
    vote = Correct(syndromes=tuple(bits), table=((), (0,), (1,), (0, 1)), pauli="X")
    program = Program(instructions=(Prepare(qubit=0), Prepare(qubit=1), *steps, vote), blocks=((0, 1),))
    flat = flatten(program, lambda x, z: False)
    at = flat.ops[-2, 1]
    for values in rng.permutation(4**5):
        x, z = np.zeros((2, 12), dtype=np.uint8)
        x[2:] = [values >> i & 1 for i in range(10)]
        kernels.correct(flat.words, at, x, z)
        shown = [int(values) >> 2 * i & 3 for i in range(5)]
        elected = next((value for value in shown if shown.count(value) > 2), 0)
        assert (x[0], x[1]) == (elected in (1, 3), elected in (2, 3))


@every_sampler
def test_the_same_seed_gives_the_same_answer(sample: Sampler) -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-2))
    counts = [sample(program, criteria.css, shots=1000, rng=np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert counts[0] == counts[1] != counts[2]


def test_simulate_agrees_with_the_tree() -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-2), preparation="8+1", extractions=1)
    tree = simulate(program, criterion="css", event_threshold=1e-6, merge_threshold=1e-8)
    drawn = simulate(program, engine="montecarlo", criterion="css", shots=120_000, rng=np.random.default_rng(7))
    assert drawn.cost.counts == {"shots": 120_000}
    assert abs(drawn.crash_rate.pull(tree.crash_rate)) < 4  # type: ignore[arg-type]
    assert abs(drawn.acceptance.pull(tree.acceptance)) < 4  # type: ignore[arg-type]


@every_sampler
def test_what_the_samplers_refuse(sample: Sampler) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ConfigError, match="needs shots"):
        sample(ADAPTIVE, criteria.css, shots=0, rng=rng)
    always = (Prepare(qubit=0), Measure(qubit=0), Flip(bit=0, rate=1.0))
    hopeless = Program(instructions=(Verify(body=always, checks=(0,)),), blocks=())
    with pytest.raises(ConfigError, match="hardly ever accepts"):
        sample(hopeless, criteria.css, shots=1, rng=rng)
    for change in ({(0, 0): 0.5}, {(0, 0): 1.5, (1, 0): -0.5}):
        task = do.Custom(qubits=(0,), change=lambda x, z, change=change: change)
        with pytest.raises(ConfigError, match="no distribution"):
            sample(Program(instructions=(Prepare(qubit=0), task), blocks=()), criteria.css, shots=1, rng=rng)


def test_simulate_needs_a_generator() -> None:
    with pytest.raises(ConfigError, match="generator"):
        simulate(steane.verified_ancilla(Noise.uniform(0.01)), engine="montecarlo")
