"""What trained samplers say of the paper's claims: Secs. 3 and 4, Figs. 4 to 7.

In: the finishes of a race, trajectories seen layer by layer, or a model with an ensemble that it has sampled. Out: verdicts on
the claims of foreman2021 that they decide. Where something is not known well enough, there is no verdict on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from triptych.lattice.action import Wilson
from triptych.lattice.along import effective_beta
from triptych.lattice.exact import torus
from triptych.lattice.measure import Measurement, measure
from triptych.lattice.race import Finish, ratio, scaled
from triptych.lattice.samplers.hmc import leapfrog
from triptych.lattice.samplers.kernel import Phase, draw
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers, Mode
from triptych.lattice.samplers.networks import Network
from triptych.lattice.verdicts import AGREES, EVEN_CHANCE, KNOWN, MANY, PRECISE, error_of, is_thermal, verdict
from triptych.runs import Verdict
from triptych.statistics import Estimate, mean_over_chains

RANGE = (2.0, 7.0)  # couplings of Fig. 4
MUCH = 2.0  # ratio of two autocorrelation times that is called much shorter
LONG, FORGETS = 100.0, 10.0  # trajectories: a charge that is slow, an energy that is not
LOWERS = 100.0  # ratio of tunnelling rates that lower barriers make
RETURNS = 0.25  # share of the rise of the energy that may be left at the end
SMALL = 1.0  # largest error of the rise, an energy in units of the temperature
NEAR = 0.5  # in beta: what "about the same coupling" leaves open
EXACT = 1e-9  # rounding errors of a few dozen layers stay below
SEEN = 16  # chains on which a model's maps are tested
CHARGE_LOSS = "loss of eq. 15"  # the name of a model that was trained with it


def race_verdicts(finishes: Sequence[Finish], *, same: int) -> list[Verdict]:
    """Fig. 4, the abstract and Sec. 1.1, from a race of all samplers; `same` is the N of the trained models.

    The axis of Fig. 4 is tau(Q_R); where one of the two is too slow for the Gamma method, tau(Q_Z) takes its place.
    """
    verdicts = _instanton_verdict(finishes)
    betas = sorted({one.beta for one in finishes})
    if betas[0] > RANGE[0] or betas[-1] < RANGE[1]:
        return verdicts
    shorter: dict[float, Estimate] = {}
    for beta in betas:
        hmc = _one(finishes, beta, f"HMC, N = {same}")
        ratios = [_shorter(hmc, one) for one in finishes if one.beta == beta and one.kind == "trained"]
        if not ratios or None in ratios:
            return verdicts
        shorter[beta] = min((one for one in ratios if one is not None), key=lambda one: one.value)
    worst, last = min(shorter.values(), key=lambda one: one.value), shorter[betas[-1]]
    ours = f"tau of HMC over the trained model's at the same N = {same}: " + ", ".join(
        f"{one} (beta {beta:g})" for beta, one in shorter.items()
    )
    note = f"Holds if the worst model's is {MUCH:g} times shorter at every coupling."
    verdicts += _against("fig4-tau-against-beta", worst, MUCH, ours, note)
    longer = worst.value + AGREES * error_of(worst) < 1
    note = f"Holds if {MUCH:g} times shorter at beta {betas[-1]:g}, and longer nowhere. {_price(finishes, betas[-1], same)}"
    return verdicts + _against("abstract-shorter-autocorrelation", scaled(last, 0.0 if longer else 1.0), MUCH, ours, note)


def _instanton_verdict(finishes: Sequence[Finish]) -> list[Verdict]:
    """Sec. 1.1: an instanton hit beats the cheapest HMC in force evaluations at the highest coupling."""
    beta = max(one.beta for one in finishes)
    prices: dict[str, list[Estimate]] = {"hmc": [], "instanton": []}
    for one in _at(finishes, beta):
        if one.kind in prices and one.found.independent_charge is not None:
            prices[one.kind].append(one.found.independent_charge["force_evaluations"])
    hmc, hits = prices.values()
    if not (hmc and hits):
        return []
    cheapest = min(hmc, key=lambda one: one.value)
    found = ratio(cheapest, hits[0])
    ours = f"force evaluations of an independent charge: HMC {cheapest}, with instanton hits {hits[0]} (beta {beta:g})"
    note = "Direct sampling, which has tau = 1, beats both."
    return _against("sec1-classical-alternatives", found, 1.0, ours, note)


def annealing_verdict(finishes: Sequence[Finish], *, same: int) -> list[Verdict]:
    """Sec. 3.3: with the action scaled down from the highest coupling to the lowest, HMC tunnels a hundred times more often."""
    betas = sorted({one.beta for one in finishes})
    low, high = (_one(finishes, beta, f"HMC, N = {same}").found.tunnelling_rate for beta in (betas[0], betas[-1]))
    if betas[0] > RANGE[0] or betas[-1] < RANGE[1] or error_of(low) > KNOWN * low.value:
        return []
    margin = low.value - LOWERS * high.value
    hmc = _one(finishes, betas[-1], f"HMC, N = {same}")
    one_hop = 1 / (hmc.chains * (hmc.trajectories - 1))  # where no chain hopped, the rate is not known to be 0
    sigma = math.hypot(error_of(low), LOWERS * max(error_of(high), one_hop))
    if abs(margin) < AGREES * sigma:
        return []
    return [
        verdict(
            "sec3-annealing",
            margin > 0,
            f"tunnelling rate of HMC: {low} a trajectory at gamma = {betas[0] / betas[-1]:.2g}, {high} at 1 (beta {betas[-1]:g})",
        )
    ]


def training_verdict(before: Mapping[float, Estimate], after: Mapping[float, Estimate], *, mode: Mode) -> list[Verdict]:
    """Sec. 3.2.1: training steps as described raise E[A dQ_Z^2] at every coupling, above that of layers before any training."""
    gains = {beta: after[beta].pull(before[beta]) or 0.0 for beta in after}
    worst = min(gains, key=lambda beta: gains[beta])
    if abs(gains[worst]) < AGREES:
        return []
    learned = gains[worst] > 0
    shown = ", ".join(f"{before[beta]} to {after[beta]} (beta {beta:g})" for beta in after)
    return [
        verdict(
            "sec3-training-step",
            ("holds" if mode == "single" else "holds with another convention") if learned else "does not hold",
            f"E[A dQ_Z^2] from {shown}",
            "" if mode == "single" else "No direction is drawn: a merged trajectory runs the layers forwards and backwards.",
        )
    ]


def charge_loss_verdict(finishes: Sequence[Finish], *, same: int) -> list[Verdict]:
    """Eq. 15: where HMC is frozen, a model trained for A (Q_R* - Q_R)^2 jumps between sectors more often at the same N."""
    trained = {one.beta: one for one in finishes if one.name == CHARGE_LOSS}
    if not trained or max(trained) < RANGE[1] or any(one.steps != same for one in trained.values()):
        return []
    ratios = {beta: _shorter(_one(finishes, beta, f"HMC, N = {same}"), one, names=("Q_Z",)) for beta, one in trained.items()}
    if None in ratios.values():
        return []
    known = {beta: one for beta, one in ratios.items() if one is not None}
    last = max(known)
    ours = "tau(Q_Z) of HMC over that of a model trained with eq. 15: " + ", ".join(
        f"{one} (beta {beta:g})" for beta, one in known.items()
    )
    return _against("eq15-loss", known[last], MUCH, ours, f"Holds if the ratio is {MUCH:g} at beta {last:g}.")


def run_length_verdicts(finishes: Sequence[Finish]) -> list[Verdict]:
    """Fig. 5 at each coupling, and Sec. 2.2 on the random walk of the energy."""
    verdicts = _random_walk(finishes)
    for beta in sorted({one.beta for one in finishes}):
        prices = {kind: [one.price() for one in _at(finishes, beta) if one.kind == kind] for kind in ("hmc", "trained")}
        if beta not in (4.0, 5.0, 6.0, 7.0) or min(map(len, prices.values())) < 2 or any(None in one for one in prices.values()):
            continue
        hmc, trained = (sorted((p for p in one if p is not None), key=lambda p: p.value) for one in prices.values())
        ours = f"N tau: HMC {hmc[0]} to {hmc[-1]}, trained {trained[0]} to {trained[-1]} leapfrog steps"
        verdicts += _against(f"fig5-beta-{beta:g}", ratio(hmc[0], trained[-1]), 1.0, ours, "All N of HMC against all N_LF.")
    return verdicts


def _random_walk(finishes: Sequence[Finish]) -> list[Verdict]:
    """Sec. 2.2: where the charge of HMC is slow, so is its energy, as a random walk in it would have it.

    The energy is that of the plaquettes; the claim needs a run in which both autocorrelation times are known.
    """
    slow = [
        (charge, energy, one)
        for one in finishes
        if one.kind == "hmc"
        and (charge := one.found.tau["Q_Z"]) is not None
        and (energy := one.found.tau["plaquette"]) is not None
        and charge.value - AGREES * error_of(charge) > LONG
    ]
    if not slow:
        return []
    charge, energy, one = max(slow, key=lambda row: row[0].value)
    ours = f"tau: charge {charge}, plaquette {energy} trajectories (HMC, N = {one.steps}, beta {one.beta:g})"
    note = f"Holds if the plaquette, too, takes more than {FORGETS:g}: where it does not, the charge waits for the barrier alone."
    return _against("sec2-hmc-random-walk", energy, FORGETS, ours, note)


def along_verdicts(seen: Sequence[xr.Dataset]) -> list[Verdict]:
    """Figs. 6 and 7, from trajectories (chain, step) of models trained at rising couplings; Fig. 6 from the last."""
    if min(data.sizes["chain"] for data in seen) < MANY or min(data.sizes["step"] for data in seen) < 5:
        return []
    verdicts = [*_energy(seen[-1]), *_mixing(seen[-1])] if float(seen[-1].attrs["beta"]) == RANGE[1] else []
    dips = [_change(data["plaquette"], 0) for data in seen]
    shown = ", ".join(f"{dip} ({data.attrs['beta']:g})" for dip, data in zip(dips, seen, strict=True))
    highest = max(dips, key=lambda dip: dip.value + AGREES * error_of(dip))
    ours = f"plaquette in the middle less that at the start: {shown}"
    if {3.0, 4.0, 5.0, 6.0, 7.0} <= {float(data.attrs["beta"]) for data in seen}:
        verdicts += _against("fig7-plaquette-along-trajectory", scaled(highest, -1.0), 0.0, ours, "")
    return verdicts + _reduced(seen[-1])


def _energy(data: xr.Dataset) -> list[Verdict]:
    """Fig. 6c: the energy is 4 sigma higher in the middle, and at most a quarter of that is left at the end."""
    up, left = _change(data["energy"], 0), mean_over_chains(data["energy"].isel(step=[-1]).to_numpy())
    margin = left.value - RETURNS * up.value
    if error_of(up) > SMALL or abs(margin) < AGREES * math.hypot(error_of(left), RETURNS * error_of(up)):
        return []
    rises, returns = up.value > AGREES * error_of(up), margin < 0
    ours = f"H - sum log |J| rises by {up} to the middle, {left} are left at the end (beta {data.attrs['beta']:g})"
    return [verdict("fig6-energy-rises-mid-trajectory", rises and returns, ours)]


def _mixing(data: xr.Dataset) -> list[Verdict]:
    """Fig. 6b: the charge hops 4 sigma more often in the middle half than in the rest, and its square is then as at the start."""
    hops = abs(np.diff(data["charge"].transpose("chain", "step").to_numpy(), axis=1))
    count = hops.shape[1]
    inner = np.zeros(count, bool)
    inner[count // 4 : count - count // 4] = True
    excess = mean_over_chains((hops[:, inner].mean(axis=1) - hops[:, ~inner].mean(axis=1))[:, None])
    if hops.mean() == 0 or abs(excess.value) < AGREES * error_of(excess):
        return []
    shares = hops[:, inner].mean(), hops[:, ~inner].mean()
    ours = f"hops a step: {shares[0]:.2g} in the middle half, {shares[1]:.2g} outside (beta {data.attrs['beta']:g})"
    back = "Before the Metropolis test the mean plaquette is {:.4f} at the end and {:.4f} at the start."
    ends = (float(data["plaquette"].isel(step=step).mean()) for step in (-1, 0))
    return [verdict("fig6-charge-mixes-mid-trajectory", excess.value > 0, ours, back.format(*ends))]


def _reduced(data: xr.Dataset) -> list[Verdict]:
    """Fig. 7b: the plaquette in the middle at beta = 7 is that of a coupling between 2.5 and 3.5."""
    if float(data.attrs["beta"]) != RANGE[1]:
        return []
    height, width = (int(n) for n in data.attrs["shape"])
    middle = mean_over_chains(data["plaquette"].isel(step=[data.sizes["step"] // 2]).transpose("chain", "step").to_numpy())
    low, high = (torus(3 + off, (height, width)).plaquette for off in (-NEAR, NEAR))
    if min(abs(middle.value - edge) for edge in (low, high)) < AGREES * error_of(middle) or middle.value < 0:
        return []
    coupling = effective_beta(middle.value, (height, width))
    ours = f"plaquette {middle} in the middle, that of beta = {coupling:.2f}"
    exact = torus(3.0, (height, width)).plaquette
    note = f"{exact:.5f} at beta = 3; holds between {3 - NEAR:g} and {3 + NEAR:g}. {height}x{width} lattice."
    return [verdict("fig7-beta-7-looks-like-beta-3", low < middle.value < high, ours, note)]


def layers_verdicts(model: LeapfrogLayers, data: xr.Dataset) -> list[Verdict]:
    """Sec. 3, Fig. 3 and eqs. 14 and 16, from a model and an ensemble that it has sampled.

    Parameters
    ----------
    model : the sampler.
    data : its ensemble, with the final links; its maps are tested there, and its averages against the exact ones.
    """
    if data.attrs.get("precision", "float64") != "float64":
        return []  # rounding errors would be taken for wrong maps
    links = jnp.asarray(data["links"].transpose("mu", "t", "x", "chain").to_numpy())[..., :SEEN]
    theory = Wilson(float(data.attrs["beta"]))
    momenta, _ = draw(jax.random.split(jax.random.key(0), links.shape[-1]), links)
    start = Phase(links, momenta, theory.force(links))
    merged = model.mode == "merged"
    maps = _maps(model, start, theory)
    error = max(maps["return"], maps["jacobian"])
    verdicts = [
        verdict(
            "sec3-reversible-update",
            maps["return"] < EXACT and maps["jacobian"] < EXACT and maps["determinant"] < EXACT * links[..., 0].size,
            f"forwards and back: {maps['return']:.0e} off; log |J|: {maps['determinant']:.0e} off that by autodifferentiation",
            "With networks that see the links they do not move, and an inverse that is one.",
        ),
        verdict(
            "sec3-direction",
            ("holds with another convention" if merged else "holds") if error < EXACT else "does not hold",
            f"forwards and back: {maps['return']:.0e} off, log |J| of both add up to {maps['jacobian']:.0e}",
            "No direction is drawn in a merged trajectory, which is its own inverse." if merged else "",
        ),
        verdict(
            "fig3-generalized-leapfrog",
            maps["leapfrog"] < EXACT,
            f"with all outputs zero the layers are leapfrog steps to {maps['leapfrog']:.0e}",
        ),
    ]
    return [*verdicts, *_outputs(model, start), *_jacobian(data, keeps_volume=maps["volume"] < EXACT)]


def _maps(model: LeapfrogLayers, start: Phase, theory: Wilson) -> dict[str, float]:
    """The greatest errors of the inverse and of the leapfrog limit, that of log |J| in the first chain, and log |J| itself."""
    one = jax.tree.map(lambda values: values[..., :1], start)
    return {
        **{name: float(error) for name, error in _errors(model, start, theory).items()},
        "determinant": float(_determinant_error(model, jnp.stack([one.links, one.momenta]), theory)),
    }


@eqx.filter_jit
def _errors(model: LeapfrogLayers, start: Phase, theory: Wilson) -> dict[str, jax.Array]:
    """How far forwards and back is from the start, log |J| of both and of a trajectory from 0, silent layers from leapfrog."""
    there, up = model.forward(start, theory)
    back, down = model.backward(there, theory)
    silent = _silent(model)
    ours, _ = silent.forward(start, theory)
    steps = jnp.exp(silent.layers.log_kick)
    theirs, _ = jax.lax.scan(lambda now, step: (leapfrog(now, theory, step_size=step, steps=1), None), start, steps)
    return {
        "return": _distance(back, start),
        "jacobian": abs(up + down).max(),
        "leapfrog": _distance(ours, theirs),
        "volume": abs(model.move(start, theory)[1]).max(),
    }


@eqx.filter_jit
def _determinant_error(model: LeapfrogLayers, point: jax.Array, theory: Wilson) -> jax.Array:
    """How far log |J| is from that of the derivative at one point of phase space, [2, mu, t, x, 1]."""

    def move(point: jax.Array) -> tuple[jax.Array, jax.Array]:
        links, momenta = point
        end, log_jacobian = model.forward(Phase(links, momenta, theory.force(links)), theory)
        return jnp.stack([end.links, end.momenta]), log_jacobian[0]

    matrix, log_jacobian = jax.jacfwd(move, has_aux=True)(point)
    error: jax.Array = abs(jnp.linalg.slogdet(matrix.reshape(point.size, point.size))[1] - log_jacobian)
    return error


def _silent(model: LeapfrogLayers) -> LeapfrogLayers:
    """The same layers with all outputs zero, and one step size for v and x."""

    def mute(network: Network) -> Network:
        numbers, rest = eqx.partition(network, eqx.is_inexact_array)
        muted: Network = eqx.combine(jax.tree.map(jnp.zeros_like, numbers), rest)
        return muted

    where: Callable[[LeapfrogLayers], Any] = lambda one: (one.kicks, one.drifts, one.layers.log_drift)  # noqa: E731
    silent: LeapfrogLayers = eqx.tree_at(where, model, (mute(model.kicks), mute(model.drifts), model.layers.log_kick))
    return silent


def _distance(one: Phase, other: Phase) -> jax.Array:
    """The greatest difference in an angle, on the circle, or a momentum."""
    return jnp.maximum(abs(2 * jnp.sin((one.links - other.links) / 2)).max(), abs(one.momenta - other.momenta).max())


def _outputs(model: LeapfrogLayers, start: Phase) -> list[Verdict]:
    """Eqs. 12 to 14, of dense networks: 2 pi periodic, with s and q inside their bounds."""
    if model.kicks.dense is None:
        return []
    numbers, rest = eqx.partition(model.kicks, eqx.is_inexact_array)
    first: Network = model.kicks if model.shared else eqx.combine(jax.tree.map(lambda leaf: leaf[0], numbers), rest)
    assert first.log_lambda_s is not None
    everything = jnp.ones((), bool)
    turned = start.links + 2 * math.pi * jnp.where(start.momenta > 0, 1, -1)
    here, there = first(start.links, everything, start.force), first(turned, everything, start.force)
    assert here.s is not None and there.s is not None
    period = max(float(abs(a - b).max()) for a, b in zip(here, there, strict=True) if a is not None and b is not None)
    bounds = float(jnp.exp(first.log_lambda_s)), float(jnp.exp(first.log_lambda_q))
    largest = float(abs(here.s).max()), float(abs(here.q).max())
    inside = all(value <= bound for value, bound in zip(largest, bounds, strict=True))
    ours = (
        f"|s| <= {largest[0]:.2g} and |q| <= {largest[1]:.2g} with bounds {bounds[0]:.2g} and {bounds[1]:.2g}; "
        f"{period:.0e} off after a turn of every link"
    )
    return [verdict("eq14-network-outputs", inside and period < EXACT, ours, "The first v-network; all take cos x and sin x.")]


def _jacobian(data: xr.Dataset, *, keeps_volume: bool) -> list[Verdict]:
    """Eq. 16, where the trajectories do not keep the volume: exact averages, and <exp(-dH + log J)> = 1 at even acceptance."""
    found = measure(data)
    if keeps_volume or data.sizes["chain"] < MANY or not _stationary(data, found):
        return []
    beta = float(data.attrs["beta"])
    truth = torus(beta, (int(data.sizes["t"]), int(data.sizes["x"])))
    pulls = {
        "plaquette": found.plaquette.pull(truth.plaquette) or 0.0,
        "<Q^2>": found.charge_squared.pull(truth.charge_squared) or 0.0,
    }
    assert found.exp_minus_dh is not None and found.acceptance is not None
    balanced = found.acceptance.value >= EVEN_CHANCE
    if balanced:
        pulls["<exp(-dH + log J)>"] = found.exp_minus_dh.pull(1.0) or 0.0
    agrees = all(abs(pull) < AGREES for pull in pulls.values())
    errors = error_of(found.plaquette) / truth.plaquette, error_of(found.charge_squared) / truth.charge_squared
    if agrees and (errors[0] > PRECISE or errors[1] > KNOWN or (balanced and error_of(found.exp_minus_dh) > PRECISE)):
        return []
    ours = "off by " + ", ".join(f"{pull:+.1f} sigma ({name})" for name, pull in pulls.items()) + f", beta {beta:g}"
    note = "" if balanced else "At this acceptance <exp(-dH + log J)> lives on rare trajectories and is left out."
    return [verdict("eq16-jacobian-in-acceptance", agrees, ours, note)]


def _stationary(data: xr.Dataset, found: Measurement) -> bool:
    """Whether the ensemble is in equilibrium."""
    return data.attrs.get("start") == "equilibrium" or is_thermal(data, found.tau["Q_Z"])


def _change(values: xr.DataArray, step: int) -> Estimate:
    """The value in the middle of the trajectory less that at a step."""
    middle = values.sizes["step"] // 2
    return mean_over_chains((values.isel(step=middle) - values.isel(step=step)).to_numpy()[:, None])


def _at(finishes: Sequence[Finish], beta: float) -> list[Finish]:
    return [one for one in finishes if one.beta == beta]


def _one(finishes: Sequence[Finish], beta: float, name: str) -> Finish:
    return next(one for one in finishes if one.beta == beta and one.name == name)


def _shorter(hmc: Finish, trained: Finish, names: Sequence[str] = ("Q_R", "Q_Z")) -> Estimate | None:
    """How much longer HMC's tau is, of the first of the charges for which both are known."""
    for name in names:
        theirs, ours = hmc.found.tau[name], trained.found.tau[name]
        if theirs is not None and ours is not None:
            return ratio(theirs, ours)
    return None


def _price(finishes: Sequence[Finish], beta: float, same: int) -> str:
    """What the verdict on tau leaves out."""
    tempered = _one(finishes, beta, f"tempered, N = {same}").found.tau["Q_Z"]
    trained = [one for one in _at(finishes, beta) if one.kind == "trained"]
    taus = [tau.value for one in trained if (tau := one.found.tau["Q_Z"]) is not None]
    training = [one.found.training.seconds for one in trained if one.found.training is not None]
    shown = f"the trained ones {min(taus):.3g} to {max(taus):.3g}"
    parts = [f"At beta {beta:g} the tempered sampler without networks has tau = {tempered}, {shown}"]
    parts += [f"their training took {min(training):.0f} to {max(training):.0f} s"] if training else []
    return "; ".join(parts) + "."


def _against(claim: str, found: Estimate, limit: float, ours: str, note: str) -> list[Verdict]:
    """Holds above the limit, does not hold below it, and no verdict within 4 sigma of it."""
    if abs(found.value - limit) < AGREES * error_of(found):
        return []
    return [verdict(claim, found.value > limit, ours, note)]
