"""The verb ``triptych qec stim``.

In: a file of Stim's, a decoder. Out: certified logical error rates; ``results.nc`` in the run directory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from triptych.errors import ConfigError
from triptych.qec.detectors import logical_error_rates
from triptych.qec.simulate import RELATIVE_WIDTH
from triptych.qec.stim_import import read
from triptych.qec.thresholds import require_thresholds
from triptych.runs import Run
from triptych.statistics import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class StimConfig:
    """How often a decoder is wrong about a Stim circuit or a detector error model, without samples."""

    path: str = field(default="", metadata={"positional": True, "help": "a circuit (.stim) or a detector error model (.dem)"})
    decoder: str = field(
        default="maximum_likelihood", metadata={"help": "the best there is, or a decoder that sinter knows, such as pymatching"}
    )
    engine: Literal["auto", "transform", "tree"] = field(
        default="auto",
        metadata={"help": "all probabilities at once, or the probable errors alone; auto takes the transform where it fits"},
    )
    event_threshold: float | None = field(
        default=None, metadata={"help": "outcomes below it do not branch (tree); none shrinks it until relative_width is reached"}
    )
    relative_width: float = field(
        default=RELATIVE_WIDTH, metadata={"help": "half the interval over the rate of any error that will do"}
    )
    max_memory_gb: float = field(
        default=4.0, metadata={"help": "for the probabilities; the transform takes 48 bytes for each of 2^bits outcomes"}
    )

    def __post_init__(self) -> None:
        if not Path(self.path).is_file():
            raise ConfigError("no such file", got=self.path, expected="a .stim or .dem file", fix="give its path")
        require_thresholds(event=self.event_threshold, merge=None)
        for name in ("relative_width", "max_memory_gb"):
            if not getattr(self, name) > 0:
                fix = f"give another --{name.replace('_', '-')}"
                raise ConfigError(f"{name} is impossible", got=getattr(self, name), expected="> 0", fix=fix)

    def inputs(self) -> list[Path]:
        """The file."""
        return [Path(self.path)]


def stim(config: StimConfig, run: Run) -> dict[str, Any]:
    """Certified rates, observable by observable and of any."""
    found = logical_error_rates(
        read(config.path),
        decoder=config.decoder,
        engine=config.engine,
        event_threshold=config.event_threshold,
        relative_width=config.relative_width,
        max_memory_gb=config.max_memory_gb,
    )
    rates = [_interval(one) for one in found.observables]
    columns = {name: ("observable", [rate[name] for rate in rates]) for name in ("rate", "lower", "upper")}
    run.save("results.nc", xr.Dataset(columns, attrs={"decoder": config.decoder, "engine": found.engine}))
    return {
        "observables": rates,
        "any": _interval(found.any),
        "decoder": config.decoder,
        "engine": found.engine,
        "detectors": found.detectors,
        "mechanisms": found.mechanisms,
        "event_threshold": found.event_threshold,
        "stopped": found.stopped,
        "cost": found.cost.to_json(),
        "seconds": found.cost.seconds,
    }


def _interval(rate: Estimate) -> dict[str, Any]:
    return {"rate": rate.value, "lower": rate.lower, "upper": rate.upper}
