"""The Gamma method and its relatives against closed forms of AR(1), against pyerrors and against emcee."""

import emcee
import numpy as np
import pyerrors
import pytest

from triptych.errors import ConfigError, ConvergenceError
from triptych.statistics import autocorrelation, frozen_autocorrelation_time


def ar1(phi, chains, length, *, rng, mean=0.0):
    """x[t + 1] = phi x[t] + noise with unit variance, started in equilibrium: rho(t) = phi^t, tau = (1 + phi) / (1 - phi)."""
    series = np.empty((chains, length))
    series[:, 0] = rng.normal(size=chains)
    kicks = rng.normal(size=(chains, length)) * np.sqrt(1 - phi**2)
    for t in range(1, length):
        series[:, t] = phi * series[:, t - 1] + kicks[:, t]
    return series + mean


@pytest.mark.parametrize("phi", [0.0, -0.4, 0.6, 0.95])
@pytest.mark.parametrize("chains", [1, 16])
def test_tau_and_error_of_the_mean_against_the_closed_form(phi, chains):
    length = 200_000 // chains
    found = autocorrelation(ar1(phi, chains, length, rng=np.random.default_rng(3), mean=2.0))
    exact = (1 + phi) / (1 - phi)
    assert abs(found.tau.value - exact) < 4 * found.tau.error
    assert found.mean.error == pytest.approx(np.sqrt(exact / (chains * length)), rel=0.1)
    assert abs(found.mean.pull(2.0)) < 4
    assert found.rho[1] == pytest.approx(phi, abs=0.02)
    assert found.tau_wolff.value == found.tau.value / 2
    assert found.long_enough


def test_the_error_of_tau_covers():
    rng = np.random.default_rng(4)
    pulls = [(lambda tau: tau.pull(19.0))(autocorrelation(ar1(0.9, 4, 4000, rng=rng)).tau) for _ in range(200)]
    assert 0.55 < np.mean(np.abs(pulls) < 1) < 0.85
    assert abs(np.mean(pulls)) < 0.5  # a window always cuts a little: the bias stays below half an error


def test_against_pyerrors():
    series = ar1(0.9, 1, 50_000, rng=np.random.default_rng(5), mean=1.0)
    oracle = pyerrors.Obs([series[0]], ["ensemble"])
    oracle.gamma_method(S=2.0)
    found = autocorrelation(series, s=2.0)
    assert found.window == oracle.e_windowsize["ensemble"]
    assert found.tau_wolff.value == pytest.approx(oracle.e_tauint["ensemble"], rel=1e-3)
    assert found.tau_wolff.error == pytest.approx(oracle.e_dtauint["ensemble"], rel=1e-2)
    assert found.mean.error == pytest.approx(oracle.dvalue, rel=1e-3)
    exported = found.mean.to_pyerrors("ensemble")
    exported.gamma_method()
    assert (exported.value, exported.dvalue) == (pytest.approx(found.mean.value), pytest.approx(found.mean.error, rel=1e-6))


def test_against_emcee():
    series = ar1(0.8, 8, 20_000, rng=np.random.default_rng(6))
    (oracle,) = emcee.autocorr.integrated_time(series.T[:, :, None])
    found = autocorrelation(series)
    assert abs(found.tau.value - oracle) < 4 * found.tau.error


def test_a_known_mean_rescues_chains_that_are_too_short_to_find_it():
    """200 steps with tau = 199: around its own mean a single chain hides most of its correlation."""
    series = ar1(0.99, 256, 200, rng=np.random.default_rng(7))
    by_chain = [autocorrelation(one[None] - one.mean(), mean=0.0).tau.value for one in series]
    known = autocorrelation(series, mean=0.0).tau
    assert np.mean(by_chain) < 60
    assert known.value > 100


@pytest.mark.parametrize(("phi", "length"), [(0.99, 60), (0.999, 300), (0.9, 100)])
def test_frozen_quantities_by_their_exact_variance(phi, length):
    """Runs three to seven times shorter than tau are enough, and the error covers."""
    exact = (1 + phi) / (1 - phi)
    rng = np.random.default_rng(8)
    found = [frozen_autocorrelation_time(ar1(phi, 256, length, rng=rng), 1.0) for _ in range(40)]
    pulls = np.array([one.pull(exact) for one in found])
    assert abs(pulls.mean()) < 4 / np.sqrt(len(pulls)) + 0.3
    assert 0.5 < pulls.std() < 1.6
    # Around its own mean, each single chain would underestimate tau by far.
    if length < exact / 2:
        assert not autocorrelation(ar1(phi, 64, length, rng=rng), mean=0.0).long_enough
        assert autocorrelation(ar1(phi, 1, length, rng=rng)).tau.value < exact / 2


def test_frozen_estimator_gives_the_same_at_any_lag_up_to_half_of_tau():
    series = ar1(0.99, 512, 200, rng=np.random.default_rng(9))
    for lag in (5, 20, 50, 100):
        found = frozen_autocorrelation_time(series, 1.0, lag=lag)
        assert abs(found.pull(199.0)) < 4


def test_what_cannot_be_estimated_is_refused():
    rng = np.random.default_rng(10)
    with pytest.raises(ConfigError, match="constant"):
        autocorrelation(np.ones((2, 100)))
    for shape in [(2, 5), (2, 3, 100)]:
        with pytest.raises(ConfigError, match="wrong shape"):
            autocorrelation(rng.normal(size=shape))
    with pytest.raises(ConfigError, match="not finite"):
        autocorrelation([np.nan] * 50)
    with pytest.raises(ConvergenceError, match="moved"):
        frozen_autocorrelation_time(np.repeat(rng.normal(size=(64, 1)), 100, axis=1), 1.0)
    with pytest.raises(ConvergenceError, match="not in equilibrium"):
        frozen_autocorrelation_time(np.zeros((64, 100)), 1.0)
    with pytest.raises(ConvergenceError, match="lost all memory"):
        frozen_autocorrelation_time(ar1(-0.5, 64, 100, rng=rng), 1.0, lag=1)
    for fields in [{"variance": 0.0}, {"variance": 1.0, "lag": 100}, {"variance": 1.0, "lag": 0}]:
        with pytest.raises(ConfigError):
            frozen_autocorrelation_time(rng.normal(size=(64, 100)), **fields)
    with pytest.raises(ConfigError, match="chains"):
        frozen_autocorrelation_time(rng.normal(size=(4, 100)), 1.0)


def test_short_anticorrelated_series_count_as_independent():
    """The sum of rho can come out negative; no error may."""
    series = np.array([1.0, -1.0] * 5) + 0.01 * np.arange(10)
    found = autocorrelation(series)
    assert found.window == 0 and found.tau.value == pytest.approx(1.1) and found.mean.error > 0
