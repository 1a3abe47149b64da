"""The information of a continuous variable and a category where the truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from sklearn.feature_selection import mutual_info_classif

from triptych.errors import ConfigError, DataError
from triptych.information import Settings, mutual_information_categorical
from triptych.information.categorical import by_neighbours

FAST = Settings(bootstraps=10, permutations=50)


def estimate(x, labels, **options):
    return mutual_information_categorical(x, labels, rng=np.random.default_rng(1), **options)


def two(m, weight, n, *, seed):
    """Gaussians about -m and m, the second with probability `weight`."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < weight).astype(int)
    return rng.normal(size=n) + np.where(labels, m, -m), labels


def information(densities, weights):
    """sum_c w_c int p_c ln(p_c / p) by quadrature."""

    def at(t):
        p = np.array([density(t) for density in densities])
        total = np.dot(weights, p)
        return sum(w * q * math.log(q / total) for w, q in zip(weights, p, strict=True) if q > 0)

    return quad(at, -15, 15, limit=500, points=[-1, 0, 1])[0]


def two_information(m, weight):
    return information([stats.norm(-m, 1).pdf, stats.norm(m, 1).pdf], [1 - weight, weight])


# The value


@pytest.mark.parametrize("weight", [0.5, 0.2])
@pytest.mark.parametrize("m", [0.5, 1.0, 2.0])
def test_two_gaussians(m, weight):
    found = estimate(*two(m, weight, 1000, seed=2))
    assert found.reliable and abs(found.value - two_information(m, weight)) < 4 * found.error
    assert found.p_value == 1 / 501 and 0.005 < found.error < 0.03
    assert abs(found.cross_check.value - two_information(m, weight)) < 4 * found.cross_check.error


@pytest.mark.parametrize("weight", [0.5, 0.2])
def test_classes_far_apart_have_the_entropy_of_their_weights(weight):
    found = estimate(*two(6.0, weight, 1000, seed=3))
    entropy = stats.entropy([weight, 1 - weight])
    assert abs(found.value - entropy) < 4 * found.error
    # the error is that of the entropy of counted fractions; without spread at equal weights, except to second order
    assert found.error == pytest.approx(
        math.sqrt(weight * (1 - weight) / 1000) * abs(math.log(1 / weight - 1)), rel=0.4, abs=2e-3
    )
    given = estimate(*two(6.0, weight, 1000, seed=3), class_weights={0: 1 - weight, 1: weight})
    assert given.value == pytest.approx(entropy, abs=1e-4) and given.error < 1e-3


def test_classes_that_are_alike_tell_nothing_and_p_values_are_uniform():
    rng, p_values = np.random.default_rng(4), []
    for one in range(40):
        x, labels = rng.standard_t(3, size=300), rng.choice(["a", "b", "c"], size=300, p=[0.2, 0.3, 0.5])
        found = mutual_information_categorical(x, labels, rng=rng, settings=FAST)
        assert abs(found.value) < 6 * found.error and abs(found.value) < 0.1, one
        p_values.append(found.p_value - rng.random() / 51)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_three_classes_on_two_axes():
    """Against a sum over a fine grid."""
    weights, centres = np.array([0.5, 0.3, 0.2]), np.array([[0.0, 0.0], [1.5, 0.5], [-0.5, 2.0]])
    covariances = np.array([[[1.0, 0.6], [0.6, 1.0]], [[0.5, 0.0], [0.0, 1.5]], [[1.0, -0.5], [-0.5, 0.5]]])
    rng = np.random.default_rng(5)
    labels = rng.choice(3, size=1500, p=weights)
    x = np.array([rng.multivariate_normal(centres[c], covariances[c]) for c in labels])
    grid = np.stack(np.meshgrid(np.linspace(-8, 9, 600), np.linspace(-8, 9, 600)), axis=-1)
    p = np.array([stats.multivariate_normal(m, c).pdf(grid) for m, c in zip(centres, covariances, strict=True)])
    total = np.tensordot(weights, p, axes=1)
    truth = sum(w * np.sum(q * np.log(q / total)) for w, q in zip(weights, p, strict=True)) * (17 / 599) ** 2
    found = estimate(x, labels)
    assert found.reliable and abs(found.value - truth) < 4 * found.error
    one = estimate(x[:, 0], labels)
    assert one.value < found.value - 4 * one.error  # a single axis tells less


