"""Qubits whose errors are followed jointly.

In: a frame, that is what an error at each coordinate flips in a state, and an error map. Out: the same set with other
functionals, or behind a gate.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import count
from typing import final

from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.tree.errormap import ErrorMap
from triptych.qec.tree.kernels import COUNT

Needs = list[int] | None
"""What is observed: functionals, or None for everything."""


@final
@dataclass(slots=True)
class QubitSet:
    """Qubits whose errors are followed jointly.

    frame : coordinate -> bits of a state that an error there flips; map : the states; ledger : probability that is not accounted
    for (bounded) or by which any event's probability may be off; crashed : probability that a Tally or an abort took out;
    mortal : one of them may have.
    """

    frame: dict[int, int]
    map: ErrorMap
    ledger: float = 0.0
    crashed: float = 0.0
    mortal: bool = False

    @property
    def coordinates(self) -> int:
        """A packed mask of all coordinates."""
        return sum(1 << c for c in self.frame)

    def expressed(self, functionals: Iterable[int]) -> list[int]:
        """Functionals of the error as functionals of the state (a coordinate that is not there is 0)."""
        known, _ = f2.echelon((functional, 1 << bit) for bit, functional in f2.transposed(self.frame).items())
        return [f2.express(functional & self.coordinates, known) for functional in functionals]

    def pattern(self, error: int) -> int:
        """The bits of a state that an error flips."""
        return reduce(operator.xor, (self.frame.get(c, 0) for c in f2.entries(error)), 0)

    def patterns(self, event: do.Event) -> dict[int, float]:
        """The bits of a state that an event may flip, with the probabilities of these errors."""
        qubits, strings = do.outcomes(event)
        found: dict[int, float] = {}
        for string, p in strings:
            pattern = self.pattern(do.packed(qubits, string))
            if pattern and p > 0:
                found[pattern] = found.get(pattern, 0.0) + p
        return found

    def rebase(self, rows: Sequence[f2.Row], coordinates: Iterable[int]) -> None:
        """Follow other functionals: of each pair, the first as a functional of the error so far, the second of the new one.

        `coordinates` are those of the new error. The states change where there are fewer or different functionals than before; a
        new functional that is 0 for all errors so far gets a free bit.
        """
        firsts = self.expressed(first for first, _ in rows)
        kept, rest = f2.echelon((first, second) for first, (_, second) in zip(firsts, rows, strict=True))
        used = reduce(operator.or_, self.frame.values(), 0)
        if any(head != pivot for pivot, (head, _) in kept.items()) or sum(kept) != used or self.map.loose:
            self.map.transform(tuple((pivot.bit_length() - 1, head) for pivot, (head, _) in kept.items()))
        functionals = {pivot.bit_length() - 1: second for pivot, (_, second) in kept.items()}
        free = (bit for bit in count(COUNT) if bit not in functionals)
        functionals |= dict(zip(free, f2.basis(rest), strict=False))
        self.map.widen(max(functionals, default=0) + 1)
        self.frame = dict.fromkeys(coordinates, 0) | f2.transposed(functionals)

    def free(self) -> Iterator[int]:
        """The bits of a state that no functional uses."""
        used = reduce(operator.or_, self.frame.values(), 0)
        return (bit for bit in count(COUNT) if not used >> bit & 1)


def within(rows: Needs, mask: int, coordinates: Iterable[int]) -> list[int]:
    """The functionals, restricted to some coordinates; all coordinates where everything is observed."""
    if rows is None:
        return [1 << c for c in coordinates]
    return [row & mask for row in rows if row & mask]


def acted(step: do.Gate) -> tuple[int, ...]:
    """The qubits of a gate."""
    match step:
        case do.CX(control=a, target=b) | do.CZ(first=a, second=b) | do.Swap(first=a, second=b):
            return (a, b)
        case _:
            return (step.qubit,)


def turn(frame: dict[int, int], step: do.Gate) -> None:
    """A gate: what an error does from now on is what it did before it passed the gate backwards."""
    match step:
        case do.H(qubit=q):
            frame[2 * q], frame[2 * q + 1] = frame[2 * q + 1], frame[2 * q]
        case do.S(qubit=q):
            frame[2 * q] ^= frame[2 * q + 1]
        case do.CX(control=c, target=t):
            frame[2 * c] ^= frame[2 * t]
            frame[2 * t + 1] ^= frame[2 * c + 1]
        case do.CZ(first=a, second=b):
            frame[2 * a] ^= frame[2 * b + 1]
            frame[2 * b] ^= frame[2 * a + 1]
        case do.Swap(first=a, second=b):
            for part in (0, 1):
                frame[2 * a + part], frame[2 * b + part] = frame[2 * b + part], frame[2 * a + part]
