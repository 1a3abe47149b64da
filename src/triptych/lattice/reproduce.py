"""Figs. 4 to 7 of the paper: trained samplers beside HMC and its classical rivals, and what happens along their trajectories.

In: configurations from a command line or a TOML file, and a run directory. Out: JSON summaries with verdicts on the paper's
claims; ``results.nc`` and a figure in the directory.

Models are trained in the run, or taken from runs of ``triptych lattice train``. All ensembles start in equilibrium.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from triptych.errors import ConfigError
from triptych.lattice.along import along, effective_beta
from triptych.lattice.exact import refuse_too_large, torus
from triptych.lattice.measure import SHORTEST_FOR_TAU
from triptych.lattice.model import find, load, training
from triptych.lattice.plots import plot_along, plot_effective_coupling, plot_run_lengths, plot_times
from triptych.lattice.race import Entrant, Finish, Kind, entered, race, ratio, reward, table
from triptych.lattice.theory import Shape, refuse_impossible
from triptych.lattice.train import TrainConfig, train
from triptych.lattice.trained_verdicts import (
    CHARGE_LOSS,
    along_verdicts,
    annealing_verdict,
    charge_loss_verdict,
    race_verdicts,
    run_length_verdicts,
    training_verdict,
)
from triptych.plotting import figure
from triptych.runs import Run, Verdict, subseed
from triptych.runs.claims import PAPERS
from triptych.statistics import Estimate, autocorrelation

LENGTHS = 10  # run lengths at which Fig. 5 shows an estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig4Config:
    """Fig. 4: autocorrelation times of the charge against beta, and what an independent charge costs each sampler."""

    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})
    couplings: tuple[float, ...] = field(default=(2.0, 3.0, 4.0, 5.0, 6.0, 7.0), metadata={"help": "inverse couplings, rising"})
    chains: int = field(default=256, metadata={"help": "independent chains of every ensemble"})
    trajectories: int = field(default=2000, metadata={"help": "most trajectories of a chain; fewer where tau is short"})
    hmc_steps: tuple[int, ...] = field(
        default=(10, 40), metadata={"help": "leapfrog steps of HMC beside those of the trained model; the cheapest is the rival"}
    )
    seeds: tuple[int, ...] = field(default=(0, 1, 2), metadata={"help": "seeds of the trainings"})
    models: tuple[str, ...] = field(default=(), metadata={"help": "run directories of trainings, instead of training anew"})
    others: tuple[str, ...] = field(
        default=(), metadata={"help": "run directories of trainings with dense networks or another loss, shown beside"}
    )
    seed: int = field(default=0, metadata={"help": "seed of tuning and ensembles"})
    training: TrainConfig = field(
        default_factory=TrainConfig, metadata={"help": "takes shape and couplings of the figure, and the seeds"}
    )

    def __post_init__(self) -> None:
        _refuse_bad(self.shape, self.couplings, self.chains, self.trajectories, self.hmc_steps)
        if len(set(self.others)) < len(self.others):
            raise ConfigError("a training is named twice", got=self.others)
        if not (self.seeds or self.models):
            raise ConfigError("there is no trained model", got="neither seeds nor models", fix="give --seeds or --models")
        object.__setattr__(self, "training", replace(self.training, shape=self.shape, couplings=self.couplings))

    def inputs(self) -> list[Path]:
        """The models' files."""
        return [find(Path(model), beta) for model in (*self.models, *self.others) for beta in self.couplings]

    def trainings(self) -> dict[str, TrainConfig]:
        """What is to be trained, by name."""
        return {} if self.models else {f"trained {seed}": replace(self.training, seed=seed) for seed in self.seeds}


