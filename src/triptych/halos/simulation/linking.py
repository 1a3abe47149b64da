"""Merger trees from the particles that halos share.

In: the snapshots (particle IDs) and catalogues of a run. Out: the main progenitor of every halo, for simulations without trees; a
halo that the group finder lost at one output keeps its branch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.simulation.catalogue import read_catalogue, read_slices, read_subhalos
from triptych.halos.simulation.files import PathLike, outputs, run_folder
from triptych.halos.simulation.hdf5 import number, open_hdf5
from triptych.halos.simulation.snapshot import read_particle_ids
from triptych.halos.simulation.trees import NONE, ProgenitorTree, main_progenitors
from triptych.runs import progress


class Members(NamedTuple):
    """The particles of all halos at one output.

    Attributes
    ----------
    ids : (particle,), rising.
    halo : (particle,), halo that holds it.
    weight : (particle,), how much it says about where its halo went; sums to 1 over a halo.
    """

    ids: NDArray[np.uint64]
    halo: NDArray[np.int64]
    weight: NDArray[np.float64]


def members(ids: NDArray[np.uint64], first: NDArray[np.int64], count: NDArray[np.int64], *, bound_first: bool) -> Members:
    """Sort the particles of halos by identity.

    Parameters
    ----------
    ids : (particle,), of a whole snapshot, sorted by halo.
    first, count : (halo,), halo h has the particles first[h], ..., first[h] + count[h] - 1.
    bound_first : the most bound particle of each halo comes first: particle 1, 2, ... then weighs 1, 1/2, ..., so that the
        dense core, which survives a merger, decides (Rodriguez-Gomez et al. 2015). Otherwise all weigh the same.

    Raises
    ------
    DataError
        If two particles have the same identity, or a halo has particles that are not there.

    Examples
    --------
    >>> ids = np.array([7, 3, 9], dtype=np.uint64)
    >>> found = members(ids, np.array([0, 2]), np.array([2, 1]), bound_first=True)
    >>> found.ids.tolist(), found.halo.tolist(), found.weight.round(3).tolist()
    ([3, 7, 9], [0, 0, 1], [0.333, 0.667, 1.0])
    """
    if len(first) and not (first.min() >= 0 and count.min() >= 0 and (first + count).max() <= len(ids)):
        raise DataError(
            "halos have particles that the snapshot lacks",
            got=f"particles {first.min()} to {(first + count).max() - 1}",
            expected=f"0 to {len(ids) - 1}",
            fix="are snapshot and catalogue from one output?",
        )
    halo = np.repeat(np.arange(len(count)), count)
    rank = np.arange(len(halo)) - np.repeat(np.cumsum(count) - count, count)
    weight = 1.0 / (rank + 1.0) if bound_first else np.ones(len(rank))
    weight /= np.bincount(halo, weight, len(count))[halo]
    mine = ids[np.repeat(first, count) + rank]
    order = np.argsort(mine)
    twice = np.flatnonzero(mine[order[1:]] == mine[order[:-1]])
    if len(twice):
        raise DataError(
            "two particles in halos have the same ID",
            got=f"{mine[order[twice[0]]]}, and {len(twice) - 1} more such pairs",
            expected="each particle in one halo, each with its own ID",
            fix="halos cannot be followed through such snapshots",
        )
    return Members(mine[order], halo[order], weight[order])


def descendants(earlier: Members, later: Members, halos: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The halo of a later output that holds most of each halo of an earlier one.

    Parameters
    ----------
    earlier, later : the particles of all halos at the two outputs.
    halos : number of halos at the earlier output.

    Returns
    -------
    descendant : (halos,), number of the halo at the later output; -1 where it shares no particle with any.
    share : (halos,), weight of the shared particles, of 1.

    Notes
    -----
    O(N log N) for N particles in halos.

    Examples
    --------
    >>> earlier = Members(np.array([1, 2, 3]), np.array([0, 0, 0]), np.array([0.5, 0.3, 0.2]))
    >>> later = Members(np.array([1, 2, 3]), np.array([0, 1, 1]), np.array([1.0, 0.6, 0.4]))
    >>> [column.tolist() for column in descendants(earlier, later, 1)]
    [[0], [0.5]]
    """
    place = np.searchsorted(later.ids, earlier.ids)
    place[place == len(later.ids)] = 0
    shared = np.flatnonzero(later.ids[place] == earlier.ids) if len(later.ids) else place[:0]
    before, after = earlier.halo[shared], later.halo[place[shared]]
    order = np.lexsort((after, before))
    before, after = before[order], after[order]
    new = np.flatnonzero((np.diff(before, prepend=NONE) != 0) | (np.diff(after, prepend=NONE) != 0))
    shares = np.add.reduceat(earlier.weight[shared][order], new) if len(new) else np.empty(0)
    before, after = before[new], after[new]
    rising = np.lexsort((-after, shares, before))
    descendant, share = np.full(halos, NONE), np.zeros(halos)
    descendant[before[rising]] = after[rising]  # the last assignment to a halo stands: its largest share
    share[before[rising]] = shares[rising]
    return descendant, share


