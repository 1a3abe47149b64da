from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.halos import gadget
from triptych.errors import DataError
from triptych.halos.simulation.tree_files import read_links, read_tree, read_tree_file

# Three outputs of four, four and three subhalos in two groups; subhalo 2 is the centre of group 1.
# 0 -> 1 and 1 -> 1 merge (40 against 30 particles), 2 -> 0, 3 ends. Then 0 -> 2, 1 -> 0, 2 -> 0 merge (2 is the larger one, but 1
# has a past), 3 ends. At output 2 subhalo 1 has no progenitor but came from 3; subhalo 3 of output 1 came from 0, which lives on.
LENGTHS = [[30, 40, 20, 25], [22, 50, 55, 21], [90, 30, 24]]
DESCENDANTS = [[1, 1, 0, -1], [2, 0, 0, -1]]
PROGENITORS = [[2, 1, -1, 0], [2, 3, 0]]
MAIN = {
    (0, 0): None, (0, 1): None, (0, 2): None, (0, 3): None,
    (1, 0): (0, 2), (1, 1): (0, 1), (1, 2): None, (1, 3): None,
    (2, 0): (1, 1), (2, 1): (1, 3), (2, 2): (1, 0),
}  # fmt: skip


def write_links(folder, *, descendants=DESCENDANTS, progenitors=PROGENITORS, parts=1):
    for output, lengths in enumerate(LENGTHS):
        names = iter(range(1000))
        halos = [[next(names) for _ in range(length)] for length in lengths]
        gadget.write_halos(folder, output, [halos[:2], halos[2:]], parts=parts)
    for output, (forward, back) in enumerate(zip(descendants, progenitors, strict=True)):
        gadget.write_links(folder, output, forward, back, parts=parts)


