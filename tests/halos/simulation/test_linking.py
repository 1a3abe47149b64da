from __future__ import annotations

from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.halos import gadget
from tests.halos.simulation.test_trees import longest_branch
from triptych.errors import DataError
from triptych.halos.simulation.linking import link_particles

# IDs of 64 bits that floating point cannot tell apart.
NAMES = np.random.default_rng(3).permutation(2**63 + np.arange(400, dtype=np.uint64)).tolist()
A, B, C, D, E = (NAMES[80 * k : 80 * (k + 1)] for k in range(5))


def branch(tree, halo):
    found = tree.main_branch(halo)
    return dict(zip(found.output.tolist(), found.subhalo.tolist(), strict=True))


def write(folder, outputs, **options):
    """`outputs` maps the number of an output to its groups of subhalos."""
    everything = [*A, *B, *C, *D, *E]
    for output, groups in outputs.items():
        inside = {particle for group in groups for subhalo in group for particle in subhalo}
        gadget.write_halos(folder, output, groups, field=[name for name in everything if name not in inside], **options)


def descent(run, bound_first):
    """The definition itself, particle by particle: rows of all halos, and the descendant of each."""
    outputs = sorted(run)
    halos = [(step, set(halo), halo) for step, output in enumerate(outputs) for halo in run[output]]

    def best(row, step):
        mine = halos[row][2]
        score = Counter()
        for rank, particle in enumerate(mine, 1):
            for other, (when, content, _) in enumerate(halos):
                if when == step and particle in content:
                    score[other] += 1 / rank if bound_first else 1
        return max(score, key=lambda other: (score[other], -other), default=-1)

    descendant = []
    for row, (step, _, _) in enumerate(halos):
        following, after = best(row, step + 1), best(row, step + 2)
        through = best(following, step + 2) if following >= 0 else -1
        descendant.append(after if after not in (-1, through) else following)
    return np.array([outputs[step] for step, _, _ in halos]), np.array([len(halo) for _, _, halo in halos]), np.array(descendant)


@pytest.mark.parametrize("parts", [1, 2])
def test_two_halos_merge_and_their_order_changes(tmp_path, parts):
    write(tmp_path, {0: [[A[:60]], [B[:30]]], 1: [[B], [A[:70]]], 3: [[A + B, C[:20]]]}, parts=parts)
    tree = link_particles(tmp_path)
    assert branch(tree, 0) == {3: 0, 1: 1, 0: 0}  # A: 70 + 60 particles against 80 + 30
    assert tree.central.tolist() == [True, True, True, True, True, False]
    assert tree.group.tolist() == [0, 1, 0, 1, 0, 0]


def test_the_most_bound_particles_decide(tmp_path):
    # B loses three quarters of its particles to A, but its core survives.
    write(tmp_path, {0: [[A], [B]], 1: [[A + B[20:]], [B[:20]]]})
    assert branch(link_particles(tmp_path), 1) == {1: 1, 0: 1}


def test_without_subhalos_the_larger_share_decides(tmp_path):
    write(tmp_path, {0: [[A], [B]], 1: [[A[:70] + B[20:]], [B[:20]]]}, subhalos=False)
    tree = link_particles(tmp_path)
    found = tree.main_branch(0)
    assert (found.output.tolist(), found.group.tolist(), found.subhalo.tolist()) == ([1, 0], [0, 0], [-1, -1])
    assert found.central.all()
    assert tree.main_branch(1).output.tolist() == [1]


def test_a_halo_lost_at_one_output_keeps_its_branch(tmp_path):
    write(tmp_path, {0: [[A], [C]], 1: [[A], [C]], 2: [[A + C]], 3: [[C], [A]], 4: [[A], [C]]})
    tree = link_particles(tmp_path)
    assert branch(tree, 1) == {4: 1, 3: 0, 1: 1, 0: 1}
    assert branch(tree, 0) == {4: 0, 3: 1, 2: 0, 1: 0, 0: 0}


def test_a_halo_that_dissolved_at_one_output_keeps_its_branch(tmp_path):
    write(tmp_path, {0: [[A], [C]], 1: [[A]], 2: [[A], [C]]})
    assert branch(link_particles(tmp_path), 1) == {2: 1, 0: 1}


