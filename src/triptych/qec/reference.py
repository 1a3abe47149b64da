"""The probability tree of Sec. II, as literally as it can be read.

In: a :class:`~triptych.qec.program.Program` and two thresholds. Out: the QubitSets at its end, each with its error map and a
ledger of everything that was neglected (:mod:`triptych.qec.tasks` says what that proves), and the crash rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from triptych.errors import ConfigError
from triptych.qec import program as do
from triptych.qec import tasks
from triptych.qec.criteria import Criterion
from triptych.qec.tasks import ROUNDING, MergeRule, QubitSet
from triptych.qec.thresholds import require_thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Pruning (Sec. II.D and II.E): a state with p >= event branches; a merged state with p > merge is kept.

    Raises
    ------
    ConfigError
        If a threshold lies outside [0, 1) or the merge rule is not known.
    """

    event: float = 1e-7
    merge: float = 1e-13
    rule: MergeRule = "preservation"

    def __post_init__(self) -> None:
        require_thresholds(event=self.event, merge=self.merge)
        if self.rule not in ("preservation", "lossy"):
            raise ConfigError("no such way to merge", got=self.rule, expected="'preservation' or 'lossy'")


class Tree(NamedTuple):
    """The last level of the probability tree, and what it took.

    sets : the partition of all qubits, and what is left of forgotten ones during which the program may have ended; acceptances :
    (value, ledger) of one block of each Verify, in order; peak : most states held at once; processed : states written altogether.
    """

    sets: tuple[QubitSet, ...]
    acceptances: tuple[tuple[float, float], ...]
    peak: int
    processed: int


def run(program: do.Program, thresholds: Thresholds, crash: Criterion | None = None) -> Tree:
    """Grow the tree through a whole program.

    With a criterion, every :class:`~triptych.qec.program.Tally` scores with it ("at any time"); without one it does nothing.
    Equal verified preparations are computed once. Cost: (states) x (branches) for each event; memory the states of two levels.

    Examples
    --------
    >>> noisy = do.Program(instructions=(do.Prepare(qubit=0), do.Depolarize1(qubit=0, rate=0.3)), blocks=())
    >>> [round(p, 12) for p in run(noisy, Thresholds()).sets[0].states.values()]
    [0.7, 0.1, 0.1, 0.1]
    """
    return _grow(program.instructions, thresholds, crash, {})


class Outcome(NamedTuple):
    """How a program ended. crashed : probability that it did so in a crash or with a lost block; ledger : of that number;
    success : probability of all other states.
    """

    crashed: float
    ledger: float
    success: float


def score(tree: Tree, blocks: Iterable[tuple[int, ...]], crash: Criterion, thresholds: Thresholds) -> Outcome:
    """Tally the last level of the tree (Sec. II.A).

    Sets that hold parts of the same block are merged, and no others: independent crashes combine as a + b - a b.

    Examples
    --------
    >>> flips = [do.Depolarize1(qubit=q, rate=0.3) for q in range(2)]
    >>> program = do.Program(instructions=(do.Prepare(qubit=0), do.Prepare(qubit=1), *flips), blocks=((0,), (1,)))
    >>> exact = Thresholds(event=0.0, merge=0.0)
    >>> outcome = score(run(program, exact), program.blocks, lambda x, z: x == 1, exact)
    >>> round(outcome.crashed, 12), outcome.ledger < 1e-14, round(outcome.success, 12)
    (0.36, True, 0.64)
    """
    sets = list(tree.sets)
    _score(sets, blocks, crash, thresholds)
    mortal = [one for one in sets if one.mortal]
    crashed = reduce(tasks.either, (one.crashed for one in mortal), 0.0)
    success = math.prod(math.fsum(one.states.values()) for one in mortal)
    return Outcome(crashed, sum(one.ledger + 4 * ROUNDING for one in mortal), success)


def joined(sets: Iterable[QubitSet], thresholds: Thresholds) -> QubitSet:
    """All the sets merged into one, from left to right."""
    return reduce(lambda a, b: tasks.merge(a, b, threshold=thresholds.merge, rule=thresholds.rule), sets)


def _take(sets: list[QubitSet], qubits: Iterable[int], thresholds: Thresholds) -> QubitSet:
    """Out of `sets`: all that hold one of these qubits, merged."""
    wanted = [one for one in sets if not one.qubits.isdisjoint(qubits)]
    sets[:] = [one for one in sets if one.qubits.isdisjoint(qubits)]
    return joined(wanted, thresholds)


