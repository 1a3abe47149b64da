"""Verdicts on the trained samplers fall either way, and do not fall where the data cannot decide."""

from __future__ import annotations

import dataclasses
import importlib

import equinox as eqx
import jax
import numpy as np
import pytest
import xarray as xr

from triptych.lattice import sample, trained_verdicts, verdicts
from triptych.lattice.exact import torus
from triptych.lattice.measure import Measurement
from triptych.lattice.race import Finish
from triptych.lattice.samplers import HMC
from triptych.lattice.samplers.independent import Independent
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers
from triptych.lattice.trained_verdicts import (
    along_verdicts,
    annealing_verdict,
    charge_loss_verdict,
    layers_verdicts,
    race_verdicts,
    run_length_verdicts,
    training_verdict,
)
from triptych.lattice.verdicts import hmc_verdicts, real_charge_verdict
from triptych.runs import Cost, claims
from triptych.statistics import Estimate

BETAS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
NUMBER = Estimate.statistical


@pytest.fixture(autouse=True)
def quick_couplings(monkeypatch):
    """Effective couplings are looked for up to 100: the exact values at 3e4 take seconds."""
    monkeypatch.setattr(importlib.import_module("triptych.lattice.along"), "LARGEST_BETA", 100.0)


def words(found):
    return {one.id.partition("/")[2]: one.verdict for one in found}


def known(found):
    return {one.id for one in found} <= {f"{row.paper}/{row.id}" for row in claims.claims("foreman2021", runs=None)}


def finish(name, kind, beta, tau, *, relative=0.02, steps=20, plaquette_tau=5.0, rate=0.1, training=None):
    """A sampler with this tau of Q_Z; None is a charge that never moved."""
    charge = None if tau is None else NUMBER(tau, relative * tau)
    price = None if tau is None else {"force_evaluations": NUMBER(steps * tau, relative * steps * tau)}
    found = Measurement(
        plaquette=NUMBER(0.9, 1e-4),
        charge_squared=NUMBER(0.3, 0.01),
        acceptance=NUMBER(0.8, 0.01),
        exp_minus_dh=NUMBER(1.0, 0.01),
        tunnelling_rate=NUMBER(rate, 0.02 * rate),
        tau={"Q_Z": charge, "Q_Z^2": None, "Q_R": charge, "plaquette": NUMBER(plaquette_tau, 0.1)},
        tau_method=dict.fromkeys(("Q_Z", "Q_Z^2", "Q_R", "plaquette"), "gamma"),
        steps_per_trajectory=steps,
        cost=None,
        independent_charge=price,
        training=training,
    )
    return Finish(name=name, kind=kind, beta=beta, settings={}, chains=64, trajectories=100, found=found, p_value=0.5)


def field(trained=lambda beta: 3.0, hmc=lambda beta: 3.0**beta, betas=BETAS, **options):
    """HMC, whose tau grows with beta, its rivals, and a trained model."""
    return [
        one
        for beta in betas
        for one in (
            finish("HMC, N = 20", "hmc", beta, hmc(beta), rate=0.5 * 6.0 ** (2 - beta), **options),
            finish("tempered, N = 20", "tempered", beta, 12.0),
            finish("HMC and instantons", "instanton", beta, 4.0),
            finish("trained 0", "trained", beta, trained(beta), training=Cost(seconds=60.0)),
            finish("trained 1", "trained", beta, 1.1 * trained(beta), training=Cost(seconds=70.0)),
        )
    ]


def test_a_race_that_the_trained_model_wins():
    found = race_verdicts(field(), same=20)
    assert words(found) == dict.fromkeys(
        ("sec1-classical-alternatives", "fig4-tau-against-beta", "abstract-shorter-autocorrelation"), "holds"
    )
    assert known(found)
    note = next(one.note for one in found if "abstract" in one.id)
    assert "tempered" in note and "60 to 70 s" in note


