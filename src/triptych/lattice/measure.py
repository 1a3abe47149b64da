"""What an ensemble says, with errors.

In: the Dataset of `sample`, or of `files.read`. Out: estimates of the observables, and the price of an independent charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import ConfigError, ConvergenceError, DataError
from triptych.lattice.action import tunnelling
from triptych.lattice.exact import torus
from triptych.runs import Cost
from triptych.statistics import Estimate, autocorrelation, frozen_autocorrelation_time, mean_over_chains

NEEDED = ("plaquette", "charge", "real_charge")
SHORTEST_FOR_TAU = 8
TIMES = ("Q_Z", "Q_Z^2", "Q_R", "plaquette")
GAMMA, EXACT_VARIANCE = "gamma", "exact variance"
Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Estimates from one ensemble, in lattice units. What the ensemble does not tell is None.

    Attributes
    ----------
    plaquette : <cos x_P>.
    charge_squared : <Q_Z^2>.
    acceptance : mean acceptance probability.
    exp_minus_dh : <exp(-delta H)>, which is 1 in equilibrium.
    tunnelling_rate : mean ``|Q_Z(i + 1) - Q_Z(i)|`` a trajectory (eq. 6).
    tau : integrated autocorrelation times 1 + 2 sum rho of Q_Z, Q_Z^2, Q_R and the plaquette, in trajectories (in draws, where
        the ensemble comes as link angles). None where the run is too short for either method.
    tau_method : how each was found. "gamma": by the Gamma method, with the charges' exact mean 0, where a chain is at least 5
        tau long. "exact variance": from the change of Q_Z or Q_Z^2 between trajectories and their exact variance on the torus
        (:func:`triptych.statistics.frozen_autocorrelation_time`), where the charge is slower than that and the chains started
        in equilibrium. For Q_R the exact variance is not known here.
    steps_per_trajectory : leapfrog steps.
    cost : force and network evaluations of all chains, and seconds.
    independent_charge : the price of one independent value of Q_Z: tau as "trajectories", and times what a chain's trajectory
        takes in "force_evaluations", "network_evaluations" and "seconds" (wall clock over chains and trajectories, without
        compilation). None where tau of Q_Z is.
    training : what the training of the sampler took; None for samplers that are not trained.
    """

    plaquette: Estimate
    charge_squared: Estimate
    acceptance: Estimate | None
    exp_minus_dh: Estimate | None
    tunnelling_rate: Estimate
    tau: dict[str, Estimate | None]
    tau_method: dict[str, str | None]
    steps_per_trajectory: int | None
    cost: Cost | None
    independent_charge: dict[str, Estimate] | None
    training: Cost | None

    def to_json(self) -> dict[str, Any]:
        """The estimates as JSON; the acceptance as a plain number."""
        return {
            "plaquette": self.plaquette.to_json(),
            "charge_squared": self.charge_squared.to_json(),
            "acceptance": None if self.acceptance is None else self.acceptance.value,
            "exp_minus_dh": None if self.exp_minus_dh is None else self.exp_minus_dh.to_json(),
            "tunnelling_rate": self.tunnelling_rate.to_json(),
            "tau": {name: None if tau is None else tau.to_json() for name, tau in self.tau.items()},
            "tau_method": self.tau_method,
            "steps_per_trajectory": self.steps_per_trajectory,
            "cost": None if self.cost is None else self.cost.to_json(),
            "independent_charge": self.independent_charge
            and {unit: price.to_json() for unit, price in self.independent_charge.items()},
            "training": None if self.training is None else self.training.to_json(),
        }


def measure(data: xr.Dataset) -> Measurement:
    """Estimate the observables of an ensemble from the spread of its chains, or of one chain by the Gamma method.

    The chains are taken as independent and in equilibrium. Where the charge is frozen they are not, unless they started there:
    each remembers the sector it started from, <Q_Z^2> is that of the start, and the error, which knows nothing of sectors never
    visited, is too small.

    Parameters
    ----------
    data : `plaquette`, `charge` and `real_charge` with dims (chain, trajectory), and `acceptance` and `delta_h` where they are
        known. Of the attributes, `beta`, `shape` and `start` (or `sampler`) allow the exact variance; the price is read from
        those that `sample` writes.

    Raises
    ------
    DataError
        If the Dataset is not an ensemble of at least two trajectories, or of one chain with fewer than 8.

    Notes
    -----
    Time grows as chains x trajectories x log(trajectories).

    Examples
    --------
    >>> import jax
    >>> from triptych.lattice.sample import sample
    >>> data = sample(beta=2.0, shape=(4, 4), chains=8, trajectories=200, thermalization=50, key=jax.random.key(1))
    >>> abs(measure(data).exp_minus_dh.pull(1.0)) < 4
    True
    """
    plaquette, charge, real_charge = (_series(data, name) for name in NEEDED)
    acceptance, delta_h = (_series(data, name) if name in data else None for name in ("acceptance", "delta_h"))
    found = _taus(data, plaquette, charge, real_charge)
    return Measurement(
        plaquette=_mean(plaquette),
        charge_squared=_mean(charge**2),
        acceptance=None if acceptance is None else _mean(acceptance),
        exp_minus_dh=None if delta_h is None else _mean(np.exp(-delta_h)),
        tunnelling_rate=_mean(tunnelling(charge)),
        tau={name: tau for name, (tau, _) in found.items()},
        tau_method={name: method for name, (_, method) in found.items()},
        steps_per_trajectory=int(data.attrs["steps"]) if "steps" in data.attrs else None,
        cost=_cost(data),
        independent_charge=_independent_charge(data, found["Q_Z"][0]),
        training=_training(data),
    )


