"""The fifth station: density against radius.

In: particles, centres and radii of halos. Out: the mass density in spherical shells with Poisson errors, halo by halo or stacked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError
from triptych.halos.structure.spheres import Particles


class Profiles(NamedTuple):
    """Density profiles in shells.

    Attributes
    ----------
    edges : (halo, edge), radii between the shells, comoving kpc/h.
    density : (halo, shell), mean density of all matter in the shell, comoving Msun h^2 / kpc^3; 0 in an empty shell.
    error : (halo, shell), one standard deviation of `density`, sqrt(sum m^2) / volume; in an empty shell the density that one
        particle would have.
    counts : (halo, shell), particles in the shell.
    """

    edges: NDArray[np.float64]
    density: NDArray[np.float64]
    error: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def radius(self) -> NDArray[np.float64]:
        """(halo, shell), geometric middle of the shells, comoving kpc/h."""
        return np.sqrt(self.edges[:, :-1] * self.edges[:, 1:])

    @property
    def filled(self) -> NDArray[np.bool_]:
        """(halo, shell), False where a shell is empty."""
        return self.counts > 0


class Stack(NamedTuple):
    """The mean profile of many halos in units of each one's radius.

    Attributes
    ----------
    edges : (edge,), radii over the halo radius.
    density : (shell,), mean over the halos, comoving Msun h^2 / kpc^3.
    error : (shell,), standard deviation of `density` over the bootstrap samples.
    lower, upper : (shell,), 68 % band from the bootstrap over halos.
    """

    edges: NDArray[np.float64]
    density: NDArray[np.float64]
    error: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def log_edges(inner: ArrayLike, outer: ArrayLike, bins: int) -> NDArray[np.float64]:
    """(halo, bins + 1) radii with equal steps of the logarithm from `inner` to `outer`, each a number or (halo,).

    Raises
    ------
    ConfigError
        Unless bins >= 1 and 0 < inner < outer.

    Examples
    --------
    >>> log_edges(1.0, [16.0], 4).round(6).tolist()
    [[1.0, 2.0, 4.0, 8.0, 16.0]]
    """
    low, high = np.broadcast_arrays(np.asarray(inner, dtype=np.float64), np.atleast_1d(np.asarray(outer, dtype=np.float64)))
    if bins < 1 or not ((low > 0) & (high > low)).all():
        raise ConfigError(
            "the shells have no extent",
            got=f"{bins} bins from {low.max():.6g} to {high.min():.6g}",
            expected="bins >= 1, 0 < inner < outer",
            fix="take a smaller inner radius, or only halos with more particles",
        )
    return np.geomspace(low, high, bins + 1, axis=-1)


def density_profiles(particles: Particles, centres: ArrayLike, edges: NDArray[np.float64]) -> Profiles:
    """Mass over volume in shells around each centre; all particles count, bound or not.

    A particle at distance r belongs to the shell with inner edge < r <= outer edge.

    Parameters
    ----------
    particles : from :func:`triptych.halos.index`.
    centres : (halo, 3), comoving kpc/h.
    edges : (halo, edge), comoving kpc/h, increasing along a row.

    Raises
    ------
    DataError
        If a shell does not fit into the box.

    Notes
    -----
    O(log N + n log n) per halo for the n particles inside its outermost edge.

    Examples
    --------
    >>> from triptych.halos import density_profiles, index, log_edges, read_catalogue, read_snapshot, sample_data
    >>> snapshot, groups = read_snapshot(sample_data("tiny32")), read_catalogue(sample_data("tiny32"))
    >>> particles = index(snapshot)
    >>> profiles = density_profiles(particles, groups.positions[:1], log_edges(100.0, 800.0, 3))
    >>> volume = 4 / 3 * np.pi * np.diff(profiles.edges**3)
    >>> outer, inner = (particles.around(groups.positions[0], radius).masses.sum() for radius in (800.0, 100.0))
    >>> bool(abs((profiles.density * volume).sum() / (outer - inner) - 1) < 1e-9)  # the shells hold all particles between
    True
    """
    rows = [_shells(particles, centre, row) for centre, row in zip(np.asarray(centres, dtype=np.float64), edges, strict=True)]
    counts, mass, squares = (np.array(column).reshape(len(rows), -1) for column in zip(*rows, strict=True))
    volume = 4.0 / 3.0 * np.pi * np.diff(edges**3, axis=1)
    one = float(particles.masses.mean())
    return Profiles(
        edges=edges,
        density=mass / volume,
        error=np.where(counts > 0, np.sqrt(squares), one) / volume,
        counts=counts.astype(np.int64),
    )


def _shells(particles: Particles, centre: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Sums of 1, m and m^2 in each shell."""
    sphere = particles.around(centre, float(edges[-1]))
    cuts = np.searchsorted(sphere.radii, edges, side="right")
    powers = (np.concatenate([[0.0], np.cumsum(sphere.masses**power)]) for power in (0, 1, 2))
    return tuple(np.diff(total[cuts]) for total in powers)


def stack(
    particles: Particles,
    centres: ArrayLike,
    radii: ArrayLike,
    edges: NDArray[np.float64],
    *,
    samples: int = 500,
    rng: np.random.Generator,
) -> Stack:
    """The mean density at equal r / radius over halos, with errors from a bootstrap over the halos.

    One multinomial draw of halos serves all radii, and the resampled means are one matrix product;
    :func:`triptych.statistics.bootstrap` resamples one number at a time.

    Parameters
    ----------
    particles : from :func:`triptych.halos.index`.
    centres : (halo, 3), comoving kpc/h.
    radii : (halo,), comoving kpc/h, the unit of length of each halo.
    edges : (edge,), in that unit.
    samples : bootstrap samples.
    rng : draws which halos enter a sample.

    Raises
    ------
    ConfigError
        With fewer than two halos or samples: there is no scatter to learn from.

    Notes
    -----
    The cost of :func:`density_profiles`, and O(samples x halos x bins).

    Examples
    --------
    >>> import numpy as np
    >>> from triptych.halos import index, read_catalogue, read_snapshot, sample_data, stack
    >>> snapshot, groups = read_snapshot(sample_data("tiny32")), read_catalogue(sample_data("tiny32"))
    >>> edges = np.array([1e-6, 1.0])  # one shell out to r200m, where the mean density is 200 times that of the box
    >>> mean = stack(index(snapshot), groups.positions[:4], groups.r200m[:4], edges, rng=np.random.default_rng(1))
    >>> bool(abs(mean.density[0] / snapshot.cosmology.mean_density - 200) < 2)
    True
    """
    scales = np.asarray(radii, dtype=np.float64)
    if len(scales) < 2 or samples < 2:
        raise ConfigError(
            "a stack needs several halos", got=f"{len(scales)} halos, {samples} samples", expected="two or more of each"
        )
    profiles = density_profiles(particles, centres, scales[:, None] * edges).density
    drawn = rng.multinomial(len(scales), np.full(len(scales), 1 / len(scales)), size=samples) / len(scales)
    means = drawn @ profiles
    lower, upper = np.quantile(means, [0.16, 0.84], axis=0)
    return Stack(edges=edges, density=profiles.mean(axis=0), error=means.std(axis=0, ddof=1), lower=lower, upper=upper)
