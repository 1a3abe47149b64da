"""How heavy a halo was at each output.

In: the folder of a run, main branches, and the halos asked for. Out: their masses over (halo, output), measured around the
progenitors where the particles are there, else from the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from triptych.errors import DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.measure import MASS
from triptych.halos.simulation import hdf5
from triptych.halos.simulation.catalogue import Catalogue, belong_together, read_catalogue, read_subhalos
from triptych.halos.simulation.files import PathLike, outputs, run_folder
from triptych.halos.simulation.snapshot import read_snapshot
from triptych.halos.simulation.trees import Branch, MergerTree
from triptych.halos.structure.overdensity import MassDefinition, overdensity, threshold
from triptych.halos.structure.spheres import index
from triptych.runs import progress

MISSING, MEASURED, CATALOGUE = 0, 1, 2


class _Masses(NamedTuple):
    """Of the progenitors at one output: mass in Msun/h, number of particles inside, where it comes from."""

    mass: NDArray[np.float64]
    particles: NDArray[np.int64]
    source: NDArray[np.int8]


def mass_history(folder: PathLike, tree: MergerTree, halos: ArrayLike, *, mass_definition: MassDefinition = "200m") -> xr.Dataset:
    """Masses of halos along their main branches.

    Where the snapshot of an output is there, the mass is that of the sphere around the progenitor's centre, as in
    :func:`triptych.halos.measure`. Elsewhere it is SUBFIND's own mass of the group, if the progenitor is the group's central
    subhalo. A progenitor that is a satellite is measured around its own centre, beginning at its own size, so that its host
    stays out where the two are apart; without a snapshot it has no mass.

    Parameters
    ----------
    folder : of a run, with its catalogues; as many of the snapshots as there are.
    tree : knows the main branches; from :func:`triptych.halos.read_tree`.
    halos : numbers of FOF groups of the last output.
    mass_definition : 200 times the mean ("200m") or the critical ("200c") density, or a collapsed top hat ("vir").

    Returns
    -------
    xr.Dataset
        Over ``halo, output``: ``mass`` (Msun/h), ``relative_mass`` = M / M(last output), both NaN where there is none;
        ``particles`` inside; ``source`` (0 missing, 1 measured, 2 from the catalogue); ``group``, ``subhalo`` (numbers of the
        progenitor, -1 where there is none), ``central``. Over ``output``, earliest first: its number, ``redshift``,
        ``scale_factor``, ``age`` (Gyr). Over ``halo``: ``id``. The cosmology is in the attributes.

    Raises
    ------
    DataError
        If a file cannot be read, the folder holds no catalogue, snapshot and catalogue or tree and catalogues do not belong
        together, or a halo does not fit into the box.
    ConfigError
        If the mass definition is unknown.

    Notes
    -----
    One output is in memory at a time, 130 bytes for each of its N particles. O(N log N) time per output, then O(n log n) for
    each progenitor of n particles: 1.2 s for 62 halos in 24 outputs, 10 of them with 64^3 particles.

    Examples
    --------
    >>> from triptych.halos.simulation.tree_files import read_tree
    >>> histories = mass_history("output", read_tree("output"), [0, 1])    # doctest: +SKIP
    >>> histories["mass"].dims    # doctest: +SKIP
    ('halo', 'output')
    """
    run = run_folder(folder)
    found = dict(sorted(outputs(run, "fof_subhalo_tab").items()))
    if not found:
        raise DataError(
            "there are no catalogues to follow halos through",
            got=folder,
            expected="the folder of a run, with fof_subhalo_tab_NNN.hdf5",
            fix="name the folder that GADGET-4 wrote its output to",
        )
    snapshots, numbers = outputs(run, "snapshot"), np.array(list(found))
    ids = np.atleast_1d(np.asarray(halos, dtype=np.int64))
    group, subhalo, central = _members([tree.main_branch(int(halo)) for halo in ids], numbers)
    with hdf5.open_hdf5(found[int(numbers[-1])]) as file:
        cosmology = hdf5.cosmology(file)
    shape = group.shape
    mass, particles, source = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int8)
    times = np.empty((2, len(numbers)))
    with progress.task("outputs", len(numbers)) as task:
        for column, (output, path) in enumerate(found.items()):
            catalogue = read_catalogue(path)
            times[:, column] = catalogue.scale_factor, round(catalogue.redshift, 12) + 0.0
            rows = np.flatnonzero(group[:, column] >= 0)
            if len(rows):
                at = (group[rows, column], subhalo[rows, column], central[rows, column])
                entries = _masses(catalogue, snapshots.get(output), *at, cosmology, mass_definition)
                mass[rows, column], particles[rows, column], source[rows, column] = entries
            task.advance()
    both, age = ("halo", "output"), cosmology.age(times[1])
    return xr.Dataset(
        {
            "mass": (both, mass, {"units": MASS, "long_name": f"M{mass_definition}"}),
            "relative_mass": (both, mass / mass[:, -1:], {"units": "1", "long_name": "mass over that at the last output"}),
            "particles": (both, particles, {"long_name": f"particles inside r{mass_definition}"}),
            "source": (both, source, {"long_name": "0 missing, 1 measured, 2 from the catalogue"}),
            "group": (both, group, {"long_name": "number of the FOF group; -1 where there is none"}),
            "subhalo": (both, subhalo, {"long_name": "number of the subhalo; -1 where there is none"}),
            "central": (both, central, {"long_name": "the progenitor is the central subhalo of its group"}),
            "redshift": ("output", times[1], {"units": "1"}),
            "scale_factor": ("output", times[0], {"units": "1"}),
            "age": ("output", age, {"units": "Gyr", "long_name": "age of the universe"}),
        },
        coords={"id": ("halo", ids, {"long_name": "number of the FOF group at the last output"}), "output": numbers},
        attrs={
            "mass_definition": mass_definition,
            "omega_matter": cosmology.omega_matter,
            "omega_lambda": cosmology.omega_lambda,
            "hubble": cosmology.hubble,
        },
    )


def _members(
    branches: Sequence[Branch], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Group, subhalo, and whether it is central, of each progenitor over (halo, output)."""
    shape = (len(branches), len(numbers))
    group, subhalo, central = np.full(shape, -1), np.full(shape, -1), np.zeros(shape, dtype=np.bool_)
    for row, branch in enumerate(branches):
        lost = ~np.isin(branch.output, numbers)
        if lost.any():
            raise DataError(
                "the tree leads to an output that has no catalogue",
                got=f"output {branch.output[lost][0]}",
                expected=f"one of {', '.join(map(str, numbers))}",
                fix="do tree and folder belong to the same run?",
            )
        columns = np.searchsorted(numbers, branch.output)
        group[row, columns], subhalo[row, columns], central[row, columns] = branch.group, branch.subhalo, branch.central
    return group, subhalo, central


