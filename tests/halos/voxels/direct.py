"""Densities on a grid by direct sums over all particles, voxels and images of the box, with B-splines from SciPy."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.interpolate import BSpline


def spline(order, x):
    """The B-spline of `order` pieces of length 1, centred on 0."""
    if order == 1:
        return ((x >= -0.5) & (x < 0.5)).astype(float)
    knots = np.arange(order + 1) - order / 2
    return np.nan_to_num(BSpline.basis_element(knots, extrapolate=False)(x))


def centres(side, n):
    """Coordinates of the centres of the voxels along a side."""
    return (np.arange(n) + 0.5) * side / n - side / 2


def assigned(offsets, masses, side, n, order):
    """Each voxel receives a product of three B-splines of its distance to the particle."""
    density = np.zeros((n, n, n))
    for offset, mass in zip(offsets, masses, strict=True):
        x, y, z = (spline(order, (centres(side, n) - coordinate) * n / side) for coordinate in offset)
        density += mass * np.einsum("i,j,k", x, y, z)
    return density / (side / n) ** 3


def kernel(r, h):
    """The cubic spline W of smoothing length h, at distance r."""
    return 1.5 * spline(4, r / h) / (np.pi * h**3)


def smoothed(offsets, masses, lengths, side, n):
    """Kernels at the centres of the voxels; those of h < 2 voxels are divided by their sum over a far larger grid."""
    voxel = side / n
    density = np.zeros((n, n, n))
    around = np.arange(-12, n + 12) * voxel + centres(side, n)[0]
    for offset, mass, length in zip(offsets, masses, lengths, strict=True):
        h = max(length, voxel / 2)
        values = mass * kernel(_distances(centres(side, n), offset), h)
        if h < 2 * voxel:
            values /= kernel(_distances(around, offset), h).sum() * voxel**3
        density += values
    return density


def images(positions, box, centre):
    """Offsets of all 27 images of all particles from the centre."""
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3))) * box
    return (positions[None] + shifts[:, None] - centre).reshape(-1, 3)


def _distances(coordinates, offset):
    x, y, z = (coordinates - component for component in offset)
    return np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
