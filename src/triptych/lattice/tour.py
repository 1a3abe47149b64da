"""The lattice panel's part of the tour: topology freezes.

In: the tour's few parameters. Out: the paper's Fig. 1 on a small lattice, and rows that compare HMC with the exact torus.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from triptych.lattice.commands import Fig1Config, freezing
from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.plots import plot_freezing
from triptych.lattice.verdicts import freezing_verdicts
from triptych.runs import Comparison, Cost, Run
from triptych.statistics import Estimate

THAWED = (2.0, 3.0, 4.0)
FROZEN = 7.0
FROZEN_NOTE = "this disagreement is the freezing: the chains started at Q = 0, stayed there, and their error cannot know it"


@dataclass(frozen=True, slots=True, kw_only=True)
class TourConfig:
    """Charge freezing on a small lattice."""

    chains: int = field(default=64, metadata={"help": "independent chains at each coupling"})
    trajectories: int = field(default=1000, metadata={"help": "recorded trajectories of each chain"})
    seed: int = field(default=0, metadata={"help": "seed of all random numbers"})


def tour(config: TourConfig, run: Run) -> dict[str, Any]:
    """Sample beta = 2 to 7 on 8 x 8 and set the averages beside the exact ones."""
    ensembles = freezing(
        Fig1Config(shape=(8, 8), chains=config.chains, trajectories=config.trajectories, seed=config.seed),
        run,
    )
    run.save_figure("freezing.png", plot_freezing(ensembles))
    rows = [row for data in ensembles for row in _compare(data)]
    return {
        "title": "Topology freezes in 2D U(1)",
        "story": (
            f"{config.chains} HMC chains sampled an 8 x 8 lattice at each coupling beta = 2 to 7; their averages stand beside "
            "the exact values on the same torus. "
            "The figure follows the integer topological charge of one chain at each coupling: it hops freely at beta = 2 and "
            "hardly ever at 7, where <Q^2> comes out wrong although the acceptance is high and <exp(-dH)> = 1."
        ),
        "figure": "freezing.png",
        "comparisons": [row.to_json() for row in rows],
        "claims": [verdict.to_json() for verdict in freezing_verdicts(ensembles)],
    }


def _compare(data: xr.Dataset) -> list[Comparison]:
    """The rows of one coupling."""
    beta = float(data.beta)
    began = time.perf_counter()
    truth = torus(beta, (8, 8))
    rival_price = Cost(seconds=time.perf_counter() - began)
    answer = measure(data)

    def row(what: str, ours: Estimate, exact: float, note: str = "") -> Comparison:
        return Comparison(
            what=f"{what} at beta = {beta:g}",
            answer=ours,
            truth=Estimate.exact(exact),
            price=answer.cost,
            rival="exact character sum",
            rival_price=rival_price,
            note=note,
        )

    if beta in THAWED:
        return [
            row("mean plaquette", answer.plaquette, truth.plaquette),
            row("<Q^2>", answer.charge_squared, truth.charge_squared),
        ]
    return [row("<Q^2>", answer.charge_squared, truth.charge_squared, FROZEN_NOTE)] if beta == FROZEN else []
