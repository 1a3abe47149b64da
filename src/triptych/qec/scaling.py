"""Figs. 5 and 6 of the paper: what more logical qubits cost.

In: the largest number of logical qubits, thresholds, a criterion. Out: price, largest map, memory and bias of the tree program of
Sec. IV.C: as Pauli strings at the paper's thresholds, as observed values at the same thresholds, and with a
certificate; figures, and verdicts on Sec. IV.C.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from triptych.errors import ConfigError
from triptych.plotting import figure
from triptych.qec.counted import count_verdicts
from triptych.qec.plots import plot_biases, plot_largest_maps, plot_memory, plot_run_times
from triptych.qec.points import CriterionName, Point, Solved, solve, warm_up
from triptych.qec.prices import map_verdicts, time_verdicts
from triptych.runs import Run

SERIES = ("strings", "observed", "certified")
TRACED = (2, 4, 6)
"""Logical qubits at which memory is traced, which triples the time."""
PAPER = {"time": "inflections at 4 and 8", "largest map": "superlinear, less steep than time", "memory": "1 GB at 2, 8 GB at 13"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingConfig:
    """Figs. 5 and 6: run time, largest error map and bias of the tree program against the number of logical qubits."""

    logical_qubits: int = field(default=13, metadata={"help": "the largest program"})
    criterion: CriterionName = field(default="readout", metadata={"help": "when a block counts as lost"})
    event_threshold: float = field(default=1e-6, metadata={"help": "of the series at fixed thresholds"})
    merge_threshold: float = field(default=1e-12, metadata={"help": "of the series at fixed thresholds"})
    tighter: float = field(default=1e-2, metadata={"help": "the certified series has the same thresholds times this"})

    def __post_init__(self) -> None:
        if self.logical_qubits < 3:
            raise ConfigError("there is nothing to compare", got=f"{self.logical_qubits} logical qubits", expected="3 or more")
        for name in ("event_threshold", "merge_threshold", "tighter"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"{name} is out of range", got=getattr(self, name), expected=f"0 < {name} < 1")

    def point(self, series: str, logical_qubits: int) -> Point:
        """One tree of a series."""
        plain = Point(
            program="tree",
            logical_qubits=logical_qubits,
            criterion=self.criterion,
            rule="preservation",
            event=self.event_threshold,
            merge=self.merge_threshold,
        )
        if series == "certified":
            event, merge = self.tighter * self.event_threshold, self.tighter * self.merge_threshold
            return replace(plain, rule="bounded", event=event, merge=merge)
        return replace(plain, reduction="none" if series == "strings" else "observed")


def reproduce_fig5(config: ScalingConfig, run: Run) -> dict[str, Any]:
    """Run time, and how far off the rates are; write ``results.nc`` and the figure."""
    data = _solved(config, run)
    run.save("results.nc", data)
    made, axes = figure(1, 2, width=8.4, height=3.7)
    plot_run_times(data, ax=axes[0, 0])
    plot_biases(data, ax=axes[0, 1])
    run.save_figure("fig5.png", made)
    return {"points": _table(data), "paper": PAPER, "claims": [verdict.to_json() for verdict in time_verdicts(data)]}


def reproduce_fig6(config: ScalingConfig, run: Run) -> dict[str, Any]:
    """The largest map and the memory that it takes; write ``results.nc`` and the figure; what counting decides, too."""
    traced = [size for size in TRACED if size <= config.logical_qubits]
    memory = run.map(trace, [config.point("strings", size) for size in traced[::-1]], label="traced trees")[::-1]
    data = _solved(config, run).assign({"bytes": ("traced", memory)}).assign_coords(traced=traced)
    run.save("results.nc", data)
    made, axes = figure(1, 2, width=8.4, height=3.7)
    plot_largest_maps(data, ax=axes[0, 0])
    plot_memory(data, ax=axes[0, 1])
    run.save_figure("fig6.png", made)
    return {
        "points": _table(data),
        "memory": [
            {"logical_qubits": size, "bytes": peak, "bytes_per_state": peak / int(states)}
            for size, peak, states in zip(
                traced, memory, data.states_peak.sel(series="strings", logical_qubits=traced), strict=True
            )
        ],
        "paper": PAPER,
        "claims": [verdict.to_json() for verdict in [*map_verdicts(data), *count_verdicts()]],
    }


def trace(point: Point) -> int:
    """Bytes that the tree of this point holds at once, at most."""
    warm_up()
    tracemalloc.start()
    try:
        solve(point)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _solved(config: ScalingConfig, run: Run) -> xr.Dataset:
    """All trees, as a dataset (series, logical_qubits)."""
    sizes = range(2, config.logical_qubits + 1)
    points = [config.point(series, size) for size, series in product(sizes, SERIES)]
    solved = run.map(solve, points[::-1], label="trees")[::-1]  # the dear ones first
    columns = {
        name: (("series", "logical_qubits"), np.reshape([getattr(one, name) for one in solved], (-1, len(SERIES))).T)
        for name in Solved._fields
    }
    data = xr.Dataset(
        columns, coords={"series": list(SERIES), "logical_qubits": list(sizes)}, attrs={"criterion": config.criterion}
    )
    return data.assign(bias=data.crash_rate / data.crash_rate.sel(series="certified") - 1)


def _table(data: xr.Dataset) -> list[dict[str, Any]]:
    """One record for each tree."""
    names = (*Solved._fields, "bias")
    return [
        {"series": series, "logical_qubits": size}
        | {name: data[name].sel(series=series, logical_qubits=size).item() for name in names}
        for series, size in product(SERIES, data.logical_qubits.values.tolist())
    ]
