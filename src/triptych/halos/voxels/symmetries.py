"""The symmetries of a cube.

In: boxes of voxels. Out: the same, turned or mirrored: a halo has no preferred direction.
"""

from __future__ import annotations

import itertools
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def cube_symmetries() -> NDArray[np.int64]:
    """All rotations and reflections that map a cube onto itself: (48, 3, 3), signed permutation matrices, the identity first.

    Examples
    --------
    >>> symmetries = cube_symmetries()
    >>> symmetries.shape, int((np.linalg.det(symmetries) > 0).sum())  # half of them are rotations
    ((48, 3, 3), 24)
    """
    permutations = np.eye(3, dtype=np.int64)[list(itertools.permutations(range(3)))]
    signs = np.array(list(itertools.product((1, -1), repeat=3)))
    return (signs[None, :, :, None] * permutations[:, None]).reshape(48, 3, 3)


def apply_symmetry(boxes: NDArray[Number], k: int) -> NDArray[Number]:
    """Boxes of a universe in which every particle at x, seen from the centre, has moved to ``cube_symmetries()[k] @ x``.

    Parameters
    ----------
    boxes : (..., n, n, n).
    k : 0 to 47.

    Returns
    -------
    (..., n, n, n), a view: no number is copied or changed.

    Examples
    --------
    >>> box = np.arange(8).reshape(2, 2, 2)
    >>> apply_symmetry(box, 7)[0, 0, 0]  # the mirror image through the centre
    np.int64(7)
    """
    matrix = cube_symmetries()[k]
    source = np.abs(matrix).argmax(axis=1)  # the axis that becomes axis 0, 1, 2
    lead = boxes.ndim - 3
    turned = boxes.transpose(*range(lead), *(lead + source))
    x, y, z = matrix.sum(axis=1)
    return turned[..., ::x, ::y, ::z]
