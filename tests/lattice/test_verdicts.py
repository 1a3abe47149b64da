"""A verdict must be able to fall either way."""

from __future__ import annotations

import jax
import pytest

from triptych.lattice import sample
from triptych.lattice.verdicts import freezing_verdicts
from triptych.runs import claims


@pytest.fixture(scope="module")
def ensembles():
    """Beta 1 and 6 on 4 x 4, from cold starts: thawed and frozen."""
    settings = {"shape": (4, 4), "chains": 32, "trajectories": 400, "thermalization": 100, "steps": 8, "step_size": 0.125}
    return [sample(beta=beta, key=jax.random.key(1), **settings) for beta in (1.0, 6.0)]


def test_hmc_freezes(ensembles):
    found = {one.id.partition("/")[2]: one for one in freezing_verdicts(ensembles)}
    assert {name for name, one in found.items() if one.verdict == "does not hold"} == set()
    assert found["eq3-variance"].verdict == "holds with another convention"
    known = {f"{row.paper}/{row.id}" for row in claims.claims("foreman2021", runs=None)}
    assert {one.id for one in found.values()} <= known


def test_the_other_way_round_the_claims_do_not_hold(ensembles):
    found = {one.id.partition("/")[2]: one.verdict for one in freezing_verdicts(ensembles[::-1])}
    for name in ("fig1-freezing", "sec1-tunnelling-vanishes", "sec1-zero-sector-dominates", "sec2-hmc-isolated-modes"):
        assert found[name] == "does not hold"


def test_a_sampler_without_metropolis_test_is_found_out(ensembles):
    wrong = [data.assign(delta_h=data.delta_h + 0.1) for data in ensembles]
    found = {one.id.partition("/")[2]: one.verdict for one in freezing_verdicts(wrong)}
    assert found["eq11-metropolis-corrects"] == "does not hold"
