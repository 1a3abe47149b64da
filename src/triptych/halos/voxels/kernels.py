"""Masses spread over a grid of voxels in compiled loops.

In: particles relative to the centre of a cube, and the grid. Out: the grid, with the density of every particle added where its
cloud lies inside the cube. Lengths inside a loop are in voxels, and the centre of voxel i is at the coordinate i.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.kernels import compiled, compiled_sums

Floats = NDArray[np.float64]

NARROWEST = 0.5  # smoothing lengths below it are widened to it: a sphere of one voxel's radius always holds a voxel's centre
RESOLVED = 2.0  # from here on the sum of a kernel over voxels is its integral to 1e-4
LANES = 16  # numbers that a processor takes at once; rows are lengthened to a multiple


@compiled
def _shares(order: int, x: float, shares: Floats) -> int:
    """What each of the `order` voxels along one axis receives from a particle at `x`; the number of the first of them."""
    if order == 2:
        first = math.floor(x)
        shares[1] = x - first
        shares[0] = 1.0 - shares[1]
        return first
    nearest = math.floor(x + 0.5)
    if order == 1:
        shares[0] = 1.0
        return nearest
    d = x - nearest
    shares[0], shares[1], shares[2] = 0.5 * (0.5 - d) ** 2, 0.75 - d**2, 0.5 * (0.5 + d) ** 2
    return nearest - 1


@compiled
def assign(offsets: Floats, masses: Floats, side: float, order: int, grid: NDArray[np.floating[Any]]) -> None:
    """Add the density of clouds of 1 (ngp), 2 (cic) or 3 (tsc) voxels to an axis; what lies outside the cube is left out."""
    n = grid.shape[0]
    voxel = side / n
    shares = np.empty((3, 3))
    first = np.empty(3, dtype=np.int64)
    for p in range(offsets.shape[0]):
        inside = True
        for axis in range(3):
            x = offsets[p, axis] / voxel + 0.5 * (n - 1)
            inside &= -2.0 < x < n + 1.0
            if inside:
                first[axis] = _shares(order, x, shares[axis])
        if not inside:
            continue
        density = masses[p] / voxel**3
        for a in range(max(0, -first[0]), min(order, n - first[0])):
            for b in range(max(0, -first[1]), min(order, n - first[1])):
                here = density * shares[0, a] * shares[1, b]
                for c in range(max(0, -first[2]), min(order, n - first[2])):
                    grid[first[0] + a, first[1] + b, first[2] + c] += here * shares[2, c]


@compiled_sums
def _add_spline(x: float, y: float, z: float, h: float, height: float, grid: NDArray[np.floating[Any]], far: Any) -> None:
    """Add a cubic spline of smoothing length h about (x, y, z), of that height; `far` is room for one row.

    Rows of one plane of the grid all have the length of the circle in which the plane cuts the sphere of radius 2 h.
    """
    kind = grid.dtype.type
    zero, one, two, four, quarter_height = kind(0), kind(1), kind(2), kind(4), kind(0.25 * height)
    n_x, n_y, n_z = grid.shape
    reach = 2.0 * h
    for k in range(max(0, math.ceil(z - reach) - LANES), min(n_z, math.floor(z + reach) + 1 + LANES)):
        far[k] = kind(((k - z) / h) ** 2)
    for i in range(max(0, math.ceil(x - reach)), min(n_x, math.floor(x + reach) + 1)):
        chord = math.sqrt(max(reach**2 - (i - x) ** 2, 0.0))
        begin, end = max(0, math.ceil(z - chord)), min(n_z, math.floor(z + chord) + 1)
        if begin >= end:
            continue
        length = (end - begin + LANES - 1) // LANES * LANES
        end = min(n_z, begin + length)
        begin = max(0, end - length)
        for j in range(max(0, math.ceil(y - chord)), min(n_y, math.floor(y + chord) + 1)):
            near = kind(((i - x) ** 2 + (j - y) ** 2) / h**2)
            row, away = grid[i, j, begin:end], far[begin:end]
            for k in range(end - begin):
                q = np.sqrt(near + away[k])
                outer, inner = max(zero, two - q), max(zero, one - q)
                row[k] += quarter_height * (outer * outer * outer - four * (inner * inner * inner))


@compiled_sums
def _sampled_volume(x: float, y: float, z: float, h: float, room: NDArray[np.floating[Any]], far: Any) -> Any:
    """The sum over all voxels of a spline of height 1, with no edge near."""
    room[:] = 0
    middle = math.ceil(2.0 * h)
    _add_spline(x % 1.0 + middle, y % 1.0 + middle, z % 1.0 + middle, h, 1.0, room, far)
    values = room.reshape(-1)
    total = values[0]
    for k in range(1, len(values)):
        total += values[k]
    return total


@compiled
def spread(offsets: Floats, masses: Floats, smoothing: Floats, side: float, grid: NDArray[np.floating[Any]]) -> None:
    """Add the density of particles smoothed by cubic splines, taken at the centres of the voxels.

    A kernel narrower than half a voxel is widened to that. One of less than RESOLVED voxels is divided by its own sum over
    all voxels, inside the cube or not, so that no mass is lost.
    """
    n = grid.shape[0]
    voxel = side / n
    width = 2 * int(2.0 * RESOLVED) + 2
    room = np.empty((width, width, LANES), dtype=grid.dtype)
    far = np.empty(max(n, LANES), dtype=grid.dtype)
    for p in range(offsets.shape[0]):
        h = max(smoothing[p] / voxel, NARROWEST)
        x = offsets[p, 0] / voxel + 0.5 * (n - 1)
        y = offsets[p, 1] / voxel + 0.5 * (n - 1)
        z = offsets[p, 2] / voxel + 0.5 * (n - 1)
        low, high = -2.0 * h, n - 1 + 2.0 * h
        if low < x < high and low < y < high and low < z < high:
            volume = math.pi * h**3 if h >= RESOLVED else _sampled_volume(x, y, z, h, room, far)
            _add_spline(x, y, z, h, masses[p] / (voxel**3 * volume), grid, far)