def _masses(
    catalogue: Catalogue,
    snapshot: Path | None,
    group: NDArray[np.int64],
    subhalo: NDArray[np.int64],
    central: NDArray[np.bool_],
    cosmology: Cosmology,
    definition: MassDefinition,
) -> _Masses:
    """Masses of the progenitors at one output."""
    _refuse_nowhere("group", group, len(catalogue.lengths), catalogue)
    density = threshold(cosmology, definition, catalogue.redshift)
    subfind = {"200m": catalogue.m200m, "200c": catalogue.m200c, "vir": catalogue.mvir}[definition][group]
    usable = central & (subfind > 0)
    particle = catalogue.masses.sum() / catalogue.lengths.sum()
    entries = _Masses(
        mass=np.where(usable, subfind, np.nan),
        particles=np.where(usable, np.rint(subfind / particle), 0).astype(np.int64),
        source=np.where(usable, CATALOGUE, MISSING).astype(np.int8),
    )
    if snapshot is None:
        return entries
    box = read_snapshot(snapshot)
    belong_together(box, catalogue)
    centres, sizes = catalogue.positions[group], catalogue.masses[group]
    if not central.all():
        satellites = ~central
        subhalos = read_subhalos(catalogue.path)
        _refuse_nowhere("subhalo", subhalo[satellites], len(subhalos.masses), catalogue)
        centres[satellites] = subhalos.positions[subhalo[satellites]]
        sizes[satellites] = subhalos.masses[subhalo[satellites]]
    spheres = overdensity(index(box), centres, sizes, density)
    there = spheres.particles > 0
    return _Masses(
        mass=np.where(there, spheres.mass, entries.mass),
        particles=np.where(there, spheres.particles, entries.particles),
        source=np.where(there, MEASURED, entries.source).astype(np.int8),
    )


def _refuse_nowhere(kind: str, numbers: NDArray[np.int64], count: int, catalogue: Catalogue) -> None:
    outside = (numbers < 0) | (numbers >= count)
    if outside.any():
        raise DataError(
            "the tree points nowhere",
            got=f"{kind} {numbers[outside][0]} of {catalogue.path.name}",
            expected=f"a {kind} below {count}",
            fix="do tree and catalogues belong to the same run?",
        )
