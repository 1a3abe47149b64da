"""Each reason not to trust an estimate, and none where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from triptych.information import Mixture, reliability
from triptych.information.reliability import divergence, problems
from triptych.statistics import Estimate

ONE = Mixture(weights=np.ones(1), means=np.zeros((1, 2)), covariances=np.eye(2)[None])
GOOD = {
    "value": 0.4,
    "error": 0.02,
    "gap": 0.01,
    "cross_check": Estimate.statistical(0.41, 0.03),
    "mixture": ONE,
    "most": 30,
    "samples": 1000,
}


def test_a_good_estimate_has_no_problems():
    assert problems(**GOOD) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gap": 0.2}, "the mixture does not fit"),
        ({"cross_check": Estimate.statistical(0.8, 0.03)}, "nearest neighbours find 0.800 nats"),
        ({"cross_check": Estimate.statistical(0.0, 0.03)}, "nearest neighbours find 0.000 nats"),
        ({"most": 1}, "more than 1 components would fit better"),
        ({"samples": 5 * ONE.parameters - 1}, "24 samples are few for 5 parameters"),
    ],
)
def test_each_problem_is_named(change, words):
    (found,) = problems(**{**GOOD, **change})
    assert words in found


def test_problems_add_up():
    assert len(problems(**{**GOOD, "gap": 0.2, "most": 1, "samples": 10})) == 3


def test_large_errors_excuse_differences():
    wide = {"gap": 0.2, "cross_check": Estimate.statistical(0.8, 0.03)}
    assert problems(**{**GOOD, **wide, "error": 1.0}) == ()


def test_a_mixture_that_predicts_more_than_its_information_is_no_problem():
    assert problems(**{**GOOD, "gap": -1.0}) == ()


def as_rows(*columns):
    return [np.asarray(column)[None] for column in columns]


X = np.random.default_rng(1).normal(size=1000)
NOISE = np.random.default_rng(2).normal(size=1000)


@pytest.mark.parametrize("function", [lambda x: x, lambda x: -x, np.cos, lambda x: x**3 - 2 * x, np.exp])
def test_functions_diverge_and_the_words_tell_of_what(function):
    x, y = as_rows(X, function(X))
    assert "y is a function of x" in divergence(1.0, x, y, 1000)
    assert "is a function of" in divergence(1.0, y, x, 1000)


def test_a_function_that_cannot_be_turned_round_is_seen_from_its_own_side():
    x, y = as_rows(X, np.sin(3 * X))
    assert "y is a function of x" in divergence(1.0, x, y, 1000)
    assert "x is a function of y" in divergence(1.0, y, x, 1000)


@pytest.mark.parametrize("noise", [0.14, 0.3, 1.0])
def test_noise_ends_a_divergence(noise):
    """0.14 is rho = 0.99."""
    x, y = as_rows(X, X + noise * NOISE)
    assert divergence(1.0, x, y, 1000) is None


def test_independent_variables_do_not_diverge():
    assert divergence(0.0, *as_rows(X, NOISE), 1000) is None


@pytest.mark.parametrize("samples", [100, 1000, 100_000])
def test_more_information_than_the_samples_resolve_diverges(samples):
    most = math.log(samples) - reliability.RESOLUTION
    x, y = np.random.default_rng(3).normal(size=(2, 2, 50))
    assert divergence(most - 0.01, x, y, samples) is None
    assert "sharper" in divergence(most + 0.01, x, y, samples)
    assert "sharper" in divergence(math.nan, x, y, samples)
