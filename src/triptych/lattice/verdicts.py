"""What the ensembles say of the paper's claims.

In: HMC ensembles, or exact draws. Out: verdicts on the claims of foreman2021 that they decide. Where an ensemble is too small,
too short or too cold to decide a claim, there is no verdict on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.lattice.action import TWO_PI, Wilson
from triptych.lattice.exact import LARGEST_BETA, RESOLUTION, Torus, torus
from triptych.lattice.measure import SHORTEST_FOR_TAU, Measurement, measure
from triptych.lattice.samplers.hmc import drift, kick, leapfrog
from triptych.lattice.samplers.kernel import Phase
from triptych.runs import Verdict
from triptych.runs.claims import Word
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
ROUNDING = 1e-9  # of angles, energies and trajectories of a few dozen steps
IRREVERSIBLE = 1e-3  # an angle or a momentum that far off is no rounding error
WITHIN = 2.0  # factor within which the tunnelling rate tells tau
ROUNDS_RIGHT = 0.9  # share of configurations whose Q_R rounds to Q_Z that makes it an approximation


def freezing_verdicts(ensembles: Sequence[xr.Dataset]) -> list[Verdict]:
    """Verdicts on Fig. 1, on eqs. 10 and 11, and on what secs. 1.1 and 2.2 say of freezing.

    Parameters
    ----------
    ensembles : one for each coupling, lowest first, all with the same lattice and number of chains. Other samplers than HMC say
        nothing of these claims, and only cold starts of isolated modes.
    """
    found = [measure(data) for data in ensembles]
    betas = [float(data.beta) for data in ensembles]
    shape = (int(ensembles[0].sizes["t"]), int(ensembles[0].sizes["x"]))
    exact = [torus(beta, shape) for beta in betas]
    thermal = is_thermal(ensembles[0], found[0].tau["Q_Z"])
    verdicts = _dominance(betas, exact, shape)
    if min(data.sizes["chain"] for data in ensembles) < MANY or any(data.attrs["sampler"] != "hmc" for data in ensembles):
        return verdicts
    if thermal and betas[0] > 0:
        verdicts += _metropolis(betas[0], found, exact[0])
    if betas[0] <= FIG1[0] and betas[-1] >= FIG1[1]:
        hops = int(ensembles[0].sizes["chain"]) * (int(ensembles[0].sizes["trajectory"]) - 1)
        verdicts += _freezing(betas, shape, [one.tunnelling_rate for one in found], hops)
        if thermal and ensembles[-1].start == "cold":
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
    by_chains = error_of(mean_over_chains(series))
    if length < SHORTEST_FOR_TAU or by_chains == 0:
        return []
    tau = autocorrelation(series).tau
    ratio = math.sqrt(tau.value * float(series.var()) / series.size) / by_chains
    relative = math.hypot(1 / math.sqrt(2 * (chains - 1)), error_of(tau) / (2 * tau.value))
    if not is_thermal(data, tau) or length < LONG * tau.value or 2 * AGREES * relative > math.log(math.sqrt(2)):
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


def hmc_verdicts(data: xr.Dataset) -> list[Verdict]:
    """Verdicts on eqs. 4, 5, 6, 7 and 10, from one HMC ensemble with its final links.

    Eqs. 4 and 5 are computed anew from the links, in NumPy; eq. 10 is integrated there and back, as printed and as meant.
    """
    if data.attrs["precision"] != "float64" or data.attrs["beta"] == 0:
        return []  # rounding errors would be taken for wrong formulas, or there is no force to test eq. 10 with
    links = data["links"].transpose("mu", "t", "x", "chain").to_numpy()
    found = measure(data)
    truth = torus(float(data.attrs["beta"]), (int(data.sizes["t"]), int(data.sizes["x"])))
    verdicts = [_wilson(data, links), _integer(data, links), _leapfrog(data, links)]
    thermal = data.attrs.get("start") == "equilibrium" or is_thermal(data, found.tau["Q_Z"])
    if data.sizes["chain"] < MANY or not thermal:
        return verdicts
    return [*verdicts, *_rate(data, found, truth), *_joint_density(data, found, truth)]


def real_charge_verdict(data: xr.Dataset) -> list[Verdict]:
    """The verdict on Q_R of Sec. 3.2 at beta = 7, from an ensemble: does it round to Q_Z?"""
    if data.sizes["chain"] < MANY or float(data.attrs["beta"]) != FIG1[1]:
        return []
    real, integer = (data[name].transpose("chain", "trajectory").to_numpy() for name in ("real_charge", "charge"))
    right = mean_over_chains(np.rint(real) == integer)
    if abs(right.value - ROUNDS_RIGHT) < AGREES * error_of(right):
        return []
    ratio = float((real**2).mean() / (integer.astype(float) ** 2).mean()) if integer.any() else math.nan
    return [
        verdict(
            "eq15-real-charge",
            right.value > ROUNDS_RIGHT,
            f"Q_R rounds to Q_Z in {right.value:.1%} of configurations; <Q_R^2> / <Q_Z^2> = {ratio:.2f} "
            f"({data.sizes['t']}x{data.sizes['x']}, beta {data.attrs['beta']:g})",
        )
    ]


def _plaquettes(links: NDArray[np.float64]) -> NDArray[np.float64]:
    """The printed sum of four angles, with mu, nu as unit vectors [t, x, chain]."""
    mu, nu = links
    return np.asarray(mu + np.roll(nu, -1, axis=0) - np.roll(mu, -1, axis=1) - nu)


def _wilson(data: xr.Dataset, links: NDArray[np.float64]) -> Verdict:
    """Eq. 4: the action of the final links, and that it does not change under a gauge transformation."""
    beta = float(data.attrs["beta"])
    angles = np.random.default_rng(0).uniform(-math.pi, math.pi, links.shape[1:])
    moved = links + angles - np.stack([np.roll(angles, -1, axis=axis) for axis in (0, 1)])
    ours, theirs, gauged = (
        data["action"].to_numpy(),
        *((beta * (1 - np.cos(_plaquettes(one)))).sum(axis=(0, 1)) for one in (links, moved)),
    )
    scale = max(float(abs(theirs).max()), 1.0)
    off, changed = (float(abs(one - theirs).max()) / scale for one in (ours, gauged))
    return verdict(
        "eq4-wilson-action",
        off < ROUNDING and changed < ROUNDING,
        f"S of {links.shape[-1]} configurations, relative: {off:.0e} off ours, {changed:.0e} off after gauge transformations",
    )


def _integer(data: xr.Dataset, links: NDArray[np.float64]) -> Verdict:
    """Eq. 5: the wrapped angles of the final links add up to multiples of 2 pi, which are the charges recorded."""
    angles = _plaquettes(links)
    charges = (angles - TWO_PI * np.floor((angles + math.pi) / TWO_PI)).sum(axis=(0, 1)) / TWO_PI
    off = float(abs(charges - data["charge"].isel(trajectory=-1).to_numpy()).max())
    return verdict("eq5-integer-charge", off < ROUNDING, f"{off:.0e} off the integers recorded, in {charges.size} configurations")


def _leapfrog(data: xr.Dataset, links: NDArray[np.float64]) -> Verdict:
    """Eq. 10: there, flip, and back, with the last half step at the new x', and as printed at the old x."""
    theory, step = Wilson(float(data.attrs["beta"])), jnp.asarray(float(data.attrs["step_size"]))
    momenta = np.random.default_rng(1).normal(size=links.shape)
    start = Phase(jnp.asarray(links), jnp.asarray(momenta), theory.force(jnp.asarray(links)))

    def printed(now: Phase) -> Phase:
        moved = drift(kick(now, step / 2), theory, step)
        return moved._replace(momenta=moved.momenta - step / 2 * now.force)

    def meant(now: Phase) -> Phase:
        return leapfrog(now, theory, step_size=step, steps=1)

    @jax.jit
    def off(start: Phase) -> list[jax.Array]:
        errors = []
        for one in (meant, printed):
            end = one(start)
            back = one(end._replace(momenta=-end.momenta))
            away = abs(2 * jnp.sin((back.links - start.links) / 2)).max()
            errors.append(jnp.maximum(away, abs(back.momenta + start.momenta).max()))
        return errors

    right, wrong = (float(error) for error in off(start))
    word: Word = "holds" if wrong < ROUNDING else "holds with another convention" if right < ROUNDING else "does not hold"
    if word == "holds with another convention" and wrong < IRREVERSIBLE:
        word = "does not hold"
    return Verdict(
        id="foreman2021/eq10-leapfrog",
        verdict=word,
        our_value=f"a step there and back: {right:.0e} off with the last force at x', {wrong:.2g} off with that at x, as printed",
        note="with the force of the last half step at the new x'",
    )


