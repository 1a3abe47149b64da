"""CSS codes by listing all words, and by polynomials.

In: checks as packed integers, or a generator polynomial. Out: weights, distances, failure probabilities. Nothing is reduced
to a normal form, and no table of the panel is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]


def span(rows: Iterable[int]) -> Words:
    """All sums of these rows."""
    words = np.zeros(1, dtype=np.int64)
    for row in rows:
        words = np.concatenate([words, words ^ row])
    return np.unique(words)


def even(rows: Iterable[int], n: int) -> Words:
    """All words of n bits that overlap evenly with every row."""
    words = np.arange(1 << n)
    for row in rows:
        words = words[np.bitwise_count(words & row) % 2 == 0]
    return words


def weights(words: Words) -> dict[int, int]:
    """How many words of each weight there are."""
    return dict(sorted(Counter(np.bitwise_count(words).tolist()).items()))


def distance(n: int, x_checks: Sequence[int], z_checks: Sequence[int]) -> int:
    """The least weight of an undetected X or Z that is no stabilizer."""
    logical = [np.setdiff1d(even(theirs, n), span(own)) for own, theirs in ((x_checks, z_checks), (z_checks, x_checks))]
    return min(int(np.bitwise_count(words).min()) for words in logical)


def remainders(words: Words, generator: int) -> Words:
    """Polynomials modulo a generator, bit i for x^i."""
    degree = generator.bit_length() - 1
    for shift in range(int(words.max()).bit_length() - 1 - degree, -1, -1):
        words = np.where(words >> shift + degree & 1, words ^ generator << shift, words)
    return words


@lru_cache
def leaders(n: int, generator: int, most: int) -> Words:
    """For each remainder the word of weight up to `most` that has it, or -1."""
    found = np.full(1 << generator.bit_length() - 1, -1)
    for weight in range(most, -1, -1):
        lists = np.array([sum(1 << q for q in qubits) for qubits in combinations(range(n), weight)])
        found[remainders(lists, generator)] = lists
    return found


def golay_fails(words: Words) -> NDArray[np.bool_]:
    """Whether correction of these words in the perfect Golay code leaves a word of odd weight: a logical error, no stabilizer."""
    generator = 0xAE3
    return np.bitwise_count(words ^ leaders(23, generator, 3)[remainders(words, generator)]) % 2 == 1


def golay_failure(q: float) -> float:
    """The probability of that for independent flips of probability q."""
    words = np.arange(1 << 23)
    counts = weights(words[golay_fails(words)])
    return sum(count * q**weight * (1 - q) ** (23 - weight) for weight, count in counts.items())
