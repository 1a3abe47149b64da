"""The Kullback-Leibler divergence where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from triptych.errors import ConfigError, DataError
from triptych.information import Divergence, Settings, kl_divergence
from triptych.information.divergence import by_neighbours

FAST = Settings(bootstraps=10, permutations=50)


def estimate(x, y, **options):
    return kl_divergence(x, y, rng=np.random.default_rng(1), **options)


def gaussian(m, s, other_m, other_s):
    """D of N(m, s^2) from N(other_m, other_s^2)."""
    return math.log(other_s / s) + (s**2 + (m - other_m) ** 2) / (2 * other_s**2) - 0.5


def draw(m, s, n, seed):
    return np.random.default_rng(seed).normal(m, s, size=n)


# The value


@pytest.mark.parametrize(
    ("m", "s", "n", "k"), [(1.0, 1.0, 1000, 1000), (0.0, 0.5, 500, 2000), (-0.3, 0.8, 1000, 1000), (0.5, 1.1, 3000, 500)]
)
def test_gaussian_variables(m, s, n, k):
    found = estimate(draw(m, s, n, 2), draw(0.0, 1.0, k, 3))
    assert found.reliable and abs(found.value - gaussian(m, s, 0.0, 1.0)) < 4 * found.error and found.p_value == 1 / 501
    assert abs(found.cross_check.value - gaussian(m, s, 0.0, 1.0)) < 4 * found.cross_check.error


def test_the_error_is_the_scatter_over_data_sets():
    found = [estimate(draw(1, 1, 400, seed), draw(0, 1, 600, 100 + seed), settings=Settings(bootstraps=30)) for seed in range(40)]
    values = np.array([one.value for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(values.std(ddof=1), rel=4 / math.sqrt(80))
    assert abs(values.mean() - 0.5) < 4 * values.std(ddof=1) / math.sqrt(40)


def test_the_two_directions_differ():
    x, y = draw(0.0, 0.5, 1000, 4), draw(0.0, 1.0, 1000, 5)
    forward, reverse = estimate(x, y), estimate(y, x)
    assert abs(forward.value - gaussian(0, 0.5, 0, 1)) < 4 * forward.error and forward.reliable
    assert abs(reverse.value - gaussian(0, 1, 0, 0.5)) < 4 * reverse.error or not reverse.reliable
    assert reverse.value > 2 * forward.value


@pytest.mark.parametrize(("a", "b"), [(2.0, 1.0), (3.0, 1.0), (1.0, 1.3)])
def test_exponential_variables(a, b):
    """ln(a / b) + b / a - 1 for the rates a and b; they have an edge at zero, which no Gaussian has."""
    rng = np.random.default_rng(6)
    found = estimate(rng.exponential(1 / a, size=1000), rng.exponential(1 / b, size=1500))
    assert abs(found.value - (math.log(a / b) + b / a - 1)) < 4 * found.error and found.margins == "normal_scores"


def test_tails_beyond_the_other_samples_are_called_extrapolated():
    rng = np.random.default_rng(7)
    x, y = rng.exponential(1.0, size=500), rng.exponential(0.25, size=500)
    assert not estimate(x, y).reliable and "extrapolated" in str(estimate(x, y)) and "extrapolated" not in str(estimate(y, x))


def test_supports_that_differ_are_not_reliable():
    """Half of x lies where y never is: the divergence is infinite."""
    rng = np.random.default_rng(8)
    found = estimate(rng.uniform(0, 2, size=1000), rng.uniform(0, 1, size=1000))
    (words,) = [problem for problem in found.problems if "extrapolated" in problem]
    assert 40 < int(words.removeprefix("extrapolated: about ").split("%")[0]) < 60


def test_equal_distributions_are_not_apart():
    rng, p_values = np.random.default_rng(9), []
    for one in range(40):
        x, y = rng.gamma(2.0, size=150), rng.gamma(2.0, size=250)
        found = kl_divergence(x, y, rng=rng, settings=FAST)
        assert abs(found.value) < 6 * found.error and abs(found.value) < 0.15, one
        p_values.append(found.p_value - rng.random() / 51)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_several_axes():
    """tr(C_y^-1 C_x) / 2 + m' C_y^-1 m / 2 - d / 2 + ln(det C_y / det C_x) / 2."""
    rng = np.random.default_rng(10)
    one, other, m = np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([[1.5, -0.3], [-0.3, 1.0]]), np.array([0.5, 0.2])
    truth = 0.5 * (np.trace(np.linalg.solve(other, one)) + m @ np.linalg.solve(other, m) - 2)
    truth += 0.5 * np.log(np.linalg.det(other) / np.linalg.det(one))
    found = estimate(rng.multivariate_normal(m, one, size=1000), rng.multivariate_normal([0, 0], other, size=1200))
    assert abs(found.value - truth) < 4 * found.error and found.reliable
    assert found.mixtures["x"].means.shape[1] == found.mixtures["y"].means.shape[1] == 2


def test_a_mixture_of_two_against_one_gaussian():
    """A narrow double peak, against a numerical integral."""
    rng = np.random.default_rng(11)
    x = rng.choice([-1.0, 1.0], size=1500) + 0.2 * rng.normal(size=1500)
    t = np.linspace(-2.5, 2.5, 20_001)
    p = 0.5 * (stats.norm.pdf(t, -1, 0.2) + stats.norm.pdf(t, 1, 0.2))
    truth = np.trapezoid(p * (np.log(p) - stats.norm.logpdf(t, 0, 1.5)), t)
    found = estimate(x, rng.normal(0, 1.5, size=1000))
    assert abs(found.value - truth) < 4 * found.error and found.reliable


