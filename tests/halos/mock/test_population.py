from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from triptych.halos.mass_function import Power, peak_height, tinker08
from triptych.halos.mock.population import crossings_passed, draw_histories, draw_masses, smooth_masses, time_grid
from triptych.halos.mock.universe import LETTER_OUTPUTS, PLANCK
from triptych.halos.structure.overdensity import threshold

POWER = Power()


def test_masses_follow_the_mass_function():
    masses = draw_masses(4000, 1e11, 5e12, cosmology=PLANCK, power=POWER, rng=np.random.default_rng(2))

    def number(highest):
        return quad(lambda x: 1e9 * tinker08(np.exp(x), cosmology=PLANCK, power=POWER), np.log(1e11), np.log(highest))[0]

    limits = np.array([1.3e11, 2e11, 5e11, 2e12])
    below = np.array([number(limit) for limit in limits]) / number(5e12)
    counts = np.array([(masses < limit).sum() for limit in limits])
    assert (np.abs(counts / 4000 - below) < 4 * np.sqrt(below * (1 - below) / 4000)).all()
    assert masses.min() >= 1e11 and masses.max() <= 5e12


def test_the_mass_function_counts_the_letters_halos():
    """About 17,000 halos for training in three boxes of (50 Mpc/h)^3, as the Letter has; Tinker's function says somewhat more."""
    log_mass = np.linspace(np.log(1e11 * PLANCK.hubble), np.log(1e13 * PLANCK.hubble), 200)
    density = tinker08(np.exp(log_mass), cosmology=PLANCK, power=POWER)
    halos = 3 * 50_000.0**3 * np.trapezoid(density, log_mass)
    assert 15_000 < halos < 25_000


def test_peak_heights_rise_with_mass():
    assert peak_height(1e11 * 0.6774, cosmology=PLANCK, power=POWER) == pytest.approx(0.557, abs=0.01)


def test_colossus_keeps_its_own_cosmology():
    from colossus.cosmology import cosmology

    mine = cosmology.setCosmology("planck18", persistence="")
    tinker08([1e12], cosmology=PLANCK, power=POWER)
    assert cosmology.getCurrent() is mine


@pytest.fixture(scope="module")
def histories():
    grid, places = time_grid(LETTER_OUTPUTS)
    masses = np.full(1500, 5e11)
    drawn = draw_histories(masses, grid, cosmology=PLANCK, rng=np.random.default_rng(8))
    return drawn, grid, places


def test_histories_end_at_the_mass_of_today(histories):
    drawn, grid, places = histories
    np.testing.assert_allclose(drawn[:, -1], 5e11, rtol=1e-12)
    np.testing.assert_allclose(grid[places], LETTER_OUTPUTS, rtol=1e-12)


@pytest.fixture(scope="module")
def smooth(histories):
    _, grid, _ = histories
    return smooth_masses(np.full(1500, 5e11), grid, cosmology=PLANCK, rng=np.random.default_rng(8))  # drawn first


def test_rates_scatter_about_the_smooth_ones_with_the_memory_of_a_crossing(histories, smooth):
    drawn, grid, _ = histories
    ratio = np.log(np.diff(np.log(drawn), axis=1) / np.diff(np.log(smooth), axis=1)) + 0.25**2 / 2
    passed = crossings_passed(grid, PLANCK)[1:]
    early = int(np.searchsorted(passed, 1.0))
    assert ratio[:, early].std() == pytest.approx(0.25, rel=4 / np.sqrt(2 * 1500))
    assert ratio[:, early].mean() == pytest.approx(0.0, abs=4 * 0.25 / np.sqrt(1500))
    later = int(np.argmin(np.abs(passed - passed[early] - 1.0)))
    expected = np.exp(-0.5 * (passed[later] - passed[early]) ** 2)
    assert np.corrcoef(ratio[:, early], ratio[:, later])[0, 1] == pytest.approx(expected, abs=4 / np.sqrt(1500))


def test_masses_scatter_by_a_tenth_of_a_dex_about_the_smooth_history(histories, smooth):
    drawn, grid, _ = histories
    ages = PLANCK.age(1 / grid - 1)
    after, log_a = ages > 1.0, np.log(grid)
    scatter = np.log10(drawn / smooth).std(axis=0)
    mean = np.trapezoid(scatter[after], log_a[after]) / -log_a[after][0]
    assert mean == pytest.approx(0.1, abs=0.01)
    assert scatter[-1] == 0.0


def test_a_halo_that_is_left_alone_still_gains_m200m(smooth):
    """Against the mass of an NFW halo that does not change, between the virial and the 200m radius, by a root search."""
    assert (np.diff(smooth, axis=1) > 0).all()

    def mass_in(x):
        return np.log1p(x) - x / (1 + x)

    def enclosing(density):  # x = r / r_s inside which the mean density is `density`, in units of 3 rho_s
        return brentq(lambda x: mass_in(x) / x**3 - density, 1e-2, 1e3)

    edge = 11.0  # r200m / r_s today
    unit = mass_in(edge) / edge**3 / threshold(PLANCK, "200m")
    ratios = []
    for redshift in (0.0, 0.5):
        scale = (1 + redshift) ** 3  # in comoving units a halo that does not change shrinks
        virial, mean = (enclosing(unit * threshold(PLANCK, name, redshift) * scale) for name in ("vir", "200m"))
        ratios.append(mass_in(mean) / mass_in(virial))
    exact = ratios[0] / ratios[1]
    density = [threshold(PLANCK, "vir", redshift) for redshift in (0.0, 0.5)]
    assert (density[0] / density[1]) ** 0.22 == pytest.approx(exact, rel=0.02)


def test_the_accretion_rate_is_smooth_from_one_output_to_the_next(histories):
    drawn, _, places = histories
    outputs = drawn[:, places]
    rate = np.diff(np.log(outputs), axis=1) / np.diff(np.log(LETTER_OUTPUTS))
    for step in (30, 60, 88):
        assert stats.pearsonr(np.log(rate[:, step]), np.log(rate[:, step + 1]))[0] > 0.9
    assert rate.min() > 0.0  # no halo shrinks, or stands still


def test_rates_are_those_of_simulations(histories):
    """Over the last dynamical time two runs of GADGET-4 have 16, 50 and 84 % at 0.4, 0.7 to 0.9, and 1.1 to 1.6."""
    drawn, grid, _ = histories
    start = np.argmin(np.abs(PLANCK.age(1 / grid - 1) - PLANCK.age(0.0) + PLANCK.dynamical_time(0.0)))
    low, middle, high = np.quantile(np.log(drawn[:, start] / drawn[:, -1]) / np.log(grid[start]), [0.16, 0.5, 0.84])
    assert 0.25 < low < 0.5 and 0.55 < middle < 0.95 and 0.95 < high < 1.7


def test_the_same_seed_gives_the_same_histories(histories):
    drawn, grid, _ = histories
    again = draw_histories(np.full(1500, 5e11), grid, cosmology=PLANCK, rng=np.random.default_rng(8))
    np.testing.assert_array_equal(again, drawn)
