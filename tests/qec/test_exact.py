"""The exact engine against enumeration, a dense calculation of its own, the tree, Monte Carlo, and finite differences."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.oracles import qec as oracle
from tests.oracles import qec_blocks
from tests.qec.strategies import Case, programs
from triptych.errors import ConfigError
from triptych.qec import Noise, criteria, simulate, steane
from triptych.qec import program as do
from triptych.qec.exact import compiled, jets, plan, series, solve
from triptych.qec.exact.gadgets import gadgets, wires
from triptych.qec.exact.network import ordered

STEADY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
HIDDEN = do.Hidden | do.Switch | do.When
SMALL = 2.0**20  # numbers of a tensor


def rate(case: Case, **options) -> float:
    return float(solve(plan(case.program, case.crash, **options)).crash_rate[0])


def visible(case: Case) -> bool:
    return not any(isinstance(step, HIDDEN) for step in case.program.flat())


def fits(case: Case) -> bool:
    return visible(case) and plan(case.program, case.crash).width <= 16


@settings(STEADY, max_examples=300)
@given(case=programs(compiled=True).filter(fits), timed=some.booleans())
def test_it_is_the_enumeration(case, timed):
    truth = oracle.crash_rate(case.program, case.crash, at_any_time=timed)
    assert rate(case, at_any_time=timed) == pytest.approx(truth, abs=1e-13)


@settings(STEADY, max_examples=200)
@given(case=programs(compiled=True).filter(fits), timed=some.booleans())
def test_every_order_of_contraction_gives_the_same(case, timed):
    made = plan(case.program, case.crash, at_any_time=timed)
    found, other = solve(made), solve(ordered(made))
    assert other.crash_rate == pytest.approx(found.crash_rate, rel=1e-12, abs=1e-300)
    assert other.attempts == found.attempts


@settings(STEADY, max_examples=200)
@given(case=programs().filter(fits), width=some.sampled_from([0.0, 1e-4, 1e-2]), timed=some.booleans())
def test_a_compiled_tree_contains_the_truth(case, width, timed):
    truth = oracle.crash_rate(case.program, case.crash, at_any_time=timed)
    options = {"engine": "tree", "criterion": case.crash, "reduction": "compiled", "at_any_time": timed}
    found = simulate(case.program, event_threshold=width, **options)
    assert found.crash_rate.lower - 1e-13 <= truth <= found.crash_rate.upper + 1e-13


@pytest.mark.parametrize("noise", [Noise.eshe_rates(), Noise.uniform(1e-3), Noise.biased(1e-3, bias=10)])
@pytest.mark.parametrize("build", [steane.recovery, steane.cnot_recovery, steane.two_qubit])
def test_it_is_a_dense_calculation(build, noise):
    program = build(noise, preparation="8+1")
    for name, truth in qec_blocks.rates(program).items():
        found = simulate(program, engine="exact", criterion=name).crash_rate
        assert found.value == pytest.approx(truth, rel=1e-9)
        assert found.half_width < 1e-11 * truth


def test_it_is_the_published_exact_table():
    """Trees under the rates of Table I, as an independent program contracted them (its one-qubit noise lies elsewhere)."""
    tree = partial(steane.tree_program, Noise.eshe_rates())
    table = {2: (1.47894e-5, 1.62362e-5), 3: (3.23628e-5, 3.45336e-5), 8: (1.20225e-4, 1.26014e-4)}
    for blocks, truths in table.items():
        for name, truth in zip(("css", "paper22"), truths, strict=True):
            found = simulate(tree(logical_qubits=blocks), criterion=name)
            assert found.engine == "exact"
            assert found.crash_rate.value == pytest.approx(truth, rel=5e-5)


def test_many_blocks_against_monte_carlo():
    program = steane.tree_program(Noise.uniform(1e-3), logical_qubits=8)
    found = simulate(program, criterion="css")
    drawn = simulate(program, criterion="css", engine="montecarlo", shots=200_000, rng=np.random.default_rng(8))
    assert abs(drawn.crash_rate.pull(found.crash_rate)) < 4
    assert found.crash_rate.half_width < 1e-9 * found.crash_rate.value


def test_a_tree_of_any_size_joins_two_blocks():
    program = steane.tree_program(Noise.eshe_rates(), logical_qubits=100)
    made = plan(program, criteria.css)
    assert made.width == 17  # of the channel of a recovery: 256 classes and three syndromes
    assert solve(made).crash_rate[0] == pytest.approx(100 * 1.75e-5, rel=0.02)


def test_a_small_rate_keeps_its_digits():
    """The crash rate is of second order, so that c2 is left at any strength."""
    found = [simulate(steane.cnot_recovery(Noise.uniform(p))).crash_rate.value / p**2 for p in (1e-8, 1e-9, 1e-12)]
    slope = (found[0] - found[1]) / (1e-8 - 1e-9)
    assert found[2] == pytest.approx(found[1] + slope * (1e-12 - 1e-9), rel=1e-12)


def test_a_ring_is_contracted_in_another_order_where_memory_is_short():
    program = steane.ring_program(Noise.eshe_rates(), logical_qubits=4)
    backwards = plan(program, criteria.readout)
    ordered = plan(program, criteria.readout, max_entries=2.0**15)
    assert (backwards.width, backwards.path) == (16, None)
    assert ordered.path is not None or ordered.width == 16
    eight = plan(steane.ring_program(Noise.eshe_rates(), logical_qubits=8), criteria.readout, max_entries=2.0**27)
    assert eight.path is not None
    assert eight.width <= 24
    assert solve(eight).crash_rate[0] == pytest.approx(2.055e-4, rel=1e-3)


def test_what_does_not_fit_names_its_width():
    program = steane.ring_program(Noise.eshe_rates(), logical_qubits=4)
    with pytest.raises(ConfigError, match="a width of 32 bits"):
        simulate(program, engine="exact", criterion="css")
    found = simulate(program, criterion="css", relative_width=0.3)
    assert (found.engine, "32 bits" in found.reason) == ("tree", True)


def test_hidden_bits_are_refused_and_left_to_the_tree():
    steps = (do.Prepare(qubit=0), do.Hidden(bit=1, probability=0.5), do.When(bit=1, event=do.Depolarize1(qubit=0, rate=0.3)))
    program = do.Program(instructions=steps, blocks=((0,),))
    with pytest.raises(ConfigError, match="hidden"):
        simulate(program, engine="exact", criterion=lambda x, z: x)
    found = simulate(program, criterion=lambda x, z: x)
    assert found.crash_rate.value == pytest.approx(0.1)
    assert "hidden" in found.reason


def one_qubit(*steps: do.Instruction) -> do.Program:
    return do.Program(instructions=(do.Prepare(qubit=0), *steps), blocks=((0,),))


def test_a_tally_inside_of_a_gadget_counts_in_a_compiled_tree():
    steps = [do.Depolarize1(qubit=0, rate=0.1), do.Prepare(qubit=1), do.CX(control=0, target=1), do.Tally(blocks=((0,),))]
    steps += [do.H(qubit=0), do.Measure(qubit=1), do.Flip(bit=1, rate=0.05)]
    steps += [do.Correct(syndromes=((1,),), table=((), (0,)), pauli="X")]
    found = simulate(one_qubit(*steps), criterion=lambda x, z: x > 0, at_any_time=True, engine="tree", reduction="compiled")
    assert found.crash_rate.value == pytest.approx(rate(Case(one_qubit(*steps), lambda x, z: x > 0), at_any_time=True))


def test_a_look_up_on_two_blocks_stays_as_it_is():
    steps = [do.Prepare(qubit=0), do.Prepare(qubit=1), do.Depolarize2(first=0, second=1, rate=0.1), do.Prepare(qubit=2)]
    steps += [do.CX(control=0, target=2), do.CX(control=1, target=2), do.Measure(qubit=2)]
    steps += [do.Correct(syndromes=((2,),), table=((), (1,)), pauli="X")]
    program = do.Program(instructions=tuple(steps), blocks=((0,), (1,)))
    exact = rate(Case(program, lambda x, z: x > 0))
    found = simulate(program, criterion=lambda x, z: x > 0, engine="tree", reduction="compiled", event_threshold=0.0)
    assert found.crash_rate.value == pytest.approx(exact, rel=1e-12)


def test_what_is_left_of_a_rate_near_one():
    """Either it keeps its digits, or it is refused."""
    event = do.Depolarize1(qubit=0, rate=1 - 2.0**-30)
    found = simulate(one_qubit(event), engine="exact", criterion=lambda x, z: not x and not z).crash_rate
    assert found.lower <= 2.0**-30 <= found.upper
    with pytest.raises(ConfigError, match="next to nothing"):
        simulate(one_qubit(do.Depolarize1(qubit=0, rate=1 - 1e-15)), engine="exact", criterion=lambda x, z: not x and not z)
    sure = do.PauliChannel(qubits=(0,), errors=(("X", 1.0),))
    assert simulate(one_qubit(sure), engine="exact", criterion=lambda x, z: not x).crash_rate.value == 0


def test_wide_programs_are_refused_whatever_their_width():
    with pytest.raises(ConfigError, match=r"a width of \d+ bits"):
        simulate(steane.ring_program(Noise.eshe_rates(), logical_qubits=140), engine="exact")


def test_a_custom_task_sees_possible_errors_only():
    """A measured qubit has its bit in x, and never a phase."""

    def change(x: int, z: int) -> dict[tuple[int, int], float]:
        return {(0, 0): {0: {0: 1.0}, 1: {0: 1.0}}[x][z]}

    steps = (do.Depolarize1(qubit=0, rate=0.1), do.Measure(qubit=0), do.Custom(qubits=(0,), change=change))
    assert rate(Case(one_qubit(*steps), lambda x, z: x)) == 0


def test_functions_that_cannot_be_hashed_are_left_to_the_tree():
    class Unhashable:
        __hash__ = None

        def __call__(self, x, z):
            return {(x, z): 1.0}

    program = one_qubit(do.Depolarize1(qubit=0, rate=0.3), do.Custom(qubits=(0,), change=Unhashable()))
    found = simulate(program, criterion=lambda x, z: x)
    assert found.engine == "tree"
    assert found.crash_rate.value == pytest.approx(0.2)


def test_auto_says_why():
    program = steane.cnot_recovery(Noise.uniform(1e-3))
    assert "17 bits" in simulate(program).reason
    asked = simulate(program, criterion="readout", event_threshold=1e-6)
    assert (asked.engine, asked.reason) == ("tree", "asked for what only the tree has")
    assert simulate(program, engine="exact").reason == ""
    with pytest.raises(ConfigError, match="no thresholds"):
        simulate(program, engine="exact", max_faults=2)


@pytest.mark.parametrize("otherwise", ["abort", "use", "skip"])
@pytest.mark.parametrize("supply", [1, 2, 5])
def test_a_finite_supply_is_that_of_the_tree(supply, otherwise):
    program = steane.bit_flip_recovery(Noise.uniform(5e-3), supply=supply, otherwise=otherwise)
    found = simulate(program, engine="exact", criterion="readout")
    tree = simulate(program, engine="tree", criterion="readout", event_threshold=0.0, merge_threshold=0.0)
    assert found.crash_rate.value == pytest.approx(tree.crash_rate.value, rel=1e-10)
    assert found.acceptance.value == pytest.approx(tree.acceptance.value, rel=1e-12)


def test_equal_gadgets_are_equal_wherever_they_are():
    program = steane.tree_program(Noise.eshe_rates(), logical_qubits=9)
    cut = gadgets(program, wires(program), scored=False)
    assert len({one.steps for one in cut}) == 5  # preparation, CNOT, two phases, measurement
    assert sorted(n for one in cut for n in one.verifies) == list(range(96))


def by_source(event) -> str:
    return event.source


@pytest.mark.parametrize("supply", [None, 2])
def test_jets_are_finite_differences(supply):
    noise = Noise.uniform(1e-3).override({"check/two_qubit": 2e-3})
    build = partial(steane.recovery, preparation="8+1", supply=supply)
    sources = sorted({step.source for step in build(noise).flat() if isinstance(step, do.Event)})
    found = solve(plan(build(noise), criteria.css), jets(sources, by_source)).crash_rate
    step = 1e-4
    for source, derivative in zip(sources, found[1:], strict=True):
        place, name = source.split("/")
        up, down = (
            solve(plan(build(noise.override({source: noise.rate(name, place=place) * (1 + sign * step)})), criteria.css))
            for sign in (1, -1)
        )
        difference = (up.crash_rate[0] - down.crash_rate[0]) / (2 * step)
        assert derivative == pytest.approx(difference, rel=1e-6, abs=1e-7 * found[0])


@pytest.mark.parametrize("supply", [None, 2])
def test_a_power_series_sums_up_to_the_rate(supply):
    build = partial(steane.recovery, preparation="8+1", supply=supply)
    orders = solve(plan(build(Noise.uniform(1e-4)), criteria.css), series(5)).crash_rate
    assert orders[:2] == pytest.approx([0.0, 0.0], abs=1e-20)
    for scale in (0.5, 1.0, 2.0):
        truth = simulate(build(Noise.uniform(scale * 1e-4))).crash_rate.value
        assert float(orders @ scale ** np.arange(6)) == pytest.approx(truth, rel=1e-9)


@settings(STEADY, max_examples=100)
@given(case=programs().filter(fits))
def test_jets_and_series_of_any_program_agree_with_its_rate(case):
    """The sum of all logarithmic derivatives is that of the series, P'(s) at s = 1."""
    made = plan(case.program, case.crash)
    value, slope = solve(made, jets(["all"], lambda _: "all")).crash_rate
    assert value == pytest.approx(solve(made).crash_rate[0], rel=1e-12, abs=1e-300)
    step = 1e-5
    up, down = (oracle.crash_rate(scaled(case.program, 1 + sign * step), case.crash) for sign in (1, -1))
    assert slope == pytest.approx((up - down) / (2 * step), abs=1e-6)


