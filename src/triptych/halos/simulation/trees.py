"""Which halo became which.

In: the trees that GADGET-4 wrote beside its catalogues. Out: the main branch of any halo, latest output first; every source of trees
answers through the same interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
