"""The mock universe as GADGET-4 would write it.

In: a mock universe. Out: a folder with snapshots, catalogues and merger trees (HDF5), to be read like any simulation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from triptych.errors import ConfigError
from triptych.halos.cosmology import CRITICAL_DENSITY
from triptych.halos.mock.universe import Universe
from triptych.halos.simulation.hdf5 import KPC_IN_CM, SOLAR_MASS_IN_G
from triptych.halos.structure.overdensity import MassDefinition, threshold
from triptych.runs import progress

REACH = 2.25  # in units of r200m: so far goes the profile of a mock halo, so that one measured to be wider has 2 r200m of it, too
LEAST_PARTICLES = 32  # of a group
MASS_UNIT = 1e10  # Msun/h; lengths are in kpc/h
KINDS, DARK_MATTER = 6, 1
_TRIALS = 200  # to find room for a halo
_DEFINITIONS: tuple[tuple[str, MassDefinition], ...] = (("Mean200", "200m"), ("Crit200", "200c"), ("TopHat200", "vir"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """What all outputs share.

    Attributes
    ----------
    side : kpc/h.
    centres : (halo, 3), kpc/h: halos stay where they are.
    matter : for each halo its particles (particle, 3) as they are when it is heaviest, kpc/h from the centre; a lighter halo has
        the first ones.
    share : (halo, output), mass over the largest that it ever had.
    """

    universe: Universe
    side: float
    particles: int
    softening: float
    files: int
    centres: NDArray[np.float64]
    matter: list[NDArray[np.float64]]
    share: NDArray[np.float64]


class _Output(NamedTuple):
    """One output, groups largest first and their particles first in the file, those of a group from the inside out.

    Attributes
    ----------
    number : of the output.
    positions : (particle, 3), kpc/h.
    ids : (particle,), from 1.
    halo : (group,), number of the mock halo that the group is.
    lengths : (group,), particles of the group.
    masses : (definition, group), particles inside the radius where the mean density is the threshold.
    """

    number: int
    positions: NDArray[np.float64]
    ids: NDArray[np.int64]
    halo: NDArray[np.intp]
    lengths: NDArray[np.int64]
    masses: NDArray[np.int64]


def write_simulation(
    universe: Universe,
    folder: str | os.PathLike[str],
    *,
    particles: int,
    softening: float,
    files: int = 1,
    rng: np.random.Generator,
) -> Path:
    """Write a periodic box with all halos of the universe as snapshots, catalogues and trees, one output for each time.

    Earlier, a halo has fewer of its particles, on a profile of the same shape scaled to its r200m at that time, so that its M200m
    is the history's. All other matter lies evenly between the halos. A group is the particles inside r200m and has one subhalo;
    the spherical overdensity masses of the catalogue are counted, not copied from the truth. Particle IDs go from halo to halo.

    Parameters
    ----------
    universe : its halos have to find room.
    folder : made if it does not exist.
    particles : of the box, whose volume follows from their mass and the mean density.
    softening : Plummer-equivalent, comoving kpc/h: written down, no force is computed.
    files : parts of each snapshot and catalogue.
    rng : draws the places of the halos and of the matter between them.

    Returns
    -------
    Path
        The folder, with ``snapshot_NNN.hdf5``, ``fof_subhalo_tab_NNN.hdf5``, ``subhalo_prog_NNN.hdf5``, ``subhalo_desc_NNN.hdf5``
        and ``trees.hdf5``.

    Raises
    ------
    ConfigError
        If the halos hold more matter than the box, do not fit into it without touching, or are all too light to be groups.

    Notes
    -----
    O(particles) time and memory for each output: 2e6 particles take 3 s and some 600 MB.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    side = float(np.cbrt(particles * universe.matter.particle_mass / universe.cosmology.mean_density))
    share = universe.histories / universe.histories.max(axis=1, keepdims=True)
    stretch = np.cbrt(1.0 / share[:, -1])  # from today's radius to that at the largest mass
    density = universe.structure.density()
    matter = [
        rng.permutation(universe.particles(halo, REACH * radius, density=density[halo], growth=1.0 / share[halo, -1]))
        for halo, radius in enumerate(stretch * universe.structure.radius)
    ]
    if sum(map(len, matter)) > particles:
        raise ConfigError(
            "the halos hold more matter than the box",
            got=f"{sum(map(len, matter))} particles in {len(matter)} halos",
            expected=f"at most {particles}",
            fix="take a larger box, or fewer halos",
        )
    heaviest = int(np.argmax(universe.structure.mass))
    if universe.structure.mass[heaviest] < LEAST_PARTICLES * universe.matter.particle_mass:
        raise ConfigError(
            "no halo is a group",
            got=f"{universe.structure.mass[heaviest] / universe.matter.particle_mass:.3g} particles in the heaviest halo",
            expected=f"at least {LEAST_PARTICLES}",
            fix="take heavier halos, or lighter particles",
        )
    box = _Box(
        universe=universe,
        side=side,
        particles=particles,
        softening=softening,
        files=files,
        centres=_places(REACH * stretch * universe.structure.radius, side, rng),
        matter=matter,
        share=share,
    )
    outputs = len(universe.scale_factors)
    found: list[_Output] = []
    with progress.task("outputs", outputs) as task:
        for number in range(outputs):
            output = _one_output(box, number, rng)
            _write_snapshot(target, box, output)
            _write_catalogue(target, box, output)
            found.append(output._replace(positions=np.empty((0, 3)), ids=np.empty(0, dtype=np.int64)))  # what the trees need
            task.advance()
    for early, late in pairwise(found):
        _write_links(target, early, late)
    _write_trees(target, box, found)
    return target