def _rate(data: xr.Dataset, found: Measurement, truth: Torus) -> list[Verdict]:
    """Eq. 6: the changes are integers, and their mean tells tau(Q_Z) within a factor of 2 by tau = 4 <Q^2> / rate."""
    rate, tau = found.tunnelling_rate, found.tau["Q_Z"]
    if tau is None or tau.value < LONG or error_of(rate) > KNOWN * rate.value or error_of(tau) > KNOWN * tau.value:
        return []
    whole = bool(np.issubdtype(data["charge"].dtype, np.integer) or (data["charge"] == data["charge"].round()).all())
    told = 4 * truth.charge_squared / rate.value
    return [
        verdict(
            "eq6-tunnelling-rate",
            whole and 1 / WITHIN < told / tau.value < WITHIN,
            f"rate {rate} a trajectory, beta {data.attrs['beta']:g}: 4 <Q^2> / rate = {told:.3g}, tau = {tau}",
        )
    ]


def _joint_density(data: xr.Dataset, found: Measurement, truth: Torus) -> list[Verdict]:
    """Eqs. 7 and 8: <exp(-dH)> = 1 with H = S + v^2 / 2, and exact averages of the positions."""
    balance, acceptance = _known(found.exp_minus_dh), _known(found.acceptance)
    plaquette, charge_squared = found.plaquette, found.charge_squared
    pulls = _pull(balance, 1.0), _pull(plaquette, truth.plaquette), _pull(charge_squared, truth.charge_squared)
    precise = max(error_of(balance), error_of(plaquette) / truth.plaquette) < PRECISE
    agrees = max(pulls) < AGREES
    if acceptance.value < EVEN_CHANCE or (agrees and not (precise and error_of(charge_squared) < KNOWN * truth.charge_squared)):
        return []
    ours = "<exp(-dH)> off 1 by {:.1f} sigma, plaquette and <Q^2> off the exact values by {:.1f} and {:.1f}".format(*pulls)
    return [verdict("eq7-joint-density", agrees, f"{ours}, beta {data.attrs['beta']:g}")]


