"""The number of components: on data that have one, and on criteria that are given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from triptych.information import Mixture, Settings, selection
from triptych.information.integral import Contrast
from triptych.information.selection import select
from triptych.information.variables import Points


def clusters(number, n=600, seed=1):
    """Round clusters of equal size on a circle of five of their widths; of variance about one."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * rng.integers(number, size=n) / number
    values = rng.normal(size=(2, n)) + (5 * np.array([np.cos(angles), np.sin(angles)]) if number > 1 else 0)
    return values / values.std(axis=1, keepdims=True)


def as_points(values, seed=2):
    return Points.of(values, np.zeros_like(values), rng=np.random.default_rng(seed))


def selected(values, *, seed=3, each=map, **options):
    return select(values, as_points(values), Settings(**options), rng=np.random.default_rng(seed), each=each)


@pytest.mark.parametrize("criterion", ["held_out", "bic"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_separate_clusters_are_counted(criterion, number):
    found = selected(clusters(number), criterion=criterion)
    assert found.best == np.argmax(found.scores) + 1 == number
    assert found.mixture.components == number + (number > 1)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_aic_finds_as_many_or_a_few_more(number):
    """It is known to take too many: a component more has no maximum of the likelihood to expand about."""
    assert selected(clusters(number), criterion="aic").best in range(number, number + 3)


def test_the_held_out_score_of_one_component_is_that_of_the_other_folds_gaussian():
    """Mean and covariance of the other folds by NumPy, and the density by SciPy."""
    values = clusters(2, n=301)
    found = selected(values, folds=4)
    assert np.bincount(found.fold).tolist() == [76, 75, 75, 75]
    scores = []
    for fold in range(4):
        seen, unseen = values[:, found.fold != fold], values[:, found.fold == fold]
        gaussian = stats.multivariate_normal(seen.mean(axis=1), np.cov(seen, ddof=0))
        scores.append(gaussian.logpdf(unseen.T).mean())
    assert found.scores[0] == pytest.approx(np.mean(scores), abs=1e-6)


@pytest.mark.parametrize(("criterion", "price"), [("aic", 1.0), ("bic", 0.5 * np.log(400))])
def test_criteria_of_one_component(criterion, price):
    values = np.random.default_rng(4).normal(size=(2, 400))
    found = selected(values, criterion=criterion)
    gaussian = stats.multivariate_normal(values.mean(axis=1), np.cov(values, ddof=0))
    assert found.scores[0] == pytest.approx(gaussian.logpdf(values.T).mean() - price * 5 / 400, abs=1e-6)


def scripted(scores, monkeypatch, **options):
    """What is selected where 1, 2, ... components have these scores."""

    class Fit:
        def __init__(self, components):
            self.components, self.parameters = components, 0

        def log_density(self, points):
            return np.full(points.shape[1], scores[self.components - 1])

    monkeypatch.setattr(selection, "fit_mixture", lambda *a: (scores[a[2].shape[1] - 1], Fit(a[2].shape[1])))
    monkeypatch.setattr(selection, "refit", lambda _values, _counts, fit: (0.0, fit))
    return selected(np.random.default_rng(5).normal(size=(2, 60)), **options)


@pytest.mark.parametrize("criterion", ["held_out", "aic", "bic"])
def test_patience_starts_anew_after_a_gain(criterion, monkeypatch):
    scores = [0.0, -1.0, 1.0, 0.5, 2.0, 1.9, 1.8, 9.0]
    found = scripted(scores, monkeypatch, criterion=criterion, patience=2)
    assert found.best == 5
    assert found.scores == pytest.approx(scores[:7])
    assert found.mixture.components == 6


def test_less_patience_finds_less(monkeypatch):
    found = scripted([0.0, 1.0, 0.9, 2.0], monkeypatch, patience=1)
    assert (found.best, len(found.scores)) == (2, 3)


def test_a_gain_below_the_tolerance_is_none(monkeypatch):
    found = scripted([0.0, 0.09, 0.18, 0.27, 0.18, 0.0, 9.0], monkeypatch, patience=3, tolerance=0.1)
    assert found.best == 3  # against the best so far, not against the last
    found = scripted([0.0, 0.09, 0.09, 0.09], monkeypatch, patience=3, tolerance=0.1)
    assert (found.best, found.mixture.components) == (1, 1)


def test_the_search_ends_at_the_largest_number(monkeypatch):
    found = scripted([0.0, 1.0, 2.0, 3.0, 4.0], monkeypatch, max_components=3)
    assert (found.best, len(found.scores), found.mixture.components) == (3, 3, 3)


def test_held_out_contrasts_are_those_of_mixtures_that_have_not_seen_the_samples():
    """One Gaussian: quantiles, densities and folds by NumPy and SciPy."""
    rng = np.random.default_rng(6)
    values = np.array([[1.0, 0.0], [0.6, 0.8]]) @ rng.normal(size=(2, 250))
    points = as_points(values)
    probabilities = points.probabilities(points.shares)
    found = select(values, points, Settings(max_components=1), rng=rng, each=map)
    total = 0.0
    for fold in range(3):
        seen, chosen = values[:, found.fold != fold], found.fold == fold
        covariance = np.cov(seen, ddof=0)
        margins = [stats.norm(m, s) for m, s in zip(seen.mean(axis=1), np.sqrt(np.diag(covariance)), strict=True)]
        moved = np.array([margin.ppf(row[chosen]) for margin, row in zip(margins, probabilities, strict=True)])
        joint = stats.multivariate_normal(seen.mean(axis=1), covariance).logpdf(moved.T)
        total += (joint - sum(margin.logpdf(row) for margin, row in zip(margins, moved, strict=True))).sum()
    assert found.held_out(points, probabilities, Contrast.between(1, 1).at) == pytest.approx(total / 250, abs=1e-4)


def test_folds_keep_the_points_of_a_sample_together():
    """With errors every sample is five points; none may help to predict another of the same sample."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(2, 100))
    errors = np.array([np.full(100, 0.3), np.zeros(100)])
    points = Points.of(values, errors, rng=rng)
    found = select(points.values, points, Settings(max_components=1), rng=rng, each=map)
    seen = (found.fold != 0)[points.owners]
    expected = np.cov(points.values[:, seen], aweights=points.shares[seen], ddof=0)
    assert found.without[0].covariances[0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("criterion", ["held_out", "aic"])
def test_threads_change_nothing(criterion):
    values = clusters(3, n=200)
    alone = selected(values, criterion=criterion)
    with ThreadPoolExecutor(3) as pool:
        together = selected(values, criterion=criterion, each=pool.map)
    assert (alone.scores == together.scores).all() and (alone.fold == together.fold).all()
    mixtures = zip([alone.mixture, *alone.without], [together.mixture, *together.without], strict=True)
    assert all((one.means == other.means).all() and (one.weights == other.weights).all() for one, other in mixtures)


def test_the_reported_fit_sees_all_samples():
    values = clusters(2)
    found = selected(values)
    assert isinstance(found.mixture, Mixture)
    # at a maximum of the likelihood the mixture has the mean of its samples
    assert found.mixture.weights @ found.mixture.means == pytest.approx(values.mean(axis=1), abs=1e-3)
