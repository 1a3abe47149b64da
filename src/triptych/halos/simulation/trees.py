"""Which halo became which.

In: who descends from whom, from any source. Out: the main branch of any halo, latest output first; every source of trees
answers through the same interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError

NONE = -1  # where there is no progenitor, no descendant, no subhalo


class Branch(NamedTuple):
    """The main progenitors of one halo, latest first; an output at which the halo was not found is left out.

    Attributes
    ----------
    output : (step,), numbers of the outputs, decreasing.
    subhalo : (step,), number of the progenitor among the subhalos of that output; -1 where the tree knows groups alone.
    group : (step,), FOF group that holds it.
    central : (step,), whether it is the largest subhalo of that group, so that the group's centre and masses are its own.
    """

    output: NDArray[np.int64]
    subhalo: NDArray[np.int64]
    group: NDArray[np.int64]
    central: NDArray[np.bool_]


class MergerTree(ABC):
    """Something that knows the main branch of each halo of an output."""

    @abstractmethod
    def main_branch(self, halo: int) -> Branch:
        """The branch of FOF group `halo` of the last output, that halo itself first.

        Raises
        ------
        DataError
            If there is no such group, or the tree points nowhere.
        """


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgenitorTree(MergerTree):
    """The main progenitor of every halo of every output, in one table; a halo is a subhalo, or a FOF group in runs without them.

    Attributes
    ----------
    output : (halo,), number of the output that it was found at.
    subhalo : (halo,), number among the subhalos of that output; -1 in a tree of groups.
    group : (halo,), FOF group that holds it.
    central : (halo,), whether it is the largest subhalo of that group.
    main : (halo,), row of the main progenitor in this table, at an earlier output; -1 where the branch begins.
    last : number of the last output.
    source : the file or folder it came from.

    Raises
    ------
    DataError
        If there are no halos, or a progenitor is not in the table or not at an earlier output (a loop).

    Notes
    -----
    33 bytes per halo, summed over all outputs. A branch takes a time proportional to its length.
    """

    output: NDArray[np.int64]
    subhalo: NDArray[np.int64]
    group: NDArray[np.int64]
    central: NDArray[np.bool_]
    main: NDArray[np.int64]
    last: int
    source: Path
    _roots: dict[int, int] = field(init=False, repr=False)  # group of the last output -> row of its centre

    def __post_init__(self) -> None:
        if len(self.output) == 0:
            raise DataError(
                "there are no halos at any output", got=self.source, expected="halos", fix="is this the right folder?"
            )
        linked = np.flatnonzero(self.main != NONE)
        targets = self.main[linked]
        outside = linked[(targets < 0) | (targets >= len(self.main))]
        if len(outside):
            raise self._nowhere(int(outside[0]), "a progenitor that does not exist")
        late = linked[self.output[targets] >= self.output[linked]]
        if len(late):
            raise self._nowhere(int(late[0]), f"a progenitor at output {self.output[self.main[late[0]]]}, which is not earlier")
        roots = np.flatnonzero((self.output == self.last) & self.central)
        object.__setattr__(self, "_roots", dict(zip(self.group[roots].tolist(), roots.tolist(), strict=True)))

    def main_branch(self, halo: int) -> Branch:
        """The branch of FOF group `halo` of the last output, that halo itself first.

        Raises
        ------
        DataError
            If there is no such group, or it holds no bound subhalo.
        """
        if halo not in self._roots:
            raise DataError(
                f"no halo of output {self.last} has this group number",
                got=halo,
                expected="a FOF group with a bound subhalo",
                fix=f"look at the catalogue of output {self.last}; the tree is {self.source}",
            )
        rows = [self._roots[halo]]
        while (progenitor := int(self.main[rows[-1]])) != NONE:
            rows.append(progenitor)
        return Branch(self.output[rows], self.subhalo[rows], self.group[rows], self.central[rows])

    def _nowhere(self, row: int, what: str) -> DataError:
        return DataError(
            "the tree points nowhere",
            got=f"subhalo {self.subhalo[row]} in group {self.group[row]} of output {self.output[row]} has {what}",
            expected="a halo of an earlier output",
            fix=f"is {self.source} damaged, or from another run than the catalogues?",
        )


def main_progenitors(output: NDArray[np.int64], length: NDArray[np.int64], descendant: NDArray[np.int64]) -> NDArray[np.int64]:
    """Among the progenitors of each halo, the one whose own branch held most particles, summed over all its outputs.

    De Lucia & Blaizot (2007): the branch that accounts for most of the final halo for the longest time, which a chance
    fluctuation at one output does not change. GADGET-4 chooses its ``TreeMainProgenitor`` in the same way.

    Parameters
    ----------
    output : (halo,), number of the output of each halo, never decreasing.
    length : (halo,), its particles.
    descendant : (halo,), row of its descendant, at a later output; -1 where it has none.

    Returns
    -------
    (halo,) : row of the main progenitor; -1 where there is none. Of two equal branches the one that comes first.

    Notes
    -----
    O(n log n) for n halos at all outputs.

    Examples
    --------
    Halos 0 and 1 of the first output merge into halo 2 of the second.

    >>> main_progenitors(np.array([0, 0, 1]), np.array([40, 60, 99]), np.array([2, 2, -1])).tolist()
    [-1, -1, 1]
    """
    main = np.full(len(output), NONE)
    branch = np.array(length, dtype=np.int64)
    linked = np.flatnonzero(descendant != NONE)
    linked = linked[np.argsort(descendant[linked], kind="stable")]
    targets = descendant[linked]
    bounds = np.append(np.flatnonzero(np.diff(output, prepend=output[:1] - 1)), len(output))
    for start, end in pairwise(bounds):
        here = slice(*np.searchsorted(targets, (start, end)))
        rising = np.lexsort((-linked[here], branch[linked[here]], targets[here]))
        main[targets[here][rising]] = linked[here][rising]  # the last assignment to a row stands
        earlier = main[start:end]
        branch[start:end] += np.where(earlier != NONE, branch[earlier], 0)
    return main
