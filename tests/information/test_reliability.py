"""Each reason not to trust an estimate, and none where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from triptych.information import Mixture, reliability
from triptych.information.reliability import functional, problems, unresolved
from triptych.statistics import Estimate

ONE = Mixture(weights=np.ones(1), means=np.zeros((1, 2)), covariances=np.eye(2)[None])
GOOD = {
    "value": 0.4,
    "error": 0.02,
    "gap": 0.01,
    "cross_check": Estimate.statistical(0.41, 0.03),
    "mixture": ONE,
    "exhausted": False,
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
        ({"exhausted": True}, "more components than are allowed"),
        ({"samples": 5 * ONE.parameters - 1}, "24 samples are few for 5 parameters"),
    ],
)
def test_each_problem_is_named(change, words):
    (found,) = problems(**{**GOOD, **change})
    assert words in found


def test_problems_add_up():
    assert len(problems(**{**GOOD, "gap": 0.2, "exhausted": True, "samples": 10})) == 3


def test_large_errors_excuse_differences():
    wide = {"gap": 0.2, "cross_check": Estimate.statistical(0.8, 0.03)}
    assert problems(**{**GOOD, **wide, "error": 1.0}) == ()


def test_a_mixture_that_predicts_more_than_its_information_is_no_problem():
    assert problems(**{**GOOD, "gap": -1.0}) == ()


def test_no_number_is_a_problem():
    assert problems(**{**GOOD, "value": math.nan}) == ("no number came out of the fit",)


X = np.random.default_rng(1).normal(size=1000)
NOISE = np.random.default_rng(2).normal(size=1000)


def verdict(x, y):
    return functional(x, y, rng=np.random.default_rng(3))


@pytest.mark.parametrize("samples", [100, 300, 1000])
@pytest.mark.parametrize("function", [lambda x: x, lambda x: -x, np.cos, lambda x: x**3 - 2 * x, np.exp, lambda x: np.sin(8 * x)])
def test_functions_diverge_and_the_words_tell_of_what(function, samples):
    x, y = X[:samples], function(X[:samples])
    assert "y is a function of x" in verdict(x, y)
    assert "is a function of" in verdict(y, x)


def test_a_function_that_cannot_be_turned_round_is_seen_from_its_own_side():
    assert "y is a function of x" in verdict(X, np.sin(3 * X))
    assert "x is a function of y" in verdict(np.sin(3 * X), X)


@pytest.mark.parametrize("samples", [50, 100, 300, 1000])
@pytest.mark.parametrize("noise", [0.045, 0.1, 0.14, 0.3, 1.0])
def test_noise_ends_a_divergence(noise, samples):
    """0.14 is rho = 0.99, 0.045 is rho = 0.999."""
    x, y = X[:samples], X[:samples] + noise * NOISE[:samples]
    if unresolved(-0.5 * math.log(1 - 1 / (1 + noise**2)), samples) is None:
        assert verdict(x, y) is None


def test_independent_variables_do_not_diverge():
    assert verdict(X, NOISE) is None


@pytest.mark.parametrize("samples", [100, 1000, 100_000])
def test_more_information_than_the_samples_resolve_diverges(samples):
    most = math.log(samples) - reliability.RESOLUTION
    assert unresolved(most - 0.01, samples) is None
    assert "sharper" in unresolved(most + 0.01, samples)
    assert "sharper" in unresolved(math.nan, samples)
