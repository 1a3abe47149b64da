"""Merger trees as GADGET-4 wrote them.

In: the folder of a run with ``trees.hdf5``, or with the links ``subhalo_desc_NNN`` and ``subhalo_prog_NNN`` between consecutive
outputs, or with neither. Out: the main progenitor of every subhalo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.simulation.catalogue import read_subhalos
from triptych.halos.simulation.files import PathLike, locate, outputs, run_folder, tree_file
from triptych.halos.simulation.hdf5 import COUNT, number, open_hdf5, read_table
from triptych.halos.simulation.linking import link_particles
from triptych.halos.simulation.trees import NONE, ProgenitorTree, main_progenitors


def read_tree(folder: PathLike) -> ProgenitorTree:
    """The merger tree of a run, from the best source in its folder.

    That is GADGET-4's finished tree ``trees.hdf5``; without it GADGET-4's links between consecutive outputs; without them the
    particles that halos of different outputs share, which takes snapshots with particle IDs.

    Raises
    ------
    DataError
        If there are no halos, or the files are damaged, contradict each other or do not suffice.

    Examples
    --------
    The sample has particles at its last output alone.

    >>> from triptych.halos import read_tree, sample_data
    >>> branch = read_tree(sample_data("tiny32")).main_branch(0)
    >>> branch.output.tolist(), branch.subhalo.tolist(), branch.central.tolist()
    ([11], [0], [True])
    """
    run = run_folder(folder)
    if tree_file(run) is not None:
        return read_tree_file(run)
    if outputs(run, "subhalo_desc"):
        return read_links(run)
    return link_particles(run)


def read_tree_file(folder: PathLike) -> ProgenitorTree:
    """Read GADGET-4's finished merger tree, ``trees.hdf5``, in one file or in parts: its ``TreeMainProgenitor``.

    Raises
    ------
    DataError
        If there is no such file, or it is damaged, holds no halos, or points nowhere.

    Notes
    -----
    Time and memory grow linearly with the number of subhalos at all outputs: about 120 bytes each while reading.
    """
    run = run_folder(folder)
    path = tree_file(run)
    if path is None:
        raise DataError("the folder holds no trees.hdf5", got=run, expected="a run with MERGERTREE", fix="try read_tree()")
    names = ("SnapNum", "SubhaloNr", "GroupNr", "TreeID", "TreeIndex", "TreeMainProgenitor", "TreeFirstHaloInFOFgroup")
    halos = read_table(path, "TreeHalos", dict.fromkeys(names, COUNT))
    trees = read_table(path, "TreeTable", dict.fromkeys(("StartOffset", "Length"), COUNT))
    with open_hdf5(path) as file:
        last = int(number(file, "LastSnapShotNr", "Header"))
    tree, main = halos["TreeID"], halos["TreeMainProgenitor"]
    known = bool(((tree >= 0) & (tree < len(trees["Length"]))).all())
    if not known or not np.array_equal(trees["StartOffset"][tree] + halos["TreeIndex"], np.arange(len(tree))):
        raise DataError(
            "the tree contradicts its own table",
            got=f"TreeIndex and TreeTable/StartOffset of {path}",
            expected="StartOffset + TreeIndex = number of the halo",
            fix="are all its parts from one run?",
        )
    outside = np.flatnonzero((main < NONE) | (main >= trees["Length"][tree]))
    if len(outside):
        raise DataError(
            "the tree points nowhere",
            got=f"TreeMainProgenitor {main[outside[0]]} of halo {outside[0]}",
            expected=f"-1 to {trees['Length'][tree[outside[0]]] - 1}, inside its tree",
            fix=f"is {path} damaged?",
        )
    return ProgenitorTree(
        output=halos["SnapNum"],
        subhalo=halos["SubhaloNr"],
        group=halos["GroupNr"],
        central=halos["TreeFirstHaloInFOFgroup"] == halos["TreeIndex"],
        main=np.where(main == NONE, NONE, trees["StartOffset"][tree] + main),
        last=last,
        source=path,
    )


def read_links(folder: PathLike) -> ProgenitorTree:
    """Read GADGET-4's links between consecutive outputs, ``subhalo_desc_NNN`` and ``subhalo_prog_NNN``.

    The progenitors of a subhalo are those whose ``DescSubhaloNr`` it is; :func:`main_progenitors` chooses among them, which gives
    GADGET-4's own ``TreeMainProgenitor``. (``FirstProgSubhaloNr`` is merely the first of them.) A subhalo without progenitors may
    still have a ``ProgSubhaloNr``, the subhalo that its most bound particles were in. That one is taken where it has no
    descendant of its own; where it has one, the subhalo is a fragment of a halo that lives on, and its branch begins.

    Raises
    ------
    DataError
        If a file is missing, damaged, or points nowhere, or there are no subhalos.

    Notes
    -----
    Time and memory grow linearly with the number of subhalos at all outputs: about 150 bytes each.
    """
    run = run_folder(folder)
    numbers = sorted(outputs(run, "fof_subhalo_tab"))
    catalogues = [read_subhalos(run, output) for output in numbers]
    sizes = [len(catalogue.lengths) for catalogue in catalogues]
    offsets = np.cumsum([0, *sizes])
    descendant, fallback = np.full(offsets[-1], NONE), np.full(offsets[-1], NONE)
    for here, output in enumerate(numbers[:-1]):
        if not (sizes[here] and sizes[here + 1]):
            continue
        if numbers[here + 1] != output + 1:
            raise DataError(
                "a catalogue is missing",
                got=f"outputs {output} and {numbers[here + 1]}",
                expected="consecutive outputs, which the links join",
                fix=f"copy fof_subhalo_tab_{output + 1:03d} into {run}",
            )
        first, middle, end = (int(offset) for offset in offsets[here : here + 3])
        forward, back = locate(run, "subhalo_desc", output), locate(run, "subhalo_prog", output + 1)
        descendant[first:middle] = _links(forward, "DescSubhaloNr", slice(first, middle), slice(middle, end))
        fallback[middle:end] = _links(back, "ProgSubhaloNr", slice(middle, end), slice(first, middle))
    output_of = np.repeat(numbers, sizes)
    length, group, rank = (
        np.concatenate([getattr(catalogue, name) for catalogue in catalogues] or [COUNT]) for name in ("lengths", "group", "rank")
    )
    main = main_progenitors(output_of, length, descendant)
    orphan = np.flatnonzero((main == NONE) & (fallback != NONE))
    orphan = orphan[descendant[fallback[orphan]] == NONE]
    main[orphan] = fallback[orphan]
    return ProgenitorTree(
        output=output_of,
        subhalo=np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes),
        group=group,
        central=rank == 0,
        main=main,
        last=max(numbers, default=NONE),
        source=run,
    )


def _links(path: Path, name: str, origin: slice, target: slice) -> NDArray[np.int64]:
    """For the rows `origin` of all halos, the one among the rows `target` that each is linked to."""
    links = read_table(path, "Subhalo", {name: COUNT})[name]
    count, choices = origin.stop - origin.start, target.stop - target.start
    if len(links) != count:
        raise DataError(
            "links and catalogue do not belong together",
            got=f"{len(links)} subhalos in {path.name}",
            expected=f"{count}, as in the catalogue",
            fix="are all files from one run?",
        )
    outside = np.flatnonzero((links < NONE) | (links >= choices))
    if len(outside):
        raise DataError(
            "the tree points nowhere",
            got=f"{name} {links[outside[0]]} of subhalo {outside[0]} in {path.name}",
            expected=f"-1 to {choices - 1}",
            fix="are all files from one run?",
        )
    return np.where(links == NONE, NONE, target.start + links)
