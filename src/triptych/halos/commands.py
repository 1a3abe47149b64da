"""The verbs of ``triptych halos``.

In: a configuration and a run directory. Out: the JSON summary; ``results.nc`` and a figure in the run directory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from triptych.errors import ConfigError
from triptych.halos import measure as table
from triptych.halos.plots import halo_figure
from triptych.halos.sample import sample_data
from triptych.halos.simulation.catalogue import read_catalogue
from triptych.halos.simulation.files import catalogue_beside, locate, parts_present
from triptych.halos.simulation.snapshot import read_snapshot
from triptych.halos.structure.overdensity import MassDefinition
from triptych.halos.verdicts import halo_verdicts
from triptych.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConfig:
    """Masses, radii, density profiles and NFW fits of the halos in output of GADGET-4."""

    path: str = field(
        default="",
        metadata={"positional": True, "help": "snapshot file, or the folder of a run; empty takes the sample of the package"},
    )
    output: int | None = field(default=None, metadata={"help": "number of the output in a folder; none takes the last"})
    mass_definition: MassDefinition = field(
        default="200m", metadata={"help": "200 times the mean (200m) or critical (200c) density, or a collapsed top hat (vir)"}
    )
    min_particles: int = field(
        default=300, metadata={"help": "leave out FOF groups with fewer particles (inside the radius there may be fewer)"}
    )
    inner: float | None = field(default=None, metadata={"help": "innermost radius in comoving kpc/h; none takes 3 softenings"})
    outer: float = field(default=2.0, metadata={"help": "outermost radius in halo radii"})
    bins: int = field(default=20, metadata={"help": "shells of the profile, equal in ln r"})

    def __post_init__(self) -> None:
        positive = {"min_particles": self.min_particles, "outer": self.outer, "inner": 1.0 if self.inner is None else self.inner}
        for name, value in positive.items():
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(
                    f"{name} is impossible", got=value, expected="> 0", fix=f"give another --{name.replace('_', '-')}"
                )
        if self.bins < 3:
            raise ConfigError("bins is impossible", got=self.bins, expected=">= 3, for two parameters", fix="give another --bins")
        if self.output is not None and self.output < 0:
            raise ConfigError(
                "output is impossible", got=self.output, expected=">= 0", fix="give the number NNN of snapshot_NNN.hdf5"
            )

    def snapshot(self) -> Path:
        """The snapshot's (first) file."""
        return locate(self.path or sample_data(), "snapshot", self.output)

    def inputs(self) -> list[Path]:
        """All files that are read."""
        first = self.snapshot()
        return [*parts_present(first), *parts_present(catalogue_beside(first))]


def measure(config: MeasureConfig, run: Run) -> dict[str, Any]:
    """Measure all halos; see :func:`triptych.halos.measure` for what is kept in ``results.nc``."""
    snapshot = read_snapshot(config.snapshot())
    groups = read_catalogue(catalogue_beside(snapshot.path))
    halos = table(
        snapshot,
        groups,
        mass_definition=config.mass_definition,
        min_particles=config.min_particles,
        inner=config.inner,
        outer=config.outer,
        bins=config.bins,
    )
    run.save("results.nc", halos)
    run.save_figure("halos.png", halo_figure(halos))
    return {
        "snapshot": snapshot.path.name,
        "redshift": float(halos.attrs["redshift"]),
        "mass_definition": config.mass_definition,
        "units": {"mass": "Msun/h", "length": "comoving kpc/h", "density": "comoving Msun h^2/kpc^3"},
        "halos": [_record(halos.isel(halo=row)) for row in range(halos.sizes["halo"])],
        "figure": "halos.png",
        "claims": [verdict.to_json() for verdict in halo_verdicts(halos, groups)],
    }


def _record(halo: xr.Dataset) -> dict[str, Any]:
    """One row of the answer; what a failed fit does not know is None."""
    names = {"id": "id", f"m{halo.attrs['mass_definition']}": "mass", f"r{halo.attrs['mass_definition']}": "halo_radius"}
    names |= {name: name for name in ("concentration", "concentration_error", "rs", "rs_error", "rho_s", "rho_s_error")}
    names |= {name: name for name in ("particles", "deviance", "dof", "resolved", "problem")}
    values = {key: halo[name].item() for key, name in names.items()}
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
