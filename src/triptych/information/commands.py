"""The verb of ``triptych information``.

In: a configuration and a run directory. Out: the JSON summary; ``results.nc`` and figures in the run directory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from triptych.errors import ConfigError
from triptych.information.estimate import MutualInformation, mutual_information
from triptych.information.files import Floats, read_columns
from triptych.information.plots import fits_figure, table_figure
from triptych.information.settings import Settings
from triptych.information.table import mutual_information_table
from triptych.runs import Run, stream

MOST_FITS = 9  # panels of a figure
KEYS = ("value", "error", "lower", "upper", "p_value", "components", "reliable", "problems", "ksg", "ksg_error", "margins")


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateConfig:
    """How much do columns of a table tell about others? The mutual information of every x with every y."""

    table: str = field(default="", metadata={"positional": True, "help": "CSV with a line of names, or netCDF (.nc)"})
    x: tuple[str, ...] = field(default=(), metadata={"help": "columns"})
    y: tuple[str, ...] = field(default=(), metadata={"help": "columns that each x is compared with"})
    given: tuple[str, ...] = field(default=(), metadata={"help": "columns that are known: I(X; Y | all of these)"})
    missing: Literal["refuse", "drop"] = field(
        default="refuse", metadata={"help": "refuse a table in which a value is missing, or drop the row"}
    )
    seed: int = field(default=0, metadata={"help": "seed of all random numbers"})
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        for name, words in {"table": self.table, "x": self.x, "y": self.y}.items():
            if not words:
                example = "triptych information estimate TABLE.csv --x a,b --y c"
                raise ConfigError(f"{name} is not given", fix=f"for example: {example}")
        for name, words in {"x": self.x, "y": self.y, "given": self.given}.items():
            if len(set(words)) < len(words):
                raise ConfigError(f"{name} names a column twice", got=",".join(words))
        both = sorted(set(self.given) & {*self.x, *self.y})
        if both:
            raise ConfigError("what is given cannot tell anything", got=",".join(both), fix="take it out of x, y or given")
        if self.seed < 0:
            raise ConfigError("seed is impossible", got=self.seed, expected=">= 0")

    def inputs(self) -> list[Path]:
        """The table."""
        return [Path(self.table)]


def estimate(config: EstimateConfig, run: Run) -> dict[str, Any]:
    """Compare every x with every y; see :func:`mutual_information_table` for what is kept in ``results.nc``."""
    names = tuple(dict.fromkeys([*config.x, *config.y, *config.given]))
    columns = read_columns(Path(config.table), names, missing=config.missing)
    given = np.stack([columns[name] for name in config.given], axis=1) if config.given else None
    table = mutual_information_table(
        {name: columns[name] for name in config.x},
        {name: columns[name] for name in config.y},
        rng=np.random.default_rng(config.seed),
        given=given,
        settings=config.settings,
        workers=run.workers,
        dask=run.dask,
        checkpoint=run.path / "checkpoints" / "pairs.jsonl",
    )
    run.save("results.nc", table)
    run.save_figure("table.png", table_figure(table))
    figures = ["table.png"]
    fits = {} if config.given else _fits(table, columns, config.settings)
    if fits:
        run.save_figure("fits.png", fits_figure(fits))
        figures.append("fits.png")
    samples = int(table.attrs["samples"])
    return {
        "pairs": [_record(table.sel(x=x, y=y), x, y, samples) for x in config.x for y in config.y],
        "given": list(config.given),
        "samples": samples,
        "unit": config.settings.unit,
        "figures": figures,
    }


def _fits(table: xr.Dataset, columns: dict[str, Floats], settings: Settings) -> dict[tuple[str, str], MutualInformation]:
    """The estimates with the most information (nine at most), made again with their fits."""
    value, components = table["value"].to_numpy(), table["components"].to_numpy()
    strongest = sorted(np.argwhere(components > 0).tolist(), key=lambda cell: -float(value[*cell]))[:MOST_FITS]
    x, y, seed = table["x"].to_numpy().tolist(), table["y"].to_numpy().tolist(), int(table.attrs["seed"])
    pairs = [(x[row], y[column]) for row, column in sorted(strongest)]
    return {(a, b): mutual_information(columns[a], columns[b], rng=stream(seed, a, b), settings=settings) for a, b in pairs}


def _record(entry: xr.Dataset, x: str, y: str, samples: int) -> dict[str, Any]:
    """One entry of the table; None where it is infinite."""
    values = {key: entry[key].item() for key in KEYS}
    values = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
    return {"x": x, "y": y, **values, "samples": samples}
