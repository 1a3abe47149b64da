"""All mock halos of one box.

In: how many, how heavy, and a seed. Out: the halos' histories, structures and shapes, and for each its particles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.halos.cosmology import Cosmology
from triptych.halos.histories.accretion import output_times
from triptych.halos.mass_function import Power
from triptych.halos.mock.matter import Matter, draw_shapes, matter
from triptych.halos.mock.population import draw_histories, draw_masses, time_grid
from triptych.halos.mock.structure import Structure, assembly_concentration, draw_structure

#: The cosmology of Planck 2015 (arXiv:1502.01589), as the Letter's plots assume.
PLANCK = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
#: 512^3 particles in (50 Mpc/h)^3, the Letter's.
LETTER_PARTICLE_MASS = PLANCK.mean_density * (50_000.0 / 512) ** 3
#: 91 outputs from z = 7 to 0, at equal steps of ln a; the Letter does not say at which.
LETTER_OUTPUTS = output_times(91, 7.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """Mock halos today; arrays have one row per halo.

    Attributes
    ----------
    structure : masses, radii and what shapes the profiles.
    shapes : (halo, 2), axis ratios b/a and c/a.
    histories : (halo, output), M200m in Msun/h; the last column is today's.
    scale_factors : (output,).
    assembled : (halo,), the concentration that the history alone gives.
    matter : particle mass and clumps.
    cosmology : the background.
    seed : what everything was drawn from.
    """

    structure: Structure
    shapes: NDArray[np.float64]
    histories: NDArray[np.float64]
    scale_factors: NDArray[np.float64]
    assembled: NDArray[np.float64]
    matter: Matter
    cosmology: Cosmology
    seed: int

    def particles(self, halo: int, reach: float, *, density: NDArray[np.float64], growth: float = 1.0) -> NDArray[np.float64]:
        """(particle, 3) offsets of the matter about a halo out to `reach`, comoving kpc/h; always the same for the same halo.

        `density` is the halo's row of :meth:`Structure.density`; `growth` makes the halo that many times heavier, with the same
        density at the same r / r200m.
        """
        return self.matter.realise(
            mass=growth * float(self.structure.mass[halo]),
            radius=float(np.cbrt(growth)) * float(self.structure.radius[halo]),
            density=density,
            shape=self.shapes[halo],
            reach=reach,
            rng=np.random.default_rng([self.seed, 1, halo]),
        )


def draw_universe(
    halos: int,
    *,
    seed: int,
    lowest: float = 1e11 * PLANCK.hubble,
    highest: float = 1e13 * PLANCK.hubble,
    scale_factors: NDArray[np.float64] = LETTER_OUTPUTS,
    particle_mass: float = LETTER_PARTICLE_MASS,
    cosmology: Cosmology = PLANCK,
    power: Power | None = None,
) -> Universe:
    """Draw mock halos with known histories and profiles: see :mod:`triptych.halos.mock` for the model.

    Parameters
    ----------
    halos : how many.
    seed : non-negative; the same seed gives the same universe.
    lowest, highest : limits of M200m in Msun/h; the Letter's 1e11 and 1e13 are in Msun.
    scale_factors : (output,), increasing to 1, not below 1/16.
    particle_mass : Msun/h.
    cosmology, power : Planck 2015 by default.

    Raises
    ------
    ConfigError
        If a number is impossible.

    Notes
    -----
    Time and memory are linear in the number of halos: 5000 take 3 s and 20 MB, after 2 s of compilation.

    Examples
    --------
    >>> universe = draw_universe(200, seed=1)
    >>> particles = universe.particles(0, 300.0, density=universe.structure.density()[0])
    >>> bool((np.linalg.norm(particles, axis=1) <= 300.0).all())
    True
    """
    times = np.asarray(scale_factors, dtype=np.float64)
    if halos < 1 or seed < 0 or not 0.0 < lowest < highest or particle_mass <= 0.0:
        raise ConfigError(
            "an impossible universe",
            got=f"{halos} halos, seed {seed}, masses {lowest:g} to {highest:g}, particles of {particle_mass:g} Msun/h",
            expected="halos >= 1, seed >= 0, 0 < lowest < highest, particle_mass > 0",
        )
    if not (np.all(np.diff(times) > 0) and times[0] >= 1.0 / 16.0 and np.isclose(times[-1], 1.0)):
        raise ConfigError(
            "impossible outputs", got=f"{len(times)} from {times[0]:g} to {times[-1]:g}", expected="increasing from >= 1/16 to 1"
        )
    spectrum = Power() if power is None else power
    rng = np.random.default_rng([seed, 0])
    grid, places = time_grid(times)
    masses = draw_masses(halos, lowest, highest, cosmology=cosmology, power=spectrum, rng=rng)
    histories = draw_histories(masses, grid, cosmology=cosmology, rng=rng)
    return Universe(
        structure=draw_structure(histories, grid, cosmology=cosmology, power=spectrum, rng=rng),
        shapes=draw_shapes(masses, cosmology=cosmology, power=spectrum, rng=rng),
        histories=histories[:, places],
        scale_factors=times,
        assembled=assembly_concentration(histories, grid, cosmology),
        matter=matter(particle_mass=particle_mass, cosmology=cosmology, power=spectrum),
        cosmology=cosmology,
        seed=seed,
    )
