"""The inner loops: walk from fault to fault.

In: a :class:`~triptych.qec.montecarlo.flat.Flat` program and a generator. Out: counts. One shot is two arrays of bits, x and z;
between two faults it follows the operations, and operations that only prepare what nothing has struck are jumped over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.kernels import compiled
from triptych.qec.montecarlo.flat import (
    ATTEMPT,
    CHECK,
    CORRECT,
    CX,
    CZ,
    HADAMARD,
    MEASURE_X,
    MEASURE_Z,
    PHASE,
    PREPARE,
    SCORE,
    SUPPLY_ENDS,
    SWAP,
    SYNDROME,
    Flat,
)
from triptych.qec.montecarlo.frames import ATTEMPTS

ABORT, SKIP = SUPPLY_ENDS["abort"], SUPPLY_ENDS["skip"]
Bits = NDArray[np.uint8]


@compiled
def advance(flat: Flat, x: Bits, z: Bits, pc: int, stop: int, crashed: bool) -> tuple[int, bool]:
    """Run operations pc, pc + 1, ... up to `stop`, or up to a CHECK that rejects; where it ends, and whether it has crashed."""
    ops, words = flat.ops, flat.words
    while pc < stop:
        code, a, b = ops[pc, 0], ops[pc, 1], ops[pc, 2]
        if code == CX:
            x[b] ^= x[a]
            z[a] ^= z[b]
        elif code == PREPARE:
            x[a] = 0
            z[a] = 0
        elif code == MEASURE_Z:
            z[a] = 0
        elif code == MEASURE_X:
            x[a] = z[a]
            z[a] = 0
        elif code == ATTEMPT:
            if flat.verifies[a, 1] < stop:
                forget(flat, a, x, z)
                pc = flat.verifies[a, 1]
        elif code == CHECK:
            for i in range(flat.verifies[a, 8]):
                if x[words[flat.verifies[a, 7] + i]]:
                    return pc, crashed
        elif code == SYNDROME:
            store_syndrome(words, a, x)
        elif code == CORRECT:
            correct(words, a, x, z)
        elif code == SCORE:
            n = words[a]
            entry = 0
            for i in range(n):
                entry |= np.int64(x[words[a + 1 + i]]) << i | np.int64(z[words[a + 1 + i]]) << n + i
            crashed |= flat.lost[b + entry] != 0
        elif code == HADAMARD:
            x[a], z[a] = z[a], x[a]
        elif code == PHASE:
            z[a] ^= x[a]
        elif code == CZ:
            z[a] ^= x[b]
            z[b] ^= x[a]
        elif code == SWAP:
            x[a], x[b] = x[b], x[a]
            z[a], z[b] = z[b], z[a]
        pc += 1
    return pc, crashed


@compiled
def forget(flat: Flat, verification: int, x: Bits, z: Bits) -> None:
    """Leave no error on the qubits of this verification."""
    start = flat.verifies[verification, 5]
    for i in range(start, start + flat.verifies[verification, 6]):
        x[flat.words[i]] = 0
        z[flat.words[i]] = 0


@compiled
def store_syndrome(words: NDArray[np.int64], at: int, x: Bits) -> None:
    """Parities of the bits, written over the first of them: `words` has their number, where they go, and (size, bits) each."""
    checks = words[at]
    row = at + 1 + checks
    parities = np.int64(0)
    for check in range(checks):
        for i in range(row + 1, row + 1 + words[row]):
            parities ^= np.int64(x[words[i]]) << check
        row += 1 + words[row]
    for check in range(checks):
        x[words[at + 1 + check]] = parities >> check & 1


@compiled
def correct(words: NDArray[np.int64], at: int, x: Bits, z: Bits) -> None:
    """Majority vote and correction: `words` has the basis, three sizes, the absence bits, the syndromes and the table."""
    on_x, syndromes, bits, absences = words[at], words[at + 1], words[at + 2], words[at + 3]
    absent, stored = at + 4, at + 4 + absences
    table = stored + syndromes * bits
    rows = table + (1 << bits) + 1
    voters = 0
    leader, lead = np.int64(0), 0
    for turn in range(2):  # the value that may have a majority (each vote for another takes one away), then its votes
        if turn == 1:
            lead = 0
        for i in range(syndromes):
            if absences and x[words[absent + i]]:
                continue
            value = np.int64(0)
            for j in range(bits):
                value |= np.int64(x[words[stored + i * bits + j]]) << j
            if turn == 1:
                lead += value == leader
                voters += 1
            elif lead == 0:
                leader, lead = value, 1
            else:
                lead += 1 if value == leader else -1
    if 2 * lead > voters:
        for i in range(rows + words[table + leader], rows + words[table + leader + 1]):
            if on_x:
                x[words[i]] ^= 1
            else:
                z[words[i]] ^= 1


@compiled
def strike(flat: Flat, location: int, error: int, x: Bits, z: Bits) -> None:
    """Put this error on the qubits of the location, unless the bit on which it depends has another value."""
    if flat.where[error] >= 0 and x[flat.bit[location]] != flat.where[error]:
        return
    start = flat.struck[location]
    for i in range(flat.struck[location + 1] - start):
        q = flat.struck_qubits[start + i]
        x[q] ^= flat.x[error] >> i & 1
        z[q] ^= flat.z[error] >> i & 1


@compiled
def choose(flat: Flat, location: int, rng: np.random.Generator) -> int:
    """One of the location's errors, by their probabilities."""
    error, last = int(flat.errors[location]), int(flat.errors[location + 1]) - 1
    u = rng.random() * flat.chance[last]
    while error < last and u >= flat.chance[error]:
        error += 1
    return error