def _places(reach: NDArray[np.float64], side: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(halo, 3) centres of spheres of radius `reach` that do not touch, the largest placed first."""
    centres = np.empty((len(reach), 3))
    order = np.argsort(-reach)
    for done, halo in enumerate(order):
        placed = order[:done]
        for _ in range(_TRIALS):
            trial = rng.uniform(0.0, side, 3)
            offset = centres[placed] - trial
            offset -= side * np.round(offset / side)
            if np.all(np.einsum("ij,ij->i", offset, offset) > (reach[placed] + reach[halo]) ** 2) and reach[halo] < side / 2:
                centres[halo] = trial
                break
        else:
            raise ConfigError(
                "the halos do not fit into the box",
                got=f"{len(reach)} spheres of {reach.min():.4g} to {reach.max():.4g} kpc/h in {side:.5g} kpc/h",
                fix="take a larger box, or fewer halos",
            )
    return centres


def _one_output(box: _Box, number: int, rng: np.random.Generator) -> _Output:
    """The particles of all halos at one time, and what is left between them."""
    share = box.share[:, number]
    peak = box.universe.histories.max(axis=1)
    redshift = 1.0 / box.universe.scale_factors[number] - 1.0
    density = [threshold(box.universe.cosmology, definition, redshift) for _, definition in _DEFINITIONS]
    first_id = 1 + np.concatenate([[0], np.cumsum([len(all_of_it) for all_of_it in box.matter])])
    groups, outskirts, reaches = [], [], []
    for halo, all_of_it in enumerate(box.matter):
        kept = round(share[halo] * len(all_of_it))
        offsets = all_of_it[:kept] * np.cbrt(share[halo])
        radii = np.linalg.norm(offsets, axis=1)
        order = np.argsort(radii)
        radius = np.cbrt(3.0 * share[halo] * peak[halo] / (4.0 * np.pi * density[0]))
        inside = int(np.searchsorted(radii[order], radius))
        positions, ids = (box.centres[halo] + offsets)[order], (first_id[halo] + np.arange(kept))[order]
        if inside < LEAST_PARTICLES:
            inside = 0
        one = box.universe.matter.particle_mass
        counts = [_inside(radii[order], inside * one, one, limit) for limit in density]
        groups.append((inside, halo, positions[:inside], ids[:inside], counts))
        outskirts.append((positions[inside:], ids[inside:]))
        reaches.append(REACH * radius)
    groups = sorted((group for group in groups if group[0]), key=lambda group: (-group[0], group[1]))
    taken = np.concatenate([ids for *_, ids, _ in groups] + [ids for _, ids in outskirts])
    free = np.setdiff1d(np.arange(1, box.particles + 1), taken, assume_unique=True)
    between = _between(len(free), box.centres, np.array(reaches), box.side, rng)
    return _Output(
        number=number,
        positions=np.mod(
            np.concatenate([positions for _, _, positions, _, _ in groups] + [where for where, _ in outskirts] + [between]),
            box.side,
        ),
        ids=np.concatenate([taken, free]),
        halo=np.array([halo for _, halo, *_ in groups], dtype=np.intp),
        lengths=np.array([length for length, *_ in groups], dtype=np.int64),
        masses=np.array([counts for *_, counts in groups], dtype=np.int64).reshape(-1, len(_DEFINITIONS)).T,
    )


def _inside(radii: NDArray[np.float64], group: float, particle_mass: float, limit: float) -> int:
    """Particles inside the radius where the mean density falls below `limit`; `radii` increase, `group` is the group's mass.

    Where the density crosses the limit several times, this is the crossing that SUBFIND finds: it halves the interval from 0 to
    three radii that the group would have at 200 times the critical density of today, down to 1e-4 of the radius.
    """
    low, high = 0.0, 3.0 * float(np.cbrt(3.0 * group / (4.0 * np.pi * 200.0 * CRITICAL_DENSITY)))
    inside = 0
    while high - low > 1e-4 * high > 0.0:
        radius = 0.5 * (low + high)
        inside = int(np.searchsorted(radii, radius))
        dense = inside * particle_mass > limit * 4.0 / 3.0 * np.pi * radius**3
        low, high = (radius, high) if dense else (low, radius)
    return inside


def _between(
    number: int, centres: NDArray[np.float64], reaches: NDArray[np.float64], side: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(number, 3) positions, even over what the spheres about the centres leave free."""
    found = np.empty((0, 3))
    while len(found) < number:
        trial = rng.uniform(0.0, side, (int(1.1 * (number - len(found))) + 100, 3))
        tree = cKDTree(trial, boxsize=np.full(3, side))
        for near in tree.query_ball_point(centres, reaches):
            trial[near] = np.nan
        found = np.concatenate([found, trial[~np.isnan(trial[:, 0])]])
    return found[:number]


def _write_snapshot(folder: Path, box: _Box, output: _Output) -> None:
    total = np.zeros(KINDS, dtype=np.uint64)
    total[DARK_MATTER] = box.particles
    table = np.zeros(KINDS)
    table[DARK_MATTER] = box.universe.matter.particle_mass / MASS_UNIT
    for part, rows in enumerate(np.array_split(np.arange(box.particles), box.files)):
        here = np.zeros(KINDS, dtype=np.uint64)
        here[DARK_MATTER] = len(rows)
        header = {"NumPart_ThisFile": here, "NumPart_Total": total, "MassTable": table, "NumFilesPerSnapshot": box.files}
        columns = {"Coordinates": output.positions[rows[0] : rows[-1] + 1], "ParticleIDs": output.ids[rows[0] : rows[-1] + 1]}
        _write(
            _path(folder, "snapshot", output.number, part, box.files),
            {"Header": header | _time(box, output.number), "Parameters": _parameters(box), f"PartType{DARK_MATTER}": {}},
            {f"PartType{DARK_MATTER}/{name}": values for name, values in columns.items()},
        )


def _write_catalogue(folder: Path, box: _Box, output: _Output) -> None:
    mass = output.masses * box.universe.matter.particle_mass
    redshift = 1.0 / box.universe.scale_factors[output.number] - 1.0
    offsets = np.concatenate([[0], np.cumsum(output.lengths)[:-1]]) if len(output.lengths) else np.empty(0, dtype=np.int64)
    own_mass = output.lengths * box.universe.matter.particle_mass / MASS_UNIT
    same = np.arange(len(output.lengths))
    shared = {"Pos": box.centres[output.halo], "Len": output.lengths, "Mass": own_mass}
    shared |= {"LenType": _of_kind(output.lengths), "OffsetType": _of_kind(offsets)}
    columns: dict[str, ArrayLike] = {f"Group/Group{name}": values for name, values in shared.items()}
    columns |= {f"Subhalo/Subhalo{name}": values for name, values in shared.items()}
    columns |= {"Group/GroupFirstSub": same, "Group/GroupNsubs": np.ones_like(same)}
    columns |= {"Subhalo/SubhaloGroupNr": same, "Subhalo/SubhaloRankInGr": np.zeros_like(same)}
    columns |= {"Subhalo/SubhaloIDMostbound": output.ids[offsets]}
    for row, (name, definition) in enumerate(_DEFINITIONS):
        limit = threshold(box.universe.cosmology, definition, redshift)
        columns[f"Group/Group_M_{name}"] = mass[row] / MASS_UNIT
        columns[f"Group/Group_R_{name}"] = np.cbrt(3.0 * mass[row] / (4.0 * np.pi * limit))
    for part, rows in enumerate(np.array_split(same, box.files)):
        number = {"Ngroups": len(rows), "Nsubhalos": len(rows)}
        header: dict[str, Any] = {"NumFiles": box.files} | {f"{key}_ThisFile": value for key, value in number.items()}
        header |= {f"{key}_Total": len(same) for key in number}
        _write(
            _path(folder, "fof_subhalo_tab", output.number, part, box.files),
            {"Header": header | _time(box, output.number), "Parameters": _parameters(box)},
            {name: np.asarray(values)[rows] for name, values in columns.items()} if len(rows) else {},
        )


def _write_links(folder: Path, early: _Output, late: _Output) -> None:
    """``subhalo_desc`` of the earlier output and ``subhalo_prog`` of the later one."""
    for name, kind, here, there in (("Prog", "subhalo_prog", late, early), ("Desc", "subhalo_desc", early, late)):
        number = _lookup(there.halo, here.halo)
        other = "NextDescSubhaloNr" if name == "Prog" else "NextProgSubhaloNr"
        columns = {f"First{name}SubhaloNr": number, f"{name}SubhaloNr": number, other: np.full_like(number, -1)}
        columns["SubhaloNr"] = np.arange(len(number))
        header = {"NumFiles": 1, "Nsubhalos_ThisFile": len(number), "Nsubhalos_Total": len(number)}
        links = {f"Subhalo/{key}": values for key, values in columns.items()} if len(number) else {}
        _write(_path(folder, kind, here.number, 0, 1), {"Header": header}, links)


def _write_trees(folder: Path, box: _Box, found: list[_Output]) -> None:
    """``trees.hdf5``: one tree for each halo of the last output, its nodes from late to early."""
    numbers = np.array([_lookup(output.halo, found[-1].halo) for output in found[::-1]])  # (step, tree)
    lengths = [output.lengths for output in found[::-1]]
    rows = [np.flatnonzero(tree >= 0) for tree in numbers.T]
    nodes = np.array([len(row) for row in rows])
    index = np.concatenate([np.arange(count) for count in nodes])
    last = np.concatenate([np.arange(count) == count - 1 for count in nodes])
    step = np.concatenate(rows)
    number = np.concatenate([tree[row] for tree, row in zip(numbers.T, rows, strict=True)])
    later = np.where(index > 0, index - 1, -1)
    earlier = np.where(last, -1, index + 1)
    alone = np.full_like(index, -1)
    columns: dict[str, ArrayLike] = {
        "TreeID": np.repeat(np.arange(len(nodes)), nodes),
        "TreeIndex": index,
        "SnapNum": len(found) - 1 - step,
        "SubhaloNr": number,
        "GroupNr": number,
        "SubhaloLen": [lengths[s][n] for s, n in zip(step, number, strict=True)],
        "TreeMainProgenitor": earlier,
        "TreeFirstProgenitor": earlier,
        "TreeProgenitor": earlier,
        "TreeNextProgenitor": alone,
        "TreeDescendant": later,
        "TreeFirstDescendant": later,
        "TreeNextDescendant": alone,
        "TreeFirstHaloInFOFgroup": index,
        "TreeNextHaloInFOFgroup": alone,
    }
    header = {"LastSnapShotNr": len(found) - 1, "NumFiles": 1, "Nhalos_Total": nodes.sum(), "Ntrees_Total": len(nodes)}
    header |= {"Nhalos_ThisFile": nodes.sum(), "Ntrees_ThisFile": len(nodes)}
    times = box.universe.scale_factors
    table = {"TreeTable/TreeID": np.arange(len(nodes)), "TreeTable/Length": nodes}
    table |= {"TreeTable/StartOffset": np.concatenate([[0], np.cumsum(nodes)[:-1]])}
    table |= {"TreeTimes/Time": times, "TreeTimes/Redshift": 1.0 / times - 1.0}
    _write(folder / "trees.hdf5", {"Header": header}, table | {f"TreeHalos/{key}": values for key, values in columns.items()})


def _lookup(halos: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.int64]:
    """For each wanted halo its place among `halos`; -1 where it is not there."""
    place = {int(halo): number for number, halo in enumerate(halos)}
    return np.array([place.get(int(halo), -1) for halo in wanted], dtype=np.int64)


def _of_kind(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """(row, kind): zero for all kinds but dark matter."""
    table = np.zeros((len(values), KINDS), dtype=np.int64)
    table[:, DARK_MATTER] = values
    return table


def _time(box: _Box, number: int) -> dict[str, Any]:
    a = float(box.universe.scale_factors[number])
    return {"BoxSize": box.side, "Time": a, "Redshift": 1.0 / a - 1.0}


def _parameters(box: _Box) -> dict[str, Any]:
    cosmology = box.universe.cosmology
    parameters: dict[str, Any] = {"Omega0": cosmology.omega_matter, "OmegaLambda": cosmology.omega_lambda}
    parameters |= {"HubbleParam": cosmology.hubble, "BoxSize": box.side}
    parameters |= {"UnitLength_in_cm": KPC_IN_CM, "UnitMass_in_g": MASS_UNIT * SOLAR_MASS_IN_G, "UnitVelocity_in_cm_per_s": 1e5}
    parameters |= {f"SofteningClassOfPartType{kind}": 0 for kind in range(KINDS)}
    return parameters | {"SofteningComovingClass0": box.softening, "SofteningMaxPhysClass0": box.softening}


def _path(folder: Path, kind: str, number: int, part: int, files: int) -> Path:
    return folder / (f"{kind}_{number:03d}.hdf5" if files == 1 else f"{kind}_{number:03d}.{part}.hdf5")


def _write(path: Path, attributes: Mapping[str, Mapping[str, Any]], columns: Mapping[str, ArrayLike]) -> None:
    with h5py.File(path, "w") as file:
        for group, own in attributes.items():
            file.require_group(group).attrs.update(own)
        for name, values in columns.items():
            file.create_dataset(name, data=np.asarray(values))
