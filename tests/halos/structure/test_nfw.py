from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.halos import gadget
from tests.oracles import halos as oracle
from triptych.errors import ConfigError
from triptych.halos import fit_nfw, nfw_density, nfw_mass, nfw_shells, sample_nfw

EDGES = np.geomspace(9.8, 150.0, 16)
VOLUME = 4 / 3 * np.pi * np.diff(EDGES**3)


def profile(counts, mass=8e7):
    return mass * counts / VOLUME, mass * np.sqrt(np.maximum(counts, 1)) / VOLUME


def test_the_density_is_equation_1():
    # rho_s / 4 at r = rs by definition, slope -1 well inside and -3 well outside.
    assert nfw_density(20.0, 20.0, 8.0) == pytest.approx(2.0)
    r = np.array([1e-6, 1.001e-6])
    assert np.diff(np.log(nfw_density(r, 1.0, 1.0)))[0] / np.log(1.001) == pytest.approx(-1.0, abs=1e-5)
    assert np.diff(np.log(nfw_density(r * 1e12, 1.0, 1.0)))[0] / np.log(1.001) == pytest.approx(-3.0, abs=1e-5)


@pytest.mark.parametrize("r", [0.1, 20.0, 300.0])
def test_the_mass_is_the_integral_of_the_density(r):
    assert nfw_mass(r, 20.0, 3e6) == pytest.approx(oracle.nfw_mass(r, 20.0, 3e6), rel=1e-10)


def test_shells_are_means_over_volume():
    expected = (oracle.nfw_mass(30.0, 20.0, 3e6) - oracle.nfw_mass(10.0, 20.0, 3e6)) / (4 / 3 * np.pi * (30.0**3 - 10.0**3))
    assert nfw_shells([10.0, 30.0], 20.0, 3e6)[0] == pytest.approx(expected, rel=1e-10)


def test_drawn_radii_follow_the_enclosed_mass():
    radii = sample_nfw(20_000, 15.0, 150.0, rng=np.random.default_rng(4))
    cdf = lambda r: nfw_mass(r, 15.0, 1.0) / nfw_mass(150.0, 15.0, 1.0)  # noqa: E731
    assert stats.kstest(radii, cdf).pvalue > 1e-4


@pytest.mark.parametrize(("rs", "rho_s"), [(5.0, 1e7), (20.0, 3e6), (100.0, 1e5)])
def test_a_profile_without_noise_comes_back(rs, rho_s):
    density = nfw_shells(EDGES, rs, rho_s)
    fit = fit_nfw(EDGES, density, 0.05 * density)
    assert (fit.rs, fit.rho_s) == pytest.approx((rs, rho_s), rel=1e-8)
    assert fit.deviance == pytest.approx(0.0, abs=1e-6)
    assert fit.problem == ""


@pytest.mark.parametrize("number", [1000, 20_000])
def test_pulls_and_deviance_have_the_right_distribution(number):
    """Halos drawn by rejection, so that no formula of ours enters; c = 10."""
    rng, rs, trials = np.random.default_rng(8), 15.0, 300
    total = number / oracle.nfw_mass(150.0, rs, 1.0)
    pulls, deviances = [], []
    for _ in range(trials):
        radii = np.linalg.norm(gadget.nfw_ball(number, rs, 150.0, rng=rng), axis=1)
        fit = fit_nfw(EDGES, *profile(np.histogram(radii, EDGES)[0], mass=1.0))
        log_errors = np.array([fit.rs_error / fit.rs, fit.rho_s_error / fit.rho_s])
        pulls.append(np.log([fit.rs / rs, fit.rho_s / total]) / log_errors)
        deviances.append(fit.deviance)
    pulls = np.array(pulls)
    bias = 0.15 if number == 1000 else 0.05  # the skewness of a likelihood falls like 1 / sqrt(number)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(trials) + bias)
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 4 / np.sqrt(2 * trials))
    assert np.corrcoef(pulls.T)[0, 1] == pytest.approx(fit.correlation, abs=0.02)
    assert fit.dof == 13
    assert stats.kstest(deviances, stats.chi2(fit.dof).cdf).pvalue > 1e-4


def test_many_particles_give_the_least_squares_fit():
    counts = np.histogram(sample_nfw(1_000_000, 12.0, 150.0, rng=np.random.default_rng(6)), EDGES)[0]
    density, error = profile(counts)
    fit = fit_nfw(EDGES, density, error)
    best, covariance = oracle.nfw_least_squares(EDGES, density, error)
    sigma = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(np.log([fit.rs, fit.rho_s]) - best) < 0.05 * sigma)
    np.testing.assert_allclose([fit.rs_error / fit.rs, fit.rho_s_error / fit.rho_s], sigma, rtol=0.01)
    assert fit.correlation == pytest.approx(covariance[0, 1] / sigma.prod(), abs=1e-3)


def test_an_empty_shell_counts():
    """The maximum of the Poisson likelihood, found on a grid, with three shells empty."""
    counts = np.array([0, 3, 2, 4, 0, 5, 6, 4, 7, 6, 0, 8, 9, 7, 8])
    fit = fit_nfw(EDGES, *profile(counts))
    rs, log_amplitude = np.meshgrid(np.geomspace(0.7, 1.4, 141) * fit.rs, np.linspace(-0.3, 0.3, 121), indexing="ij")
    shape = np.array([np.diff([oracle.nfw_mass(r, s, 1.0) for r in EDGES]) for s in rs[:, 0]])[:, None, :]
    mu = shape / 8e7 * (fit.rho_s * (fit.rs / rs) ** 2 * np.exp(log_amplitude))[..., None]
    likelihood = (counts * np.log(mu) - mu).sum(axis=-1)
    row, _ = np.unravel_index(likelihood.argmax(), likelihood.shape)
    assert rs[row, 0] == pytest.approx(fit.rs, rel=0.006)
    mu = nfw_shells(EDGES, fit.rs, fit.rho_s) * VOLUME / 8e7
    filled = counts > 0
    perfect = (counts[filled] * np.log(counts[filled]) - counts[filled]).sum()
    assert fit.deviance == pytest.approx(2 * (perfect - (counts * np.log(mu) - mu).sum()), rel=1e-9)


@pytest.mark.parametrize(("slope", "problem"), [(-3.2, "falls as r^-3"), (-0.8, "falls as r^-1")])
def test_a_power_law_has_no_scale_radius(slope, problem):
    density = EDGES[:-1] ** slope
    fit = fit_nfw(EDGES, density, 0.1 * density)
    assert np.isnan([fit.rs, fit.rs_error, fit.rho_s, fit.rho_s_error]).all()
    assert problem in fit.problem


def test_two_filled_shells_are_too_few():
    assert "only 2 shells" in fit_nfw(EDGES, *profile(np.eye(15, dtype=int)[0] + np.eye(15, dtype=int)[3])).problem


@pytest.mark.parametrize(
    ("edges", "density", "error"),
    [
        ([1, 2, 3], [1], [1]),
        ([3, 2, 1], [1, 1], [1, 1]),
        ([0, 1, 2], [1, 1], [1, 1]),
        ([1, 2, 3], [1, -1], [1, 1]),
        ([1, 2, 3], [1, 1], [0, 1]),
    ],
)
def test_impossible_profiles_are_refused(edges, density, error):
    with pytest.raises(ConfigError, match=r"fit together|cannot be"):
        fit_nfw(edges, density, error)
