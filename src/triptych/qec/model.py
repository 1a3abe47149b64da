"""An error model that an outside simulator drives, event by event.

In: instructions, whenever they happen. Out: at any moment the error map, which can be read, and the crash rate so far. Sec. II.C:
"This error model can be embedded into an existing QC architecture simulator".
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Self, final

from triptych.qec import f2
from triptych.qec.criteria import Criterion
from triptych.qec.program import Instruction, Kind, Tally, admit
from triptych.qec.tree import Pruning, Rule, Tree
from triptych.statistics import Estimate


@final
class ErrorModel:
    """Pauli errors of a growing machine.

    Nothing is known of what comes next, so that states are Pauli strings and nothing can be left out but by the thresholds.

    Parameters
    ----------
    event_threshold : a state with p >= event_threshold branches (Sec. II.D).
    merge_threshold : a merged state with p > merge_threshold is kept (Sec. II.E).
    merge : ``"bounded"``, ``"preservation"`` or ``"lossy"``, as in :func:`~triptych.qec.simulate`.
    max_memory_gb : for the states of one QubitSet.

    Raises
    ------
    ConfigError
        If a value is out of range.

    Examples
    --------
    >>> from triptych.qec.program import CX, Depolarize1, Prepare
    >>> model = ErrorModel(event_threshold=0.0, merge_threshold=0.0)
    >>> model = model.apply(Prepare(qubit=0), Prepare(qubit=1), Depolarize1(qubit=0, rate=0.3), CX(control=0, target=1))
    >>> {string: round(p, 12) for string, p in model.error_map((0, 1)).items()}
    {'II': 0.7, 'XX': 0.1, 'YX': 0.1, 'ZI': 0.1}
    """

    def __init__(
        self, *, event_threshold: float, merge_threshold: float, merge: Rule = "bounded", max_memory_gb: float = 4.0
    ) -> None:
        self._kinds: dict[int, Kind] = {}
        self._tree = Tree(Pruning(event=event_threshold, merge=merge_threshold, rule=merge, max_memory=1e9 * max_memory_gb))

    def apply(self, *steps: Instruction) -> Self:
        """These instructions happen, in this order.

        Raises
        ------
        ConfigError
            As :class:`~triptych.qec.program.Program` does for a program that goes on so. What came before stays as it is.
        """
        for step in steps:
            kinds = dict(self._kinds)
            admit(step, kinds)
            self._tree.apply(step)
            self._kinds = kinds
        return self

    @property
    def exhausted(self) -> bool:
        """Whether memory has run out: the thresholds were raised then, and certificates are wider."""
        return self._tree.exhausted

    @property
    def sets(self) -> tuple[tuple[int, ...], ...]:
        """The QubitSets of this moment: which qubits are followed jointly."""
        return tuple(tuple(sorted({c // 2 for c in one.frame})) for one in self._tree.sets)

    def error_map(self, qubits: Sequence[int]) -> dict[str, float]:
        """The joint errors of some qubits: Pauli string (one letter a qubit, in this order) -> probability.

        A measured qubit shows ``X`` where its outcome is flipped. What was pruned is missing from the sum, but for
        ``"preservation"``. Qubits of different sets are merged in a copy; the model stays as it is.

        Raises
        ------
        ConfigError
            If a qubit is not there.
        """
        one = self._joint([qubits]).take(qubits, None)
        places = [(i, part) for i, q in enumerate(qubits) for part in (0, 1) if 2 * q + part in one.frame]
        values = one.map.values(one.expressed(1 << 2 * qubits[i] + part for i, part in places))
        found: dict[str, float] = {}
        for value, p in zip(values.tolist(), one.map.p[: one.map.n].tolist(), strict=True):
            letters = [0] * len(qubits)
            for k in f2.entries(value):
                i, part = places[k]
                letters[i] += 1 << part
            string = "".join("IXZY"[letter] for letter in letters)
            found[string] = found.get(string, 0.0) + p
        return found

    def crash_rate(self, blocks: Sequence[Sequence[int]], criterion: Criterion) -> Estimate:
        """The probability that one of these blocks is lost now, certified.

        Raises
        ------
        ConfigError
            If a qubit is not there.
        """
        blocks = [tuple(block) for block in blocks]
        rate, lower, upper = self._joint(blocks).score(blocks, criterion, None)
        return Estimate.certified(rate, lower=lower, upper=upper)

    def _joint(self, blocks: Sequence[Sequence[int]]) -> Tree:
        """A copy of the tree, to read from; the sets that hold nothing of these blocks are left out."""
        admit(Tally(blocks=tuple(tuple(block) for block in blocks)), dict(self._kinds))
        wanted = {2 * q + part for block in blocks for q in block for part in (0, 1)}
        tree = Tree(self._tree.pruning)
        tree.sets = [deepcopy(one) for one in self._tree.sets if one.mortal or not wanted.isdisjoint(one.frame)]
        return tree
