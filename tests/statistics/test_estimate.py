import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import ConfigError
from triptych.statistics import Estimate, mean_over_chains, wilson


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.314978, 0.00072, "0.31498(72)"),
        (0.314978, 0.000996, "0.3150(10)"),
        (12.3456, 1.234, "12.3(1.2)"),
        (1234.56, 21.2, "1235(21)"),
        (1.4964e-5, 3.1e-8, "1.4964(31)e-5"),
        (0.0, 0.00012, "0.0(1.2)e-4"),
        (-2.5e7, 3e5, "-2.500(30)e+7"),
        (0.7, 0.0, "0.7(0)"),
    ],
)
def test_statistical_values_print_with_two_digits_of_their_error(value, error, text):
    assert str(Estimate.statistical(value, error)) == text


def test_certified_values_show_as_many_digits_as_their_bounds_deserve():
    assert str(Estimate.certified(1.49636e-5, lower=1.4960e-5, upper=1.4967e-5)) == "1.4964e-5 [1.4960e-5, 1.4967e-5]"
    assert str(Estimate.certified(0.5, lower=0.1, upper=0.9)) == "5.0e-1 [1.0e-1, 9.1e-1]"
    assert str(Estimate.certified(0.0, lower=0.0, upper=3e-9)) == "0 [0, 3.0e-9]"


@given(st.floats(1e-300, 1e300), st.floats(1e-12, 0.9), st.floats(1e-12, 0.9))
def test_printed_bounds_contain_the_bounds(value, below, above):
    lower, upper = value * (1 - below), value * (1 + above)
    printed = str(Estimate.certified(value, lower=lower, upper=upper)).partition("[")[2].rstrip("]").split(", ")
    assert float(printed[0]) <= lower
    assert upper <= float(printed[1])


@given(st.floats(-1e12, 1e12), st.floats(1e-12, 1e12))
def test_the_printed_value_is_within_its_printed_digits(value, error):
    text = str(Estimate.statistical(value, error))
    mantissa, _, rest = text.partition("(")
    exponent = rest.partition(")")[2]
    assert abs(float(mantissa + exponent) - value) <= 0.051 * error + 1e-9 * abs(value)


def test_half_width_is_that_of_the_bounds_or_the_error():
    assert Estimate.certified(2.0, lower=1.0, upper=5.0).half_width == 2.0
    assert Estimate.statistical(2.0, 0.3, lower=1.9, upper=2.5).half_width == pytest.approx(0.3)
    assert (Estimate.statistical(2.0, 0.25).half_width, Estimate.exact(2.0).half_width) == (0.25, 0.0)


def test_pull_combines_both_errors_and_never_hides_a_difference():
    answer = Estimate.statistical(1.0, 3.0)
    assert answer.pull(Estimate.statistical(11.0, 4.0)) == pytest.approx(-2.0)
    assert answer.pull(4.0) == pytest.approx(-1.0)
    assert Estimate.exact(1.0).pull(Estimate.exact(2.0)) is None
    assert Estimate.statistical(1.0, 0.0).pull(0.5) == math.inf
    assert Estimate.statistical(1.0, 0.0).pull(1.0) == 0.0


@pytest.mark.parametrize(
    "estimate",
    [Estimate.exact(0.25), Estimate.statistical(1.0, 0.1), Estimate.certified(1.0, lower=0.5, upper=2.0), wilson(3, 50)],
)
def test_json_round_trip(estimate):
    assert Estimate.from_json(estimate.to_json()) == estimate


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 1.0, "kind": "statistical"},
        {"value": 1.0, "kind": "statistical", "error": -0.1},
        {"value": 1.0, "kind": "statistical", "error": math.nan},
        {"value": 1.0, "kind": "exact", "error": 0.1},
        {"value": 1.0, "kind": "certified", "lower": 0.5},
        {"value": 1.0, "kind": "certified", "lower": 2.0, "upper": 1.0},
    ],
)
def test_contradictions_are_refused(fields):
    with pytest.raises(ConfigError):
        Estimate(**fields)


def test_wilson_against_the_defining_quadratic():
    """The ends p of Wilson's interval solve |share - p| = z sqrt(p (1 - p) / n)."""
    for hits, trials in [(0, 10), (1, 10), (7, 20), (500, 1000), (10, 10)]:
        interval = wilson(hits, trials, sigmas=1.96)
        for end in (interval.lower, interval.upper):
            left, right = abs(hits / trials - end), 1.96 * math.sqrt(end * (1 - end) / trials)
            assert left == pytest.approx(right, abs=1e-12) or end == pytest.approx(hits / trials, abs=1e-12)
        assert interval.lower < interval.upper
    with pytest.raises(ConfigError):
        wilson(11, 10)
    with pytest.raises(ConfigError):
        wilson(0, 0)


def test_wilson_covers_68_percent():
    rng = np.random.default_rng(1)
    hits = rng.binomial(200, 0.07, size=4000)
    covered = np.mean([interval.lower <= 0.07 <= interval.upper for interval in (wilson(int(h), 200) for h in hits)])
    assert covered == pytest.approx(0.683, abs=0.04)  # the discreteness of 200 trials moves it by a few percent


def test_error_over_chains_covers_strongly_correlated_series():
    """AR(1) with tau = 39 and runs of only 100: the spread of chain means must still cover the mean."""
    rng = np.random.default_rng(2)
    phi, chains, length, repeats = 0.95, 32, 100, 600
    noise = rng.normal(size=(repeats, chains, length)) * math.sqrt(1 - phi**2)
    series = np.empty_like(noise)
    series[..., 0] = rng.normal(size=(repeats, chains))
    for t in range(1, length):
        series[..., t] = phi * series[..., t - 1] + noise[..., t]
    pulls = np.array([mean_over_chains(one).pull(0.0) for one in series])
    assert np.mean(np.abs(pulls) < 1) == pytest.approx(0.675, abs=4 * math.sqrt(0.675 * 0.325 / repeats))  # Student, 31 degrees


@pytest.mark.parametrize("series", [[[1.0, 2.0]], [1.0, 2.0], [[], []], [[1.0, math.nan], [1.0, 2.0]]])
def test_series_that_cannot_give_an_error_are_refused(series):
    with pytest.raises(ConfigError):
        mean_over_chains(series)
