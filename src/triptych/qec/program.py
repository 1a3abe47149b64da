"""Programs, which all engines run.

In: instructions (:mod:`triptych.qec.instructions`, all of which can be imported from here too) and the code blocks to score. Out:
an immutable, checked :class:`Program`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np

from triptych.errors import ConfigError
from triptych.qec.instructions import (
    CX,
    CZ,
    Basis,
    Channel,
    Conditional,
    Correct,
    Custom,
    Depolarize1,
    Depolarize2,
    Event,
    Flip,
    Gate,
    H,
    Hidden,
    Instruction,
    Measure,
    Merge,
    PauliChannel,
    Prepare,
    S,
    Split,
    Swap,
    Switch,
    Syndrome,
    Tally,
    Task,
    Verify,
    When,
    X,
    Y,
    Z,
    outcomes,
    packed,
    started,
)

__all__ = [
    "CX",
    "CZ",
    "Basis",
    "Channel",
    "Conditional",
    "Correct",
    "Custom",
    "Depolarize1",
    "Depolarize2",
    "Event",
    "Flip",
    "Gate",
    "H",
    "Hidden",
    "Instruction",
    "Kind",
    "Measure",
    "Merge",
    "PauliChannel",
    "Prepare",
    "Program",
    "S",
    "Split",
    "Swap",
    "Switch",
    "Syndrome",
    "Tally",
    "Task",
    "Verify",
    "When",
    "X",
    "Y",
    "Z",
    "admit",
    "outcomes",
    "packed",
    "started",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Instructions, and the code blocks that are scored at the end.

    Attributes
    ----------
    instructions : run from first to last.
    blocks : the qubits of each code block, in the order of the code; a crash of any block is a crash of the program.

    Raises
    ------
    ConfigError
        If an instruction uses a qubit that is not there, a measured qubit as a quantum one (or the reverse), a rate outside
        [0, 1], or a task whose parts do not fit together.

    Examples
    --------
    >>> program = Program(instructions=(Prepare(qubit=0), Depolarize1(qubit=0, rate=0.3)), blocks=((0,),))
    >>> print(program)
    Prepare(qubit=0, basis='Z')
    Depolarize1(qubit=0, rate=0.3)
    >>> program.physical_qubits
    1
    """

    instructions: tuple[Instruction, ...]
    blocks: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        kinds: dict[int, Kind] = {}
        for step in self.instructions:
            admit(step, kinds)
        for block in self.blocks:
            if not _distinct(block):
                raise ConfigError("a code block is not a list of different qubits", got=block, expected="one qubit or more")
            for qubit in block:
                _require(qubit, kinds, ("quantum", "bit"), "the scored block")

    @property
    def physical_qubits(self) -> int:
        """Fresh qubits consumed, every preparation counted once, without reuse (and without repeated attempts)."""
        return sum(isinstance(instruction, Prepare) for instruction in self.flat())

    @property
    def strongest_rate(self) -> float:
        """The largest rate of any error event or hidden bit; 0 without noise."""
        rates = [step.rate for step in self.flat() if isinstance(step, Event | When)]
        rates += [step.probability for step in self.flat() if isinstance(step, Hidden)]
        return max(rates, default=0.0)

    def flat(self) -> Iterator[Instruction]:
        """All instructions, with each :class:`Verify` followed by its body (in the body's own numbers)."""
        for instruction in self.instructions:
            yield instruction
            if isinstance(instruction, Verify):
                yield from instruction.body

    def __str__(self) -> str:
        return "\n".join(str(instruction) for instruction in self.instructions)


Kind = Literal["quantum", "bit"]


def _require(qubit: int, kinds: dict[int, Kind], wanted: tuple[Kind, ...], where: object) -> None:
    if kinds.get(qubit) in wanted:
        return
    state = "not prepared" if qubit not in kinds else "not measured" if kinds[qubit] == "quantum" else "measured already"
    fix = {"not prepared": "Prepare it first", "not measured": "Measure it first", "measured already": "Prepare it again before"}
    expected = " or ".join({"quantum": "a quantum qubit", "bit": "a measured qubit"}[kind] for kind in wanted)
    raise ConfigError(
        f"qubit {qubit} cannot be used in {where}", got=f"a qubit that is {state}", expected=expected, fix=fix[state]
    )


