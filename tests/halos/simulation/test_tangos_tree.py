from __future__ import annotations

import os
import sqlite3
import sys
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from triptych.errors import DataError, MissingExtraError
from triptych.halos.simulation.tangos_tree import read_tangos_tree, write_properties

DATA = Path(os.environ.get("TRIPTYCH_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(name="core", scope="module")
def _core():
    pytest.importorskip("tangos.tools")  # no warnings while it imports: tangos' calls of pyparsing are deprecated
    return pytest.importorskip("tangos").core


@contextmanager
def session_on(core, path):
    core.close_db()
    core.init_db(f"sqlite:///{path}")
    try:
        yield core.get_default_session()
    finally:
        core.close_db()


def fill(core, path, *, halos, links=(), groups=(), phantoms=(), name="run", stem="snapshot_{:03d}.hdf5", times=None):
    """A database made with tangos' own classes.

    Objects are (output, finder number); links (from, to, weight) or, for both directions, (from, to, weight, weight back).
    Groups are {(output, number): numbers of their halos}.
    """
    with session_on(core, path) as session:
        run = core.Simulation(name)
        session.add(run)
        steps, made = {}, {}
        for output in sorted({output for output, _ in [*halos, *phantoms, *groups]}):
            steps[output] = core.TimeStep(run, stem.format(output))
            steps[output].time_gyr = float(output) if times is None else times[output]
            steps[output].redshift = 20.0 - output
            session.add(steps[output])
        for rank, (output, number) in enumerate(halos):
            made[output, number] = core.halo.Halo(steps[output], rank + 1, number, number, 100, 0, 0, 0)
        for output, number in phantoms:
            made[output, number] = core.halo.PhantomHalo(steps[output], 1000 + number, number)
        session.add_all(made.values())
        relation = core.get_or_create_dictionary_item(session, "ptcls_in_common")
        for start, end, *weights in links:
            session.add(core.HaloLink(made[start], made[end], relation, weights[0]))
            if len(weights) == 2:
                session.add(core.HaloLink(made[end], made[start], relation, weights[1]))
        child = core.get_or_create_dictionary_item(session, "child")
        for (output, number), members in dict(groups).items():
            group = core.halo.Group(steps[output], number + 1, number, number, 100, 0, 0)
            session.add(group)
            for member in members:
                session.add(core.HaloLink(group, made[output, member], child, 1.0))
        session.commit()
    return path


def rows(branch):
    return [tuple(map(int, row)) for row in zip(*branch, strict=True)]


def test_the_heaviest_link_leads_to_the_main_progenitor(core, tmp_path):
    halos = [(3, 7), (2, 4), (2, 5), (1, 0)]
    links = [((3, 7), (2, 4), 0.3, 0.9), ((3, 7), (2, 5), 0.6, 0.4), ((2, 5), (1, 0), 0.8, 0.8), ((2, 4), (1, 0), 0.9, 0.2)]
    branch = read_tangos_tree(fill(core, tmp_path / "a.db", halos=halos, links=links)).main_branch(7)
    assert rows(branch) == [(3, -1, 7, 1), (2, -1, 5, 1), (1, -1, 0, 1)]
    assert branch.output.dtype == branch.subhalo.dtype == branch.group.dtype == np.int64
    assert branch.central.dtype == np.bool_


@pytest.mark.parametrize("bridge", [True, False])
def test_a_halo_lost_in_one_output_is_picked_up_in_the_one_before(core, tmp_path, bridge):
    halos = [(4, 1), (3, 2), (3, 9), (2, 9), (1, 5)]
    links = [((4, 1), (3, 2), 0.9, 0.9), ((3, 9), (2, 9), 1.0, 1.0), ((2, 9), (1, 5), 0.3, 0.05)]
    links += [((3, 2), (1, 5), 0.8, 0.9)] * bridge
    tree = read_tangos_tree(fill(core, tmp_path / "a.db", halos=halos, links=links))
    assert rows(tree.main_branch(1)) == [(4, -1, 1, 1), (3, -1, 2, 1), (1, -1, 5, 1)][: 2 + bridge]


def test_a_phantom_is_passed_through(core, tmp_path):
    halos, phantoms = [(3, 1), (1, 5)], [(2, 0)]
    links = [((3, 1), (2, 0), 1.0, 1.0), ((2, 0), (1, 5), 1.0, 1.0)]
    tree = read_tangos_tree(fill(core, tmp_path / "a.db", halos=halos, phantoms=phantoms, links=links))
    assert rows(tree.main_branch(1)) == [(3, -1, 1, 1), (1, -1, 5, 1)]


@pytest.mark.parametrize(("share", "length"), [(0.05, 1), (0.2, 2)])
def test_a_splinter_does_not_inherit(core, tmp_path, share, length):
    links = [((2, 1), (1, 0), 1.0, share), ((2, 0), (1, 0), 1.0, 0.8)]
    tree = read_tangos_tree(fill(core, tmp_path / "a.db", halos=[(2, 0), (2, 1), (1, 0)], links=links))
    assert len(tree.main_branch(1).output) == length
    assert len(tree.main_branch(0).output) == 2


def test_the_branch_of_a_group_is_that_of_its_first_subhalo(core, tmp_path):
    halos = [(2, 0), (2, 1), (2, 2), (1, 0), (1, 1), (1, 2)]
    groups = {(2, 0): [1, 0], (2, 1): [2], (2, 2): [], (1, 0): [0, 1], (1, 1): [2]}
    links = [((2, 0), (1, 1), 0.9, 0.9), ((2, 1), (1, 0), 0.9, 0.9), ((2, 2), (1, 2), 0.9, 0.9)]
    tree = read_tangos_tree(fill(core, tmp_path / "a.db", halos=halos, groups=groups, links=links))
    assert rows(tree.main_branch(0)) == [(2, 0, 0, 1), (1, 1, 0, 0)]  # a satellite before
    assert rows(tree.main_branch(1)) == [(2, 2, 1, 1), (1, 2, 1, 1)]
    with pytest.raises(DataError, match="no halo of output 2 has this group number"):
        tree.main_branch(2)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_trees_as_tangos_follows_them(core, tmp_path, seed):
    rng = np.random.default_rng(seed)
    halos = [(output, number) for output in range(1, 8) for number in range(12)]
    links = []
    for late in range(2, 8):
        for back in (1, 2):
            for number in range(12) if late > back else ():
                progenitors = rng.choice(12, rng.integers(0, 4), replace=False).tolist()
                links += [((late, number), (late - back, p), *rng.uniform(0, 0.5, 2)) for p in progenitors]
    path = fill(core, tmp_path / "a.db", halos=halos, links=links)
    tree = read_tangos_tree(path)
    mine = {number: list(map(tuple, np.column_stack(tree.main_branch(number)[:3:2]))) for number in range(12)}
    with session_on(core, path) as session:
        last = session.query(core.Simulation).one().timesteps[-1]
        for halo in last.halos:
            numbers, times = halo.calculate_for_progenitors("finder_id()", "t()")
            assert mine[halo.finder_id] == list(zip(times.astype(int), numbers, strict=True))
    assert max(map(len, mine.values())) >= 6
    assert any(np.any(np.diff([output for output, _ in branch]) == -2) for branch in mine.values())  # across an output


def test_one_simulation_of_several_and_other_names(core, tmp_path):
    path = tmp_path / "a.db"
    fill(core, path, halos=[(2, 0), (1, 1)], links=[((2, 0), (1, 1), 1.0, 1.0)], name="first")
    fill(core, path, halos=[(128, 0), (96, 2)], links=[((128, 0), (96, 2), 1.0, 1.0)], name="second", stem="h5.{:06d}")
    assert rows(read_tangos_tree(path, "first").main_branch(0)) == [(2, -1, 0, 1), (1, -1, 1, 1)]
    assert rows(read_tangos_tree(path, "second").main_branch(0)) == [(128, -1, 0, 1), (96, -1, 2, 1)]
    with pytest.raises(DataError, match=r"which simulation[^$]*one of first, second"):
        read_tangos_tree(path)
    with pytest.raises(DataError, match="did you mean 'second'"):
        read_tangos_tree(path, "secnd")


def test_bad_databases_are_refused(core, tmp_path):
    with pytest.raises(DataError, match="no tangos database"):
        read_tangos_tree(tmp_path / "absent.db")
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "text.db").write_text("not a database")
    with pytest.raises(DataError, match="no tangos database"):
        read_tangos_tree(tmp_path / "text.db")
    sqlite3.connect(tmp_path / "empty.db").executescript("create table t (x);").close()
    with pytest.raises(DataError, match="none, it is empty"):
        read_tangos_tree(tmp_path / "empty.db")
    with pytest.raises(DataError, match="no output in the database is linked"):
        read_tangos_tree(fill(core, tmp_path / "unlinked.db", halos=[(2, 0), (1, 0)]))
    one = {"halos": [(2, 0), (1, 0)], "links": [((2, 0), (1, 0), 1.0, 1.0)]}
    with pytest.raises(DataError, match=r"know no group[^$]*import-properties child"):
        read_tangos_tree(fill(core, tmp_path / "childless.db", **one, groups={(2, 0): [0], (1, 0): []}))
    with pytest.raises(DataError, match="in the order of time"):
        read_tangos_tree(fill(core, tmp_path / "backwards.db", **one, times={2: 1.0, 1: 2.0}))
    with pytest.raises(DataError, match="in the order of time"):
        read_tangos_tree(fill(core, tmp_path / "unnumbered.db", **one, stem="final"))


def test_what_is_written_is_read_by_tangos(core, tmp_path):
    path = fill(core, tmp_path / "a.db", halos=[(2, 0), (2, 1), (1, 0)], groups={(2, 4): [0], (2, 6): [1]})
    write_properties(path, 2, {4: {"nfw_rs": 181.25, "latent_0": -0.5}, 6: {"nfw_rs": np.float64(40)}})
    write_properties(path, 2, {6: {"nfw_rs": 42.5, "latent_1": 3}}, simulation="run")  # replaces
    write_properties(path, 1, {0: {"nfw_rs": 7.0}})  # no groups there
    with session_on(core, path) as session:
        last, first = (session.query(core.TimeStep).filter_by(time_gyr=time).one() for time in (2.0, 1.0))
        numbers, scales = last.calculate_all("finder_id()", "nfw_rs", object_type="group")
        assert dict(zip(numbers, scales, strict=True)) == {4: 181.25, 6: 42.5}
        assert {group.finder_id: set(group.keys()) - {"child"} for group in last.groups} == {
            4: {"nfw_rs", "latent_0"},
            6: {"nfw_rs", "latent_1"},
        }
        assert last.groups[0].calculate("log10(nfw_rs) + latent_0") == pytest.approx(np.log10(181.25) - 0.5, rel=1e-14)
        assert first.halos[0]["nfw_rs"] == 7.0
        assert session.query(core.HaloProperty).count() == 5


@pytest.mark.parametrize(
    ("output", "properties", "message"),
    [
        (2, {4: {"a": 1.0}, 5: {"a": 2.0}}, r"no such halos[^$]*got: +5\n"),
        (2, {4: {"a": 1.0, "b": np.nan}}, r"not finite[^$]*b = nan of halo 4"),
        (3, {4: {"a": 1.0}}, "no such output"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(core, tmp_path, output, properties, message):
    path = fill(core, tmp_path / "a.db", halos=[(2, 0)], groups={(2, 4): [0]})
    with pytest.raises(DataError, match=message):
        write_properties(path, output, properties)
    with session_on(core, path) as session:
        assert session.query(core.HaloProperty).count() == 0


def test_without_tangos_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tangos", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'triptych\[halos-io\]'"):
        read_tangos_tree("anything")


@pytest.fixture(name="real", scope="module")
def _real(core, tmp_path_factory):
    """Database of a run of GADGET-4, as `tangos add`, `tangos import-properties` and `tangos link` make it; outputs 4 to 8.

    Output 4 has as many subhalos as groups, where pynbody gives what belongs to subhalos to the groups.
    """
    run = DATA / "gadget4-tiny32"
    if not run.is_dir():
        pytest.skip(f"no {run}: set TRIPTYCH_DATA to the folder of the simulations")
    pytest.importorskip("pynbody")
    from tangos import config
    from tangos.input_handlers.pynbody import Gadget4HDFSubfindInputHandler
    from tangos.tools.add_simulation import SimulationAdderUpdater
    from tangos.tools.crosslink import TimeLinker
    from tangos.tools.property_importer import PropertyImporter

    folder = tmp_path_factory.mktemp("tangos")
    (folder / "tiny").mkdir()
    for kind in ("snapshot", "fof_subhalo_tab"):
        for output in range(4, 9):  # the outputs before have no particles, or no groups, on which tangos stops
            name = f"{kind}_{output:03d}.hdf5"
            (folder / "tiny" / name).symlink_to(run / name)
    with pytest.MonkeyPatch.context() as patch, session_on(core, folder / "tiny.db"):
        patch.setattr(config, "base", str(folder))
        adder = SimulationAdderUpdater(Gadget4HDFSubfindInputHandler("tiny"))
        adder.min_halo_particles = 32
        adder.scan_simulation_and_add_all_descendants()
        for tool, options in (
            (PropertyImporter(), Namespace(sims=None, typetag="group", properties=["child"], backwards=False)),
            (TimeLinker(), Namespace(sims=None, backwards=False, type_="halo", force=False, hmax=None, dmonly=False)),
        ):
            tool.process_options(options)
            tool.run_calculation_loop()
    return folder / "tiny.db"


def branches_of_gadget4():
    """Main branches of the first subhalos of all groups of output 8, down to output 4, with particle numbers."""
    with h5py.File(DATA / "gadget4-tiny32" / "trees.hdf5") as file:
        halos = {name: values[:] for name, values in file["TreeHalos"].items()}
        start = dict(zip(file["TreeTable/TreeID"][:], file["TreeTable/StartOffset"][:], strict=True))
    central = halos["TreeFirstHaloInFOFgroup"] == halos["TreeIndex"]
    for row in np.flatnonzero(central & (halos["SnapNum"] == 8)):
        branch, at = [], row
        while at >= 0 and halos["SnapNum"][at] >= 4:
            branch.append(tuple(int(halos[name][at]) for name in ("SnapNum", "SubhaloNr", "GroupNr", "SubhaloLen")))
            main = halos["TreeMainProgenitor"][at]
            at = start[halos["TreeID"][at]] + main if main >= 0 else -1
        yield branch


@pytest.mark.filterwarnings("ignore::UserWarning:pynbody", "ignore::DeprecationWarning:pynbody")
def test_branches_of_a_real_run_are_those_of_gadget4(real):
    tree, compared = read_tangos_tree(real), 0
    for theirs in branches_of_gadget4():
        known = next((k for k, step in enumerate(theirs) if step[3] < 32), len(theirs))  # smaller ones are not in the database
        if known == 0:
            continue
        mine = tree.main_branch(theirs[0][2])
        assert [step[:3] for step in rows(mine)][:known] == [step[:3] for step in theirs[:known]]
        assert len(mine.output) == known
        compared += 1
    assert compared >= 50
