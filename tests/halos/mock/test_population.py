from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from triptych.halos.mass_function import Power, peak_height, tinker08
from triptych.halos.mock.population import crossings_passed, draw_histories, draw_masses, time_grid
from triptych.halos.mock.universe import LETTER_OUTPUTS, PLANCK

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


def test_noise_about_the_smooth_history_is_a_tenth_of_a_dex_with_the_memory_of_a_crossing(histories):
    from triptych.halos.mock.diffmah import smooth_histories

    drawn, grid, _ = histories
    seed = int(np.random.default_rng(8).integers(2**31))  # the first number drawn
    smooth = smooth_histories(np.full(1500, 5e11 / PLANCK.hubble), PLANCK.age(1 / grid - 1), seed=seed)
    noise = np.log10(drawn / 5e11 / smooth)
    passed = crossings_passed(grid, PLANCK)
    early = int(np.searchsorted(passed, passed[-1] - 5.0))  # five crossings ago
    assert noise[:, early].std() == pytest.approx(0.1, rel=4 / np.sqrt(2 * 1500))
    later = int(np.argmin(np.abs(passed - passed[early] - 1.0)))
    expected = np.exp(-0.5 * (passed[later] - passed[early]) ** 2)
    assert np.corrcoef(noise[:, early], noise[:, later])[0, 1] == pytest.approx(expected, abs=4 / np.sqrt(1500))
    assert noise[:, -1].std() < 1e-12


def test_the_accretion_rate_is_smooth_from_one_output_to_the_next(histories):
    drawn, _, places = histories
    outputs = drawn[:, places]
    rate = np.diff(np.log(outputs), axis=1) / np.diff(np.log(LETTER_OUTPUTS))
    for step in (30, 60, 88):
        assert stats.pearsonr(rate[:, step], rate[:, step + 1])[0] > 0.95
    assert (rate[:, -1] == 0).mean() == 0.0  # no halo stands still: histories that have stopped to grow fluctuate, too


def test_the_same_seed_gives_the_same_histories(histories):
    drawn, grid, _ = histories
    again = draw_histories(np.full(1500, 5e11), grid, cosmology=PLANCK, rng=np.random.default_rng(8))
    np.testing.assert_array_equal(again, drawn)