def test_a_branch_begins_late_and_an_output_without_halos_is_passed(tmp_path):
    write(tmp_path, {0: [], 1: [], 2: [[A]], 3: [[A], [D]], 4: [[A], [D]]})
    tree = link_particles(tmp_path)
    assert branch(tree, 0) == {4: 0, 3: 0, 2: 0}
    assert branch(tree, 1) == {4: 1, 3: 1}


def test_a_halo_across_the_edge_and_unbound_particles(tmp_path):
    places = {name: np.array([999.5 if k % 2 else 0.5, 500.0, 500.0]) for k, name in enumerate([*A, *B, *C, *D, *E])}
    write(tmp_path, {0: [[A[:50], tuple(E[:30])], [B]], 1: [[A[:60], B[:30], tuple(E)]]}, positions=places)
    tree = link_particles(tmp_path)
    assert branch(tree, 0) == {1: 0, 0: 0}
    assert tree.main.tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize("subhalos", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_random_halos_agree_with_the_definition(tmp_path, seed, subhalos):
    rng = np.random.default_rng(seed)
    home = rng.integers(0, 8, 400)  # which halo each particle is in; 7: none
    run = {}
    for output in (1, 2, 4, 5, 7):
        moved = rng.random(400) < 0.25
        home = np.where(moved, rng.integers(0, 8, 400), home)
        lost = rng.integers(0, 7)
        halos = [[NAMES[i] for i in rng.permutation(np.flatnonzero(home == halo))] for halo in rng.permutation(7) if halo != lost]
        run[output] = halos
        write(tmp_path, {output: [[halo] for halo in halos]}, subhalos=subhalos)
    tree = link_particles(tmp_path)
    assert tree.main.tolist() == longest_branch(*descent(run, bound_first=subhalos))
    assert (np.diff(tree.output) >= 0).all() and len(set(tree.main.tolist())) > 10


def test_outputs_without_particles_are_passed_over(tmp_path):
    write(tmp_path, {0: [[A]], 1: [[A]], 2: [[A]]})
    (tmp_path / "snapshot_001.hdf5").unlink()
    assert branch(link_particles(tmp_path), 0) == {2: 0, 0: 0}
    (tmp_path / "snapshot_002.hdf5").unlink()
    with pytest.raises(DataError, match=r"without particles(.|\n)*snapshots of outputs \[0\], catalogues of \[0, 1, 2\]"):
        link_particles(tmp_path)


def test_snapshots_without_ids_are_refused(tmp_path):
    write(tmp_path, {0: [[A]], 1: [[A]]}, ids=False)
    with pytest.raises(DataError, match="PartType1 has no ParticleIDs"):
        link_particles(tmp_path)


def test_ids_that_stand_twice_are_refused(tmp_path):
    write(tmp_path, {0: [[A], [[*B, A[3]]]], 1: [[A], [B]]})
    with pytest.raises(DataError, match=f"same ID\n  got:      {A[3]}, and 0 more"):
        link_particles(tmp_path)


def test_snapshots_of_other_particles_are_refused(tmp_path):
    write(tmp_path, {0: [[A]]})
    gadget.write_halos(tmp_path, 1, [[list(range(1, 80))]], field=range(80, 401))
    with pytest.raises(DataError, match="outputs 0 and 1 share no particle"):
        link_particles(tmp_path)


def test_a_catalogue_of_another_snapshot_is_refused(tmp_path):
    write(tmp_path, {0: [[A]], 1: [[A], [B]]})
    with h5py.File(tmp_path / "fof_subhalo_tab_001.hdf5", "r+") as file:
        file["Subhalo/SubhaloOffsetType"][1, 1] = 350
    with pytest.raises(DataError, match=r"particles that the snapshot lacks\n  got:      particles 0 to 429"):
        link_particles(tmp_path)


def test_a_particle_type_that_is_not_there_is_refused(tmp_path):
    write(tmp_path, {0: [[A]], 1: [[A]]})
    with pytest.raises(DataError, match="does not hold the particles"):
        link_particles(tmp_path, type=4)
    with pytest.raises(DataError, match="knows no such particle type"):
        link_particles(tmp_path, type=6)


def test_a_truncated_snapshot_is_refused(tmp_path):
    write(tmp_path, {0: [[A]], 1: [[A]]})
    path = Path(tmp_path / "snapshot_000.hdf5")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated or damaged"):
        link_particles(tmp_path)
