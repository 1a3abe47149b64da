"""Variables that are Gaussians rather than numbers, as the latents of an encoder are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from triptych.errors import ConfigError
from triptych.information import Settings, mutual_information

FAST = Settings(bootstraps=10, permutations=50)


def estimate(x, y, **options):
    return mutual_information(x, y, rng=np.random.default_rng(1), **options)


def pair(rho, n, *, seed=2):
    return np.random.default_rng(seed).multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


@pytest.mark.parametrize("error", [0.0, np.zeros(200), np.zeros(1)])
def test_an_error_of_zero_is_none(error):
    x, y = pair(0.6, 200)
    plain, found = estimate(x, y, settings=FAST), estimate(x, y, x_error=error, settings=FAST)
    assert (found.value, found.error, found.p_value) == (plain.value, plain.error, plain.p_value)
    assert found.cross_check.value == plain.cross_check.value


@pytest.mark.parametrize(("rho", "s"), [(0.9, 0.2), (0.9, 1.0), (0.99, 1.0), (0.99, 2.0)])
def test_equal_errors_lower_the_correlation(rho, s):
    """rho becomes rho / sqrt(1 + s^2), also where the errors are far larger than what x leaves open of y."""
    x, y = pair(rho, 1000)
    found = estimate(x, y, x_error=s)
    truth = -0.5 * math.log(1 - rho**2 / (1 + s**2))
    assert found.reliable and abs(found.value - truth) < 4 * found.error and found.p_value == 1 / 501
    assert found.value < estimate(x, y).value


def test_all_ways_to_give_one_error_are_one():
    x, y = pair(0.6, 200)
    found = [estimate(x, y, x_error=error, settings=FAST) for error in (0.5, np.full(200, 0.5), [0.5] * 200)]
    assert found[0].value == found[1].value == found[2].value
    wide = [estimate(x[:, None], y, x_error=error, settings=FAST) for error in ([0.5], np.full((200, 1), 0.5))]
    assert wide[0].value == wide[1].value == found[0].value


def blurred(s, slope, noise):
    """I of x' ~ N(x, s(x)^2) and y ~ N(slope x, noise^2) for a standard normal x, by a sum over grids of x, x' and y."""
    x, seen, y = np.linspace(-6, 6, 801), np.linspace(-14, 14, 1401), np.linspace(-9, 9, 601)
    weights = stats.norm.pdf(x) * (x[1] - x[0])
    first = stats.norm.pdf(seen, x[:, None], s(x)[:, None]) * (seen[1] - seen[0])
    second = stats.norm.pdf(y, slope * x[:, None], noise) * (y[1] - y[0])
    joint = first.T @ (weights[:, None] * second)
    product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    inside = joint > 0
    return float(np.sum(joint[inside] * np.log(joint[inside] / product[inside])))


def test_the_grid_knows_a_gaussian():
    assert blurred(lambda x: np.full_like(x, 0.5), 1.0, 0.5) == pytest.approx(-0.5 * math.log(1 - 0.8 / 1.25), abs=1e-6)


SPREADS = {
    "growing": lambda x: 0.3 * np.exp(x / 2),
    "large outside": lambda x: np.sqrt(0.1 + 0.5 * x**2),
    "two kinds": lambda x: np.where(x > 0, 1.0, 0.2),
}


@pytest.mark.parametrize("spread", SPREADS)
def test_errors_of_different_sizes(spread):
    """The information of the blurred variable, against the sum over a grid."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=1000)
    y = x + 0.5 * rng.normal(size=1000)
    found = estimate(x, y, x_error=SPREADS[spread](x))
    assert abs(found.value - blurred(SPREADS[spread], 1.0, 0.5)) < 4 * found.error
    assert found.error < 0.06


def test_draws_of_the_blurred_variable_have_the_same_information():
    """Twenty draws of x; the points of the Gaussian stand for all of them at once."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    y, s = x + 0.5 * rng.normal(size=500), 0.3 * np.exp(x / 2)
    brute = [estimate(x + s * rng.normal(size=500), y, settings=FAST).value for _ in range(20)]
    found = estimate(x, y, x_error=s)
    assert abs(found.value - np.mean(brute)) < 2 * found.error
    assert found.error < 1.5 * estimate(x + s * rng.normal(size=500), y).error


def test_errors_of_two_variables():
    """y = x1 + x2 + noise, and each x is blurred by its own error: (x1', x2') and y are Gaussian."""
    rng = np.random.default_rng(5)
    x, noise = rng.normal(size=(1000, 2)), 0.5 * rng.normal(size=1000)
    found = estimate(x, x.sum(axis=1) + noise, x_error=[0.5, 1.0])
    truth = -0.5 * math.log(1 - (1 / 1.25 + 1 / 2) / 2.25)
    assert abs(found.value - truth) < 4 * found.error


def test_a_blurred_variable_given_another():
    """x = z + u blurred by 0.5, y = z + v, and rho(u, v) = 0.8: given z the correlation is 0.8 / sqrt(1.25)."""
    u, v = pair(0.8, 1000, seed=6)
    z = np.random.default_rng(7).normal(size=1000)
    found = estimate(z + u, z + v, given=z, x_error=0.5)
    assert abs(found.value + 0.5 * math.log(1 - 0.64 / 1.25)) < 4 * found.error and found.p_value == 1 / 501


def test_noise_alone_tells_nothing():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2, 1000))
    found = estimate(x, y, x_error=np.exp(rng.normal(size=1000)))
    assert abs(found.value) < 4 * found.error and found.p_value > 0.01


def test_p_values_with_errors_are_uniform():
    """Each error is drawn with its x, so that both are independent of y."""
    rng, found = np.random.default_rng(9), []
    for _ in range(60):
        x, y = rng.normal(size=(2, 100))
        found.append(mutual_information(x, y, x_error=np.abs(x), rng=rng, settings=FAST).p_value - rng.random() / 51)
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_too_many_variables_with_errors_are_refused():
    x = np.random.default_rng(10).normal(size=(100, 4))
    with pytest.raises(ConfigError, match="too many variables have errors"):
        estimate(x, x[:, 0], x_error=0.1)
    fine = estimate(
        x, x[::-1, 0], x_error=[0.1, 0.0, 0.1, 0.1], settings=Settings(max_components=1, bootstraps=10, permutations=20)
    )
    assert math.isfinite(fine.value)
