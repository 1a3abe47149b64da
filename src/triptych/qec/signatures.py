"""What a fault leaves behind, as far as anything in the program can see it.

In: a program and a criterion. Out: for every error of every noise location its :class:`Signature`, and the stages that read it.
Everything but look-up corrections is linear over F2, so that the signature of a combination of faults is the XOR of theirs; it
holds what each check, each syndrome and each score would read if no correction ever acted. A correction adds the signature of its
own Pauli operator, which :func:`lost` does for many combinations at once.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.montecarlo.frames import vote
from triptych.qec.tasks import propagation
from triptych.qec.tree.observed import corrections, of_block, score

Values = NDArray[np.int64]
"""(field, combination): what each stage would read."""

FEWEST = 3
"""A finite supply of so many blocks is used up by three faults at least, so that one and two faults see no end of it."""


class Location(NamedTuple):
    """A place where noise acts.

    Attributes
    ----------
    event : the error event (in the numbers of the body, inside a Verify).
    source : where its noise comes from.
    gadget : the part of the program: an ancilla, or the stretch up to a correction.
    """

    event: do.Event
    source: str
    gadget: str


class Fault(NamedTuple):
    """One error of one location: its index in `locations`, its signature (packed), its probability."""

    location: int
    signature: int
    probability: float


class Vote(NamedTuple):
    """A correction. syndromes, absent : fields that it reads; moves : (field, value) what it adds, in the last column nothing."""

    syndromes: list[int]
    absent: list[int]
    moves: Values


class Score(NamedTuple):
    """A block is scored. field : what it reads; fails : by value."""

    field: int
    fails: NDArray[np.bool_]


class Signatures(NamedTuple):
    """All single faults of a program.

    Attributes
    ----------
    locations : from first to last, those of rate 0 left out.
    faults : every error of every location.
    checks : the bits of a signature that must be 0 for all verifications to accept.
    fields : (first bit, number of bits) of each field that the stages read.
    stages : corrections and scores, from first to last.
    """

    locations: tuple[Location, ...]
    faults: tuple[Fault, ...]
    checks: int
    fields: tuple[tuple[int, int], ...]
    stages: tuple[Vote | Score, ...]

    def values(self, signatures: Iterable[int]) -> Values:
        """The fields of packed signatures."""
        packed = list(signatures)
        rows = [[one >> start & (1 << size) - 1 for one in packed] for start, size in self.fields]
        return np.array(rows, dtype=np.int64).reshape(len(self.fields), len(packed))


def signatures(program: do.Program, crash: Criterion, *, at_any_time: bool = False) -> Signatures:
    """The signature of every single fault.

    Raises
    ------
    ConfigError
        If the program has an instruction that is neither linear nor a look-up correction, or a finite supply of one or two
        ancilla blocks.

    Notes
    -----
    One walk from the end of the program to its beginning. Cost: (errors) x (bits of a signature / 64) integer operations.

    Examples
    --------
    >>> from triptych.qec import Noise, criteria, steane
    >>> found = signatures(steane.recovery(Noise.uniform(1e-3)), criteria.css)
    >>> len(found.locations), sum(fault.signature & found.checks != 0 for fault in found.faults)
    (288, 1374)
    """
    walk = _Walk(crash)
    walk.score(program.blocks)
    for step, gadget in reversed(list(zip(program.instructions, _gadgets(program), strict=True))):
        if not isinstance(step, do.Tally):
            walk.back(step, gadget)
        elif at_any_time:
            walk.score(step.blocks)
    return walk.end()


def source(event: do.Event) -> str:
    """Where the noise of an event comes from: the source that it names, else its kind.

    Examples
    --------
    >>> source(do.Flip(bit=0, rate=0.1, source="check/measurement")), source(do.Flip(bit=0, rate=0.1))
    ('check/measurement', 'Flip')
    """
    return event.source or type(event).__name__


def lost(stages: Sequence[Vote | Score], values: Values) -> NDArray[np.bool_]:
    """(combination,) whether a scored block is lost; `values` are changed as the corrections act."""
    found = np.zeros(values.shape[1], dtype=bool)
    for stage in stages:
        if isinstance(stage, Score):
            found |= stage.fails[values[stage.field]]
        else:
            read = values[stage.syndromes]
            elected = vote(read, values[stage.absent] == 0 if stage.absent else np.ones_like(read, dtype=bool))
            for field in np.flatnonzero(stage.moves.any(axis=1)):
                values[field] ^= stage.moves[field, elected]
    return found


def _gadgets(program: do.Program) -> list[str]:
    """For each instruction the part of the program that it belongs to."""
    names: list[str] = []
    waiting: list[str] = []
    number = ancillas = 0
    for step in program.instructions:
        ancillas += isinstance(step, do.Verify)
        waiting.append(f"ancilla {ancillas} for" if isinstance(step, do.Verify) else "before")
        if isinstance(step, do.Correct):
            number += 1
            names += [f"{kind} correction {number} ({_aim(step, program)})" for kind in waiting]
            waiting, ancillas = [], 0
    return names + ["after the last correction" if number else "the whole program"] * len(waiting)


def _aim(step: do.Correct, program: do.Program) -> str:
    qubits = {q for row in step.table for q in row}
    blocks = [i for i, block in enumerate(program.blocks) if qubits.intersection(block)]
    return " ".join([step.pauli, *(f"block {i}" for i in blocks)])


@final
class _Walk:
    """From the end of a program to its beginning; `images` has the signature of a unit error at each coordinate.

    Coordinate 2q is the X part of qubit q (or its bit, once measured), 2q + 1 its Z part.
    """

    def __init__(self, crash: Criterion) -> None:
        self.crash = crash
        self.images: dict[int, int] = {}
        self.bits = self.checks = 0
        self.fields: list[tuple[int, int]] = []
        self.stages: list[Score | tuple[list[int], list[int], list[int]]] = []  # a score; syndromes, absent, images of the table
        self.struck: list[tuple[Location, list[tuple[int, float]]]] = []

    def back(self, step: do.Instruction, gadget: str, first: int = 0) -> None:
        """Before the instruction instead of after it; its qubit 0 is the program's qubit `first`."""
        match step:
            case do.Prepare(qubit=q):
                for part in (0, 1):
                    self.images.pop(2 * (first + q) + part, None)
            case do.H(qubit=q) | do.S(qubit=q) | do.Measure(qubit=q):
                self.linear(step, (q,), first)
            case do.CX(control=a, target=b) | do.CZ(first=a, second=b) | do.Swap(first=a, second=b):
                self.linear(step, (a, b), first)
            case do.Depolarize1() | do.Depolarize2() | do.PauliChannel() | do.Flip():
                self.locate(step, gadget, first)
            case do.Syndrome(bits=bits, checks=checks):
                stored = [self.images.pop(2 * bit, 0) for bit in bits]
                for i, bit in enumerate(bits):
                    self.images[2 * bit] = _xor(image for row, image in zip(checks, stored, strict=False) if i in row)
            case do.Correct(syndromes=syndromes, absent=absent):
                table = [self.image(error) for error in corrections(step)]
                fields = [self.field(1 << 2 * bit for bit in bits) for bits in (*syndromes, *((bit,) for bit in absent))]
                self.stages.append((fields[: len(syndromes)], fields[len(syndromes) :], table))
            case do.Verify(body=body, checks=checks, first=start, supply=supply):
                if supply is not None and supply < FEWEST:
                    expected = f"no limit, or {FEWEST} and more"
                    raise ConfigError("so small a supply is no post-selection", got=f"supply={supply}", expected=expected)
                self.checks |= (1 << len(checks)) - 1 << self.bits
                self.mark(1 << 2 * (start + check) for check in checks)
                for one in reversed(body):
                    self.back(one, gadget, start)
            case do.X() | do.Y() | do.Z() | do.Merge() | do.Split():
                pass  # Pauli gates move no error, and nobody looks at what is split off
            case _:
                got = f"a {type(step).__name__} task"
                raise ConfigError("two faults do not add up in this program", got=got, expected="gates, checks and look-ups")

    def linear(self, step: do.H | do.S | do.CX | do.CZ | do.Swap | do.Measure, qubits: tuple[int, ...], first: int) -> None:
        change = propagation(step)
        errors = {c: change(1 << c) << 2 * first for q in qubits for c in (2 * q, 2 * q + 1)}
        self.images |= {2 * first + c: self.image(after) for c, after in errors.items()}

    def locate(self, event: do.Event, gadget: str, first: int) -> None:
        qubits, errors = do.outcomes(event)
        faults = []
        for string, probability in errors:
            error = sum("IXZY".index(letter) << 2 * (first + q) for q, letter in zip(qubits, string, strict=True))
            if probability > 0:
                faults.append((self.image(error), probability))
        if faults:
            self.struck.append((Location(event, source(event), gadget), faults))

    def score(self, blocks: Iterable[tuple[int, ...]]) -> None:
        for block in blocks:
            functionals, fails = score(self.crash, len(block))
            self.stages.append(Score(self.field(of_block(functionals, block)), fails))

    def field(self, functionals: Iterable[int]) -> int:
        """A new field, with one bit for each functional."""
        start = self.bits
        self.mark(functionals)
        self.fields.append((start, self.bits - start))
        return len(self.fields) - 1

    def mark(self, functionals: Iterable[int]) -> None:
        """New bits of the signatures: the values of these functionals of the error."""
        for functional in functionals:
            for c in f2.entries(functional):
                self.images[c] = self.images.get(c, 0) ^ 1 << self.bits
            self.bits += 1

    def image(self, error: int) -> int:
        """The signature of an error."""
        return _xor(self.images.get(c, 0) for c in f2.entries(error))

    def end(self) -> Signatures:
        """All that was found, from first to last."""
        ordered = list(reversed(self.struck))
        found = Signatures(
            locations=tuple(location for location, _ in ordered),
            faults=tuple(Fault(i, *fault) for i, (_, faults) in enumerate(ordered) for fault in faults),
            checks=self.checks,
            fields=tuple(self.fields),
            stages=(),
        )
        stages = [
            stage if isinstance(stage, Score) else Vote(*stage[:2], found.values([*stage[2], 0]))
            for stage in reversed(self.stages)
        ]
        return found._replace(stages=tuple(stages))


def _xor(images: Iterable[int]) -> int:
    return reduce(operator.xor, images, 0)
