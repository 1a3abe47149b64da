"""Estimates against sums by hand, on an ensemble made up for the purpose."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import xarray as xr

from tests.oracles import lattice as oracle
from triptych.errors import DataError
from triptych.lattice import measure, sample
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
        "steps_per_trajectory",
        "cost",
    }
    assert answer["cost"] == {"force_evaluations": 62, "network_evaluations": 0, "seconds": 1.5}
    assert answer["steps_per_trajectory"] == 10
    assert {"value", "error"} <= set(answer["tunnelling_rate"])


def test_tau_of_the_charge_against_an_independent_implementation():
    """Another HMC, in NumPy, and another estimator: the plain sum of 1 + 2 rho with the exact mean, errors by jackknife."""
    settings = {"beta": 2.0, "chains": 200, "trajectories": 600, "thermalization": 60, "steps": 6, "step_size": 1 / 6}
    charges, _ = oracle.hmc(side=6, rng=np.random.default_rng(3), **settings)
    known = Estimate.statistical(*oracle.autocorrelation_time(charges, window=30))
    tau = measure(sample(shape=(6, 6), key=jax.random.key(5), **settings)).tau
    assert abs(tau["Q_Z"].pull(known)) < 4
    assert np.hypot(tau["Q_Z"].error, known.error) < 0.06 * known.value
    assert abs(tau["Q_Z"].pull(tau["Q_R"])) < 4
    assert 1 < tau["plaquette"].value < known.value


def test_nothing_that_moves_has_no_tau(ensemble):
    frozen = ensemble.isel(trajectory=[0] * 20).assign_coords(trajectory=range(20))
    assert measure(frozen).tau == {"Q_Z": None, "Q_R": None, "plaquette": None}
    assert measure(ensemble).tau["Q_Z"] is None  # three trajectories say nothing


def test_order_of_dimensions_does_not_matter(ensemble):
    assert measure(ensemble.transpose("trajectory", "chain")) == measure(ensemble)


def test_refusals(ensemble):
    for bad in (ensemble.drop_vars("charge"), ensemble.isel(chain=[0]), ensemble.isel(trajectory=[0]), ensemble.isel(chain=0)):
        with pytest.raises(DataError, match="no usable"):
            measure(bad)


@pytest.mark.parametrize("missing", ["steps", "force_evaluations", "seconds"])
def test_an_ensemble_without_its_price_is_refused(ensemble, missing):
    ensemble.attrs.pop(missing)
    with pytest.raises(DataError, match=missing):
        measure(ensemble)