def reproduce_fig4(config: Fig4Config, run: Run) -> dict[str, Any]:
    """Train, race all samplers at every coupling, and draw tau and N tau against beta."""
    trained = _trained(config.trainings(), run)
    places = {**{f"trained {number}": model for number, model in enumerate(config.models)}, **trained}
    same = _same_steps(places, config.couplings[0], config.shape)
    others: dict[str, str] = {}
    for place in config.others:
        name = _other(place, config.couplings[0])
        others[place if name in others else name] = place
    field_of = partial(_entrants, config, run)
    entrants = [
        *field_of({f"HMC, N = {steps}": ("hmc", steps, None) for steps in dict.fromkeys((same, *config.hmc_steps))}),
        *field_of({f"tempered, N = {same}": ("tempered", same, None)}),
        *field_of({"HMC and instantons": ("instanton", min((same, *config.hmc_steps)), None), "exact draws": ("exact", 0, None)}),
        *field_of({name: ("trained", 0, place) for name, place in places.items()}),
        *field_of({name: ("trained otherwise", 0, place) for name, place in others.items()}),
    ]
    finishes = run.map(race, entrants, label="ensembles")
    data = table(finishes, config.shape).assign(_paper_curves(config.couplings))
    run.save("results.nc", data)
    drawn, axes = figure(1, 2, width=10.0, height=4.4)
    plot_times(data, ax=axes[0, 0])
    plot_times(data, price=True, ax=axes[0, 1])
    run.save_figure("fig4.png", drawn)
    verdicts = race_verdicts(finishes, same=same)
    verdicts += annealing_verdict(finishes, same=same) + charge_loss_verdict(finishes, same=same)
    if not config.models:
        verdicts += training_verdict(*_rewards(config, trained), mode=config.training.layers.mode)
    paper = _paper("fig4")
    return {
        "couplings": [
            {
                "beta": beta,
                "samplers": [one.to_json(*_exact(beta, config.shape)) for one in finishes if one.beta == beta],
                "exact": dict(zip(("plaquette", "charge_squared"), _exact(beta, config.shape), strict=True)),
                "ratios": _ratios([one for one in finishes if one.beta == beta], same),
                "paper": {name: float(data[f"paper_{name}"].sel(beta=beta)) for name in ("hmc", "trained")}
                if beta in paper["couplings"]
                else None,
            }
            for beta in config.couplings
        ],
        "paper": {name: paper[name] for name in ("shape", "relative_error", "note")} | {"unit": _paper("unit")["note"]},
        "claims": _claims(verdicts, config.shape),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig5Config:
    """Fig. 5: N tau against run length, for HMC with several N and for trained models with several N_LF."""

    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})
    couplings: tuple[float, ...] = field(default=(4.0, 5.0, 6.0, 7.0), metadata={"help": "inverse couplings, rising"})
    chains: int = field(default=128, metadata={"help": "independent chains of every ensemble"})
    trajectories: int = field(default=2000, metadata={"help": "most trajectories of a chain; fewer where tau is short"})
    hmc_steps: tuple[int, ...] = field(
        default=(20, 30, 40, 50), metadata={"help": "leapfrog steps of HMC: twice the paper's N_LF of 10 to 25"}
    )
    layers: tuple[int, ...] = field(default=(9, 10, 11, 13), metadata={"help": "N_LF of the trained models"})
    seed: int = field(default=0, metadata={"help": "seed of tuning and ensembles"})
    training: TrainConfig = field(default_factory=TrainConfig, metadata={"help": "takes shape, couplings and N_LF of the figure"})

    def __post_init__(self) -> None:
        _refuse_bad(self.shape, self.couplings, self.chains, self.trajectories, self.hmc_steps)
        if not (self.hmc_steps and self.layers):
            raise ConfigError("there is nothing to compare", got=f"hmc_steps {self.hmc_steps}, layers {self.layers}")
        object.__setattr__(self, "training", replace(self.training, shape=self.shape, couplings=self.couplings))

    def trainings(self) -> dict[str, TrainConfig]:
        """What is to be trained, by name."""
        layers = self.training.layers
        return {
            f"trained, N_LF = {number}": replace(self.training, layers=replace(layers, number=number)) for number in self.layers
        }


