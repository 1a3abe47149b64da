"""The inner loops of the error map.

In: packed states `keys` [state, word], their probabilities `p` [state], and an open-addressing `index` [power of two] that holds
for each key its row, or -1. Out: the same arrays, changed in place, and the new number of states. Words are uint64; bit b of a
state is bit b % 64 of word b // 64. The lowest `COUNT` bits of a state are reserved: they count its faults where `limit` >= 0.

A kernel that runs out of rows returns where it stopped, so that the caller can enlarge the arrays and go on; where they may not
grow (`full`), new states are dropped and their probability is added up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from triptych.kernels import compiled

COUNT = 4
COUNTER = np.uint64(2**COUNT - 1)
ONE = np.uint64(1)

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Index = NDArray[np.int32]


@compiled
def place_of(key: Words, keys: Words, index: Index) -> Any:
    """Where the index has this key, or the free place where it belongs."""
    mixed = uint64(0)
    for w in range(key.size):
        mixed ^= key[w]
        mixed = (mixed ^ (mixed >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> uint64(27))) * uint64(0x94D049BB133111EB)
        mixed ^= mixed >> uint64(31)
    mask = uint64(index.size - 1)
    place = mixed & mask
    while True:
        row = index[place]
        if row < 0:
            return place
        same = True
        for w in range(key.size):
            if keys[row, w] != key[w]:
                same = False
                break
        if same:
            return place
        place = (place + uint64(1)) & mask


@compiled
def strike(p: Floats, n: int, threshold: float, stay: float) -> Any:
    """The rows that branch (p >= threshold) and their probabilities; the probability of all others. All p become stay * p."""
    heavy = 0
    for i in range(n):
        if p[i] >= threshold:
            heavy += 1
    rows = np.empty(heavy, dtype=np.int64)
    old = np.empty(heavy)
    light = 0.0
    heavy = 0
    for i in range(n):
        if p[i] >= threshold:
            rows[heavy] = i
            old[heavy] = p[i]
            heavy += 1
        else:
            light += p[i]
        p[i] *= stay
    return rows, old, light


@compiled
def branch(
    keys: Words,
    p: Floats,
    index: Index,
    n: int,
    start: int,
    full: bool,
    rows: Rows,
    old: Floats,
    patterns: Words,
    shares: Floats,
    limit: int,
) -> Any:
    """Errors `patterns` [outcome, word] with probabilities `shares`, from each of these rows. Returns n, the row reached, what
    was dropped.
    """
    words = keys.shape[1]
    key = np.empty(words, dtype=np.uint64)
    dropped = 0.0
    for h in range(start, rows.size):
        if not full and n + shares.size > p.size:
            return n, h, dropped
        source = rows[h]
        if limit >= 0 and keys[source, 0] & COUNTER >= uint64(limit):
            dropped += old[h] * shares.sum()
            continue
        for j in range(shares.size):
            for w in range(words):
                key[w] = keys[source, w] ^ patterns[j, w]
            if limit >= 0:
                key[0] += ONE
            place = place_of(key, keys, index)
            row = index[place]
            if row >= 0:
                p[row] += old[h] * shares[j]
            elif n < p.size:
                for w in range(words):
                    keys[n, w] = key[w]
                p[n] = old[h] * shares[j]
                index[place] = n
                n += 1
            else:
                dropped += old[h] * shares[j]
    return n, rows.size, dropped


@compiled
def pairs(
    keys: Words,
    p: Floats,
    index: Index,
    n: int,
    start: int,
    full: bool,
    old: Floats,
    patterns: Words,
    shares: Floats,
    threshold: float,
    limit: int,
) -> Any:
    """The kept part of a product: state i < old.size with p = old[i] and pattern j with shares[j], which descend, wherever their
    product exceeds the threshold. Returns n, the pair reached (i * shares.size + j), what was dropped for lack of rows or for
    too many faults.
    """
    words = keys.shape[1]
    key = np.empty(words, dtype=np.uint64)
    dropped = 0.0
    count = shares.size
    for i in range(start // count, old.size):
        faults = keys[i, 0] & COUNTER
        for j in range(max(0, start - i * count), count):
            if not full and n == p.size:
                return n, i * count + j, dropped
            joint = old[i] * shares[j]
            if not joint > threshold:
                break
            nothing = True
            for w in range(words):
                key[w] = keys[i, w] ^ patterns[j, w]
                nothing = nothing and patterns[j, w] == uint64(0)
            if nothing:
                p[i] += joint
                continue
            if limit >= 0:
                total = faults + (patterns[j, 0] & COUNTER)
                if total > uint64(limit):
                    dropped += joint
                    continue
                key[0] = (key[0] & ~COUNTER) | total
            place = place_of(key, keys, index)
            row = index[place]
            if row >= 0:
                p[row] += joint
            elif n < p.size:
                for w in range(words):
                    keys[n, w] = key[w]
                p[n] = joint
                index[place] = n
                n += 1
            else:
                dropped += joint
    return n, old.size * count, dropped


@compiled
def scatter(
    keys: Words,
    p: Floats,
    index: Index,
    n: int,
    start: int,
    full: bool,
    old: Floats,
    values: Rows,
    changes: NDArray[np.int64],
    patterns: Words,
    shares: Floats,
    above: Floats,
    threshold: float,
    preserve: bool,
) -> Any:
    """State i < old.size with p = old[i] and v = values[i] gets patterns[changes[v, j]] with probability shares[v, j], which
    descend, wherever their product exceeds the threshold; above[v, j] is their sum from j on. With `preserve`, the rest stays.

    Returns n, the outcome reached (i * changes.shape[1] + j), what was neglected.
    """
    words = keys.shape[1]
    key = np.empty(words, dtype=np.uint64)
    dropped = 0.0
    count = shares.shape[1]
    for i in range(start // count, old.size):
        v = values[i]
        for j in range(max(0, start - i * count), count):
            if not full and n == p.size:
                return n, i * count + j, dropped
            joint = old[i] * shares[v, j]
            if not joint > threshold:
                dropped += old[i] * above[v, j]
                if preserve:
                    p[i] += old[i] * above[v, j]
                break
            change = changes[v, j]
            if change == 0:
                p[i] += joint
                continue
            for w in range(words):
                key[w] = keys[i, w] ^ patterns[change, w]
            place = place_of(key, keys, index)
            row = index[place]
            if row >= 0:
                p[row] += joint
            elif n < p.size:
                for w in range(words):
                    keys[n, w] = key[w]
                p[n] = joint
                index[place] = n
                n += 1
            else:
                dropped += joint
    return n, old.size * count, dropped


@compiled
def add(keys: Words, p: Floats, index: Index, n: int, start: int, full: bool, patterns: Words, amounts: Floats) -> Any:
    """Probability for single states. Returns n, the pattern reached, what was dropped for lack of rows."""
    dropped = 0.0
    for j in range(start, amounts.size):
        if not full and n == p.size:
            return n, j, dropped
        place = place_of(patterns[j], keys, index)
        row = index[place]
        if row >= 0:
            p[row] += amounts[j]
        elif n < p.size:
            keys[n] = patterns[j]
            p[n] = amounts[j]
            index[place] = n
            n += 1
        else:
            dropped += amounts[j]
    return n, amounts.size, dropped


@compiled
def tails(old: Floats, shares: Floats, above: Floats, threshold: float, ties: bool) -> Any:
    """The pairs that fail the threshold, without visiting them. `shares` descend; above[j] is their sum from j on.

    Returns the probability of all failing pairs; for each state that of its failing pairs whose pattern is the less probable
    factor (with `ties`, also of equal ones); for each pattern that of its failing pairs whose state is.
    Cost: (states) x log(patterns).
    """
    count = shares.size
    neglected = 0.0
    from_patterns = np.zeros(old.size)
    edges = np.zeros(count + 1)
    for i in range(old.size):
        lower, upper = 0, count
        while lower < upper:
            middle = (lower + upper) // 2
            if old[i] * shares[middle] > threshold:
                lower = middle + 1
            else:
                upper = middle
        kept = lower
        neglected += old[i] * above[kept]
        upper = count
        while lower < upper:
            middle = (lower + upper) // 2
            if shares[middle] > old[i] or (not ties and shares[middle] == old[i]):
                lower = middle + 1
            else:
                upper = middle
        from_patterns[i] = old[i] * above[lower]
        edges[kept] += old[i]
        edges[lower] -= old[i]
    running = 0.0
    from_states = np.zeros(count)
    for j in range(count):
        running += edges[j]
        from_states[j] = max(running, 0.0) * shares[j]
    return neglected, from_patterns, from_states


@compiled
def rebuild(keys: Words, p: Floats, index: Index, n: int, keep: Words, masks: Words, bits: Rows) -> Any:
    """Every key becomes key & keep, with bit bits[r] set where the parity of key & masks[r] is odd; equal keys add up.

    States of probability 0 go. `index` comes in empty (-1). Returns the new n and the most states that became one.
    """
    words = keys.shape[1]
    key = np.empty(words, dtype=np.uint64)
    joined = np.ones(n, dtype=np.int32)
    most = 1
    new = 0
    for i in range(n):
        if p[i] == 0.0:
            continue
        for w in range(words):
            key[w] = keys[i, w] & keep[w]
        for r in range(bits.size):
            folded = uint64(0)
            for w in range(words):
                folded ^= keys[i, w] & masks[r, w]
            for shift in (32, 16, 8, 4, 2, 1):
                folded ^= folded >> uint64(shift)
            key[bits[r] >> 6] |= (folded & ONE) << uint64(bits[r] & 63)
        place = place_of(key, keys, index)
        row = index[place]
        if row >= 0:
            p[row] += p[i]
            joined[row] += 1
            most = max(most, joined[row])
        else:
            for w in range(words):
                keys[new, w] = key[w]
            p[new] = p[i]
            index[place] = new
            new += 1
    return new, most


@compiled
def fill(keys: Words, n: int, index: Index) -> None:
    """An empty index (-1) learns n different keys."""
    for i in range(n):
        index[place_of(keys[i], keys, index)] = i


@compiled
def images(keys: Words, masks: Words, bits: Rows, out: Words) -> None:
    """Row i of `out` (zero before) gets bit bits[r] where the parity of keys[i] & masks[r] is odd, and the count of faults."""
    for i in range(keys.shape[0]):
        out[i, 0] = keys[i, 0] & COUNTER
        for r in range(bits.size):
            folded = uint64(0)
            for w in range(keys.shape[1]):
                folded ^= keys[i, w] & masks[r, w]
            for shift in (32, 16, 8, 4, 2, 1):
                folded ^= folded >> uint64(shift)
            out[i, bits[r] >> 6] |= (folded & ONE) << uint64(bits[r] & 63)


@compiled
def values(keys: Words, n: int, masks: Words) -> Rows:
    """For each state the number whose bit r is the parity of key & masks[r]."""
    words = keys.shape[1]
    out = np.zeros(n, dtype=np.int64)
    for i in range(n):
        for r in range(masks.shape[0]):
            folded = uint64(0)
            for w in range(words):
                folded ^= keys[i, w] & masks[r, w]
            for shift in (32, 16, 8, 4, 2, 1):
                folded ^= folded >> uint64(shift)
            out[i] |= np.int64(folded & ONE) << r
    return out
