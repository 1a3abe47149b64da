"""Noise with a memory, noise on many qubits, and compiled gadgets, against lists of all histories and against closed formulas."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Builder, Noise, Program, reference, simulate
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.f2 import basis, echelon, express
from triptych.qec.montecarlo import geometric, sample, stratified
from triptych.qec.tree.observed import before
from triptych.statistics import wilson

EXACT: dict[str, Any] = {"event_threshold": 0.0, "merge_threshold": 0.0}
READ = (*(do.Prepare(qubit=q) for q in (3, 4)), *(do.CX(control=c, target=t) for c, t in ((0, 3), (1, 3), (1, 4), (2, 4))))
LOOK_UP = do.Correct(syndromes=((3, 4),), table=((), (0,), (2,), (1,)), pauli="X")
MEMORY = 9


def majority(x: int, z: int) -> bool:
    return x.bit_count() > 1


def everything(x: int, z: int) -> bool:
    return x.bit_count() > 1 or z == 5


def telegraph(*, hot: float, on: float, off: float) -> Program:
    """Two rounds of the three-qubit code in noise that a hidden bit switches, each with a perfect recovery."""
    mean = on / (on + off)
    circuit = Builder(noise=Noise.uniform(0.0))
    data = circuit.block(3)
    circuit.add(do.Hidden(bit=MEMORY, probability=mean))
    for _ in range(2):
        circuit.when(MEMORY, *(do.PauliChannel(qubits=(q,), errors=(("X", hot),)) for q in data))
        circuit.add(*READ).measure(3, 4).add(LOOK_UP, do.Split(qubits=(3, 4))).switch(MEMORY, on=on, off=off)
    return circuit.program(blocks=[data])


def flipped_twice(hot: float, mean: float, both_hot: float) -> float:
    """One of two rounds flips the logical bit, in hot rounds with probability f: 2 P(hot) f - 2 P(both hot) f^2."""
    f = 3 * hot**2 * (1 - hot) + hot**3
    return 2 * mean * f - 2 * both_hot * f**2


def test_noise_with_a_memory_differs_from_noise_of_the_same_mean_without() -> None:
    hot, mean = 0.3, 0.2
    slow, fast = telegraph(hot=hot, on=0.05, off=0.2), telegraph(hot=hot, on=0.2, off=0.8)
    for program, both_hot in ((slow, mean * 0.8), (fast, mean**2)):
        truth = flipped_twice(hot, mean, both_hot)
        assert simulate(program, criterion=majority, **EXACT).crash_rate.value == pytest.approx(truth, rel=1e-12)
        exact = reference.Thresholds(event=0.0, merge=0.0)
        found = reference.score(reference.run(program, exact), program.blocks, majority, exact)
        assert found.crashed == pytest.approx(truth, rel=1e-12)
        for draw in (sample, geometric.sample):
            counts = draw(program, majority, shots=200_000, rng=np.random.default_rng(3))
            assert abs(wilson(counts.crashes, counts.shots).pull(truth)) < 4  # type: ignore[arg-type]
        strata = stratified.estimate(program, majority, shots=200_000, k_max=9, rng=np.random.default_rng(4))
        assert strata.tail == 0
        assert abs(strata.crash_rate.pull(truth)) < 4  # type: ignore[arg-type]
    assert flipped_twice(hot, mean, mean * 0.8) < 0.9 * flipped_twice(hot, mean, mean**2)
    assert flipped_twice(hot, mean, mean**2) > 4 * flipped_twice(
        mean * hot, 1.0, 1.0
    )  # no correlation between the qubits, either


def test_correlations_of_the_telegraph_noise_fall_exponentially() -> None:
    on, off, steps = 0.03, 0.11, 7
    mean = on / (on + off)
    start = (do.Hidden(bit=0, probability=mean), do.Prepare(qubit=1), do.Measure(qubit=1))
    copied = do.When(bit=0, event=do.Flip(bit=1, rate=1.0))
    program = Program(instructions=(*start, copied, *[do.Switch(bit=0, on=on, off=off)] * steps), blocks=((0, 1),))
    both = simulate(program, criterion=lambda x, z: x == 3, **EXACT).crash_rate.value
    assert both == pytest.approx(mean**2 + mean * (1 - mean) * (1 - on - off) ** steps, rel=1e-12)


@pytest.mark.parametrize("supply", [None, 2])
def test_a_preparation_with_a_memory_of_its_own(supply: int | None) -> None:
    """Each attempt has its own hidden bit, which stays with the block; the bit of the same number outside is another one."""
    noise = (do.When(bit=2, event=do.Flip(bit=1, rate=0.6)), do.Switch(bit=2, on=0.1, off=0.3))
    hit = do.When(bit=2, event=do.PauliChannel(qubits=(0,), errors=(("X", 0.7),)))
    start = (do.Prepare(qubit=0), do.Prepare(qubit=1), do.Measure(qubit=1), do.Hidden(bit=2, probability=0.25))
    body = (*start, *noise, hit)
    check = do.Verify(body=body, checks=(1,), first=5, supply=supply)
    later = do.When(bit=7, event=do.PauliChannel(qubits=(5,), errors=(("Z", 0.5),)))
    program = Program(instructions=(do.Hidden(bit=2, probability=0.9), check, later), blocks=((5, 7),))
    for lost in ((1, 0), (2, 0), (3, 0), (3, 1)):

        def crash(x: int, z: int, lost: tuple[int, int] = lost) -> bool:
            return (x, z) == lost

        truth = oracle.crash_rate(program, crash)
        assert simulate(program, criterion=crash, **EXACT).crash_rate.value == pytest.approx(truth, rel=1e-12)
        for draw in (sample, geometric.sample):
            counts = draw(program, crash, shots=100_000, rng=np.random.default_rng(5))
            assert abs(wilson(counts.crashes, counts.shots).pull(truth)) < 4  # type: ignore[arg-type]


def test_of_conditional_noise_only_the_bit_is_observed() -> None:
    hit = do.When(bit=9, event=do.Depolarize2(first=0, second=1, rate=0.1))
    x_of_0, z_of_2, bit = 1 << 0, 1 << 5, 1 << 18
    assert basis(before(hit, [x_of_0, z_of_2], None)) == basis([x_of_0, z_of_2, bit])
    assert before(hit, [z_of_2], None) == [z_of_2]
    assert basis(before(do.Switch(bit=9, on=0.1, off=0.2), [x_of_0 | bit], None)) == basis([x_of_0, bit])
    assert before(do.Switch(bit=9, on=0.1, off=0.2), [x_of_0], None) == [x_of_0]
    assert before(do.Hidden(bit=9), [x_of_0 | bit], None) == [x_of_0]


def test_a_hidden_bit_is_no_qubit_and_may_be_read_like_an_outcome() -> None:
    """A herald: where it is 1 the qubit is lost to noise, and the decoder, which sees it, does not let it vote."""
    p = 0.2
    heralds = [do.Hidden(bit=3 + q, probability=p) for q in range(3)]
    bits = [step for q in range(3) for step in (do.Prepare(qubit=q), do.Measure(qubit=q))]
    lost = [do.When(bit=3 + q, event=do.Flip(bit=q, rate=0.5)) for q in range(3)]
    vote = do.Correct(syndromes=((0,), (1,), (2,)), table=((), (6,)), pauli="X", absent=(3, 4, 5))
    program = Program(instructions=(*heralds, *bits, *lost, do.Prepare(qubit=6), vote), blocks=((6,),))
    assert program.physical_qubits == 4
    assert simulate(program, criterion=lambda x, z: x == 1, **EXACT).crash_rate.value == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_channels_on_three_and_four_qubits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = ["".join(word) for word in product("IXYZ", repeat=4) if set(word) != {"I"}]
    four = do.PauliChannel(qubits=(2, 0, 3, 1), errors=tuple((str(word), 0.06) for word in rng.choice(words, 9, replace=False)))
    three = do.PauliChannel(qubits=(1, 3, 0), errors=(("XYZ", 0.1), ("ZIY", 0.25), ("IXX", 0.3)))
    gates = (do.H(qubit=0), do.CX(control=0, target=2), do.S(qubit=2), do.CZ(first=1, second=3), do.CX(control=3, target=0))
    start = tuple(do.Prepare(qubit=q) for q in range(4))
    program = Program(instructions=(*start, four, *gates, three, *gates, four), blocks=((0, 1, 2, 3),))
    lost = frozenset(rng.choice(256, 128, replace=False).tolist())

    def crash(x: int, z: int) -> bool:
        return x + 16 * z in lost

    truth = oracle.crash_rate(program, crash)
    assert simulate(program, criterion=crash, **EXACT).crash_rate.value == pytest.approx(truth, rel=1e-12)
    exact = reference.Thresholds(event=0.0, merge=0.0)
    assert reference.score(reference.run(program, exact), program.blocks, crash, exact).crashed == pytest.approx(truth, rel=1e-12)
    counts = geometric.sample(program, crash, shots=100_000, rng=rng)
    assert abs(wilson(counts.crashes, counts.shots).pull(truth)) < 4  # type: ignore[arg-type]


def recovery(otherwise: Any) -> tuple[do.Instruction, ...]:
    """A noisy recovery of the three-qubit code; its checked helper, of which there is one, is used up with probability 0.1."""
    helper = (do.Prepare(qubit=0), do.Measure(qubit=0), do.Flip(bit=0, rate=0.1))
    noise = (do.Depolarize2(first=1, second=3, rate=0.05), do.PauliChannel(qubits=(0, 2), errors=(("XZ", 0.02), ("XX", 0.01))))
    read = (do.Measure(qubit=3), do.Flip(bit=3, rate=0.03), do.Measure(qubit=4), do.Flip(bit=4, rate=0.04))
    return (
        do.Verify(body=helper, checks=(0,), first=5, supply=1, otherwise=otherwise),
        *READ,
        *noise,
        *read,
        LOOK_UP,
        do.Split(qubits=(3, 4)),
    )


LOOKS = (0b000101, 0b010100, 0b010101)  # x0 + x1, x1 + x2, x0 + x1 + x2
FLIPS = (0b010100, 0b000101, 0b010101)


def compiled(gadget: tuple[do.Instruction, ...]) -> do.Channel:
    """The matrix of the gadget, by listing all its faults for each error that it may find."""

    def value(errors: oracle.Errors) -> int:
        x = [errors[q][0] for q in range(3)]
        return sum((sum(x[q] for q in seen) % 2) << i for i, seen in enumerate(((0, 1), (1, 2), (0, 1, 2))))

    matrix = np.zeros((8, 8))
    for x in product((0, 1), repeat=3):
        found: oracle.Errors = {q: (x[q], 0) for q in range(3)}
        for weight, errors in oracle.worlds(gadget, start=(1.0, found)):
            if errors is not None:
                matrix[value(found), value(errors)] += weight
    return do.Channel(qubits=(0, 1, 2), looks=LOOKS, errors=FLIPS, matrix=matrix)


def rounds(*gadget: do.Instruction) -> Program:
    start = (*(do.Prepare(qubit=q) for q in range(3)), do.Hidden(bit=MEMORY, probability=0.3))
    noise = tuple(do.When(bit=MEMORY, event=do.Depolarize1(qubit=q, rate=0.06 * (q + 1))) for q in range(3))
    shaken = (*noise, do.Switch(bit=MEMORY, on=0.1, off=0.2), do.Depolarize2(first=0, second=2, rate=0.04))
    return Program(instructions=(*start, *(shaken + gadget) * 3), blocks=((0, 1, 2),))


GADGETS = {otherwise: compiled(recovery(otherwise)) for otherwise in ("abort", "use")}


@pytest.mark.parametrize("otherwise", GADGETS)
def test_a_compiled_gadget_is_the_gadget(otherwise: str) -> None:
    gadget = GADGETS[otherwise]
    assert gadget.aborts == pytest.approx(0.1 if otherwise == "abort" else 0.0, abs=1e-12)
    truth = simulate(rounds(*recovery(otherwise)), criterion=majority, **EXACT).crash_rate.value
    program = rounds(gadget)
    found = simulate(program, criterion=majority, **EXACT)
    assert found.crash_rate.value == pytest.approx(truth, rel=1e-12)
    assert found.crash_rate.half_width < 1e-11
    exact = reference.Thresholds(event=0.0, merge=0.0)
    literal = reference.score(reference.run(program, exact), program.blocks, majority, exact)
    assert literal.crashed == pytest.approx(truth, rel=1e-12)
    assert abs(literal.crashed + literal.success - 1) < 1e-12
    drawn = geometric.sample(program, majority, shots=200_000, rng=np.random.default_rng(7))
    assert abs(wilson(drawn.crashes, drawn.shots).pull(truth)) < 4  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["bounded", "lossy", "preservation"])
@pytest.mark.parametrize("otherwise", GADGETS)
def test_what_a_gadget_drops_is_accounted_for(otherwise: str, rule: Any) -> None:
    program = rounds(GADGETS[otherwise])
    truth = simulate(program, criterion=majority, **EXACT).crash_rate.value
    for threshold in (0.1, 0.03, 1e-2, 1e-3, 1e-4, 1e-6):
        found = simulate(program, criterion=majority, merge=rule, event_threshold=0.0, merge_threshold=threshold)
        assert found.crash_rate.lower is not None and found.crash_rate.upper is not None
        assert found.crash_rate.lower <= truth <= found.crash_rate.upper
        kept = found.success + found.crash_rate.lower
        if rule == "bounded":  # nothing is lost, and nothing is counted twice
            assert found.success + found.crash_rate.upper == pytest.approx(1.0, abs=1e-12)
            assert kept < 1 - 1e-9 or threshold < 1e-4
        if rule == "preservation":
            assert found.success + found.crash_rate.value == pytest.approx(1.0, abs=1e-12)


def test_memory_that_runs_out_in_a_gadget_is_told() -> None:
    first, second = tuple(range(8)), tuple(range(8, 16))
    looks = tuple(1 << 2 * q for q in first)
    scramble = do.Channel(qubits=first, looks=looks, errors=looks, matrix=np.full((256, 256), 1 / 256))
    noise = [step for q in second for step in (do.Measure(qubit=q), do.Flip(bit=q, rate=0.5))]
    start = (*(do.Prepare(qubit=q) for q in first + second), *noise, do.Merge(qubits=first + second))
    program = Program(instructions=(*start, scramble), blocks=(first, second))
    found = simulate(program, criterion=lambda x, z: x == 1, **EXACT, max_memory_gb=1e-3)
    assert found.stopped == "max_memory_gb"
    truth = 1 - (1 - 1 / 256) ** 2
    assert found.crash_rate.lower < truth < found.crash_rate.upper  # type: ignore[operator]


@pytest.mark.parametrize("crash", [majority, everything])
def test_a_pauli_channel_in_another_basis(crash: Criterion) -> None:
    """Any Pauli channel is a compiled one, whose looks may be any basis of the coordinates."""
    event = do.PauliChannel(qubits=(0, 1), errors=(("XY", 0.1), ("ZI", 0.02), ("YY", 0.3)))
    looks = (0b0001, 0b0111, 0b1100, 0b1000)
    known, _ = echelon((look, 1 << i) for i, look in enumerate(looks))
    dual = [sum(1 << c for c in range(4) if express(1 << c, known) >> i & 1) for i in range(4)]
    matrix = np.zeros((16, 16))
    for v in range(16):
        matrix[v, v] = 1 - event.rate
        for word, p in event.errors:
            error = do.packed((0, 1), word)
            matrix[v, v ^ sum(((error & look).bit_count() & 1) << i for i, look in enumerate(looks))] += p
    channel = do.Channel(qubits=(0, 1), looks=looks, errors=tuple(dual), matrix=matrix)
    found = []
    for step in (event, channel):
        start = tuple(do.Prepare(qubit=q) for q in range(3))
        mixed = (do.CX(control=0, target=2), do.H(qubit=1), do.Depolarize2(first=1, second=2, rate=0.1), step)
        found.append(Program(instructions=(*start, *mixed * 2), blocks=((0, 1, 2),)))
    for reduction in ("observed", "none"):
        rates = [simulate(program, criterion=crash, reduction=reduction, **EXACT).crash_rate.value for program in found]  # type: ignore[arg-type]
        assert rates[0] == pytest.approx(rates[1], rel=1e-12)


@pytest.mark.parametrize("options", [{"criterion": everything}, {"criterion": majority, "reduction": "none"}])
def test_what_a_gadget_leaves_undefined_must_not_be_seen(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="undefined"):
        simulate(rounds(GADGETS["use"]), **options, **EXACT)
    measured = (do.Measure(qubit=1, basis="X"), do.Correct(syndromes=((1,),), table=((), (0,)), pauli="X"))
    program = rounds(GADGETS["use"])
    with pytest.raises(ConfigError, match="undefined"):
        simulate(Program(instructions=(*program.instructions, *measured), blocks=program.blocks), criterion=majority, **EXACT)


def test_a_gadget_that_nobody_sees_is_skipped_unless_it_aborts() -> None:
    for otherwise, truth in (("use", 0.0), ("abort", 1 - 0.9**3)):
        program = rounds(GADGETS[otherwise])
        idle = Program(instructions=(*program.instructions, do.Prepare(qubit=5)), blocks=((5,),))
        found = simulate(idle, criterion=lambda x, z: x == 1, **EXACT)
        assert found.crash_rate.value == pytest.approx(truth, abs=1e-12)
        assert found.states_peak < 10 or otherwise == "abort"
