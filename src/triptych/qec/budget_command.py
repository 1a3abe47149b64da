"""The verb ``triptych qec budget``.

In: a program and its noise. Out: the error budget as a table, ``results.nc`` and a bar chart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from triptych.errors import ConfigError
from triptych.plotting import figure
from triptych.qec.budget import Budget, budget
from triptych.qec.noise import Noise
from triptych.qec.pairs import malignant_pairs
from triptych.qec.plots import plot_budget, plot_steps
from triptych.qec.settings import NoiseConfig, ProgramConfig
from triptych.qec.simulate import simulate
from triptych.qec.verdicts import pairs_counted
from triptych.runs import Run

WEAK = 1e-7
"""Rate of all faults, for a tree that follows no more than two of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """Which faults the crash rate comes from: derivatives by class and place, orders of the noise, malignant pairs."""

    program: ProgramConfig = field(default_factory=ProgramConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    orders: int = field(default=4, metadata={"help": "the highest order of the power series in the strength of the noise"})
    max_memory_gb: float = field(default=4.0, metadata={"help": "for the exact engine"})

    def __post_init__(self) -> None:
        if self.orders < 2:
            raise ConfigError("a budget begins with pairs of faults", got=f"orders {self.orders}", expected="orders >= 2")

    def inputs(self) -> list[Path]:
        """The files that are read."""
        return self.noise.inputs()


def report(config: BudgetConfig, run: Run) -> dict[str, Any]:
    """Draw up the budget; write ``results.nc`` and the figure."""
    program = config.program.build(config.noise.noise())
    found = budget(
        program,
        criterion=config.program.crash(),
        at_any_time=config.program.at_any_time,
        orders=config.orders,
        max_memory_gb=config.max_memory_gb,
    )
    data = _dataset(found)
    run.save("results.nc", data)
    made, axes = figure(1, 2, width=9.6, height=3.6, width_ratios=(3, 2))
    plot_budget(data, ax=axes[0, 0])
    plot_steps(data, ax=axes[0, 1])
    run.save_figure("budget.png", made)
    return {
        "crash_rate": found.crash_rate,
        "criterion": config.program.criterion,
        "classes": [
            {
                "name": name,
                "share": sum(part.share for part in parts),
                "derivative": sum(part.derivative for part in parts),
                "places": [{"place": part.place, "share": part.share, "derivative": part.derivative} for part in parts],
            }
            for name, parts in found.classes.items()
        ],
        "first_order": found.orders[0],
        "orders": list(found.orders[1:]),
        **_in_p(config.noise, found),
        **_pairs(found),
        "claims": [] if found.pairs is None else _claims(config),
    }


def _claims(config: BudgetConfig) -> list[dict[str, Any]]:
    """What the pairs say of the paper's, in noise so weak that three faults do not matter."""
    program, crash = config.program.build(Noise.uniform(WEAK)), config.program.crash()
    pairs = malignant_pairs(program, crash, at_any_time=config.program.at_any_time)
    tree = simulate(program, engine="tree", criterion=crash, at_any_time=config.program.at_any_time, max_faults=2)
    decided = pairs_counted(pairs, tree)
    return [] if decided is None else [decided.to_json()]


def _in_p(noise: NoiseConfig, found: Budget) -> dict[str, Any]:
    """The coefficients of p, p^2, ... where all noise is proportional to one rate p."""
    if noise.file is not None or noise.overrides or noise.preset not in ("uniform", "biased"):
        return {}
    return {"coefficients": [c / noise.p**k for k, c in enumerate(found.orders, start=1)]}


def _pairs(found: Budget) -> dict[str, Any]:
    pairs = found.pairs
    if pairs is None:
        return {"malignant_pairs": None, "refused": found.refused}
    return {
        "malignant_pairs": pairs.count,
        "malignant_singles": int(np.count_nonzero(pairs.singles)),
        "locations": len(pairs.locations),
        "pairs": [{"first": a, "second": b, "weight": weight} for (a, b), weight in pairs.by_source().items()],
        "steps": [{"gadget": gadget, "source": name, "share": share} for (gadget, name), share in pairs.by_step().items()],
    }


def _dataset(found: Budget) -> xr.Dataset:
    """``share`` and ``derivative`` (class, place), ``order_term`` (order), ``step_share`` (step)."""
    names, places = list(found.classes), list(dict.fromkeys(part.place for part in found.parts))
    table = np.zeros((2, len(names), len(places)))
    for part in found.parts:
        table[:, names.index(part.name), places.index(part.place)] = part.share, part.derivative
    steps = {} if found.pairs is None else found.pairs.by_step()
    return xr.Dataset(
        {
            "share": (("class", "place"), table[0]),
            "derivative": (("class", "place"), table[1]),
            "order_term": ("order", list(found.orders)),
            "step_share": ("step", list(steps.values())),
        },
        coords={
            "class": names,
            "place": places,
            "order": range(1, len(found.orders) + 1),
            "step": [f"{gadget}: {name}" for gadget, name in steps],
        },
        attrs={"crash_rate": found.crash_rate},
    )
