"""The builder against programs written by hand, and a protocol of one's own against its closed formula."""

from __future__ import annotations

import pytest

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Noise
from triptych.qec import program as do
from triptych.qec.builder import Builder
from triptych.qec.noise import CLASSES

NOISE = Noise(**{name: 0.01 * (i + 1) for i, name in enumerate(CLASSES)})
RESET, ONE, TWO, FLIP, IDLE, ONE_DECAY, TWO_DECAY, MEASURE_DECAY, MOVE = (getattr(NOISE, name) for name in CLASSES)


def struck(rate: float, *qubits: int) -> list[do.Instruction]:
    return [do.Depolarize1(qubit=q, rate=rate) for q in qubits]


def test_each_operation_brings_its_noise() -> None:
    built = Builder(noise=NOISE).prepare(0).prepare(1, basis="X").h(0).s(1).x(0).y(0).z(1)
    built = built.cx(0, 1).cz(1, 0).swap(0, 1).idle(0, 1, cycles=2).transport(0, moves=3).read(0).measure(1, basis="X")
    expected: list[do.Instruction] = [
        do.Prepare(qubit=0),
        *struck(RESET, 0),
        do.Prepare(qubit=1, basis="X"),
        *struck(RESET, 1),
    ]
    for gate in (do.H(qubit=0), do.S(qubit=1), do.X(qubit=0), do.Y(qubit=0), do.Z(qubit=1)):
        expected += [gate, *struck(ONE, gate.qubit), *struck(ONE_DECAY, gate.qubit)]
    pairs = [(do.CX(control=0, target=1), 0, 1), (do.CZ(first=1, second=0), 1, 0), (do.Swap(first=0, second=1), 0, 1)]
    for gate, a, b in pairs:
        expected += [*struck(MOVE, b), gate, do.Depolarize2(first=a, second=b, rate=TWO), *struck(TWO_DECAY, a, b)]
    expected += [*struck(IDLE, 0, 1, 0, 1), *struck(MOVE, 0, 0, 0)]
    expected += [*struck(MEASURE_DECAY, 0), do.PauliChannel(qubits=(0,), errors=(("X", FLIP),))]
    expected += [*struck(MEASURE_DECAY, 1), do.Measure(qubit=1, basis="X"), do.Flip(bit=1, rate=FLIP)]
    assert built.program(blocks=[(0,)]) == do.Program(instructions=tuple(expected), blocks=((0,),))


def test_what_is_added_has_no_noise() -> None:
    steps = (do.Prepare(qubit=0), do.H(qubit=0), do.Measure(qubit=0))
    assert Builder(noise=NOISE).add(*steps).program(blocks=[(0,)]).instructions == steps


def test_places_select_overrides() -> None:
    circuit = Builder(noise=NOISE.override({"check/reset": 0.5}), place="check").prepare(0).at("").prepare(1)
    assert [step.rate for step in circuit.instructions if isinstance(step, do.Event)] == [0.5, RESET]
    with pytest.raises(ConfigError, match="did you mean 'check'"):
        circuit.at("chek")
    with pytest.raises(ConfigError, match="no such place"):
        Builder(noise=NOISE, place="lab")


def test_blocks_do_not_overlap() -> None:
    circuit = Builder(noise=Noise.uniform(0))
    assert circuit.block(3) == (0, 1, 2) and circuit.block(2) == (3, 4)
    body = Builder(noise=Noise.uniform(0)).prepare(0, 1, 2).cx(0, 2).cx(1, 2).measure(2)
    assert circuit.verify(body, checks=(2,)) == (5, 6) and circuit.block(1) == (8,)
    assert circuit.verify(body, checks=(2,), first=20, supply=3, otherwise="use") == (20, 21)
    verify = circuit.instructions[-1]
    assert verify == do.Verify(body=tuple(body.instructions), checks=(2,), first=20, supply=3, otherwise="use")


def test_a_repetition_code_against_its_formula() -> None:
    p = 0.07
    circuit = Builder(noise=Noise(reset=0, one_qubit=0, two_qubit=0, measurement=p))
    data = circuit.block(3)
    program = circuit.read(*data).program(blocks=[data])
    errors = oracle.distribution(program.instructions, [[(q, 0)] for q in data])
    two_or_more = sum(errors[x] for x in range(8) if x.bit_count() > 1)
    assert two_or_more == pytest.approx(3 * p**2 * (1 - p) + p**3, rel=1e-12)


def test_a_checked_pair_against_its_formula() -> None:
    # X errors p on each qubit of the pair (2/3 of the depolarizing rate, and Y is one of them), a flip q of its parity bit.
    p, q = 0.03, 0.05
    body = Builder(noise=Noise(reset=1.5 * p, one_qubit=0, two_qubit=0, measurement=q)).prepare(0, 1).add(do.Prepare(qubit=2))
    body.cx(0, 2).cx(1, 2).measure(2)
    circuit = Builder(noise=Noise.uniform(0))
    pair = circuit.verify(body, checks=(2,))
    program = circuit.program(blocks=[pair])
    even, odd = p**2 + (1 - p) ** 2, 2 * p * (1 - p)
    accepted = even * (1 - q) + odd * q
    rate = (p**2 * (1 - q) + odd * q) / accepted
    assert oracle.crash_rate(program, lambda x, _: x > 0) == pytest.approx(rate, rel=1e-13)


def test_hidden_bits_and_what_depends_on_them() -> None:
    circuit = Builder(noise=Noise.uniform(0))
    circuit.block(2)
    memory = circuit.hidden(0.25)
    assert memory == 2 and circuit.hidden() == 3 and circuit.block(1) == (4,)
    circuit.switch(memory, on=0.1, off=0.3).when(memory, *NOISE.events("idle", 0, 1))
    switch, *hits = circuit.program(blocks=[(0, 1)]).instructions[5:]
    assert switch == do.Switch(bit=2, on=0.1, off=0.3)
    assert hits == [do.When(bit=2, event=event) for event in struck(IDLE, 0, 1)]
    body = Builder(noise=Noise.uniform(0)).prepare(0, 1)
    inner = body.cx(0, 1).measure(1).hidden(0.1)
    assert inner == 2 and circuit.verify(body.when(inner, do.Flip(bit=1, rate=0.5)), checks=(1,)) == (5,)
    assert circuit.instructions[-1].made == (5, 6, 7) and circuit.block(1) == (8,)  # type: ignore[union-attr]


def test_impossible_circuits_are_refused() -> None:
    with pytest.raises(ConfigError, match="not prepared"):
        Builder(noise=NOISE).cx(0, 1).program(blocks=[(0,)])