def _series(data: xr.Dataset, name: str) -> Series:
    """One observable as [chain, trajectory]."""
    if name not in data or set(data[name].dims) != {"chain", "trajectory"}:
        raise DataError(
            f"the ensemble has no usable {name!r}",
            got=dict(data[name].sizes) if name in data else sorted(map(str, data.data_vars)),
            expected="dims chain and trajectory",
            fix="give the results.nc of a sample run",
        )
    series = data[name].transpose("chain", "trajectory").to_numpy().astype(np.float64)
    chains, length = series.shape
    if chains < 1 or length < (2 if chains > 1 else SHORTEST_FOR_TAU):
        raise DataError(
            f"the ensemble has too little of {name!r} for an error",
            got=f"{chains} chains of {length}",
            expected=f"chains of 2 or more, or one of {SHORTEST_FOR_TAU} or more",
        )
    return series


def _mean(series: Series) -> Estimate:
    """Mean and error: from the spread of the chains, or of one chain by the Gamma method (0 where nothing moved)."""
    if len(series) > 1:
        return mean_over_chains(series)
    if series.shape[1] < SHORTEST_FOR_TAU or np.ptp(series) == 0:
        return Estimate.statistical(float(series.mean()), 0.0)
    return autocorrelation(series).mean


def _taus(
    data: xr.Dataset, plaquette: Series, charge: Series, real_charge: Series
) -> dict[str, tuple[Estimate | None, str | None]]:
    """Autocorrelation times and how they were found.

    Where the charge is too slow for the Gamma method, the sectors' share of the others is missing too; the charge and its square
    are then left to their exact variances.
    """
    found: dict[str, tuple[Estimate | None, str | None]] = dict.fromkeys(TIMES, (None, None))
    if charge.shape[1] >= SHORTEST_FOR_TAU and np.ptp(charge, axis=1).any():
        slow = autocorrelation(charge, mean=0.0)
        if slow.long_enough:
            others = {"Q_R": (real_charge, 0.0), "plaquette": (plaquette, None), "Q_Z^2": (charge**2, None)}
            times = {name: autocorrelation(series, mean=mean) for name, (series, mean) in others.items() if np.ptp(series) > 0}
            found |= {name: (one.tau, GAMMA) for name, one in {"Q_Z": slow, **times}.items() if one.long_enough}
    variances = _exact_variances(data) if found["Q_Z"][0] is None else {}
    for name, variance in variances.items():
        try:
            tau = frozen_autocorrelation_time(charge if name == "Q_Z" else charge**2, variance)
        except (ConfigError, ConvergenceError):  # too few chains, hardly a hop, or no equilibrium after all
            continue
        found[name] = tau, EXACT_VARIANCE
    return found


def _exact_variances(data: xr.Dataset) -> dict[str, float]:
    """Variances of Q_Z and Q_Z^2 on the torus, for ensembles that started in equilibrium; else nothing."""
    attrs = data.attrs
    if not ("beta" in attrs and "shape" in attrs and (attrs.get("start") == "equilibrium" or attrs.get("sampler") == "exact")):
        return {}
    height, width = (int(n) for n in attrs["shape"])
    try:
        truth = torus(float(attrs["beta"]), (height, width))
    except ConfigError:  # too large for the exact values
        return {}
    fourth = 2 * sum(charge**4 * probability for charge, probability in truth.sectors.items())
    return {"Q_Z": truth.charge_squared, "Q_Z^2": fourth - truth.charge_squared**2}


def _cost(data: xr.Dataset) -> Cost | None:
    if not {"force_evaluations", "seconds"} <= set(data.attrs):
        return None
    counts = {name: int(data.attrs.get(name, 0)) for name in ("force_evaluations", "network_evaluations")}
    return Cost(seconds=float(data.attrs["seconds"]), counts=counts)


def _training(data: xr.Dataset) -> Cost | None:
    if "training_seconds" not in data.attrs:
        return None
    counts = {"force_evaluations": int(data.attrs.get("training_force_evaluations", 0))}
    return Cost(seconds=float(data.attrs["training_seconds"]), counts=counts)


def _independent_charge(data: xr.Dataset, tau: Estimate | None) -> dict[str, Estimate] | None:
    """Tau times what one trajectory of one chain takes."""
    if tau is None:
        return None
    assert tau.error is not None
    attrs = data.attrs
    counts = ("force_evaluations", "network_evaluations")
    prices = {name: float(attrs[f"{name}_per_trajectory"]) for name in counts if f"{name}_per_trajectory" in attrs}
    if "sampling_seconds" in attrs:
        prices["seconds"] = float(attrs["sampling_seconds"]) / (
            int(attrs.get("chains", data.sizes["chain"])) * int(attrs["trajectories_done"])
        )
    return {
        unit: Estimate.statistical(price * tau.value, price * tau.error)
        for unit, price in {"trajectories": 1.0, **prices}.items()
    }