def test_classes_that_are_no_gaussians():
    """A double peak about a single one."""
    rng = np.random.default_rng(6)
    labels = rng.integers(2, size=1500)
    x = 0.5 * rng.normal(size=1500) + np.where(labels, rng.choice([-2.0, 2.0], size=1500), 0.0)
    outer = lambda t: 0.5 * (stats.norm.pdf(t, -2, 0.5) + stats.norm.pdf(t, 2, 0.5))  # noqa: E731
    truth = information([stats.norm(0, 0.5).pdf, outer], [0.5, 0.5])
    found = estimate(x, labels)
    assert found.reliable and abs(found.value - truth) < 4 * found.error and truth > 0.5


def test_many_zeros():
    """x is exactly zero in 20 % and 60 % of the samples of two classes, and alike otherwise."""
    rng = np.random.default_rng(7)
    labels = rng.integers(2, size=1500)
    x = np.where(rng.random(1500) < np.where(labels, 0.6, 0.2), 0.0, rng.uniform(1, 4, size=1500))
    truth = stats.entropy([0.4, 0.6]) - 0.5 * (stats.entropy([0.2, 0.8]) + stats.entropy([0.6, 0.4]))
    found = estimate(x, labels)
    assert abs(found.value - truth) < 4 * found.error and found.margins == "normal_scores"
    assert abs(found.cross_check.value - truth) < 4 * found.cross_check.error


# Weights


def test_given_weights_replace_the_fractions():
    """The samples are half and half, the weights are 0.2 and 0.8, up to a factor."""
    x, labels = two(1.0, 0.5, 1500, seed=8)
    found = estimate(x, labels, class_weights={0: 8.0, 1: 2.0})
    assert found.reliable and abs(found.value - two_information(1.0, 0.2)) < 4 * found.error
    assert abs(found.value - two_information(1.0, 0.5)) > 4 * found.error
    assert abs(found.cross_check.value - two_information(1.0, 0.2)) < 4 * found.cross_check.error


def test_weights_that_are_known_leave_less_open():
    x, labels = two(2.0, 0.2, 1000, seed=9)
    assert estimate(x, labels, class_weights={0: 0.8, 1: 0.2}).error < 0.7 * estimate(x, labels).error


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({0: 1.0}, "not for these classes"),
        ({0: 1.0, 1: 1.0, 2: 1.0}, "not for these classes"),
        ({0: 1.0, 1: 0.0}, "impossible"),
        ({0: 1.0, 1: -1.0}, "impossible"),
        ({0: 1.0, 1: math.nan}, "impossible"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, words):
    x, labels = two(1.0, 0.5, 200, seed=10)
    with pytest.raises(ConfigError, match=words):
        estimate(x, labels, class_weights=weights)


# Labels


def test_labels_are_anything_that_hashes():
    x, labels = two(1.0, 0.5, 200, seed=11)
    names = {"words": ["ab"[c] for c in labels], "tuples": [(c, "kind") for c in labels], "flags": labels == 1}
    values = [estimate(x, given, settings=FAST).value for given in (labels, labels.tolist(), *names.values())]
    assert len(set(values)) == 1
    assert set(estimate(x, np.array(names["words"]), settings=FAST).mixtures) == {"a", "b"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1] * 99, "differ in length"),
        ([0.0] * 100 + [math.nan] * 100, "missing in 100 of 200"),
        ([[0]] * 200, "does not hash"),
        (["many"] * 171 + ["few"] * 29, "class 'few' has few samples"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels, words):
    with pytest.raises(DataError, match=words):
        estimate(np.random.default_rng(12).normal(size=200), labels)


