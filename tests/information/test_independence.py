"""The permutation test: uniform p-values under independence, power against every kind of dependence, and what it measures."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from triptych.information.independence import features, independence
from triptych.information.variables import Points


def as_features(*rows, rng):
    """Features of one block of variables without errors."""
    points = Points.of(np.array(rows), np.zeros((len(rows), len(rows[0]))), rng=rng)
    return features(points.probabilities(points.shares), points)


def p_value(x, y, *, rng, permutations=200):
    x, y = (as_features(*np.atleast_2d(block), rng=rng) for block in (x, y))
    return independence(x, y, permutations=permutations, rng=rng)


MARGINS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "ties": lambda rng, n: rng.poisson(1.0, size=n).astype(float),
    "two axes": lambda rng, n: rng.normal(size=(2, 2)) @ rng.normal(size=(2, n)),
}


@pytest.mark.parametrize("margins", MARGINS)
def test_p_values_are_uniform_under_independence(margins):
    """200 data sets of 200 samples; p takes the values 1/60, 2/60, ..., and a random part between makes it continuous."""
    rng = np.random.default_rng(1)
    draw = MARGINS[margins]
    found = [p_value(draw(rng, 200), MARGINS["normal"](rng, 200), rng=rng, permutations=59) for _ in range(200)]
    assert stats.kstest(np.array(found) - rng.random(200) / 60, "uniform").pvalue > 1e-3


def ring(rng, n):
    angle = rng.uniform(0, 2 * np.pi, size=n)
    return np.cos(angle) + 0.2 * rng.normal(size=n), np.sin(angle) + 0.2 * rng.normal(size=n)


def square(rng, n):
    x = rng.normal(size=n)
    return x, x**2 + rng.normal(size=n)


def spread(rng, n):
    x = rng.normal(size=n)
    return x, x * rng.normal(size=n)


def line(rng, n):
    x = rng.normal(size=n)
    return x, 0.4 * x + rng.normal(size=n)


@pytest.mark.parametrize("relation", [ring, square, spread, line])
def test_every_kind_of_dependence_is_seen(relation):
    """At 200 samples in at least 18 of 20 data sets, most of them without a correlation."""
    rng = np.random.default_rng(2)
    assert sum(p_value(*relation(rng, 200), rng=rng) < 0.05 for _ in range(20)) >= 18


@pytest.mark.parametrize("permutations", [20, 99])
def test_a_strong_dependence_has_the_least_p_value_there_is(permutations):
    rng = np.random.default_rng(3)
    assert p_value(*line(rng, 1000), rng=rng, permutations=permutations) == 1 / (1 + permutations)


def test_increasing_functions_change_nothing():
    x, y = line(np.random.default_rng(4), 100)
    one, other = (p_value(a, b, rng=np.random.default_rng(5)) for a, b in ((x, y), (np.exp(x), y**3)))
    assert one == other


def test_two_variables_are_seen_together():
    """y is the sign of a product: it knows nothing of either factor alone."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(2, 400))
    y = np.sign(x[0] * x[1]) + 0.3 * rng.normal(size=400)
    assert p_value(x, y, rng=rng) == 1 / 201
    assert min(p_value(x[0], y, rng=rng), p_value(x[1], y, rng=rng)) > 0.01


def test_the_statistic_is_the_integrated_squared_difference_of_distribution_functions():
    """(pi^4 / 4) int int (F(u, v) - u v)^2 du dv, brute force on the grid of ranks; orders above 8 hold little of it."""
    n, rng = 400, np.random.default_rng(7)
    x, y = (stats.rankdata(row) for row in line(rng, n))
    joint = np.zeros((n, n))
    joint[x.astype(int) - 1, y.astype(int) - 1] = 1 / n
    u = np.arange(1, n + 1) / n
    brute = np.mean((joint.cumsum(axis=0).cumsum(axis=1) - np.outer(u, u)) ** 2)
    a, b = as_features(x, rng=rng), as_features(y, rng=rng)
    assert np.sum((a.T @ b / n) ** 2) * 4 / math.pi**4 == pytest.approx(brute, rel=0.02)


def test_features_are_all_products_of_cosines_up_to_order_8():
    rng = np.random.default_rng(8)
    found = as_features(*rng.normal(size=(2, 300)), rng=rng)
    orders = [o for o in itertools.product(range(9), repeat=2) if 1 <= max(o[0], 1) * max(o[1], 1) <= 8 and o != (0, 0)]
    assert found.shape == (300, len(orders)) == (300, 36)
    assert found.mean(axis=0) == pytest.approx(np.zeros(36), abs=1e-12)
    alone = as_features(np.arange(300.0), rng=rng)  # cosines on a regular grid are orthogonal
    assert alone.T @ alone / 300 == pytest.approx(np.diag(0.5 / np.arange(1, 9) ** 2), abs=1e-12)


def test_a_sample_with_an_error_has_the_mean_of_its_features():
    rng = np.random.default_rng(9)
    points = Points.of(rng.normal(size=(1, 50)), np.full((1, 50), 0.5), rng=rng)
    u = points.probabilities(points.shares)[0]
    first = [sum(points.shares[points.owners == i] * np.cos(np.pi * u[points.owners == i])) for i in range(50)]
    assert features(u[None], points)[:, 0] == pytest.approx(np.array(first) - np.mean(first), rel=1e-10)
