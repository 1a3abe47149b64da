"""Estimates against sums by hand, on an ensemble made up for the purpose."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import xarray as xr

from tests.oracles import lattice as oracle
from triptych.errors import DataError
from triptych.lattice import measure, sample, torus
from triptych.lattice.samplers import HMC
from triptych.runs import Cost
from triptych.statistics import Estimate


@pytest.fixture
def ensemble():
    dims = ("chain", "trajectory")
    return xr.Dataset(
        {
            "plaquette": (dims, [[0.5, 0.7, 0.9], [0.6, 0.6, 0.9]]),
            "charge": (dims, [[0, 1, -1], [2, 2, 2]]),
            "real_charge": (dims, [[0.1, 0.8, -0.7], [1.5, 1.6, 1.4]]),
            "acceptance": (dims, [[1.0, 0.5, 1.0], [1.0, 1.0, 0.9]]),
            "delta_h": (dims, [[0.0, np.log(2), 0.0], [0.0, -np.log(4), 0.0]]),
        },
        attrs={"steps": 10, "force_evaluations": 62, "seconds": 1.5},
    )


def test_by_hand(ensemble):
    answer = measure(ensemble)
    assert (answer.plaquette.value, answer.plaquette.error) == (pytest.approx(0.7), pytest.approx(0.0))
    assert answer.charge_squared.value == pytest.approx((2 / 3 + 4) / 2)
    assert answer.charge_squared.error == pytest.approx((4 - 2 / 3) / 2)
    assert answer.acceptance.value == pytest.approx(0.9)
    assert answer.exp_minus_dh.value == pytest.approx((2.5 / 3 + 6 / 3) / 2)
    assert (answer.tunnelling_rate.value, answer.tunnelling_rate.error) == (pytest.approx(0.75), pytest.approx(0.75))


def test_json_has_the_promised_keys(ensemble):
    answer = json.loads(json.dumps(measure(ensemble).to_json(), allow_nan=False))
    assert set(answer) == {
        "plaquette",
        "charge_squared",
        "acceptance",
        "exp_minus_dh",
        "tunnelling_rate",
        "tau",
        "tau_method",
        "steps_per_trajectory",
        "cost",
        "independent_charge",
        "training",
    }
    assert answer["cost"] == {"force_evaluations": 62, "network_evaluations": 0, "seconds": 1.5}
    assert answer["steps_per_trajectory"] == 10
    assert {"value", "error"} <= set(answer["tunnelling_rate"])


def test_what_the_ensemble_does_not_tell_is_null(ensemble):
    bare = ensemble.drop_vars(["acceptance", "delta_h"]).drop_attrs()
    answer = measure(bare).to_json()
    unknown = ("acceptance", "exp_minus_dh", "steps_per_trajectory", "cost", "independent_charge", "training")
    assert {name: answer[name] for name in unknown} == dict.fromkeys(unknown)
    assert answer["plaquette"] == measure(ensemble).plaquette.to_json()


def test_price_of_an_independent_charge():
    """Independent charges have tau = 1: the price is that of one trajectory of one chain, by hand."""
    rng, dims = np.random.default_rng(2), ("chain", "trajectory")
    charge = rng.integers(-2, 3, (20, 500))
    attrs = {
        "steps": 16,
        "force_evaluations": 20 * (1 + 600 * 32),
        "network_evaluations": 20 * 600 * 64,
        "force_evaluations_per_trajectory": 32,
        "network_evaluations_per_trajectory": 64,
        "trajectories_done": 600,
        "sampling_seconds": 6.0,
        "seconds": 9.0,
        "training_seconds": 100.0,
        "training_force_evaluations": 5000,
    }
    values = {name: (dims, charge + 0.1 * rng.normal(size=charge.shape)) for name in ("plaquette", "real_charge")}
    answer = measure(xr.Dataset({**values, "charge": (dims, charge)}, attrs=attrs))
    tau, price = answer.tau["Q_Z"], answer.independent_charge
    assert abs(tau.pull(1.0)) < 4 and price["trajectories"] == tau
    for unit, each in {"force_evaluations": 32, "network_evaluations": 64, "seconds": 6.0 / (20 * 600)}.items():
        assert price[unit].value == pytest.approx(each * tau.value) and price[unit].error == pytest.approx(each * tau.error)
    assert answer.training == Cost(seconds=100.0, counts={"force_evaluations": 5000})
    assert answer.cost == Cost(seconds=9.0, counts={"force_evaluations": 384020, "network_evaluations": 768000})


@pytest.fixture(scope="module")
def frozen():
    """HMC on 8 x 8 at beta 6 from equilibrium: 10 times shorter than the charge's autocorrelation time."""
    settings = {"beta": 6.0, "shape": (8, 8), "chains": 1024, "trajectories": 300, "sampler": HMC(steps=8, step_size=0.125)}
    return sample(**settings, start="equilibrium", key=jax.random.key(4))


def test_frozen_charge_has_a_tau_by_its_exact_variance(frozen):
    """Other chains of the same sampler gave 3.15e3, with 5 %."""
    answer = measure(frozen)
    tau = answer.tau["Q_Z"]
    assert abs(tau.pull(Estimate.statistical(3150, 0.05 * 3150))) < 4 and tau.error < 0.15 * tau.value
    assert answer.tau_method == {"Q_Z": "exact variance", "Q_Z^2": "exact variance", "Q_R": None, "plaquette": None}
    assert answer.tau["Q_R"] is None and answer.tau["plaquette"] is None
    assert answer.tau["Q_Z^2"].value < 1.5 * tau.value
    assert answer.independent_charge["force_evaluations"].value == pytest.approx(8 * tau.value)