def _dominance(betas: list[float], exact: list[Torus], shape: tuple[int, int]) -> list[Verdict]:
    """Sec. 1.1, from exact values alone: P(0) along the couplings, and far beyond them, where beta exceeds the volume."""
    far = max(float(math.prod(shape)), 10 * betas[-1])
    if far > LARGEST_BETA:
        return []
    zero = [one.sectors[0] for one in [*exact, torus(far, shape)]]
    rises = all(low <= high + RESOLUTION for low, high in pairwise(zero))
    values = f"{zero[0]:.3f} to {zero[-2]:.3f} ({_where(betas, shape)}); {zero[-1]:.6f} at beta {far:g}"
    return [verdict("sec1-zero-sector-dominates", rises and zero[-1] > DOMINATES, f"exact P(Q = 0) rises from {values}")]


def _metropolis(beta: float, found: list[Measurement], exact: Torus) -> list[Verdict]:
    """Eq. 11: <exp(-dH)> = 1 at every coupling, and exact averages at the lowest."""
    plaquette, charge_squared = found[0].plaquette, found[0].charge_squared
    balances = [_known(one.exp_minus_dh) for one in found]
    balanced = max(_pull(one, 1.0) for one in balances)
    averages = _pull(plaquette, exact.plaquette), _pull(charge_squared, exact.charge_squared)
    corrects = max(balanced, *averages) < AGREES
    precise = max(*(error_of(one) for one in balances), error_of(plaquette) / exact.plaquette) < PRECISE
    if min(_known(one.acceptance).value for one in found) < EVEN_CHANCE or (corrects and not precise):
        return []
    return [
        verdict(
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
    errors = [max(error_of(rate), 1 / hops) for rate in rates]
    if errors[0] > KNOWN * first:
        return []
    steps = pairwise(zip(rates, errors, strict=True))
    rises = any(after.value - before.value > AGREES * math.hypot(e, f) for (before, e), (after, f) in steps)
    margin, limit = AGREES * errors[-1], FROZEN_SHARE * first
    if not rises and abs(last - limit) <= margin:
        return []
    freezes = not rises and last < limit
    return [
        verdict("fig1-freezing", freezes, f"tunnelling rate {first:.2g} to {last:.2g} a trajectory ({_where(betas, shape)})"),
        verdict(
            "sec1-tunnelling-vanishes", freezes, f"{last:.2g} a trajectory at beta {betas[-1]:g}, {first:.2g} at {betas[0]:g}"
        ),
    ]


def _isolation(betas: list[float], found: list[Measurement], exact: list[Torus], last: xr.Dataset) -> list[Verdict]:
    """Sec. 2.2: <Q^2> is right at the lowest coupling and wrong at the highest, where so many draws would not all have Q = 0."""
    near, far = found[0].charge_squared, found[-1].charge_squared
    right, wrong = _pull(near, exact[0].charge_squared), _pull(far, exact[-1].charge_squared)
    seen = wrong > AGREES or AGREES * error_of(far) < exact[-1].charge_squared
    if error_of(near) > KNOWN * exact[0].charge_squared or exact[-1].sectors[0] ** last.sizes["chain"] > BY_CHANCE or not seen:
        return []
    off = f"<Q^2> off by {right:.1f} sigma at beta {betas[0]:g}, by {wrong:.0f} at {betas[-1]:g} ({last.start} starts)"
    return [verdict("sec2-hmc-isolated-modes", right < AGREES < wrong, off)]


def is_thermal(data: xr.Dataset, tau: Estimate | None) -> bool:
    """Whether the start is forgotten; not where tau is unknown."""
    return tau is not None and bool(data.attrs["thermalization"] >= THERMAL * tau.value)


def _where(betas: list[float], shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}, beta {betas[0]:g} to {betas[-1]:g}"


def _known(estimate: Estimate | None) -> Estimate:
    """What every ensemble of `sample` tells."""
    assert estimate is not None
    return estimate


def _pull(ours: Estimate, truth: float) -> float:
    pull = ours.pull(truth)
    assert pull is not None
    return abs(pull)


def error_of(estimate: Estimate) -> float:
    """The standard deviation of a statistical estimate."""
    assert estimate.error is not None
    return estimate.error


def verdict(claim: str, word: Word | bool, ours: str, note: str = "") -> Verdict:
    """A verdict on a claim of this paper; True and False stand for the plain words."""
    plain: Word = word if isinstance(word, str) else "holds" if word else "does not hold"
    return Verdict(id=f"foreman2021/{claim}", verdict=plain, our_value=ours, note=note)
