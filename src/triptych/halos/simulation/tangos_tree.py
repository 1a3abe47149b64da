"""Merger trees in a tangos database, and results written back into it.

In: a database that ``tangos add``, ``tangos import-properties child --type group`` and ``tangos link`` filled. Out: the main
branch of any halo; and, written back, what was measured or learnt about each halo, as properties that every user of it sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError, MissingExtraError, did_you_mean
from triptych.halos.simulation.files import PathLike
from triptych.halos.simulation.trees import NONE, ProgenitorTree

MIN_RETURN_WEIGHT = 0.1  # a progenitor gives more than this share of its particles to its descendant; tangos' own threshold
HALO, GROUP, PHANTOM = 0, 2, 4  # tangos' codes of objects; a phantom stands in where the finder lost a halo

_OBJECT = [("id", "i8"), ("number", "i8"), ("kind", "i8")]
_LINK = [("start", "i8"), ("end", "i8"), ("relation", "i8"), ("weight", "f8")]


def read_tangos_tree(database: PathLike, simulation: str | None = None) -> ProgenitorTree:
    """The merger tree of a simulation in a tangos database.

    A halo has the number that its finder gave it (``finder_id``). Where the database holds groups (SUBFIND), its halos are the
    subhalos, and the branch of a group is that of its central subhalo, the first in the group. Where it holds none (AHF,
    Rockstar), its halos are the groups themselves, and the branch has no subhalo numbers.

    The main progenitor has the highest weight among those in the latest earlier output that is linked: a halo that the finder
    lost in one output is picked up in the one before, where a link leads there (``tangos crosslink``; the phantom halos of
    ``tangos patch-trees`` are passed through). It must give more than a tenth of itself to its descendant, so that a splinter
    does not inherit the history of the halo that it came from. tangos' ``calculate_for_progenitors`` follows the same rules.

    Parameters
    ----------
    database : the SQLite file, or the address of a database server (``postgresql+psycopg2://...``).
    simulation : its name in the database; None where there is only one.

    Raises
    ------
    MissingExtraError
        If tangos is not installed.
    DataError
        If there is no such database or simulation; if the names of the outputs do not number them in the order of time; if
        halos know no group, or no output is linked to another.

    Notes
    -----
    Time and memory grow linearly with the numbers of objects and links in the database. tangos has one database open at a time;
    one that was open before is closed.

    Examples
    --------
    >>> tree = read_tangos_tree("tangos_data.db")    # doctest: +SKIP
    >>> tree.main_branch(0).output    # doctest: +SKIP
    array([11, 10,  9,  8,  7,  6,  5,  4])
    """
    with _opened(database) as (core, session):
        steps = _timesteps(core, session, simulation)
        objects = [_objects(core, session, step) for step in steps.values()]
        links = np.concatenate([_links(core, session, step) for step in steps.values()])
        child = core.get_dict_id("child", -1, session=session)
    at = np.concatenate([found["id"] for found in objects])
    size = 1 + max(int(ids.max(initial=0)) for ids in (at, links["start"], links["end"]))
    output, number, kind, group, row = np.full((5, size), NONE)  # of each object in the database
    output[at] = np.repeat(list(steps), [len(found) for found in objects])
    number[at] = np.concatenate([found["number"] for found in objects])
    kind[at] = np.concatenate([found["kind"] for found in objects])
    halos = np.flatnonzero(kind == HALO)
    row[halos] = np.arange(len(halos))
    progenitor = _progenitors(links, output, (kind == HALO) | (kind == PHANTOM))
    while (phantom := (progenitor != NONE) & (kind[progenitor] == PHANTOM)).any():
        progenitor[phantom] = progenitor[progenitor[phantom]]
    grouped = (kind == GROUP).any()
    if grouped:
        members = links[(links["relation"] == child) & (kind[links["start"]] == GROUP)]
        group[members["end"]] = number[members["start"]]
        if (group[halos] == NONE).any():
            raise DataError(
                "halos in the database know no group",
                got=f"{np.count_nonzero(group[halos] == NONE)} of {len(halos)}",
                expected="links named child from each group to its halos",
                fix="tangos import-properties child --type group",
            )
    else:
        group = number
    order = np.lexsort((number[halos], group[halos], output[halos]))
    central = np.zeros(len(halos), dtype=np.bool_)
    places = np.stack([output[halos], group[halos]])[:, order]
    central[order[np.any(np.diff(places, prepend=NONE - 1), axis=0)]] = True
    return ProgenitorTree(
        output=output[halos],
        subhalo=number[halos] if grouped else np.full(len(halos), NONE),
        group=group[halos],
        central=central,
        main=np.where(progenitor[halos] == NONE, NONE, row[progenitor[halos]]),
        last=max(steps),
        source=Path(database),
    )


def write_properties(
    database: PathLike,
    output: int,
    properties: Mapping[int, Mapping[str, float]],
    *,
    simulation: str | None = None,
) -> None:
    """Write numbers about halos into a tangos database: fits, latents, whatever else belongs to one halo.

    They belong to the groups where the database has groups, else to the halos, and replace older ones of the same name. tangos
    reads them as any other property: ``timestep.calculate_all("finder_id()", "nfw_rs", object_type="group")``.

    Parameters
    ----------
    database, simulation : as for :func:`read_tangos_tree`.
    output : the number of the output.
    properties : for each FOF group number, the values by name.

    Raises
    ------
    MissingExtraError
        If tangos is not installed.
    DataError
        If there is no such database, simulation, output or halo, or a value is not finite; nothing is written then.

    Notes
    -----
    Time and memory grow linearly with the number of values, which are written in one transaction.

    Examples
    --------
    >>> write_properties("tangos_data.db", 11, {0: {"nfw_rs": 181.3, "latent_0": -0.52}})    # doctest: +SKIP
    """
    with _opened(database) as (core, session):
        steps = _timesteps(core, session, simulation)
        if output not in steps:
            raise DataError("the database has no such output", got=output, expected=f"one of {', '.join(map(str, steps))}")
        step = steps[output]
        halos = {halo.finder_id: halo for halo in step.groups} or {halo.finder_id: halo for halo in step.halos}
        _refuse_what_cannot_be_written(properties, halos)
        core.creator.get_creator(session)  # who writes; commits
        for name in sorted({name for values in properties.values() for name in values}):
            item = core.get_or_create_dictionary_item(session, name)
            session.flush()
            known = session.query(core.HaloProperty).join(core.HaloProperty.halo)
            known = known.filter(core.SimulationObjectBase.timestep_id == step.id, core.HaloProperty.name_id == item.id)
            old = {found.halo_id: found for found in known if not found.deprecated}
            for number, values in properties.items():
                if name not in values:
                    continue
                halo = halos[number]
                if halo.id in old:
                    old[halo.id].data = float(values[name])
                    old[halo.id].creator = core.creator.get_creator(session)
                else:
                    session.add(core.HaloProperty(halo, item, float(values[name])))
        session.commit()


def _refuse_what_cannot_be_written(properties: Mapping[int, Mapping[str, float]], halos: Mapping[int, object]) -> None:
    unknown = sorted(set(properties) - set(halos))
    if unknown:
        raise DataError(
            "the database has no such halos at this output",
            got=", ".join(map(str, unknown[:10])),
            expected=f"some of its {len(halos)} numbers, {min(halos, default=0)} to {max(halos, default=0)}",
            fix="tangos add with a smaller --min-particles takes in smaller halos",
        )
    for number, values in properties.items():
        for name, value in values.items():
            if not np.isfinite(value):
                raise DataError(
                    "a property is not finite",
                    got=f"{name} = {value} of halo {number}",
                    expected="a number: a database has no room for others",
                    fix="leave failed fits out",
                )


@contextmanager
def _opened(database: PathLike) -> Iterator[tuple[Any, Any]]:
    """The core of tangos and its session on the database."""
    try:
        from tangos import core
    except ImportError as error:
        raise MissingExtraError("tangos is not installed", got=str(error), fix="pip install 'triptych[halos-io]'") from error
    address = str(database)
    if "://" not in address:
        path = Path(database).resolve()
        if not (path.is_file() and _starts_as_sqlite(path)):
            raise DataError(
                "no tangos database",
                got=address,
                expected="an SQLite file, or the address of a database server",
                fix="make one with tangos add",
            )
        address = f"sqlite:///{path}"
    core.close_db()
    try:
        core.init_db(address)
        yield core, core.get_default_session()
    finally:
        core.close_db()


def _starts_as_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3"


def _timesteps(core: Any, session: Any, simulation: str | None) -> dict[int, Any]:
    """The timesteps of a simulation by the numbers of the outputs, latest first."""
    found = {run.basename: run for run in session.query(core.Simulation)}
    name = next(iter(found)) if simulation is None and len(found) == 1 else simulation
    if name not in found:
        raise DataError(
            "which simulation of the database?" if simulation is None else "the database has no such simulation",
            got=simulation,
            expected=f"one of {', '.join(sorted(found)) or 'none, it is empty'}",
            fix=did_you_mean(simulation or "", sorted(found)),
        )
    steps = sorted(found[name].timesteps, key=lambda step: -step.time_gyr)
    digits = [re.findall(r"\d+", step.extension.removesuffix(".hdf5")) for step in steps]
    numbers = [int(runs[-1]) if runs else -1 for runs in digits]
    if not numbers or min(numbers) < 0 or any(late <= early for late, early in pairwise(numbers)):
        raise DataError(
            "the names of the outputs do not number them in the order of time",
            got=", ".join(step.extension for step in steps) or "no output",
            expected="names such as snapshot_011.hdf5",
            fix="look at the timesteps of the simulation with tangos list-simulations",
        )
    return dict(zip(numbers, steps, strict=True))


def _objects(core: Any, session: Any, step: Any) -> NDArray[np.void]:
    """Halos, groups and phantoms at one output."""
    this = core.SimulationObjectBase
    query = session.query(this.id, this.finder_id, this.object_typecode)
    query = query.filter(this.timestep_id == step.id, this.object_typecode.in_([HALO, GROUP, PHANTOM]))
    return _table(query, _OBJECT)


def _links(core: Any, session: Any, step: Any) -> NDArray[np.void]:
    """All links that start at one output."""
    link = core.HaloLink
    query = session.query(link.halo_from_id, link.halo_to_id, link.relation_id, link.weight)
    return _table(query.join(link.halo_from).filter(core.SimulationObjectBase.timestep_id == step.id), _LINK)


def _table(rows: Iterable[Any], columns: list[tuple[str, str]]) -> NDArray[np.void]:
    return np.fromiter((tuple(row) for row in rows), dtype=columns)


def _progenitors(links: NDArray[np.void], output: NDArray[np.int64], halo: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each object the main progenitor, -1 where there is none; `output` and `halo` tell of each object when and whether."""
    links = links[halo[links["start"]] & halo[links["end"]]]
    size = len(output)
    when = output[links["end"]] - output[links["start"]]
    if not (when != 0).any():
        raise DataError("no output in the database is linked to another", fix="run tangos link")
    down, up = links[when > 0], links[when < 0]  # down the stream of time, and up
    given = down[down["weight"] > MIN_RETURN_WEIGHT]
    up = up[np.isin(up["start"] * size + up["end"], given["end"] * size + given["start"])]
    order = np.lexsort((-up["weight"], -output[up["end"]], up["start"]))
    starts, first = np.unique(up["start"][order], return_index=True)
    progenitor = np.full(size, NONE)
    progenitor[starts] = up["end"][order][first]
    return progenitor
