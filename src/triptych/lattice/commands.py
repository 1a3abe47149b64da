"""The verbs of ``triptych lattice``.

In: configurations from a command line or a TOML file, and a run directory. Out: JSON summaries; ensembles and figures in the
directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import xarray as xr

from triptych.errors import ConfigError
from triptych.lattice.exact import refuse_too_large, torus
from triptych.lattice.measure import measure
from triptych.lattice.plots import plot_freezing, plot_sectors
from triptych.lattice.sample import refuse_bad_settings
from triptych.lattice.sample import sample as sample_chains
from triptych.lattice.theory import refuse_impossible
from triptych.lattice.verdicts import freezing_verdicts, variance_verdict
from triptych.plotting import figure
from triptych.runs import Run, subseed


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactConfig:
    """Exact plaquette, charge and sectors on the finite torus."""

    beta: float = field(default=4.0, metadata={"help": "inverse coupling"})
    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})

    def __post_init__(self) -> None:
        refuse_impossible(self.beta, self.shape)
        refuse_too_large(self.beta, self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerConfig:
    """How a chain moves."""

    name: Literal["hmc"] = field(default="hmc", metadata={"help": "the algorithm"})
    steps: int = field(default=10, metadata={"help": "leapfrog steps in a trajectory"})
    step_size: float = field(default=0.1, metadata={"help": "length of a leapfrog step"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig:
    """Sample gauge configurations and measure them."""

    beta: float = field(default=4.0, metadata={"help": "inverse coupling"})
    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})
    chains: int = field(default=64, metadata={"help": "independent chains"})
    trajectories: int = field(default=1000, metadata={"help": "recorded trajectories of each chain"})
    thermalization: int = field(default=400, metadata={"help": "trajectories before the first recorded one"})
    start: Literal["cold", "hot"] = field(default="cold", metadata={"help": "first configuration: all angles 0, or uniform"})
    seed: int = field(default=0, metadata={"help": "seed of all random numbers"})
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        refuse_bad_settings(
            beta=self.beta,
            shape=self.shape,
            chains=self.chains,
            trajectories=self.trajectories,
            thermalization=self.thermalization,
            steps=self.sampler.steps,
            step_size=self.sampler.step_size,
            start=self.start,
        )
        refuse_too_large(self.beta, self.shape)  # the figure of the sectors needs the exact ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig1Config:
    """The paper's Fig. 1: the charge of HMC chains freezes as beta grows."""

    beta_first: int = field(default=2, metadata={"help": "lowest coupling"})
    beta_last: int = field(default=7, metadata={"help": "highest coupling, in steps of one"})
    shape: tuple[int, int] = field(default=(16, 16), metadata={"help": "sites in the two directions, T,L"})
    chains: int = field(default=32, metadata={"help": "independent chains at each coupling"})
    trajectories: int = field(default=1000, metadata={"help": "recorded trajectories of each chain"})
    thermalization: int = field(default=400, metadata={"help": "trajectories before the first recorded one"})
    start: Literal["cold", "hot"] = field(default="cold", metadata={"help": "first configuration: all angles 0, or uniform"})
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
    return measure(data).to_json()


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
        couplings.append({"beta": float(data.beta), **measure(data).to_json(), "exact": exact_values})
    verdicts = [*freezing_verdicts(ensembles), *variance_verdict(ensembles[0])]
    return {"couplings": couplings, "claims": [verdict.to_json() for verdict in verdicts]}


def sample_each(configs: Sequence[SampleConfig], run: Run) -> list[xr.Dataset]:
    """The ensembles of all configurations, on the run's workers; no two may share coupling and shape."""
    return run.map(ensemble, [Ensemble(config=one, run=run) for one in configs], label="ensembles")


def ensemble(task: Ensemble) -> xr.Dataset:
    """One ensemble, from where an interrupted run left it."""
    config, run = task.config, task.run
    state = f"checkpoints/{config.shape[0]}x{config.shape[1]}-beta-{config.beta:g}.nc"
    data = sample_chains(
        beta=config.beta,
        shape=config.shape,
        chains=config.chains,
        trajectories=config.trajectories,
        key=jax.random.key(subseed(config.seed, "lattice", "sample")),
        thermalization=config.thermalization,
        steps=config.sampler.steps,
        step_size=config.sampler.step_size,
        start=config.start,
        resume=run.load(state),
        checkpoint=lambda so_far: run.save(state, so_far),
    )
    run.save(state, data)
    return data
