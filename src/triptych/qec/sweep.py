"""The verb ``triptych qec sweep``.

In: a program, its noise, and axes: the physical error rate p, preparations, numbers of extractions. Out: the crash rate at every
combination, the pseudothresholds that lie within the axis of p, and a figure.

Every point is a run of its own (``triptych qec run``) below ``checkpoints/``, so that an interrupted sweep goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise, product
from math import nan
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from triptych.errors import ConfigError
from triptych.plotting import figure
from triptych.qec import commands
from triptych.qec.plots import plot_sweep
from triptych.qec.pseudothreshold import pseudothreshold
from triptych.qec.settings import EngineConfig, NoiseConfig, ProgramConfig, RunConfig
from triptych.runs import Run, execute

PreparationName = Literal["9+3", "8+1"]
DIMS = ("preparation", "extractions", "p")
NUMBERS = ("crash_rate", "lower", "upper", "states_peak", "seconds")
RECORD = ("crash_rate", "lower", "upper", "error", "engine", "states_peak", "stopped", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxesConfig:
    """What is varied."""

    p: tuple[float, ...] = field(default=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2), metadata={"help": "error rates, instead of noise.p"})
    preparations: tuple[PreparationName, ...] = field(
        default=(), metadata={"help": "ancilla circuits, instead of program.preparation"}
    )
    extractions: tuple[int, ...] = field(default=(), metadata={"help": "syndromes a vote, instead of program.extractions"})

    def __post_init__(self) -> None:
        if len(self.p) < 2 or not all(0 < a < b <= 1 for a, b in pairwise(self.p)):
            raise ConfigError("axes.p is no axis", got=self.p, expected="two or more different rates in (0, 1], smallest first")
        for name in ("preparations", "extractions"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ConfigError(f"axes.{name} names something twice", got=getattr(self, name), expected="different values")


class Line(NamedTuple):
    """A line of the figure."""

    preparation: PreparationName
    extractions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """Crash rates over a grid of error rates, preparations and numbers of extractions, and where encoding begins to pay."""

    program: ProgramConfig = field(default_factory=ProgramConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    axes: AxesConfig = field(default_factory=AxesConfig)
    pseudothreshold: float = field(
        default=1e-2, metadata={"help": "relative width to which the crossings crash rate = p are enclosed; 0 seeks none"}
    )
    seed: int = field(default=2008, metadata={"help": "seed of the random shots (montecarlo)"})

    def __post_init__(self) -> None:
        if self.noise.file is not None or self.noise.preset not in ("uniform", "biased"):
            raise ConfigError(
                "this noise has no error rate p to sweep",
                got=self.noise.file or self.noise.preset,
                expected="noise.preset uniform or biased",
            )
        if not self.pseudothreshold >= 0:
            raise ConfigError("pseudothreshold is no width", got=self.pseudothreshold, expected=">= 0", fix="0.01 is 1 %")
        fixed = self.engine.event_threshold is not None or self.engine.merge_threshold is not None
        if self.pseudothreshold and (fixed or self.engine.name in ("reference", "montecarlo")):
            raise ConfigError(
                "this engine does not certify to any width, as pseudothresholds need",
                got=f"engine {self.engine.name}{' with thresholds' if fixed else ''}",
                fix="give --pseudothreshold 0, or --engine.name auto without thresholds",
            )
        self.points()

    def lines(self) -> list[Line]:
        """All combinations but for p."""
        preparations = self.axes.preparations or (self.program.preparation,)
        extractions = self.axes.extractions or (self.program.extractions,)
        return [Line(*values) for values in product(preparations, extractions)]

    def points(self) -> list[RunConfig]:
        """The runs, line by line; each has random shots of its own."""
        return [
            RunConfig(program=self.on(line), noise=replace(self.noise, p=p), engine=self.engine, seed=self.seed + index)
            for index, (line, p) in enumerate(product(self.lines(), self.axes.p))
        ]

    def on(self, line: Line) -> ProgramConfig:
        """The program of a line."""
        return replace(self.program, preparation=line.preparation, extractions=line.extractions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A pseudothreshold between two error rates, to be enclosed to a relative width."""

    program: ProgramConfig
    noise: NoiseConfig
    engine: EngineConfig
    lower: float
    upper: float
    relative_width: float