def link_particles(folder: PathLike, *, type: int = 1) -> ProgenitorTree:
    """Follow halos from output to output by the particles they share: subhalos where the run has them, else FOF groups.

    The descendant of a halo is the one at the next output that holds most of it, each particle weighted as :func:`members`
    says. The one after next is asked too: where it names another halo than the descendant's descendant, the group finder lost
    the halo at the output between (two that touched were taken for one), and the link leaps over that output. Outputs without
    snapshots are passed over. :func:`main_progenitors` chooses the branch.

    Parameters
    ----------
    folder : of a run with catalogues and snapshots.
    type : particle type; 1 is dark matter.

    Raises
    ------
    DataError
        If there are no halos, the last catalogue has no snapshot, or snapshots lack particle IDs, have one twice, or share none.

    Notes
    -----
    O(N log N) for N particles in halos at each output, 0.5 s for a million. Three outputs are in memory at a time: with
    temporaries, 130 bytes for each particle in a halo at one output, and 16 for each particle of a snapshot.
    """
    run = run_folder(folder)
    snapshots, catalogues = outputs(run, "snapshot"), outputs(run, "fof_subhalo_tab")
    numbers = sorted(snapshots.keys() & catalogues.keys())
    if not numbers or numbers[-1] != max(catalogues):
        raise DataError(
            "halos cannot be followed without particles",
            got=f"snapshots of outputs {sorted(snapshots)}, catalogues of {sorted(catalogues)} in {run}",
            expected="a snapshot for the last catalogue, and for earlier ones",
            fix="copy the snapshots, or GADGET-4's own trees, into the folder",
        )
    kind: Literal["Subhalo", "Group"] = "Subhalo" if any(_has_subhalos(path) for path in catalogues.values()) else "Group"
    tables = [_halos(run, output, kind) for output in numbers]
    sizes = [len(table.length) for table in tables]
    offsets = np.cumsum([0, *sizes])
    descendant = np.full(offsets[-1], NONE)
    window: list[Members] = []  # the particles at this output, at the one before, and at the one before that
    direct = np.empty(0, dtype=np.int64)  # descendants of the output before
    with progress.task("linking outputs", len(numbers)) as task:
        for here, output in enumerate(numbers):
            ids = read_particle_ids(run, output, type=type)
            slices = read_slices(run, output, of=kind, type=type)
            window = [*window[-2:], members(ids, *slices, bound_first=kind == "Subhalo")]
            if here >= 1:
                _same_particles(window[-2], ids, numbers[here - 1 : here + 1])
                earlier, direct = direct, descendants(window[-2], window[-1], sizes[here - 1])[0]
                descendant[offsets[here - 1] : offsets[here]] = np.where(direct != NONE, offsets[here] + direct, NONE)
            if here >= 2:
                leap = descendants(window[-3], window[-1], sizes[here - 2])[0]
                through = np.where(earlier != NONE, np.append(direct, NONE)[earlier], NONE)
                lost = np.flatnonzero((leap != NONE) & (leap != through))
                descendant[offsets[here - 2] + lost] = offsets[here] + leap[lost]
            task.advance()
    output_of = np.repeat(numbers, sizes)
    length, subhalo, group, central = (np.concatenate(column) for column in zip(*tables, strict=True))
    return ProgenitorTree(
        output=output_of,
        subhalo=subhalo,
        group=group,
        central=central,
        main=main_progenitors(output_of, length, descendant),
        last=numbers[-1],
        source=run,
    )


class _Halos(NamedTuple):
    """The halos of one output: particles, number among the subhalos (-1 for a group), FOF group, whether it is central."""

    length: NDArray[np.int64]
    subhalo: NDArray[np.int64]
    group: NDArray[np.int64]
    central: NDArray[np.bool_]


def _halos(run: Path, output: int, kind: Literal["Subhalo", "Group"]) -> _Halos:
    if kind == "Group":
        length = read_catalogue(run, output).lengths
        return _Halos(length, np.full(len(length), NONE), np.arange(len(length)), np.ones(len(length), dtype=bool))
    found = read_subhalos(run, output)
    return _Halos(found.lengths, np.arange(len(found.lengths)), found.group, found.rank == 0)


def _has_subhalos(catalogue: Path) -> bool:
    with open_hdf5(catalogue) as file:
        counted = "Header" in file and "Nsubhalos_Total" in file["Header"].attrs
        return counted and number(file, "Nsubhalos_Total", "Header") > 0


def _same_particles(earlier: Members, ids: NDArray[np.uint64], numbers: list[int]) -> None:
    """Make sure that particles of the earlier halos exist at the later output, in a halo or not."""
    sample = earlier.ids[:1000]
    if len(sample) and not np.isin(sample, ids).any():
        raise DataError(
            f"the snapshots of outputs {numbers[0]} and {numbers[1]} share no particle",
            got=f"IDs from {sample[0]} at output {numbers[0]}, from {ids.min()} at output {numbers[1]}",
            expected="the same particles at all outputs",
            fix="are all files from one run, and is this the right particle type?",
        )
