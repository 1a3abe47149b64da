"""The instruction set of the panel.

In: gates, noise, measurements and error-correction tasks on numbered qubits. Out: instructions, of which an immutable, checked
:class:`~triptych.qec.program.Program` is made. Programs follow errors, not quantum states: a qubit carries a Pauli error, and a
measured qubit carries one bit, whether its outcome is flipped. Pauli gates move no error; they are there so that circuits can be
written down as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
class Hidden:
    """A classical bit of the environment, which is 1 with this probability. It is no physical qubit; noise may depend on it.

    It has a number among those of the qubits, is used like a measured qubit, and counts as a fault where it is 1.
    """

    bit: int
    probability: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A step of the random telegraph noise of a bit: 0 becomes 1 with probability `on`, and 1 becomes 0 with probability `off`.

    In the long run the bit is 1 with probability on / (on + off), and correlations fall by 1 - on - off a step.
    """

    bit: int
    on: float
    off: float

    @property
    def rate(self) -> float:
        """The larger of the two probabilities."""
        return max(self.on, self.off)

    @property
    def events(self) -> dict[int, Event]:
        """What strikes where the bit has which value."""
        return {0: Flip(bit=self.bit, rate=self.on), 1: Flip(bit=self.bit, rate=self.off)}


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """An error event that strikes only where the bit is 1.

    Examples
    --------
    Two qubits that decohere together, in one run of ten:

    >>> burst = Hidden(bit=2, probability=0.1)
    >>> hits = [When(bit=2, event=Depolarize1(qubit=q, rate=0.3)) for q in (0, 1)]
    """

    bit: int
    event: Event

    @property
    def rate(self) -> float:
        """That of the event, where the bit is 1."""
        return self.event.rate

    @property
    def events(self) -> dict[int, Event]:
        """What strikes where the bit has which value."""
        return {1: self.event}


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
    def made(self) -> tuple[int, ...]:
        """All qubits and bits of the body, in the program's numbers."""
        return tuple(sorted({self.first + q for one in self.body for q in started(one)}))

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channel:
    """A compiled gadget: what becomes of a few parities of the error, whatever happens inside.

    Errors and parities are packed masks over coordinates: bit 2q is the X part (or the bit) of the program's qubit q, bit 2q + 1
    its Z part. Parities of the error on `qubits` outside the span of `looks` are undefined afterwards; the tree sees to it that
    nobody looks at them. The matrix is taken for exact, and faults inside of the gadget are not counted.

    Attributes
    ----------
    qubits : on which the gadget acts.
    looks : m parities, each a mask of what it sums.
    errors : errors[i] flips ``looks[i]`` and no other look.
    matrix : (2^m, 2^m); matrix[v, w] is the probability that the parities are w afterwards if they are v before (bit i is that of
        ``looks[i]``). What a row lacks to 1 is the probability that the run is aborted, which counts as a crash.

    Examples
    --------
    A bit-flip channel of rate 0.1 on qubit 3, which leaves no trace of its phase:

    >>> flip = Channel(qubits=(3,), looks=(1 << 6,), errors=(1 << 6,), matrix=np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> flip.distribution(x=1, z=0)
    {(0, 0): 0.1, (1, 0): 0.9}
    """

    qubits: tuple[int, ...]
    looks: tuple[int, ...]
    errors: tuple[int, ...]
    matrix: NDArray[np.float64] = field(repr=False)

    @property
    def aborts(self) -> NDArray[np.float64]:
        """(2^m,) what each row lacks to 1; 0 where that is rounding, 1e-12 or less."""
        missing = 1 - self.matrix.sum(axis=1)
        return np.where(missing > 1e-12, missing, 0.0)

    def distribution(self, x: int, z: int) -> dict[tuple[int, int] | None, float]:
        """What becomes of this error (bit i is ``qubits[i]``), as of :class:`Custom`; None is the end of the run."""
        error = sum((x >> i & 1) << 2 * q | (z >> i & 1) << 2 * q + 1 for i, q in enumerate(self.qubits))
        before = sum(((error & look).bit_count() & 1) << i for i, look in enumerate(self.looks))
        chances: dict[tuple[int, int] | None, float] = {}
        for after in np.flatnonzero(self.matrix[before]).tolist():
            new = error
            for i, flip in enumerate(self.errors):
                new ^= flip * ((before ^ after) >> i & 1)
            new_x, new_z = (sum((new >> 2 * q + part & 1) << i for i, q in enumerate(self.qubits)) for part in (0, 1))
            chances[new_x, new_z] = float(self.matrix[before, after])
        if self.aborts[before] > 0:
            chances[None] = float(self.aborts[before])
        return chances


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Score these blocks here too, where crashes are counted "at any time"; otherwise nothing happens."""

    blocks: tuple[tuple[int, ...], ...]


Gate = H | S | X | Y | Z | CX | CZ | Swap
Event = Depolarize1 | Depolarize2 | PauliChannel | Flip
Conditional = Switch | When
Task = Verify | Syndrome | Correct | Merge | Split | Custom | Channel | Tally
Instruction = Prepare | Hidden | Gate | Event | Conditional | Measure | Task


def started(step: Instruction) -> tuple[int, ...]:
    """The qubits and bits that begin with this instruction."""
    match step:
        case Prepare(qubit=q) | Hidden(bit=q):
            return (q,)
        case Verify(made=made):
            return made
        case _:
            return ()


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


def packed(qubits: tuple[int, ...], string: str) -> int:
    """A Pauli string on these qubits as a mask over coordinates: bit 2q is the X part of qubit q, and bit 2q + 1 its Z part.

    Examples
    --------
    >>> bin(packed((0, 2), "XY"))
    '0b110001'
    """
    return sum("IXZY".index(letter) << 2 * q for q, letter in zip(qubits, string, strict=True))
