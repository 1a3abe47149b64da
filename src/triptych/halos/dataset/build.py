"""From real simulations to a data set.

In: folders of GADGET-4 output, and what each is for. Out: a data set with the boxes, profiles, fits and histories of all halos
inside the cuts. One simulation and one block of boxes are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.dataset.columns import Attributes, BoxSpec, halo_columns, history_columns, sphere_columns
from triptych.halos.dataset.gather import Part, Recipe, Source, gather
from triptych.halos.dataset.store import DataSet, Store, create, open_dataset
from triptych.halos.simulation.files import locate
from triptych.halos.simulation.snapshot import read_snapshot
from triptych.halos.structure.spheres import Particles, index
from triptych.halos.voxels.grids import contains, log_density, zoom_grids
from triptych.halos.voxels.smoothing import Smoothing, smooth
from triptych.halos.voxels.sphere import LAYERS, PIXELS, sphere_counts, sphere_edges
from triptych.runs import Run, progress

SPHERE = "sphere/counts"
NO_SPHERES = "no particles in spherical cells: half a simulation does not hold the sphere about the halos' boxes"
_SAME_TIME = 0.25  # outputs of two simulations are the same if apart by less than this part of the smallest step in ln a


def build(
    path: Path,
    sources: Sequence[Source],
    recipe: Recipe,
    *,
    provenance: Mapping[str, Any] | None = None,
    keep: Run | None = None,
    workers: int = 1,
) -> DataSet:
    """Make a data set from simulations, or finish one that was interrupted.

    Parameters
    ----------
    path : folder of the store.
    sources : the simulations.
    recipe : what is made of them.
    provenance : for the record; JSON.
    keep : run that keeps the measurements, so that only the boxes that are missing are made after an interruption.
    workers : threads that fill boxes.

    Raises
    ------
    DataError
        If files cannot be read, the simulations are of different universes or times, or no halo passes the cuts.

    Notes
    -----
    Time: that of :func:`triptych.halos.measure` and :func:`triptych.halos.mass_history` for each simulation, then that of a box
    for each halo. Memory: one simulation (about 130 bytes a particle), and one block of boxes (two to three times 100 MB).
    """
    parts = [gather(source, recipe, keep=keep) for source in sources]
    _refuse_other_universes(parts)
    redshift, about_histories = shared_times(parts, recipe)
    simulations = tuple(part.simulation for part in parts)
    variables = halo_columns(recipe.bins, simulations=[one.name for one in simulations])
    side = recipe.box.sides[0]
    spheres = sphere_edges(side)[-1] <= min(one.box_size for one in simulations) / 2
    if spheres:
        variables |= sphere_columns(side)
    if redshift is not None:
        variables |= history_columns(redshift)
    attributes = Attributes(
        source="simulation",
        kind=recipe.kind,
        cosmology=parts[0].cosmology,
        redshift=parts[0].redshift,
        outer=recipe.outer,
        cuts=recipe.cuts,
        simulations=simulations,
        warnings=(*_warnings(parts, recipe), *about_histories, *([] if spheres else [NO_SPHERES])),
        provenance=provenance or {},
    )
    halos = sum(one.halos for one in simulations)
    store = create(path, attributes=attributes, variables=variables, box=recipe.box, halos=halos)
    known = [name for name in store.variables if name != SPHERE]
    _write(store, sources, _joined(parts, known), recipe.box, attributes.cosmology.mean_density, workers)
    return open_dataset(path)


def _refuse_other_universes(parts: Sequence[Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        for name in ("omega_matter", "omega_lambda", "hubble"):
            ours, theirs = getattr(first.cosmology, name), getattr(part.cosmology, name)
            if not np.isclose(ours, theirs, rtol=1e-6):
                raise DataError(
                    f"the simulations differ in {name}",
                    got=f"{ours:g} in {first.simulation.name}, {theirs:g} in {part.simulation.name}",
                    expected="one cosmology",
                    fix="make a data set of each",
                )
        if not np.isclose(first.redshift, part.redshift, atol=1e-3):
            raise DataError(
                "the simulations end at different times",
                got=f"z = {first.redshift:.4g} in {first.simulation.name}, {part.redshift:.4g} in {part.simulation.name}",
                expected="one redshift",
                fix="leave out the later outputs of the longer one",
            )


def shared_times(parts: Sequence[Part], recipe: Recipe) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Redshifts (output,) of the histories, those of the first simulation, or None; with what the reader should know of it.

    Raises
    ------
    DataError
        If the simulations have different outputs.
    """
    if not recipe.histories:
        return None, ["no histories: they were not asked for"]
    without = [part.simulation.name for part in parts if part.scale_factor is None]
    if without:
        return None, [f"no histories: {', '.join(without)} has neither merger trees nor particles at several outputs"]
    times = [np.log(part.scale_factor) for part in parts if part.scale_factor is not None]
    step = np.diff(times[0]).min() if len(times[0]) > 1 else np.inf
    first, worst = parts[0].simulation.name, 0.0
    for part, log_a in zip(parts, times, strict=True):
        apart = np.inf if log_a.shape != times[0].shape else float(np.abs(log_a - times[0]).max())
        if apart > _SAME_TIME * step:
            raise DataError(
                "the simulations have outputs at different times",
                got=f"{len(log_a)} in {part.simulation.name}, {len(times[0])} in {first}; up to {apart:.2g} apart in ln a",
                expected="the same list of outputs, so that histories share their columns",
                fix="leave the histories out: histories = false",
            )
        worst = max(worst, apart)
    told = [f"the outputs of the simulations differ by up to {worst:.2g} in ln a; those of the first are given"]
    return np.expm1(-times[0]) + 0.0, told if worst > 1e-3 else []


