"""The verbs of ``triptych lattice``.

In: configurations from a command line or a TOML file, and a run directory. Out: JSON summaries; ensembles and figures in the
directory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import xarray as xr

from triptych.errors import ConfigError, DataError
from triptych.lattice.exact import refuse_too_large, torus
from triptych.lattice.files import ensemble_file, read
from triptych.lattice.measure import Measurement
from triptych.lattice.measure import measure as measure_ensemble
from triptych.lattice.model import load, name_of, training, training_price
from triptych.lattice.plots import plot_freezing, plot_sectors
from triptych.lattice.sample import Precision, Start, refuse_bad_settings
from triptych.lattice.sample import sample as sample_chains
from triptych.lattice.settings import SamplerConfig, build
from triptych.lattice.theory import Shape, refuse_impossible
from triptych.lattice.train import TrainConfig
from triptych.lattice.train import train as train_layers
from triptych.lattice.trained_verdicts import layers_verdicts
from triptych.lattice.verdicts import freezing_verdicts, hmc_verdicts, real_charge_verdict, variance_verdict
from triptych.plotting import figure
from triptych.runs import Run, Verdict, strong_id, subseed

THERMALIZATION = 400  # trajectories: enough for the plaquette at every coupling, not for a frozen charge


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactConfig:
    """Exact plaquette, charge and sectors on the finite torus."""

    beta: float = field(default=4.0, metadata={"help": "inverse coupling"})
    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})

    def __post_init__(self) -> None:
        refuse_impossible(self.beta, self.shape)
        refuse_too_large(self.beta, self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig:
    """Sample gauge configurations and measure them."""

    beta: float = field(default=4.0, metadata={"help": "inverse coupling"})
    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})
    chains: int = field(default=64, metadata={"help": "independent chains"})
    trajectories: int = field(default=1000, metadata={"help": "recorded trajectories of each chain"})
    thermalization: int | None = field(
        default=None, metadata={"help": "trajectories before the first recorded one; none takes 400, and 0 from equilibrium"}
    )
    start: Start = field(
        default="cold", metadata={"help": "first configuration: all angles 0, uniform angles, or an independent exact draw"}
    )
    precision: Precision = field(default="float64", metadata={"help": "of links, momenta and forces"})
    keep_links: int = field(
        default=0, metadata={"help": "k > 0 keeps the links of every k-th trajectory as 'configurations' in results.nc"}
    )
    seed: int = field(default=0, metadata={"help": "seed of all random numbers"})
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        if self.thermalization is None:
            object.__setattr__(self, "thermalization", 0 if self.start == "equilibrium" else THERMALIZATION)
        assert self.thermalization is not None
        refuse_bad_settings(
            beta=self.beta,
            shape=self.shape,
            chains=self.chains,
            trajectories=self.trajectories,
            thermalization=self.thermalization,
            start=self.start,
            precision=self.precision,
            keep_links=self.keep_links,
        )
        refuse_too_large(self.beta, self.shape)  # the figure of the sectors needs the exact ones

    def inputs(self) -> list[Path]:
        """The sampler's model."""
        return self.sampler.inputs(self.beta)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConfig:
    """Measure an ensemble from a file: link angles of anyone's, or the observables of a run of ours."""

    path: str = field(
        default="",
        metadata={
            "positional": True,
            "help": "netCDF file with link angles (chain, draw, mu, t, x) in radians, or with the observables of a sample run, "
            "or the directory of one",
        },
    )
    beta: float | None = field(
        default=None, metadata={"help": "inverse coupling, for the exact values; none takes that of the file, if it has one"}
    )

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("no ensemble is given", expected="a netCDF-4 file, or a run directory with results.nc")
        if self.beta is not None:
            refuse_impossible(self.beta, (2, 2))

    def file(self) -> Path:
        """The file with the ensemble."""
        return ensemble_file(Path(self.path))

    def inputs(self) -> list[Path]:
        """The file."""
        return [self.file()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig1Config:
    """The paper's Fig. 1: the charge of HMC chains freezes as beta grows."""

    beta_first: int = field(default=2, metadata={"help": "lowest coupling"})
    beta_last: int = field(default=7, metadata={"help": "highest coupling, in steps of one"})
    shape: tuple[int, int] = field(default=(16, 16), metadata={"help": "sites in the two directions, T,L"})
    chains: int = field(default=32, metadata={"help": "independent chains at each coupling"})
    trajectories: int = field(default=1000, metadata={"help": "recorded trajectories of each chain"})
    thermalization: int = field(default=THERMALIZATION, metadata={"help": "trajectories before the first recorded one"})
    start: Start = field(
        default="cold", metadata={"help": "first configuration: all angles 0, uniform angles, or an independent exact draw"}
    )
    seed: int = field(default=0, metadata={"help": "seed of all random numbers"})
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        if self.beta_first > self.beta_last:
            raise ConfigError(
                "no coupling to run",
                got=f"beta_first {self.beta_first}, beta_last {self.beta_last}",
                expected="beta_first <= beta_last",
            )
        self.ensembles()

    def inputs(self) -> list[Path]:
        """The sampler's models."""
        return [path for one in self.ensembles() for path in one.inputs()]

    def ensembles(self) -> list[SampleConfig]:
        """The ensemble of each coupling; each draws from a random stream of its own."""
        return [
            SampleConfig(
                beta=float(beta),
                shape=self.shape,
                chains=self.chains,
                trajectories=self.trajectories,
                thermalization=self.thermalization,
                start=self.start,
                seed=subseed(self.seed, "beta", beta),
                sampler=self.sampler,
            )
            for beta in range(self.beta_first, self.beta_last + 1)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """An ensemble to be sampled, and the run that keeps its checkpoints."""

    config: SampleConfig
    run: Run


def exact(config: ExactConfig, run: Run) -> dict[str, Any]:  # noqa: ARG001 (every verb has a run)
    """The exact values on the torus."""
    answer = torus(config.beta, config.shape)
    sectors = {str(charge): probability for charge, probability in answer.sectors.items()}
    return {"plaquette": answer.plaquette, "charge_squared": answer.charge_squared, "sectors": sectors}


def sample(config: SampleConfig, run: Run) -> dict[str, Any]:
    """Sample, measure, and draw the sectors."""
    data = ensemble(Ensemble(config=config, run=run))
    run.save("results.nc", data)
    drawn, axes = figure()
    plot_sectors(data, ax=axes[0, 0])
    run.save_figure("sectors.png", drawn)
    verdicts = [verdict.to_json() for verdict in _verdicts(config, data)]
    return {**_beside_exact(measure_ensemble(data), config.beta, config.shape), "claims": verdicts}


def _verdicts(config: SampleConfig, data: xr.Dataset) -> list[Verdict]:
    """What an ensemble says of the paper's claims on its sampler."""
    if config.sampler.name == "hmc":
        return hmc_verdicts(data)
    if config.sampler.name == "exact":
        return real_charge_verdict(data)
    if config.sampler.model is not None:
        return layers_verdicts(load(Path(config.sampler.model), config.beta, config.shape), data)
    return []


def train(config: TrainConfig, run: Run) -> dict[str, Any]:
    """Train, and say what each model was worth when it was kept."""
    train_layers(config, run=run)
    models = []
    for beta in config.couplings:
        known = training(run.path, beta)
        models.append({"beta": beta, "file": name_of(beta), **{word: value for word, value in known.items() if word != "config"}})
    return {"models": models}


def measure(config: MeasureConfig, run: Run) -> dict[str, Any]:
    """Measure an ensemble; its observables are kept in ``results.nc``."""
    data = read(config.file())
    known = data.attrs.get("beta")
    if config.beta is not None and known is not None and config.beta != known:
        raise DataError("the ensemble is of another beta", got=f"beta {known} in the file", expected=f"{config.beta}, as given")
    if config.beta is not None:
        data.attrs["beta"] = config.beta
    answer = measure_ensemble(data)
    run.save("results.nc", data)
    if "beta" not in data.attrs or "shape" not in data.attrs:
        return {**answer.to_json(), "exact": None}
    height, width = (int(n) for n in data.attrs["shape"])
    return _beside_exact(answer, float(data.attrs["beta"]), (height, width))


def _beside_exact(answer: Measurement, beta: float, shape: Shape) -> dict[str, Any]:
    """The summary, with the exact values on the torus and the distance from them in standard deviations."""
    try:
        truth = torus(beta, shape)
    except ConfigError:  # too large for them
        return {**answer.to_json(), "exact": None}
    exact_values = {}
    for name in ("plaquette", "charge_squared"):
        value = float(getattr(truth, name))
        pull = getattr(answer, name).pull(value)
        exact_values[name] = {"value": value, "pull": pull if math.isfinite(pull) else None}  # at zero error there is none
    return {**answer.to_json(), "exact": exact_values}


def reproduce_fig1(config: Fig1Config, run: Run) -> dict[str, Any]:
    """Sample at every coupling and draw the charge histories."""
    ensembles = sample_each(config.ensembles(), run)
    observables = [data.drop_dims(("mu", "t", "x")).drop_vars("action").expand_dims(beta=[data.beta]) for data in ensembles]
    run.save("results.nc", xr.concat(observables, dim="beta", combine_attrs="drop_conflicts"))
    run.save_figure("fig1.png", plot_freezing(ensembles))
    couplings = []
    for data in ensembles:
        truth = torus(data.beta, config.shape)
        exact_values = {"plaquette": truth.plaquette, "charge_squared": truth.charge_squared}
        couplings.append({"beta": float(data.beta), **measure_ensemble(data).to_json(), "exact": exact_values})
    verdicts = [*freezing_verdicts(ensembles), *variance_verdict(ensembles[0])]
    return {"couplings": couplings, "claims": [verdict.to_json() for verdict in verdicts]}


def sample_each(configs: Sequence[SampleConfig], run: Run) -> list[xr.Dataset]:
    """The ensembles of all configurations, on the run's workers."""
    return run.map(ensemble, [Ensemble(config=one, run=run) for one in configs], label="ensembles")


def ensemble(task: Ensemble) -> xr.Dataset:
    """One ensemble, from where an interrupted run left it."""
    config, run = task.config, task.run
    key = jax.random.key(subseed(config.seed, "lattice", "sample"))
    sampler = build(
        config.sampler,
        beta=config.beta,
        shape=config.shape,
        key=jax.random.key(subseed(config.seed, "lattice", "tune")),
    )
    identity = strong_id("lattice-ensemble", config, {})
    state = f"checkpoints/{config.shape[0]}x{config.shape[1]}-beta-{config.beta:g}-{identity[:8]}.nc"
    assert config.thermalization is not None
    data = sample_chains(
        beta=config.beta,
        shape=config.shape,
        chains=config.chains,
        trajectories=config.trajectories,
        key=key,
        thermalization=config.thermalization,
        sampler=sampler,
        start=config.start,
        precision=config.precision,
        keep_links=config.keep_links,
        resume=run.load(state),
        checkpoint=lambda so_far: run.save(state, so_far),
    )
    if config.sampler.model is not None:
        data = data.assign_attrs(training_price(Path(config.sampler.model), config.beta))
    run.save(state, data)
    return data