def test_a_model_that_is_no_faster_at_one_coupling():
    """A little shorter is shorter, but not much; longer is neither."""
    little = words(race_verdicts(field(trained=lambda beta: 6.5 if beta == 2 else 3.0), same=20))
    assert (little["fig4-tau-against-beta"], little["abstract-shorter-autocorrelation"]) == ("does not hold", "holds")
    for where in (2, 7):
        slow = field(trained=lambda beta, where=where: 3000.0 if beta == where else 3.0)
        assert words(race_verdicts(slow, same=20))["abstract-shorter-autocorrelation"] == "does not hold"


def test_races_that_decide_nothing():
    judged = {"fig4-tau-against-beta", "abstract-shorter-autocorrelation"}
    assert not judged & set(words(race_verdicts(field(betas=BETAS[:-1]), same=20)))
    assert not judged & set(words(race_verdicts(field(hmc=lambda beta: None if beta == 7 else 3.0**beta), same=20)))
    assert "fig4-tau-against-beta" not in words(race_verdicts(field(trained=lambda beta: 4.2), same=20))


def test_the_axis_is_the_real_charge_where_it_is_known():
    """With tau(Q_R) of HMC as short as the model's, Fig. 4 fails, whatever tau(Q_Z) is."""
    entries = field()
    for number, one in enumerate(entries):
        if one.kind == "hmc":
            tau = {**one.found.tau, "Q_R": NUMBER(3.3, 0.01)}
            entries[number] = dataclasses.replace(one, found=dataclasses.replace(one.found, tau=tau))
    assert words(race_verdicts(entries, same=20))["fig4-tau-against-beta"] == "does not hold"


def test_instantons_can_lose():
    found = words(race_verdicts(field(hmc=lambda beta: 2.0), same=20))
    assert found["sec1-classical-alternatives"] == "does not hold"


def test_annealing():
    assert words(annealing_verdict(field(), same=20)) == {"sec3-annealing": "holds"}
    level = [dataclasses.replace(one, found=dataclasses.replace(one.found, tunnelling_rate=NUMBER(0.1, 1e-3))) for one in field()]
    assert words(annealing_verdict(level, same=20)) == {"sec3-annealing": "does not hold"}
    assert annealing_verdict(field(betas=BETAS[1:]), same=20) == []


def test_training_steps():
    before, after = {2.0: NUMBER(0.1, 0.01), 7.0: NUMBER(0.02, 0.001)}, {2.0: NUMBER(0.3, 0.01), 7.0: NUMBER(0.08, 0.003)}
    assert words(training_verdict(before, after, mode="single")) == {"sec3-training-step": "holds"}
    assert words(training_verdict(before, after, mode="merged")) == {"sec3-training-step": "holds with another convention"}
    assert words(training_verdict(after, before, mode="merged")) == {"sec3-training-step": "does not hold"}
    assert training_verdict(before, {**after, 2.0: before[2.0]}, mode="merged") == []


@pytest.mark.parametrize(("tau", "word"), [(4.0, "holds"), (5000.0, "does not hold"), (None, None)])
def test_the_paper_s_loss(tau, word):
    entries = field() + [finish("loss of eq. 15", "trained otherwise", beta, tau if beta == 7 else 2.0) for beta in BETAS]
    assert words(charge_loss_verdict(entries, same=20)) == ({} if word is None else {"eq15-loss": word})
    assert charge_loss_verdict(field(), same=20) == []


def lengths(trained, hmc=300.0, **options):
    rows = [("HMC, N = 20", "hmc", hmc), ("HMC, N = 40", "hmc", hmc / 2)]
    rows += [("trained, N_LF = 9", "trained", trained / 2), ("trained, N_LF = 10", "trained", trained)]
    return [finish(name, kind, 5.0, tau, **options) for name, kind, tau in rows]