@compiled
def from_fault_to_fault(flat: Flat, shots: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Crashes, accepted blocks, prepared blocks; crashes are -1 where a Verify without limit hardly ever accepts.

    `due` is when the next fault strikes, on the clock of the shot at hand; it may lie many shots ahead, and those are not run.
    """
    x = np.zeros(flat.width, dtype=np.uint8)
    z = np.zeros(flat.width, dtype=np.uint8)
    end, locations, verifies = len(flat.ops), len(flat.place), len(flat.verifies)
    span = flat.clock[locations]
    _, quiet = advance(flat, x, z, 0, end, False)
    crashes, missing, rejected = 0, 0, 0
    shot = 0
    due = rng.standard_exponential()
    while span > 0:
        ahead = due / span
        if ahead >= shots - shot:
            break
        shot += int(ahead)
        crashes += int(ahead) * quiet
        due = max(due - int(ahead) * span, 0.0)
        pc, crashed, running, trying, tries = 0, False, True, -1, 0
        while running:
            fault = np.searchsorted(flat.clock, due, side="right") - 1
            stop = flat.place[fault] if fault < locations else end
            pc, crashed = advance(flat, x, z, pc, stop, crashed)
            if pc == stop:
                if fault == locations:
                    break
                strike(flat, fault, choose(flat, fault, rng), x, z)
                due = flat.clock[fault + 1] + rng.standard_exponential()
                continue
            verification = flat.ops[pc, 1]
            supply = flat.verifies[verification, 3]
            tries = tries + 1 if verification == trying else 1
            trying = verification
            rejected += 1
            if tries != (supply or ATTEMPTS):  # fresh noise from the first location on: what was due is forgotten
                pc = flat.verifies[verification, 0]
                due = flat.clock[flat.verifies[verification, 2]] + rng.standard_exponential()
                continue
            if supply == 0:
                return -1, 0, 0
            missing += 1
            pc += 1
            if flat.verifies[verification, 4] == SKIP:
                forget(flat, verification, x, z)
                x[flat.words[flat.verifies[verification, 7]]] = 1
            elif flat.verifies[verification, 4] == ABORT:
                crashed, running = True, False
                missing += verifies - 1 - verification
                due = span + rng.standard_exponential()
        due = max(due - span, 0.0)
        crashes += crashed
        shot += 1
    crashes += (shots - shot) * quiet
    accepted = shots * verifies - missing
    return crashes, accepted, accepted + rejected


@compiled
def with_faults(flat: Flat, sites: NDArray[np.int64], errors: NDArray[np.int64], x: Bits, z: Bits) -> tuple[bool, bool]:
    """One shot with these faults, in order: whether all checks accept, and whether it crashes then."""
    pc, crashed = 0, False
    for i in range(len(sites) + 1):
        stop = flat.place[sites[i]] if i < len(sites) else len(flat.ops)
        pc, crashed = advance(flat, x, z, pc, stop, crashed)
        if pc < stop:
            return False, False
        if i < len(sites):
            strike(flat, sites[i], errors[i], x, z)
    return True, crashed


@compiled
def single_faults(flat: Flat) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each error of each location, alone: whether all checks accept, and whether the shot crashes then."""
    x = np.zeros(flat.width, dtype=np.uint8)
    z = np.zeros(flat.width, dtype=np.uint8)
    accepted = np.zeros(len(flat.x), dtype=np.bool_)
    crashed = np.zeros(len(flat.x), dtype=np.bool_)
    site, fault = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for location in range(len(flat.place)):
        for error in range(flat.errors[location], flat.errors[location + 1]):
            site[0], fault[0] = location, error
            accepted[error], crashed[error] = with_faults(flat, site, fault, x, z)
    return accepted, crashed


@compiled
def with_so_many_faults(flat: Flat, beyond: NDArray[np.float64], shots: int, rng: np.random.Generator) -> tuple[int, int]:
    """Accepted shots, and crashes among them, of shots with exactly as many faults as `beyond` has rows (less one).

    ``beyond[j, m]`` is proportional to the probability of no fault before location m and j faults from there on: it falls with m,
    and its ratio is the probability that the first of j faults is as late as m. So each site costs one binary search.
    """
    x = np.zeros(flat.width, dtype=np.uint8)
    z = np.zeros(flat.width, dtype=np.uint8)
    faults = len(beyond) - 1
    sites, errors = np.zeros(faults, dtype=np.int64), np.zeros(faults, dtype=np.int64)
    accepted, crashes = 0, 0
    for _ in range(shots):
        site = 0
        for i in range(faults):
            row = beyond[faults - i]
            level = (1 - rng.random()) * row[site]
            after = len(flat.place)
            while after - site > 1:
                middle = (site + after) // 2
                if row[middle] >= level:
                    site = middle
                else:
                    after = middle
            sites[i], errors[i] = site, choose(flat, site, rng)
            site += 1
        good, crashed = with_faults(flat, sites, errors, x, z)
        accepted += good
        crashes += crashed
    return accepted, crashes
