from __future__ import annotations

import numpy as np
import pytest
from colossus.halo import profile_diemer23, profile_outer
from scipy.optimize import brentq

from triptych.halos.mass_function import Power, in_colossus
from triptych.halos.mock import amplitudes as known
from triptych.halos.mock.structure import X, assembly_concentration, draw_structure, enclosed
from triptych.halos.mock.universe import PLANCK, draw_universe


@pytest.fixture(scope="module")
def universe():
    return draw_universe(1200, seed=11)


def test_the_mean_density_inside_r200m_is_200_times_the_mean(universe):
    inside = np.exp([np.interp(0.0, np.log(X), np.log(row)) for row in enclosed(universe.structure.density())])
    np.testing.assert_allclose(inside, 200.0, rtol=1e-4)


def test_the_enclosed_mass_is_the_integral_of_the_density(universe):
    density = universe.structure.density()[:2]
    for row, inside in zip(density, enclosed(density), strict=True):
        for x in (0.1, 0.7, 2.5):
            fine = np.geomspace(X[0], x, 100_000)
            whole = 3 * np.trapezoid(fine**2 * np.exp(np.interp(np.log(fine), np.log(X), np.log(row))), fine)
            assert np.interp(x, X, inside) == pytest.approx(whole, rel=2e-3)


def test_profiles_are_those_of_colossus(universe):
    """Orbiting and infalling matter against colossus' own Diemer (2023) profile, given its amplitude."""
    structure, r = universe.structure, np.array([10.0, 50.0, 150.0, 400.0])
    ours = structure.density(r / structure.radius[3])[3]
    with in_colossus(PLANCK, Power()):
        falling = profile_outer.OuterTermInfalling(
            pl_delta_1=structure.infall[3],
            pl_s=1.5,
            pl_zeta=0.5,
            pl_delta_max=100.0,
            z=0.0,
            pivot="fixed",
            pivot_factor=structure.radius[3],
        )
        theirs = profile_diemer23.ModelAProfile(
            rhos=1.0,
            rs=structure.radius[3] / structure.concentration[3],
            rt=structure.truncation[3] * structure.radius[3],
            alpha=0.18,
            beta=3.0,
        )
        ratio = (ours - falling.density(r) / PLANCK.mean_density - 1.0) / theirs.density(r)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_the_core_had_its_mass_when_the_universe_had_its_density():
    """Ludlow et al. (2013) for one exponential history, by a root search of its own."""
    times = np.geomspace(1 / 16, 1, 2000)
    history = 1e12 * np.exp(-0.8 * (1 / times - 1))
    c = float(assembly_concentration(history[None], times, PLANCK)[0])

    def excess(trial):
        core = np.log(2) - 0.5
        inside = core / (np.log(1 + trial) - trial / (1 + trial))
        redshift = -np.log(inside) / 0.8
        density = 200 * PLANCK.mean_density * trial**3 * inside
        critical = PLANCK.critical_density(redshift) * (1 + redshift) ** 3
        return np.log(density / critical / known.LUDLOW_DENSITY)

    assert c == pytest.approx(brentq(excess, 2, 60), rel=1e-3)


def test_early_assembly_makes_dense_cores():
    times = np.geomspace(1 / 16, 1, 400)
    late, early = (1e12 * np.exp(-rate * (1 / times - 1)) for rate in (1.2, 0.5))
    c_late, c_early = assembly_concentration(np.stack([late, early]), times, PLANCK)
    assert c_early > 1.3 * c_late


def test_fast_accretion_moves_the_truncation_inwards(universe):
    structure = universe.structure
    log_rt = np.log10(structure.truncation)
    median = np.log10(0.43 * (1 + 0.92 * 0.3089) * (1 + 2.18 * np.exp(-structure.gamma / 1.91)))
    scatter = log_rt - median
    assert np.corrcoef(structure.gamma, log_rt)[0, 1] < -0.6
    assert abs(scatter.mean()) < 4 * scatter.std() / np.sqrt(len(scatter))
    assert 0.03 < scatter.std() < 0.06


def test_concentrations_scatter_as_in_simulations(universe):
    """Total scatter of log10 c at fixed mass: 0.13 (Giocoli et al. 2012) to 0.16 dex (Diemer & Kravtsov 2015)."""
    log_mass, log_c = np.log10(universe.structure.mass), np.log10(universe.structure.concentration)
    residual = log_c - np.polyval(np.polyfit(log_mass, log_c, 1), log_mass)
    assert 0.11 < np.diff(np.quantile(residual, [0.16, 0.84])).item() / 2 < 0.17
    extra = log_c - np.log10(universe.assembled)
    assert extra.std() == pytest.approx(known.CONCENTRATION_SCATTER, rel=4 / np.sqrt(2 * len(extra)))


def test_gamma_is_the_slope_of_the_history():
    times = np.geomspace(1 / 16, 1, 300)
    history = 1e12 * times**1.7
    drawn = draw_structure(history[None], times, cosmology=PLANCK, power=Power(), rng=np.random.default_rng(1))
    assert drawn.gamma[0] == pytest.approx(1.7, rel=1e-6)


def test_what_is_being_accreted_is_there(universe):
    structure = universe.structure
    log_infall = np.log10(structure.infall / 10.0) - 0.15 * (structure.recent - 0.6)
    assert abs(log_infall.mean()) < 4 * 0.28 / np.sqrt(len(log_infall))
    assert log_infall.std() == pytest.approx(0.28, rel=4 / np.sqrt(2 * len(log_infall)))
    slope = np.polyfit(structure.recent, np.log10(structure.infall), 1)[0]
    assert slope == pytest.approx(0.15, abs=4 * 0.28 / structure.recent.std() / np.sqrt(len(log_infall)))
    history = structure.mass[0] * np.array([[0.5, np.exp(-0.09 * 2.0), 1.0]])
    drawn = draw_structure(history, np.exp([-0.8, -0.09, 0.0]), cosmology=PLANCK, power=Power(), rng=np.random.default_rng(1))
    assert drawn.recent[0] == pytest.approx(2.0)
