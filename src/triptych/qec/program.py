"""The instruction set of the panel.

In: gates, noise, measurements and error-correction tasks on numbered qubits. Out: an immutable, checked :class:`Program` that
all engines run. Programs follow errors, not quantum states: a qubit carries a Pauli error, and a measured qubit carries one bit,
whether its outcome is flipped. Pauli gates move no error; they are there so that circuits can be written down as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from numbers import Real
from typing import Literal

from triptych.errors import ConfigError

Basis = Literal["Z", "X"]
SOURCE: str = field(default="", compare=False, repr=False)
"""Of an error event: what causes it, such as ``"extraction/two_qubit"`` (place and class of faults)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """The qubit starts afresh, without error, in ``|0>`` (basis Z) or ``|+>`` (basis X); what it held before is forgotten."""

    qubit: int
    basis: Basis = "Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class H:
    """Hadamard gate: X and Z errors change places."""

    qubit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class S:
    """Phase gate: X errors become Y errors."""

    qubit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class X:
    """Pauli X gate."""

    qubit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Y:
    """Pauli Y gate."""

    qubit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Z:
    """Pauli Z gate."""

    qubit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CX:
    """Controlled NOT: X spreads from control to target, Z from target to control."""

    control: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CZ:
    """Controlled phase: X on either qubit puts Z on the other."""

    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """The errors of the two qubits change places."""

    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depolarize1:
    """One-qubit error event (Sec. II.D): X, Y and Z with probability rate / 3 each."""

    qubit: int
    rate: float
    source: str = SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Depolarize2:
    """Two-qubit error event (Sec. II.D): each of the 15 Paulis but II with probability rate / 15."""

    first: int
    second: int
    rate: float
    source: str = SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class PauliChannel:
    """An error event with a probability for each Pauli error; the depolarizing events are special cases.

    Attributes
    ----------
    qubits : on which the errors act, one or more.
    errors : (Pauli string, probability), one letter of I, X, Y, Z for each qubit; what is missing to 1 is the identity.
    source : where the noise comes from, as all events may say; it makes no difference but to an error budget.

    Examples
    --------
    >>> biased = PauliChannel(qubits=(0,), errors=(("X", 1e-5), ("Z", 1e-3)))
    """

    qubits: tuple[int, ...]
    errors: tuple[tuple[str, float], ...]
    source: str = SOURCE

    @property
    def rate(self) -> float:
        """The probability that any error strikes."""
        return math.fsum(p for _, p in self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The qubit becomes a bit: 1 where its error flips the outcome in this basis."""

    qubit: int
    basis: Basis = "Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Measurement error: the bit of a measured qubit flips with probability rate."""

    bit: int
    rate: float
    source: str = SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """A preparation with checks, which are 0 where it is accepted. By default it is repeated until then.

    Attributes
    ----------
    body : elementary instructions on qubits 0, 1, ... of its own, all of which it prepares, so that it can be repeated.
    checks : measured qubits of the body that must be 0; they are released afterwards.
    first : the body's qubit q becomes the program's qubit first + q.
    supply : how many blocks there are to try; None is without limit.
    otherwise : what happens where all blocks of a finite supply are rejected. ``"abort"``: the program ends there, which counts
        as a crash. ``"use"``: the last block is used as it is. ``"skip"``: the gates that follow find an error-free block, and
        the qubit ``first + checks[0]`` stays as a marker bit (1 where skipped) that tells :class:`Correct` not to count it.
    """

    body: tuple[Instruction, ...]
    checks: tuple[int, ...]
    first: int = 0
    supply: int | None = None
    otherwise: Literal["abort", "skip", "use"] = "abort"

    @property
    def released(self) -> tuple[int, ...]:
        """The checks that are gone afterwards, in the program's numbers."""
        kept = self.supply is not None and self.otherwise == "skip"
        return tuple(self.first + check for check in (self.checks[1:] if kept else self.checks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Syndrome:
    """Store a syndrome in the measured qubits themselves (Sec. II.F).

    The parity of ``checks[i]`` is written into ``bits[i]``; the bits beyond the last check are released. A check lists positions
    within `bits`.
    """

    bits: tuple[int, ...]
    checks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correct:
    """Majority vote and look-up correction (Sec. II.F).

    Where more than half of the stored `syndromes` agree on a value s (the first bit is the lowest), `pauli` acts on the qubits
    ``table[s]``; without a majority nothing happens. The correction itself is free of noise. Syndrome i takes no part in the
    vote where the bit ``absent[i]`` is 1 (no such bits, and all vote).
    """

    syndromes: tuple[tuple[int, ...], ...]
    table: tuple[tuple[int, ...], ...]
    pauli: Literal["X", "Z"]
    absent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Join the QubitSets of these qubits (Sec. II.E); instructions on two sets do so by themselves."""

    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Remove qubits from their QubitSets and forget them (Sec. II.E); the rest keeps its marginal distribution."""

    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A task of one's own: what becomes of an error on these qubits.

    ``change(x, z)`` takes the packed X and Z bits of the error (bit i is ``qubits[i]``; a measured qubit has its bit in x) and
    returns the distribution of what replaces it, {(x, z): probability}, with probabilities that sum to 1 (z = 0 for a measured
    qubit). Engines apply it to
    each state of the error map, which keeps certificates valid. It is free of noise but for what the function puts in.

    Examples
    --------
    >>> reset_if_marked = Custom(qubits=(0, 1), change=lambda x, z: {(x & 2 if x & 2 else x, z): 1.0})
    """

    qubits: tuple[int, ...]
    change: Callable[[int, int], Mapping[tuple[int, int], float]]

    def distribution(self, x: int, z: int) -> dict[tuple[int, int], float]:
        """What becomes of this error: the possible ones, and probabilities that sum to 1.

        Raises
        ------
        ConfigError
            If they do not within 1e-12, or if an error does not fit on the qubits.
        """
        chances = dict(self.change(x, z))
        total, size = sum(chances.values()), 1 << len(self.qubits)
        fits = all(p >= 0 and 0 <= new_x < size and 0 <= new_z < size for (new_x, new_z), p in chances.items())
        if not fits or abs(total - 1) > 1e-12:
            raise ConfigError(
                "a Custom task returns no distribution",
                got=f"{chances} for (x, z) = {x, z}",
                expected="probabilities that sum to 1",
            )
        return {error: p / total for error, p in chances.items() if p > 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Score these blocks here too, where crashes are counted "at any time"; otherwise nothing happens."""

    blocks: tuple[tuple[int, ...], ...]


Gate = H | S | X | Y | Z | CX | CZ | Swap
Event = Depolarize1 | Depolarize2 | PauliChannel | Flip
Task = Verify | Syndrome | Correct | Merge | Split | Custom | Tally
Instruction = Prepare | Gate | Event | Measure | Task


def outcomes(event: Event) -> tuple[tuple[int, ...], tuple[tuple[str, float], ...]]:
    """The qubits of an error event and its errors, each a Pauli string (one letter a qubit) with its probability.

    The flip of a measured bit is an X error.

    Examples
    --------
    >>> outcomes(Flip(bit=3, rate=0.25))
    ((3,), (('X', 0.25),))
    >>> len(outcomes(Depolarize2(first=0, second=1, rate=0.15))[1])
    15
    """
    match event:
        case Depolarize1(qubit=q, rate=rate):
            return (q,), tuple((pauli, rate / 3) for pauli in "XYZ")
        case Depolarize2(first=a, second=b, rate=rate):
            return (a, b), tuple((p + q, rate / 15) for p, q in product("IXYZ", repeat=2) if p + q != "II")
        case PauliChannel(qubits=qubits, errors=errors):
            return qubits, errors
        case Flip(bit=b, rate=rate):
            return (b,), (("X", rate),)


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
        """The largest rate of any error event; 0 without noise."""
        events = (step for step in self.flat() if isinstance(step, Event))
        return max((event.rate for event in events), default=0.0)

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
        case Merge(qubits=qubits) | Split(qubits=qubits) | Custom(qubits=qubits):
            _require_that(_distinct(qubits), step, "one qubit or more, none twice")
            for q in qubits:
                _require(q, kinds, ("quantum", "bit"), step)
            if isinstance(step, Split):
                for q in qubits:
                    kinds.pop(q, None)
        case _:
            raise ConfigError("not an instruction", got=step, expected="an instruction of triptych.qec")
