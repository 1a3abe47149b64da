"""Compiled loops over distributions of packed bits.

In: probabilities by the value of m bits. Out: the same after an error event, or sorted into a matrix.
"""

from __future__ import annotations

from numpy.typing import NDArray

from triptych.kernels import compiled
from triptych.qec.tree.kernels import Floats, Rows


@compiled
def convolve(old: NDArray, patterns: Rows, shares: Floats, new: NDArray) -> None:  # type: ignore[type-arg]
    """new[r, i] += sum_j shares[j] old[r, i ^ patterns[j]]."""
    for r in range(old.shape[0]):
        for i in range(old.shape[1]):
            total = 0.0
            for j in range(patterns.size):
                total += shares[j] * old[r, i ^ patterns[j]]
            new[r, i] += total


@compiled
def scatter(p: Floats, shifts: Rows, after: Rows, shares: Floats, matrix: NDArray) -> None:  # type: ignore[type-arg]
    """matrix[v, after[i]] += p[i ^ shifts[v]] shares[i]."""
    for v in range(shifts.size):
        for i in range(p.size):
            matrix[v, after[i]] += p[i ^ shifts[v]] * shares[i]
