"""The error map as arrays: packed states and their probabilities.

In: the states of a QubitSet (:mod:`triptych.qec.tree.engine` knows what their bits mean). Out: the map after events, products,
linear maps and look-ups. Memory: 8 bytes a word and 8 for the probability of each state, 4 to 16 for the index, and up to half as
much again while arrays grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from triptych.qec import f2
from triptych.qec.tree import kernels
from triptych.qec.tree.kernels import COUNT, Floats, Index, Rows, Words

Case = tuple[Rows | None, dict[int, float]]
"""Some states of a map (None: all), and the patterns that may strike them, with their probabilities."""

SMALLEST = 16
EPSILON = 2.0**-52
NOTHING = 2.0**-44  # what is left of 1 may be nothing but rounding
SUM = 64  # roundings of a pairwise sum, however long
OVERHEAD = 80  # bytes of a state beyond its words: probability, index, copies while arrays grow and while states are rewritten


def packed(vectors: Sequence[int], words: int) -> Words:
    """Python integers as rows of 64-bit words."""
    low = (1 << 64) - 1
    return np.array([[v >> 64 * w & low for w in range(words)] for v in vectors], dtype=np.uint64).reshape(len(vectors), words)


@final
class ErrorMap:
    """States and probabilities; it begins with the error-free state alone.

    Attributes
    ----------
    n : number of states. depth : roundings in a row that any probability has seen at most. loose : states were changed one by
    one, so that a transformation must follow.
    """

    def __init__(self, *, max_bytes: float) -> None:
        self.index: Index = np.empty(0, dtype=np.int32)
        self.keys = np.zeros((SMALLEST, 1), dtype=np.uint64)
        self.p = np.zeros(SMALLEST)
        self.p[0] = 1.0
        self.n = 1
        self.max_bytes = max_bytes
        self.loose = False
        self.depth = 0
        self._reindex()

    @property
    def ceiling(self) -> int:
        """The most states that may be held."""
        return max(SMALLEST, int(self.max_bytes / (8 * self.words + OVERHEAD)))

    @property
    def certain(self) -> bool:
        """Only the error-free state is there."""
        return self.n == 1 and self.p[0] == 1.0 and not self.keys[0].any()

    @property
    def words(self) -> int:
        """64-bit words of a state."""
        return self.keys.shape[1]

    def copy(self, states: slice = slice(None)) -> ErrorMap:
        """An independent map with the same states, or with some of them."""
        other = ErrorMap(max_bytes=self.max_bytes)
        other.keys, other.p = self.keys[: self.n][states].copy(), self.p[: self.n][states].copy()
        other.n, other.depth = len(other.p), self.depth
        other._reindex()
        return other

    def widen(self, bits: int) -> None:
        """Make room for states of that many bits."""
        missing = -(-bits // 64) - self.words
        if missing > 0:
            self.keys = np.hstack([self.keys, np.zeros((len(self.keys), missing), dtype=np.uint64)])
            self._reindex()

    def branch(self, cases: Sequence[Case], *, threshold: float, lossy: bool, limit: int) -> tuple[float, int]:
        """An error event. Each case is some states, none of them in another case, and the errors that may strike them.

        States below `threshold` stay unbranched. Returns the probability that was neglected, and how many states were written.
        With `lossy`, unbranched states lose what the event would move; else they keep it. At most `limit` faults a state, where
        that is not negative.
        """
        struck = [(errors, *self._struck(states, errors, threshold, lossy)) for states, errors in cases if errors]
        neglected, written = 0.0, 0
        for errors, rows, old, lost in struck:
            patterns, shares = packed(list(errors), self.words), np.array(list(errors.values()))
            dropped = self._fill(kernels.branch, rows.size, rows, old, patterns, shares, limit)
            neglected += (lost + dropped) * (1 + self._sum(len(errors)))
            written += rows.size * (1 + len(errors))
        return neglected, written

    def _struck(self, states: Rows | None, errors: dict[int, float], threshold: float, lossy: bool) -> tuple[Rows, Floats, float]:
        """What stays where it is. Returns the states that branch, their probabilities before, and what is neglected."""
        rate = math.fsum(errors.values())
        stay = 1 - rate
        rounded = 0.0
        if stay < NOTHING:
            stay, rounded = 0.0, NOTHING
        p = self.p[: self.n] if states is None else self.p[states]
        rows, old, light = kernels.strike(p, p.size, threshold, stay if lossy else 1.0)
        if not lossy:
            p[rows] = old * stay
        if states is not None:
            self.p[states] = p
            rows = states[rows]
        self.depth += 4 + len(errors) + (int(len(errors) * rate / stay) if stay else 0)
        return rows, old, rate * light + rounded

    def multiply(self, other: ErrorMap, linear: f2.Map, *, threshold: float, rule: str, ties: bool, limit: int) -> float:
        """The product with an independent map, whose states become patterns by a linear map. Returns what was neglected.

        A pair is kept if its probability exceeds `threshold`. With the rule "preservation", the less probable of the two factors
        of the others becomes the identity (of two equal ones `other`'s, if `ties`); else they are dropped.
        """
        order = np.argsort(-other.p[: other.n], kind="stable")
        shares = other.p[: other.n][order]
        patterns = mapped(other.keys[: other.n][order], linear, self.words)
        above = np.append(np.cumsum(shares[::-1])[::-1], 0.0)
        old = self.p[: self.n].copy()
        neglected, to_states, to_patterns = kernels.tails(old, shares, above, threshold, ties)
        self.p[: self.n] = to_states if rule == "preservation" else 0.0
        dropped = self._fill(kernels.pairs, old.size * shares.size, old, patterns, shares, threshold, limit)
        if rule == "preservation":
            moved = np.flatnonzero(to_patterns)
            dropped += self.add(patterns[moved], to_patterns[moved])
        self.depth += other.depth + min(old.size, shares.size) + 6
        if np.count_nonzero(self.p[: self.n] == 0) > self.n // 4:
            self.settle()
        return float(neglected + dropped) * (1 + self._sum(other.n))

    def scatter(
        self, values: Rows, patterns: Words, matrix: Floats, aborts: Floats, *, threshold: float, rule: str
    ) -> tuple[float, float]:
        """A change by chance: a state whose value is v gets ``patterns[v ^ w]`` with probability ``matrix[v, w]``.

        It is followed if the product of the two probabilities exceeds `threshold`. With the rule "preservation", the state stays
        as it is with the probability of all other changes; else they are dropped. Returns what was neglected, and what was
        aborted.
        """
        size = len(matrix)
        order = np.argsort(-matrix, axis=1, kind="stable")
        shares = np.take_along_axis(matrix, order, axis=1)
        above = np.zeros((size, size + 1))
        above[:, :size] = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1]
        old = self.p[: self.n].copy()
        aborted, rounded = (float((old * lost[values]).sum()) for lost in (aborts, np.abs(1 - aborts - above[:, 0])))
        self.p[: self.n] = 0.0
        changes = order ^ np.arange(size)[:, None]
        preserve = rule == "preservation"
        dropped = self._fill(kernels.scatter, old.size * size, old, values, changes, patterns, shares, above, threshold, preserve)
        self.depth += size + SUM + 6
        if np.count_nonzero(self.p[: self.n] == 0) > self.n // 4:
            self.settle()
        return (dropped + rounded) * (1 + self._sum(size)), aborted

    def add(self, states: Words, amounts: Floats) -> float:
        """Probability for single states. Returns what found no room."""
        return self._fill(kernels.add, amounts.size, states, amounts)

    def transform(self, linear: f2.Map) -> None:
        """Every state becomes its image; equal states add up."""
        kept = sum(1 << bit for bit, mask in linear if mask == 1 << bit) | (1 << COUNT) - 1
        mixed = [(bit, mask) for bit, mask in linear if mask != 1 << bit]
        self.index.fill(-1)
        self.loose = False
        keep, masks = packed([kept], self.words)[0], packed([mask for _, mask in mixed], self.words)
        bits = np.array([bit for bit, _ in mixed], dtype=np.int64)
        self.n, joined = kernels.rebuild(self.keys, self.p, self.index, self.n, keep, masks, bits)
        self.depth += joined
        if self.n < len(self.p) // 8:
            self._resize(max(SMALLEST, 2 * self.n))

    def values(self, functionals: Sequence[int]) -> Rows:
        """For each state the number whose bit i is the value of functional i (a mask over the state's bits)."""
        found: Rows = kernels.values(self.keys, self.n, packed(functionals, self.words))
        return found

    def shift(self, errors: Words) -> None:
        """Add errors[i] to state i."""
        self.keys[: self.n] ^= errors
        self.loose = True

    def keep(self, chosen: NDArray[np.bool_]) -> float:
        """Only these states stay. Returns the probability of the others."""
        gone = float(self.p[: self.n][~chosen].sum())
        self.p[: self.n][~chosen] = 0.0
        self.depth += SUM
        self.settle()
        return gone

    def settle(self) -> None:
        """States of probability 0 go, equal ones are joined."""
        self.transform(self._identity)

    def prune(self) -> float:
        """The less probable half of the states goes. Returns its probability."""
        chosen = np.zeros(self.n, dtype=bool)
        chosen[np.argpartition(self.p[: self.n], self.n // 2)[self.n // 2 :]] = True
        return self.keep(chosen) * (1 + self._sum(1))

    def _sum(self, terms: int) -> float:
        """The largest relative error of a sum over so many numbers for each state."""
        return (self.n * terms + SUM) * EPSILON

    @property
    def _identity(self) -> f2.Map:
        return tuple((bit, 1 << bit) for bit in range(64 * self.words))

    @property
    def full(self) -> bool:
        """No more states fit."""
        return self.n >= self.ceiling

    def _fill(self, kernel: Callable[..., Any], size: int, *arguments: object) -> float:
        """Run a kernel from 0 to `size`; the arrays grow where it stops in between. Returns what found no room."""
        reached, dropped = 0, 0.0
        while reached < size:
            full = len(self.p) >= self.ceiling
            self.n, reached, lost = kernel(self.keys, self.p, self.index, self.n, reached, full, *arguments)
            dropped += lost
            if reached < size:
                self._resize(min(self.ceiling, max(len(self.p) * 3 // 2, len(self.p) + SMALLEST)))
        return dropped

    def _resize(self, rows: int) -> None:
        self.index = self.index[:0]
        keys, p = np.empty((rows, self.words), dtype=np.uint64), np.zeros(rows)
        keys[: self.n], p[: self.n] = self.keys[: self.n], self.p[: self.n]
        self.keys, self.p = keys, p
        self._reindex()

    def _reindex(self) -> None:
        self.index = np.full(1 << (max(SMALLEST, len(self.p) * 4 // 3)).bit_length(), -1, dtype=np.int32)
        kernels.fill(self.keys, self.n, self.index)


def mapped(states: Words, linear: f2.Map, words: int) -> Words:
    """The images of states under a linear map, with so many words."""
    out = np.zeros((len(states), words), dtype=np.uint64)
    bits = np.array([bit for bit, _ in linear], dtype=np.int64)
    kernels.images(states, packed([mask for _, mask in linear], states.shape[1]), bits, out)
    return out
