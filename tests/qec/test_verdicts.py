"""A verdict must be able to fall either way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from triptych.qec import Noise, simulate, steane
from triptych.qec.verdicts import merges_bracket, models_agree, nonfailing_states
from triptych.runs import claims, stream
from triptych.statistics import Estimate, wilson

PROGRAM = steane.bit_flip_recovery(Noise.uniform(3e-3), preparation="8+1")


@pytest.fixture(scope="module")
def tree():
    return simulate(PROGRAM, resolution=1e-3)


def test_the_models_agree_unless_one_is_wrong(tree):
    drawn = simulate(PROGRAM, engine="montecarlo", shots=20_000, rng=stream(1, "verdict"))
    assert models_agree({3e-3: tree}, {3e-3: drawn}).verdict == "holds"
    upper = tree.crash_rate.upper
    wrong = replace(drawn, crash_rate=wilson(round(2 * upper * 10**6), 10**6))
    assert models_agree({3e-3: tree}, {3e-3: wrong}).verdict == "does not hold"


def test_merges_bracket_the_converged_rate_and_no_other(tree):
    thresholds = {"event_threshold": 3e-6, "merge_threshold": 1e-6}
    assert merges_bracket(PROGRAM, tree, **thresholds).verdict == "holds"
    wrong = replace(tree, crash_rate=Estimate.exact(0.5))
    assert merges_bracket(PROGRAM, wrong, **thresholds).verdict == "does not hold"


def test_nonfailing_states_and_all_names():
    found = nonfailing_states()
    assert (found.verdict, found.our_value[:2]) == ("holds", "22")
    known = {f"{row.paper}/{row.id}" for row in claims.claims("chi2008", runs=None)}
    assert {found.id, "chi2008/sec3-models-agree", "chi2008/sec2e-preservation-over-lossy-under"} <= known