def _forget(sets: list[QubitSet], qubits: Iterable[int]) -> None:
    remaining = [one if one.qubits.isdisjoint(qubits) else tasks.split(one, qubits) for one in sets]
    sets[:] = [one for one in remaining if one.qubits or one.mortal]


def _score(sets: list[QubitSet], blocks: Iterable[tuple[int, ...]], crash: Criterion, thresholds: Thresholds) -> None:
    for block in blocks:
        sets.append(tasks.score(_take(sets, block, thresholds), block, crash))


def _grow(
    instructions: tuple[do.Instruction, ...], thresholds: Thresholds, crash: Criterion | None, known: dict[object, Tree]
) -> Tree:
    sets: list[QubitSet] = []
    acceptances: list[tuple[float, float]] = []
    peak = processed = 0

    def take(*qubits: int) -> QubitSet:
        return _take(sets, qubits, thresholds)

    for step in instructions:
        match step:
            case do.Prepare(qubit=q):
                _forget(sets, (q,))
                sets.append(QubitSet(frozenset({q}), {0: 1.0}))
            case do.Hidden(bit=b, probability=p):
                _forget(sets, (b,))
                sets.append(tasks.branch(QubitSet(frozenset({b}), {0: 1.0}), [(1 << 2 * b, p)], threshold=thresholds.event))
            case do.H(qubit=q) | do.S(qubit=q) | do.Measure(qubit=q):
                sets.append(tasks.rewrite(take(q), tasks.propagation(step)))
            case do.CX(control=a, target=b) | do.CZ(first=a, second=b) | do.Swap(first=a, second=b):
                sets.append(tasks.rewrite(take(a, b), tasks.propagation(step)))
            case do.Depolarize1() | do.Depolarize2() | do.PauliChannel() | do.Flip():
                qubits, errors = _strikes(step)
                sets.append(tasks.branch(take(*qubits), errors, threshold=thresholds.event))
            case do.Switch(bit=b, events=events) | do.When(bit=b, events=events):
                struck = {value: _strikes(event) for value, event in events.items()}
                one = take(b, *(q for qubits, _ in struck.values() for q in qubits))
                cases = {value: errors for value, (_, errors) in struck.items()}
                sets.append(tasks.branch_where(one, b, cases, threshold=thresholds.event))
            case do.Verify(first=first):
                if step.body not in known:
                    known[step.body] = _grow(step.body, thresholds, None, known)
                    processed += known[step.body].processed
                    peak = max(peak, known[step.body].peak + sum(len(one.states) for one in sets))
                candidates = joined(known[step.body].sets, thresholds)
                block, accepted = tasks.attempt(candidates, step)
                acceptances.append((accepted, candidates.ledger))
                _forget(sets, [first + q for q in candidates.qubits])
                sets.append(tasks.split(_renumbered(block, first), step.released))
            case do.Syndrome(bits=bits, checks=checks):
                sets.append(tasks.store_syndrome(take(*bits), bits, checks))
            case do.Correct(syndromes=syndromes, table=table, absent=absent):
                sets.append(tasks.correct(take(*(q for row in (*syndromes, *table, absent) for q in row)), step))
            case do.Custom(qubits=qubits) | do.Channel(qubits=qubits):
                sets.append(tasks.apply(take(*qubits), step))
            case do.Merge(qubits=qubits):
                sets.append(take(*qubits))
            case do.Split(qubits=qubits):
                _forget(sets, qubits)
            case do.Tally(blocks=blocks) if crash is not None:
                _score(sets, blocks, crash, thresholds)
        level = sum(len(one.states) for one in sets)
        processed += len(sets[-1].states) if sets else 0
        peak = max(peak, level)
    return Tree(tuple(sets), tuple(acceptances), peak, processed)


def _renumbered(block: QubitSet, first: int) -> QubitSet:
    states = {state << 2 * first: p for state, p in block.states.items()}
    return block._replace(qubits=frozenset(q + first for q in block.qubits), states=states)


def _strikes(event: do.Event) -> tuple[tuple[int, ...], list[tuple[int, float]]]:
    """The qubits of an event, and its errors as the maps hold them."""
    qubits, errors = do.outcomes(event)
    return qubits, [(do.packed(qubits, string), share) for string, share in errors]
