"""A verdict must be able to fall either way, and to stay away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.halos import Power, fit_nfw, measure, nfw_shells, read_catalogue, sample_data
from triptych.halos.mock.universe import PLANCK
from triptych.halos.verdicts import halo_verdicts, number_verdicts, profile_verdicts
from triptych.runs import claims


@pytest.fixture(scope="module")
def halos():
    table = measure(sample_data())
    return table.isel(halo=np.flatnonzero(table["particles"] >= 1000))


def drawn(halos, shape, *, rng):
    """The same halos with Poisson counts about `shape` (halo, shell), with the same number of particles in the shells inside
    r200m, and fitted again."""
    edges = halos["r_edge"].to_numpy()
    volume = 4 / 3 * np.pi * np.diff(edges**3, axis=1)
    inside = edges[:, 1:] <= halos["halo_radius"].to_numpy()[:, None] * (1 + 1e-9)
    mass = (halos["mass"] / halos["particles"]).to_numpy()[:, None]
    expected = shape * volume
    expected *= ((halos["counts"].to_numpy() * inside).sum(axis=1) / (expected * inside).sum(axis=1))[:, None]
    counts = rng.poisson(expected)
    density, error = mass * counts / volume, mass * np.sqrt(np.maximum(counts, 1)) / volume
    fits = []
    for row, last in enumerate(inside.sum(axis=1)):
        fits.append(fit_nfw(edges[row, : last + 1], density[row, :last], error[row, :last]))
    names = {name: ("halo", np.array([getattr(fit, name) for fit in fits])) for name in ("rs", "rho_s", "deviance", "dof")}
    problem = ("halo", np.array([fit.problem for fit in fits], dtype=object))
    return halos.assign(density=(("halo", "radius"), density), problem=problem, **names)


def own_fits(halos):
    rows = zip(*(halos[name].to_numpy() for name in ("r_edge", "rs", "rho_s")), strict=True)
    return np.array([nfw_shells(edges, rs, rho_s) for edges, rs, rho_s in rows])


def test_real_halos_follow_nfw_on_average_but_not_one_by_one(halos):
    (found,) = profile_verdicts(halos)
    assert (found.id, found.verdict) == ("luciesmith2023/eq1-nfw", "holds")
    assert "median deviance/dof" in found.our_value
    assert "are no smooth NFW spheres" in found.note
    assert found.id.partition("/")[2] in {row.id for row in claims.claims("luciesmith2023", runs=None)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts_drawn_from_each_halos_own_fit(halos, seed):
    (found,) = profile_verdicts(drawn(halos, own_fits(halos), rng=np.random.default_rng(seed)))
    assert found.verdict == "holds"
    assert "not told from smooth NFW spheres" in found.note


@pytest.mark.parametrize("shape", [lambda x: x**-2, lambda x: (0.3 + x) ** -3, lambda x: np.exp(-4 * x)])
def test_spheres_of_another_shape(halos, shape):
    """Isothermal, cored, exponential: each has an NFW fit, and the first two leave no residual over all radii together."""
    x = (halos["r"] / halos["halo_radius"]).to_numpy()
    (found,) = profile_verdicts(drawn(halos, shape(x), rng=np.random.default_rng(1)))
    assert found.verdict == "does not hold"
    assert "27 of 27 halos" in found.our_value


def test_halos_without_a_fit_speak_against_nfw(halos):
    (found,) = profile_verdicts(halos.assign(problem=("halo", ["no core is seen"] * 27)))
    assert (found.verdict, found.our_value) == ("does not hold", "only 0 of 27 halos have an NFW fit at all")


def test_too_few_halos_or_another_radius_decide_nothing(halos):
    assert profile_verdicts(halos.isel(halo=slice(19))) == []
    assert profile_verdicts(halos.assign(particles=halos["particles"] // 10)) == []
    assert profile_verdicts(halos.assign_attrs(mass_definition="vir")) == []


@pytest.fixture(scope="module")
def groups():
    return read_catalogue(sample_data())


def verdict_on(name, found):
    (one,) = [verdict for verdict in found if verdict.id == f"luciesmith2023/{name}"]
    assert name in {row.id for row in claims.claims("luciesmith2023", runs=None)}
    return one


def test_real_halos_decide_four_claims(halos, groups):
    found = halo_verdicts(halos, groups)
    assert [one.id.partition("/")[2] for one in found] == [
        "eq1-nfw",
        "background-r200m",
        "results-dynamical-time",
        "background-outskirts-not-nfw",
    ]
    assert {one.verdict for one in found} == {"holds"}
    assert "5.18 to 5.18 Gyr" in found[2].our_value  # 0.2 x 9.778 / 0.6777 / sqrt(0.3099)
    assert halo_verdicts(halos.assign_attrs(mass_definition="vir"), groups) == []


def test_r200m_of_another_density_or_another_mass_is_noticed(halos, groups):
    half = halos.assign_attrs(mean_density=halos.attrs["mean_density"] / 2)
    assert verdict_on("background-r200m", halo_verdicts(half, groups)).verdict == "does not hold"
    heavier = replace(groups, m200m=groups.m200m * 1.02)
    assert verdict_on("background-r200m", halo_verdicts(halos, heavier)).verdict == "does not hold"
    unknown = halo_verdicts(halos, replace(groups, m200m=0.0 * groups.m200m))
    assert "luciesmith2023/background-r200m" not in {one.id for one in unknown}


def test_a_denser_halo_is_crossed_faster(halos, groups):
    """200 times the critical density inside, for once: sqrt(0.31) of the time."""
    denser = halos.assign(halo_radius=halos["halo_radius"] * 0.31 ** (1 / 3))
    found = verdict_on("results-dynamical-time", halo_verdicts(denser, groups))
    assert found.verdict == "does not hold" and "2.89 to 2.89 Gyr" in found.our_value
    early = halo_verdicts(halos.assign_attrs(redshift=1.0), groups)
    assert "luciesmith2023/results-dynamical-time" not in {one.id for one in early}


def test_halos_that_are_nfw_out_to_the_end_have_no_other_outskirts(halos, groups):
    found = halo_verdicts(drawn(halos, own_fits(halos), rng=np.random.default_rng(1)), groups)
    assert verdict_on("background-outskirts-not-nfw", found).verdict == "does not hold"
    shorter = halos.assign(r_edge=0.75 * halos["r_edge"])
    assert "luciesmith2023/background-outskirts-not-nfw" not in {one.id for one in halo_verdicts(shorter, groups)}


def test_the_letters_cuts_give_the_letters_numbers_in_its_own_universe_alone():
    """The number in the virial range by another integral: 18,660."""
    found = verdict_on("methods-mass-range", number_verdicts(PLANCK, Power()))
    assert found.verdict == "holds" and "18,66" in found.our_value
    assert verdict_on("methods-mass-range", number_verdicts(PLANCK, Power(sigma8=0.5))).verdict == "does not hold"
    assert number_verdicts(replace(PLANCK, hubble=0.7), Power()) == []