def sweep(config: SweepConfig, run: Run) -> dict[str, Any]:
    """Solve the grid, enclose the pseudothresholds; write ``results.nc`` and the figure."""
    checkpoints = run.path / "checkpoints"
    solved = run.map(partial(solve, checkpoints), config.points(), label="points")
    data = _grid(config, solved)
    crossings = {line: crossing for line in config.lines() if (crossing := _crossing(config, line, data))}
    enclosed = run.map(partial(enclose, checkpoints), crossings.values(), label="pseudothresholds")
    found = dict(zip(crossings, enclosed, strict=True))
    for name, key in (("pseudothreshold", "value"), ("pseudothreshold_lower", "lower"), ("pseudothreshold_upper", "upper")):
        column = [found.get(line, {}).get(key, nan) for line in config.lines()]
        data[name] = DIMS[:2], np.reshape(column, data["crash_rate"].shape[:2])
    run.save("results.nc", data)
    made, axes = figure(width=6.4, height=4.2)
    plot_sweep(data, ax=axes[0, 0])
    run.save_figure("sweep.png", made)
    named = [line._asdict() | {"p": p} for line, p in product(config.lines(), config.axes.p)]
    return {
        "program": config.program.kind,
        "criterion": config.program.criterion,
        "points": [of | {key: one[key] for key in RECORD if key in one} for of, one in zip(named, solved, strict=True)],
        "pseudothresholds": [line._asdict() | ends for line, ends in found.items()],
    }


def solve(root: Path, point: RunConfig) -> dict[str, Any]:
    """The summary of one point, from its own run below `root`."""
    return execute("qec-run", point, commands.run, root=root).summary


def enclose(root: Path, crossing: Crossing) -> dict[str, Any]:
    """The certified ends of one pseudothreshold, from its own run below `root`."""
    return execute("qec-pseudothreshold", crossing, _enclose, root=root).summary


def _enclose(crossing: Crossing, run: Run) -> dict[str, Any]:  # noqa: ARG001 (it is one piece of work)
    found = pseudothreshold(
        lambda p: crossing.program.build(replace(crossing.noise, p=p).noise()),
        criterion=crossing.program.crash(),
        at_any_time=crossing.program.at_any_time,
        lower=crossing.lower,
        upper=crossing.upper,
        relative_width=crossing.relative_width,
        engine=crossing.engine.name,
        max_memory_gb=crossing.engine.max_memory_gb,
    )
    return {"value": found.value, "lower": found.lower, "upper": found.upper}


def _crossing(config: SweepConfig, line: Line, data: xr.Dataset) -> Crossing | None:
    """Between the first p where encoding certainly does not pay and the last before it where it certainly does."""
    one = data.sel(line._asdict())
    p = one["p"].values
    worse = p[one["lower"].values > p][:1]
    better = p[(one["upper"].values < p) & (p < worse)] if worse.size else worse
    if not config.pseudothreshold or not better.size:
        return None
    return Crossing(
        program=config.on(line),
        noise=config.noise,
        engine=config.engine,
        lower=better[-1].item(),
        upper=worse.item(),
        relative_width=config.pseudothreshold,
    )


def _grid(config: SweepConfig, solved: list[dict[str, Any]]) -> xr.Dataset:
    """The points as a dataset (preparation, extractions, p)."""
    preparations, extractions = (list(dict.fromkeys(values)) for values in zip(*config.lines(), strict=True))
    shape = len(preparations), len(extractions), len(config.axes.p)
    return xr.Dataset(
        {name: (DIMS, np.reshape([one[name] for one in solved], shape)) for name in NUMBERS},
        coords=dict(zip(DIMS, (preparations, extractions, list(config.axes.p)), strict=True)),
        attrs={"program": config.program.kind, "criterion": config.program.criterion},
    )
