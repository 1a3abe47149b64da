"""Figs. 3 and 4 of the paper: what thresholds cost and what they buy, and the tree against Monte Carlo.

In: thresholds, shots, a criterion. Out: crash rates and prices of the paper's own trees (Pauli strings, fixed thresholds) beside
trees with a certificate and four samplers; figures, and verdicts on Secs. IV.A and IV.B. A speed-up has to name its rival.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from triptych.errors import ConfigError
from triptych.plotting import figure
from triptych.qec.plots import plot_rivals, plot_thresholds
from triptych.qec.points import CriterionName, Kind, Point, Solved, check_thresholds, solve
from triptych.qec.prices import rival_verdicts, scaling_verdict, seconds_for
from triptych.qec.rivals import BATCHES, SAMPLERS, Draw, Drawn, Sampler, draw
from triptych.qec.verdicts import RULES, threshold_verdicts
from triptych.runs import Run, Verdict

PAPER_FIG3 = {"baseline": 1.55e-5, "event 1e-5": "> 10 %", "merge 1e-12": "< 0.1 %, a few minutes", "smallest": "1 to 3 h"}
PAPER_FIG4 = {
    "monte_carlo": {"shots": 10**9, "inaccuracy": 0.0022, "seconds": 7.9 * 86400},
    "tree": {"event_threshold": 1e-7, "merge_threshold": 1e-12, "inaccuracy": 0.001, "seconds": 3.3 * 60},
}
EVENT = 1e-6  # event threshold of the trees in Fig. 4
QUOTED = (1e-7, 1e-12)  # thresholds of the tree that Sec. IV.B races against 1e9 shots
LARGER = 4  # logical qubits of the second program, on which it is tested how the samplers scale
LEVELS = (0.01, 0.002, 0.001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig3Config:
    """Fig. 3: inaccuracy against time over the thresholds, two logical qubits; and what a certificate of some width costs."""

    criterion: CriterionName = field(default="paper22", metadata={"help": "when a block counts as lost"})
    events: tuple[float, ...] = field(default=(1e-5, 1e-6, 1e-7), metadata={"help": "event thresholds, largest first"})
    merges: tuple[float, ...] = field(default=(1e-10, 1e-12, 1e-14, 1e-16), metadata={"help": "merge thresholds, largest first"})
    widths: tuple[float, ...] = field(
        default=(1e-2, 3e-3, 1e-3, 3e-4, 1e-4),
        metadata={"help": "relative half-widths to be certified, largest first; the last gives the converged rate"},
    )

    def __post_init__(self) -> None:
        for name in ("events", "merges", "widths"):
            check_thresholds(name, getattr(self, name))


def reproduce_fig3(config: Fig3Config, run: Run) -> dict[str, Any]:
    """Solve the grid, the certified trees, and other readings of the text; write ``results.nc`` and the figure."""
    strings = [
        Point(criterion=config.criterion, reduction="none", rule=rule, event=event, merge=merge)
        for rule, event, merge in product(RULES, config.events, config.merges)
    ]
    certified = [Point(criterion=config.criterion, relative_width=width) for width in config.widths]
    readings = _readings()
    solved = run.map(solve, [*strings[::-1], *certified, *readings], label="trees")
    grid, rest = solved[: len(strings)][::-1], solved[len(strings) :]
    data = _grid(config, grid, rest[: len(certified)])
    read = {
        (str(point.program), point.preparation, str(point.criterion)): found.crash_rate
        for point, found in zip(readings, rest[len(certified) :], strict=True)
    }
    run.save("results.nc", data)
    made, axes = figure(1, 2, width=9.6, height=3.6, sharey=True)
    plot_thresholds(data, against="baseline", ax=axes[0, 0])
    plot_thresholds(data, against="converged", ax=axes[0, 1])
    run.save_figure("fig3.png", made)
    baseline, converged = data.attrs["baseline"], data.attrs["converged"]
    return {
        "baseline": baseline,
        "converged": converged,
        "paper": PAPER_FIG3,
        "points": [
            {
                "merge_rule": point.rule,
                "event_threshold": point.event,
                "merge_threshold": point.merge,
                "crash_rate": found.crash_rate,
                "from_baseline": found.crash_rate / baseline - 1,
                "bias": found.crash_rate / converged - 1,
                "states": found.states,
                "states_peak": found.states_peak,
                "seconds": found.seconds,
            }
            for point, found in zip(strings, grid, strict=True)
        ],
        "certified": [{"relative_width": width, **found._asdict()} for width, found in zip(config.widths, rest, strict=False)],
        "readings": [
            dict(zip(("program", "preparation", "criterion", "crash_rate"), (*of, rate), strict=True))
            for of, rate in read.items()
        ],
        "claims": [verdict.to_json() for verdict in threshold_verdicts(data, read)],
    }


def _readings() -> list[Point]:
    """The readings of the program that Secs. III and IV.A leave open, to be certified to 0.1 %."""
    kinds: tuple[Kind, ...] = ("two_qubit", "cnot_recovery")
    criteria: tuple[CriterionName, ...] = ("readout", "css", "paper22", "strict")
    return [
        Point(program=program, preparation=preparation, criterion=criterion, relative_width=1e-3)
        for program, preparation, criterion in product(kinds, ("9+3", "8+1"), criteria)
    ]


def _grid(config: Fig3Config, grid: list[Solved], certified: list[Solved]) -> xr.Dataset:
    """The grid (rule, event, merge), and the certified trees (width)."""
    shape = (len(RULES), len(config.events), len(config.merges))
    column = partial(_column, grid, ("rule", "event", "merge"), shape)
    bounded = partial(_column, certified, ("width",), (len(certified),))
    rates = column("crash_rate")[1]
    return xr.Dataset(
        {
            **{name: column(name) for name in ("crash_rate", "states", "states_peak", "seconds")},
            **{f"certified_{name}": bounded(name) for name in ("crash_rate", "lower", "upper", "states", "seconds")},
        },
        coords={"rule": list(RULES), "event": list(config.events), "merge": list(config.merges), "width": list(config.widths)},
        attrs={"baseline": float(rates[0, -1, -1]), "converged": certified[-1].crash_rate, "criterion": config.criterion},
    )


def _column(rows: list[Solved], dims: tuple[str, ...], shape: tuple[int, ...], name: str) -> tuple[tuple[str, ...], Any]:
    return dims, np.reshape([getattr(row, name) for row in rows], shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig4Config:
    """Fig. 4: inaccuracy against time, of trees and of four Monte Carlo samplers."""

    criterion: CriterionName = field(default="paper22", metadata={"help": "when a block counts as lost"})
    merges: tuple[float, ...] = field(
        default=(1e-10, 1e-12, 1e-14, 1e-16), metadata={"help": "merge thresholds, largest first (event threshold 1e-6)"}
    )
    widths: tuple[float, ...] = field(
        default=(1e-2, 3e-3, 1e-3, 3e-4, 1e-4),
        metadata={"help": "relative half-widths to be certified, largest first; the last gives the converged rate"},
    )
    per_location: int = field(default=500_000, metadata={"help": "shots that ask every fault location, as the paper's do"})
    geometric: int = field(default=10_000_000, metadata={"help": "shots that jump from fault to fault"})
    stim: int = field(default=1_600_000, metadata={"help": "post-selected shots by Stim"})
    stratified: int = field(default=3_000_000, metadata={"help": "shots with a given number of faults"})
    seed: int = field(default=2008, metadata={"help": "seed of the shots"})

    def __post_init__(self) -> None:
        for name in ("merges", "widths"):
            check_thresholds(name, getattr(self, name))
        if min(self.per_location, self.geometric, self.stim, self.stratified) < BATCHES:
            raise ConfigError("too few shots", got=self, expected=f"{BATCHES} or more for each sampler")

    def draw(self, point: Point, sampler: Sampler) -> Draw:
        """The shots of a sampler."""
        shots = dict(zip(SAMPLERS, (self.per_location, self.geometric, self.stim, self.stratified), strict=True))
        return Draw(point=point, sampler=sampler, size=shots[sampler] // BATCHES, seed=self.seed)


def reproduce_fig4(config: Fig4Config, run: Run) -> dict[str, Any]:
    """Race the trees against the samplers; write ``results.nc`` and the figure."""
    strings = Point(criterion=config.criterion, reduction="none", rule="preservation")
    trees = [replace(strings, event=EVENT, merge=merge) for merge in config.merges]
    quoted = replace(strings, event=QUOTED[0], merge=QUOTED[1])
    certified = [Point(criterion=config.criterion, relative_width=width) for width in config.widths]
    two, larger = certified[0], Point(program="tree", logical_qubits=LARGER, criterion=config.criterion)
    races = [
        *(config.draw(two, sampler) for sampler in SAMPLERS),
        replace(config.draw(two, "per location"), batches=BATCHES // 4),
        replace(config.draw(larger, "per location"), batches=BATCHES // 4),
        config.draw(larger, "geometric"),
    ]
    drawn = run.map(draw, races, label="samplers")
    solved = run.map(solve, [*trees, quoted, *certified], label="trees")
    data = _race(config, solved, drawn[: len(SAMPLERS)])
    run.save("results.nc", data)
    made, axes = figure(width=7.2, height=4.2)
    plot_rivals(data, paper=PAPER_FIG4, ax=axes[0, 0])
    run.save_figure("fig4.png", made)
    converged = data.attrs["converged"]
    return {
        "converged": converged,
        "paper": PAPER_FIG4,
        "trees": [
            {
                "event_threshold": point.event,
                "merge_threshold": point.merge,
                "bias": one.crash_rate / converged - 1,
                **one._asdict(),
            }
            for point, one in zip([*trees, quoted], solved, strict=False)
        ],
        "certified": [
            {"relative_width": width, **one._asdict()} for width, one in zip(config.widths, solved[len(trees) + 1 :], strict=True)
        ],
        "samplers": [
            {"sampler": race.sampler, "program": race.point.program, **one._asdict(), "shots_per_second": one.shots / one.seconds}
            for race, one in zip(races, drawn, strict=True)
        ],
        "seconds_for": [
            {"sampler": sampler, **{f"{level:.2%}": seconds_for(data, sampler, level) for level in LEVELS}}
            for sampler in SAMPLERS
        ],
        "claims": [verdict.to_json() for verdict in [*rival_verdicts(data), _scaling(drawn)]],
    }


def _scaling(drawn: list[Drawn]) -> Verdict:
    """The samplers first, then the plain one with fewer shots and on the larger program, and the fast one there."""
    fewer, larger, larger_sparse = drawn[len(SAMPLERS) :]
    return scaling_verdict(full=drawn[0], fewer=fewer, larger=larger, sparse=drawn[1], larger_sparse=larger_sparse)


def _race(config: Fig4Config, solved: list[Solved], drawn: list[Drawn]) -> xr.Dataset:
    """Trees by merge threshold, certified trees by width, the quoted tree, samplers; inaccuracies relative to the best rate."""
    count = len(config.merges)
    trees, quoted, certified = solved[:count], solved[count], solved[count + 1 :]
    converged = certified[-1].crash_rate
    return xr.Dataset(
        {
            "tree_inaccuracy": ("merge", [abs(one.crash_rate / converged - 1) for one in trees]),
            "tree_seconds": ("merge", [one.seconds for one in trees]),
            "certified_inaccuracy": ("width", [(one.upper - one.lower) / 2 / one.crash_rate for one in certified]),
            "certified_seconds": ("width", [one.seconds for one in certified]),
            "quoted_inaccuracy": abs(quoted.crash_rate / converged - 1),
            "quoted_seconds": quoted.seconds,
            "shots": ("sampler", [one.shots for one in drawn]),
            "drawn": ("sampler", [one.crash_rate for one in drawn]),
            "inaccuracy": ("sampler", [1 / (converged * one.worth) ** 0.5 for one in drawn]),
            "seconds": ("sampler", [one.seconds for one in drawn]),
        },
        coords={"merge": list(config.merges), "width": list(config.widths), "sampler": list(SAMPLERS)},
        attrs={"converged": converged, "criterion": config.criterion},
    )
