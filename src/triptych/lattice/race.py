"""Samplers side by side at one coupling: how each is made, how long it runs, and what an independent charge costs it.

In: which sampler, a coupling, a lattice. Out: an ensemble from equilibrium starts, and what it says, beside the exact values.

Step sizes, and the heat of the tempered sampler, are tuned on exact draws; the ensembles have no part in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import chdtrc

from triptych.lattice.action import Wilson
from triptych.lattice.exact import torus
from triptych.lattice.measure import Measurement, measure
from triptych.lattice.model import load, training_price
from triptych.lattice.rewards import Mover, proposals
from triptych.lattice.sample import CHUNK, sample
from triptych.lattice.samplers import HMC, Sampler, State
from triptych.lattice.samplers.independent import Independent
from triptych.lattice.samplers.instanton import Instanton
from triptych.lattice.samplers.kernel import draw
from triptych.lattice.samplers.tempered import Tempered
from triptych.lattice.theory import Shape
from triptych.lattice.tuning import equilibrium, tune_step_size
from triptych.runs import Run, subseed
from triptych.statistics import Estimate

Kind = Literal["hmc", "tempered", "instanton", "exact", "trained", "trained otherwise"]
TARGET = 0.8  # acceptance to which the steps of HMC are tuned
STEP_SIZES = (0.1, 0.125, 0.15, 0.175, 0.2, 0.25)  # of the tempered sampler, from which the best is taken
HEATS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.18, 0.21)
DRAWS = 2048  # trajectories from which a sampler's reward is known
LONG = 30  # a run is this many tau long, where that is affordable
LEAST = 4 * CHUNK  # trajectories of a run
POOLED = 5.0  # least expected count in a bin of the chi-squared test


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A sampler at one coupling, and the run that keeps its ensemble.

    Attributes
    ----------
    name : what tells it from the others at this coupling, as it stands in tables and files.
    kind : how it is made. "trained otherwise" is a trained model that is shown beside those that are judged.
    steps : leapfrog steps of its trajectories; of no meaning for "exact" and trained models.
    beta, shape : coupling and lattice (T, L).
    chains, trajectories : independent chains, and the most that each may run; fewer where tau is short.
    seed : of everything that is drawn.
    model : directory of the training, or a file.
    run : where the checkpoint goes.
    """

    name: str
    kind: Kind
    steps: int
    beta: float
    shape: Shape
    chains: int
    trajectories: int
    seed: int
    run: Run
    model: str | None = None

    @property
    def file(self) -> str:
        """Where in the run directory its ensemble is kept."""
        return f"checkpoints/beta-{self.beta:g}-{'-'.join(re.findall('[A-Za-z0-9]+', self.name))}.nc"

    def key(self, word: str) -> jax.Array:
        """Where its random numbers for one purpose come from."""
        return jax.random.key(subseed(self.seed, "lattice", "race", word, self.name, f"{self.beta:g}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What an entrant has done.

    Attributes
    ----------
    name, kind, beta : as in :class:`Entrant`.
    settings : the sampler's own, such as its step size.
    chains, trajectories : of the run.
    found : its observables and autocorrelation times.
    p_value : of the chi-squared test of the visited sectors against the exact P(Q).
    """

    name: str
    kind: Kind
    beta: float
    settings: dict[str, Any]
    chains: int
    trajectories: int
    found: Measurement
    p_value: float

    @property
    def steps(self) -> int:
        """N, the leapfrog steps in a trajectory."""
        assert self.found.steps_per_trajectory is not None
        return self.found.steps_per_trajectory

    def price(self, name: str = "Q_Z") -> Estimate | None:
        """N tau, the leapfrog steps of an independent charge; None where tau is, or where no step is taken."""
        tau = self.found.tau[name]
        return None if tau is None or self.steps == 0 else scaled(tau, self.steps)

    def to_json(self, plaquette: float, charge_squared: float) -> dict[str, Any]:
        """The row of the table, beside the exact values."""
        found, price = self.found.to_json(), self.price()
        pulls = {
            "plaquette": self.found.plaquette.pull(plaquette),
            "charge_squared": self.found.charge_squared.pull(charge_squared),
        }
        return {
            "name": self.name,
            "kind": self.kind,
            "settings": self.settings,
            "chains": self.chains,
            "trajectories": self.trajectories,
            "steps": self.steps,
            "tau_Q_Z": found["tau"]["Q_Z"],
            "tau_Q_R": found["tau"]["Q_R"],
            "tau_method": found["tau_method"]["Q_Z"],
            "N_tau": None if price is None else price.to_json(),
            "independent_charge": found["independent_charge"],
            "training": found["training"],
            **{name: found[name] for name in ("acceptance", "exp_minus_dh", "plaquette", "charge_squared", "tunnelling_rate")},
            "pulls": {name: pull if pull is not None and math.isfinite(pull) else None for name, pull in pulls.items()},
            "sectors_p_value": self.p_value,
        }


def race(entrant: Entrant) -> Finish:
    """Build the sampler, sample from equilibrium starts, and measure; an interrupted ensemble goes on."""
    data = ensemble(entrant)
    truth = torus(entrant.beta, entrant.shape)
    found = measure(data)
    own = ("step_size", "heat", "layers", "mode")
    return Finish(
        name=entrant.name,
        kind=entrant.kind,
        beta=entrant.beta,
        settings={name: data.attrs[name] for name in own if name in data.attrs},
        chains=entrant.chains,
        trajectories=int(data.sizes["trajectory"]),
        found=found,
        p_value=sectors_p_value(data["charge"].transpose("chain", "trajectory").to_numpy(), truth.sectors, found.tau["Q_Z"]),
    )


def ensemble(entrant: Entrant) -> xr.Dataset:
    """The observables of the entrant's chains, which start in equilibrium: as many trajectories as the first 200 ask for."""
    sampler = build(entrant)

    def until(trajectories: int, begun: xr.Dataset | None) -> xr.Dataset:
        return sample(
            beta=entrant.beta,
            shape=entrant.shape,
            chains=entrant.chains,
            trajectories=trajectories,
            key=entrant.key("sample"),
            sampler=sampler,
            start="equilibrium",
            resume=begun,
            checkpoint=lambda so_far: entrant.run.save(entrant.file, so_far),
        )

    begun, first = entrant.run.load(entrant.file), min(LEAST, entrant.trajectories)
    if begun is None or begun.sizes["trajectory"] < first:
        begun = until(first, begun)
    data = until(_length(entrant, begun["charge"].isel(trajectory=slice(first))), begun)
    entrant.run.save(entrant.file, data)
    if entrant.model is not None:
        data = data.assign_attrs(training_price(Path(entrant.model), entrant.beta))
    return data


def build(entrant: Entrant) -> Sampler:
    """The sampler: HMC with the step size of an acceptance of 0.8, alone or with instantons; the tempered one of the highest
    reward; a model as it was trained.
    """
    where: dict[str, Any] = {"beta": entrant.beta, "shape": entrant.shape, "key": entrant.key("tune")}
    if entrant.model is not None:
        return load(Path(entrant.model), entrant.beta, entrant.shape)
    if entrant.kind == "tempered":
        return tune_tempered(entrant.steps, **where)
    if entrant.kind == "exact":
        return Independent()
    tuned = tune_step_size(partial(HMC, steps=entrant.steps), target=TARGET, **where)
    return Instanton(tuned) if entrant.kind == "instanton" else tuned


def tune_tempered(steps: int, *, beta: float, shape: Shape, key: jax.Array) -> Tempered:
    """The tempered sampler of `steps` steps with the highest E[A dQ_Z^2], of a grid of step sizes and heats.

    All trials take the same 2048 starts and momenta. Costs 48 of them.

    Examples
    --------
    >>> tune_tempered(4, beta=1.0, shape=(4, 4), key=jax.random.key(0)).heat
    0.0
    """
    trials = [Tempered(steps=steps, step_size=step_size, heat=heat) for step_size, heat in product(STEP_SIZES, HEATS)]
    return max(trials, key=lambda one: reward(one, beta=beta, shape=shape, key=key).value)


def reward(sampler: Mover, *, beta: float, shape: Shape, key: jax.Array) -> Estimate:
    """E[A dQ_Z^2] of a sampler with a `move`, from exact draws: with independent changes tau(Q_Z) is 4 <Q_Z^2> over this."""
    keys, state = equilibrium(key, beta, shape=shape, draws=DRAWS)
    each = np.asarray(_rewards(sampler, keys, state, Wilson(beta)))
    return Estimate.statistical(float(each.mean()), float(each.std(ddof=1) / math.sqrt(each.size)))


@jax.jit
def _rewards(sampler: Mover, keys: jax.Array, state: State, theory: Wilson) -> jax.Array:
    """A dQ_Z^2 of one trajectory from each configuration."""
    momenta, _ = draw(keys, state.links)
    seen = proposals(sampler, state, momenta, theory)
    return seen.acceptance * seen.charge_change**2


def _length(entrant: Entrant, charges: xr.DataArray) -> int:
    """Trajectories of a run: 30 tau, as the first ones tell it, between these and the most that the chains may run."""
    change = float((charges.diff("trajectory").astype(float) ** 2).mean())
    rho = 1 - change / (2 * torus(entrant.beta, entrant.shape).charge_squared)
    if change == 0:
        return entrant.trajectories
    tau = 1 / math.tanh(-math.log(rho) / 2) if 0 < rho < 1 else 1.0
    wanted = max(charges.sizes["trajectory"], math.ceil(LONG * tau / CHUNK) * CHUNK)
    return min(entrant.trajectories, wanted)


def sectors_p_value(charges: NDArray[np.integer[Any]], sectors: dict[int, float], tau: Estimate | None) -> float:
    """The chi-squared test of charges [chain, trajectory] against the exact P(Q), from draws two tau apart.

    Where tau is unknown or the run is shorter than that, the last draw of each chain is taken. Rare sectors are pooled.
    """
    spacing = charges.shape[1] if tau is None else min(charges.shape[1], math.ceil(2 * tau.value))
    drawn = abs(charges[:, ::-1][:, ::spacing]).ravel()
    expected, seen, rest = [], [], 1.0
    for sector, probability in sorted(sectors.items()):
        weight = probability * (1 if sector == 0 else 2)
        if drawn.size * min(weight, rest - weight) < POOLED:
            break
        expected.append(drawn.size * weight)
        seen.append(float((drawn == sector).sum()))
        rest -= weight
    expected.append(drawn.size * rest)
    seen.append(drawn.size - sum(seen))
    if len(expected) == 1:
        return 1.0
    chi_squared = sum((count - mean) ** 2 / mean for count, mean in zip(seen, expected, strict=True))
    return float(chdtrc(len(expected) - 1, chi_squared))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """A statistical estimate times an exact number."""
    assert estimate.error is not None
    return Estimate.statistical(factor * estimate.value, abs(factor) * estimate.error)


def ratio(above: Estimate, below: Estimate) -> Estimate:
    """The ratio of two independent estimates."""
    assert above.error is not None and below.error is not None
    value = above.value / below.value
    return Estimate.statistical(value, value * math.hypot(above.error / above.value, below.error / below.value))


def table(finishes: Sequence[Finish], shape: Shape) -> xr.Dataset:
    """The finishes as a Dataset (beta, sampler); NaN where a sampler did not run or tau is unknown."""
    betas, names = sorted({one.beta for one in finishes}), list(dict.fromkeys(one.name for one in finishes))
    at = {(one.beta, one.name): one for one in finishes}

    def column(value: Any) -> tuple[tuple[str, str], NDArray[np.float64]]:
        cells = [[math.nan if (beta, name) not in at else value(at[beta, name]) for name in names] for beta in betas]
        return ("beta", "sampler"), np.array(cells, dtype=np.float64)

    def parts(name: str, estimate: Any) -> dict[str, Any]:
        return {
            name: column(lambda one: math.nan if estimate(one) is None else estimate(one).value),
            f"{name}_error": column(lambda one: math.nan if estimate(one) is None else estimate(one).error),
        }

    def seconds(one: Finish) -> Estimate | None:
        return None if one.found.independent_charge is None else one.found.independent_charge["seconds"]

    kinds = {one.name: one.kind for one in finishes}
    return xr.Dataset(
        {
            **parts("tau_Q_Z", lambda one: one.found.tau["Q_Z"]),
            **parts("tau_Q_R", lambda one: one.found.tau["Q_R"]),
            **parts("seconds_per_charge", seconds),
            **parts("acceptance", lambda one: one.found.acceptance),
            **parts("plaquette", lambda one: one.found.plaquette),
            **parts("charge_squared", lambda one: one.found.charge_squared),
            "steps": column(lambda one: one.steps),
            "trajectories": column(lambda one: one.trajectories),
            "sectors_p_value": column(lambda one: one.p_value),
        },
        coords={"beta": betas, "sampler": names, "kind": ("sampler", [kinds[name] for name in names])},
        attrs={"shape": list(shape)},
    )


def entered(entrant: Entrant, betas: Sequence[float]) -> list[Entrant]:
    """The same sampler at several couplings."""
    return [replace(entrant, beta=beta) for beta in betas]
