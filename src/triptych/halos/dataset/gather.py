"""All that one simulation gives to a data set, boxes apart.

In: the folder of a run of GADGET-4 and a recipe. Out: the columns of its halos inside the cuts: masses, profiles, fits and
histories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.dataset.columns import RATES, BoxSpec, Kind, Simulation
from triptych.halos.dataset.selection import Cuts, Role, assign
from triptych.halos.histories.accretion import accretion_rate
from triptych.halos.histories.mass import mass_history
from triptych.halos.measure import measure
from triptych.halos.simulation.catalogue import read_catalogue
from triptych.halos.simulation.files import catalogue_beside, locate, outputs, tree_file
from triptych.halos.simulation.snapshot import read_snapshot
from triptych.halos.simulation.tree_files import read_tree
from triptych.runs import Run, stream

AS_MEASURED = ("id", "centre", "mass", "particles", "r_edge", "r", "counts", "filled")
FITTED = ("rs", "rho_s", "concentration", "einasto_rs", "einasto_rho_s", "einasto_alpha")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One simulation to read.

    Attributes
    ----------
    folder : of a run of GADGET-4; its last output is taken.
    role : its name, and what its halos are for.
    inputs : SHA-256 of its files by name, for the record.
    """

    folder: Path
    role: Role
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is made of every simulation.

    Attributes
    ----------
    kind : name of the profiles' extent.
    outer : where they end, in units of r200m.
    inner : where they begin, comoving kpc/h; None takes 3 softenings.
    bins : shells of the profiles.
    cuts : which halos enter.
    box : the voxels.
    min_particles : FOF groups with fewer are not looked at.
    histories : follow the halos back through the merger trees.
    seed : of the division of a simulation into validation and test.
    """

    kind: Kind
    outer: float
    inner: float | None = None
    bins: int
    cuts: Cuts
    box: BoxSpec
    min_particles: int = 300
    histories: bool = True
    seed: int = 0


class Part(NamedTuple):
    """One simulation's share of a data set.

    Attributes
    ----------
    simulation : its description.
    cosmology, redshift : of its last output.
    columns : by name, (halo, ...).
    scale_factor : (output,) of the histories among the columns; None where there are none.
    """

    simulation: Simulation
    cosmology: Cosmology
    redshift: float
    columns: dict[str, NDArray[Any]]
    scale_factor: NDArray[np.float64] | None


def gather(source: Source, recipe: Recipe, *, keep: Run | None = None) -> Part:
    """Measure the halos of one simulation, and follow them back where that can be.

    Parameters
    ----------
    keep : run that keeps the two tables as checkpoints, and gives them back after an interruption.

    Raises
    ------
    DataError
        If the files cannot be read, or no halo passes the cuts.
    """
    name = source.role.simulation
    table = _kept(keep, f"{name}.halos", lambda: _measured(source, recipe))
    chosen, lost = recipe.cuts.apply(table["mass"].to_numpy(), table["halo_radius"].to_numpy(), hubble=table.attrs["hubble"])
    if len(chosen) == 0:
        raise DataError(
            "no halo passes the cuts",
            got=f"{source.folder}: {table.sizes['halo']} halos, lost to {lost}",
            expected=f"log10 M200m/Msun from {recipe.cuts.lowest:g} to {recipe.cuts.highest:g}",
            fix="widen the cuts, or leave this simulation out",
        )
    halos = table.isel(halo=chosen)
    columns = measured_columns(halos)
    columns["split"] = assign(source.role, len(chosen), rng=stream(recipe.seed, "split", name))
    scale_factor = None
    if recipe.histories and has_histories(source.folder):
        track = _kept(keep, f"{name}.histories", lambda: _tracked(source, halos))
        scale_factor = track["scale_factor"].to_numpy()
        columns |= history_values(track["mass"].to_numpy(), scale_factor, Cosmology.of(halos.attrs))
    softening = table.attrs["softening"]
    simulation = Simulation(
        name=name,
        splits=source.role.splits,
        box_size=float(table.attrs["box_size"]),
        particle_mass=float(table.attrs["particle_mass"]),
        softening=float(softening) if softening > 0 else None,
        innermost_radius=float(table.attrs["innermost_radius"]),
        halos=len(chosen),
        lost={"particles below": int(table.attrs["too_small"]), **lost},
        inputs=dict(source.inputs),
    )
    return Part(simulation, Cosmology.of(halos.attrs), float(table.attrs["redshift"]), columns, scale_factor)


def has_histories(folder: Path) -> bool:
    """Whether the run in `folder` tells what its halos were: it has merger trees, or particles at several outputs."""
    return tree_file(folder) is not None or bool(outputs(folder, "subhalo_desc")) or len(outputs(folder, "snapshot")) > 1


def _measured(source: Source, recipe: Recipe) -> xr.Dataset:
    snapshot = read_snapshot(locate(source.folder, "snapshot"))
    catalogue = read_catalogue(catalogue_beside(snapshot.path))
    table = measure(
        snapshot, catalogue, min_particles=recipe.min_particles, inner=recipe.inner, outer=recipe.outer, bins=recipe.bins
    )
    more = {
        "particle_mass": float(snapshot.masses.mean()),
        "softening": snapshot.softening or 0.0,
        "too_small": int((catalogue.lengths < recipe.min_particles).sum()),
    }
    return table.assign_attrs(more)


def _tracked(source: Source, halos: xr.Dataset) -> xr.Dataset:
    return mass_history(source.folder, read_tree(source.folder), halos["id"].to_numpy())


def _kept(keep: Run | None, name: str, make: Callable[[], xr.Dataset]) -> xr.Dataset:
    """What `make` returns, or returned before the run was interrupted."""
    if keep is None:
        return make()
    file = f"checkpoints/{name}.nc"
    found = keep.load(file)
    if found is None:
        found = make()
        keep.save(file, found)
    return found


def measured_columns(halos: xr.Dataset) -> dict[str, NDArray[Any]]:
    """Columns of a data set from the table of :func:`triptych.halos.measure`."""
    columns = {name: halos[name].to_numpy() for name in AS_MEASURED}
    columns["radius"] = halos["halo_radius"].to_numpy()
    filled = columns["filled"]
    overdensity = halos["density"].to_numpy() / halos.attrs["mean_density"]
    columns["log_density"] = np.log10(overdensity, where=filled, out=np.full(filled.shape, np.nan))
    for name in FITTED:
        columns[name], columns[f"{name}_error"] = halos[name].to_numpy(), halos[f"{name}_error"].to_numpy()
    for prefix in ("", "einasto_"):
        columns[f"{prefix}deviance"] = halos[f"{prefix}deviance"].to_numpy()
        columns[f"{prefix}problem"] = halos[f"{prefix}problem"].to_numpy() != ""
    return columns


def history_values(
    mass: NDArray[np.float64], scale_factor: NDArray[np.float64], cosmology: Cosmology
) -> dict[str, NDArray[np.float64]]:
    """Columns of a data set from masses (halo, output): themselves, and the accretion rate in each definition."""
    rates = {f"history/gamma_{name}": accretion_rate(mass, scale_factor, cosmology, name).gamma for name in RATES}
    return {"history/mass": mass, **rates}
