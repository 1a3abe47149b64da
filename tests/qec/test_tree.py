"""The tree on arrays against enumeration, the literal reference, exact rates, and itself at smaller thresholds."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.oracles import qec as oracle
from tests.oracles import qec_blocks
from tests.qec.strategies import Case, clifford_circuits, programs
from triptych.errors import ConfigError
from triptych.qec import Noise, criteria, f2, reference, simulate, steane
from triptych.qec import program as do
from triptych.qec.montecarlo import geometric
from triptych.qec.tree import Pruning, Tree, of_block, score

STEADY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ROUNDING = 1e-13  # of the enumeration
THRESHOLDS = some.sampled_from([0.0, 1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1])


def grown(case: Case, pruning: Pruning, *, raw: bool = False, at_any_time: bool = False):
    """The tree at the end of a program, and what was observed there."""
    observed = None
    if not raw:
        observed = [row for b in case.program.blocks for row in of_block(score(case.crash, len(b)).functionals, b)]
    tree = Tree(pruning, case.crash if at_any_time else None)
    tree.run(case.program.instructions, observed)
    return tree, observed


def bracket(case: Case, pruning: Pruning, *, raw: bool = False, at_any_time: bool = False) -> tuple[float, float, float]:
    tree, observed = grown(case, pruning, raw=raw, at_any_time=at_any_time)
    return tree.score(case.program.blocks, case.crash, observed)


@settings(STEADY, max_examples=1000)
@given(
    case=programs(compiled=True),
    event=THRESHOLDS,
    merge=THRESHOLDS,
    raw=some.booleans(),
    timed=some.booleans(),
    rule=some.sampled_from(["bounded", "bounded", "preservation", "lossy"]),
)
def test_the_certificate_contains_the_enumerated_truth(case, event, merge, raw, timed, rule):
    truth = oracle.crash_rate(case.program, case.crash, at_any_time=timed)
    value, lower, upper = bracket(case, Pruning(event=event, merge=merge, rule=rule), raw=raw, at_any_time=timed)
    assert lower <= value <= upper
    assert lower - ROUNDING <= truth <= upper + ROUNDING


@settings(STEADY, max_examples=300)
@given(case=programs(compiled=True), raw=some.booleans(), timed=some.booleans())
def test_without_thresholds_it_is_the_enumeration(case, raw, timed):
    truth = oracle.crash_rate(case.program, case.crash, at_any_time=timed)
    value, lower, upper = bracket(case, Pruning(event=0.0, merge=0.0), raw=raw, at_any_time=timed)
    assert value == pytest.approx(truth, abs=1e-13)
    assert upper - lower < 1e-12


@settings(STEADY, max_examples=200)
@given(case=clifford_circuits(), event=THRESHOLDS, merge=THRESHOLDS, rule=some.sampled_from(["preservation", "lossy"]))
def test_strings_are_the_reference_on_clifford_circuits(case, event, merge, rule):
    same_as_the_reference(case, event, merge, rule)


@settings(STEADY, max_examples=300)
@given(case=programs(), event=THRESHOLDS, merge=THRESHOLDS, rule=some.sampled_from(["preservation", "lossy"]))
def test_strings_are_the_reference_on_adaptive_programs(case, event, merge, rule):
    same_as_the_reference(case, event, merge, rule)


def same_as_the_reference(case, event, merge, rule):
    thresholds = reference.Thresholds(event=event, merge=merge, rule=rule)
    literal = reference.run(case.program, thresholds)
    expected, ledger, _ = reference.score(literal, case.program.blocks, case.crash, thresholds)
    tree, _ = grown(case, Pruning(event=event, merge=merge, rule=rule), raw=True)
    for old, new in zip(literal.sets, tree.sets, strict=True):
        assert sum(new.map.p[: new.map.n]) == pytest.approx(sum(old.states.values()), abs=1e-12)
        places = sorted(new.frame)
        states = new.map.values(new.expressed([1 << c for c in places]))
        found = {
            sum((s >> i & 1) << c for i, c in enumerate(places)): p for s, p in zip(states.tolist(), new.map.p, strict=False)
        }
        for state in found.keys() | old.states.keys():
            assert found.get(state, 0.0) == pytest.approx(old.states.get(state, 0.0), abs=1e-12)
    value, lower, upper = tree.score(case.program.blocks, case.crash, None)
    assert value == pytest.approx(expected, abs=1e-12)
    assert (upper - lower) / 2 <= ledger + 1e-12


@settings(STEADY, max_examples=300)
@given(case=programs(compiled=True), raw=some.booleans(), merge=THRESHOLDS)
def test_certified_intervals_nest_as_thresholds_shrink(case, raw, merge):
    grid = [bracket(case, Pruning(event=event, merge=min(merge, event)), raw=raw) for event in (0.1, 0.03, 1e-2, 1e-3, 1e-4)]
    for (_, lower, upper), (_, inner_lower, inner_upper) in pairwise(grid):
        assert lower <= inner_lower + 1e-14
        assert inner_upper <= upper + 1e-14


@settings(STEADY, max_examples=200)
@given(case=programs(compiled=True), most=some.integers(0, 3), raw=some.booleans())
def test_errors_of_too_many_faults_are_in_the_ledger(case, most, raw):
    truth = oracle.crash_rate(case.program, case.crash)
    _, lower, upper = bracket(case, Pruning(event=0.0, merge=0.0, max_faults=most), raw=raw)
    assert lower - ROUNDING <= truth <= upper + ROUNDING


def test_at_most_two_faults_are_the_pairs_of_locations():
    p = 0.01
    flips = tuple(do.Flip(bit=q, rate=p) for q in range(4))
    start = tuple(step for q in range(4) for step in (do.Prepare(qubit=q), do.Measure(qubit=q)))
    case = Case(do.Program(instructions=(*start, *flips), blocks=((0, 1, 2, 3),)), lambda x, z: x.bit_count() >= 2)
    _, lower, upper = bracket(case, Pruning(event=0.0, merge=0.0, max_faults=2))
    pairs, more = 6 * p**2 * (1 - p) ** 2, 4 * p**3 * (1 - p) + p**4
    assert lower == pytest.approx(pairs, rel=1e-12)
    assert upper == pytest.approx(pairs + more, rel=1e-12)


@pytest.mark.parametrize(
    ("criterion", "rate", "event"),
    [
        ("readout", 8.828324e-6, 1e-11),
        pytest.param("css", 1.49638627e-5, 1e-13, marks=pytest.mark.slow),
        pytest.param("paper22", 1.64382065e-5, 1e-13, marks=pytest.mark.slow),
    ],
)
def test_published_rates_of_one_cnot_and_recovery(criterion, rate, event):
    found = simulate(
        steane.cnot_recovery(Noise.uniform(1e-4)), criterion=criterion, event_threshold=event, merge_threshold=1e-7 * event
    )
    assert found.crash_rate.value == pytest.approx(rate, rel=1e-6)
    assert found.acceptance.value == pytest.approx(0.9978226256, abs=1e-10)
    assert found.crash_rate.lower <= rate * (1 + 1e-7)
    assert found.crash_rate.upper >= rate * (1 - 1e-7)


@pytest.mark.parametrize(("criterion", "rate"), [("css", 1.49638627e-5), ("paper22", 1.64382065e-5)])
def test_intervals_contain_published_rates(criterion, rate):
    found = simulate(steane.cnot_recovery(Noise.uniform(1e-4)), criterion=criterion, event_threshold=1e-10, merge_threshold=1e-16)
    assert found.crash_rate.lower < rate < found.crash_rate.upper < 1.0002 * found.crash_rate.lower


@pytest.mark.parametrize(("criterion", "rate"), [("css", 1.47960918e-3), ("paper22", 1.63170732e-3)])
@pytest.mark.slow
def test_published_rates_of_one_cnot_and_recovery_at_strong_noise(criterion, rate):
    program = steane.cnot_recovery(Noise.uniform(1e-3))
    found = simulate(program, criterion=criterion, relative_width=1e-6, max_memory_gb=8.0)
    assert found.acceptance.value == pytest.approx(0.9784607371, abs=1e-9)
    assert found.crash_rate.value == pytest.approx(rate, rel=1e-6)


@pytest.fixture(scope="module")
def converged():
    """The two-block program of the paper with the rates of its table, and its exact rates by another method."""
    program = steane.two_qubit(Noise.eshe_rates())
    return program, qec_blocks.rates(program)


@pytest.mark.parametrize("criterion", ["css", "paper22", "readout"])
def test_intervals_on_the_grid_of_the_paper_contain_the_exact_rate_and_nest(converged, criterion):
    program, exact = converged
    found = {}
    for event in (1e-5, 1e-6, 1e-7):
        for merge in (1e-10, 1e-12, 1e-14, 1e-16):
            one = simulate(program, criterion=criterion, event_threshold=event, merge_threshold=merge).crash_rate
            assert one.lower <= exact[criterion] <= one.upper
            found[event, merge] = one
    for (event, merge), one in found.items():
        for (other_event, other_merge), other in found.items():
            if other_event <= event and other_merge <= merge:
                assert one.lower <= other.lower * (1 + 1e-9)
                assert other.upper <= one.upper * (1 + 1e-9)


def test_preservation_overestimates_success_and_lossy_underestimates_it_but_both_may_miss_the_truth(converged):
    program, exact = converged
    success = {}
    for rule in ("preservation", "lossy"):
        tree, observed = grown(Case(program, criteria.css), Pruning(event=1e-6, merge=1e-12, rule=rule))
        tree.score(program.blocks, criteria.css, observed)
        success[rule] = float(tree.sets[-1].map.p[: tree.sets[-1].map.n].sum())
    assert success["preservation"] >= success["lossy"]
    # Unbranched states hide noise from both: the crash rates are too low on either side, and the truth lies outside.
    assert 1 - success["preservation"] < exact["css"]
    rates = {rule: simulate(program, merge=rule, event_threshold=1e-6, merge_threshold=1e-16).crash_rate for rule in success}
    assert all(rate.value < exact["css"] for rate in rates.values())
    assert all(rate.lower <= exact["css"] <= rate.upper for rate in rates.values())


def test_it_tightens_until_the_certificate_is_as_asked(converged):
    program, exact = converged
    for width in (1e-2, 1e-4):
        found = simulate(program, criterion="readout", relative_width=width)
        assert not found.stopped
        assert found.crash_rate.lower <= exact["readout"] <= found.crash_rate.upper
        assert found.crash_rate.upper - found.crash_rate.lower <= 2 * width * found.crash_rate.value


def test_where_memory_runs_out_the_interval_is_wider_and_still_true(converged):
    program, exact = converged
    found = simulate(program, max_memory_gb=2e-3, relative_width=1e-4)
    assert found.stopped == "max_memory_gb"
    assert found.states_peak * 64 < 2.5e6
    assert found.crash_rate.lower <= exact["css"] <= found.crash_rate.upper
    assert found.crash_rate.upper < 1e-3


def test_faults_beyond_the_limit_are_what_ran_out(converged):
    program, exact = converged
    found = simulate(program, criterion="readout", max_faults=2, relative_width=1e-5)
    assert found.stopped == "max_faults"
    assert found.crash_rate.lower <= exact["readout"] <= found.crash_rate.upper
    assert found.crash_rate.upper - found.crash_rate.lower < 0.05 * exact["readout"]


def test_reductions_agree(converged):
    program, exact = converged
    strings, observed = (
        simulate(program, reduction=name, event_threshold=1e-8, merge_threshold=1e-14) for name in ("none", "observed")
    )
    assert (strings.reduction, observed.reduction) == ("none", "observed")
    assert strings.states_peak > 2 * observed.states_peak
    for found in (strings, observed):
        assert found.crash_rate.lower <= exact["css"] <= found.crash_rate.upper


def test_a_criterion_that_sees_everything_leaves_nothing_to_quotient():
    assert len(score(criteria.strict, 7).functionals) == 14
    assert len(score(criteria.css, 7).functionals) == 8
    functionals, fails = score(criteria.paper22, 7)
    drawn = np.random.default_rng(5).integers(0, 128, size=(200, 2))
    for x, z in drawn.tolist():
        error = sum((x >> q & 1) << 2 * q | (z >> q & 1) << 2 * q + 1 for q in range(7))
        assert fails[sum(f2.parity(error & mask) << i for i, mask in enumerate(functionals))] == criteria.paper22(x, z)


def test_states_take_few_bytes():
    tree, _ = grown(Case(steane.two_qubit(Noise.eshe_rates()), criteria.css), Pruning(event=1e-9, merge=1e-15))
    largest = max(tree.sets, key=lambda one: one.map.n).map
    assert tree.peak > 100_000
    assert (largest.keys.nbytes + largest.p.nbytes + largest.index.nbytes) / largest.n <= 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_threshold": 1.0}, "event_threshold"),
        ({"merge_threshold": -1e-9}, "merge_threshold"),
        ({"merge": "both"}, "no such way to merge"),
        ({"max_faults": 16}, "max_faults"),
        ({"max_memory_gb": 0.0}, "memory"),
        ({"relative_width": 0.0}, "relative_width"),
        ({"relative_width": 1e-3, "event_threshold": 1e-8}, "relative_width"),
        ({"reduction": "cosets"}, "no such reduction"),
        ({"engine": "reference"}, "bounded"),
        ({"engine": "treee"}, "no such engine"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        simulate(steane.bit_flip_recovery(Noise.uniform(1e-3)), **arguments)


def test_a_criterion_on_too_many_qubits_is_refused():
    program = do.Program(instructions=tuple(do.Prepare(qubit=q) for q in range(11)), blocks=(tuple(range(11)),))
    with pytest.raises(ConfigError, match="10 or fewer"):
        simulate(program, criterion=lambda x, z: x > 0)


def test_probability_is_conserved_or_accounted_for():
    program = steane.cnot_recovery(Noise.uniform(1e-3))
    for rule in ("preservation", "bounded"):
        tree, observed = grown(Case(program, criteria.css), Pruning(event=1e-6, merge=1e-11, rule=rule))
        tree.score(program.blocks, criteria.css, observed)
        whole = [one for one in tree.sets if one.mortal]
        (total,) = [float(one.map.p[: one.map.n].sum()) + one.crashed for one in whole]
        if rule == "preservation":
            assert total == pytest.approx(1.0, abs=1e-12)
        else:
            assert total < 1 - 1e-6
            assert total + whole[0].ledger == pytest.approx(
                1.0, abs=1e-9
            )  # the ledger of a product counts a pair of losses twice
            assert total + whole[0].ledger > 1 - 1e-12


@pytest.mark.parametrize("limits", [{"max_faults": 1}, {"max_memory": 1e6}])
def test_what_is_left_out_is_counted_once(limits):
    program = steane.cnot_recovery(Noise.uniform(1e-3))
    tree, observed = grown(Case(program, criteria.css), Pruning(event=1e-7, merge=1e-12, **limits))
    tree.score(program.blocks, criteria.css, observed)
    (whole,) = [one for one in tree.sets if one.mortal]
    assert float(whole.map.p[: whole.map.n].sum()) + whole.crashed + whole.ledger == pytest.approx(1.0, rel=0.02)


def drawn_agrees(logical_qubits: int, preparation: str, criterion: str, p: float, event: float, shots: int) -> None:
    program = steane.tree_program(logical_qubits=logical_qubits, noise=Noise.uniform(p), preparation=preparation)
    found = simulate(program, criterion=criterion, event_threshold=event, merge_threshold=1e-2 * p * event, max_memory_gb=0.5)
    crash = criteria.CRITERIA[criterion]
    drawn = geometric.sample(program, crash, shots=shots, rng=np.random.default_rng([logical_qubits, len(criterion)]))
    for interval, hits, trials in (
        (found.crash_rate, drawn.crashes, drawn.shots),
        (found.acceptance, drawn.accepted, drawn.prepared),
    ):
        likely = min(max(hits / trials, interval.lower), interval.upper)  # of the certified values, the one that fits best
        assert abs(hits - trials * likely) <= 4 * (trials * likely * (1 - likely)) ** 0.5


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
@pytest.mark.parametrize("criterion", ["readout", "css", "paper22", "strict"])
def test_monte_carlo_agrees_on_two_blocks(criterion, preparation):
    drawn_agrees(2, preparation, criterion, 1e-3, 1e-6, 1_000_000)


@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
def test_monte_carlo_agrees_at_strong_noise(preparation):
    drawn_agrees(2, preparation, "readout", 1e-2, 1e-7, 100_000)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "event"), [(1e-3, 1e-7), (1e-2, 1e-7)])
@pytest.mark.parametrize("preparation", ["9+3", "8+1"])
@pytest.mark.parametrize("criterion", ["readout", "css", "paper22", "strict"])
@pytest.mark.parametrize("logical_qubits", [2, 3, 4])
def test_monte_carlo_agrees(logical_qubits, criterion, preparation, p, event):
    drawn_agrees(logical_qubits, preparation, criterion, p, event, 200_000)


def flips_at(rates: list[float], **verify: object) -> do.Program:
    """Bits that flip, and a block of the last one; the others are the checks of a verified preparation, where asked for."""
    body = tuple(step for q, _ in enumerate(rates) for step in (do.Prepare(qubit=q), do.Measure(qubit=q)))
    body += tuple(do.Flip(bit=q, rate=rate) for q, rate in enumerate(rates))
    last = len(rates) - 1
    steps = (do.Verify(body=body, checks=tuple(range(last)), **verify),) if verify else body  # type: ignore[arg-type]
    return do.Program(instructions=steps, blocks=((last,),))


EXTREME = [1e-300, 1e-17, 1e-6, 0.3, 1 - 1e-7, 1.0]


@pytest.mark.parametrize("rule", ["bounded", "preservation", "lossy"])
@pytest.mark.parametrize("rate", EXTREME)
@pytest.mark.parametrize("wrong", [1e-17, 0.3, 1 - 1e-7])
@pytest.mark.parametrize("supply", [1, 1000])
def test_certificates_hold_in_rational_arithmetic(rate, wrong, supply, rule):
    a, f = 1 - Fraction(wrong), Fraction(rate)
    delivered = 1 - (1 - a) ** supply
    for otherwise, truth in (("abort", delivered * f + 1 - delivered), ("skip", delivered * f), ("use", f)):
        found = simulate(
            flips_at([wrong, rate], supply=supply, otherwise=otherwise),
            criterion=lambda x, z: x,
            merge=rule,
            event_threshold=0.0,
            merge_threshold=0.0,
        )
        assert Fraction(found.crash_rate.lower) <= truth <= Fraction(found.crash_rate.upper)
        assert Fraction(found.acceptance.lower) <= a <= Fraction(found.acceptance.upper)
        if max(rate, wrong) <= 0.3 and supply < 1000:  # elsewhere rounding is all that is left
            assert found.crash_rate.half_width <= 1e-12 * found.crash_rate.value + (0 if rule == "bounded" else 1e-12)


@pytest.mark.parametrize("rate", [1e-300, 1e-17, 0.3, 0.9999999, 1.0])
def test_certificates_of_depolarizing_noise_hold_in_rational_arithmetic(rate):
    for qubits, event in ((1, do.Depolarize1(qubit=0, rate=rate)), (2, do.Depolarize2(first=0, second=1, rate=rate))):
        start = tuple(do.Prepare(qubit=q) for q in range(qubits))
        program = do.Program(instructions=(*start, event), blocks=(tuple(range(qubits)),))
        for crash, truth in (
            (lambda x, z: not x and not z, 1 - Fraction(rate)),
            (lambda x, z: x == 1 and not z, Fraction(rate) / (4**qubits - 1)),
        ):
            found = simulate(program, criterion=crash, event_threshold=0.0, merge_threshold=0.0).crash_rate
            assert Fraction(found.lower) <= truth <= Fraction(found.upper)


@settings(STEADY, max_examples=300)
@given(case=programs())
def test_acceptance_of_mixed_supplies(case):
    attempts = [step for step in case.program.instructions if isinstance(step, do.Verify)]
    accepted = tried = 0.0
    reached = 1.0
    for step in attempts:
        worlds = oracle.worlds(step.body)
        a = sum(weight for weight, errors in worlds if not any(errors[check][0] for check in step.checks))
        m = step.supply or 10_000
        accepted += reached * (1 - (1 - a) ** m)
        tried += reached * sum((1 - a) ** i for i in range(m))
        if step.supply is not None and step.otherwise == "abort":
            reached *= 1 - (1 - a) ** m
    found = simulate(case.program, criterion=case.crash, event_threshold=0.0, merge_threshold=0.0).acceptance
    assert found.value == pytest.approx(accepted / tried if attempts else 1.0, abs=1e-12)
    assert found.half_width < 1e-12


def test_memory_that_runs_out_at_the_last_merge_is_told():
    steps = tuple(step for q in range(8) for step in (do.Prepare(qubit=q), do.Depolarize1(qubit=q, rate=0.3)))
    program = do.Program(instructions=steps, blocks=(tuple(range(8)),))
    crash = lambda x, z: (x | z).bit_count() > 4  # noqa: E731
    found = simulate(program, criterion=crash, event_threshold=0.0, merge_threshold=0.0, max_memory_gb=1e-3)
    assert found.stopped == "max_memory_gb"
    truth = sum(comb(8, k) * 0.3**k * 0.7 ** (8 - k) for k in range(5, 9))
    assert found.crash_rate.lower < truth < found.crash_rate.upper


def test_equal_states_are_halved_not_lost():
    steps = tuple(step for q in range(16) for step in (do.Prepare(qubit=q), do.Measure(qubit=q), do.Flip(bit=q, rate=0.5)))
    program = do.Program(instructions=steps, blocks=(tuple(range(8)), tuple(range(8, 16))))
    merged = do.Program(instructions=(*steps, do.Merge(qubits=tuple(range(16)))), blocks=program.blocks)
    found = simulate(merged, criterion=lambda x, z: x == 0, event_threshold=0.0, merge_threshold=0.0, max_memory_gb=1e-3)
    assert 0 < found.crash_rate.lower <= 1 - (255 / 256) ** 2 <= found.crash_rate.upper < 1


def test_a_custom_task_cannot_give_a_measured_qubit_a_phase():
    steps = (do.Prepare(qubit=0), do.Measure(qubit=0), do.Custom(qubits=(0,), change=lambda x, z: {(x, 1): 1.0}))
    with pytest.raises(ConfigError, match="phase"):
        simulate(do.Program(instructions=steps, blocks=((0,),)), criterion=lambda x, z: x == 1, event_threshold=0.0)


@pytest.mark.parametrize("merge", ["bounded", "preservation"])
def test_an_acceptance_that_may_be_nothing_has_an_interval(merge):
    start = (do.Prepare(qubit=0), do.Measure(qubit=0))
    check = do.Verify(body=(*start, *[do.Flip(bit=0, rate=0.4)] * 4), checks=(0,), first=1)
    program = do.Program(instructions=(*start, check), blocks=((0,),))
    found = simulate(program, criterion=lambda x, z: x, merge=merge, event_threshold=0.9).acceptance
    assert merge == "bounded" or found.lower == 0
    assert found.lower <= (1 + 0.2**4) / 2 <= found.upper
