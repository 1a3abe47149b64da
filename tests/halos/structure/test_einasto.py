from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from colossus.halo.profile_einasto import EinastoProfile
from scipy import stats
from scipy.integrate import quad

from triptych.errors import ConfigError
from triptych.halos.structure.einasto import (
    einasto_density,
    einasto_mass,
    einasto_shells,
    fit_einasto,
    sample_einasto,
)

EDGES = np.geomspace(9.8, 150.0, 16)
VOLUME = 4 / 3 * np.pi * np.diff(EDGES**3)


def oracle_mass(inner, outer, rs, alpha):
    """The integral of the density over a shell, for unit density at rs."""
    return quad(lambda u: 4 * np.pi * np.exp(3 * u - 2 / alpha * ((np.exp(u) / rs) ** alpha - 1)), *np.log([inner, outer]))[0]


def test_the_slope_is_minus_2_at_the_scale_radius():
    r = np.array([5.0, 5.0001, 20.0, 20.0002])
    slopes = np.diff(np.log(einasto_density(r, 20.0, 3.0, 0.25)))[::2] / np.diff(np.log(r))[::2]
    np.testing.assert_allclose(slopes, [-2 * 0.25**0.25, -2.0], rtol=1e-5)
    assert einasto_density(20.0, 20.0, 3.0, 0.25) == pytest.approx(3.0)


@pytest.mark.parametrize("alpha", [0.05, 0.16, 0.6])
def test_density_and_mass_are_those_of_colossus(alpha):
    theirs = EinastoProfile(rhos=3e5, rs=20.0, alpha=alpha)
    r = np.array([0.5, 5.0, 20.0, 60.0, 300.0])
    np.testing.assert_allclose(einasto_density(r, 20.0, 3e5, alpha), theirs.density(r), rtol=1e-10)
    # colossus interpolates its table of masses
    np.testing.assert_allclose(einasto_mass(r, 20.0, 3e5, alpha), theirs.enclosedMass(r, accuracy=1e-8), rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.02, 0.16, 0.7])
@pytest.mark.parametrize("shell", [(0.1, 10.0), (30.0, 40.0), (300.0, 600.0)])
def test_shells_are_means_over_volume(alpha, shell):
    expected = 3e5 * oracle_mass(*shell, 20.0, alpha) / (4 / 3 * np.pi * (shell[1] ** 3 - shell[0] ** 3))
    assert einasto_shells(shell, 20.0, 3e5, alpha)[0] == pytest.approx(expected, rel=1e-8)


def test_drawn_radii_follow_the_enclosed_mass():
    radii = sample_einasto(20_000, 15.0, 150.0, 0.2, rng=np.random.default_rng(4))
    cdf = lambda r: einasto_mass(r, 15.0, 1.0, 0.2) / einasto_mass(150.0, 15.0, 1.0, 0.2)  # noqa: E731
    assert stats.kstest(radii, cdf).pvalue > 1e-4


@pytest.mark.parametrize(("rs", "rho_s", "alpha"), [(5.0, 1e7, 0.16), (20.0, 3e6, 0.3), (100.0, 1e5, 0.06), (30.0, 1.0, 0.6)])
def test_a_profile_without_noise_comes_back(rs, rho_s, alpha):
    density = einasto_shells(EDGES, rs, rho_s, alpha)
    fit = fit_einasto(EDGES, density, 0.05 * density)
    assert (fit.rs, fit.rho_s, fit.alpha) == pytest.approx((rs, rho_s, alpha), rel=1e-6)
    assert fit.deviance == pytest.approx(0.0, abs=1e-6)
    assert fit.dof == 12
    held = fit_einasto(EDGES, density, 0.05 * density, alpha=alpha)
    assert (held.rs, held.rho_s) == pytest.approx((rs, rho_s), rel=1e-7)
    assert (held.alpha, held.alpha_error, held.dof) == (alpha, 0.0, 13)
    assert held.rs_error < fit.rs_error


@pytest.mark.parametrize("alpha", [None, 0.18])
def test_pulls_and_deviance_have_the_right_distribution(alpha):
    """Counts drawn with the masses of the shells by quadrature, so that no formula of ours enters."""
    rs, trials, number = 20.0, 400, 30_000
    radii = [1e-3, *EDGES]
    masses = np.array([oracle_mass(inner, outer, rs, 0.18) for inner, outer in pairwise(radii)])
    mass = masses.sum()
    counts = np.random.default_rng(8).multinomial(number, masses / mass, size=trials)[:, 1:]
    fit = fit_einasto(EDGES, counts / VOLUME, np.sqrt(np.maximum(counts, 1)) / VOLUME, alpha=alpha)
    assert not any(fit.problem)
    pulls = [np.log(fit.rs / rs) / (fit.rs_error / fit.rs), np.log(fit.rho_s / (number / mass)) / (fit.rho_s_error / fit.rho_s)]
    if alpha is None:
        pulls.append((fit.alpha - 0.18) / fit.alpha_error)
    assert np.all(np.abs(np.mean(pulls, axis=1)) < 4 / np.sqrt(trials) + 0.05)  # a likelihood is skewed like 1 / sqrt(number)
    assert np.all(np.abs(np.std(pulls, axis=1) - 1) < 4 / np.sqrt(2 * trials))
    assert np.corrcoef(pulls[:2])[0, 1] == pytest.approx(fit.correlation.mean(), abs=0.02)
    assert stats.kstest(fit.deviance, stats.chi2(fit.dof[0]).cdf).pvalue > 1e-4


def test_a_gaussian_blob_has_no_alpha():
    """Its slope steepens like that of alpha = 2."""
    counts = np.histogram(np.linalg.norm(np.random.default_rng(3).normal(scale=40.0, size=(20_000, 3)), axis=1), EDGES)[0]
    assert "cut off" in fit_einasto(EDGES, counts / VOLUME, np.sqrt(np.maximum(counts, 1)) / VOLUME).problem


@pytest.mark.parametrize(("slope", "problem"), [(-2.0, "hardly changes"), (-4.0, "too steeply"), (-0.5, "too little")])
def test_a_power_law_has_no_scale_radius(slope, problem):
    density = np.diff(EDGES ** (3 + slope)) / (3 + slope) * 3 / np.diff(EDGES**3)
    fit = fit_einasto(EDGES, density, 0.05 * density)
    assert np.isnan([fit.rs, fit.rs_error, fit.rho_s, fit.alpha, fit.alpha_error, fit.deviance]).all()
    assert problem in fit.problem


def test_a_profile_too_shallow_for_its_alpha_has_no_scale_radius():
    density = EDGES[:-1] ** -0.5
    assert "too little" in fit_einasto(EDGES, density, 0.05 * density, alpha=0.16).problem
    density = EDGES[:-1] ** -8.0
    assert "too steeply" in fit_einasto(EDGES, density, 0.05 * density, alpha=0.16).problem


@pytest.mark.parametrize("alpha", [0.001, 1.0])
def test_the_steepest_and_the_mildest_alpha_are_fitted(alpha):
    density = einasto_shells(EDGES, 70.0, 1e6, alpha)
    fit = fit_einasto(EDGES, density, 0.05 * density, alpha=alpha)
    assert (fit.rs, fit.rho_s) == pytest.approx((70.0, 1e6), rel=1e-4)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, np.nan])
def test_an_impossible_alpha_is_refused(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        fit_einasto(EDGES, np.ones(15), np.ones(15), alpha=alpha)
