"""Variables as the fits take them: what is refused, ties, constants, errors, and the two kinds of margins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from triptych.errors import ConfigError, DataError
from triptych.information import Settings, mutual_information
from triptych.information.variables import Points, columns

X, Y = np.random.default_rng(1).normal(size=(2, 100))


def estimate(x, y, **options):
    return mutual_information(x, y, rng=np.random.default_rng(1), **options)


def points_of(values, errors=None, seed=1):
    values = np.atleast_2d(np.asarray(values, dtype=float))
    return Points.of(values, np.zeros_like(values) if errors is None else np.atleast_2d(errors), rng=np.random.default_rng(seed))


# Refusals


def spoilt(value):
    return np.concatenate([[value, value], X[2:]])


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (spoilt(np.nan), Y, "x is not finite in 2 of 100 samples"),
        (X, spoilt(np.inf), "y is not finite in 2 of 100 samples"),
        (X.astype(object), Y, "x holds no numbers"),
        (X, Y.astype(complex), "y holds no numbers"),
        (np.array(["spiral", "elliptical"] * 50), Y, "mutual_information_categorical"),
        (X[:29], Y[:29], "x has the wrong shape"),
        (X, Y.reshape(100, 1, 1), "y has the wrong shape"),
        (1.0, Y, "x has the wrong shape"),
        (X, Y[:99], "differ in length"),
        (np.arange(100) % 20, Y, "x is discrete"),
        (X, np.round(Y), "mutual_information_categorical"),
    ],
)
def test_data_that_cannot_be_used_are_refused(x, y, words):
    with pytest.raises(DataError, match=words):
        estimate(x, y)


def test_a_condition_is_refused_by_its_name():
    with pytest.raises(DataError, match="given is not finite in 2"):
        estimate(X, Y, given=spoilt(np.nan))
    with pytest.raises(DataError, match=r"differ in length(.|\n)*\(100, 100, 99\)"):
        estimate(X, Y, given=Y[:99])


def test_the_refusal_of_bad_samples_says_what_to_do():
    with pytest.raises(DataError) as refusal:
        estimate(spoilt(-np.inf), Y)
    assert refusal.value.got == -np.inf and "leave these samples out" in refusal.value.fix


@pytest.mark.parametrize("error", [-0.1, np.nan, np.inf, np.where(np.arange(100) == 7, -1.0, 1.0)])
def test_impossible_errors_are_refused(error):
    with pytest.raises(ConfigError, match="x_error is impossible"):
        estimate(X, Y, x_error=error)


def test_errors_of_another_shape_are_refused():
    with pytest.raises(ConfigError, match=r"another shape(.|\n)*\(99,\)(.|\n)*\(100,\)"):
        estimate(X, Y, x_error=np.ones(99))
    with pytest.raises(ConfigError, match="4"):
        estimate(np.random.default_rng(1).normal(size=(100, 4)), Y, x_error=0.1)


# Columns


def test_columns_are_axes_by_samples_without_constants():
    table = np.stack([X, np.full(100, 3.0), Y], axis=1)
    values, errors = columns(table, [0.1, 0.0, 0.2], "x")
    assert (values == [X, Y]).all() and (errors == [[0.1], [0.2]]).all()
    assert columns(X.astype(np.float32), None, "x")[0].dtype == np.float64
    assert columns(np.arange(100), None, "x")[0].shape == (1, 100)
    assert (columns(X.tolist(), None, "x")[0] == X).all()


def test_a_few_values_with_errors_are_no_categories():
    assert columns(np.arange(100) % 3, 0.5, "x")[0].shape == (1, 100)


def test_a_constant_with_an_error_is_noise():
    found = estimate(np.zeros(100), Y, x_error=1.0)
    assert abs(found.value) < 4 * found.error


@pytest.mark.parametrize("constant", [0.0, -7.5])
def test_a_constant_tells_exactly_nothing(constant):
    for found in (estimate(np.full(100, constant), Y), estimate(X, np.full((100, 2), constant))):
        assert (found.value, found.error, found.p_value, found.reliable) == (0.0, 0.0, 1.0, True)
        assert (found.cross_check.value, found.components, found.samples) == (0.0, 0, 100)
        assert str(found) == "0(0) nats"


def test_constant_axes_and_conditions_change_nothing():
    fast = Settings(bootstraps=10, permutations=20)
    plain = estimate(X, Y, settings=fast)
    wider = estimate(np.stack([X, np.ones(100)], axis=1), Y, given=np.full(100, 2.0), settings=fast)
    assert (plain.value, plain.error, plain.p_value) == (wider.value, wider.error, wider.p_value)


# Ties


def additive(rng, n, draw):
    x = draw(rng, n)
    return x, x + rng.normal(size=n)


def entropy(density):
    return -quad(lambda t: density(t) * math.log(density(t)), -12, 12, limit=400)[0]


def test_rounded_values():
    """x is a normal variable to one decimal, and y adds noise to it: I = h(y) - h(noise)."""
    x, y = additive(np.random.default_rng(2), 1000, lambda rng, n: np.round(rng.normal(size=n), 1))
    assert np.unique(x).size < 80
    ticks = np.arange(-60, 61) / 10
    chances = stats.norm.cdf(ticks + 0.05) - stats.norm.cdf(ticks - 0.05)
    truth = entropy(lambda t: float(chances @ stats.norm.pdf(t - ticks))) - 0.5 * math.log(2 * math.pi * math.e)
    found = estimate(x, y)
    assert found.reliable and abs(found.value - truth) < 4 * found.error and found.margins == "normal_scores"


def test_many_zeros():
    """30 % of x is exactly zero, the rest uniform on [1, 4]: I = h(y) - h(noise)."""
    draw = lambda rng, n: np.where(rng.random(n) < 0.3, 0.0, rng.uniform(1, 4, size=n))  # noqa: E731
    norm = stats.norm
    truth = entropy(lambda t: 0.3 * norm.pdf(t) + 0.7 / 3 * (norm.cdf(t - 1) - norm.cdf(t - 4))) - norm.entropy()
    for seed in range(2):
        found = estimate(*additive(np.random.default_rng(seed), 1000, draw))
        assert abs(found.value - truth) < 4 * found.error and found.p_value == 1 / 501


def test_ties_of_independent_variables_are_no_dependence():
    """Both are zero in 30 % of the samples: if ties were ranked in the order of the samples, both would follow it."""
    rng = np.random.default_rng(4)
    x, y = (np.where(rng.random(1000) < 0.3, 0.0, rng.uniform(1, 4, size=1000)) for _ in range(2))
    found = estimate(x, y)
    assert abs(found.value) < 4 * found.error and found.p_value > 0.01


def test_equal_values_have_ranks_in_random_order():
    """The first of 100 equal values has every rank equally often."""
    ranks = [points_of(np.zeros(100), seed=seed).probabilities(np.ones(100))[0, 0] for seed in range(400)]
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3


# Points


def test_the_points_of_samples_with_errors_are_spread_as_gaussians():
    """All together, without ridges at fixed multiples of the errors: those would be a dependence that is not there."""
    spread = np.random.default_rng(7).uniform(0.1, 3.0, size=2000)
    points = points_of(np.arange(2000.0), spread)
    assert points.mean(np.ones(points.owners.size)) == pytest.approx(np.ones(2000), rel=1e-12)
    places = (points.values[0] - points.owners) / spread[points.owners]
    order = np.argsort(places)
    below = np.cumsum(points.shares[order]) / 2000
    assert np.abs(below - stats.norm.cdf(places[order])).max() < stats.kstwo.isf(1e-3, 2000)


def test_a_sample_with_an_error_has_points_on_all_sides():
    """Their mean scatters less than that of random points, whose variance is 1 over their number."""
    points = points_of(np.zeros(2000), np.ones(2000))
    means = points.mean(points.values[0])
    points_each = points.owners.size / 2000
    assert means.var() < 0.5 / points_each
    assert points.mean(points.values[0] ** 2).mean() == pytest.approx(1.0, abs=0.05)


def test_errors_on_two_axes_are_independent():
    values = np.repeat([[1.0], [3.0], [5.0]], 500, axis=1)
    points = points_of(values, np.repeat([[0.5], [0.0], [2.0]], 500, axis=1))
    assert (points.values[1] == 3.0).all()
    u, v = (points.values[0] - 1) / 0.5, (points.values[2] - 5) / 2
    moments = np.array([points.mean(function) for function in (u, v, u * v, u**2, v**2, u**2 * v**2)])
    pulls = (moments.mean(axis=1) - [0, 0, 0, 1, 1, 1]) / (moments.std(axis=1) / math.sqrt(500) + 1e-9)
    assert np.abs(pulls).max() < 4


def test_means_and_draws_are_those_of_the_points_of_a_sample():
    points = points_of(X, 0.5 + X**2)
    own = [points.owners == sample for sample in range(100)]
    mean = np.array([points.shares[one] @ points.values[0, one] for one in own])
    square = np.array([points.shares[one] @ points.values[0, one] ** 2 for one in own])
    assert points.mean(points.values[0]) == pytest.approx(mean, rel=1e-10)
    rng = np.random.default_rng(5)
    drawn = np.array([points.draw(points.values, rng=rng)[0] for _ in range(4000)])
    assert drawn.shape == (4000, 100)
    assert np.isin(drawn[:, 3], points.values[0, own[3]]).all()
    spread = np.sqrt(square - mean**2)
    assert stats.kstest((drawn.mean(axis=0) - mean) / (spread / math.sqrt(4000)), "norm").pvalue > 1e-3
    assert drawn.std(axis=0) == pytest.approx(spread, rel=0.08)


def test_cumulative_probabilities_are_ranks():
    assert points_of(X).probabilities(np.ones(100))[0] == pytest.approx((stats.rankdata(X) - 0.5) / 100, rel=1e-12)


def test_a_multiplicity_is_as_good_as_copies():
    """The cumulative probability in the middle of the copies of a sample."""
    times = np.random.default_rng(6).integers(0, 4, size=100)
    points = points_of(X)
    copies = np.repeat(X, times)
    brute = [((copies < x).sum() + 0.5 * (copies == x).sum()) / copies.size for x in X]
    found = points.probabilities(points.counts(times))[0]
    assert found == pytest.approx(np.clip(brute, 1e-9, 1 - 1e-9), rel=1e-12)
    assert points.seen("normal_scores", points.counts(times))[0] == pytest.approx(stats.norm.ppf(found), rel=1e-9)


def test_the_counts_of_a_sample_are_shared_by_its_points():
    points = points_of(X, np.ones(100))
    times = np.arange(100)
    assert points.mean(points.counts(times) / points.shares) == pytest.approx(times)


def test_raw_values_have_mean_zero_and_variance_one():
    points = points_of([5 * X + 3, Y], [[2.0] * 100, [0.0] * 100])
    seen = points.seen("raw", np.zeros_like(points.shares))
    assert seen @ points.shares / 100 == pytest.approx([0, 0], abs=1e-12)
    assert seen**2 @ points.shares / 100 == pytest.approx([1, 1], rel=1e-12)
    assert np.corrcoef(seen[0], points.values[0])[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize(("row", "shaped"), [(X, True), (np.round(X, 1), False), (np.concatenate([[1e3], X[1:]]), False)])
def test_ties_and_far_outliers_have_no_shape_to_fit(row, shaped):
    assert points_of([Y, row]).shaped is shaped