def scaled(program: do.Program, factor: float) -> do.Program:
    """The program with all rates multiplied, those in ancillas as well."""

    def image(step: do.Instruction) -> do.Instruction:
        match step:
            case do.PauliChannel(errors=errors):
                return replace(step, errors=tuple((pauli, factor * p) for pauli, p in errors))
            case do.Depolarize1() | do.Depolarize2() | do.Flip():
                return replace(step, rate=factor * step.rate)
            case do.Verify(body=body):
                return replace(step, body=tuple(image(one) for one in body))
            case _:
                return step

    return do.Program(instructions=tuple(image(step) for step in program.instructions), blocks=program.blocks)


def test_a_compiled_program_has_the_same_rate():
    program = steane.two_qubit(Noise.uniform(1e-3))
    short = compiled(plan(program, criteria.css), max_entries=SMALL)
    assert sum(isinstance(step, do.Channel) for step in short.program.instructions) == 4
    truth = simulate(program, engine="exact").crash_rate.value
    assert simulate(short.program, engine="exact").crash_rate.value == pytest.approx(truth, rel=1e-10)
    found = simulate(program, engine="tree", reduction="compiled")
    assert found.crash_rate.lower < truth < found.crash_rate.upper
    assert found.crash_rate.half_width < 1e-3 * truth
