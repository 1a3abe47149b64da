"""The instruction set of the panel.

In: gates, noise, measurements and error-correction tasks on numbered qubits. Out: an immutable, checked :class:`Program` that
both engines run. Programs follow errors, not quantum states: a qubit carries a Pauli error, and a measured qubit carries one bit,
whether its outcome is flipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from triptych.errors import ConfigError

Basis = Literal["Z", "X"]


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
class Depolarize1:
    """One-qubit error event (Sec. II.D): X, Y and Z with probability rate / 3 each."""

    qubit: int
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Depolarize2:
    """Two-qubit error event (Sec. II.D): each of the 15 Paulis but II with probability rate / 15."""

    first: int
    second: int
    rate: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """A preparation that is repeated until all its checks are 0 (supply without limit).

    Attributes
    ----------
    body : elementary instructions on qubits 0, 1, ... of its own, all of which it prepares, so that it can be repeated.
    checks : measured qubits of the body that must be 0; they are released afterwards.
    first : the body's qubit q becomes the program's qubit first + q.
    """

    body: tuple[Instruction, ...]
    checks: tuple[int, ...]
    first: int = 0


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
    ``table[s]``; without a majority nothing happens. The correction itself is free of noise.
    """

    syndromes: tuple[tuple[int, ...], ...]
    table: tuple[tuple[int, ...], ...]
    pauli: Literal["X", "Z"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Join the QubitSets of these qubits (Sec. II.E); instructions on two sets do so by themselves."""

    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Remove qubits from their QubitSets and forget them (Sec. II.E); the rest keeps its marginal distribution."""

    qubits: tuple[int, ...]


Instruction = Prepare | H | CX | CZ | Depolarize1 | Depolarize2 | Measure | Flip | Verify | Syndrome | Correct | Merge | Split


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
        kinds = _check(self.instructions)
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
        events = (step for step in self.flat() if isinstance(step, Depolarize1 | Depolarize2 | Flip))
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


def _check(instructions: tuple[Instruction, ...], inside: bool = False) -> dict[int, Kind]:
    """Walk through the program; the kind of each qubit that is there at the end."""
    kinds: dict[int, Kind] = {}
    for step in instructions:
        if isinstance(step, Depolarize1 | Depolarize2 | Flip):
            _require_that(0 <= step.rate <= 1, step, "a rate with 0 <= rate <= 1")
        if inside:
            tasks = (Verify, Syndrome, Correct, Merge, Split)
            _require_that(not isinstance(step, tasks), step, "only gates, noise and measurements in the body of a Verify")
        match step:
            case Prepare(qubit=q):
                numbered = isinstance(q, int) and q >= 0
                _require_that(numbered and step.basis in ("Z", "X"), step, "a qubit number >= 0, and basis 'Z' or 'X'")
                kinds[q] = "quantum"
            case H(qubit=q) | Depolarize1(qubit=q):
                _require(q, kinds, ("quantum",), step)
            case CX(control=a, target=b) | CZ(first=a, second=b) | Depolarize2(first=a, second=b):
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
                made = _check(step.body, inside=True)
                _require_that(_distinct(step.checks) and step.first >= 0, step, "at least one check, none twice, and first >= 0")
                for check in step.checks:
                    _require(check, made, ("bit",), "the checks of a Verify")
                kinds |= {step.first + q: kind for q, kind in made.items()}
                for check in step.checks:
                    kinds.pop(step.first + check, None)
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
                for bit in (bit for syndrome in step.syndromes for bit in syndrome):
                    _require(bit, kinds, ("bit",), step)
                for q in (q for row in step.table for q in row):
                    _require(q, kinds, ("quantum",), step)
            case Merge(qubits=qubits) | Split(qubits=qubits):
                _require_that(_distinct(qubits), step, "one qubit or more, none twice")
                for q in qubits:
                    _require(q, kinds, ("quantum", "bit"), step)
                if isinstance(step, Split):
                    for q in qubits:
                        kinds.pop(q, None)
            case _:
                raise ConfigError("not an instruction", got=step, expected="an instruction of triptych.qec")
    return kinds
