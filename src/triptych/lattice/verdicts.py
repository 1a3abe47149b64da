"""What the ensembles say of the paper's claims.

In: one HMC ensemble for each coupling, lowest first. Out: verdicts on the claims of foreman2021 that plain HMC decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.runs import Verdict
from triptych.statistics import autocorrelation, mean_over_chains

AGREES = 4.0  # combined standard deviations


def freezing_verdicts(ensembles: Sequence[xr.Dataset]) -> list[Verdict]:
    """Verdicts on Fig. 1, on eqs. 3, 10 and 11, and on what secs. 1.1 and 2.2 say of freezing."""
    found = [measure(data) for data in ensembles]
    betas = [float(data.beta) for data in ensembles]
    shape = (int(ensembles[0].sizes["t"]), int(ensembles[0].sizes["x"]))
    exact = [torus(beta, shape) for beta in betas]
    rates = [one.tunnelling_rate.value for one in found]
    where = f"{shape[0]}x{shape[1]}, beta {betas[0]:g} to {betas[-1]:g}"

    falls = all(high > low for high, low in pairwise(rates))
    balanced = [_pull(one.exp_minus_dh.pull(1.0)) for one in found]
    thawed, frozen = found[0], found[-1]
    right = _pull(thawed.charge_squared.pull(exact[0].charge_squared))
    wrong = _pull(frozen.charge_squared.pull(exact[-1].charge_squared))
    zero = [one.sectors[0] for one in exact]
    ratio, ratio_error = _error_ratio(ensembles[0]["plaquette"].transpose("chain", "trajectory").to_numpy())
    first, last = betas[0], betas[-1]
    return [
        _verdict("fig1-freezing", falls, f"tunnelling rate {rates[0]:.2g} to {rates[-1]:.2g} a trajectory ({where})"),
        _verdict(
            "sec1-tunnelling-vanishes",
            falls and rates[-1] < 0.01 * rates[0],
            f"{rates[-1]:.2g} a trajectory at beta {last:g}, {rates[0]:.2g} at {first:g}",
        ),
        _verdict(
            "sec1-zero-sector-dominates",
            bool(np.all(np.diff(zero) > 0)),
            f"exact P(Q = 0) rises from {zero[0]:.3f} to {zero[-1]:.3f} ({where})",
        ),
        _verdict(
            "eq11-metropolis-corrects",
            max(balanced) < AGREES and right < AGREES,
            f"<exp(-dH)> = 1 within {max(balanced):.1f} sigma at each beta",
        ),
        _verdict(
            "sec2-hmc-isolated-modes",
            right < AGREES < wrong,
            f"<Q^2> off by {right:.1f} sigma at beta {first:g}, by {wrong:.0f} at {last:g} (cold starts)",
        ),
        Verdict(
            id="foreman2021/eq3-variance",
            verdict="holds with another convention" if abs(ratio - 1) < AGREES * ratio_error else "does not hold",
            our_value=f"sqrt(tau Var / N) over the spread of chain means: {ratio:.2f}({100 * ratio_error:.0f})",
            note="with the factor 1/N that the printed equation lacks; tau = 1 + 2 sum rho",
        ),
    ]


def _error_ratio(series: np.ndarray) -> tuple[float, float]:
    """The mean's error by eq. 3 over its error from independent chains, and the uncertainty of the latter."""
    by_tau, by_chains = autocorrelation(series).mean.error, mean_over_chains(series).error
    assert by_tau is not None and by_chains is not None
    return by_tau / by_chains, 1 / np.sqrt(2 * (len(series) - 1))


def _pull(pull: float | None) -> float:
    assert pull is not None
    return abs(pull)


def _verdict(claim: str, holds: bool, ours: str) -> Verdict:
    return Verdict(id=f"foreman2021/{claim}", verdict="holds" if holds else "does not hold", our_value=ours)
