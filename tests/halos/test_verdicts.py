"""A verdict must be able to fall either way."""

from __future__ import annotations

import numpy as np

from triptych.halos import measure, nfw_shells, sample_data
from triptych.halos.verdicts import profile_verdicts
from triptych.runs import claims


def verdicts(halos):
    return {one.id.partition("/")[2]: one.verdict for one in profile_verdicts(halos)}


def test_real_halos():
    halos = measure(sample_data())
    assert verdicts(halos) == {"eq1-nfw": "holds", "background-outskirts-not-nfw": "holds with another convention"}
    known = {row.id for row in claims.claims("luciesmith2023", runs=None)}
    assert set(verdicts(halos)) <= known


def test_halos_that_are_no_nfw_spheres_and_halos_that_are_nothing_else():
    halos = measure(sample_data())
    radius = halos["r"] / halos["radius200"]
    assert verdicts(halos.assign(density=halos["density"] * (1 + 5 * (radius < 0.3))))["eq1-nfw"] == "does not hold"
    rows = zip(*(halos[name].to_numpy() for name in ("r_edge", "rs", "rho_s")), strict=True)
    model = np.array([nfw_shells(edges, rs, rho_s) for edges, rs, rho_s in rows])
    exact = halos.assign(density=(("halo", "radius"), model))
    assert verdicts(exact)["background-outskirts-not-nfw"] == "does not hold"
