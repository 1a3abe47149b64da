"""The inner loops of a joint distribution.

In: an array over all combinations of bits, or a sorted list of outcomes whose rows with equal syndromes lie together; outcome i
has the packed observables `flips[i]` and probability `p[i]`, and syndrome s the rows starts[s] to starts[s + 1]. Out: the array,
changed in place; predictions and the probabilities that they are wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from triptych.kernels import compiled

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Rows = NDArray[np.int64]

CACHED = 1 << 14
UNDECODED = -1


@compiled
def hadamard(a: Floats) -> None:
    """The Walsh-Hadamard transform in place, without a factor: a[s] = sum_u a[u] (-1)^(s.u); a.size is a power of two.

    Blocks that fit into the cache go through their levels first. Cost: size x log2(size) additions.
    """
    block = min(a.size, CACHED)
    for start in range(0, a.size, block):
        half = 1
        while half < block:
            for low in range(start, start + block, 2 * half):
                for i in range(low, low + half):
                    x, y = a[i], a[i + half]
                    a[i], a[i + half] = x + y, x - y
            half *= 2
    half = block
    while half < a.size:
        for low in range(0, a.size, 2 * half):
            for i in range(low, low + half):
                x, y = a[i], a[i + half]
                a[i], a[i + half] = x + y, x - y
        half *= 2


@compiled
def damp(a: Floats, vectors: Words, shares: Floats) -> None:
    """Multiply a[s] by the eigenvalue 1 - 2 sum_j shares[j] [s.vectors[j] odd]."""
    for s in range(a.size):
        odd = 0.0
        for j in range(vectors.size):
            folded = uint64(s) & vectors[j]
            for shift in (32, 16, 8, 4, 2, 1):
                folded ^= folded >> uint64(shift)
            if folded & uint64(1):
                odd += shares[j]
        a[s] *= 1 - 2 * odd


@compiled
def likeliest(starts: Rows, flips: Rows, p: Floats, observables: int) -> Any:
    """For each syndrome the most probable observables: jointly, and each by itself (packed)."""
    jointly = np.zeros(starts.size - 1, dtype=np.int64)
    singly = np.zeros(starts.size - 1, dtype=np.int64)
    flipped = np.empty(observables)
    for s in range(starts.size - 1):
        best, total = -1.0, 0.0
        flipped[:] = 0.0
        for i in range(starts[s], starts[s + 1]):
            total += p[i]
            if p[i] > best:
                best = p[i]
                jointly[s] = flips[i]
            for k in range(observables):
                if flips[i] >> k & 1:
                    flipped[k] += p[i]
        for k in range(observables):
            if 2 * flipped[k] > total:
                singly[s] |= 1 << k
    return jointly, singly


@compiled
def wrong(starts: Rows, flips: Rows, p: Floats, predicted: Rows, observables: int) -> Floats:
    """The probabilities that observable k is not as predicted, that any is not, and that nothing is predicted (-1).

    The sums are compensated (W. Kahan): their rounding error is 2 ulp, however many there are.
    """
    sums = np.zeros(observables + 2)
    lost = np.zeros(observables + 2)
    for s in range(starts.size - 1):
        for i in range(starts[s], starts[s + 1]):
            miss = flips[i] ^ predicted[s]
            for k in range(observables + 2):
                if predicted[s] == UNDECODED:
                    counts = k == observables + 1
                elif k < observables:
                    counts = miss >> k & 1 == 1
                else:
                    counts = k == observables and miss != 0
                if counts:
                    term = p[i] - lost[k]
                    total = sums[k] + term
                    lost[k] = (total - sums[k]) - term
                    sums[k] = total
    return sums
