"""The particles about a halo, counted in spherical cells.

In: particles and the centre of a halo. Out: how many there are in each of 24 layers, at equal steps of ln r, times 48 pixels of
the sky. The pixels are those parts of the sky that the 48 symmetries of a cube carry into each other: all have the same area and
shape, and to turn or mirror the halo by such a symmetry is to permute the pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError
from triptych.halos.structure.spheres import Particles

LAYERS, PIXELS = 24, 48
_INNER = 1.0 / 64.0  # where the layers begin, in sides of the box; they end at its corners


def sphere_edges(side: float) -> NDArray[np.float64]:
    """Radii (layer + 1,) between the layers of a halo whose box has this side, in the units of `side`.

    Examples
    --------
    >>> edges = sphere_edges(600.0)
    >>> len(edges), edges[[0, -1]].round(1).tolist()
    (25, [9.4, 519.6])
    """
    if not 0 < side < np.inf:
        raise ConfigError("no such cube", got=side, expected="a finite side > 0 kpc/h")
    return np.geomspace(side * _INNER, side * np.sqrt(0.75), LAYERS + 1)


def sphere_counts(particles: Particles, centre: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.uint16]:
    """The number of particles in each cell.

    Parameters
    ----------
    particles : from :func:`triptych.halos.index`.
    centre : (3,), comoving kpc/h.
    edges : (layer + 1,), comoving kpc/h, rising.

    Returns
    -------
    (layer, 48). A particle on the border of two pixels counts in one of them; counts end at 65,535.

    Raises
    ------
    DataError
        If the sphere does not fit into the periodic box.

    Notes
    -----
    About 0.1 microsecond a particle.

    Examples
    --------
    >>> from triptych.halos import index, read_catalogue, read_snapshot, sample_data
    >>> particles, groups = index(read_snapshot(sample_data())), read_catalogue(sample_data())
    >>> counts = sphere_counts(particles, groups.positions[0], sphere_edges(600.0))
    >>> counts.shape, bool(counts.sum() == np.ptp(np.searchsorted(particles.around(groups.positions[0], 519.7).radii,
    ...                                                           sphere_edges(600.0)[[0, -1]])))
    ((24, 48), True)
    """
    offsets = particles.near(centre, float(edges[-1])).offsets
    radii = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    layer = np.searchsorted(edges, radii, side="right") - 1
    x, y, z = np.abs(offsets).T
    order = np.maximum(4 * (x > y) + 2 * (y > z) + (z > x), 1) - 1  # of |x|, |y|, |z|: the three are never all true
    pixel = 8 * order + (offsets > 0) @ np.array([4, 2, 1])
    layers = len(edges) - 1
    inside = (layer >= 0) & (layer < layers)
    counts = np.bincount(PIXELS * layer[inside] + pixel[inside], minlength=PIXELS * layers)
    return np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16).reshape(layers, PIXELS)
