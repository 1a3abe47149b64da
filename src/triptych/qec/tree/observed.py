"""What the rest of a program can still see of an error.

In: instructions and a criterion. Out: for each moment a set of linear functionals, such that two errors with equal values have
the same fate. A functional is a packed mask over the coordinates of an error (bit 2q: X part or measured bit of qubit q, bit
2q + 1: Z part); its value is the parity of what it selects. The engine follows these values alone: stabilizers, the sector that a
criterion ignores, and everything that is measured and forgotten need no states of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.criteria import ClassCriterion, Criterion

LARGEST_BLOCK = 10


class Score(NamedTuple):
    """A criterion as a table. functionals : over the coordinates of a block; fails : [2^functionals], by their values."""

    functionals: tuple[int, ...]
    fails: NDArray[np.bool_]


@lru_cache(maxsize=64)
def score(crash: Criterion, qubits: int) -> Score:
    """The functionals that a criterion depends on: its own, where it counts errors modulo stabilizers, or found by itself.

    A function on F2^(2n) depends on exactly the span of the characters in its Walsh-Hadamard spectrum. Cost: 4^n evaluations.

    Raises
    ------
    ConfigError
        If the criterion has no functionals of its own and the block has more than 10 qubits.

    Examples
    --------
    >>> from triptych.qec.criteria import readout, strict
    >>> len(score(readout, 7).functionals), len(score(strict, 7).functionals)
    (4, 14)
    """
    if isinstance(crash, ClassCriterion):
        return Score(crash.functionals, crash.fails)
    if qubits > LARGEST_BLOCK:
        raise ConfigError(
            "this criterion is tabulated over all errors of a block",
            got=f"{qubits} qubits",
            expected=f"{LARGEST_BLOCK} or fewer",
            fix="count errors modulo stabilizers (css, paper22, readout), or take the Monte Carlo",
        )
    errors = range(4**qubits)
    table = np.array([bool(crash(_part(error, qubits, 0), _part(error, qubits, 1))) for error in errors], dtype=np.int64)
    spectrum = table.copy()
    for axis in range(2 * qubits):
        pairs = spectrum.reshape(-1, 2, 1 << axis)
        spectrum = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
    rows: dict[int, f2.Row] = {}
    for character in np.flatnonzero(spectrum).tolist():
        for pivot, (head, _) in rows.items():
            if character & pivot:
                character ^= head
        if character:
            rows = f2.echelon([*rows.values(), (character, 0)])[0]
    functionals = tuple(sorted(head for head, _ in rows.values()))
    fails = np.zeros(1 << len(functionals), dtype=bool)
    values = sum(
        ((np.bitwise_count(np.arange(4**qubits) & mask) & 1).astype(np.int64) << i for i, mask in enumerate(functionals)),
        start=np.zeros(4**qubits, dtype=np.int64),
    )
    fails[values] = table.astype(bool)
    return Score(functionals, fails)


def _part(error: int, qubits: int, part: int) -> int:
    return sum((error >> 2 * q + part & 1) << q for q in range(qubits))


def of_block(functionals: Iterable[int], block: Sequence[int]) -> list[int]:
    """The functionals of a criterion on the qubits of one block of the program."""
    return [sum(1 << 2 * block[c // 2] + c % 2 for c in f2.entries(row)) for row in functionals]


def before(step: do.Instruction, rows: list[int], crash: Criterion | None) -> list[int]:
    """What is observed before an instruction, given what is observed after it; `crash` scores at each Tally."""
    match step:
        case do.Prepare() | do.Hidden() | do.Verify():
            fresh = sum(3 << 2 * q for q in do.started(step))
            return f2.basis(row & ~fresh for row in rows)
        case do.Switch() | do.When() | do.Correct() | do.Custom() | do.Channel():
            return f2.basis([*rows, *looks(step)]) if sees(step, rows) else rows
        case do.Tally(blocks=blocks) if crash is not None:
            return f2.basis([*rows, *(row for block in blocks for row in of_block(score(crash, len(block)).functionals, block))])
        case _:
            return [earlier for row in rows if (earlier := pulled(step, row))]


Chooser = do.Switch | do.When | do.Correct | do.Custom | do.Channel
"""What an instruction does to an error depends on the error."""


def looks(step: Chooser) -> list[int]:
    """The functionals that it depends on."""
    match step:
        case do.Switch(bit=b) | do.When(bit=b):
            return [1 << 2 * b]
        case do.Correct():
            return [1 << 2 * bit for bits in (*step.syndromes, step.absent) for bit in bits]
        case do.Custom(qubits=qubits):
            return [1 << 2 * q + part for q in qubits for part in (0, 1)]
        case do.Channel():
            return [*step.looks]


def sees(step: Chooser, rows: list[int] | None) -> bool:
    """Whether it makes a difference to what is observed afterwards (None: everything)."""
    if rows is None:
        return True
    match step:
        case do.Switch() | do.When():
            struck = [do.outcomes(event) for event in step.events.values()]
            errors = [do.packed(qubits, string) for qubits, strings in struck for string, _ in strings]
        case do.Correct():
            errors = corrections(step)
        case do.Custom(qubits=qubits):
            return any(row & sum(3 << 2 * q for q in qubits) for row in rows)
        case do.Channel(errors=flips):
            if step.aborts.any():
                return True
            errors = [*flips]
    return any(f2.parity(row & error) for row in rows for error in errors)


def require_looks(step: do.Channel, rows: Iterable[int]) -> None:
    """Nobody may see what a compiled gadget leaves undefined.

    Raises
    ------
    ConfigError
        If a functional that is observed afterwards is, on the qubits of the gadget, outside the span of its looks.
    """
    here = sum(3 << 2 * q for q in step.qubits)
    for row in rows:
        if len(f2.basis([*step.looks, row & here])) > len(step.looks):
            raise ConfigError(
                "a Channel leaves undefined what is observed after it",
                got=f"the parity of the coordinates {[*f2.entries(row)]}",
                expected="functionals in the span of its looks",
                fix="compile the gadget with more looks, or score with a criterion that sees less (reduction='observed')",
            )


def corrections(step: do.Correct) -> list[int]:
    """The packed error of each row of the look-up table."""
    return [sum(1 << 2 * q + (step.pauli == "Z") for q in row) for row in step.table]


def pulled(step: do.Instruction, row: int) -> int:
    """A functional after a linear instruction, as a functional of the error before it."""

    def adds(source: int, target: int) -> int:
        return (row >> target & 1) << source

    match step:
        case do.H(qubit=q):
            return row & ~(3 << 2 * q) | (row >> 2 * q & 1) << 2 * q + 1 | (row >> 2 * q + 1 & 1) << 2 * q
        case do.S(qubit=q):
            return row ^ adds(2 * q, 2 * q + 1)
        case do.CX(control=c, target=t):
            return row ^ adds(2 * c, 2 * t) ^ adds(2 * t + 1, 2 * c + 1)
        case do.CZ(first=a, second=b):
            return row ^ adds(2 * a, 2 * b + 1) ^ adds(2 * b, 2 * a + 1)
        case do.Swap(first=a, second=b):
            left, right = row >> 2 * a & 3, row >> 2 * b & 3
            return row & ~(3 << 2 * a | 3 << 2 * b) | left << 2 * b | right << 2 * a
        case do.Measure(qubit=q, basis=basis):
            return row & ~(3 << 2 * q) | (row >> 2 * q & 1) << 2 * q + (basis == "X")
        case do.Syndrome(bits=bits, checks=checks):
            kept = row & ~sum(1 << 2 * bit for bit in bits)
            for bit, check in zip(bits, checks, strict=False):
                if row >> 2 * bit & 1:
                    kept ^= sum(1 << 2 * bits[i] for i in check)
            return kept
        case _:
            return row


def throughout(steps: Sequence[do.Instruction], rows: list[int], crash: Criterion | None = None) -> list[list[int]]:
    """What is observed before each instruction and, last, at the end (`rows`): one entry more than instructions.

    Cost: (instructions) x (functionals) integer operations.
    """
    moments = [f2.basis(rows)]
    for step in reversed(steps):
        moments.append(before(step, moments[-1], crash))
    return moments[::-1]
