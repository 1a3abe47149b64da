"""A program as arrays of integers, for the kernels.

In: a program and a criterion. Out: a :class:`Flat`, in which gates and tasks are operations without noise, and error events are
locations between them, on a clock: a location of rate p lasts -log(1 - p), so that the ticks of a Poisson process of rate 1
strike each location with just its rate, independently of all others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.montecarlo.faults import faults
from triptych.qec.montecarlo.frames import width

Integers = NDArray[np.int64]

PREPARE, HADAMARD, PHASE, CX, CZ, SWAP, MEASURE_X, MEASURE_Z, ATTEMPT, CHECK, SYNDROME, CORRECT, SCORE = range(13)
SUPPLY_ENDS: dict[str, int] = {"abort": 0, "skip": 1, "use": 2}
WIDEST = 8
"""Qubits of the largest scored block: its criterion becomes a table of 4^8 entries."""
CERTAIN = 1 - 2.0**-53
"""A larger rate is taken for this one: its location would never end."""


class Flat(NamedTuple):
    """A program for the kernels.

    Attributes
    ----------
    ops : (operation, 3) its code and two operands: qubits, a row of `verifies`, or a place in `words` (and in `lost`).
    verifies : (verification, 9) its first operation (ATTEMPT) and its last (CHECK), its first location, its supply (0: without
        limit), what happens then (SUPPLY_ENDS), its qubits and its checks (each a place in `words` and a number).
    words : lists of the operations, one behind the other.
    lost : tables of the criterion: entry x + z * 2^n for a block of n qubits.
    place : (location,) the operation before which it strikes.
    clock : (location + 1,) when it begins; the last is the end of the program.
    struck : (location + 1,) where its qubits begin in `struck_qubits`.
    bit : (location,) on which it depends what it does, where it depends on one.
    errors : (location + 1,) where its errors begin in `chance` (cumulated, up to its rate), `x` and `z` (packed), and `where`
        (the value of the bit without which the error does nothing, or -1).
    width : number of qubits.
    """

    ops: Integers
    verifies: Integers
    words: Integers
    lost: NDArray[np.uint8]
    place: Integers
    clock: NDArray[np.float64]
    struck: Integers
    struck_qubits: Integers
    bit: Integers
    errors: Integers
    chance: NDArray[np.float64]
    x: Integers
    z: Integers
    where: Integers
    width: int


def flattens(program: do.Program) -> bool:
    """Whether the program has no Custom task or Channel, and no block of more than eight qubits is scored."""
    tallied = [block for step in program.instructions if isinstance(step, do.Tally) for block in step.blocks]
    custom = any(isinstance(step, do.Custom | do.Channel) for step in program.instructions)
    return not custom and all(len(block) <= WIDEST for block in (*program.blocks, *tallied))


def flatten(program: do.Program, crash: Criterion, *, at_any_time: bool = False) -> Flat:
    """The arrays of a program that :func:`flattens`.

    Cost: 4^n calls of the criterion for blocks of n qubits (10 ms for the [[7,1,3]] code).
    """
    made = _Arrays()
    for step in program.instructions:
        if isinstance(step, do.Verify):
            made.verify(step)
        elif not isinstance(step, do.Tally):
            made.add(step)
        elif at_any_time:
            made.score(step.blocks, crash)
    made.score(program.blocks, crash)
    events = [event for _, event, _ in made.locations]
    rates = np.array([min(event.rate, CERTAIN) for event in events])
    known = [faults(event) for event in events]
    return Flat(
        ops=np.array(made.ops, dtype=np.int64).reshape(-1, 3),
        verifies=np.array(made.verifies, dtype=np.int64).reshape(-1, 9),
        words=np.array(made.words, dtype=np.int64),
        lost=np.array(made.lost, dtype=np.uint8),
        place=np.array([place for place, _, _ in made.locations], dtype=np.int64),
        clock=np.concatenate([[0.0], np.cumsum(-np.log1p(-rates))]),
        struck=_starts([len(one.qubits) for one in known]),
        struck_qubits=np.array(
            [first + q for (_, _, first), one in zip(made.locations, known, strict=True) for q in one.qubits], dtype=np.int64
        ),
        bit=np.array([first + one.bit for (_, _, first), one in zip(made.locations, known, strict=True)], dtype=np.int64),
        errors=_starts([one.x.size for one in known]),
        chance=np.concatenate([np.zeros(0), *(one.chance for one in known)]),
        x=np.concatenate([np.zeros(0, dtype=np.int64), *(one.x for one in known)]),
        z=np.concatenate([np.zeros(0, dtype=np.int64), *(one.z for one in known)]),
        where=np.concatenate([np.zeros(0, dtype=np.int64), *(one.where for one in known)]),
        width=width(program.instructions),
    )


def _starts(lengths: list[int]) -> Integers:
    return np.cumsum([0, *lengths], dtype=np.int64)


class _Arrays:
    """The lists that grow while one walks through the program."""

    def __init__(self) -> None:
        self.ops: list[tuple[int, int, int]] = []
        self.verifies: list[tuple[int, ...]] = []
        self.words: list[int] = []
        self.lost: list[bool] = []
        self.tables: dict[int, int] = {}
        self.locations: list[tuple[int, do.Event | do.Conditional, int]] = []  # operation, event, number of the body's qubit 0

    def add(self, step: do.Instruction, first: int = 0) -> None:
        match step:
            case do.Prepare(qubit=q):
                self.op(PREPARE, first + q)
            case do.Hidden(bit=b, probability=p):
                self.op(PREPARE, first + b)
                self.add(do.Flip(bit=b, rate=p), first)
            case do.H(qubit=q):
                self.op(HADAMARD, first + q)
            case do.S(qubit=q):
                self.op(PHASE, first + q)
            case do.CX(control=a, target=b):
                self.op(CX, first + a, first + b)
            case do.CZ(first=a, second=b):
                self.op(CZ, first + a, first + b)
            case do.Swap(first=a, second=b):
                self.op(SWAP, first + a, first + b)
            case do.Measure(qubit=q, basis=basis):
                self.op(MEASURE_Z if basis == "Z" else MEASURE_X, first + q)
            case do.Depolarize1() | do.Depolarize2() | do.PauliChannel() | do.Flip() | do.Switch() | do.When():
                if step.rate > 0:
                    self.locations.append((len(self.ops), step, first))
            case do.Syndrome(bits=bits, checks=checks):
                rows = [word for row in checks for word in (len(row), *(bits[i] for i in row))]
                self.op(SYNDROME, self.listed(len(checks), *bits[: len(checks)], *rows))
            case do.Correct():
                bits = tuple(bit for syndrome in step.syndromes for bit in syndrome)
                shape = (step.pauli == "X", len(step.syndromes), len(step.syndromes[0]), len(step.absent))
                ends = _starts([len(row) for row in step.table])
                self.op(CORRECT, self.listed(*shape, *step.absent, *bits, *ends, *(q for row in step.table for q in row)))
            case _:
                pass  # Pauli gates move no error; Merge and Split are how a tree keeps its books

    def verify(self, step: do.Verify) -> None:
        number, begin, location = len(self.verifies), len(self.ops), len(self.locations)
        self.op(ATTEMPT, number)
        for one in step.body:
            self.add(one, step.first)
        qubits = self.listed(*step.made)
        checks = self.listed(*(step.first + check for check in step.checks))
        ends = SUPPLY_ENDS[step.otherwise]
        limits = (begin, len(self.ops), location, step.supply or 0, ends)
        self.verifies.append((*limits, qubits, len(step.made), checks, len(step.checks)))
        self.op(CHECK, number)

    def score(self, blocks: tuple[tuple[int, ...], ...], crash: Criterion) -> None:
        for block in blocks:
            size = len(block)
            if size not in self.tables:
                self.tables[size] = len(self.lost)
                self.lost += [bool(crash(x, z)) for z in range(2**size) for x in range(2**size)]
            self.op(SCORE, self.listed(size, *block), self.tables[size])

    def op(self, code: int, first: int, second: int = 0) -> None:
        self.ops.append((code, first, second))

    def listed(self, *numbers: int) -> int:
        """Where the list of these numbers begins."""
        self.words += map(int, numbers)
        return len(self.words) - len(numbers)
