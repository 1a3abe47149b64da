"""The lattice panel's part of the tour: topology freezes, and a trained sampler thaws it.

In: the tour's few parameters. Out: the paper's Fig. 1 on a small lattice, and rows that compare HMC, and LeapfrogLayers trained
on the spot, with the exact torus.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import xarray as xr

from triptych.lattice.commands import Ensemble, Fig1Config, SampleConfig, ensemble, sample_each
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.model import LayersConfig
from triptych.lattice.plots import plot_freezing
from triptych.lattice.settings import SamplerConfig
from triptych.lattice.train import TrainConfig, train
from triptych.lattice.verdicts import freezing_verdicts, variance_verdict
from triptych.runs import Comparison, Cost, Run, subseed
from triptych.statistics import Estimate

SHAPE = (8, 8)
THAWED = (2.0, 3.0, 4.0)
FROZEN = 7.0
FROZEN_NOTE = "this disagreement is the freezing: the chains started at Q = 0, stayed there, and their error cannot know it"


@dataclass(frozen=True, slots=True, kw_only=True)
class TourConfig:
    """Charge freezing on a small lattice, and its cure.

    Attributes
    ----------
    chains, trajectories : independent chains at each coupling, and how many trajectories of each are recorded.
    many_chains : chains of the short ensemble on 4 x 4 at beta = 2 that tells the conventions of tau apart (eq. 3).
    lessons : training steps of the LeapfrogLayers at the highest coupling.
    seed : seed of all random numbers.
    """

    chains: int = 64
    trajectories: int = 1000
    many_chains: int = 1024
    lessons: int = 60
    seed: int = 0

    def training(self) -> TrainConfig:
        """Layers that begin hot, trained where HMC is frozen."""
        layers = LayersConfig(heat=0.1)
        return TrainConfig(shape=SHAPE, couplings=(FROZEN,), hold=self.lessons, chains=512, seed=self.seed, layers=layers)

    def ensembles(self) -> list[SampleConfig]:
        """The couplings of Fig. 1, and last the ensemble of many chains."""
        fig1 = Fig1Config(shape=SHAPE, chains=self.chains, trajectories=self.trajectories, seed=self.seed)
        many = SampleConfig(
            beta=THAWED[0],
            shape=(4, 4),
            chains=self.many_chains,
            trajectories=200,
            thermalization=100,
            seed=subseed(self.seed, "many chains"),
        )
        return [*fig1.ensembles(), many]


def tour(config: TourConfig, run: Run) -> dict[str, Any]:
    """Sample beta = 2 to 7, train at 7, and set the averages beside the exact ones."""
    *ensembles, many = sample_each(config.ensembles(), run)
    train(config.training(), run=run)
    learned = SampleConfig(
        beta=FROZEN,
        shape=SHAPE,
        chains=config.chains,
        trajectories=config.trajectories,
        seed=subseed(config.seed, "learned"),
        sampler=SamplerConfig(name="leapfroglayers", model=str(run.path)),
    )
    thawed = ensemble(Ensemble(config=learned, run=run))
    verdicts = [*freezing_verdicts(ensembles), *variance_verdict(many)]
    run.save_figure("freezing.png", plot_freezing(ensembles))
    rows = [row for data in [*ensembles, thawed] for row in _compare(data)]
    return {
        "title": "Topology freezes in 2D U(1)",
        "story": (
            f"{config.chains} HMC chains sampled an {SHAPE[0]} x {SHAPE[1]} lattice at each coupling beta = 2 to 7; "
            "their averages stand beside the exact values on the same torus. "
            "The figure follows the integer topological charge of one chain at each coupling: it hops freely at beta = 2 and "
            "hardly ever at 7, where <Q^2> comes out wrong although the acceptance is high and <exp(-dH)> = 1. "
            f"In the last row, {config.lessons} steps of training have taught eight LeapfrogLayers to heat the trajectory up in "
            "its middle: from the same cold start, as exact as HMC, their chains find all sectors."
        ),
        "figure": "freezing.png",
        "comparisons": [row.to_json() for row in rows],
        "claims": [verdict.to_json() for verdict in verdicts],
    }


def _compare(data: xr.Dataset) -> list[Comparison]:
    """The rows of one coupling."""
    beta = float(data.beta)
    began = time.perf_counter()
    truth = torus(beta, SHAPE)
    rival_price = Cost(seconds=time.perf_counter() - began)
    answer = measure(data)
    assert answer.cost is not None
    price = answer.cost

    def row(what: str, ours: Estimate, exact: float, note: str = "") -> Comparison:
        return Comparison(
            what=f"{what} at beta = {beta:g}",
            answer=ours,
            truth=Estimate.exact(exact),
            price=price,
            rival="exact character sum",
            rival_price=rival_price,
            note=note,
        )

    if beta in THAWED:
        return [
            row("mean plaquette", answer.plaquette, truth.plaquette),
            row("<Q^2>", answer.charge_squared, truth.charge_squared),
        ]
    if beta != FROZEN:
        return []
    if data.attrs["sampler"] == "hmc":
        return [row("<Q^2>, HMC,", answer.charge_squared, truth.charge_squared, FROZEN_NOTE)]
    tau = answer.tau["Q_Z"]
    note = f"tau(Q_Z) = {tau} trajectories of {answer.steps_per_trajectory} steps; HMC's is of order 10^4"
    return [row("<Q^2>, trained LeapfrogLayers,", answer.charge_squared, truth.charge_squared, note)]