def test_equilibrium_starts_need_no_thermalization(frozen):
    """The averages are exact from the first trajectory on, also of the charge, which does not move."""
    first, truth = measure(frozen.isel(trajectory=slice(2))), torus(6.0, (8, 8))
    assert abs(first.plaquette.pull(truth.plaquette)) < 4 and first.plaquette.error < 1e-3
    assert abs(first.charge_squared.pull(truth.charge_squared)) < 4
    assert first.charge_squared.error < 0.1 * truth.charge_squared


def test_without_equilibrium_nothing_is_said_of_a_frozen_charge(frozen):
    """A cold start is not one, whatever the attributes say; nor is equilibrium known without beta, or from a few chains."""
    cold = frozen.assign(charge=frozen.charge * (frozen.chain < 8))
    for data in (frozen.assign_attrs(start="cold"), frozen.drop_attrs(), frozen.isel(chain=slice(7)), cold):
        answer = measure(data)
        assert set(answer.tau.values()) == {None} and answer.independent_charge is None


def test_variance_of_the_squared_charge():
    """Independent draws of Q from the exact sectors, each kept for as long as a coin decides: tau of Q^2 is that of the coin."""
    rng, hop, shape = np.random.default_rng(8), 0.01, (6000, 150)
    sectors = torus(3.0, (6, 6)).sectors
    charges = np.array([*sectors, *(-q for q in sectors if q)])
    fresh = rng.choice(charges, size=shape, p=(p := np.array([sectors[abs(q)] for q in charges])) / p.sum())
    latest = np.maximum.accumulate(np.where((rng.random(shape) < hop) | (np.arange(150) == 0), np.arange(150), 0), axis=1)
    charge = np.take_along_axis(fresh, latest, axis=1)
    dims, attrs = ("chain", "trajectory"), {"beta": 3.0, "shape": [6, 6], "start": "equilibrium"}
    values = {name: (dims, charge.astype(float)) for name in ("plaquette", "real_charge", "charge")}
    tau = measure(xr.Dataset(values, attrs=attrs)).tau
    for name in ("Q_Z", "Q_Z^2"):
        assert abs(tau[name].pull(2 / hop - 1)) < 4 and tau[name].error < 0.1 * tau[name].value


def test_one_chain_has_errors_by_the_gamma_method():
    """An AR(1) series: the error of its mean is known."""
    rng, length, memory = np.random.default_rng(6), 40_000, 0.8
    noise, series = rng.normal(size=length), np.zeros(length)
    for now in range(1, length):
        series[now] = memory * series[now - 1] + noise[now]
    dims = ("chain", "trajectory")
    values = dict.fromkeys(("plaquette", "charge", "real_charge"), (dims, series[None]))
    answer = measure(xr.Dataset(values))
    tau = (1 + memory) / (1 - memory)
    assert answer.plaquette.error == pytest.approx(np.sqrt(tau * series.var() / length), rel=0.1)
    assert abs(answer.tau["Q_Z"].pull(tau)) < 4
    still = measure(xr.Dataset({name: (dims, np.ones((1, 10))) for name in values}))
    assert (still.charge_squared.value, still.charge_squared.error) == (1.0, 0.0)


def test_tau_of_the_charge_against_an_independent_implementation():
    """Another HMC, in NumPy, and another estimator: the plain sum of 1 + 2 rho with the exact mean, errors by jackknife."""
    settings = {"beta": 2.0, "chains": 200, "trajectories": 600, "thermalization": 60}
    charges, _ = oracle.hmc(side=6, steps=6, step_size=1 / 6, rng=np.random.default_rng(3), **settings)
    known = Estimate.statistical(*oracle.autocorrelation_time(charges, window=30))
    tau = measure(sample(shape=(6, 6), key=jax.random.key(5), sampler=HMC(steps=6, step_size=1 / 6), **settings)).tau
    assert abs(tau["Q_Z"].pull(known)) < 4
    assert np.hypot(tau["Q_Z"].error, known.error) < 0.06 * known.value
    assert abs(tau["Q_Z"].pull(tau["Q_R"])) < 4
    assert 1 < tau["plaquette"].value < known.value


def test_nothing_that_moves_has_no_tau(ensemble):
    still = ensemble.isel(trajectory=[0] * 20).assign_coords(trajectory=range(20))
    for data in (still, ensemble):  # three trajectories say nothing
        answer = measure(data)
        assert answer.tau == {"Q_Z": None, "Q_Z^2": None, "Q_R": None, "plaquette": None}
        assert answer.tau_method == answer.tau


def test_order_of_dimensions_does_not_matter(ensemble):
    assert measure(ensemble.transpose("trajectory", "chain")) == measure(ensemble)


def test_refusals(ensemble):
    for bad in (ensemble.drop_vars("charge"), ensemble.isel(chain=0), ensemble.drop_vars("real_charge")):
        with pytest.raises(DataError, match="no usable"):
            measure(bad)
    for bad in (ensemble.isel(chain=[0]), ensemble.isel(trajectory=[0])):
        with pytest.raises(DataError, match="too little"):
            measure(bad)
