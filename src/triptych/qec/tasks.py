"""Error events and error tasks on QubitSets (Sec. II.B to II.F).

In: a QubitSet, that is some qubits and their error map, and what happens to them. Out: a new QubitSet with the next level of the
probability tree.

A Pauli string is one Python int: bit 2q is the X part and bit 2q + 1 the Z part of qubit q (program numbers). Joining two strings
is ``|``, adding an error ``^``, removing qubits ``&``.

The ledger of a set bounds d = sup over events E of abs(true(E) - computed(E)); that the program has crashed is an outcome like
any string. The bound is rigorous for four reasons. (1) Gates, measurements, corrections, splits, custom tasks, channels and
tallies are Markov maps (what has crashed stays so), and the same Markov map applied to both sides cannot raise d. (2) Each
approximation adds what it can move: a state of probability p left unbranched by an event of rate f adds f p, a merged state that
is dropped or moved adds p. What is dropped counts as an outcome "lost", which truly never happens: both sides then have mass 1,
the deviations of all outcomes sum to 0, and the largest is that of all outcomes with too little computed, which d covers. (3) The
product of two sets, which has crashed where either has, adds their ledgers: abs(m x n - m' x n')(E) <= d_m n(all) + m'(all) d_n.
(4) Repeated attempts are a Markov map of the product of their blocks; :func:`attempt` derives its factor.
Neither way of merging is a bound by itself, because unbranched states hide noise in both. Rounding is covered too: each pass over
a map adds (additions into one state + 4) * 2^-52, twice the worst relative error of that many operations in double precision.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from triptych.errors import ConfigError
from triptych.qec.criteria import Criterion
from triptych.qec.program import CX, CZ, Channel, Correct, Custom, H, Measure, S, Swap, Verify

ErrorMap = dict[int, float]
MergeRule = Literal["preservation", "lossy"]


class QubitSet(NamedTuple):
    """Qubits whose errors are followed jointly.

    qubits : the members; states : packed Pauli string -> probability; ledger : bound on the deviation of any event's probability;
    crashed : probability that the program has ended before, which `states` leave out; mortal : whether anything could end it, so
    that `crashed` and its ledger count for the program even after the qubits are forgotten.
    """

    qubits: frozenset[int]
    states: ErrorMap
    ledger: float = 0.0
    crashed: float = 0.0
    mortal: bool = False


ROUNDING = 2.0**-52


def branch(old: QubitSet, errors: Sequence[tuple[int, float]], *, threshold: float) -> QubitSet:
    """An error event (Sec. II.D): each of the `errors` (packed string, probability) strikes, or none of them.

    States below `threshold` are copied as they are. Cost: (1 + len(errors)) per state.

    Examples
    --------
    >>> branch(QubitSet(frozenset({0}), {0: 0.75, 1: 0.25}), [(1, 0.5)], threshold=0.5).states
    {0: 0.375, 1: 0.625}
    """
    new: ErrorMap = {}
    already = new.get
    unbranched = 0.0
    rate = math.fsum(share for _, share in errors)
    stay = 1 - rate
    for state, p in old.states.items():
        if p >= threshold:
            new[state] = already(state, 0.0) + stay * p
            for error, share in errors:
                struck = state ^ error
                new[struck] = already(struck, 0.0) + share * p
        else:
            new[state] = already(state, 0.0) + p
            unbranched += p
    return old._replace(states=new, ledger=old.ledger + rate * unbranched + (len(errors) + 4) * ROUNDING)


def branch_where(old: QubitSet, bit: int, cases: Mapping[int, Sequence[tuple[int, float]]], *, threshold: float) -> QubitSet:
    """An error event that depends on a bit: where it has a value, the errors of that case strike, or none of them.

    Examples
    --------
    >>> hidden = QubitSet(frozenset({0, 1}), {0: 0.75, 1: 0.25})
    >>> branch_where(hidden, 0, {1: [(4, 0.5)]}, threshold=0.0).states
    {0: 0.75, 1: 0.125, 5: 0.125}
    """
    new: ErrorMap = {}
    already = new.get
    ledger = old.ledger
    for value in (0, 1):
        half = {state: p for state, p in old.states.items() if state >> 2 * bit & 1 == value}
        struck = branch(old._replace(states=half, ledger=0.0), cases.get(value, ()), threshold=threshold)
        for state, p in struck.states.items():
            new[state] = already(state, 0.0) + p
        ledger += struck.ledger
    return old._replace(states=new, ledger=ledger)


def rewrite(old: QubitSet, change: Callable[[int], int]) -> QubitSet:
    """A deterministic task: every state becomes ``change(state)``, and equal results add up."""
    new: ErrorMap = {}
    already = new.get
    for state, p in old.states.items():
        changed = change(state)
        new[changed] = already(changed, 0.0) + p
    joined = len(old.states) - len(new)
    return old._replace(states=new, ledger=old.ledger + (joined + 3) * ROUNDING * bool(joined))


def propagation(step: H | S | CX | CZ | Swap | Measure) -> Callable[[int], int]:
    """How a gate or a measurement changes a Pauli string."""
    match step:
        case H(qubit=q):
            return lambda s: s & ~(3 << 2 * q) | (s >> 2 * q & 1) << 2 * q + 1 | (s >> 2 * q + 1 & 1) << 2 * q
        case S(qubit=q):
            return lambda s: s ^ (s >> 2 * q & 1) << 2 * q + 1
        case CX(control=c, target=t):
            return lambda s: s ^ (s >> 2 * c & 1) << 2 * t ^ (s >> 2 * t + 1 & 1) << 2 * c + 1
        case CZ(first=a, second=b):
            return lambda s: s ^ (s >> 2 * a & 1) << 2 * b + 1 ^ (s >> 2 * b & 1) << 2 * a + 1
        case Swap(first=a, second=b):
            return lambda s: s & ~(3 << 2 * a | 3 << 2 * b) | (s >> 2 * a & 3) << 2 * b | (s >> 2 * b & 3) << 2 * a
        case Measure(qubit=q, basis=basis):
            read = 2 * q + (basis == "X")
            return lambda s: s & ~(3 << 2 * q) | (s >> read & 1) << 2 * q


def merge(a: QubitSet, b: QubitSet, *, threshold: float, rule: MergeRule) -> QubitSet:
    """The product of two independent sets (Sec. II.E); a pair is kept if its probability exceeds `threshold`.

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
    ledger = a.ledger + b.ledger + neglected + rounding
    return QubitSet(a.qubits | b.qubits, new, ledger, either(a.crashed, b.crashed), a.mortal or b.mortal)