# What leaves it as it is


def test_increasing_functions_change_nothing():
    x, y = draw(0.5, 0.8, 300, 12), draw(0.0, 1.0, 400, 13)
    exact = Settings(margins="normal_scores", bootstraps=10, permutations=50)
    one, other = estimate(x, y, settings=exact), estimate(np.exp(x), np.exp(y), settings=exact)
    assert (one.value, one.error, one.p_value) == (other.value, other.error, other.p_value)
    free = estimate(np.exp(x), np.exp(y))
    assert abs(free.value - gaussian(0.5, 0.8, 0, 1)) < 4 * free.error


@pytest.mark.parametrize("margins", ["raw", "normal_scores"])
def test_both_kinds_of_margins(margins):
    found = estimate(draw(1.0, 1.0, 1000, 14), draw(0.0, 1.0, 1000, 15), settings=Settings(margins=margins))
    assert abs(found.value - 0.5) < 4 * found.error and found.margins == margins


def test_ties_add_nothing():
    """x and y are zero in 30 % and 50 % of their samples, and alike otherwise."""
    rng = np.random.default_rng(16)
    x, y = (np.where(rng.random(1500) < share, 0.0, rng.uniform(1, 4, size=1500)) for share in (0.3, 0.5))
    found = estimate(x, y)
    truth = 0.3 * math.log(0.3 / 0.5) + 0.7 * math.log(0.7 / 0.5)
    assert abs(found.value - truth) < 4 * found.error and abs(found.cross_check.value - truth) < 4 * found.cross_check.error


def test_threads_change_nothing():
    x, y = draw(1.0, 1.0, 200, 17), draw(0.0, 1.0, 300, 18)
    one, three = estimate(x, y, threads=1, settings=FAST), estimate(x, y, threads=3, settings=FAST)
    assert (one.value, one.error, one.p_value) == (three.value, three.error, three.p_value)
    with pytest.raises(ConfigError, match="threads"):
        estimate(x, y, threads=0)


def test_bits_are_nats_over_ln_2():
    x, y = draw(1.0, 1.0, 200, 19), draw(0.0, 1.0, 300, 20)
    nats, bits = estimate(x, y, settings=FAST), estimate(x, y, settings=Settings(bootstraps=10, permutations=50, unit="bits"))
    for name in ("value", "error"):
        assert getattr(bits, name) == pytest.approx(getattr(nats, name) / math.log(2), rel=1e-12)
    assert str(bits).split(";")[0].endswith("bits") and bits.cross_check.value == pytest.approx(
        nats.cross_check.value / math.log(2)
    )


# What comes with it


def test_the_result_holds_the_fits():
    x, y = draw(1.0, 1.0, 200, 21), draw(0.0, 1.0, 300, 22)
    found = estimate(x, y, settings=Settings(bootstraps=12, permutations=20))
    assert isinstance(found, Divergence) and found.resampled.shape == (12,) and found.samples == 500
    assert {name: rows.shape for name, rows in found.values.items()} == {"x": (1, 200), "y": (1, 300)}
    assert found.components == found.mixtures["x"].components + found.mixtures["y"].components
    for name, rows in found.values.items():  # the mixtures are on the axes of the values
        assert found.mixtures[name].sample(4000, rng=np.random.default_rng(1)).mean() == pytest.approx(rows.mean(), abs=0.1)


def test_neighbours_by_all_pairs():
    """d < ln nu / rho > + ln(m / (n - 1)) from a table of all distances, on two axes."""
    rng = np.random.default_rng(23)
    x, y = rng.normal(size=(2, 200)), rng.normal(0.5, size=(2, 150))
    inner = np.sort(np.abs(x[:, :, None] - x[:, None]).max(axis=0), axis=1)[:, 3]
    outer = np.sort(np.abs(x[:, :, None] - y[:, None]).max(axis=0), axis=1)[:, 2]
    expected = 2 * np.mean(np.log(outer / inner)) + math.log(150 / 199)
    assert by_neighbours(x, y, neighbours=3).value == pytest.approx(expected, rel=1e-10)


# Refusals


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.full(100, 2.0), draw(0, 1, 100, 1), "x is constant"),
        (draw(0, 1, 100, 1), np.full(100, 2.0), "y is constant"),
        (np.stack([draw(0, 1, 100, 1), np.ones(100)], axis=1), draw(0, 1, 100, 1), "x is constant"),
        (draw(0, 1, 100, 1).reshape(50, 2), draw(0, 1, 100, 1), "different axes"),
        (draw(0, 1, 29, 1), draw(0, 1, 100, 1), "x has the wrong shape"),
        (draw(0, 1, 100, 1), np.append(draw(0, 1, 100, 1), np.nan), "y is not finite in 1 of 101"),
        (draw(0, 1, 100, 1), np.arange(100) % 5, "y is discrete"),
    ],
)
def test_data_that_cannot_be_used_are_refused(x, y, words):
    with pytest.raises(DataError, match=words):
        estimate(x, y)
