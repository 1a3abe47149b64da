"""A verdict must be able to fall either way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from triptych.qec import Noise, simulate, steane
from triptych.qec.verdicts import merges_bracket, models_agree, nonfailing_states
from triptych.runs import claims, stream
from triptych.statistics import Estimate, wilson

P = 1e-3
PROGRAM = steane.bit_flip_recovery(Noise.uniform(P), preparation="8+1")


@pytest.fixture(scope="module")
def tree():
    return simulate(PROGRAM, resolution=3e-4)


def test_the_models_agree_unless_one_is_wrong(tree):
    drawn = simulate(PROGRAM, engine="montecarlo", shots=200_000, rng=stream(1, "verdict"))
    found = models_agree({P: tree}, {P: drawn})
    assert found.verdict == "holds" and found.our_value.endswith("p = 0.001")
    for hits in (0, round(2 * tree.crash_rate.upper * 10**6)):
        wrong = replace(drawn, crash_rate=wilson(hits, 10**6))
        assert models_agree({P: tree}, {P: wrong}).verdict == "does not hold"


def test_the_models_are_compared_only_where_both_are_sharp(tree):
    few = replace(tree, crash_rate=wilson(round(tree.crash_rate.value * 30_000), 30_000))  # seven crashes
    many = replace(tree, crash_rate=wilson(round(tree.crash_rate.value * 10**6), 10**6))
    wide = replace(tree, crash_rate=Estimate.certified(0.2, lower=0.0, upper=0.4))
    at_wide = replace(tree, crash_rate=wilson(200_000, 10**6))
    assert models_agree({P: tree}, {P: few}) is None
    assert models_agree({0.03: wide}, {0.03: at_wide}) is None
    assert models_agree({P: tree}, {0.03: at_wide}) is None, "they share no error rate"
    found = models_agree({1e-4: tree, P: tree, 0.03: wide}, {1e-4: few, P: many, 0.03: at_wide})
    assert found.verdict == "holds" and found.our_value.endswith("p = 0.001")


def test_merges_bracket_the_converged_rate_and_no_other(tree):
    thresholds = {"event_threshold": 3e-4 * P, "merge_threshold": 1e-7}
    assert merges_bracket(PROGRAM, tree, **thresholds).verdict == "holds"
    wrong = replace(tree, crash_rate=Estimate.exact(0.5))
    assert merges_bracket(PROGRAM, wrong, **thresholds).verdict == "does not hold"


def test_nonfailing_states_and_all_names():
    found = nonfailing_states()
    assert (found.verdict, found.our_value[:2]) == ("holds", "22")
    known = {f"{row.paper}/{row.id}" for row in claims.claims("chi2008", runs=None)}
    assert {found.id, "chi2008/sec3-models-agree", "chi2008/sec2e-preservation-over-lossy-under"} <= known
