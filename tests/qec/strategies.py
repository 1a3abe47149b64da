"""Random programs for Hypothesis, small enough that every combination of their faults can be listed.

In: Hypothesis. Out: cases, that is a valid program with one or two scored blocks, and a criterion. No two events have the same
rate, so that no answer hangs on how a tie is broken; the rates inside a verified preparation stay below 0.3, so that the state
without faults, which passes, is never pruned by thresholds up to 0.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as some

from triptych.qec import program as do

QUBITS = 8
WORLDS = 400
"""At most so many combinations of faults (a retried block counts as often as it may be tried)."""


@dataclass(frozen=True)
class Table:
    """A criterion for blocks of up to three qubits: a crash where bit x + 8 z of `bits` is 1."""

    bits: int

    def __call__(self, x: int, z: int) -> bool:
        return bool(self.bits >> x + 8 * z & 1)


@dataclass(frozen=True)
class Jump:
    """A task of one's own: where bit x + 4 z of `where` is 1, `target` replaces the error with probability p.

    With `added`, the error is multiplied by `target` instead.
    """

    where: int
    target: tuple[int, int]
    added: bool
    p: float

    def __call__(self, x: int, z: int) -> dict[tuple[int, int], float]:
        after = (x ^ self.target[0], z ^ self.target[1]) if self.added else self.target
        if not self.where >> x + 4 * z & 1 or after == (x, z):
            return {(x, z): 1.0}
        return {(x, z): 1 - self.p, after: self.p}


class Case(NamedTuple):
    """What an engine is asked: the crash rate of this program by this criterion."""

    program: do.Program
    crash: Table


@some.composite
def tables(draw: some.DrawFn) -> Table:
    """Any table at all, or one that sees no more than one to three parities of the error."""
    if draw(some.booleans()):
        return Table(draw(some.integers(0, 2**64 - 1)))
    parities = draw(some.lists(some.integers(1, 63), min_size=1, max_size=3, unique=True))
    lost = draw(some.integers(1, 2**2 ** len(parities) - 2))
    seen = [sum(((error & mask).bit_count() & 1) << i for i, mask in enumerate(parities)) for error in range(64)]
    return Table(sum((lost >> value & 1) << error for error, value in enumerate(seen)))


@some.composite
def programs(draw: some.DrawFn, *, compiled: bool = False) -> Case:
    """Adaptive programs with every instruction there is (a Channel only if `compiled`), up to eight qubits and bits and WORLDS
    combinations of faults.
    """
    sketch = Sketch(draw, compiled=compiled)
    for qubit in range(draw(some.integers(2, 3))):
        sketch.prepare(qubit)
    for _ in range(draw(some.integers(4, 24))):
        sketch.step()
    program = do.Program(instructions=tuple(sketch.steps), blocks=sketch.blocks())
    return Case(program, draw(tables()))


@some.composite
def clifford_circuits(draw: some.DrawFn) -> Case:
    """Noisy Clifford circuits without verification or feedback, on two to six qubits, some of them measured at the end."""
    sketch = Sketch(draw, room=math.inf)
    for qubit in range(draw(some.integers(2, 6))):
        sketch.prepare(qubit)
    for _ in range(draw(some.integers(4, 24))):
        draw(some.sampled_from([sketch.gate, sketch.gate, sketch.fault, sketch.reset]))()
    for qubit in sorted(sketch.quantum):
        if draw(some.integers(0, 3)) == 3:
            sketch.measure(qubit)
            sketch.flip()
    program = do.Program(instructions=tuple(sketch.steps), blocks=sketch.blocks())
    return Case(program, draw(tables()))


@dataclass
class Sketch:
    """A program while it is drawn. Every method adds to it, if there is room."""

    draw: some.DrawFn
    steps: list[do.Instruction] = field(default_factory=list)
    quantum: set[int] = field(default_factory=set)
    bits: set[int] = field(default_factory=set)
    room: float = WORLDS  # by which factor the number of worlds may still grow
    serial: int = 0  # number of the next event, for its rate
    strongest: int = 100  # the strongest rate in percent
    compiled: bool = False  # with Channels

    def step(self) -> None:
        moves = (
            [self.gate] * 3
            + [self.fault] * 3
            + [self.measure] * 2
            + [self.toss] * 2
            + [self.reset, self.tally, self.merge, self.custom, self.hidden]
        )
        moves += [self.verify] * 2 + [self.channel] * self.compiled
        if self.bits:
            moves += [self.flip] * 2 + [self.syndrome] * 2 + [self.correct] * 3 + [self.switch, self.when]
        if len(self.quantum | self.bits) > 2:
            moves.append(self.split)
        self.pick(moves)()

    def pick(self, options: Sequence[Any]) -> Any:
        return self.draw(some.sampled_from(options))

    def some_of(self, qubits: set[int], most: int) -> tuple[int, ...]:
        """One to `most` of them, in any order."""
        size = self.draw(some.integers(1, min(most, len(qubits))))
        return tuple(self.draw(some.permutations(sorted(qubits)))[:size])

    def rate(self) -> float:
        self.serial += 1
        return self.draw(some.integers(0, self.strongest)) / (100 + self.serial)

    def may_grow(self, factor: float) -> bool:
        if factor > self.room:
            return False
        self.room /= factor
        return True

    def prepare(self, qubit: int) -> None:
        self.steps.append(do.Prepare(qubit=qubit, basis=self.pick("ZX")))
        self.quantum.add(qubit)
        self.bits.discard(qubit)

    def reset(self) -> None:
        self.prepare(self.draw(some.integers(0, max(self.quantum | self.bits))))

    def gate(self) -> None:
        if not self.quantum:
            return
        singles: list[Any] = [do.H, do.S, do.X, do.Y, do.Z]
        pairs: list[Any] = [
            lambda a, b: do.CX(control=a, target=b),
            lambda a, b: do.CZ(first=a, second=b),
            lambda a, b: do.Swap(first=a, second=b),
        ]
        if len(self.quantum) > 1 and self.pick((True, True, False)):
            a, b = self.draw(some.permutations(sorted(self.quantum)))[:2]
            self.steps.append(self.pick([pairs[0], pairs[0], *pairs])(a, b))
        else:
            self.steps.append(self.pick(singles)(qubit=self.pick(sorted(self.quantum))))

    def hidden(self, number: int | None = None) -> None:
        """A bit of the environment that is 1 with some probability."""
        free = sorted(set(range(QUBITS)) - self.quantum - self.bits) if number is None else [number]
        if free and self.may_grow(2):
            self.steps.append(do.Hidden(bit=free[0], probability=self.rate()))
            self.bits.add(free[0])

    def switch(self) -> None:
        if self.bits and self.may_grow(2):
            self.steps.append(do.Switch(bit=self.pick(sorted(self.bits)), on=self.rate(), off=self.rate()))

    def when(self) -> None:
        """The next fault or flip, if it finds a bit at 1."""
        if self.bits:
            before = len(self.steps)
            self.pick((self.fault, self.flip))()
            if len(self.steps) > before:
                self.steps[-1] = do.When(bit=self.pick(sorted(self.bits)), event=self.steps[-1])  # type: ignore[arg-type]

    def fault(self) -> None:
        if not self.quantum:
            return
        kind = self.pick((do.Depolarize1, do.PauliChannel, do.Depolarize2))
        if kind is do.Depolarize1 and self.may_grow(4):
            self.steps.append(do.Depolarize1(qubit=self.pick(sorted(self.quantum)), rate=self.rate()))
        elif kind is do.Depolarize2 and len(self.quantum) > 1 and self.may_grow(16):
            a, b = self.draw(some.permutations(sorted(self.quantum)))[:2]
            self.steps.append(do.Depolarize2(first=a, second=b, rate=self.rate()))
        elif kind is do.PauliChannel:
            qubits = self.some_of(self.quantum, 3)
            letters = some.text("IXYZ", min_size=len(qubits), max_size=len(qubits)).filter(lambda word: set(word) != {"I"})
            paulis = self.draw(some.lists(letters, min_size=1, max_size=3, unique=True))
            if self.may_grow(1 + len(paulis)):
                rate, weights = self.rate(), [math.sqrt(1 + i) for i in range(len(paulis))]
                errors = tuple((pauli, rate * w / sum(weights)) for pauli, w in zip(paulis, weights, strict=True))
                self.steps.append(do.PauliChannel(qubits=qubits, errors=errors))

    def measure(self, qubit: int | None = None) -> None:
        if not self.quantum:
            return
        qubit = self.pick(sorted(self.quantum)) if qubit is None else qubit
        self.steps.append(do.Measure(qubit=qubit, basis=self.pick("ZX")))
        self.quantum.remove(qubit)
        self.bits.add(qubit)

    def toss(self) -> None:
        """A new bit that is 1 with some probability."""
        free = sorted(set(range(QUBITS)) - self.quantum - self.bits)
        if free and self.may_grow(2):
            self.prepare(free[0])
            self.measure(free[0])
            self.steps.append(do.Flip(bit=free[0], rate=self.rate()))

    def flip(self) -> None:
        if self.may_grow(2):
            self.steps.append(do.Flip(bit=self.pick(sorted(self.bits)), rate=self.rate()))

    def syndrome(self) -> None:
        bits = self.some_of(self.bits, 3)
        row = some.lists(some.integers(0, len(bits) - 1), max_size=len(bits), unique=True).map(tuple)
        checks = self.draw(some.lists(row, max_size=len(bits)).map(tuple))
        gone = set(bits[len(checks) :])
        if self.quantum | self.bits > gone:
            self.steps.append(do.Syndrome(bits=bits, checks=checks))
            self.bits -= gone

    def correct(self) -> None:
        if not self.quantum:
            return
        width = self.draw(some.integers(1, 2))
        bit = some.sampled_from(sorted(self.bits))
        count = self.draw(some.integers(1, 3))
        syndromes = tuple(tuple(self.draw(bit) for _ in range(width)) for _ in range(count))
        absent: tuple[int, ...] = ()
        if self.draw(some.booleans()):
            self.toss()  # so that there is a bit beside those of the syndromes
            others = sorted(self.bits - {bit for syndrome in syndromes for bit in syndrome})
            absent = tuple(self.pick(others or sorted(self.bits)) for _ in range(count))
        table = tuple(self.some_of(self.quantum, 2) if self.pick((True, True, False)) else () for _ in range(2**width))
        self.steps.append(do.Correct(syndromes=syndromes, table=table, pauli=self.pick("XZ"), absent=absent))

    def verify(self) -> None:
        supply = self.pick((None, 1, 2, 3))
        tries = supply or 1
        room = min(self.room, 64) ** (1 / tries)
        body = Sketch(self.draw, room=room, serial=self.serial, strongest=30)
        size = self.draw(some.integers(1, 3))
        for qubit in range(size):
            body.prepare(qubit)
        if self.pick((True, False, False)):
            body.hidden(size)
        for _ in range(self.draw(some.integers(1, 6))):
            self.pick((body.gate, body.gate, body.fault, body.fault, body.switch, body.when))()
        for qubit in self.some_of(body.quantum, 2):
            body.measure(qubit)
        body.flip()
        size = len(body.quantum | body.bits)
        first = self.draw(some.integers(0, QUBITS - size))
        step = do.Verify(
            body=tuple(body.steps),
            checks=self.some_of(body.bits, 2),
            first=first,
            supply=supply,
            otherwise=self.pick(("abort", "use", "skip")),
        )
        old = {first + q for q in range(size)}
        quantum = self.quantum - old | {first + q for q in body.quantum}
        bits = (self.bits - old | {first + q for q in body.bits}) - set(step.released)
        if quantum | bits:
            self.steps.append(step)
            self.quantum, self.bits, self.serial = quantum, bits, body.serial
            self.room /= (room / body.room) ** tries

    def merge(self) -> None:
        self.steps.append(do.Merge(qubits=self.some_of(self.quantum | self.bits, 3)))

    def split(self) -> None:
        qubits = self.some_of(self.quantum | self.bits, 2)
        self.steps.append(do.Split(qubits=qubits))
        self.quantum -= set(qubits)
        self.bits -= set(qubits)

    def custom(self) -> None:
        if not self.may_grow(2):
            return
        qubits = self.some_of(self.quantum | self.bits, 2)
        x, z = self.draw(some.integers(0, 2 ** len(qubits) - 1)), self.draw(some.integers(0, 2 ** len(qubits) - 1))
        z &= sum(1 << i for i, q in enumerate(qubits) if q in self.quantum)
        where = self.draw(some.integers(1, 2**16 - 1))
        change = Jump(where, (x, z), self.draw(some.booleans()), self.pick((1.0, self.rate())))
        self.steps.append(do.Custom(qubits=qubits, change=change))

    def channel(self) -> None:
        """A compiled gadget that looks at everything on its qubits, in any basis, and is aborted from some values."""
        qubits = self.some_of(self.quantum | self.bits, 2)
        looks = [1 << 2 * q + part for q in qubits for part in range(1 + (q in self.quantum))]
        errors = list(looks)
        for order in self.draw(some.lists(some.permutations(range(len(looks))), max_size=4)):
            for i, j in pairwise(order):
                looks[i] ^= looks[j]
                errors[j] ^= errors[i]
        if not self.may_grow(3):
            return
        matrix = np.zeros((2 ** len(looks),) * 2)
        for row in matrix:
            p = self.pick((0.0, self.rate()))
            row[self.draw(some.integers(0, row.size - 1))] = p
            row[self.draw(some.integers(0, row.size - 1))] += self.pick((1.0, 1.0, 0.9)) * (1 - p)
        self.steps.append(do.Channel(qubits=qubits, looks=tuple(looks), errors=tuple(errors), matrix=matrix))

    def tally(self) -> None:
        self.steps.append(do.Tally(blocks=self.blocks()))

    def blocks(self) -> tuple[tuple[int, ...], ...]:
        return tuple(self.some_of(self.quantum | self.bits, 3) for _ in range(self.draw(some.integers(1, 2))))
