"""A verdict must be able to fall either way, and not to fall where the data cannot decide."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from triptych.lattice import exact, sample, verdicts
from triptych.lattice.action import Wilson
from triptych.lattice.samplers import HMC, Phase
from triptych.lattice.samplers.hmc import leapfrog
from triptych.lattice.verdicts import freezing_verdicts, variance_verdict
from triptych.runs import claims

SAMPLER = HMC(steps=8, step_size=0.125)
SETTINGS = {"sampler": SAMPLER, "shape": (8, 8), "chains": 64, "trajectories": 300, "thermalization": 100}
FREEZING = ("fig1-freezing", "sec1-tunnelling-vanishes", "sec2-hmc-isolated-modes")


@pytest.fixture(scope="module")
def ensembles():
    """Beta 2 and 7 from cold starts: thawed and frozen."""
    return [sample(beta=beta, key=jax.random.key(1), **SETTINGS) for beta in (2.0, 7.0)]


@pytest.fixture(scope="module")
def many():
    """Many short chains, for eq. 3."""
    settings = SETTINGS | {"shape": (4, 4), "chains": 1024, "trajectories": 200}
    return sample(beta=2.0, key=jax.random.key(2), **settings)


def words(found):
    return {one.id.partition("/")[2]: one.verdict for one in found}


def test_hmc_freezes(ensembles, many):
    found = [*freezing_verdicts(ensembles), *variance_verdict(many)]
    judged = words(found)
    assert judged.pop("eq3-variance") == "holds with another convention"
    assert judged == dict.fromkeys([*FREEZING, "eq11-metropolis-corrects", "sec1-zero-sector-dominates"], "holds")
    known = {f"{row.paper}/{row.id}" for row in claims.claims("foreman2021", runs=None)}
    assert {one.id for one in found} <= known


def test_a_sampler_that_does_not_freeze(ensembles):
    """Hops at beta 7 as at beta 2, and <Q^2> as it should be there."""
    thawed, frozen = ensembles
    width = np.sqrt(exact.torus(7.0, (8, 8)).charge_squared)
    mobile = np.random.default_rng(1).normal(0, width, thawed.charge.shape)
    found = words(freezing_verdicts([thawed, frozen.assign(charge=frozen.charge + mobile)]))
    assert {name: found[name] for name in FREEZING} == dict.fromkeys(FREEZING, "does not hold")


def test_hops_that_become_more_frequent_again(ensembles):
    thawed, frozen = ensembles
    between = [frozen.assign_attrs(beta=3.0), thawed.assign_attrs(beta=4.0)]
    assert words(freezing_verdicts([thawed, *between, frozen]))["fig1-freezing"] == "does not hold"


def test_zero_rates_at_several_couplings_are_frozen(ensembles):
    thawed, frozen = ensembles
    still = frozen.assign(charge=0 * frozen.charge)
    found = words(freezing_verdicts([thawed, still.assign_attrs(beta=6.0), still]))
    assert {name: found[name] for name in FREEZING} == dict.fromkeys(FREEZING, "holds")


@pytest.mark.parametrize(
    "few",
    [
        {"chain": slice(29)},
        {"chain": slice(30), "trajectory": slice(10)},
        {"trajectory": slice(7)},
        {"trajectory": slice(2)},
    ],
    ids=lambda few: ", ".join(f"{part.stop} {name}" for name, part in few.items()),
)
def test_small_runs_decide_nothing_on_freezing(ensembles, few):
    found = words(freezing_verdicts([data.isel(few) for data in ensembles]))
    assert not {*FREEZING, "eq11-metropolis-corrects"} & set(found)


def test_a_rate_that_one_chain_makes_is_not_known(ensembles):
    thawed, frozen = ensembles
    alone = thawed.assign(charge=50 * thawed.charge.where(thawed.chain == 0, 0))
    assert not set(FREEZING) & set(words(freezing_verdicts([alone, frozen])))


def test_runs_that_stop_before_the_charge_freezes_decide_nothing(ensembles):
    found = words(freezing_verdicts([ensembles[0], ensembles[1].assign_attrs(beta=5.0)]))
    assert not set(FREEZING) & set(found)


def test_a_cold_ensemble_where_charge_zero_is_no_wonder():
    """On 4 x 4 at beta 7 nearly all independent configurations have Q = 0 as well: no verdict on isolated modes."""
    settings = SETTINGS | {"shape": (4, 4), "trajectories": 200}
    found = words(freezing_verdicts([sample(beta=beta, key=jax.random.key(3), **settings) for beta in (1.0, 7.0)]))
    assert "sec2-hmc-isolated-modes" not in found


def test_a_run_that_remembers_its_start_decides_nothing(ensembles, many):
    cold = [data.assign_attrs(thermalization=3) for data in ensembles]
    assert not {"eq11-metropolis-corrects", "sec2-hmc-isolated-modes"} & set(words(freezing_verdicts(cold)))
    assert variance_verdict(many.assign_attrs(thermalization=3)) == []


def test_dominance_of_charge_zero_can_fail(ensembles, monkeypatch):
    monkeypatch.setattr(verdicts, "torus", lambda beta, shape: exact.torus(14 / beta if beta < 10 else beta, shape))
    assert words(freezing_verdicts(ensembles))["sec1-zero-sector-dominates"] == "does not hold"
    monkeypatch.setattr(verdicts, "torus", lambda beta, shape: exact.torus(min(beta, 10.0), shape))
    assert words(freezing_verdicts(ensembles))["sec1-zero-sector-dominates"] == "does not hold"


def test_a_sampler_without_metropolis_test_is_found_out(ensembles):
    """The kernel's leapfrog with every trajectory accepted and steps so coarse that the averages shift."""
    wrong = everything_accepted(beta=2.0, steps=3, step_size=0.35)
    assert float(wrong.acceptance.mean()) > verdicts.EVEN_CHANCE
    assert words(freezing_verdicts([wrong, ensembles[1]]))["eq11-metropolis-corrects"] == "does not hold"


