"""From a profile to particles.

In: the true profile of a halo, its shape, and the mass of a particle. Out: particles about the centre, triaxial, clumpy and
Poisson distributed, whose mean density in spherical shells is the true profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from triptych.halos.cosmology import HALO_OVERDENSITY, Cosmology
from triptych.halos.mass_function import Power, in_colossus
from triptych.halos.mock import amplitudes as known
from triptych.halos.mock.structure import X, enclosed
from triptych.halos.structure.nfw import nfw_mass

_COARSE = 7  # every so many of the tabulated radii are enough for what is bound in clumps
_TRIAL = np.geomspace(1e-3, 100.0, 400)  # r / r_s at which the mass of a clump is inverted
_TRIAL_MASS = nfw_mass(_TRIAL, 1.0, 1.0)


def draw_shapes(
    masses: NDArray[np.float64], *, cosmology: Cosmology, power: Power, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(halo, 2) axis ratios b/a and c/a of mock halos of these masses (halo,), Msun/h.

    c/a by Allgood et al. (2006, astro-ph/0508497); p = c/b by Jing & Suto (2002, astro-ph/0202064): its density is a parabola
    between max(c/a, 0.5) and 1.
    """
    from colossus.lss import peaks

    with in_colossus(cosmology, power):
        characteristic = float(peaks.nonLinearMass(0.0))
    mean = known.SHORT_AXIS * (masses / characteristic) ** known.SHORT_AXIS_SLOPE
    short = np.clip(mean + known.SHORT_AXIS_SCATTER * rng.standard_normal(len(masses)), *known.SHORT_AXIS_RANGE)
    lowest = np.maximum(short, known.MIDDLE_AXIS_FLOOR)
    inside = 2.0 * rng.beta(2.0, 2.0, len(masses)) - 1.0  # the density 3/4 (1 - y^2) of y in [-1, 1]
    short_over_middle = 0.5 * (lowest + 1.0) + 0.5 * (1.0 - lowest) * inside
    return np.stack([short / short_over_middle, short], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What turns profiles into particles: the same for all halos of a universe.

    Attributes
    ----------
    particle_mass : Msun/h.
    mean_density : comoving Msun h^2 / kpc^3.
    log_mass, log_concentration : (table,), median concentration of clumps against ln of the mass at infall, Msun/h.
    """

    particle_mass: float
    mean_density: float
    log_mass: NDArray[np.float64]
    log_concentration: NDArray[np.float64]

    def bound_share(self, host: float) -> NDArray[np.float64]:
        """(X,) expected share of the matter of a host of this mass (Msun/h) that is bound in clumps, at each r / r200m."""
        smallest = known.SUBHALO_PARTICLES * self.particle_mass
        edges = np.geomspace(smallest, known.SUBHALO_LARGEST * host, 65)
        if edges[-1] <= smallest:
            return np.zeros_like(X)
        masses = np.sqrt(edges[1:] * edges[:-1])
        mass_inside = masses * np.diff(-self._infalling(edges, host)) / host
        x = X[::_COARSE]
        median, sigma = np.log(_median_bound(x, host))[:, None], known.SUBHALO_BOUND_SCATTER
        least = np.log(smallest / masses)  # of ln of the bound share, which is normal and cut at 0
        cut = ndtr((-median - sigma**2) / sigma) - ndtr((least - median - sigma**2) / sigma)
        kept = np.exp(median + sigma**2 / 2.0) * cut + ndtr(median / sigma)
        return np.asarray(np.interp(np.log(X), np.log(x), known.SUBHALO_SURVIVORS * kept @ mass_inside))

    def _infalling(self, masses: NDArray[np.float64], host: float) -> NDArray[np.float64]:
        """Number of clumps above each mass at infall, among matter of the host's mass."""
        unit = 1e10
        amplitude, tilt = known.SUBHALO_ABUNDANCE
        slope = known.SUBHALO_SLOPE
        return np.asarray(amplitude * (host / unit) ** (1.0 + tilt) * (masses / unit) ** -slope / slope)

    def realise(
        self,
        *,
        mass: float,
        radius: float,
        density: NDArray[np.float64],
        shape: NDArray[np.float64],
        reach: float,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """(particle, 3) offsets from the centre in comoving kpc/h, out to `reach`.

        Radii follow the spherical profile, directions the ellipsoids that a local power law has: the share of a direction u is
        q(u)^slope with q^2 = u_x^2 + (u_y a/b)^2 + (u_z a/c)^2, so that the mean over a sphere stays as it was. Clumps lie where
        the matter does (Han et al. 2016), with the share of their mass that is still bound there, and the smooth matter is
        thinner by what the clumps hold on average.

        Parameters
        ----------
        mass, radius : M200m in Msun/h, r200m in comoving kpc/h.
        density : (X,), over the mean.
        shape : b/a and c/a.
        reach : comoving kpc/h, at most 8 r200m.

        Notes
        -----
        1 microsecond a particle: 10 ms for 10,000.
        """
        inside = enclosed(density[None])[0]
        total = float(np.interp(reach / radius, X, inside)) / HALO_OVERDENSITY  # in units of the halo's mass
        axes = _rotation(rng)
        slope = np.gradient(np.log(density), np.log(X)).clip(-6.0, 0.0)
        share = self.bound_share(mass)

        def place(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            x = _invert(inside, rng.uniform(0.0, total * HALO_OVERDENSITY, number))
            return x, x[:, None] * radius * (_directions(np.interp(x, X, slope), shape, rng) @ axes)

        x, smooth = place(int(rng.poisson(total * mass / self.particle_mass)))
        smooth = smooth[rng.uniform(size=len(x)) >= np.interp(x, X, share)]
        smallest = known.SUBHALO_PARTICLES * self.particle_mass
        counts = self._infalling(np.array([smallest, known.SUBHALO_LARGEST * mass]), mass)
        expected = known.SUBHALO_SURVIVORS * total * float(counts[0] - counts[1])
        if expected <= 0.0:
            return smooth
        x, centres = place(int(rng.poisson(expected)))
        drawn = rng.uniform(counts[1], counts[0], len(x))
        infall = smallest * (drawn / counts[0]) ** (-1.0 / known.SUBHALO_SLOPE)
        scatter = np.exp(known.SUBHALO_BOUND_SCATTER * rng.standard_normal(len(x)))
        bound = infall * np.minimum(_median_bound(x, mass) * scatter, 1.0)
        kept = bound >= smallest
        particles = np.concatenate([smooth, self._clumps(centres[kept], infall[kept], bound[kept], rng)])
        return np.asarray(particles[np.einsum("ij,ij->i", particles, particles) <= reach**2])

    def _clumps(
        self, centres: NDArray[np.float64], infall: NDArray[np.float64], bound: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """(particle, 3) of NFW halos of mass `infall` (Msun/h), cut where they enclose `bound`, about their centres (kpc/h)."""
        scatter = known.SUBHALO_CONCENTRATION_SCATTER * np.log(10.0) * rng.standard_normal(len(infall))
        concentration = np.exp(np.interp(np.log(infall), self.log_mass, self.log_concentration) + scatter)
        scale = np.cbrt(infall / (4.0 / 3.0 * np.pi * HALO_OVERDENSITY * self.mean_density)) / concentration
        cut = bound / infall * nfw_mass(concentration, 1.0, 1.0)
        counts = rng.poisson(bound / self.particle_mass)
        clump = np.repeat(np.arange(len(infall)), counts)
        radii = scale[clump] * _invert(_TRIAL_MASS, cut[clump] * rng.uniform(size=len(clump)), _TRIAL)
        directions = rng.standard_normal((len(clump), 3))
        return np.asarray(centres[clump] + directions * (radii / np.linalg.norm(directions, axis=1))[:, None])


def matter(*, particle_mass: float, cosmology: Cosmology, power: Power) -> Matter:
    """With the median concentrations of Diemer & Joyce (2019, arXiv:1809.07326) for clumps, by colossus."""
    from colossus.halo import concentration

    log_mass = np.log(np.geomspace(1e9, 1e13, 41))
    with in_colossus(cosmology, power):
        median = concentration.concentration(np.exp(log_mass), "200m", 0.0, model="diemer19")
    return Matter(
        particle_mass=particle_mass, mean_density=cosmology.mean_density, log_mass=log_mass, log_concentration=np.log(median)
    )


def _median_bound(x: NDArray[np.float64], host: float) -> NDArray[np.float64]:
    """(x,) median share of a clump's mass at infall that is still bound at r / r200m = x (Han et al. 2016)."""
    amplitude, tilt = known.SUBHALO_BOUND
    slope, slope_tilt = known.SUBHALO_STRIPPING
    unit = host / 1e10
    return np.asarray(amplitude * unit**tilt * x ** (slope * unit**slope_tilt))


def _invert(inside: NDArray[np.float64], wanted: NDArray[np.float64], x: NDArray[np.float64] = X) -> NDArray[np.float64]:
    """The radii that enclose `wanted`, given the mass `inside` each x; a power law in between."""
    return np.asarray(np.exp(np.interp(np.log(wanted), np.log(inside), np.log(x))))


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) a random rotation, every one equally likely."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.linalg.det(q))


def _directions(slope: NDArray[np.float64], shape: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(particle, 3) unit vectors u with probability q(u)^slope, along the axes of the ellipsoid; slope (particle,) <= 0."""
    found = np.empty((len(slope), 3))
    left = np.arange(len(slope))
    while len(left):
        trial = rng.standard_normal((len(left), 3))
        trial /= np.linalg.norm(trial, axis=1)[:, None]
        q2 = trial[:, 0] ** 2 + (trial[:, 1] / shape[0]) ** 2 + (trial[:, 2] / shape[1]) ** 2
        accepted = np.log(rng.uniform(size=len(left))) < 0.5 * slope[left] * np.log(q2)
        found[left[accepted]] = trial[accepted]
        left = left[~accepted]
    return found