def _warnings(parts: Sequence[Part], recipe: Recipe) -> list[str]:
    reach = recipe.outer * np.concatenate([part.columns["radius"] for part in parts])
    outside = int(sum(not contains(recipe.box.sides[0], float(radius)) for radius in reach))
    told = []
    if outside:
        half = recipe.box.sides[0] / 2
        told.append(f"the box does not contain the profile of {outside} of {len(reach)} halos, beyond {half:g} kpc/h")
    masses = [part.simulation.particle_mass for part in parts]
    if not np.allclose(masses, masses[0], rtol=1e-3):
        told.append(f"the simulations differ in resolution: particles of {min(masses):.3g} to {max(masses):.3g} Msun/h")
    return told


def _joined(parts: Sequence[Part], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The columns of all simulations, one below the other."""
    numbered = [part.columns | {"simulation": np.full(part.simulation.halos, place)} for place, part in enumerate(parts)]
    return {name: np.concatenate([columns[name] for columns in numbered]) for name in names}


class Matter(NamedTuple):
    """The particles of one simulation, with smoothing lengths where boxes want them."""

    particles: Particles
    smoothing: Smoothing | None


def matter_of(particles: Particles, box: BoxSpec, *, workers: int = 1) -> Matter:
    """What :func:`box_of` needs of a simulation; "sph" takes smoothing lengths from 32 neighbours, found by `workers` threads."""
    return Matter(particles, smooth(particles, workers=workers) if box.scheme == "sph" else None)


def box_of(
    matter: Matter, box: BoxSpec, mean_density: float, centre: NDArray[np.float64], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """log10(1 + rho/rho_m) in the nested boxes (level, n, n, n) about `centre`, comoving kpc/h; `out` is overwritten."""
    boxes = np.empty(box.shape, dtype=np.float32) if out is None else out
    zoom_grids(
        matter.particles,
        centre,
        side=box.sides[0],
        n=box.n,
        levels=box.levels,
        zoom=box.zoom,
        mean_density=mean_density,
        scheme=box.scheme,
        smoothing=matter.smoothing,
        out=boxes,
    )
    boxes[...] = log_density(boxes)
    return boxes


def _write(
    store: Store,
    sources: Sequence[Source],
    columns: Mapping[str, NDArray[Any]],
    box: BoxSpec,
    mean_density: float,
    workers: int,
) -> None:
    """Make the boxes that are pending, block by block; neighbouring halos are mostly of one simulation."""
    held: dict[int, Matter] = {}  # one at most

    def matter(place: int) -> Matter:
        if place not in held:
            held.clear()
            held[place] = matter_of(index(read_snapshot(locate(sources[place].folder, "snapshot"))), box, workers=workers)
        return held[place]

    edges = sphere_edges(box.sides[0])
    with progress.task("boxes", store.halos) as task, ThreadPoolExecutor(workers) as pool:
        pending = store.pending()
        task.advance(store.halos - sum(rows.stop - rows.start for rows in pending))
        for rows in pending:
            block = {name: values[rows] for name, values in columns.items()}
            boxes = np.empty((rows.stop - rows.start, *box.shape), dtype=np.float32)
            spheres = {SPHERE: np.empty((len(boxes), LAYERS, PIXELS), dtype=np.uint16)} if SPHERE in store.variables else {}
            for place in np.unique(block["simulation"]):
                here = np.flatnonzero(block["simulation"] == place)
                fill = partial(box_of, matter(int(place)), box, mean_density)
                for _ in pool.map(fill, block["centre"][here], (boxes[row] for row in here)):
                    task.advance()
                if spheres:
                    count = partial(sphere_counts, matter(int(place)).particles, edges=edges)
                    spheres[SPHERE][here] = list(pool.map(count, block["centre"][here]))
            store.write(rows, boxes=boxes, **block, **spheres)
