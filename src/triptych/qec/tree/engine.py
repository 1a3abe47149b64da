"""The probability tree on arrays: fast, pruned, and with a certificate.

In: a program and the thresholds of its pruning. Out: QubitSets at its end, with their error maps and a ledger of everything that
was neglected.

A state is not a Pauli string but the values of linear functionals of it (:mod:`triptych.qec.tree.observed`). Each set keeps a
*frame*: for each coordinate of an error, the bits of a state that it flips. A gate changes two entries of the frame and no state
(a lazy Clifford frame); an error event becomes a mixture of XORs in place. States are touched again only where sets merge, where
something is forgotten, and at look-ups.

Two kinds of ledger. With the rule ``"bounded"`` every map is a lower bound, state by state: what is not followed is dropped,
namely products below the merge threshold, and what an event would move out of a state too improbable to branch. Smaller
thresholds drop less from larger numbers, so that the certified intervals nest; and every kept probability is a sum of products of
non-negative numbers, so that rounding is a relative error. The ledger is what was dropped, all of which may or may not crash.
Retrying divides by the largest possible acceptance, accepted + dropped. With ``"preservation"`` and ``"lossy"``, the paper's
rules, unbranched states keep their probability; the ledger then bounds the deviation of any event's probability either way
(:mod:`triptych.qec.tasks` derives it).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, NamedTuple, final

import numpy as np

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.thresholds import require_thresholds
from triptych.qec.tree.errormap import EPSILON, SUM, Case, ErrorMap, packed
from triptych.qec.tree.kernels import COUNT
from triptych.qec.tree.observed import corrections, of_block, pulled, require_looks, score, sees, throughout
from triptych.qec.tree.sets import Needs, QubitSet, acted, turn, within

Rule = Literal["bounded", "preservation", "lossy"]
RAISE = 10.0  # of the thresholds, where memory runs out
LEAST = 1e-18  # what a threshold of 0 is raised from


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What is not followed.

    Attributes
    ----------
    event : a state with p >= event branches (Sec. II.D).
    merge : a merged state with p > merge is kept (Sec. II.E).
    rule : ``"bounded"`` drops and keeps account; ``"preservation"`` and ``"lossy"`` are the paper's.
    max_faults : errors of more than so many faults are dropped; None follows all.
    max_memory : bytes for the states of one set.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    event: float
    merge: float
    rule: Rule = "bounded"
    max_faults: int | None = None
    max_memory: float = 8e9

    def __post_init__(self) -> None:
        require_thresholds(event=self.event, merge=self.merge)
        if self.rule not in ("bounded", "preservation", "lossy"):
            raise ConfigError("no such way to merge", got=self.rule, expected="'bounded', 'preservation' or 'lossy'")
        if self.max_faults is not None and not (isinstance(self.max_faults, int) and 0 <= self.max_faults < 2**COUNT):
            raise ConfigError("max_faults is out of range", got=self.max_faults, expected=f"0 <= max_faults < {2**COUNT}")
        if not self.max_memory >= 1e6:
            raise ConfigError("too little memory", got=f"{self.max_memory:g} bytes", expected="1e6 or more")

    @property
    def limit(self) -> int:
        """Faults a state may have, or -1."""
        return -1 if self.max_faults is None else self.max_faults


class Attempt(NamedTuple):
    """One attempt of a Verify: the probability that it is accepted, and what that is between."""

    value: float
    lower: float
    upper: float


@final
class Tree:
    """The growing tree: the sets of the present moment.

    Attributes
    ----------
    sets : the partition of all qubits. attempts : one for each Verify. peak : most states held at once. processed : states
    written. exhausted : memory ran out, and the thresholds were raised.
    """

    def __init__(
        self, pruning: Pruning, crash: Criterion | None = None, known: dict[object, tuple[QubitSet, Attempt]] | None = None
    ) -> None:
        self.pruning = pruning
        self.crash = crash
        self.sets: list[QubitSet] = []
        self.attempts: list[Attempt] = []
        self.peak = 0
        self.processed = 0
        self.exhausted = False
        self._known = {} if known is None else known

    def run(self, steps: Sequence[do.Instruction], observed: Needs, *, advance: Callable[[], object] = lambda: None) -> None:
        """All the instructions; `observed` are the functionals that matter at the end. `advance` is called after each."""
        moments: list[Needs] = [None] * (len(steps) + 1)
        if observed is not None:
            moments = [*throughout(steps, observed, self.crash)]
        for i, step in enumerate(steps):
            self.apply(step, moments[i], moments[i + 1])
            advance()

    def apply(self, step: do.Instruction, needs: Needs = None, after: Needs = None) -> None:
        """One instruction, and what is observed before and after it. By default everything is: states are Pauli strings then.

        Raises
        ------
        ConfigError
            If a Verify never accepts, a Custom returns no distribution, or a Channel leaves undefined what is observed later.
        """
        match step:
            case do.Prepare(qubit=q):
                self._begin(q, (2 * q, 2 * q + 1), after)
            case do.Hidden(bit=b, probability=p):
                self._begin(b, (2 * b,), after)
                self._strike(do.Flip(bit=b, rate=p), after)
            case do.H() | do.S() | do.CX() | do.CZ() | do.Swap():
                turn(self.take(acted(step), needs).frame, step)
            case do.Depolarize1() | do.Depolarize2() | do.PauliChannel() | do.Flip():
                self._strike(step, needs)
            case do.Switch() | do.When():
                self._strike_where(step, needs, after)
            case do.Measure(qubit=q):
                self._relabel(self.take((q,), needs), step, {2 * q + 1}, after)
            case do.Syndrome(bits=bits, checks=checks):
                lost = {2 * bit for bit in bits[len(checks) :]}
                self._relabel(self.take(bits, needs), step, lost, after)
            case do.Verify():
                self._verify(step, after)
            case do.Correct():
                self._correct(step, needs, after)
            case do.Merge(qubits=qubits):
                self.take(qubits, needs)
            case do.Split(qubits=qubits):
                self._forget(qubits, after)
            case do.Custom():
                self._custom(step, needs, after)
            case do.Channel():
                self._channel(step, needs, after)
            case do.Tally(blocks=blocks) if self.crash is not None:
                for block in blocks:
                    self._tally(block, self.crash, needs)
            case _:
                return
        self._account()

    def take(self, qubits: Iterable[int], needs: Needs) -> QubitSet:
        """The set that holds these qubits: all that hold any of them, merged from left to right (Sec. II.E)."""
        wanted = {2 * q for q in qubits} | {2 * q + 1 for q in qubits}
        found = [one for one in self.sets if not wanted.isdisjoint(one.frame)]
        self.sets = [one for one in self.sets if wanted.isdisjoint(one.frame)]
        merged = found[0]
        for other in found[1:]:
            merged = self._merge(merged, other, needs)
            self._fit(merged)
        self.sets.append(merged)
        return merged

    def score(self, blocks: Sequence[Sequence[int]], crash: Criterion, needs: Needs) -> tuple[float, float, float]:
        """The probability that a block has crashed or meets the criterion now: (value, lower, upper). It takes these states out.

        Failures are summed directly. Sets that share no block are independent, and need no merging.
        """
        for block in blocks:
            self._tally(block, crash, needs)
        value = lower = upper = 0.0
        for one in (one for one in self.sets if one.mortal):
            middle = one.crashed + one.ledger / 2 if self.pruning.rule == "bounded" else one.crashed
            bounds = self._between(one.crashed, one)
            value, lower, upper = (a + b - a * b for a, b in zip((value, lower, upper), (middle, *bounds), strict=True))
        slack = 4 * len(self.sets) * EPSILON  # a + b - a b rounds, too
        lower, upper = lower * (1 - slack), min(1.0, max(lower, upper) * (1 + slack))
        return min(max(lower, value), upper), lower, upper

    def _between(self, found: float, one: QubitSet) -> tuple[float, float]:
        """What a probability of a set is between, with its ledger and its rounding."""
        slack = one.map.depth * EPSILON
        if self.pruning.rule == "bounded":
            return max(0.0, found * (1 - slack)), min(1.0, (found + one.ledger) * (1 + slack))
        return max(0.0, found - one.ledger - slack), min(1.0, found + one.ledger + slack)

    def _begin(self, qubit: int, coordinates: tuple[int, ...], after: Needs) -> None:
        self._forget([qubit], after)
        new = QubitSet({}, ErrorMap(max_bytes=self.pruning.max_memory))
        new.rebase([(0, row) for row in within(after, sum(1 << c for c in coordinates), coordinates)], coordinates)
        self.sets.append(new)

    def _strike(self, step: do.Event, needs: Needs) -> None:
        one = self.take(do.outcomes(step)[0], needs)
        self._branch(one, [(None, one.patterns(step))])

    def _strike_where(self, step: do.Conditional, needs: Needs, after: Needs) -> None:
        """An event that depends on the bit of the state: the two halves of the map branch on their own."""
        one = self.take((step.bit, *(q for event in step.events.values() for q in do.outcomes(event)[0])), needs)
        if sees(step, after):
            bits = one.map.values(one.expressed([1 << 2 * step.bit]))
            self._branch(one, [(np.flatnonzero(bits == value), one.patterns(event)) for value, event in step.events.items()])

    def _branch(self, one: QubitSet, cases: list[Case]) -> None:
        pruning = self.pruning
        neglected, written = one.map.branch(cases, threshold=pruning.event, lossy=pruning.rule == "bounded", limit=pruning.limit)
        one.ledger += neglected
        self.processed += written

    def _merge(self, left: QubitSet, right: QubitSet, needs: Needs) -> QubitSet:
        """The product (Sec. II.E), made in place of the larger set.

        A functional of both is a sum a + b. Those whose a are the bits of the larger set keep these bits; the rest has a = 0 and
        gets new ones.
        """
        one, other = (left, right) if left.map.n >= right.map.n else (right, left)
        if needs is not None:
            for part in (one, other):
                self._shrink(part, needs)
        rows = within(needs, one.coordinates | other.coordinates, {*one.frame, *other.frame})
        firsts, seconds = one.expressed(rows), other.expressed(rows)

        def of_other(combination: int) -> int:
            return reduce(operator.xor, (seconds[k] for k in f2.entries(combination)), 0)

        lifted, fresh = f2.echelon((first, 1 << k) for k, first in enumerate(firsts))
        linear = [(head.bit_length() - 1, of_other(combination)) for head, combination in lifted.values()]
        linear = [*linear, *zip(one.free(), f2.basis(of_other(combination) for combination in fresh), strict=False)]
        one.map.widen(max((bit + 1 for bit, _ in linear), default=0))
        pruning = self.pruning
        if pruning.rule != "bounded" or not other.map.certain:
            neglected = one.map.multiply(
                other.map, tuple(linear), threshold=pruning.merge, rule=pruning.rule, ties=other is right, limit=pruning.limit
            )
            one.ledger += neglected
            self.processed += one.map.n
        one.ledger += other.ledger
        one.frame |= {c: f2.image(column, tuple(linear)) for c, column in other.frame.items()}
        one.crashed += other.crashed - one.crashed * other.crashed
        one.mortal |= other.mortal
        return one

    def _shrink(self, one: QubitSet, after: Needs) -> None:
        """Forget what is not observed."""
        if after is None:
            one.map.settle()
        else:
            one.rebase([(row, row) for row in within(after, one.coordinates, set())], one.frame)

    def _relabel(self, one: QubitSet, step: do.Instruction, lost: set[int], after: Needs) -> None:
        """A linear task, which loses coordinates."""
        coordinates = {*one.frame} - lost
        rows = within(after, sum(1 << c for c in coordinates), coordinates)
        one.rebase([(pulled(step, row), row) for row in rows], coordinates)

    def _forget(self, qubits: Iterable[int], after: Needs) -> None:
        lost = {2 * q for q in qubits} | {2 * q + 1 for q in qubits}
        for one in self.sets:
            if not lost.isdisjoint(one.frame):
                coordinates = {*one.frame} - lost
                rows = within(after, sum(1 << c for c in coordinates), coordinates)
                one.rebase([(row, row) for row in rows], coordinates)
        self.sets = [one for one in self.sets if one.frame or one.mortal]

    def _verify(self, step: do.Verify, after: Needs) -> None:
        block = {2 * q + part for q in step.made for part in (0, 1)}
        local = (
            None if after is None else f2.basis(row >> 2 * step.first for row in within(after, sum(1 << c for c in block), block))
        )
        question = (replace(step, first=0), None if local is None else tuple(sorted(local)))
        if question not in self._known:
            self._known[question] = self._prepare(replace(step, first=0), local)
        made, attempt = self._known[question]
        self._forget({c // 2 for c in block}, after)
        frame = {c + 2 * step.first: column for c, column in made.frame.items()}
        self.sets.append(QubitSet(frame, made.map.copy(), made.ledger, made.crashed, made.mortal))
        self.attempts.append(attempt)

    def _prepare(self, step: do.Verify, observed: Needs) -> tuple[QubitSet, Attempt]:
        """The block as the supply delivers it, and one attempt at it.

        With r the rejected probability of an attempt, the accepted states and the ledger count 1 + r + r^2 + ... times, as often
        as there are blocks, and all are rejected with probability r^supply.
        """
        sub = Tree(self.pruning, None, self._known)
        checks = [1 << 2 * check for check in step.checks]
        needs = None if observed is None else f2.basis([*observed, *checks])
        sub.run(step.body, needs)
        made = sub.take(step.made, needs)
        self.processed += sub.processed
        self.exhausted |= sub.exhausted
        self.peak = max(self.peak, sub.peak + sum(one.map.n for one in self.sets))
        p = made.map.p[: made.map.n]
        passed = made.map.values(made.expressed(checks)) == 0
        accepted, rejected = float(p[passed].sum()), float(p[~passed].sum())
        bounded = self.pruning.rule == "bounded"
        if step.supply is None and not accepted > 0:
            raise ConfigError(
                "a Verify never accepts", got="acceptance 0", expected="checks that can be 0", fix="lower the noise"
            )
        made.map.depth += SUM
        attempt = Attempt(accepted, *self._between(accepted, made))
        factor = tries(accepted + made.ledger if bounded else accepted, step.supply)
        fails = rejected + (max(0.0, 1 - accepted - rejected) if self.pruning.rule == "lossy" else 0.0)
        exhausted = 0.0 if step.supply is None else fails**step.supply
        made.ledger = min(1.0, made.ledger * factor)
        use = step.otherwise == "use" and rejected > 0
        p *= np.where(passed, factor, exhausted / rejected if use else 0.0)
        if step.otherwise == "skip" and exhausted > 0:
            marker = packed([made.frame[2 * step.checks[0]]], made.map.words)
            made.ledger += made.map.add(marker, np.array([exhausted]))
        if step.otherwise == "abort" and step.supply is not None:
            made.crashed, made.mortal = exhausted, True
        made.map.depth += made.map.depth * (step.supply or 1)
        made.map.settle()
        coordinates = {*made.frame} - {2 * bit for bit in step.released}
        rows = within(observed, sum(1 << c for c in coordinates), coordinates)
        made.rebase([(row, row) for row in rows], coordinates)
        return made, attempt

    def _correct(self, step: do.Correct, needs: Needs, after: Needs) -> None:
        one = self.take((q for row in (*step.syndromes, *step.table, step.absent) for q in row), needs)
        if sees(step, after):
            votes = [one.map.values(one.expressed([1 << 2 * bit for bit in bits])) for bits in step.syndromes]
            absent = [one.map.values(one.expressed([1 << 2 * bit])) > 0 for bit in step.absent]
            present = [~gone for gone in absent] or [np.ones(one.map.n, dtype=bool)] * len(votes)
            cast = sum(valid.astype(np.int64) for valid in present)
            chosen = np.zeros(one.map.n, dtype=np.int64)
            elected = np.zeros(one.map.n, dtype=bool)
            for value, valid in zip(votes, present, strict=True):
                same = sum(((other == value) & there).astype(np.int64) for other, there in zip(votes, present, strict=True))
                wins = valid & (2 * same > cast)
                chosen[wins] = value[wins]
                elected |= wins
            patterns = [one.pattern(error) for error in corrections(step)]
            errors = packed(patterns, one.map.words)[chosen]
            errors[~elected] = 0
            one.map.shift(errors)
            self.processed += one.map.n
        self._shrink(one, after)

    def _custom(self, step: do.Custom, needs: Needs, after: Needs) -> None:
        one = self.take(step.qubits, needs)
        if not sees(step, after) or not one.map.n:
            return
        places = [2 * q + part for part in (0, 1) for q in step.qubits]
        there = [c for c in places if c in one.frame]
        found = one.map.values(one.expressed([1 << c for c in there]))
        old, one.map = one.map, one.map.copy(slice(0))
        outcomes = 0
        for value in np.unique(found).tolist():
            states = np.flatnonzero(found == value)
            error = sum(1 << c for i, c in enumerate(there) if value >> i & 1)
            x, z = (sum((error >> 2 * q + part & 1) << i for i, q in enumerate(step.qubits)) for part in (0, 1))
            for (new_x, new_z), p in step.distribution(x, z).items():
                new = sum((new_x >> i & 1) << 2 * q | (new_z >> i & 1) << 2 * q + 1 for i, q in enumerate(step.qubits))
                if new & ~one.coordinates:
                    raise ConfigError(
                        "a Custom task gives a measured qubit a phase",
                        got=f"{(new_x, new_z)} for (x, z) = {x, z}",
                        expected="z = 0",
                    )
                changed = old.keys[states] ^ packed([one.pattern(error ^ new)], old.words)
                one.ledger += one.map.add(changed, old.p[states] * p)
                outcomes += 1
        one.map.depth += outcomes + 2
        self.processed += one.map.n

    def _channel(self, step: do.Channel, needs: Needs, after: Needs) -> None:
        """A compiled gadget: one mixture of XORs for each value of the looks."""
        one = self.take(step.qubits, needs)
        require_looks(step, within(after, one.coordinates, one.frame))
        if sees(step, after):
            flips = [one.pattern(error) for error in step.errors]
            patterns = [reduce(operator.xor, (flips[i] for i in f2.entries(flipped)), 0) for flipped in range(1 << len(flips))]
            neglected, aborted = one.map.scatter(
                one.map.values(one.expressed(step.looks)),
                packed(patterns, one.map.words),
                step.matrix,
                step.aborts,
                threshold=self.pruning.merge,
                rule=self.pruning.rule,
            )
            one.ledger += neglected
            one.crashed += aborted
            one.mortal |= bool(step.aborts.any())
            self.processed += one.map.n
        self._shrink(one, after)

    def _tally(self, block: Sequence[int], crash: Criterion, needs: Needs) -> None:
        one = self.take(block, needs)
        functionals, fails = score(crash, len(block))
        one.crashed += one.map.keep(~fails[one.map.values(one.expressed(of_block(functionals, block)))])
        one.mortal = True

    def _account(self) -> None:
        """Count the states, and see that they fit into memory."""
        self.peak = max(self.peak, sum(one.map.n for one in self.sets))
        for one in self.sets:
            self._fit(one)

    def _fit(self, one: QubitSet) -> None:
        """Where memory has run out, keep the more probable half of the states, and raise the thresholds from now on."""
        while one.map.full:
            one.ledger += one.map.prune()
            self.exhausted = True
            event, merge = (min(0.5, RAISE * max(t, LEAST)) for t in (self.pruning.event, self.pruning.merge))
            self.pruning = replace(self.pruning, event=event, merge=merge)


def tries(success: float, supply: int | None) -> float:
    """How many of a supply of attempts are made in the mean: 1 + r + r^2 + ... with r = 1 - success."""
    if supply is None:
        return 1 / success if success > 0 else math.inf
    if success >= 1:
        return 1.0
    return -math.expm1(supply * math.log1p(-success)) / success if success > 0 else float(supply)
