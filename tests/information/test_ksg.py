"""The cross-check by nearest neighbours, against pairwise distances, closed forms and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_regression

from triptych.information.ksg import ksg


def gaussian(rho, n, *, seed, axes=1):
    """Each axis of y has the correlation rho with the same axis of x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(axes, n))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(axes, n))


def distances(block):
    """All distances (sample, sample) in the maximum norm."""
    return np.abs(block[:, :, None] - block[:, None, :]).max(axis=0)


def by_pairs(x, y, given=None, *, neighbours):
    """Eq. 8 of Kraskov et al. and the estimator of Frenzel and Pompe, from all pairs of samples."""
    between = [distances(block) for block in ([x, y] if given is None else [x, y, given])]
    to_neighbour = np.sort(np.max(between, axis=0), axis=1)[:, neighbours]

    def closer(*blocks):
        return np.sum(np.max([between[block] for block in blocks], axis=0) < to_neighbour[:, None], axis=1)  # with itself

    if given is None:
        terms = digamma(neighbours) + digamma(x.shape[1]) - digamma(closer(0)) - digamma(closer(1))
    else:
        terms = digamma(neighbours) + digamma(closer(2)) - digamma(closer(0, 2)) - digamma(closer(1, 2))
    return terms.mean(), terms.std(ddof=1) / math.sqrt(terms.size)


@pytest.mark.parametrize("neighbours", [1, 3, 10])
@pytest.mark.parametrize("axes", [1, 2])
def test_all_pairs_of_samples_give_the_same(axes, neighbours):
    x, y = gaussian(0.6, 300, seed=1, axes=axes)
    found = ksg(x, y, neighbours=neighbours)
    assert (found.value, found.error) == pytest.approx(by_pairs(x, y, neighbours=neighbours), rel=1e-10)


@pytest.mark.parametrize("axes", [1, 2])
def test_all_pairs_of_samples_give_the_same_with_a_condition(axes):
    x, y = gaussian(0.6, 300, seed=2)
    given = x + y + np.random.default_rng(3).normal(size=(axes, 300))
    found = ksg(x, y, given)
    assert (found.value, found.error) == pytest.approx(by_pairs(x, y, given, neighbours=3), rel=1e-10)


@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_scikit_learn_finds_the_same(rho):
    x, y = gaussian(rho, 1000, seed=4)
    x, y = x / x.std(), y / y.std()  # as scikit-learn scales them
    (other,) = mutual_info_regression(x.T, y[0], n_neighbors=5, discrete_features=False, random_state=0)
    assert ksg(x, y, neighbours=5).value == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize(("axes", "rho"), [(1, 0.0), (1, 0.6), (1, 0.9), (2, 0.4)])
def test_gaussian_variables(axes, rho):
    found = ksg(*gaussian(rho, 4000, seed=5, axes=axes))
    assert abs(found.value + axes * 0.5 * math.log(1 - rho**2)) < 4 * found.error


def test_a_condition_that_explains_everything_leaves_nothing():
    rng = np.random.default_rng(6)
    z = rng.normal(size=(1, 4000))
    x, y = z + rng.normal(size=z.shape), z + rng.normal(size=z.shape)
    given, alone = ksg(x, y, z), ksg(x, y)
    assert abs(given.value) < 4 * given.error
    assert abs(alone.value + 0.5 * math.log(1 - 0.25)) < 4 * alone.error


def test_the_error_is_the_scatter_over_data_sets():
    found = [ksg(*gaussian(0.6, 500, seed=seed)) for seed in range(100)]
    scatter = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.error for one in found]) == pytest.approx(scatter, rel=4 / math.sqrt(200))


def test_x_and_y_change_places():
    x, y = gaussian(0.6, 500, seed=7)
    assert ksg(x, y).value == pytest.approx(ksg(y, x).value, rel=1e-12)