def either(a: float, b: float) -> float:
    """The probability of one of two independent events, or both, without the subtraction from 1 that loses digits."""
    return a + b - a * b


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


def attempt(block: QubitSet, step: Verify) -> tuple[QubitSet, float]:
    """Try equal, independent blocks until one has its checks at 0; also the probability b of that for one block.

    All m blocks of a finite supply are rejected with probability r^m, r = 1 - b: that much crashes, or takes a rejected block, or
    an error-free one with its marker bit set, as the step says. All numbers are the body's, and the checks are still there.

    The new ledger is d (1 - r^m) / b, or d / b without limit. Put the computed block in place of the true one in attempt 1, then
    2, and so on: attempt k matters only where the k - 1 before it, computed ones already, were rejected, and moves any event by
    at most d there. Together that is d (1 + r + ... + r^(m - 1)). What lossy merges have lost of a block counts as rejected.

    Raises
    ------
    ConfigError
        If the supply is without limit and nothing is accepted.
    """
    mask = sum(1 << 2 * q for q in step.checks)
    passed = {state: p for state, p in block.states.items() if not state & mask}
    rejected = {state: p for state, p in block.states.items() if state & mask}
    mass = min(1.0, math.fsum(passed.values()))
    if step.supply is None:
        if not mass > 0:
            raise ConfigError(
                "a Verify never accepts", got="acceptance 0", expected="checks that can be 0", fix="lower the noise"
            )
        exhausted, tries = 0.0, 1 / mass
    else:
        exhausted = (1 - mass) ** step.supply
        tries = -math.expm1(step.supply * math.log1p(-mass)) / mass if 0 < mass < 1 else 1.0 if mass else float(step.supply)
    ledger = min(1.0, tries * (block.ledger + 8 * ROUNDING))
    new = block._replace(states={state: p * tries for state, p in passed.items()}, ledger=ledger)
    if step.supply is None:
        return new, mass
    if step.otherwise == "abort":
        return new._replace(crashed=exhausted, mortal=True), mass
    if step.otherwise == "skip":
        instead = {1 << 2 * step.checks[0]: exhausted}
    else:
        total = math.fsum(rejected.values())
        instead = {state: p / total * exhausted for state, p in rejected.items() if p > 0}
    return new._replace(states=new.states | instead), mass


