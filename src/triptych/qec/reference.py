"""The probability tree of Sec. II, as literally as it can be read.

In: a :class:`~triptych.qec.program.Program` and two thresholds. Out: the QubitSets at its end, each with its error map and a
ledger of everything that was neglected (:mod:`triptych.qec.tasks` says what that proves).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from triptych.errors import ConfigError
from triptych.qec import program as do
from triptych.qec import tasks
from triptych.qec.tasks import MergeRule, QubitSet


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
        for name, value in (("event_threshold", self.event), ("merge_threshold", self.merge)):
            if not 0 <= value < 1:
                raise ConfigError(f"{name} is out of range", got=value, expected="0 <= threshold < 1", fix="0 prunes nothing")
        if self.rule not in ("preservation", "lossy"):
            raise ConfigError("no such way to merge", got=self.rule, expected="'preservation' or 'lossy'")

    @classmethod
    def for_rate(cls, rate: float, *, resolution: float = 1e-4, rule: MergeRule = "preservation") -> Thresholds:
        """Thresholds that follow the strongest error rate: event = resolution * rate, merge = resolution * rate^2.

        States of two or three faults then branch and merge at any noise, which keeps time and relative accuracy in balance.

        Examples
        --------
        >>> Thresholds.for_rate(1e-3)
        Thresholds(event=1e-07, merge=1e-10, rule='preservation')
        """
        return cls(event=resolution * rate, merge=resolution * rate * rate, rule=rule)


class Tree(NamedTuple):
    """The last level of the probability tree, and what it took.

    sets : the partition of all qubits; acceptances : (value, ledger) of each Verify, in order; peak : most states held at once;
    processed : states written altogether.
    """

    sets: tuple[QubitSet, ...]
    acceptances: tuple[tuple[float, float], ...]
    peak: int
    processed: int


def run(program: do.Program, thresholds: Thresholds) -> Tree:
    """Grow the tree through a whole program.

    Equal verified preparations are computed once. Cost: (states) x (branches) for each event; memory the states of two levels.

    Examples
    --------
    >>> noisy = do.Program(instructions=(do.Prepare(qubit=0), do.Depolarize1(qubit=0, rate=0.3)), blocks=())
    >>> [round(p, 12) for p in run(noisy, Thresholds()).sets[0].states.values()]
    [0.7, 0.1, 0.1, 0.1]
    """
    return _grow(program.instructions, thresholds, {})


def joined(sets: Iterable[QubitSet], thresholds: Thresholds) -> QubitSet:
    """All the sets merged into one, from left to right."""
    return reduce(lambda a, b: tasks.merge(a, b, threshold=thresholds.merge, rule=thresholds.rule), sets)


def _grow(instructions: tuple[do.Instruction, ...], thresholds: Thresholds, known: dict[object, Tree]) -> Tree:
    sets: list[QubitSet] = []
    acceptances: list[tuple[float, float]] = []
    peak = processed = 0

    def take(*qubits: int) -> QubitSet:
        """Out of `sets`: all that hold one of these qubits, merged."""
        wanted = [one for one in sets if not one.qubits.isdisjoint(qubits)]
        sets[:] = [one for one in sets if one.qubits.isdisjoint(qubits)]
        return joined(wanted, thresholds)

    def forget(*qubits: int) -> None:
        remaining = [one if one.qubits.isdisjoint(qubits) else tasks.split(one, qubits) for one in sets]
        sets[:] = [one for one in remaining if one.qubits]

    for step in instructions:
        match step:
            case do.Prepare(qubit=q):
                forget(q)
                sets.append(QubitSet(frozenset({q}), {0: 1.0}))
            case do.H(qubit=q) | do.Measure(qubit=q):
                sets.append(tasks.rewrite(take(q), tasks.propagation(step)))
            case do.CX(control=a, target=b) | do.CZ(first=a, second=b):
                sets.append(tasks.rewrite(take(a, b), tasks.propagation(step)))
            case do.Depolarize1(qubit=q) | do.Flip(bit=q):
                sets.append(tasks.branch(take(q), _errors(step), step.rate, threshold=thresholds.event))
            case do.Depolarize2(first=a, second=b):
                sets.append(tasks.branch(take(a, b), _errors(step), step.rate, threshold=thresholds.event))
            case do.Verify(first=first):
                if step.body not in known:
                    known[step.body] = _grow(step.body, thresholds, known)
                    processed += known[step.body].processed
                    peak = max(peak, known[step.body].peak + sum(len(one.states) for one in sets))
                candidates = joined(known[step.body].sets, thresholds)
                block, accepted = tasks.accept(candidates, step.checks)
                acceptances.append((accepted, candidates.ledger))
                forget(*(first + q for q in candidates.qubits))
                sets.append(_renumbered(block, first))
            case do.Syndrome(bits=bits, checks=checks):
                sets.append(tasks.store_syndrome(take(*bits), bits, checks))
            case do.Correct(syndromes=syndromes, table=table):
                sets.append(tasks.correct(take(*(q for row in (*syndromes, *table) for q in row)), step))
            case do.Merge(qubits=qubits):
                sets.append(take(*qubits))
            case do.Split(qubits=qubits):
                forget(*qubits)
        level = sum(len(one.states) for one in sets)
        processed += len(sets[-1].states) if sets else 0
        peak = max(peak, level)
    return Tree(tuple(sets), tuple(acceptances), peak, processed)


def _renumbered(block: QubitSet, first: int) -> QubitSet:
    states = {state << 2 * first: p for state, p in block.states.items()}
    return QubitSet(frozenset(q + first for q in block.qubits), states, block.ledger)


def _errors(step: do.Depolarize1 | do.Depolarize2 | do.Flip) -> tuple[int, ...]:
    """The packed errors among which an event chooses."""
    match step:
        case do.Depolarize1(qubit=q):
            return tuple(pauli << 2 * q for pauli in (1, 2, 3))
        case do.Depolarize2(first=a, second=b):
            return tuple(left << 2 * a | right << 2 * b for left in range(4) for right in range(4) if left or right)
        case do.Flip(bit=b):
            return (1 << 2 * b,)
