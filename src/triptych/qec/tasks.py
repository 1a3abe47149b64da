"""Error events and error tasks on QubitSets (Sec. II.B to II.F).

In: a QubitSet, that is some qubits and their error map, and what happens to them. Out: a new QubitSet with the next level of the
probability tree.

A Pauli string is one Python int: bit 2q is the X part and bit 2q + 1 the Z part of qubit q (program numbers). Joining two strings
is ``|``, adding an error ``^``, removing qubits ``&``.

The ledger of a set bounds d = sup over events E of abs(true(E) - computed(E)). It is rigorous for three reasons. (1) Gates,
measurements, corrections and splits are Markov maps, and the same Markov map applied to both sides cannot raise d. (2) Each
approximation adds what it can move: a state of probability p left unbranched by an event of rate f adds f p, a merged state
that is dropped or moved adds p. (3) The product of two sets adds their ledgers, since abs(m x n - m' x n')(E) <= d_m n(all) +
m'(all) d_n and neither side has a mass above 1 (but for rounding). Conditioning is not linear; :func:`accept` derives its factor.
Neither way of merging is a bound by itself, because unbranched states hide noise in both. Rounding is covered too: each pass over
a map adds (additions into one state + 4) * 2^-52, twice the worst relative error of that many operations in double precision.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Literal, NamedTuple

from triptych.errors import ConfigError
from triptych.qec.criteria import Criterion
from triptych.qec.program import CX, CZ, Correct, H, Measure

ErrorMap = dict[int, float]
MergeRule = Literal["preservation", "lossy"]


class QubitSet(NamedTuple):
    """Qubits whose errors are followed jointly.

    qubits : the members; states : packed Pauli string -> probability; ledger : bound on the deviation of any event's probability.
    """

    qubits: frozenset[int]
    states: ErrorMap
    ledger: float = 0.0


ROUNDING = 2.0**-52


def branch(old: QubitSet, errors: tuple[int, ...], rate: float, *, threshold: float) -> QubitSet:
    """An error event (Sec. II.D): with probability `rate` one of `errors` (packed strings, equally likely) strikes.

    States below `threshold` are copied as they are. Cost: (1 + len(errors)) per state.

    Examples
    --------
    >>> branch(QubitSet(frozenset({0}), {0: 0.75, 1: 0.25}), (1,), 0.5, threshold=0.5).states
    {0: 0.375, 1: 0.625}
    """
    new: ErrorMap = {}
    already = new.get
    unbranched = 0.0
    stay, share = 1 - rate, rate / len(errors)
    for state, p in old.states.items():
        if p >= threshold:
            new[state] = already(state, 0.0) + stay * p
            part = share * p
            for error in errors:
                struck = state ^ error
                new[struck] = already(struck, 0.0) + part
        else:
            new[state] = already(state, 0.0) + p
            unbranched += p
    return QubitSet(old.qubits, new, old.ledger + rate * unbranched + (len(errors) + 4) * ROUNDING)


def rewrite(old: QubitSet, change: Callable[[int], int]) -> QubitSet:
    """A deterministic task: every state becomes ``change(state)``, and equal results add up."""
    new: ErrorMap = {}
    already = new.get
    for state, p in old.states.items():
        changed = change(state)
        new[changed] = already(changed, 0.0) + p
    joined = len(old.states) - len(new)
    return QubitSet(old.qubits, new, old.ledger + (joined + 3) * ROUNDING * bool(joined))


def propagation(step: H | CX | CZ | Measure) -> Callable[[int], int]:
    """How a gate or a measurement changes a Pauli string."""
    match step:
        case H(qubit=q):
            return lambda s: s & ~(3 << 2 * q) | (s >> 2 * q & 1) << 2 * q + 1 | (s >> 2 * q + 1 & 1) << 2 * q
        case CX(control=c, target=t):
            return lambda s: s ^ (s >> 2 * c & 1) << 2 * t ^ (s >> 2 * t + 1 & 1) << 2 * c + 1
        case CZ(first=a, second=b):
            return lambda s: s ^ (s >> 2 * a & 1) << 2 * b + 1 ^ (s >> 2 * b & 1) << 2 * a + 1
        case Measure(qubit=q, basis=basis):
            read = 2 * q + (basis == "X")
            return lambda s: s & ~(3 << 2 * q) | (s >> read & 1) << 2 * q


def merge(a: QubitSet, b: QubitSet, *, threshold: float, rule: MergeRule) -> QubitSet:
    """The product of two sets (Sec. II.E); a pair is kept if its probability exceeds `threshold`.

    Below, ``"preservation"`` replaces the less probable of the two factors by the identity (of two equal ones, `b`'s), and
    ``"lossy"`` drops the pair. The pairs that fail are never visited one by one: for a given state of one set, those in which the
    other factor is the one to go are the tail of the other set, sorted by probability.

    Cost: O(A log B + B log A + pairs kept), memory the pairs kept.

    Examples
    --------
    >>> left, right = QubitSet(frozenset({0}), {0: 0.75, 1: 0.25}), QubitSet(frozenset({1}), {0: 0.5, 4: 0.5})
    >>> merge(left, right, threshold=0.2, rule="lossy").states
    {0: 0.375, 4: 0.375}
    >>> merge(left, right, threshold=0.2, rule="preservation").states
    {0: 0.5, 4: 0.5}
    """
    by_rank, b_ranks, b_tails = _ranked(b)
    new: ErrorMap = {}
    already = new.get
    neglected = 0.0
    for state, p in a.states.items():
        kept = bisect_left(b_ranks, -threshold, key=p.__mul__)
        for other, q in by_rank[:kept]:
            new[state | other] = already(state | other, 0.0) + p * q
        neglected += p * b_tails[kept]
        moved = p * b_tails[max(kept, bisect_left(b_ranks, -p))]
        if moved > 0 and rule == "preservation":
            new[state] = already(state, 0.0) + moved
    if neglected > 0 and rule == "preservation":
        _, a_ranks, a_tails = _ranked(a)
        for other, q in b.states.items():
            moved = q * a_tails[max(bisect_left(a_ranks, -threshold, key=q.__mul__), bisect_right(a_ranks, -q))]
            if moved > 0:
                new[other] = already(other, 0.0) + moved
    rounding = ((len(a.states) + len(b.states)) * neglected + 4) * ROUNDING
    return QubitSet(a.qubits | b.qubits, new, a.ledger + b.ledger + neglected + rounding)


def _ranked(one: QubitSet) -> tuple[list[tuple[int, float]], list[float], list[float]]:
    """States from the most probable on; minus their probabilities, which ascend; the mass from each rank on."""
    ranked = sorted(one.states.items(), key=lambda item: -item[1])
    tails = [*accumulate((p for _, p in reversed(ranked)), initial=0.0)][::-1]
    return ranked, [-p for _, p in ranked], tails


def split(old: QubitSet, qubits: Iterable[int]) -> QubitSet:
    """Remove qubits (Sec. II.E): the marginal distribution of the others."""
    gone = frozenset(qubits)
    keep = sum(3 << 2 * q for q in old.qubits - gone)
    return rewrite(old, lambda state: state & keep)._replace(qubits=old.qubits - gone)


def accept(old: QubitSet, checks: Iterable[int]) -> tuple[QubitSet, float]:
    """Keep the states in which all `checks` are 0, renormalised, and the accepted mass b (retry until accepted).

    The new ledger is d / (b - d), at most 1. With delta = true - computed, a = true(A) and t = computed(E) / b for E inside the
    accepted A: true(E) / a - computed(E) / b = [delta(E) - t delta(A)] / a = [(1 - t) delta(E) - t delta(A without E)] / a.
    That is a weighted mean of delta(E) and -delta(A without E), neither larger than d, over a >= b - d.

    Raises
    ------
    ConfigError
        If nothing is accepted.
    """
    mask = sum(1 << 2 * q for q in checks)
    passed = {state: p for state, p in old.states.items() if not state & mask}
    mass = math.fsum(passed.values())
    if not mass > 0:
        raise ConfigError("a Verify never accepts", got="acceptance 0", expected="checks that can be 0", fix="lower the noise")
    certain = mass - old.ledger
    ledger = min(1.0, old.ledger / certain + 4 * ROUNDING) if certain > 0 else 1.0
    return split(QubitSet(old.qubits, {state: p / mass for state, p in passed.items()}, ledger), checks), mass


def store_syndrome(old: QubitSet, bits: tuple[int, ...], checks: tuple[tuple[int, ...], ...]) -> QubitSet:
    """Write the parity of each check into the measured qubits (Sec. II.F) and release the bits that are left over."""
    places = sum(1 << 2 * bit for bit in bits)
    rows = [(sum(1 << 2 * bits[i] for i in row), 1 << 2 * bit) for row, bit in zip(checks, bits, strict=False)]

    def change(state: int) -> int:
        stored = sum(place for row, place in rows if (state & row).bit_count() & 1)
        return state & ~places | stored

    return rewrite(old, change)._replace(qubits=old.qubits - frozenset(bits[len(checks) :]))


def correct(old: QubitSet, step: Correct) -> QubitSet:
    """Apply the look-up correction of the majority of the stored syndromes (Sec. II.F)."""
    shift = step.pauli == "Z"
    fixes = [sum(1 << 2 * q + shift for q in row) for row in step.table]

    def change(state: int) -> int:
        values = (sum((state >> 2 * bit & 1) << i for i, bit in enumerate(bits)) for bits in step.syndromes)
        value, votes = Counter(values).most_common(1)[0]
        return state ^ fixes[value] if 2 * votes > len(step.syndromes) else state

    return rewrite(old, change)


def tally(final: QubitSet, blocks: tuple[tuple[int, ...], ...], crash: Criterion) -> float:
    """The probability that a block crashes: the failing states summed directly, never as 1 - success."""

    def fails(state: int, block: tuple[int, ...]) -> bool:
        x = sum((state >> 2 * q & 1) << i for i, q in enumerate(block))
        z = sum((state >> 2 * q + 1 & 1) << i for i, q in enumerate(block))
        return crash(x, z)

    return math.fsum(p for state, p in final.states.items() if any(fails(state, block) for block in blocks))
