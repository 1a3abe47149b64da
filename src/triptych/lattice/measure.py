"""What an ensemble says, with errors.

In: the Dataset of `sample`. Out: estimates of the observables, and their price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.lattice.action import tunnelling
from triptych.runs import Cost
from triptych.statistics import Estimate, autocorrelation, mean_over_chains

NEEDED = ("plaquette", "charge", "real_charge", "acceptance", "delta_h")
PRICE = ("steps", "force_evaluations", "seconds")
SHORTEST_FOR_TAU = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Estimates from one ensemble, in lattice units.

    Attributes
    ----------
    plaquette : <cos x_P>.
    charge_squared : <Q_Z^2>.
    acceptance : mean acceptance probability.
    exp_minus_dh : <exp(-delta H)>, which is 1 in equilibrium.
    tunnelling_rate : mean ``|Q_Z(i + 1) - Q_Z(i)|`` a trajectory (eq. 6).
    tau : integrated autocorrelation times 1 + 2 sum rho of Q_Z, Q_R and the plaquette, in trajectories, by the Gamma method with
        the charges' exact mean 0; None where the chains are shorter than 5 tau of Q_Z: see
        :func:`triptych.statistics.frozen_autocorrelation_time` for what can be done then.
    steps_per_trajectory : leapfrog steps.
    cost : force evaluations of all chains, network evaluations (none), seconds.
    """

    plaquette: Estimate
    charge_squared: Estimate
    acceptance: Estimate
    exp_minus_dh: Estimate
    tunnelling_rate: Estimate
    tau: dict[str, Estimate | None]
    steps_per_trajectory: int
    cost: Cost

    def to_json(self) -> dict[str, Any]:
        """The estimates as JSON; the acceptance as a plain number."""
        return {
            "plaquette": self.plaquette.to_json(),
            "charge_squared": self.charge_squared.to_json(),
            "acceptance": self.acceptance.value,
            "exp_minus_dh": self.exp_minus_dh.to_json(),
            "tunnelling_rate": self.tunnelling_rate.to_json(),
            "tau": {name: None if tau is None else tau.to_json() for name, tau in self.tau.items()},
            "steps_per_trajectory": self.steps_per_trajectory,
            "cost": self.cost.to_json(),
        }


def measure(data: xr.Dataset) -> Measurement:
    """Estimate the observables of an ensemble from the spread of its chains.

    The chains are taken as independent and in equilibrium. Where the charge is frozen they are not: each remembers the sector it
    started from, <Q_Z^2> is that of the start, and the error, which knows nothing of sectors never visited, is too small.

    Raises
    ------
    DataError
        If the Dataset is not an ensemble of at least two chains and two trajectories, or lacks its price among the attributes.

    Examples
    --------
    >>> import jax
    >>> from triptych.lattice.sample import sample
    >>> data = sample(beta=2.0, shape=(4, 4), chains=8, trajectories=200, thermalization=50, key=jax.random.key(1))
    >>> abs(measure(data).exp_minus_dh.pull(1.0)) < 4
    True
    """
    for name in NEEDED:
        if name not in data or set(data[name].dims) != {"chain", "trajectory"} or min(data[name].shape) < 2:
            raise DataError(
                f"the ensemble has no usable {name!r}",
                got=dict(data[name].sizes) if name in data else sorted(map(str, data.data_vars)),
                expected="dims chain >= 2 and trajectory >= 2",
                fix="give the results.nc of a sample run",
            )
    if missing := [name for name in PRICE if name not in data.attrs]:
        raise DataError(
            "the ensemble does not say what it took",
            got=f"attributes without {', '.join(missing)}",
            expected=f"the attributes {', '.join(PRICE)}",
            fix="give the results.nc of a sample run, or keep the attributes (xarray.set_options(keep_attrs=True))",
        )
    plaquette, charge, real_charge, acceptance, delta_h = (
        data[name].transpose("chain", "trajectory").to_numpy() for name in NEEDED
    )
    counts = {"force_evaluations": int(data.attrs["force_evaluations"]), "network_evaluations": 0}
    return Measurement(
        plaquette=mean_over_chains(plaquette),
        charge_squared=mean_over_chains(charge.astype(float) ** 2),
        acceptance=mean_over_chains(acceptance),
        exp_minus_dh=mean_over_chains(np.exp(-delta_h)),
        tunnelling_rate=mean_over_chains(tunnelling(charge)),
        tau=_taus(charge, real_charge, plaquette),
        steps_per_trajectory=int(data.attrs["steps"]),
        cost=Cost(seconds=float(data.attrs["seconds"]), counts=counts),
    )


def _taus(
    charge: NDArray[np.float64], real_charge: NDArray[np.float64], plaquette: NDArray[np.float64]
) -> dict[str, Estimate | None]:
    """Autocorrelation times; where the charge is too slow for the run, the sectors' share of the others is missing too."""
    names = ("Q_Z", "Q_R", "plaquette")
    if charge.shape[1] < SHORTEST_FOR_TAU or not np.ptp(charge, axis=1).any():
        return dict.fromkeys(names)
    found = [autocorrelation(charge, mean=0.0), autocorrelation(real_charge, mean=0.0), autocorrelation(plaquette)]
    return {name: one.tau if found[0].long_enough and one.long_enough else None for name, one in zip(names, found, strict=True)}
