"""The strata against lists of all faults, number by number, and against the transform."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tests.oracles import qec as oracle
from tests.qec.test_reference import ADAPTIVE
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, criteria, steane
from triptych.qec import program as do
from triptych.qec.montecarlo import stratified
from triptych.qec.montecarlo.flat import flatten
from triptych.qec.program import Correct, Depolarize1, Flip, Measure, Prepare, Verify


def lost(x: int, z: int) -> bool:
    return x == 1


# Rates from 0.01 to 0.4; half of the faults are rejected, and some that are accepted crash.
BODY = (
    *(Prepare(qubit=q) for q in (0, 1)),
    Depolarize1(qubit=0, rate=0.4),
    do.CX(control=0, target=1),
    do.Depolarize2(first=0, second=1, rate=0.05),
    Measure(qubit=1),
    Flip(bit=1, rate=0.2),
)
READ = (Prepare(qubit=3), do.CX(control=2, target=3), Measure(qubit=3), Flip(bit=3, rate=0.01))
UNEQUAL = Program(
    instructions=(
        Prepare(qubit=2),
        Verify(body=BODY, checks=(1,)),
        do.CX(control=0, target=2),
        Depolarize1(qubit=2, rate=0.1),
        do.Tally(blocks=((2,),)),
        *READ,
        Correct(syndromes=((3,),), table=((), (2,)), pauli="X"),
        do.PauliChannel(qubits=(2,), errors=(("X", 0.02), ("Y", 0.03))),
    ),
    blocks=((2,),),
)


def with_rates(steps: tuple[do.Instruction, ...], rates: list[float]) -> tuple[do.Instruction, ...]:
    """The same program with these rates for its error events, in order; `rates` is used up."""
    changed: list[do.Instruction] = []
    for step in steps:
        if isinstance(step, Verify):
            changed.append(replace(step, body=with_rates(step.body, rates)))
        elif isinstance(step, do.PauliChannel):
            scale = rates.pop(0) / step.rate
            changed.append(replace(step, errors=tuple((pauli, p * scale) for pauli, p in step.errors)))
        elif isinstance(step, do.Event):
            changed.append(replace(step, rate=rates.pop(0)))
        else:
            changed.append(step)
    return tuple(changed)


def exact_strata(program: Program) -> list[tuple[float, float, float]]:
    """For each number of faults: its probability, and the shares of accepted and of crashed runs: every subset of locations."""
    rates = [step.rate for step in program.flat() if isinstance(step, do.Event)]
    strata = []
    for k in range(len(rates) + 1):
        chance = accepted = crashed = 0.0
        for sites in combinations(range(len(rates)), k):
            weight = math.prod(rate if i in sites else 1 - rate for i, rate in enumerate(rates))
            certain = with_rates(program.instructions, [float(i in sites) for i in range(len(rates))])
            chance += weight
            for p, errors in oracle.worlds(certain):
                assert errors is not None
                accepted += weight * p
                crashed += weight * p * lost(*errors[program.blocks[0][0]])
        strata.append((chance, accepted / chance, crashed / chance))
    return strata


def test_each_stratum_against_all_subsets_of_faults() -> None:
    truth = exact_strata(UNEQUAL)
    most = len(truth) - 1
    found = stratified.estimate(UNEQUAL, lost, shots=200_000, k_max=most, rng=np.random.default_rng(1))
    assert found.tail == 0
    for stratum, (chance, accepted, crashed) in zip(found.strata, truth, strict=True):
        assert stratum.probability == pytest.approx(chance, rel=1e-12)
        for share, exact in ((stratum.accepted, accepted), (stratum.crashed, crashed)):
            if stratum.faults < 2:
                assert stratum.shots == 0 and share == pytest.approx(exact, abs=1e-12)
            else:
                assert abs(share - exact) <= 4 * math.sqrt(exact * (1 - exact) / stratum.shots) + 1e-12


def test_the_rates_of_programs_with_unequal_noise() -> None:
    for program in (UNEQUAL, ADAPTIVE):
        for at_any_time in (False, True):
            found = stratified.estimate(
                program, lost, shots=100_000, k_max=7, rng=np.random.default_rng(2), at_any_time=at_any_time
            )
            truth = oracle.crash_rate(program, lost, at_any_time=at_any_time)
            assert abs(found.crash_rate.pull(truth)) < 4  # type: ignore[arg-type]
            assert found.crash_rate.error / truth < 0.02  # type: ignore[operator]
    found = stratified.estimate(UNEQUAL, lost, shots=100_000, k_max=7, rng=np.random.default_rng(2))
    accepted = sum(weight for weight, _ in oracle.worlds(UNEQUAL.instructions))
    assert abs(found.acceptance.pull(accepted)) < 4  # type: ignore[arg-type]


@pytest.mark.parametrize("p", [1e-4, 1e-3, 1e-2])
def test_a_recovery_agrees_with_the_transform(p: float) -> None:
    program = steane.recovery(Noise.uniform(p), preparation="8+1")
    k_max = {1e-4: 4, 1e-3: 6, 1e-2: 16}[p]
    for seed, (name, truth) in enumerate(oracle.recovery_rates(program).items()):
        rng = np.random.default_rng(seed)
        found = stratified.estimate(program, criteria.CRITERIA[name], shots=200_000, k_max=k_max, rng=rng)
        assert abs(found.crash_rate.pull(truth)) < 4  # type: ignore[arg-type]
        assert found.crash_rate.error / truth < 0.03 and found.tail < 1e-3 * truth  # type: ignore[operator]


def test_the_error_is_the_spread_of_many_answers() -> None:
    truth = oracle.crash_rate(UNEQUAL, lost)
    drawn = [stratified.estimate(UNEQUAL, lost, shots=2000, k_max=7, rng=np.random.default_rng(seed)) for seed in range(400)]
    pulls = np.array([one.crash_rate.pull(truth) for one in drawn])
    assert abs(pulls.mean()) < 4 / 20 and abs((pulls**2).mean() - 1) < 4 * math.sqrt(2 / 400)


def test_what_the_number_of_faults_decides_has_no_error() -> None:
    flips = (do.PauliChannel(qubits=(0,), errors=(("X", 0.1 * i),)) for i in range(1, 6))
    program = Program(instructions=(Prepare(qubit=0), *flips), blocks=((0,),))
    found = stratified.estimate(program, lost, shots=100_000, k_max=5, rng=np.random.default_rng(5)).crash_rate
    assert found.value == pytest.approx((1 - math.prod(1 - 0.2 * i for i in range(1, 6))) / 2, abs=1e-12)
    assert found.error < 0.02 * math.sqrt(found.value * (1 - found.value) / 100_000)  # type: ignore[operator]


def test_neglected_faults_widen_the_interval_over_the_truth() -> None:
    found = stratified.estimate(UNEQUAL, lost, shots=1_000_000, k_max=2, rng=np.random.default_rng(3))
    truth = oracle.crash_rate(UNEQUAL, lost)
    rate = found.crash_rate
    assert rate.error is not None and rate.lower is not None and rate.upper is not None
    assert found.tail == pytest.approx(sum(chance for chance, _, _ in exact_strata(UNEQUAL)[3:]), rel=1e-12)
    assert abs(rate.value - truth) > 10 * rate.error  # so that the bound is needed
    assert rate.lower < truth < rate.upper
    assert rate.upper - rate.value > found.tail


def test_shots_go_where_the_variance_is() -> None:
    program = steane.recovery(Noise.uniform(1e-3), preparation="8+1")
    found = stratified.estimate(program, criteria.css, shots=100_000, k_max=6, rng=np.random.default_rng(4))
    spreads = [one.probability * math.sqrt(one.crashed * (1 - one.crashed)) for one in found.strata]
    shots = [one.shots for one in found.strata]
    assert shots[:2] == [0, 0] and abs(sum(shots) - 100_000) < 100 and found.cost.counts == {"shots": sum(shots)}
    for k in (2, 3, 4):
        assert shots[k] == pytest.approx(0.9 * 100_000 * spreads[k] / sum(spreads) + 2000, rel=0.1)
    equally = math.sqrt(sum(spread**2 / 20_000 for spread in spreads[2:]))
    assert found.crash_rate.error < 0.8 * equally  # type: ignore[operator]


def test_without_noise_nothing_is_drawn() -> None:
    found = stratified.estimate(
        steane.recovery(Noise.uniform(0.0)), criteria.css, shots=100, k_max=3, rng=np.random.default_rng(1)
    )
    assert (found.crash_rate.value, found.crash_rate.error, found.tail, found.cost.counts["shots"]) == (0, 0, 0, 0)


def test_the_law_of_many_equal_faults_is_binomial() -> None:
    steps = (Prepare(qubit=0), *(Depolarize1(qubit=0, rate=0.01) for _ in range(300)))
    chances, tail, _ = stratified.fault_numbers(flatten(Program(instructions=steps, blocks=((0,),)), lost), 5)
    exact = [math.comb(300, k) * 0.01**k * 0.99 ** (300 - k) for k in range(301)]
    assert chances == pytest.approx(exact[:6], rel=1e-11) and tail == pytest.approx(sum(exact[6:]), rel=1e-11)


def test_what_is_refused() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ConfigError, match="too little"):
        stratified.estimate(UNEQUAL, lost, shots=1000, k_max=1, rng=rng)
    with pytest.raises(ConfigError, match="too little"):
        stratified.estimate(UNEQUAL, lost, shots=10, k_max=2, rng=rng)
    supplied = Program(instructions=(Verify(body=BODY, checks=(1,), supply=2),), blocks=((0,),))
    with pytest.raises(ConfigError, match="unlimited"):
        stratified.estimate(supplied, lost, shots=1000, k_max=2, rng=rng)
    custom = do.Custom(qubits=(0,), change=lambda x, z: {(x, z): 1.0})
    with pytest.raises(ConfigError, match="Custom"):
        stratified.estimate(Program(instructions=(Prepare(qubit=0), custom), blocks=((0,),)), lost, shots=100, k_max=2, rng=rng)