def test_a_wrong_energy_is_found_out(ensembles):
    wrong = [data.assign(delta_h=data.delta_h + 0.1) for data in ensembles]
    assert words(freezing_verdicts(wrong))["eq11-metropolis-corrects"] == "does not hold"


def test_a_rough_agreement_decides_nothing_on_the_metropolis_test(ensembles):
    """Chains whose <exp(-dH)> is 0.8 or 1.2: right on average, with an error of 2.5 %."""
    offsets = np.log(np.where(np.arange(SETTINGS["chains"]) % 2, 0.8, 1.2))
    rough = [data.assign(delta_h=data.delta_h - xr.DataArray(offsets, dims="chain")) for data in ensembles]
    assert "eq11-metropolis-corrects" not in words(freezing_verdicts(rough))


@pytest.mark.parametrize("factor", [0.5, 2.0], ids=["Wolff's tau", "twice tau"])
def test_tau_in_another_convention_is_found_out(many, monkeypatch, factor):
    def wrong(series):
        found = right(series)
        tau = dataclasses.replace(found.tau, value=factor * found.tau.value, error=factor * found.tau.error)
        return dataclasses.replace(found, tau=tau)

    right = verdicts.autocorrelation
    monkeypatch.setattr(verdicts, "autocorrelation", wrong)
    assert words(variance_verdict(many)) == {"eq3-variance": "does not hold"}


@pytest.mark.parametrize("few", [{"chain": slice(250)}, {"trajectory": slice(40)}, {"trajectory": slice(7)}])
def test_too_few_samples_decide_nothing_on_the_convention(many, few):
    assert variance_verdict(many.isel(few)) == []
    assert variance_verdict(many.assign(plaquette=0 * many.plaquette)) == []


def everything_accepted(*, beta, steps, step_size):
    """HMC on 8 x 8 without eq. 11, as the Dataset that `sample` would give."""
    rng, theory = np.random.default_rng(7), Wilson(beta)

    @jax.jit
    def trajectory(links, momenta):
        end = leapfrog(Phase(links, momenta, theory.force(links)), theory, step_size=step_size, steps=steps)
        kinetic = ((end.momenta**2).sum(axis=(0, 1, 2)) - (momenta**2).sum(axis=(0, 1, 2))) / 2
        delta_h = theory.energy(end.links) - theory.energy(links) + kinetic
        return end.links, {
            **theory.observables(end.links),
            "acceptance": jnp.minimum(1, jnp.exp(-delta_h)),
            "delta_h": delta_h,
        }

    links, seen = jnp.zeros((2, *SETTINGS["shape"], SETTINGS["chains"])), []
    for _ in range(SETTINGS["thermalization"] + SETTINGS["trajectories"]):
        links, record = trajectory(links, rng.normal(size=links.shape))
        seen.append(record)
    kept = seen[SETTINGS["thermalization"] :]
    arrays = {name: (("trajectory", "chain"), np.array([record[name] for record in kept])) for name in kept[0]}
    price = {"steps": steps, "force_evaluations": 1, "seconds": 1.0}
    attrs = {"sampler": "hmc", "beta": beta, "thermalization": SETTINGS["thermalization"], **price}
    return xr.Dataset({**arrays, "links": (("mu", "t", "x", "chain"), np.asarray(links))}, attrs=attrs)