def reproduce_fig5(config: Fig5Config, run: Run) -> dict[str, Any]:
    """Train, sample, and draw how the estimates of N tau grow with the run."""
    places = _trained(config.trainings(), run)
    field_of = partial(_entrants, config, run)
    entrants = [
        *field_of({f"HMC, N = {steps}": ("hmc", steps, None) for steps in dict.fromkeys(config.hmc_steps)}),
        *field_of({name: ("trained", 0, place) for name, place in places.items()}),
    ]
    raced = run.map(_race_with_estimates, entrants, label="ensembles")
    finishes = [finish for finish, _ in raced]
    data = table(finishes, config.shape).assign(_estimates(raced))
    run.save("results.nc", data)
    drawn, axes = figure(2, -(-len(config.couplings) // 2), width=10.0, height=7.0)
    for beta, ax in zip(config.couplings, axes.ravel(), strict=False):
        plot_run_lengths(data.sel(beta=beta), ax=ax)
    for ax in axes.ravel()[len(config.couplings) :]:
        ax.set_axis_off()
    run.save_figure("fig5.png", drawn)
    paper = _paper("fig5")
    return {
        "couplings": [
            {
                "beta": beta,
                "samplers": [
                    {**finish.to_json(*_exact(beta, config.shape)), "estimates": estimates}
                    for finish, estimates in raced
                    if finish.beta == beta
                ],
            }
            for beta in config.couplings
        ],
        "paper": paper | {"unit": _paper("unit")["note"]},
        "claims": _claims(run_length_verdicts(finishes), config.shape),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlongConfig:
    """Figs. 6 and 7: energy, charge and plaquette along the trajectory of trained models."""

    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})
    couplings: tuple[float, ...] = field(
        default=(3.0, 4.0, 5.0, 6.0, 7.0), metadata={"help": "inverse couplings, rising; fig6 shows the last"}
    )
    chains: int = field(default=2048, metadata={"help": "independent trajectories at each coupling"})
    model: str | None = field(default=None, metadata={"help": "run directory of a training, instead of training anew"})
    seed: int = field(default=0, metadata={"help": "seed of the trajectories"})
    training: TrainConfig = field(default_factory=TrainConfig, metadata={"help": "takes shape and couplings of the figure"})

    def __post_init__(self) -> None:
        _refuse_bad(self.shape, self.couplings, self.chains, 2, (1,))
        object.__setattr__(self, "training", replace(self.training, shape=self.shape, couplings=self.couplings))

    def inputs(self) -> list[Path]:
        """The models' files."""
        return [] if self.model is None else [find(Path(self.model), beta) for beta in self.couplings]


def reproduce_fig6(config: AlongConfig, run: Run) -> dict[str, Any]:
    """The trajectory at the highest coupling: plaquette (what the paper's Fig. 6a shows is not said), Q_R and H - sum log |J|."""
    data = _along(config, run)[-1]
    run.save("results.nc", data)
    drawn, axes = figure(1, 3, width=10.0, height=3.4)
    for name, ax in zip(("plaquette", "real_charge", "energy"), axes[0], strict=True):
        plot_along(data, name, ax=ax)
    run.save_figure("fig6.png", drawn)
    verdicts = [one for one in along_verdicts([data]) if "/fig6" in one.id]
    return {**_steps_json(data), "claims": _claims(verdicts, config.shape)}


def reproduce_fig7(config: AlongConfig, run: Run) -> dict[str, Any]:
    """The mean plaquette along the trajectory at every coupling, and the coupling that it is like in the middle."""
    seen = _along(config, run)
    run.save(
        "results.nc", xr.concat([data.expand_dims(beta=[data.beta]) for data in seen], dim="beta", combine_attrs="drop_conflicts")
    )
    drawn, axes = figure(1, 2, width=10.0, height=4.2)
    plot_effective_coupling(seen, difference=True, ax=axes[0, 0])
    plot_effective_coupling(seen, ax=axes[0, 1])
    run.save_figure("fig7.png", drawn)
    verdicts = [one for one in along_verdicts(seen) if "/fig7" in one.id]
    return {"couplings": [_steps_json(data) for data in seen], "claims": _claims(verdicts, config.shape)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A training, and the directory of its own that keeps it."""

    config: TrainConfig
    run: Run


def learn(lesson: Lesson) -> str:
    """Train, or go on with an interrupted training; the directory with the models."""
    (lesson.run.path / "checkpoints").mkdir(parents=True, exist_ok=True)
    train(lesson.config, run=lesson.run)
    return str(lesson.run.path)


def _trained(trainings: dict[str, TrainConfig], run: Run) -> dict[str, str]:
    """The directories of the trained models, by name."""
    lessons = [
        Lesson(config=config, run=replace(run, path=run.path / "training" / "-".join(re.findall("[A-Za-z0-9]+", name))))
        for name, config in trainings.items()
    ]
    return dict(zip(trainings, run.map(learn, lessons, label="trainings"), strict=True))


def _claims(verdicts: Sequence[Verdict], shape: Shape) -> list[dict[str, Any]]:
    """The verdicts, each with the lattice that it was found on."""
    where = f"{shape[0]}x{shape[1]} lattice"
    return [(one if where in one.note else replace(one, our_value=f"{one.our_value}; {where}")).to_json() for one in verdicts]


def _other(place: str, beta: float) -> str:
    """What tells a training from those that are judged: its networks, or its loss."""
    known = training(Path(place), beta)["config"]
    return "dense networks" if known["layers"]["network"] == "dense" else CHARGE_LOSS if known["loss"] == "charge" else place


def _entrants(config: Fig4Config | Fig5Config, run: Run, wanted: dict[str, tuple[Kind, int, str | None]]) -> list[Entrant]:
    """Every sampler at every coupling."""
    return [
        one
        for name, (kind, steps, model) in wanted.items()
        for one in entered(
            Entrant(
                name=name,
                kind=kind,
                steps=steps,
                model=model,
                beta=0.0,
                shape=config.shape,
                chains=config.chains,
                trajectories=config.trajectories,
                seed=config.seed,
                run=run,
            ),
            config.couplings,
        )
    ]


def _same_steps(places: dict[str, str], beta: float, shape: Shape) -> int:
    """N of the trained models, which their rivals take too."""
    steps = {name: load(Path(place), beta, shape).steps for name, place in places.items()}
    if len(set(steps.values())) > 1:
        raise ConfigError("the models differ in their number of steps", got=steps, expected="one N for all")
    return next(iter(steps.values()))


def _exact(beta: float, shape: Shape) -> tuple[float, float]:
    truth = torus(beta, shape)
    return truth.plaquette, truth.charge_squared


def _ratios(finishes: Sequence[Finish], same: int) -> list[dict[str, Any]]:
    """How much cheaper each trained model is than its rivals at this coupling; null where a tau is unknown."""
    hmc = {one.steps: one for one in finishes if one.kind == "hmc"}
    tempered = next(one for one in finishes if one.kind == "tempered")
    known = [one for one in hmc.values() if one.price() is not None]
    best = min(known, key=lambda one: one.price().value) if known else hmc[same]  # type: ignore[union-attr]

    def over(above: Estimate | None, below: Estimate | None) -> dict[str, Any] | None:
        return None if above is None or below is None else ratio(above, below).to_json()

    def seconds(one: Finish) -> Estimate | None:
        return None if one.found.independent_charge is None else one.found.independent_charge["seconds"]

    return [
        {
            "model": one.name,
            "tau of HMC / trained, same N": over(hmc[same].found.tau["Q_Z"], one.found.tau["Q_Z"]),
            "tau of tempered / trained, same N": over(tempered.found.tau["Q_Z"], one.found.tau["Q_Z"]),
            "cheapest HMC": best.name,
            "N tau of the cheapest HMC / trained": over(best.price(), one.price()),
            "seconds of the cheapest HMC / trained": over(seconds(best), seconds(one)),
        }
        for one in finishes
        if one.kind.startswith("trained")
    ]


def _rewards(config: Fig4Config, places: dict[str, str]) -> tuple[dict[float, Estimate], dict[float, Estimate]]:
    """E[A dQ_Z^2] at every coupling before and after the training with the first seed."""
    name, place = next(iter(places.items()))
    lesson = config.trainings()[name]
    untrained = lesson.layers.build(config.shape, key=jax.random.key(subseed(lesson.seed, "lattice", "untrained")))
    before, after = {}, {}
    for beta in config.couplings:
        where: dict[str, Any] = {"beta": beta, "shape": config.shape}
        key = jax.random.key(subseed(config.seed, "lattice", "rewards", f"{beta:g}"))
        before[beta] = reward(untrained, key=key, **where)
        after[beta] = reward(load(Path(place), beta, config.shape), key=key, **where)
    return before, after


def _race_with_estimates(entrant: Entrant) -> tuple[Finish, list[dict[str, Any]]]:
    """The finish, and N tau(Q_Z) by the Gamma method from the first part of the run alone, for longer and longer parts."""
    finish = race(entrant)
    kept = entrant.run.load(entrant.file)
    assert kept is not None
    charges = kept["charge"].transpose("chain", "trajectory").to_numpy().astype(np.float64)
    whole = charges.shape[1]
    lengths = np.unique(np.geomspace(min(SHORTEST_FOR_TAU, whole), whole, LENGTHS).astype(int))
    estimates = []
    for length in lengths[lengths >= SHORTEST_FOR_TAU]:
        if not charges[:, :length].any():
            continue
        found = autocorrelation(charges[:, :length], mean=0.0)
        price = Estimate.statistical(finish.steps * found.tau.value, finish.steps * (found.tau.error or 0.0))
        estimates.append({"run_length": int(finish.steps * length), "N_tau": price.to_json(), "long_enough": found.long_enough})
    return finish, estimates


def _estimates(raced: Sequence[tuple[Finish, list[dict[str, Any]]]]) -> dict[str, Any]:
    """The estimates as arrays (beta, sampler, length), NaN where there are fewer."""
    betas = sorted({finish.beta for finish, _ in raced})
    names = list(dict.fromkeys(finish.name for finish, _ in raced))
    arrays = {name: np.full((len(betas), len(names), LENGTHS), np.nan) for name in ("run_length", "estimate", "estimate_error")}
    enough = np.zeros((len(betas), len(names), LENGTHS), bool)
    for finish, estimates in raced:
        for number, one in enumerate(estimates):
            at = betas.index(finish.beta), names.index(finish.name), number
            arrays["run_length"][at] = one["run_length"]
            arrays["estimate"][at], arrays["estimate_error"][at] = one["N_tau"]["value"], one["N_tau"]["error"]
            enough[at] = one["long_enough"]
    dims = ("beta", "sampler", "length")
    return {**{name: (dims, values) for name, values in arrays.items()}, "long_enough": (dims, enough)}


def _along(config: AlongConfig, run: Run) -> list[xr.Dataset]:
    """The trajectories at every coupling."""
    place = config.model
    if place is None:
        place = _trained({"trained": config.training}, run)["trained"]
    return [
        along(
            load(Path(place), beta, config.shape),
            beta=beta,
            shape=config.shape,
            chains=config.chains,
            key=jax.random.key(subseed(config.seed, "lattice", "along", f"{beta:g}")),
        )
        for beta in config.couplings
    ]


def _steps_json(data: xr.Dataset) -> dict[str, Any]:
    """Means along the trajectory, and the effective coupling in its middle."""
    means = data.mean("chain")
    middle = float(means["plaquette"].isel(step=data.sizes["step"] // 2))
    height, width = (int(n) for n in data.attrs["shape"])
    return {
        "beta": data.attrs["beta"],
        "plaquette_exact": data.attrs["plaquette_exact"],
        "energy": means["energy"].values.tolist(),
        "plaquette": means["plaquette"].values.tolist(),
        "real_charge_squared": (data["real_charge"] ** 2).mean("chain").values.tolist(),
        "hops": abs(data["charge"].diff("step")).mean("chain").values.tolist(),
        "effective_beta_mid_trajectory": effective_beta(middle, (height, width)) if middle >= 0 else None,
    }


def _paper(section: str) -> dict[str, Any]:
    """A section of the numbers read off the paper's figures."""
    text = (PAPERS / "foreman2021" / "paper_points.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)[section])


def _paper_curves(couplings: Sequence[float]) -> dict[str, Any]:
    """The paper's Fig. 4 in leapfrog steps, N tau with N = 2 N_LF; NaN at couplings that it does not have."""
    paper, factor = _paper("fig4"), _paper("unit")["steps_per_layer"]
    known = {name: dict(zip(paper["couplings"], paper[name], strict=True)) for name in ("hmc", "trained")}
    return {
        f"paper_{name}": ("beta", [factor * values.get(beta, np.nan) for beta in couplings]) for name, values in known.items()
    }


def _refuse_bad(shape: Shape, couplings: Sequence[float], chains: int, trajectories: int, steps: Sequence[int]) -> None:
    if not couplings:
        raise ConfigError("there is no coupling", got=couplings, expected="one or more")
    for beta in couplings:
        refuse_impossible(beta, shape)
        refuse_too_large(beta, shape)
    for name, value, least in (("chains", chains, 8), ("trajectories", trajectories, 2), ("hmc_steps", min(steps, default=1), 1)):
        if value < least:
            raise ConfigError(f"{name} is too small", got=value, expected=f">= {least}")
