"""The third station: the particles around a centre.

In: a snapshot. Out: for any centre, the sorted distances of all particles within reach, across the edges of the box, and their
masses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from triptych.errors import DataError
from triptych.halos.simulation.snapshot import Snapshot


class Near(NamedTuple):
    """Particles around a centre, in no order.

    Attributes
    ----------
    rows : (particle,), their places in the snapshot.
    offsets : (particle, 3), from the centre to the nearest periodic image, comoving kpc/h.
    """

    rows: NDArray[np.intp]
    offsets: NDArray[np.float64]


class Sphere(NamedTuple):
    """Particles around a centre, nearest first.

    Attributes
    ----------
    radii : (particle,), distance of the nearest periodic image, comoving kpc/h.
    masses : (particle,), Msun/h.
    """

    radii: NDArray[np.float64]
    masses: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Particles:
    """Particles in a periodic box, ready for questions about spheres: made by :func:`index`.

    Attributes
    ----------
    tree : k-d tree of the positions, with the box as its period.
    masses : (particle,), Msun/h.
    box_size : comoving kpc/h.
    """

    tree: cKDTree
    masses: NDArray[np.float64]
    box_size: float

    def near(self, centre: ArrayLike, reach: float) -> Near:
        """All particles within `reach` (comoving kpc/h, at most half the box) of `centre`; O(log N + n) for n of N.

        Raises
        ------
        DataError
            If the sphere is wider than the box: it would count particles twice.
        """
        if not 0 < reach <= self.box_size / 2:
            raise DataError(
                "the sphere does not fit into the periodic box",
                got=f"radius {reach:.6g} kpc/h",
                expected=f"0 < radius <= {self.box_size / 2:.6g} kpc/h, half the box",
                fix="take smaller halos, a smaller outer radius, or a larger box",
            )
        middle = np.mod(np.asarray(centre, dtype=np.float64), self.box_size)
        near = np.asarray(self.tree.query_ball_point(middle, reach), dtype=np.intp)
        offset = self.tree.data[near] - middle
        offset -= self.box_size * np.round(offset / self.box_size)
        return Near(rows=near, offsets=offset)

    def around(self, centre: ArrayLike, reach: float) -> Sphere:
        """The distances and masses of the particles that :meth:`near` finds, sorted; O(log N + n log n)."""
        near = self.near(centre, reach)
        radii = np.sqrt(np.einsum("ij,ij->i", near.offsets, near.offsets))
        order = np.argsort(radii, kind="stable")
        return Sphere(radii=radii[order], masses=self.masses[near.rows[order]])


def index(snapshot: Snapshot) -> Particles:
    """Sort the particles of a snapshot into a tree: O(N log N) time, 20 N bytes beside the positions, which it does not copy.

    Examples
    --------
    >>> from triptych.halos import index, read_snapshot, sample_data
    >>> particles = index(read_snapshot(sample_data("tiny32")))
    >>> bool(particles.around([0.0, 0.0, 0.0], 500.0).radii.max() <= 500.0)
    True
    """
    return Particles(
        tree=cKDTree(snapshot.positions, boxsize=np.full(3, snapshot.box_size)),
        masses=snapshot.masses,
        box_size=snapshot.box_size,
    )
