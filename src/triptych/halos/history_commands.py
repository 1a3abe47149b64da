"""The verb ``triptych halos histories``.

In: a configuration and a run directory. Out: masses and accretion rates of all halos along their main branches, as JSON; the same
with all particulars in ``results.nc``, and a figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.histories.accretion import RateDefinition, accretion_rate, formation_redshift
from triptych.halos.histories.mass import mass_history
from triptych.halos.plots import history_figure
from triptych.halos.simulation.catalogue import read_catalogue
from triptych.halos.simulation.files import Kind, outputs, parts_present, tree_file
from triptych.halos.simulation.tree_files import read_tree
from triptych.halos.structure.overdensity import MassDefinition
from triptych.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoriesConfig:
    """Masses and accretion rates of halos along their main branches, from output of GADGET-4 with its merger trees."""

    path: str = field(default="", metadata={"positional": True, "help": "folder of a run, with catalogues and trees"})
    gamma: RateDefinition = field(
        default="consecutive",
        metadata={"help": "d ln M / d ln a since the output before, since z + 0.5, over a dynamical time, or as the local slope"},
    )
    mass_definition: MassDefinition = field(
        default="200m", metadata={"help": "200 times the mean (200m) or critical (200c) density, or a collapsed top hat (vir)"}
    )
    min_particles: int = field(default=300, metadata={"help": "leave out FOF groups of the last output with fewer particles"})

    def __post_init__(self) -> None:
        if self.min_particles < 1:
            raise ConfigError(
                "min_particles is impossible", got=self.min_particles, expected="> 0", fix="give another --min-particles"
            )

    def inputs(self) -> list[Path]:
        """All files that are read: catalogues, snapshots, trees."""
        if not Path(self.path).is_dir() or not self.path:
            raise ConfigError(
                "path is not the folder of a run",
                got=self.path or "nothing",
                expected="a folder with fof_subhalo_tab_NNN.hdf5 and trees",
                fix="triptych halos histories FOLDER",
            )
        folder, finished = Path(self.path), tree_file(Path(self.path))
        links: tuple[Kind, ...] = ("subhalo_desc", "subhalo_prog") if finished is None else ()
        kinds: tuple[Kind, ...] = ("fof_subhalo_tab", "snapshot", *links)
        firsts = [path for kind in kinds for path in outputs(folder, kind).values()]
        return [part for first in (*firsts, *([finished] if finished else [])) for part in parts_present(first)]


def histories(config: HistoriesConfig, run: Run) -> dict[str, Any]:
    """Follow all halos back; see :func:`triptych.halos.mass_history` and :func:`triptych.halos.accretion_rate`."""
    groups, tree = read_catalogue(config.path), read_tree(config.path)
    large = np.flatnonzero(groups.lengths >= config.min_particles)
    chosen = np.intersect1d(large, tree.group[(tree.output == tree.last) & tree.central])
    if len(chosen) == 0:
        raise DataError(
            "there is no halo to follow",
            got=f"{len(groups.lengths)} groups at the last output, the largest of {max(groups.lengths, default=0)} particles",
            expected=f"groups with at least {config.min_particles} particles and a bound subhalo",
            fix="lower min_particles",
        )
    table = mass_history(config.path, tree, chosen, mass_definition=config.mass_definition)
    table = _with_accretion(table, config.gamma)
    run.save("results.nc", table)
    run.save_figure("histories.png", history_figure(table))
    return {
        "folder": config.path,
        "mass_definition": config.mass_definition,
        "gamma_definition": config.gamma,
        "units": {"mass": "Msun/h", "gamma": "d ln M / d ln a"},
        "without_subhalo": len(large) - len(chosen),
        "halos": [_record(table.isel(halo=row)) for row in range(table.sizes["halo"])],
        "figure": "histories.png",
    }


def _with_accretion(table: xr.Dataset, definition: RateDefinition) -> xr.Dataset:
    rate = accretion_rate(
        table["mass"], table["scale_factor"], Cosmology.of(table.attrs), definition, particles=table["particles"]
    )
    about = {"units": "1", "long_name": f"d ln M / d ln a ({definition})"}
    both = ("halo", "output")
    return table.assign(
        gamma=(both, rate.gamma, about),
        gamma_error=(both, rate.error, {"units": "1", "long_name": "upper limit on the error from counting particles"}),
        bridged=(both, rate.bridged, {"long_name": "rests on a mass interpolated across a lost output"}),
        formation_redshift=("halo", formation_redshift(table["mass"], table["scale_factor"]), {"units": "1"}),
    ).assign_attrs(gamma_definition=definition)


def _record(halo: xr.Dataset) -> dict[str, Any]:
    """One row of the answer; what is not known is None."""
    formed = halo["formation_redshift"].item()
    return {
        "id": halo["id"].item(),
        "formation_redshift": formed if math.isfinite(formed) else None,
        "mass_now": _numbers(halo["mass"].to_numpy())[-1],
        "gamma_now": _numbers(halo["gamma"].to_numpy())[-1],
        "gamma_now_error": _numbers(halo["gamma_error"].to_numpy())[-1],
        "redshift": halo["redshift"].to_numpy().tolist(),
        f"m{halo.attrs['mass_definition']}": _numbers(halo["mass"].to_numpy()),
        "gamma": _numbers(halo["gamma"].to_numpy()),
        "gamma_error": _numbers(halo["gamma_error"].to_numpy()),
    }


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
