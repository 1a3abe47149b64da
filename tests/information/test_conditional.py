"""Conditional and joint information where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from triptych.information import Settings, mutual_information

FAST = Settings(bootstraps=10, permutations=50)


def estimate(x, y, **options):
    return mutual_information(x, y, rng=np.random.default_rng(1), **options)


def partial(rho, n, *, seed, slope=1.0):
    """x and y follow z, and what z leaves open of them has the correlation rho."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    u, v = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T
    return slope * z + u, -slope * z + v, z


def information(covariance, x, y, given=()):
    """1/2 ln(det C_xz det C_yz / (det C_z det C_xyz)) of a Gaussian, for lists of axes."""
    volume = lambda axes: np.linalg.slogdet(covariance[np.ix_(axes, axes)])[1] if axes else 0.0  # noqa: E731
    given = list(given)
    return 0.5 * (volume(x + given) + volume(y + given) - volume(given) - volume(x + y + given))


# Conditions


@pytest.mark.parametrize("rho", [0.3, 0.6, -0.9])
def test_a_partial_correlation(rho):
    """-1/2 ln(1 - rho^2), whatever x and y share through z."""
    x, y, z = partial(rho, 1000, seed=2)
    found = estimate(x, y, given=z)
    assert found.reliable and abs(found.value + 0.5 * math.log(1 - rho**2)) < 4 * found.error
    assert found.error == pytest.approx(abs(rho) / math.sqrt(1000), rel=0.4)
    alone = estimate(x, y)
    assert abs(alone.value + 0.5 * math.log(1 - ((rho - 1) / 2) ** 2)) < 4 * alone.error


def test_x_and_y_that_share_only_z_tell_nothing_more():
    x, y, z = partial(0.0, 1000, seed=3)
    assert estimate(x, y).p_value == 1 / 501
    found = estimate(x, y, given=z)
    assert abs(found.value) < 4 * found.error and found.error < 0.02
    assert found.p_value > 0.01 and found.reliable


def test_a_condition_can_reveal_a_dependence():
    """x and y are independent, and z is their sum with noise: I(x; y | z) of the Gaussian is 1/2 ln(4 / 3)."""
    rng = np.random.default_rng(4)
    x, y, noise = rng.normal(size=(3, 1000))
    found, alone = estimate(x, y, given=x + y + noise), estimate(x, y)
    assert abs(found.value - 0.5 * math.log(4 / 3)) < 4 * found.error and found.p_value == 1 / 501
    assert abs(alone.value) < 4 * alone.error and alone.p_value > 0.01


def test_a_condition_on_two_axes():
    rng = np.random.default_rng(5)
    mixing = rng.normal(size=(4, 4))
    x, y, *z = mixing @ rng.normal(size=(4, 1000))
    found = estimate(x, y, given=np.transpose(z))
    assert abs(found.value - information(mixing @ mixing.T, [0], [1], [2, 3])) < 4 * found.error


def test_a_curved_condition():
    """What is left of x and y has the correlation 0.6, about curves in z."""
    _, _, z = partial(0.0, 1000, seed=6)
    u, v = np.random.default_rng(7).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=1000).T
    found = estimate(z**2 + u, np.sin(2 * z) + v, given=z)
    assert not found.reliable or abs(found.value - 0.2231) < 4 * found.error
    assert found.value == pytest.approx(0.2231, abs=0.05)


def test_the_chain_rule():
    """I(X; Y, Z) = I(X; Z) + I(X; Y | Z), and each is that of the Gaussian."""
    x, y, z = partial(0.5, 1000, seed=8)
    covariance = np.array([[2.0, -0.5, 1.0], [-0.5, 2.0, -1.0], [1.0, -1.0, 1.0]])
    joint, first, rest = estimate(x, np.stack([y, z], axis=1)), estimate(x, z), estimate(x, y, given=z)
    assert abs(joint.value - first.value - rest.value) < 2 * math.hypot(joint.error, first.error, rest.error)
    for found, axes in ((joint, ([0], [1, 2])), (first, ([0], [2])), (rest, ([0], [1], [2]))):
        assert abs(found.value - information(covariance, *axes)) < 4 * found.error


def p_values(number, *, seed):
    """Of conditional independence, with a random part that makes them continuous."""
    found = []
    for one in range(number):
        x, y, z = partial(0.0, 200, seed=seed + one)
        rng = np.random.default_rng(one)
        p_value = mutual_information(x, y, given=z, rng=rng, settings=FAST, threads=1).p_value
        found.append(p_value - rng.random() / 51)
    return np.array(found)


def test_p_values_of_conditional_independence_are_uniform():
    assert stats.kstest(p_values(40, seed=100), "uniform").pvalue > 1e-3


@pytest.mark.slow
def test_p_values_of_conditional_independence_are_uniform_over_many_data_sets():
    assert stats.kstest(p_values(600, seed=1000), "uniform").pvalue > 1e-3


# Several variables


@pytest.mark.parametrize("rotated", [False, True])
def test_two_variables_tell_of_a_third(rotated):
    """x1 and x2 are independent, and y is their sum with noise; rotating them changes nothing."""
    rng = np.random.default_rng(9)
    x, noise = rng.normal(size=(2, 1000)), rng.normal(size=1000)
    y = x[0] + 0.5 * x[1] + noise
    turned = np.array([[0.6, 0.8], [-0.8, 0.6]]) @ x if rotated else x
    found = estimate(turned.T, y)
    assert found.reliable and abs(found.value - 0.5 * math.log(2.25)) < 4 * found.error and found.p_value == 1 / 501


def test_two_variables_and_two():
    rng = np.random.default_rng(10)
    mixing = np.eye(4) + 0.3 * rng.normal(size=(4, 4))
    v = mixing @ rng.normal(size=(4, 500))
    found = estimate(v[:2].T, v[2:].T)
    assert abs(found.value - information(mixing @ mixing.T, [0, 1], [2, 3])) < 4 * found.error


def test_more_variables_tell_no_less():
    rng = np.random.default_rng(11)
    x, useless, noise = rng.normal(size=(3, 1000))
    one, two = estimate(x, x + noise), estimate(np.stack([x, useless], axis=1), x + noise)
    assert abs(one.value - two.value) < 2 * math.hypot(one.error, two.error)


@pytest.mark.parametrize("given", [False, True])
def test_x_and_y_change_places(given):
    x, y, z = partial(0.6, 500, seed=12)
    y = np.exp(y / 2)
    condition = z if given else None
    one, other = estimate(x, y, given=condition), estimate(y, x, given=condition)
    assert abs(one.value - other.value) < math.hypot(one.error, other.error)


def test_what_a_condition_drives_tightly_is_no_function_of_each_other():
    rng = np.random.default_rng(12)
    z = rng.normal(size=1000)
    a, b = z + 0.02 * rng.normal(size=(2, 1000))
    found = mutual_information(a, b, given=z, rng=rng)
    assert abs(found.value) < 4 * found.error + 0.002 and found.p_value > 1e-3
