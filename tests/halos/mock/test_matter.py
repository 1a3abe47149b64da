from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.halos.mass_function import Power
from triptych.halos.mock import amplitudes as known
from triptych.halos.mock.matter import draw_shapes
from triptych.halos.mock.structure import X, enclosed
from triptych.halos.mock.universe import PLANCK, draw_universe


@pytest.fixture(scope="module")
def universe():
    return draw_universe(60, seed=5)


def expected_counts(universe, halo, edges, density):
    """Particles in shells between r / r200m = edges that the true profile stands for."""
    inside = np.exp(np.interp(np.log(edges), np.log(X), np.log(enclosed(density[None])[0])))
    return np.diff(inside) / 200 * universe.structure.mass[halo] / universe.matter.particle_mass


def test_shells_hold_on_average_what_the_profile_says(universe):
    """Clumps, shapes and all: the mean over halos of counted over expected is 1 in every shell."""
    edges = np.array([0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0])
    density = universe.structure.density()
    ratios = []
    for halo, radius in enumerate(universe.structure.radius):
        x = np.linalg.norm(universe.particles(halo, 2.3 * radius, density=density[halo]), axis=1) / radius
        ratios.append(np.histogram(x, edges)[0] / expected_counts(universe, halo, edges, density[halo]))
    error = np.std(ratios, axis=0, ddof=1) / np.sqrt(len(ratios))
    assert (np.abs(np.mean(ratios, axis=0) - 1) < 4 * error + 0.002).all()
    assert (error < 0.03).all()


def test_smooth_matter_is_poisson_distributed(universe):
    """Light hosts of few particles have no clumps."""
    heavy = replace(universe.matter, particle_mass=universe.structure.mass[0] / 150)
    density, radius = universe.structure.density()[0], universe.structure.radius[0]
    edges = np.array([0.1, 0.5, 1.0])
    shape = np.array([1.0, 1.0])
    counts = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        x = heavy.realise(mass=150 * heavy.particle_mass, radius=radius, density=density, shape=shape, reach=radius, rng=rng)
        counts.append(np.histogram(np.linalg.norm(x, axis=1) / radius, edges)[0])
    mean, variance = np.mean(counts, axis=0), np.var(counts, axis=0, ddof=1)
    inside = np.exp(np.interp(np.log(edges), np.log(X), np.log(enclosed(density[None])[0])))
    np.testing.assert_allclose(mean, np.diff(inside) / 200 * 150, rtol=0.04)
    np.testing.assert_allclose(variance / mean, 1.0, atol=4 * np.sqrt(2 / 400))


def test_shapes_are_those_of_the_ellipsoid(universe):
    """For a power law of slope -2 the share of a direction is q^-2, so that the axes follow from moments of the directions."""
    light = replace(universe.matter, particle_mass=1e6)
    density = X**-2.0 * 100
    rng = np.random.default_rng(3)
    points = light.realise(mass=2e10, radius=60.0, density=density, shape=np.array([0.7, 0.5]), reach=60.0, rng=rng)
    direction = points / np.linalg.norm(points, axis=1)[:, None]
    moments = np.linalg.eigvalsh(direction.T @ direction / len(direction))[::-1]
    sphere = np.random.default_rng(4).normal(size=(400_000, 3))
    sphere /= np.linalg.norm(sphere, axis=1)[:, None]
    weight = 1 / (sphere[:, 0] ** 2 + (sphere[:, 1] / 0.7) ** 2 + (sphere[:, 2] / 0.5) ** 2)
    expected = (weight[:, None] * sphere**2).sum(axis=0) / weight.sum()
    np.testing.assert_allclose(moments, expected, atol=0.02)


def test_clumps_hold_their_share(universe):
    """The mass that is bound in realised clumps against the share by which the smooth matter was thinned."""
    matter, rng, host = universe.matter, np.random.default_rng(7), 3e12
    radius = np.cbrt(host / (4 / 3 * np.pi * 200 * PLANCK.mean_density))
    density = universe.structure.density()[0]
    smallest = known.SUBHALO_PARTICLES * matter.particle_mass
    x = 0.8
    share = np.interp(x, X, matter.bound_share(host))
    # by direct sampling at one radius: infall masses from dN/dln m = A M m^-alpha, bound shares log-normal, cut at 1
    a, m, top = 0.1 * 300**-0.02, smallest / 1e10, 0.1 * 300
    number = a * 300 * (m**-0.95 - top**-0.95) / 0.95
    infall = (m**-0.95 - rng.uniform(size=400_000) * (m**-0.95 - top**-0.95)) ** (-1 / 0.95)
    median = 0.5 * 300**-0.03 * x ** (1.7 * 300**-0.04)
    bound = infall * np.minimum(median * np.exp(1.1 * rng.normal(size=infall.size)), 1.0)
    expected = 0.55 * number * np.where(bound >= m, bound, 0).mean() / 300
    assert share == pytest.approx(expected, rel=0.03)
    counted = [
        len(
            matter.realise(
                mass=host, radius=radius, density=density, shape=np.ones(2), reach=radius, rng=np.random.default_rng(seed)
            )
        )
        for seed in range(40)
    ]
    assert np.std(counted) > 2 * np.sqrt(np.mean(counted))  # clumpier than Poisson


def test_axis_ratios_are_allgoods_and_jings():
    masses = np.full(20_000, 1e12)
    middle, short = draw_shapes(masses, cosmology=PLANCK, power=Power(), rng=np.random.default_rng(1)).T
    assert (short <= middle + 1e-12).all() and (middle <= 1.0).all()
    assert short.mean() == pytest.approx(0.54 * (1e12 / 4.28e12) ** -0.05, abs=0.004)
    assert short.std() == pytest.approx(0.1, abs=0.004)
    ratio = short / middle
    lowest = np.maximum(short, 0.5)
    y = (2 * ratio - 1 - lowest) / (1 - lowest)
    assert np.mean(y**2) == pytest.approx(0.2, abs=0.01)  # of the density 3/4 (1 - y^2)


def test_a_halo_is_always_the_same(universe):
    density = universe.structure.density()
    again = draw_universe(60, seed=5)
    np.testing.assert_array_equal(again.histories, universe.histories)
    first, second = (which.particles(7, 200.0, density=density[7]) for which in (universe, again))
    np.testing.assert_array_equal(first, second)
    other = draw_universe(60, seed=6)
    assert not np.array_equal(other.structure.mass, universe.structure.mass)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"halos": 0}, "impossible universe"),
        ({"lowest": 2e12, "highest": 1e12}, "impossible universe"),
        ({"scale_factors": np.array([0.01, 1.0])}, "impossible outputs"),
        ({"scale_factors": np.array([0.5, 0.9])}, "impossible outputs"),
    ],
)
def test_impossible_universes_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        draw_universe(**({"halos": 5, "seed": 1} | options))