def test_every_number_of_layers_counts():
    assert words(run_length_verdicts(lengths(10.0)))["fig5-beta-5"] == "holds"
    assert words(run_length_verdicts(lengths(200.0)))["fig5-beta-5"] == "does not hold"
    assert "fig5-beta-5" not in words(run_length_verdicts(lengths(150.0)))
    assert "fig5-beta-5" not in words(run_length_verdicts(lengths(10.0, hmc=300.0)[:3]))
    assert known(run_length_verdicts(lengths(10.0)))


@pytest.mark.parametrize(("energy", "word"), [(5.0, "does not hold"), (80.0, "holds"), (10.1, None)])
def test_a_random_walk_of_the_energy(energy, word):
    found = words(run_length_verdicts(lengths(10.0, plaquette_tau=energy)))
    assert found.get("sec2-hmc-random-walk") == word
    fast = words(run_length_verdicts(lengths(10.0, hmc=50.0, plaquette_tau=energy)))
    assert "sec2-hmc-random-walk" not in fast


def trajectory(beta, *, depth=None, left=1.0, hops=(0.0, 0.3, 0.0), chains=400, steps=20):
    """Plaquettes that fall from the exact value to that at coupling `depth` and return, and charges that hop in between."""
    rng, place = np.random.default_rng(int(10 * beta)), np.linspace(0, 1, steps + 1)
    truth = torus(beta, (8, 8)).plaquette
    dip = 0.0 if depth is None else truth - torus(depth, (8, 8)).plaquette
    bump = np.sin(np.pi * place) ** 2
    rise = 0.0 if depth is None else 60.0
    rates = np.repeat(hops, [steps // 4, steps - 2 * (steps // 4), steps // 4])
    moves = rng.choice([-1, 0, 1], p=[1 / 2, 0, 1 / 2], size=(chains, steps)) * (rng.random((chains, steps)) < rates)
    charge = np.concatenate([np.zeros((chains, 1), int), moves.cumsum(axis=1).astype(int)], axis=1)
    noise = 0.01 * rng.normal(size=(chains, steps + 1))
    values = {
        "plaquette": truth - dip * bump + noise,
        "energy": rise * bump + left * place + 10 * noise,
        "charge": charge,
        "real_charge": charge + noise,
    }
    values["energy"][:, 0] = 0
    attrs = {"beta": beta, "shape": [8, 8], "plaquette_exact": truth, "mode": "merged"}
    return xr.Dataset({name: (("chain", "step"), value) for name, value in values.items()}, attrs=attrs)


ALONG = (
    "fig6-energy-rises-mid-trajectory",
    "fig6-charge-mixes-mid-trajectory",
    "fig7-plaquette-along-trajectory",
    "fig7-beta-7-looks-like-beta-3",
)


def test_trajectories_as_the_paper_has_them():
    found = along_verdicts([trajectory(beta, depth=min(beta - 0.5, 3.0)) for beta in BETAS[1:]])
    assert words(found) == dict.fromkeys(ALONG, "holds") and known(found)


def test_trajectories_as_of_hmc():
    found = words(along_verdicts([trajectory(beta, hops=(0.3, 0.1, 0.3)) for beta in BETAS[1:]]))
    expected = dict.fromkeys(ALONG, "does not hold")
    del expected["fig7-plaquette-along-trajectory"]  # a plaquette that stays where it is may dip a little
    assert found == expected


def test_an_energy_that_does_not_come_back_and_a_coupling_reduced_further():
    found = words(along_verdicts([trajectory(7.0, depth=1.5, left=40.0)]))
    assert found["fig6-energy-rises-mid-trajectory"] == found["fig7-beta-7-looks-like-beta-3"] == "does not hold"
    assert "fig7-plaquette-along-trajectory" not in found


def test_trajectories_that_decide_nothing():
    assert along_verdicts([trajectory(7.0, depth=3.0, chains=20)]) == []
    assert "fig6-charge-mixes-mid-trajectory" not in words(along_verdicts([trajectory(7.0, depth=3.0, hops=(0.1, 0.1, 0.1))]))
    assert "fig7-beta-7-looks-like-beta-3" not in words(along_verdicts([trajectory(7.0, depth=2.5)]))
    rises = [trajectory(beta, depth=beta + 1.0 if beta == 5 else 2.0) for beta in BETAS[1:]]
    assert words(along_verdicts(rises))["fig7-plaquette-along-trajectory"] == "does not hold"


LAYERS = ("sec3-reversible-update", "sec3-direction", "fig3-generalized-leapfrog", "eq14-network-outputs")
DENSE = {"step_size": 0.15, "heat": 0.05, "mode": "single", "width": 8, "depth": 1}


@pytest.fixture(scope="module")
def layers():
    """A dense model in a mode that changes volume, and an ensemble as it should come out: exact draws."""
    model = LeapfrogLayers.new(shape=(2, 4), layers=3, key=jax.random.key(1), **DENSE)
    data = sample(
        beta=2.0, shape=(2, 4), chains=256, trajectories=200, sampler=Independent(), start="equilibrium", key=jax.random.key(2)
    )
    return model, data


def test_layers(layers):
    found = layers_verdicts(*layers)
    assert words(found) == dict.fromkeys((*LAYERS, "eq16-jacobian-in-acceptance"), "holds") and known(found)


@pytest.mark.slow
def test_the_layers_own_ensemble():
    """Sampled by the model itself; without log J in the test, what it samples is wrong."""
    model = LeapfrogLayers.new(shape=(4, 4), layers=3, key=jax.random.key(1), **DENSE)
    settings = {"beta": 2.0, "shape": (4, 4), "chains": 256, "trajectories": 400, "start": "equilibrium"}
    data = sample(sampler=model, key=jax.random.key(2), **settings)
    assert words(layers_verdicts(model, data)) == dict.fromkeys((*LAYERS, "eq16-jacobian-in-acceptance"), "holds")

    class Forgetful(LeapfrogLayers):
        def forward(self, *arguments):
            end, log_jacobian = LeapfrogLayers.forward(self, *arguments)
            return end, 0 * log_jacobian

        def backward(self, *arguments):
            end, log_jacobian = LeapfrogLayers.backward(self, *arguments)
            return end, 0 * log_jacobian

    hot = eqx.tree_at(lambda one: one.layers.log_kick, model, model.layers.log_kick + 0.7)
    forgetful = Forgetful(hot.layers, hot.kicks, hot.drifts, "single")
    wrong = sample(sampler=forgetful, key=jax.random.key(3), **settings)
    assert words(layers_verdicts(model, wrong))["eq16-jacobian-in-acceptance"] == "does not hold"


def test_merged_layers_have_no_direction(layers):
    _, data = layers
    merged = LeapfrogLayers.new(shape=(2, 4), layers=3, step_size=0.15, heat=0.05, key=jax.random.key(1))
    found = words(layers_verdicts(merged, data))
    assert found["sec3-direction"] == "holds with another convention"
    assert "eq14-network-outputs" not in found  # there are no dense layers
    assert "eq16-jacobian-in-acceptance" not in found  # the layers' scales cancel


def test_an_inverse_that_is_none_is_found_out(layers, monkeypatch):
    """A millionth of a turn off."""
    _, data = layers
    model = LeapfrogLayers.new(shape=(2, 4), layers=2, step_size=0.15, heat=0.05, key=jax.random.key(1))  # compiled here alone
    module = trained_verdicts.LeapfrogLayers
    right = module.backward

    def wrong(self, start, theory, watch=None):
        end, log_jacobian = right(self, start, theory)
        return end._replace(links=end.links + 1e-6), log_jacobian

    monkeypatch.setattr(module, "backward", wrong)
    found = words(layers_verdicts(model, data))
    assert found["sec3-reversible-update"] == found["sec3-direction"] == "does not hold"


def test_averages_without_the_jacobian_are_found_out(layers):
    model, data = layers
    shifted = data.assign(plaquette=data.plaquette + 0.02)
    assert words(layers_verdicts(model, shifted))["eq16-jacobian-in-acceptance"] == "does not hold"
    few = layers_verdicts(model, data.isel(trajectory=slice(3)))
    assert "eq16-jacobian-in-acceptance" not in words(few)
    cold = data.assign_attrs(start="cold", thermalization=0)
    assert "eq16-jacobian-in-acceptance" not in words(layers_verdicts(model, cold))


def test_a_network_that_sees_raw_angles_is_found_out(layers, monkeypatch):
    model, data = layers
    dense = type(model.kicks.dense)
    right = dense.__call__

    def raw(self, links, visible, field):
        return [one + 0.01 * links for one in right(self, links, visible, field)]

    monkeypatch.setattr(dense, "__call__", raw)
    assert words(layers_verdicts(model, data))["eq14-network-outputs"] == "does not hold"


@pytest.fixture(scope="module")
def hmc():
    """As in the paper's weaker couplings: slow enough that a rate says something."""
    return sample(
        beta=4.0,
        shape=(4, 4),
        chains=128,
        trajectories=1000,
        sampler=HMC(steps=6, step_size=0.2),
        start="equilibrium",
        key=jax.random.key(3),
    )


HMC_CLAIMS = {
    "eq4-wilson-action": "holds",
    "eq5-integer-charge": "holds",
    "eq10-leapfrog": "holds with another convention",
    "eq6-tunnelling-rate": "holds",
    "eq7-joint-density": "holds",
}


def test_hmc(hmc):
    found = hmc_verdicts(hmc)
    assert words(found) == HMC_CLAIMS and known(found)


def test_hmc_claims_can_fail(hmc):
    assert words(hmc_verdicts(hmc.assign(action=1.001 * hmc.action)))["eq4-wilson-action"] == "does not hold"
    assert words(hmc_verdicts(hmc.assign(charge=hmc.charge + 1)))["eq5-integer-charge"] == "does not hold"
    assert words(hmc_verdicts(hmc.assign(delta_h=hmc.delta_h + 0.1)))["eq7-joint-density"] == "does not hold"
    doubled = hmc.assign(charge=3 * hmc.charge)
    assert words(hmc_verdicts(doubled))["eq6-tunnelling-rate"] == "does not hold"


def test_a_leapfrog_with_the_old_force_is_found_out(hmc, monkeypatch):
    """The printed step in the place of ours: nothing is reversible any more."""

    def printed(now, theory, *, step_size, steps):
        moved = verdicts.drift(verdicts.kick(now, step_size / 2), theory, step_size)
        return moved._replace(momenta=moved.momenta - step_size / 2 * now.force)

    monkeypatch.setattr(verdicts, "leapfrog", printed)
    assert words(hmc_verdicts(hmc))["eq10-leapfrog"] == "does not hold"


def test_small_hmc_runs_decide_the_exact_claims_alone(hmc):
    exact = {"eq4-wilson-action", "eq5-integer-charge", "eq10-leapfrog"}
    assert set(words(hmc_verdicts(hmc.isel(chain=slice(20))))) == exact
    assert set(words(hmc_verdicts(hmc.assign_attrs(start="cold", thermalization=2)))) == exact


def test_real_charge():
    data = sample(beta=7.0, shape=(8, 8), chains=64, trajectories=50, sampler=Independent(), key=jax.random.key(4))
    assert words(real_charge_verdict(data)) == {"eq15-real-charge": "holds"}
    off = data.assign(real_charge=data.real_charge + 0.5)
    assert words(real_charge_verdict(off)) == {"eq15-real-charge": "does not hold"}
    assert real_charge_verdict(data.assign_attrs(beta=2.0)) == [] == real_charge_verdict(data.isel(chain=slice(20)))
    ninety = data.assign(real_charge=data.charge + 1.0 * (np.random.default_rng(1).random(data.charge.shape) < 0.1))
    assert real_charge_verdict(ninety) == []
