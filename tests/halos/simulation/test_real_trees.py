"""Real output of GADGET-4: our trees against its own, and against each other."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest

from triptych.halos.simulation.catalogue import read_catalogue, read_slices, read_subhalos
from triptych.halos.simulation.files import outputs
from triptych.halos.simulation.linking import link_particles
from triptych.halos.simulation.snapshot import read_particle_ids
from triptych.halos.simulation.tree_files import read_links, read_tree_file

DATA = Path(os.environ.get("TRIPTYCH_DATA", Path(__file__).parents[4] / "shared" / "data"))
RUNS = ("gadget4-letter", "gadget4-seedA", "gadget4-tiny32")


def folder(run):
    if not (DATA / run).is_dir():
        pytest.skip(f"no real run {DATA / run}: name the folder of the runs in TRIPTYCH_DATA")
    return DATA / run


@cache
def theirs(run):
    return read_tree_file(folder(run))


@cache
def ours(run):
    return link_particles(folder(run))


def rows(tree):
    return list(zip(tree.output.tolist(), tree.subhalo.tolist(), strict=True))


def steps(tree, halo, which="subhalo"):
    branch = tree.main_branch(halo)
    return dict(zip(branch.output.tolist(), getattr(branch, which).tolist(), strict=True))


@pytest.mark.parametrize("run", RUNS)
def test_the_tree_file_holds_every_subhalo_of_the_catalogues(run):
    tree, found = theirs(run), {}
    for output in outputs(folder(run), "fof_subhalo_tab"):
        subhalos = read_subhalos(folder(run), output)
        groups = zip(subhalos.group.tolist(), (subhalos.rank == 0).tolist(), strict=True)
        found |= {(output, number): group for number, group in enumerate(groups)}
    assert dict(zip(rows(tree), zip(tree.group.tolist(), tree.central.tolist(), strict=True), strict=True)) == found


@pytest.mark.parametrize("run", RUNS)
def test_links_between_outputs_give_the_same_main_progenitors(run):
    links, tree = read_links(folder(run)), theirs(run)
    there, here = rows(tree), rows(links)
    expected = {row: there[main] if main >= 0 else None for row, main in zip(there, tree.main.tolist(), strict=True)}
    different = {}
    for row, main in zip(here, links.main.tolist(), strict=True):
        progenitor = here[main] if main >= 0 else None
        if progenitor != expected[row]:
            different[row] = (progenitor, expected[row])
    print(f"{run}: {len(expected)} subhalos, different (subhalo: ours, GADGET-4's): {different}")
    assert len(here) == len(there)
    assert len(different) <= 0.0002 * len(expected)
    for (output, number), (progenitor, nothing) in different.items():  # its particles come from a halo without descendant
        assert nothing is None
        with h5py.File(folder(run) / f"subhalo_prog_{output:03d}.hdf5") as file:
            assert file["Subhalo/ProgSubhaloNr"][number] == progenitor[1]
        with h5py.File(folder(run) / f"subhalo_desc_{output - 1:03d}.hdf5") as file:
            assert file["Subhalo/DescSubhaloNr"][progenitor[1]] == -1


def particles(run, output, subhalo):
    first, count = read_slices(folder(run), output, of="Subhalo")
    return read_particle_ids(folder(run), output)[first[subhalo] : first[subhalo] + count[subhalo]]


def explain(run, halo, length, mine, his):
    """One line on the latest output at which two branches of a halo part."""
    output = max(output for output in mine.keys() | his.keys() if mine.get(output) != his.get(output))
    before = min(step for step in mine.keys() & his.keys() if step > output)
    inside, columns = particles(run, before, mine[before]), []
    for branch in (mine, his):
        found = particles(run, output, branch[output]) if output in branch else []
        share = f"{np.isin(found, inside).mean():4.0%} of {len(found):5d}" if len(found) else "-"
        columns.append(f"{branch.get(output, -1):4d} ({share})")
    if output not in his:
        reason = "GADGET-4's branch begins later: its links do not leap over an output"
    elif output not in mine:
        reason = "ours leaps over it" if min(mine) < output else "ours begins later"
    else:
        reason = "a merger: another branch counts as the main one"
    return f"{run} halo {halo:3d} ({length} particles) output {output:2d}: ours {columns[0]}, GADGET-4's {columns[1]}: {reason}"


@pytest.mark.parametrize("run", RUNS)
def test_shared_particles_find_the_branches_of_gadget(run):
    """All FOF groups are compared and each difference is told; those above 300 particles must agree."""
    lengths = read_catalogue(folder(run)).lengths
    known = outputs(folder(run), "snapshot")
    centres = theirs(run).group[(theirs(run).output == theirs(run).last) & theirs(run).central]
    same = {}
    for halo in centres.tolist():
        mine = steps(ours(run), halo)
        his = {output: number for output, number in steps(theirs(run), halo).items() if output in known}
        same[halo] = mine == his
        if not same[halo]:
            print(explain(run, halo, lengths[halo], mine, his))
    large = [same[halo] for halo in centres.tolist() if lengths[halo] > 300]
    print(f"{run}: {sum(large)} of {len(large)} halos above 300 particles agree, {sum(same.values())} of {len(same)} of any size")
    assert len(large) >= 5
    assert sum(large) >= 0.95 * len(large)


@pytest.mark.parametrize("run", RUNS[:2])
def test_groups_alone_give_nearly_the_same_branches(run, tmp_path):
    """Without subhalos the branch leads through the groups that hold GADGET-4's main progenitors."""
    known = outputs(folder(run), "snapshot")
    for output, snapshot in known.items():
        (tmp_path / snapshot.name).symlink_to(snapshot)
        name = f"fof_subhalo_tab_{output:03d}.hdf5"
        shutil.copyfile(folder(run) / name, tmp_path / name)
        with h5py.File(tmp_path / name, "r+") as file:
            del file["Subhalo"], file["Header"].attrs["Nsubhalos_Total"]
    tree = link_particles(tmp_path)
    large = np.flatnonzero(read_catalogue(folder(run)).lengths > 300).tolist()
    same = []
    for halo in large:
        his = {output: group for output, group in steps(theirs(run), halo, "group").items() if output in known}
        mine = steps(tree, halo, "group")
        same.append(all(mine.get(output) == group for output, group in his.items()))
        if not same[-1]:
            print(f"{run} halo {halo}: ours {mine}, GADGET-4's {his}")
    print(f"{run}: {sum(same)} of {len(same)} agree")
    assert sum(same) >= 0.8 * len(same)