def store_syndrome(old: QubitSet, bits: tuple[int, ...], checks: tuple[tuple[int, ...], ...]) -> QubitSet:
    """Write the parity of each check into the measured qubits (Sec. II.F) and release the bits that are left over."""
    places = sum(1 << 2 * bit for bit in bits)
    rows = [(sum(1 << 2 * bits[i] for i in row), 1 << 2 * bit) for row, bit in zip(checks, bits, strict=False)]

    def change(state: int) -> int:
        stored = sum(place for row, place in rows if (state & row).bit_count() & 1)
        return state & ~places | stored

    return rewrite(old, change)._replace(qubits=old.qubits - frozenset(bits[len(checks) :]))


def correct(old: QubitSet, step: Correct) -> QubitSet:
    """Apply the look-up correction of the majority of the stored syndromes that take part in the vote (Sec. II.F)."""
    shift = step.pauli == "Z"
    fixes = [sum(1 << 2 * q + shift for q in row) for row in step.table]
    absent = step.absent or (None,) * len(step.syndromes)

    def change(state: int) -> int:
        voters = [bits for bits, gone in zip(step.syndromes, absent, strict=True) if gone is None or not state >> 2 * gone & 1]
        votes = Counter(sum((state >> 2 * bit & 1) << i for i, bit in enumerate(bits)) for bits in voters)
        return next((state ^ fixes[value] for value, count in votes.items() if 2 * count > len(voters)), state)

    return rewrite(old, change)


def apply(old: QubitSet, step: Custom | Channel) -> QubitSet:
    """A task of one's own, or a compiled gadget: each state becomes the distribution that the step returns for it.

    Where that is the end of the run, it is a crash. Cost: one call for each different error on the qubits of the task.

    Raises
    ------
    ConfigError
        If the probabilities for a state do not sum to 1 within 1e-12, or if it becomes something that these qubits cannot hold.
    """
    others = ~sum(3 << 2 * q for q in step.qubits)
    spread: dict[tuple[int, int], list[tuple[int | None, float]]] = {}
    new: ErrorMap = {}
    already = new.get
    written, crashed = 0, old.crashed
    for state, p in old.states.items():
        here = parts(state, step.qubits)
        if here not in spread:
            chances = step.distribution(*here).items()
            spread[here] = [(None if error is None else packed(*error, step.qubits), share) for error, share in chances]
        for error, share in spread[here]:
            if error is None:
                crashed += share * p
            else:
                changed = state & others | error
                new[changed] = already(changed, 0.0) + share * p
        written += len(spread[here])
    ledger = old.ledger + (written - len(new) + 4) * ROUNDING
    ends = isinstance(step, Channel) and bool(step.aborts.any())  # states that are not followed might have ended, too
    return old._replace(states=new, ledger=ledger, crashed=crashed, mortal=old.mortal or ends)


def score(old: QubitSet, block: Sequence[int], crash: Criterion) -> QubitSet:
    """Where this block is lost the program ends: the failing states summed directly, never as 1 - success."""
    lost = {state for state in old.states if crash(*parts(state, block))}
    failing = math.fsum(old.states[state] for state in lost)
    alive = {state: p for state, p in old.states.items() if state not in lost}
    return old._replace(states=alive, ledger=old.ledger + ROUNDING, crashed=old.crashed + failing, mortal=True)


def parts(state: int, qubits: Sequence[int]) -> tuple[int, int]:
    """The packed X part and the packed Z part of a string on these qubits; bit i is ``qubits[i]``."""
    x = sum((state >> 2 * q & 1) << i for i, q in enumerate(qubits))
    z = sum((state >> 2 * q + 1 & 1) << i for i, q in enumerate(qubits))
    return x, z


def packed(x: int, z: int, qubits: Sequence[int]) -> int:
    """The string with these parts; the inverse of :func:`parts`."""
    return sum((x >> i & 1) << 2 * q | (z >> i & 1) << 2 * q + 1 for i, q in enumerate(qubits))
