"""The density about a halo on a grid.

In: particles and the centre of a halo. Out: rho / rho_m in the voxels of a cube about it, across the edges of the box, and its
logarithm, which is what a network sees.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.structure.spheres import Particles
from triptych.halos.voxels.kernels import assign, spread
from triptych.halos.voxels.smoothing import Smoothing

Floating = NDArray[np.floating[Any]]
Scheme = Literal["ngp", "cic", "tsc", "sph"]

ORDERS = {"ngp": 1, "cic": 2, "tsc": 3}


def deposit(
    offsets: ArrayLike,
    masses: ArrayLike,
    *,
    side: float,
    n: int,
    scheme: Scheme = "cic",
    smoothing: ArrayLike | None = None,
    out: Floating | None = None,
) -> Floating:
    """The density of particles in the n^3 voxels of a cube about the origin.

    "ngp", "cic" and "tsc" share the mass of a particle among the 1, 2^3 or 3^3 nearest voxels (R. W. Hockney and J. W. Eastwood,
    Computer Simulation Using Particles, 1981, sect. 5-3). "sph" adds up, at the centre of each voxel::

        rho(r) = sum_j m_j W(|r - r_j|, h_j),    W = [(2 - q)^3 - 4 (1 - q)^3] / (4 pi h^3),  q = |r - r_j| / h_j,

    where a bracket counts only where it is positive (J. J. Monaghan and J. C. Lattanzio, A&A 149 (1985) 135). A grid that holds
    all clouds has the mass of the particles to the rounding of its numbers. In "sph", kernels of h < 2 voxels are therefore
    divided by their own sum over voxels (wider ones sum up to 1 within 1e-4), and those of h < half a voxel are widened to it.

    Parameters
    ----------
    offsets : (particle, 3), from the centre of the cube, comoving kpc/h. Particles outside count as far as their clouds reach in.
    masses : (particle,), or one number for all; Msun/h.
    side : of the cube, comoving kpc/h.
    n : voxels along a side.
    smoothing : (particle,), the smoothing lengths h of "sph", comoving kpc/h.
    out : (n, n, n), float32 or float64, is overwritten; without it, a new grid of float32.

    Returns
    -------
    (n, n, n), axes x, y, z; comoving Msun h^2/kpc^3.

    Raises
    ------
    ConfigError
        If the cube, the grid or the scheme cannot be.
    DataError
        If the arrays do not belong to the same particles.

    Notes
    -----
    Time: about 0.1 microsecond a particle; for "sph" 1 microsecond and 0.6 ns for each voxel inside its kernel, at k = 32
    neighbours some 20 ns for each voxel of the grid. Memory: 4 n^3 bytes. Threads run side by side.

    Examples
    --------
    >>> density = deposit([[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]], 6.0, side=4.0, n=2, scheme="ngp")
    >>> density[1, 1, 1], float(density.sum()) * (4.0 / 2) ** 3
    (np.float32(0.75), 12.0)
    """
    if not (0 < side < np.inf and n >= 1):
        raise ConfigError("no such cube", got=f"{n} voxels in {side} kpc/h", expected="both above zero", fix="set side and n")
    if scheme not in ("sph", *ORDERS):
        raise ConfigError("unknown assignment scheme", got=scheme, expected=", ".join((*ORDERS, "sph")), fix="choose one of them")
    where = np.ascontiguousarray(offsets, dtype=np.float64).reshape(-1, 3)
    mass = np.ascontiguousarray(np.broadcast_to(np.asarray(masses, dtype=np.float64), len(where)))
    grid = np.empty((n, n, n), dtype=np.float32) if out is None else out
    if grid.shape != (n, n, n):
        raise ConfigError("the grid has another shape", got=grid.shape, expected=str((n, n, n)), fix="match it to n")
    grid[...] = 0
    if scheme == "sph":
        spread(where, mass, _lengths(smoothing, len(where)), side, grid)
    else:
        assign(where, mass, side, ORDERS[scheme], grid)
    return grid


def voxelise(
    particles: Particles,
    centre: ArrayLike,
    *,
    side: float,
    n: int,
    mean_density: float,
    scheme: Scheme = "cic",
    smoothing: Smoothing | None = None,
    out: Floating | None = None,
) -> Floating:
    """The density rho / rho_m in a cube of a periodic box.

    Parameters
    ----------
    particles : from :func:`triptych.halos.index`.
    centre : (3,), comoving kpc/h.
    side : of the cube, comoving kpc/h.
    n : voxels along a side.
    mean_density : of matter, comoving Msun h^2/kpc^3: :attr:`triptych.halos.Cosmology.mean_density`.
    scheme : as in :func:`deposit`.
    smoothing : for "sph", from :func:`smooth`.
    out : (n, n, n), is overwritten; without it, a new grid of float32.

    Returns
    -------
    (n, n, n), axes x, y, z.

    Raises
    ------
    ConfigError
        If the cube, the grid or the scheme cannot be, or "sph" comes without smoothing lengths.
    DataError
        If the cube and the clouds that reach into it do not fit into the box.

    Notes
    -----
    Time and memory of :func:`deposit`, and O(log N + m) for the m of N particles in the cube or, for "sph", in the wider one from
    which kernels may reach in.

    Examples
    --------
    >>> from triptych.halos import index, read_catalogue, read_snapshot, sample_data
    >>> snapshot, groups = read_snapshot(sample_data()), read_catalogue(sample_data())
    >>> rho_m = snapshot.cosmology.mean_density
    >>> box = voxelise(index(snapshot), groups.positions[0], side=600.0, n=17, mean_density=rho_m)
    >>> [int(i) for i in np.unravel_index(box.argmax(), box.shape)]  # the halo is densest at its centre
    [8, 8, 8]
    """
    boxes = zoom_grids(
        particles,
        centre,
        side=side,
        n=n,
        levels=1,
        mean_density=mean_density,
        scheme=scheme,
        smoothing=smoothing,
        out=None if out is None else out[None],
    )
    box: Floating = boxes[0]
    return box


def zoom_grids(
    particles: Particles,
    centre: ArrayLike,
    *,
    side: float,
    n: int,
    levels: int,
    mean_density: float,
    zoom: float = 4.0,
    scheme: Scheme = "cic",
    smoothing: Smoothing | None = None,
    out: Floating | None = None,
) -> Floating:
    """The density rho / rho_m in nested cubes of sides side, side/zoom, side/zoom^2, ..., all with n^3 voxels.

    What :func:`voxelise` gives for each of them, with the particles looked up once; parameters and errors as there.

    Returns
    -------
    (level, n, n, n), the widest first.

    Examples
    --------
    >>> from triptych.halos import index, read_catalogue, read_snapshot, sample_data
    >>> snapshot, groups = read_snapshot(sample_data()), read_catalogue(sample_data())
    >>> rho_m = snapshot.cosmology.mean_density
    >>> boxes = zoom_grids(index(snapshot), groups.positions[0], side=600.0, n=16, levels=3, mean_density=rho_m)
    >>> boxes.shape, bool(np.all(np.diff(boxes.max(axis=(1, 2, 3))) > 0))  # smaller voxels see denser centres
    ((3, 16, 16, 16), True)
    """
    sides = zoom_sides(side, levels, zoom)
    if not mean_density > 0:
        raise ConfigError("the mean density cannot be", got=mean_density, expected="> 0", fix="take it from the cosmology")
    middle = np.mod(np.asarray(centre, dtype=np.float64), particles.box_size)
    half, margin = side / 2, ORDERS.get(scheme, 3) * side / n / 2
    if scheme == "sph":
        if smoothing is None:
            raise _no_lengths()
        margin = max(margin, 2.0 * smoothing.widest)
    if not half + margin <= particles.box_size / 2:
        raise DataError(
            "the cube and the clouds that reach into it do not fit into the periodic box",
            got=f"a side of {side:.6g} kpc/h, clouds that reach in from {margin:.6g} kpc/h outside",
            expected=f"together at most {particles.box_size / 2:.6g} kpc/h from the centre, half the box",
            fix="take a smaller cube, fewer neighbours, or a larger box",
        )
    if smoothing is not None and scheme == "sph":
        rows = smoothing.reaching(particles, middle, half)
        lengths = smoothing.lengths[rows]
    else:
        rows = np.asarray(particles.tree.query_ball_point(middle, half + margin, p=np.inf), dtype=np.intp)
        lengths = None
    offsets = particles.tree.data[rows] - middle
    offsets -= particles.box_size * np.round(offsets / particles.box_size)
    masses = particles.masses[rows] / mean_density
    boxes = np.empty((levels, n, n, n), dtype=np.float32) if out is None else out
    for width, box in zip(sides, boxes, strict=True):
        deposit(offsets, masses, side=width, n=n, scheme=scheme, smoothing=lengths, out=box)
    return boxes


def zoom_sides(side: float, levels: int, zoom: float = 4.0) -> list[float]:
    """Sides of nested cubes, the widest first.

    Raises
    ------
    ConfigError
        If there is no level, or the cubes do not shrink.

    Examples
    --------
    >>> zoom_sides(600.0, 3)
    [600.0, 150.0, 37.5]
    """
    if not (levels >= 1 and zoom > 1):
        raise ConfigError("no such zoom", got=f"{levels} levels by {zoom}", expected="levels >= 1, zoom > 1", fix="set both")
    return [side / zoom**level for level in range(levels)]


def log_density(boxes: ArrayLike) -> Floating:
    """log10(1 + rho/rho_m), in the precision of the boxes.

    Examples
    --------
    >>> log_density([0.0, 9.0, 999.0]).round(12).tolist()
    [0.0, 1.0, 3.0]
    """
    values: Floating = np.log1p(np.asarray(boxes)) / np.log(10.0).item()
    return values


def density_from_log(boxes: ArrayLike) -> Floating:
    """rho/rho_m from log10(1 + rho/rho_m).

    Examples
    --------
    >>> density_from_log([0.0, 1.0, 3.0]).round(9).tolist()
    [0.0, 9.0, 999.0]
    """
    values: Floating = np.expm1(np.asarray(boxes) * np.log(10.0).item())
    return values


def contains(side: float, radius: float) -> bool:
    """Whether the cube holds the whole sphere of that radius about its centre.

    Examples
    --------
    >>> contains(600.0, 2 * 150.0), contains(400.0, 211.0)  # 2 r200m of the heaviest infall halo; a halo of 1e12 Msun
    (True, False)
    """
    return radius <= side / 2


def _lengths(smoothing: ArrayLike | None, particles: int) -> NDArray[np.float64]:
    if smoothing is None:
        raise _no_lengths()
    lengths = np.ascontiguousarray(smoothing, dtype=np.float64)
    if lengths.shape != (particles,):
        raise DataError(
            "smoothing lengths and particles are of different number",
            got=lengths.shape,
            expected=f"({particles},)",
            fix="give each particle one",
        )
    return lengths


def _no_lengths() -> ConfigError:
    return ConfigError('"sph" needs smoothing lengths', got=None, expected="one of each particle", fix="pass smoothing=...")