def test_values_that_cannot_be_used_are_refused():
    with pytest.raises(DataError, match="x is not finite in 1 of 100"):
        estimate(np.append(np.arange(99.0), np.inf), [0, 1] * 50)
    with pytest.raises(DataError, match="x is discrete"):
        estimate(np.arange(100) % 3, [0, 1] * 50)


def test_one_class_or_a_constant_tells_exactly_nothing():
    x, labels = two(1.0, 0.5, 200, seed=13)
    for found in (estimate(x, ["all"] * 200), estimate(np.ones(200), labels)):
        assert (found.value, found.error, found.p_value, found.reliable) == (0.0, 0.0, 1.0, True)
        assert (found.samples, found.components, found.cross_check.value) == (200, 0, 0.0)


# What comes with it


def test_threads_change_nothing():
    x, labels = two(1.0, 0.5, 200, seed=14)
    one, three = estimate(x, labels, threads=1, settings=FAST), estimate(x, labels, threads=3, settings=FAST)
    assert (one.value, one.error, one.p_value) == (three.value, three.error, three.p_value)


def test_increasing_functions_change_nothing():
    x, labels = two(1.0, 0.5, 300, seed=15)
    exact = Settings(margins="normal_scores", bootstraps=10, permutations=50)
    one, other = estimate(x, labels, settings=exact), estimate(np.exp(x), labels, settings=exact)
    assert (one.value, one.error, one.p_value) == (other.value, other.error, other.p_value)


def test_a_class_of_another_scale_is_no_harder():
    """Two narrow double peaks, a ten-thousandth of the spread of both classes together: ln 2, and where they are is seen."""
    rng = np.random.default_rng(16)
    labels = np.arange(600) % 2
    peaks = rng.choice([-1.0, 1.0], size=600) + 0.1 * rng.normal(size=600)
    found = estimate(labels + 1e-4 * peaks, labels, class_weights={0: 1, 1: 1}, settings=Settings(margins="raw"))
    assert found.value == pytest.approx(math.log(2), abs=1e-6)
    assert all(mixture.components >= 2 for mixture in found.mixtures.values())


def test_the_scatter_is_that_of_redrawn_data():
    found = [estimate(*two(1.0, 0.5, 400, seed=seed), settings=Settings(bootstraps=30, permutations=20)) for seed in range(40)]
    scatter = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.error for one in found]) == pytest.approx(scatter, rel=4 / math.sqrt(80))
    pulls = [(one.value - two_information(1.0, 0.5)) / one.error for one in found]
    assert abs(np.mean(pulls)) < 4 / math.sqrt(40)


# Neighbours


@pytest.mark.parametrize("neighbours", [1, 3])
def test_scikit_learn_finds_the_same_by_neighbours(neighbours):
    x, labels = two(0.7, 0.3, 600, seed=17)
    x /= x.std()  # as scikit-learn scales it
    (other,) = mutual_info_classif(x[:, None], labels, n_neighbors=neighbours, discrete_features=False, random_state=0)
    fractions = np.bincount(labels) / 600
    found = by_neighbours([x[None, labels == c] for c in (0, 1)], fractions, neighbours=neighbours)
    assert found.value == pytest.approx(other, abs=1e-5)


def test_neighbours_in_classes_of_given_weights():
    """Every sample of the rarer class counts as often as the weights say: as if it were there in as many copies."""
    found = []
    for seed, (n, k) in itertools.product(range(10), [(300, 300), (480, 120)]):
        rng = np.random.default_rng(seed)
        classes = [rng.normal(-1, 1, size=(1, n)), rng.normal(1, 1, size=(1, k))]
        found.append(by_neighbours(classes, np.array([0.8, 0.2]), neighbours=3).value)
    one, other = np.mean(found[::2]), np.mean(found[1::2])
    error = np.std(found, ddof=1) / math.sqrt(10)
    assert abs(one - other) < 4 * math.sqrt(2) * error and abs(one - two_information(1.0, 0.2)) < 4 * error
