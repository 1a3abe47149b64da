"""Estimates of mutual information where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.feature_selection import mutual_info_regression

from tests.oracles.information import TASKS, gaussian, gaussian_information, wiggly_x, wiggly_y
from triptych.errors import ConfigError, DataError
from triptych.information import Settings, mutual_information

FAST = Settings(bootstraps=10, permutations=50)


def estimate(x, y, *, seed=1, **options):
    return mutual_information(x, y, rng=np.random.default_rng(seed), **options)


def pair(rho, n, seed=0):
    return gaussian(rho).draw(n, np.random.default_rng(seed))


# The truths themselves


@pytest.mark.parametrize("task", [*TASKS, gaussian(0.3), gaussian(-0.99)], ids=lambda task: task.name)
def test_the_truth_of_a_task(task):
    """The mean of ln p(x, y) / (p(x) p(y)) over a million samples where the density is known, and scikit-learn's neighbours."""
    rng = np.random.default_rng(1)
    if task.pointwise:
        terms = task.pointwise(*task.draw(1_000_000, rng))
        assert task.truth == pytest.approx(terms.mean(), abs=4 * terms.std() / 1e3)
    x, y = (stats.norm.ppf(stats.rankdata(row) / 5001) for row in task.draw(5000, rng))
    (neighbours,) = mutual_info_regression(x[:, None], y, random_state=0)
    assert neighbours == pytest.approx(task.truth, abs=0.07)


def test_the_wiggles_never_fall():
    grid = np.linspace(-10, 10, 100_001)
    assert np.diff(wiggly_x(grid)).min() > 0 and np.diff(wiggly_y(grid)).min() > 0


# The value


def test_the_example_of_the_method_paper():
    x, y = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 200).T
    found = estimate(x, y)
    assert abs(found.value - 0.2231) < 3 * found.error and 0.02 < found.error < 0.08
    assert found.reliable and found.p_value == 1 / 501 and found.components == 1


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_once(task):
    """At 1000 samples: within four errors where the estimate is called reliable, and nowhere far off."""
    found = estimate(*task.draw(1000, np.random.default_rng(2)))
    assert not found.reliable or abs(found.value - task.truth) < 4 * found.error
    assert found.value == pytest.approx(task.truth, rel=0.15, abs=0.05)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9, -0.99])
def test_gaussian_variables(rho):
    found = estimate(*pair(rho, 1000))
    assert found.reliable and abs(found.value - gaussian_information(rho)) < 4 * found.error
    # a correlation coefficient z = artanh(rho) has the error 1 / sqrt(N - 3), and I = ln cosh z
    expected = abs(rho) / math.sqrt(997)
    assert rho == 0 or found.error == pytest.approx(expected, rel=0.3)
    assert found.components == 1 and found.margins == "normal_scores"


def test_bits_are_nats_over_ln_2():
    x, y = pair(0.6, 200)
    nats, bits = estimate(x, y, settings=FAST), estimate(x, y, settings=Settings(bootstraps=10, permutations=50, unit="bits"))
    for name in ("value", "error"):
        assert getattr(bits, name) == pytest.approx(getattr(nats, name) / math.log(2), rel=1e-12)
    assert bits.cross_check.value == pytest.approx(nats.cross_check.value / math.log(2), rel=1e-12)
    assert bits.resampled == pytest.approx(nats.resampled / math.log(2), rel=1e-12)
    assert (nats.problems, nats.p_value) == (bits.problems, bits.p_value)
    assert str(bits).endswith(" bits") and str(nats).endswith(" nats")


def test_the_bias_of_resampled_data_is_removed():
    """The value is twice the plain integral over the mixture less the mean over resampled data."""
    x, y = pair(0.6, 40)
    found = estimate(x, y, settings=Settings(margins="raw", bootstraps=400))
    covariance = found.mixture.covariances[0]
    plain = gaussian_information(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))
    assert abs(plain - found.resampled.mean()) > 5e-3
    assert found.value == pytest.approx(2 * plain - found.resampled.mean(), abs=1e-3)
    assert found.error >= found.resampled.std(ddof=1)


def test_resampled_information_scatters_as_that_of_redrawn_samples():
    """One component on normal scores has the information of their correlation, which NumPy resamples."""
    x, y = pair(0.5, 400)
    found = estimate(x, y, settings=Settings(bootstraps=400))
    rng, brute = np.random.default_rng(5), []
    for rows in rng.integers(400, size=(400, 400)):
        u, v = (stats.norm.ppf((stats.rankdata(row[rows]) - 0.5) / 400) for row in (x, y))
        brute.append(gaussian_information(np.corrcoef(u, v)[0, 1]))
    error = np.std(brute) / math.sqrt(400)
    assert found.resampled.mean() == pytest.approx(np.mean(brute), abs=4 * math.sqrt(2) * error)
    assert found.resampled.std() == pytest.approx(np.std(brute), rel=4 / math.sqrt(400))


# What leaves it as it is

CHANGES = {
    "log": lambda t: np.log(t + 5),
    "cubic": lambda t: t + 0.5 * t**3,
    "quadratic": lambda t: t + 0.1 * t**2,
    "scale": lambda t: 1e6 * t - 3,
    "falling": lambda t: -t,
}


