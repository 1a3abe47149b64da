"""The compiled loops against NumPy, SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from triptych.information import kernels

NEVER = -1.0  # tolerance of a fit that takes all its steps


def random_mixture(components, axes, rng):
    roots = rng.normal(size=(components, axes, axes))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(axes)
    return rng.dirichlet(np.full(components, 3.0)), 2 * rng.normal(size=(components, axes)), covariances


def draw(weights, means, covariances, n, rng):
    """(axis, point), by SciPy and a loop."""
    rows = rng.choice(len(weights), size=n, p=weights)
    return np.array([stats.multivariate_normal(means[k], covariances[k]).rvs(random_state=rng) for k in rows]).reshape(n, -1).T


def start(points, components, rng):
    axes = len(points)
    chosen = points[:, rng.choice(points.shape[1], components, replace=False)].T
    return np.full(components, 1 / components), np.ascontiguousarray(chosen), np.tile(np.eye(axes), (components, 1, 1))


def fitted(points, counts, begin, *, floor=1e-8, tolerance=NEVER, steps=50):
    """The value of a fit, and the mixture that it reaches."""
    arrays = [array.copy() for array in begin]
    value = kernels.fit(points, np.asarray(counts, dtype=float), *arrays, floor, tolerance, steps)
    return value, arrays


def same(first, second, **tolerances):
    return all(np.allclose(a, b, **tolerances) for a, b in zip(first, second, strict=True))


def test_exponentials_are_those_of_numpy():
    values = np.concatenate([np.linspace(-700, 0, 200_001), -np.geomspace(1e-300, 1, 1000)])
    found = values.copy()
    kernels.exponentials(found, found.size, np.empty(found.size))
    assert np.abs(found / np.exp(values) - 1).max() < 1e-14


def test_exponentials_stop_where_they_are_told_to():
    values = np.array([0.0, -1.0, -1.0, -5000.0])
    kernels.exponentials(values, 2, np.empty(4))
    assert values[1:] == pytest.approx([np.exp(-1), -1.0, -5000.0], rel=1e-15)
    kernels.exponentials(values[3:], 1, np.empty(1))
    assert values[3] == pytest.approx(np.exp(-700.0))  # no zero, so that a logarithm of it exists


@pytest.mark.parametrize(("components", "axes"), [(1, 1), (4, 1), (1, 2), (5, 2), (2, 4), (6, 4)])
def test_log_densities_are_those_of_scipy(components, axes):
    rng = np.random.default_rng(components + axes)
    weights, means, covariances = random_mixture(components, axes, rng)
    points = 3 * rng.normal(size=(axes, 777))  # three blocks and a piece
    expected = np.log(
        sum(w * stats.multivariate_normal(m, c).pdf(points.T) for w, m, c in zip(weights, means, covariances, strict=True))
    )
    assert kernels.log_density(points, weights, means, covariances) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_far_away_the_log_density_is_that_of_the_nearest_component():
    found = kernels.log_density(np.array([[80.0]]), np.array([0.5, 0.5]), np.array([[0.0], [1.0]]), np.ones((2, 1, 1)))
    assert found == pytest.approx(np.log(0.5) + stats.norm.logpdf(79.0), rel=1e-13)  # the density itself would be 0


def test_a_singular_component_has_no_density():
    found = kernels.log_density(np.zeros((2, 3)), np.ones(1), np.zeros((1, 2)), np.ones((1, 2, 2)))
    assert np.isnan(found).all()


@pytest.mark.parametrize(("components", "axes", "floor"), [(1, 2, 1e-3), (3, 2, 1e-8), (2, 1, 1e-8), (3, 4, 1e-3)])
def test_a_fit_is_that_of_scikit_learn(components, axes, floor):
    rng = np.random.default_rng(10 * components + axes)
    points = draw(*random_mixture(3, axes, rng), 600, rng)
    weights, means, covariances = start(points, components, rng)
    value, ours = fitted(points, np.ones(600), (weights, means, covariances), floor=floor, steps=30)
    other = GaussianMixture(
        components,
        tol=0.0,
        reg_covar=floor,
        max_iter=30,
        weights_init=weights,
        means_init=means,
        precisions_init=np.linalg.inv(covariances),
    )
    with pytest.warns(ConvergenceWarning):  # it is told to take all 30 steps
        other.fit(points.T)
    assert same(ours, (other.weights_, other.means_, other.covariances_), rtol=1e-8, atol=1e-9)
    assert kernels.log_density(points, *ours).mean() == pytest.approx(other.score(points.T), abs=1e-10)
    assert value == pytest.approx(other.score(points.T), abs=1e-3)  # one step behind


def test_one_gaussian_is_fitted_in_one_step():
    """Weighted mean and covariance, by NumPy."""
    rng = np.random.default_rng(3)
    points, counts = 5 + rng.normal(size=(2, 300)) * [[1.0], [0.1]], rng.random(300)
    _, (weights, means, covariances) = fitted(points, counts, start(points, 1, rng), floor=0.25, steps=1)
    assert weights == pytest.approx([1.0])
    assert means[0] == pytest.approx(np.average(points, axis=1, weights=counts), rel=1e-13)
    assert covariances[0] == pytest.approx(np.cov(points, aweights=counts, ddof=0) + 0.25 * np.eye(2), rel=1e-11)


def test_weights_are_repeated_samples_and_zero_is_an_absent_one():
    rng = np.random.default_rng(4)
    points = draw(*random_mixture(3, 2, rng), 500, rng)
    counts = rng.multinomial(500, np.full(500, 1 / 500))
    assert (counts == 0).any()
    begin = start(points, 3, rng)
    value, ours = fitted(points, counts, begin)
    repeated = np.ascontiguousarray(np.repeat(points, counts, axis=1))
    again, theirs = fitted(repeated, np.ones(500), begin)
    assert value == pytest.approx(again, abs=1e-12) and same(ours, theirs, rtol=1e-9, atol=1e-12)
    half, halves = fitted(points, 0.5 * counts, begin)  # only ratios of weights matter
    assert half == pytest.approx(value, abs=1e-12) and same(ours, halves, rtol=1e-9, atol=1e-12)


def test_the_likelihood_never_falls():
    rng = np.random.default_rng(5)
    points, counts = draw(*random_mixture(4, 2, rng), 400, rng), rng.random(400)
    mixture, seen = start(points, 4, rng), []
    for _ in range(80):
        seen.append(np.average(kernels.log_density(points, *mixture), weights=counts))
        value, mixture = fitted(points, counts, mixture, floor=0.0, steps=1)
        assert value == pytest.approx(seen[-1], abs=1e-12)
    assert np.diff(seen).min() > -1e-12
    assert seen[-1] > seen[0] + 0.1


def test_a_fit_ends_where_a_step_gains_less_than_the_tolerance():
    """The value that it returns is that of the mixture that it returns, and one step more gains less."""
    rng = np.random.default_rng(6)
    points, counts = draw(*random_mixture(3, 2, rng), 400, rng), np.ones(400)
    value, mixture = fitted(points, counts, start(points, 3, rng), tolerance=1e-4, steps=5000)
    assert value == pytest.approx(kernels.log_density(points, *mixture).mean(), abs=1e-12)
    _, more = fitted(points, counts, mixture, steps=1)
    assert 0 <= kernels.log_density(points, *more).mean() - value < 1e-4


def test_a_component_that_loses_its_samples_leaves_the_others_as_they_are():
    rng = np.random.default_rng(7)
    points, counts = rng.normal(size=(2, 300)), np.ones(300)
    begin = start(points, 2, rng)
    far = np.append(begin[0], 0.1) / 1.1, np.append(begin[1], [[1e4, 1e4]], axis=0), np.append(begin[2], np.eye(2)[None], axis=0)
    value, (weights, means, covariances) = fitted(points, counts, far)
    alone, theirs = fitted(points, counts, begin)
    assert weights[2] == 0.0
    assert value == pytest.approx(alone, abs=1e-12)
    assert same((weights[:2], means[:2], covariances[:2]), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("samples", "alive"), [(4, False), (8, True)])
def test_a_component_dies_that_holds_fewer_samples_than_it_has_parameters(samples, alive):
    """Six, on two axes; its weight goes to the others, which take its samples in."""
    rng = np.random.default_rng(12)
    points, counts = rng.normal(size=(2, 200)), np.ones(200)
    points[:, :samples] = 20 + rng.normal(size=(2, samples))
    begin = np.array([0.9, 0.1]), np.array([[0.0, 0.0], [20.0, 20.0]]), np.tile(np.eye(2), (2, 1, 1))
    value, (weights, means, covariances) = fitted(points, counts, begin, tolerance=1e-9, steps=500)
    assert weights[1] == pytest.approx(samples / 200 if alive else 0.0, abs=1e-6) and weights.sum() == pytest.approx(1.0)
    if not alive:
        assert means[0] == pytest.approx(points.mean(axis=1)) and covariances[0] == pytest.approx(np.cov(points, ddof=0))
        assert value == pytest.approx(stats.multivariate_normal(means[0], covariances[0]).logpdf(points.T).mean())


def test_the_floor_keeps_a_fit_to_points_on_a_line():
    rng = np.random.default_rng(8)
    x = rng.normal(size=400)
    points, begin = np.array([x, x]), start(np.array([x, x]), 2, rng)
    value, (_, _, covariances) = fitted(points, np.ones(400), begin, floor=1e-8)
    assert np.isfinite(value) and np.linalg.eigvalsh(covariances).min() == pytest.approx(1e-8, rel=0.01)
    assert fitted(points, np.ones(400), begin, floor=0.0)[0] == -np.inf


def test_starts_are_round_components_about_samples_of_weight():
    rng = np.random.default_rng(9)
    points, counts = rng.normal(size=(3, 50)), rng.random(50)
    counts[::2] = 0.0
    weights, means, covariances = np.empty(2000), np.empty((2000, 3)), np.empty((2000, 3, 3))
    kernels.scatter(points, counts, rng.random((2000, 2)), weights, means, covariances)
    chosen = np.argmin(np.abs(means[:, :1] - points[:1]), axis=1)
    assert (means == points.T[chosen]).all() and weights == pytest.approx(1 / 2000)
    expected = 2000 * counts / counts.sum()
    seen = np.bincount(chosen, minlength=50)
    assert (seen[::2] == 0).all() and stats.chisquare(seen[1::2], expected[1::2]).pvalue > 1e-4
    variances = covariances[:, 0, 0]
    assert (covariances == variances[:, None, None] * np.eye(3)).all()
    span = np.log(variances / kernels.SMALLEST) / np.log(kernels.LARGEST / kernels.SMALLEST)
    assert stats.kstest(span, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("good", [0, 1, 2])
def test_the_best_start_goes_on_to_the_end(good):
    """Two far clusters, and starts with both components on the first sample; one start has one in each."""
    rng = np.random.default_rng(11)
    points = rng.normal(size=(2, 200)) * 0.1
    points[0, 100:] += 10
    uniforms = np.full((3, 2, 2), 0.5)
    uniforms[:, :, 0] = 0.0
    uniforms[good, 1, 0] = 0.75
    value, weights, means, covariances = kernels.fit_from_starts(points, np.ones(200), uniforms, 1e-8, 1e-7, 2, 200)
    assert np.sort(means[:, 0]) == pytest.approx([points[0, :100].mean(), points[0, 100:].mean()], abs=1e-6)
    assert value == pytest.approx(kernels.log_density(points, weights, means, covariances).mean(), abs=1e-10)
