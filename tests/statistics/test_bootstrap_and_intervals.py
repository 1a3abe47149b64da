import numpy as np
import pytest
from scipy import stats

from triptych.errors import ConfigError
from triptych.statistics import Estimate, bootstrap, clopper_pearson


@pytest.mark.parametrize("method", ["plain", "bca"])
def test_bootstrap_of_a_mean_against_its_closed_form(method):
    rng = np.random.default_rng(1)
    samples = rng.gamma(2.0, size=500)
    found = bootstrap(samples, np.mean, rng=rng, resamples=2000, method=method)
    assert found.value == samples.mean()
    assert found.error == pytest.approx(samples.std(ddof=1) / np.sqrt(500), rel=0.08)
    assert found.upper - found.lower == pytest.approx(2 * found.error, rel=0.1)


def test_bca_corrects_the_bias_of_a_skewed_statistic():
    """Coverage of the standard deviation of 30 exponential samples: plain percentiles sit too low."""
    rng = np.random.default_rng(2)
    covered = {"plain": 0, "bca": 0}
    above = {"plain": 0, "bca": 0}
    for _ in range(150):
        samples = rng.exponential(size=30)
        for method in covered:
            found = bootstrap(samples, np.std, rng=rng, resamples=300, method=method)
            covered[method] += found.lower <= 1.0 <= found.upper
            above[method] += found.upper < 1.0
    assert covered["bca"] > covered["plain"]
    assert above["bca"] < above["plain"]


def test_bootstrap_resamples_whole_rows():
    rng = np.random.default_rng(3)
    rows = np.repeat(rng.normal(size=(50, 1)), 100, axis=1)
    found = bootstrap(rows, lambda values: float(values.mean()), rng=rng)
    assert found.error == pytest.approx(rows[:, 0].std(ddof=1) / np.sqrt(50), rel=0.15)
    for bad in ([1.0], 3.0, [1.0, np.inf]):
        with pytest.raises(ConfigError):
            bootstrap(bad, np.mean, rng=rng)


@pytest.mark.parametrize(("hits", "trials"), [(0, 30), (3, 30), (30, 30), (15500, 10**9)])
def test_clopper_pearson_against_the_defining_tails(hits, trials):
    found = clopper_pearson(hits, trials, sigmas=2.0)
    tail = stats.norm.sf(2.0)
    if hits > 0:
        assert stats.binom.sf(hits - 1, trials, found.lower) == pytest.approx(tail, rel=1e-5)
    else:
        assert found.lower == 0
    if hits < trials:
        assert stats.binom.cdf(hits, trials, found.upper) == pytest.approx(tail, rel=1e-5)
    else:
        assert found.upper == 1


def test_only_statistical_values_go_to_pyerrors():
    with pytest.raises(ConfigError, match="statistical"):
        Estimate.exact(1.0).to_pyerrors("x")