def _require_that(holds: bool, instruction: Instruction, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{type(instruction).__name__} does not fit together", got=instruction, expected=expected)


def _chance(p: float) -> bool:
    return isinstance(p, Real) and 0 <= p <= 1


def _distinct(qubits: tuple[int, ...]) -> bool:
    return 0 < len(set(qubits)) == len(qubits)


def admit(step: Instruction, kinds: dict[int, Kind]) -> None:
    """Check one instruction against the qubits that are there (their kinds), and note which are there after it.

    Raises
    ------
    ConfigError
        As :class:`Program` does.
    """
    if isinstance(step, Event):
        _require_that(isinstance(step.rate, Real) and 0 <= step.rate <= 1 + 1e-12, step, "a rate with 0 <= rate <= 1")
    match step:
        case Prepare(qubit=q):
            numbered = isinstance(q, int) and q >= 0
            _require_that(numbered and step.basis in ("Z", "X"), step, "a qubit number >= 0, and basis 'Z' or 'X'")
            kinds[q] = "quantum"
        case Hidden(bit=b, probability=p):
            _require_that(isinstance(b, int) and b >= 0 and _chance(p), step, "a number >= 0, and 0 <= probability <= 1")
            kinds[b] = "bit"
        case H(qubit=q) | S(qubit=q) | X(qubit=q) | Y(qubit=q) | Z(qubit=q) | Depolarize1(qubit=q):
            _require(q, kinds, ("quantum",), step)
        case PauliChannel(qubits=qubits, errors=errors):
            strings = [string for string, _ in errors]
            fits = all(len(string) == len(qubits) and set(string) <= set("IXYZ") for string in strings)
            fits = fits and len(set(strings)) == len(strings) and "I" * len(qubits) not in strings
            fits = fits and all(0 <= p <= 1 for _, p in errors)
            _require_that(_distinct(qubits) and fits, step, "different qubits, and for each error one letter of IXYZ a qubit")
            for q in qubits:
                _require(q, kinds, ("quantum",), step)
        case CX(control=a, target=b) | CZ(first=a, second=b) | Swap(first=a, second=b) | Depolarize2(first=a, second=b):
            _require_that(a != b, step, "two different qubits")
            _require(a, kinds, ("quantum",), step)
            _require(b, kinds, ("quantum",), step)
        case Measure(qubit=q):
            _require_that(step.basis in ("Z", "X"), step, "basis 'Z' or 'X'")
            _require(q, kinds, ("quantum",), step)
            kinds[q] = "bit"
        case Flip(bit=b):
            _require(b, kinds, ("bit",), step)
        case Switch(bit=b, on=on, off=off):
            _require_that(_chance(on) and _chance(off), step, "probabilities with 0 <= on <= 1 and 0 <= off <= 1")
            _require(b, kinds, ("bit",), step)
        case When(bit=b, event=event):
            _require_that(isinstance(event, Event), step, "an error event")
            _require(b, kinds, ("bit",), step)
            admit(event, kinds)
        case Verify():
            made: dict[int, Kind] = {}
            for one in step.body:
                _require_that(not isinstance(one, Task), one, "only gates, noise and measurements in the body of a Verify")
                admit(one, made)
            fits = isinstance(step.body, tuple) and _distinct(step.checks) and step.first >= 0
            _require_that(fits, step, "a tuple of instructions, at least one check, none twice, and first >= 0")
            for check in step.checks:
                _require(check, made, ("bit",), "the checks of a Verify")
            kinds |= {step.first + q: kind for q, kind in made.items()}
            limited = step.supply is None or (isinstance(step.supply, int) and step.supply >= 1)
            _require_that(limited and step.otherwise in ("abort", "skip", "use"), step, "supply >= 1, and abort, skip or use")
            for bit in step.released:
                kinds.pop(bit, None)
        case Syndrome():
            positions = range(len(step.bits))
            fits = all(len(set(row)) == len(row) and all(i in positions for i in row) for row in step.checks)
            fits = fits and _distinct(step.bits) and len(step.checks) <= len(step.bits)
            _require_that(fits, step, "different bits, and no more checks than bits, each of different positions within bits")
            for bit in step.bits:
                _require(bit, kinds, ("bit",), step)
            for bit in step.bits[len(step.checks) :]:
                kinds.pop(bit, None)
        case Correct():
            widths = {len(syndrome) for syndrome in step.syndromes}
            fits = len(widths) == 1 and 0 not in widths and len(step.table) == 2 ** max(widths)
            _require_that(fits, step, "syndromes of r >= 1 bits, and a table of 2^r rows")
            _require_that(all(not row or _distinct(row) for row in step.table), step, "no qubit twice in a row of the table")
            _require_that(step.pauli in ("X", "Z"), step, "pauli 'X' or 'Z'")
            _require_that(len(step.absent) in (0, len(step.syndromes)), step, "a marker bit for each syndrome, or none")
            for bit in (*(bit for syndrome in step.syndromes for bit in syndrome), *step.absent):
                _require(bit, kinds, ("bit",), step)
            for q in (q for row in step.table for q in row):
                _require(q, kinds, ("quantum",), step)
        case Tally(blocks=blocks):
            _require_that(bool(blocks) and all(_distinct(block) for block in blocks), step, "blocks of different qubits")
            for q in (q for block in blocks for q in block):
                _require(q, kinds, ("quantum", "bit"), step)
        case Channel(qubits=qubits):
            _require_that(_distinct(qubits), step, "one qubit or more, none twice")
            for q in qubits:
                _require(q, kinds, ("quantum", "bit"), step)
            there = sum((3 if kinds[q] == "quantum" else 1) << 2 * q for q in qubits)
            inside = all(isinstance(mask, int) and mask >= 0 and not mask & ~there for mask in (*step.looks, *step.errors))
            _require_that(inside and bool(step.looks), step, "one look or more, and masks over coordinates of these qubits")
            flips = [[(look & error).bit_count() & 1 for error in step.errors] for look in step.looks]
            dual = flips == np.eye(len(step.looks), dtype=int).tolist()
            _require_that(dual, step, "for each look an error that flips this look alone")
            fits = step.matrix.dtype == np.float64 and step.matrix.shape == (2 ** len(step.looks),) * 2
            fits = fits and bool((step.matrix >= 0).all() and (step.matrix.sum(axis=1) <= 1 + 1e-12).all())
            _require_that(fits, step, "a matrix [2^looks, 2^looks] of probabilities whose rows sum to at most 1")
        case Merge(qubits=qubits) | Split(qubits=qubits) | Custom(qubits=qubits):
            _require_that(_distinct(qubits), step, "one qubit or more, none twice")
            for q in qubits:
                _require(q, kinds, ("quantum", "bit"), step)
            if isinstance(step, Split):
                for q in qubits:
                    kinds.pop(q, None)
        case _:
            raise ConfigError("not an instruction", got=step, expected="an instruction of triptych.qec")
