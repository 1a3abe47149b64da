from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triptych.errors import DataError
from triptych.halos.simulation.trees import ProgenitorTree, main_progenitors

# Three outputs: 4 halos, then 3, then 2. Halos 0 and 1 merge into 4; 2 becomes 5, 3 ends; 5 and 6 merge into 8, 4 becomes 7.
OUTPUT = np.array([3, 3, 3, 3, 5, 5, 5, 6, 6])
LENGTH = np.array([30, 40, 20, 25, 70, 50, 60, 90, 110])
DESCENDANT = np.array([4, 4, 5, -1, 7, 8, 8, -1, -1])


def tree(**changes):
    columns = {
        "output": OUTPUT,
        "subhalo": np.array([0, 1, 2, 3, 0, 1, 2, 0, 1]),
        "group": np.array([0, 0, 1, 2, 0, 1, 2, 1, 0]),
        "central": np.array([True, False, True, True, True, True, True, True, True]),
        "main": np.array([-1, -1, -1, -1, 1, 2, -1, 4, 5]),
    }
    return ProgenitorTree(**(columns | changes), last=6, source=Path("run"))


def longest_branch(output, length, descendant):
    """The definition itself, halo by halo: a branch has the particles of its halo and of the heaviest branch that leads to it."""
    branch, main = {}, {}
    for halo in range(len(output)):
        best = max((p for p in range(halo) if descendant[p] == halo), key=lambda p: (branch[p], -p), default=-1)
        main[halo], branch[halo] = best, int(length[halo]) + (branch[best] if best >= 0 else 0)
    return [main[halo] for halo in range(len(output))]


def test_the_branch_with_most_particles_in_its_past_wins_though_it_is_smaller_now():
    # 5 has 50 particles and a past of 20, 6 has 60 and no past.
    assert main_progenitors(OUTPUT, LENGTH, DESCENDANT).tolist() == [-1, -1, -1, -1, 1, 2, -1, 4, 5]


@pytest.mark.parametrize("seed", range(5))
def test_random_trees_agree_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    output = np.sort(rng.integers(0, 7, 200))
    length = rng.integers(20, 24, 200)  # many ties
    descendant = np.full(200, -1)
    for halo in range(200):
        later = np.flatnonzero((output > output[halo]) & (output <= output[halo] + 2))
        if len(later) and rng.random() < 0.9:
            descendant[halo] = rng.choice(later)
    assert main_progenitors(output, length, descendant).tolist() == longest_branch(output, length, descendant)


def test_no_halos_have_no_progenitors():
    nothing = np.empty(0, dtype=np.int64)
    assert len(main_progenitors(nothing, nothing, nothing)) == 0


def test_the_branch_of_a_group_begins_with_its_largest_subhalo():
    branch = tree().main_branch(1)
    assert branch.output.tolist() == [6, 5, 3]
    assert branch.subhalo.tolist() == [0, 0, 1]
    assert branch.group.tolist() == [1, 0, 0]
    assert branch.central.tolist() == [True, True, False]
    assert tree().main_branch(0).output.tolist() == [6, 5, 3]


@pytest.mark.parametrize("halo", [-1, 2, 99])
def test_a_group_that_is_not_there_is_refused(halo):
    with pytest.raises(DataError, match=r"no halo of output 6 has this group number\n  got:      -?\d"):
        tree().main_branch(halo)


@pytest.mark.parametrize(
    ("row", "target", "what"),
    [
        (7, 9, "does not exist"),
        (7, -5, "does not exist"),
        (4, 7, "output 6, which is not earlier"),
        (4, 4, "output 5, which is not"),
    ],
)
def test_a_tree_that_points_nowhere_or_in_a_loop_is_refused(row, target, what):
    main = np.array([-1, -1, -1, -1, 1, 2, -1, 4, 5])
    main[row] = target
    with pytest.raises(DataError, match=f"the tree points nowhere(.|\n)*{what}"):
        tree(main=main)


def test_a_tree_without_halos_is_refused():
    nothing = np.empty(0, dtype=np.int64)
    with pytest.raises(DataError, match="no halos at any output"):
        tree(output=nothing, subhalo=nothing, group=nothing, central=nothing.astype(bool), main=nothing)
