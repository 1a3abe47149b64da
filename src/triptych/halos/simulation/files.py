"""Where the files of an output lie.

In: what the user names: a file, or the folder of a run with the number of an output. Out: the paths of all parts of that
output, in order; or an error that names what lies there instead.
"""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from triptych.errors import DataError, did_you_mean

Kind = Literal["snapshot", "fof_subhalo_tab", "subhalo_desc", "subhalo_prog"]
PathLike = str | os.PathLike[str]

FOLDER: dict[Kind, str] = {
    "snapshot": "snapdir",
    "fof_subhalo_tab": "groups",
    "subhalo_desc": "groups",
    "subhalo_prog": "groups",
}
_NUMBER = re.compile(r"_(\d+)(?:\.\d+)?\.hdf5$")
_PART = re.compile(r"\.\d+\.hdf5$")


def locate(path: PathLike, kind: Kind, output: int | None = None) -> Path:
    """The (first) file of an output of GADGET-4.

    Parameters
    ----------
    path : a file, which is returned as it is; or the folder of a run, where ``{kind}_NNN.hdf5``, ``{kind}_NNN.0.hdf5`` and the
        same in ``snapdir_NNN/`` or ``groups_NNN/`` are looked for.
    output : the number NNN in a folder; None takes the last one.

    Raises
    ------
    DataError
        If the path does not exist, the folder holds no such file, or not the output asked for.
    """
    here = Path(path)
    if here.is_file():
        return here
    if not here.is_dir():
        near = get_close_matches(here.name, [entry.name for entry in here.parent.iterdir()] if here.parent.is_dir() else [], n=1)
        raise DataError(
            "no such file or folder",
            got=here,
            expected="a snapshot file of GADGET-4 (HDF5), or the folder of a run",
            fix=did_you_mean(here.name, near) if near else f"look into {_nearest(here)}",
        )
    found = outputs(here, kind)
    if not found:
        raise DataError(
            f"the folder holds no {kind} file",
            got=here,
            expected=f"{kind}_NNN.hdf5, {kind}_NNN.k.hdf5 or {FOLDER[kind]}_NNN/{kind}_NNN.k.hdf5",
            fix="name the folder that GADGET-4 wrote its output to",
        )
    number = max(found) if output is None else output
    if number not in found:
        have = ", ".join(str(known) for known in sorted(found))
        raise DataError(
            f"the folder holds no {kind} of this output", got=number, expected=f"one of {have}", fix=f"look into {here}"
        )
    return found[number]


def _nearest(path: Path) -> Path:
    """The innermost folder on the way to `path` that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def outputs(folder: Path, kind: Kind) -> dict[int, Path]:
    """Number and first file of each output of a run in `folder`."""
    candidates = [*folder.glob(f"{kind}_*.hdf5"), *folder.glob(f"{FOLDER[kind]}_*/{kind}_*.hdf5")]
    single_or_first = re.compile(rf"^{kind}_(\d+)(?:\.0)?\.hdf5$")
    matches = ((single_or_first.match(path.name), path) for path in candidates)
    return {int(match[1]): path for match, path in matches if match}


def tree_file(folder: Path) -> Path | None:
    """The (first) file of the merger trees of the run in `folder`; None where there is none."""
    places = ("trees.hdf5", "trees.0.hdf5", "treedata/trees.0.hdf5")
    return next((folder / place for place in places if (folder / place).is_file()), None)


def run_folder(path: PathLike) -> Path:
    """The folder of a run.

    Raises
    ------
    DataError
        If it is not a folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError("no such folder", got=folder, expected="the folder of a run of GADGET-4", fix="name the output folder")
    return folder


def parts(first: Path, count: int) -> tuple[Path, ...]:
    """All `count` files of an output, given any one of them.

    Raises
    ------
    DataError
        If a part is missing.
    """
    if count == 1:
        return (first,)
    paths = tuple(first.with_name(_PART.sub(f".{k}.hdf5", first.name)) for k in range(count))
    missing = [path.name for path in paths if not path.is_file()]
    if missing or len(set(paths)) < count:
        raise DataError(
            "parts of a file are missing",
            got=f"no {', '.join(missing) or first.name}",
            expected=f"{count} parts, as the header of {first.name} says",
            fix=f"copy all parts into {first.parent}",
        )
    return paths


def parts_present(first: Path) -> list[Path]:
    """The files on disk that belong to the same output as `first`."""
    if not _PART.search(first.name):
        return [first]
    return sorted(path for path in first.parent.glob(_PART.sub(".*.hdf5", first.name)) if _PART.search(path.name))


def catalogue_beside(snapshot: Path) -> Path:
    """The catalogue that GADGET-4 wrote together with a snapshot.

    Raises
    ------
    DataError
        If the snapshot's name carries no output number, or there is no catalogue of that number.
    """
    number = _NUMBER.search(snapshot.name)
    if number is None:
        raise DataError(
            "the name of the snapshot does not tell its output number",
            got=snapshot.name,
            expected="a name such as snapshot_023.hdf5",
            fix="read the catalogue with read_catalogue() and hand it over",
        )
    folder = snapshot.parent
    run = folder.parent if folder.name.startswith(f"{FOLDER['snapshot']}_") else folder
    return locate(run, "fof_subhalo_tab", int(number[1]))
