"""What the ensembles say of the paper's claims.

In: HMC ensembles. Out: verdicts on the claims of foreman2021 that plain HMC decides. Where an ensemble is too small, too short or
too cold to decide a claim, there is no verdict on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import xarray as xr

from triptych.lattice.exact import LARGEST_BETA, RESOLUTION, Torus, torus
from triptych.lattice.measure import SHORTEST_FOR_TAU, Measurement, measure
from triptych.runs import Verdict
from triptych.statistics import Estimate, autocorrelation, mean_over_chains

AGREES = 4.0  # combined standard deviations
MANY = 30  # chains: from fewer, means lie 4 of their errors off too often (t distribution)
FIG1 = (2.0, 7.0)  # couplings of the paper's Fig. 1; claims on freezing need the whole range
KNOWN = 0.1  # largest relative error of a tunnelling rate or <Q^2> that others are compared with
FROZEN_SHARE = 0.01  # of the lowest coupling's tunnelling rate: below, the charge is called frozen
PRECISE = 0.01  # largest error of <exp(-dH)> and of the plaquette at which their agreement says something
EVEN_CHANCE = 0.5  # least acceptance: below, <exp(-dH)> lives on rare trajectories
BY_CHANCE = 1e-6  # probability that independent configurations would all have Q = 0, below which that means freezing
DOMINATES = 0.99  # P(Q = 0) that is called dominant
THERMAL = 5  # autocorrelation times of thermalization
LONG = 10  # autocorrelation times in a chain from which eq. 3 holds to a few per cent


def freezing_verdicts(ensembles: Sequence[xr.Dataset]) -> list[Verdict]:
    """Verdicts on Fig. 1, on eqs. 10 and 11, and on what secs. 1.1 and 2.2 say of freezing.

    Parameters
    ----------
    ensembles : one for each coupling, lowest first, all with the same lattice and number of chains.
    """
    found = [measure(data) for data in ensembles]
    betas = [float(data.beta) for data in ensembles]
    shape = (int(ensembles[0].sizes["t"]), int(ensembles[0].sizes["x"]))
    exact = [torus(beta, shape) for beta in betas]
    thermal = _thermal(ensembles[0], found[0].tau["Q_Z"])
    verdicts = _dominance(betas, exact, shape)
    if min(data.sizes["chain"] for data in ensembles) < MANY:
        return verdicts
    if thermal and betas[0] > 0:
        verdicts += _metropolis(betas[0], found, exact[0])
    if betas[0] <= FIG1[0] and betas[-1] >= FIG1[1]:
        hops = int(ensembles[0].sizes["chain"]) * (int(ensembles[0].sizes["trajectory"]) - 1)
        verdicts += _freezing(betas, shape, [one.tunnelling_rate for one in found], hops)
        if thermal:
            verdicts += _isolation(betas, found, exact, ensembles[-1])
    return verdicts


def variance_verdict(data: xr.Dataset) -> list[Verdict]:
    """The verdict on eq. 3, from the plaquette's error by tau and by the spread of the chains' means.

    In another convention tau would be twice or half as large, and the ratio of the two errors would be off by sqrt(2). There is
    a verdict where the ratio is known well enough that the 4 sigma intervals around 1 and around sqrt(2) do not touch: from some
    300 chains on.
    """
    series = data["plaquette"].transpose("chain", "trajectory").to_numpy()
    chains, length = series.shape
    by_chains = _error(mean_over_chains(series))
    if length < SHORTEST_FOR_TAU or by_chains == 0:
        return []
    tau = autocorrelation(series).tau
    ratio = math.sqrt(tau.value * float(series.var()) / series.size) / by_chains
    relative = math.hypot(1 / math.sqrt(2 * (chains - 1)), _error(tau) / (2 * tau.value))
    if not _thermal(data, tau) or length < LONG * tau.value or 2 * AGREES * relative > math.log(math.sqrt(2)):
        return []
    ratio_found = Estimate.statistical(ratio, ratio * relative)
    return [
        Verdict(
            id="foreman2021/eq3-variance",
            verdict="holds with another convention" if abs(math.log(ratio)) < AGREES * relative else "does not hold",
            our_value=f"sqrt(tau Var / N) over the spread of {chains} chain means: {ratio_found}",
            note="with the factor 1/N that the printed equation lacks; tau = 1 + 2 sum rho, in the other convention 0.71",
        )
    ]


def _dominance(betas: list[float], exact: list[Torus], shape: tuple[int, int]) -> list[Verdict]:
    """Sec. 1.1, from exact values alone: P(0) along the couplings, and far beyond them, where beta exceeds the volume."""
    far = max(float(math.prod(shape)), 10 * betas[-1])
    if far > LARGEST_BETA:
        return []
    zero = [one.sectors[0] for one in [*exact, torus(far, shape)]]
    rises = all(low <= high + RESOLUTION for low, high in pairwise(zero))
    values = f"{zero[0]:.3f} to {zero[-2]:.3f} ({_where(betas, shape)}); {zero[-1]:.6f} at beta {far:g}"
    return [_verdict("sec1-zero-sector-dominates", rises and zero[-1] > DOMINATES, f"exact P(Q = 0) rises from {values}")]


def _metropolis(beta: float, found: list[Measurement], exact: Torus) -> list[Verdict]:
    """Eq. 11: <exp(-dH)> = 1 at every coupling, and exact averages at the lowest."""
    plaquette, charge_squared = found[0].plaquette, found[0].charge_squared
    balanced = max(_pull(one.exp_minus_dh, 1.0) for one in found)
    averages = _pull(plaquette, exact.plaquette), _pull(charge_squared, exact.charge_squared)
    corrects = max(balanced, *averages) < AGREES
    precise = max(*(_error(one.exp_minus_dh) for one in found), _error(plaquette) / exact.plaquette) < PRECISE
    if min(one.acceptance.value for one in found) < EVEN_CHANCE or (corrects and not precise):
        return []
    return [
        _verdict(
            "eq11-metropolis-corrects",
            corrects,
            f"<exp(-dH)> off 1 by at most {balanced:.1f} sigma at each beta; plaquette and <Q^2> off the exact values by "
            f"{averages[0]:.1f} and {averages[1]:.1f} sigma at beta {beta:g}",
        )
    ]


def _freezing(betas: list[float], shape: tuple[int, int], rates: list[Estimate], hops: int) -> list[Verdict]:
    """Fig. 1 and sec. 1.1: the rate never rises by 4 sigma, and ends 4 sigma below 1 % of where it began.

    Where no chain hopped the error is taken as one hop among the `hops` that could have been.
    """
    first, last = rates[0].value, rates[-1].value
    errors = [max(_error(rate), 1 / hops) for rate in rates]
    if errors[0] > KNOWN * first:
        return []
    steps = pairwise(zip(rates, errors, strict=True))
    rises = any(after.value - before.value > AGREES * math.hypot(e, f) for (before, e), (after, f) in steps)
    margin, limit = AGREES * errors[-1], FROZEN_SHARE * first
    if not rises and abs(last - limit) <= margin:
        return []
    freezes = not rises and last < limit
    return [
        _verdict("fig1-freezing", freezes, f"tunnelling rate {first:.2g} to {last:.2g} a trajectory ({_where(betas, shape)})"),
        _verdict(
            "sec1-tunnelling-vanishes", freezes, f"{last:.2g} a trajectory at beta {betas[-1]:g}, {first:.2g} at {betas[0]:g}"
        ),
    ]


def _isolation(betas: list[float], found: list[Measurement], exact: list[Torus], last: xr.Dataset) -> list[Verdict]:
    """Sec. 2.2: <Q^2> is right at the lowest coupling and wrong at the highest, where so many draws would not all have Q = 0."""
    near, far = found[0].charge_squared, found[-1].charge_squared
    right, wrong = _pull(near, exact[0].charge_squared), _pull(far, exact[-1].charge_squared)
    seen = wrong > AGREES or AGREES * _error(far) < exact[-1].charge_squared
    if _error(near) > KNOWN * exact[0].charge_squared or exact[-1].sectors[0] ** last.sizes["chain"] > BY_CHANCE or not seen:
        return []
    off = f"<Q^2> off by {right:.1f} sigma at beta {betas[0]:g}, by {wrong:.0f} at {betas[-1]:g} ({last.start} starts)"
    return [_verdict("sec2-hmc-isolated-modes", right < AGREES < wrong, off)]


def _thermal(data: xr.Dataset, tau: Estimate | None) -> bool:
    """Whether the start is forgotten; not where tau is unknown."""
    return tau is not None and bool(data.attrs["thermalization"] >= THERMAL * tau.value)


def _where(betas: list[float], shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}, beta {betas[0]:g} to {betas[-1]:g}"


def _pull(ours: Estimate, truth: float) -> float:
    pull = ours.pull(truth)
    assert pull is not None
    return abs(pull)


def _error(estimate: Estimate) -> float:
    assert estimate.error is not None
    return estimate.error


def _verdict(claim: str, holds: bool, ours: str) -> Verdict:
    return Verdict(id=f"foreman2021/{claim}", verdict="holds" if holds else "does not hold", our_value=ours)