@pytest.mark.parametrize("change", CHANGES)
def test_increasing_functions_of_a_variable_change_nothing(change):
    """In normal scores exactly (as far as they are increasing); in the margins that fit best within errors."""
    x, y = (np.clip(row, -4.9, 4.9) for row in pair(0.6, 500))
    changed = CHANGES[change](x)
    exact = Settings(margins="normal_scores", bootstraps=10, permutations=50)
    before, after = estimate(x, y, settings=exact), estimate(changed, y, settings=exact)
    if change == "falling":
        assert after.value == pytest.approx(before.value, abs=3e-3)
    else:
        assert (after.value, after.error, after.p_value) == (before.value, before.error, before.p_value)
    for margins in ("auto", "raw"):
        found = estimate(changed, y, settings=Settings(margins=margins))
        assert abs(found.value - gaussian_information(0.6)) < 3 * found.error


def test_x_and_y_change_places():
    x, y = TASKS[6].draw(500, np.random.default_rng(3))
    one, other = estimate(x, y), estimate(y, x)
    assert abs(one.value - other.value) < math.hypot(one.error, other.error)
    assert one.p_value == other.p_value == 1 / 501


def test_the_order_of_the_samples_does_not_matter():
    x, y = pair(0.6, 300)
    order = np.random.default_rng(3).permutation(300)
    one, other = estimate(x, y), estimate(x[order], y[order])
    assert abs(one.value - other.value) < 0.5 * math.hypot(one.error, other.error)


def test_threads_change_nothing():
    x, y = TASKS[5].draw(300, np.random.default_rng(4))
    found = [estimate(x, y, threads=threads) for threads in (1, 2, 5)]
    for other in found[1:]:
        assert (other.value, other.error, other.p_value, other.problems) == (
            found[0].value,
            found[0].error,
            found[0].p_value,
            found[0].problems,
        )
        assert (other.resampled == found[0].resampled).all() and (other.scores == found[0].scores).all()
    with pytest.raises(ConfigError, match="threads"):
        estimate(x, y, threads=0)


def test_the_random_numbers_are_the_callers():
    x, y = pair(0.6, 200)
    assert estimate(x, y, seed=1).value == estimate(x, y, seed=1).value != estimate(x, y, seed=2).value


# Independence


def test_independence_is_zero_within_errors_and_its_p_values_are_uniform():
    """150 data sets of different margins; with 50 shuffles the p-value takes the values 1/51, 2/51, ..., 1."""
    rng = np.random.default_rng(6)
    pulls, p_values = [], []
    for _ in range(150):
        found = mutual_information(rng.normal(size=200), rng.standard_cauchy(200), rng=rng, settings=FAST, threads=1)
        pulls.append(found.value / found.error)
        p_values.append(found.p_value)
    spread = stats.kstest(np.array(p_values) - rng.random(150) / 51, "uniform")
    assert spread.pvalue > 1e-3
    assert np.mean(np.abs(pulls) < 3) > 0.9
    assert abs(np.mean(pulls)) < 0.5


def test_a_weak_dependence_is_seen():
    """rho = 0.2 at 500 samples has 4.5 standard deviations."""
    assert estimate(*pair(0.2, 500)).p_value == 1 / 501
    x = np.random.default_rng(7).normal(size=500)  # no correlation, but a dependence
    assert estimate(x, x**2 + np.random.default_rng(8).normal(size=500)).p_value == 1 / 501


# Where it diverges, and heavy tails

FUNCTIONS = {
    "the same": lambda x: x,
    "linear": lambda x: 3 - 2 * x,
    "square": lambda x: x**2,
    "sine": np.sin,
    "fast sine": lambda x: np.sin(3 * x),
    "exponential": np.exp,
}


@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_of_x_has_infinite_information_with_it(function, n):
    x = np.random.default_rng(9).normal(size=n)
    for first, second in [(x, FUNCTIONS[function](x)), (FUNCTIONS[function](x), x)]:
        found = estimate(first, second, settings=Settings(bootstraps=10, permutations=20, starts=1, max_components=5))
        assert found.value == math.inf == found.error and not found.reliable
        assert "diverges" in str(found) and "function of" in found.problems[0]


def test_a_strong_dependence_is_no_divergence():
    found = estimate(*pair(0.99, 1000))
    assert math.isfinite(found.value) and found.reliable


def test_heavy_tails_are_fine():
    """Two correlated Cauchy variables: a Gaussian copula under margins without a variance."""
    x, y = (np.tan(np.pi * (stats.norm.cdf(row) - 0.5)) for row in pair(0.6, 1000))
    found = estimate(x, y)
    assert found.reliable and abs(found.value - gaussian_information(0.6)) < 4 * found.error
    assert found.margins == "normal_scores"


# Refusals


def test_variables_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="differ in length"):
        estimate(np.random.default_rng(0).normal(size=100), np.random.default_rng(0).normal(size=99))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folds", 1),
        ("starts", 0),
        ("bootstraps", 9),
        ("permutations", 19),
        ("tolerance", -1e-9),
        ("tolerance", math.nan),
        ("neighbours", 0),
    ],
)
def test_settings_that_cannot_be_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"unit": "bit"}, "unit is unknown"),
        ({"criterion": "cv"}, "criterion is unknown"),
        ({"margins": "ranks"}, "margins is unknown"),
        ({"folds": 31}, "folds is impossible"),
        ({"folds": 3.0}, "folds is impossible"),
        ({"neighbours": 30}, "neighbours is impossible"),
        ({"bootstraps": 9}, "bootstraps is impossible"),
        ({"tolerance": -1.0}, "tolerance is impossible"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, words):
    with pytest.raises(ConfigError, match=words):
        Settings(**wrong)
