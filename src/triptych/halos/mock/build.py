"""The data set of a mock universe.

In: how many halos train, validate and test, and a recipe. Out: the same data set as from simulations, made by the same code from
particles, with the truth beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.halos.dataset.build import box_of, matter_of
from triptych.halos.dataset.columns import Attributes, Simulation, Variable, column, halo_columns, history_columns, sphere_columns
from triptych.halos.dataset.gather import Recipe, history_values, measured_columns
from triptych.halos.dataset.selection import SPLITS, Split
from triptych.halos.dataset.store import DataSet, create, open_dataset
from triptych.halos.mass_function import Power
from triptych.halos.measure import LENGTH, MASS, measure
from triptych.halos.mock.population import box_side
from triptych.halos.mock.structure import X, enclosed
from triptych.halos.mock.universe import LETTER_OUTPUTS, LETTER_PARTICLE_MASS, PLANCK, Universe, draw_universe
from triptych.halos.simulation.catalogue import Catalogue
from triptych.halos.simulation.snapshot import Snapshot
from triptych.halos.structure.spheres import index
from triptych.halos.voxels.sphere import sphere_counts, sphere_edges
from triptych.runs import map as fan_out
from triptych.runs import progress

#: A thirtieth of the mean distance of the Letter's particles; the Letter does not state its softening.
SOFTENING = 50_000.0 / 512 / 30
BLOCK = 512  # halos that a worker makes and that are written together, at most
PIECE = 64  # halos whose particles are in memory at a time
MARGIN = 1.6  # the particles of a halo reach this much further than its box and its profile, for clouds and the search for r200m


class Realisation(NamedTuple):
    """A mock box of the data set.

    Attributes
    ----------
    name : short and unique.
    seed : of its universe.
    split : what its halos are for.
    halos : how many.
    """

    name: str
    seed: int
    split: Split
    halos: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Block:
    """What one worker makes: rows `start` to `stop` of the data set, which lie in these realisations."""

    realisations: tuple[Realisation, ...]
    recipe: Recipe
    start: int
    stop: int

    def __repr__(self) -> str:
        return f"mock halos {self.start} to {self.stop}"


def build_mock(
    path: Path,
    realisations: Sequence[Realisation],
    recipe: Recipe,
    *,
    provenance: Mapping[str, Any] | None = None,
    workers: int = 1,
    dask: str | None = None,
) -> DataSet:
    """Make the data set of a mock universe, or finish one that was interrupted.

    The particles of each halo are drawn about its centre, and then measured by the code that measures simulations: masses and
    radii by spherical overdensity, profiles, fits, and boxes. Histories are the true ones.

    Parameters
    ----------
    path : folder of the store.
    realisations : mock boxes with different seeds.
    recipe : what is made of each halo; its cuts choose the true masses that are drawn.
    provenance : for the record; JSON.
    workers, dask : as in :func:`triptych.runs.map`.

    Notes
    -----
    Some 15 ms a halo of the Letter's population and resolution. Memory: 64 halos' particles a worker, about 200 MB.
    """
    halos = sum(one.halos for one in realisations)
    names = [one.name for one in realisations]
    lowest, highest = recipe.cuts.mass_range(PLANCK)
    simulations = tuple(
        Simulation(
            name=name,
            splits=(one.split,),
            box_size=box_side(one.halos, lowest, highest, cosmology=PLANCK, power=Power()),
            particle_mass=LETTER_PARTICLE_MASS,
            softening=SOFTENING,
            innermost_radius=recipe.inner or 3.0 * SOFTENING,
            halos=one.halos,
        )
        for name, one in zip(names, realisations, strict=True)
    )
    attributes = Attributes(
        source="mock",
        kind=recipe.kind,
        cosmology=PLANCK,
        redshift=0.0,
        outer=recipe.outer,
        cuts=recipe.cuts,
        simulations=simulations,
        warnings=("the cuts are those of the true masses: measured ones lie up to some per cent beyond",),
        provenance=provenance or {},
    )
    variables = (
        halo_columns(recipe.bins, simulations=names)
        | sphere_columns(recipe.box.sides[0])
        | history_columns(1.0 / LETTER_OUTPUTS - 1.0)
        | truth_columns(recipe.bins)
    )
    store = create(path, attributes=attributes, variables=variables, box=recipe.box, halos=halos, block=BLOCK)
    pending = store.pending()
    tasks = [_Block(realisations=tuple(realisations), recipe=recipe, start=rows.start, stop=rows.stop) for rows in pending]

    def write(index: int, made: dict[str, NDArray[Any]]) -> None:
        store.write(pending[index], **made)

    fan_out(_make, tasks, workers=workers, dask=dask, label="mock halos", each=write)
    return open_dataset(path)


def truth_columns(bins: int) -> dict[str, Variable]:
    """What a mock halo was drawn from."""
    return {
        "truth/mass": column(units=MASS, about="M200m"),
        "truth/radius": column(units=LENGTH, about="r200m"),
        "truth/concentration": column(units="1", about="r200m / r_-2 of the orbiting matter"),
        "truth/assembled": column(units="1", about="concentration that the history alone gives"),
        "truth/truncation": column(units="1", about="r_t / r200m of the orbiting matter"),
        "truth/infall": column(units="1", about="delta_1 of the infalling matter"),
        "truth/gamma": column(units="1", about="dlnM/dlna over the last dynamical time"),
        "truth/recent": column(units="1", about="dlnM/dlna over the last 0.09 in ln a"),
        "truth/axis_ratios": column("axes", shape=(2,), units="1", about="b/a and c/a"),
        "truth/log_density": column("shell", shape=(bins,), units="1", about="log10 of rho/rho_m, mean over the shell"),
    }


@lru_cache(maxsize=1)
def _universe(seed: int, halos: int, lowest: float, highest: float) -> tuple[Universe, NDArray[np.float64]]:
    universe = draw_universe(halos, seed=seed, lowest=lowest, highest=highest)
    return universe, universe.structure.density()


def _make(block: _Block) -> dict[str, NDArray[Any]]:
    """All columns and boxes of one block."""
    pieces = []
    first = 0
    for place, one in enumerate(block.realisations):
        start, stop = max(block.start - first, 0), min(block.stop - first, one.halos)
        lowest, highest = block.recipe.cuts.mass_range(PLANCK)
        for begin in range(start, stop, PIECE):
            universe, density = _universe(one.seed, one.halos, lowest, highest)
            rows = np.arange(begin, min(begin + PIECE, stop))
            made = _piece(universe, density[rows], rows, block.recipe)
            made["simulation"] = np.full(len(rows), place)
            made["split"] = np.full(len(rows), SPLITS.index(one.split))
            pieces.append(made)
        first += one.halos
    block_of = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return block_of | history_values(block_of["history/mass"], LETTER_OUTPUTS, PLANCK)


def _piece(universe: Universe, density: NDArray[np.float64], rows: NDArray[np.intp], recipe: Recipe) -> dict[str, NDArray[Any]]:
    """Draw the particles of some halos, lay them out apart from each other in one box, and measure them like any simulation."""
    structure = universe.structure
    reach = MARGIN * np.maximum(recipe.outer * structure.radius[rows], np.sqrt(3.0) * recipe.box.sides[0] / 2.0)
    cell = 2.0 * float(reach.max())
    across = int(np.ceil(np.cbrt(len(rows))))
    places = np.stack(np.unravel_index(np.arange(len(rows)), (across,) * 3), axis=1)
    centres = np.asarray((places + 0.5) * cell, dtype=np.float64)
    matter = [universe.particles(int(row), float(far), density=one) for row, far, one in zip(rows, reach, density, strict=True)]
    snapshot = Snapshot(
        positions=np.concatenate([centre + offsets for centre, offsets in zip(centres, matter, strict=True)]),
        masses=np.broadcast_to(universe.matter.particle_mass, sum(map(len, matter))),
        box_size=across * cell,
        redshift=0.0,
        scale_factor=1.0,
        cosmology=universe.cosmology,
        softening=SOFTENING,
        path=Path("mock"),
    )
    indexed = index(snapshot)
    with progress.hidden():
        found = measure(
            snapshot,
            _catalogue(snapshot, centres, structure.mass[rows]),
            min_particles=1,
            inner=recipe.inner,
            outer=recipe.outer,
            bins=recipe.bins,
            particles=indexed,
        )
    made = measured_columns(found)
    made["id"] = rows
    held = matter_of(indexed, recipe.box)
    made["boxes"] = np.stack([box_of(held, recipe.box, universe.cosmology.mean_density, centre) for centre in centres])
    edges = sphere_edges(recipe.box.sides[0])
    made["sphere/counts"] = np.stack([sphere_counts(indexed, centre, edges) for centre in centres])
    made["centre"] = np.zeros((len(rows), 3))
    made["history/mass"] = universe.histories[rows]
    return made | _truth(universe, density, rows, made["r_edge"])


def _catalogue(snapshot: Snapshot, centres: NDArray[np.float64], masses: NDArray[np.float64]) -> Catalogue:
    none = np.zeros(len(masses))
    return Catalogue(
        positions=centres,
        lengths=np.ones(len(masses), dtype=np.int64),
        masses=masses,
        **dict.fromkeys(("m200m", "r200m", "m200c", "r200c", "mvir", "rvir"), none),
        box_size=snapshot.box_size,
        redshift=snapshot.redshift,
        scale_factor=snapshot.scale_factor,
        path=snapshot.path,
    )


def _truth(
    universe: Universe, density: NDArray[np.float64], rows: NDArray[np.intp], edges: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    structure = universe.structure
    x = edges / structure.radius[rows, None]
    inside = np.exp([np.interp(np.log(at), np.log(X), np.log(row)) for at, row in zip(x, enclosed(density), strict=True)])
    return {
        "truth/mass": structure.mass[rows],
        "truth/radius": structure.radius[rows],
        "truth/concentration": structure.concentration[rows],
        "truth/assembled": universe.assembled[rows],
        "truth/truncation": structure.truncation[rows],
        "truth/infall": structure.infall[rows],
        "truth/gamma": structure.gamma[rows],
        "truth/recent": structure.recent[rows],
        "truth/axis_ratios": universe.shapes[rows],
        "truth/log_density": np.log10(np.diff(inside, axis=1) / np.diff(x**3, axis=1)),
    }