def write_trees(path, *, parts=1, **changes):
    """MAIN as a table: the first tree holds the branches of subhalos 0 and 2 of the last output, the second all others."""
    rows = [(2, 0), (1, 1), (0, 1), (0, 0), (1, 2), (2, 2), (1, 0), (0, 2), (2, 1), (1, 3), (0, 3)]
    columns = {
        "snap": np.array([snap for snap, _ in rows]),
        "subhalo": np.array([subhalo for _, subhalo in rows]),
        "group": np.array([subhalo // 2 for _, subhalo in rows]),
        "tree": np.array([0] * 8 + [1] * 3),
        "main": np.array([rows.index(MAIN[row]) if MAIN[row] else -1 for row in rows]),
        "first_in_group": np.array([rows.index((snap, subhalo // 2 * 2)) for snap, subhalo in rows]),
    }
    gadget.write_trees(path, **(columns | changes), last=2, parts=parts)


def links_of(tree):
    names = list(zip(tree.output.tolist(), tree.subhalo.tolist(), strict=True))
    return {name: names[main] if main >= 0 else None for name, main in zip(names, tree.main.tolist(), strict=True)}


@pytest.mark.parametrize("parts", [1, 3])
def test_links_between_outputs(tmp_path, parts):
    write_links(tmp_path, parts=parts)
    tree = read_links(tmp_path)
    assert links_of(tree) == MAIN
    assert tree.group.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1]
    assert tree.central.tolist() == [True, False, True, False, True, False, True, False, True, False, True]
    assert tree.main_branch(0).subhalo.tolist() == [0, 1, 1]
    assert tree.main_branch(1).group.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("name", "parts"), [("trees.hdf5", 1), ("trees.{}.hdf5", 2), ("treedata/trees.{}.hdf5", 3)])
def test_a_finished_tree(tmp_path, name, parts):
    (tmp_path / "treedata").mkdir()
    write_trees(tmp_path / name, parts=parts)
    tree = read_tree_file(tmp_path)
    assert links_of(tree) == MAIN
    assert tree.last == 2
    branch = tree.main_branch(1)  # its subhalo of rank 0 is in the first tree, with the other group
    assert list(zip(branch.output.tolist(), branch.subhalo.tolist(), strict=True)) == [(2, 2), (1, 0), (0, 2)]
    assert branch.central.tolist() == [True, True, True]


def test_the_best_source_is_taken(tmp_path):
    with pytest.raises(DataError, match="cannot be followed without particles"):
        read_tree(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_tree(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"holds no trees\.hdf5"):
        read_tree_file(tmp_path)
    for output in range(2):
        gadget.write_halos(tmp_path, output, [[list(range(40))]])
    assert read_tree(tmp_path).main_branch(0).output.tolist() == [1, 0]  # by particles
    gadget.write_links(tmp_path, 0, [-1], [-1])
    assert read_tree(tmp_path).main_branch(0).output.tolist() == [1]  # by links
    write_trees(tmp_path / "trees.hdf5")
    assert read_tree(tmp_path).main_branch(0).output.tolist() == [2, 1, 0]


@pytest.mark.parametrize("wrong", [4, -2])
def test_links_that_point_nowhere_are_refused(tmp_path, wrong):
    write_links(tmp_path, descendants=[[1, wrong, 0, -1], DESCENDANTS[1]])
    with pytest.raises(DataError, match=rf"points nowhere(.|\n)*DescSubhaloNr {wrong} of subhalo 1 in subhalo_desc_000"):
        read_links(tmp_path)
    write_links(tmp_path, progenitors=[PROGENITORS[0], [2, wrong, 0]])
    with pytest.raises(DataError, match=rf"points nowhere(.|\n)*ProgSubhaloNr {wrong} of subhalo 1 in subhalo_prog_002"):
        read_links(tmp_path)


def test_links_of_another_run_are_refused(tmp_path):
    write_links(tmp_path, descendants=[[1, 1, 0], DESCENDANTS[1]])
    with pytest.raises(DataError, match=r"do not belong together(.|\n)*3 subhalos in subhalo_desc_000"):
        read_links(tmp_path)


def test_a_missing_file_of_links_or_halos_is_named(tmp_path):
    write_links(tmp_path)
    (tmp_path / "subhalo_prog_001.hdf5").unlink()
    with pytest.raises(DataError, match=r"no subhalo_prog of this output\n  got:      1"):
        read_links(tmp_path)
    write_links(tmp_path)
    (tmp_path / "fof_subhalo_tab_001.hdf5").unlink()
    with pytest.raises(DataError, match=r"a catalogue is missing(.|\n)*copy fof_subhalo_tab_001"):
        read_links(tmp_path)


def test_a_truncated_tree_is_refused(tmp_path):
    write_trees(tmp_path / "trees.hdf5")
    whole = (tmp_path / "trees.hdf5").read_bytes()
    (tmp_path / "trees.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_tree(tmp_path)


@pytest.mark.parametrize("target", [8, 11])  # in the next tree, and nowhere
def test_a_tree_that_points_out_of_itself_is_refused(tmp_path, target):
    write_trees(tmp_path / "trees.hdf5", main=np.array([target, 2, -1, -1, -1, 6, 7, -1, 9, -1, -1]))
    with pytest.raises(DataError, match=f"points nowhere(.|\n)*TreeMainProgenitor {target} of halo 0"):
        read_tree(tmp_path)


def test_a_tree_that_points_in_a_loop_is_refused(tmp_path):
    write_trees(tmp_path / "trees.hdf5", main=np.array([1, 0, -1, -1, -1, 6, 7, -1, 9, -1, -1]))
    with pytest.raises(DataError, match=r"points nowhere(.|\n)*subhalo 1 in group 0 of output 1"):
        read_tree(tmp_path)


def test_a_tree_that_contradicts_its_table_is_refused(tmp_path):
    write_trees(tmp_path / "trees.hdf5")
    with h5py.File(tmp_path / "trees.hdf5", "r+") as file:
        file["TreeTable/StartOffset"][1] = 7
    with pytest.raises(DataError, match="contradicts its own table"):
        read_tree(tmp_path)


def test_runs_without_any_halo_are_refused(tmp_path):
    for output in range(2):
        gadget.write_halos(tmp_path, output, [], field=range(50))
    with pytest.raises(DataError, match="no halos at any output"):
        read_tree(tmp_path)
    with pytest.raises(DataError, match="no halos at any output"):
        read_links(tmp_path)
