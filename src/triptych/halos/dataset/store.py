"""The store of a data set: Zarr version 3, written block by block and read by anything that knows Zarr.

In: the description of a data set and its columns, then blocks of halos. Out: a folder with one array of boxes, one array for each
column, and the description as attributes; dimensions are named and units given, so that ``xarray.open_zarr`` reads it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from numpy.typing import ArrayLike, NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from triptych.errors import ConfigError, DataError
from triptych.halos.dataset.columns import HALO, REQUIRED, Attributes, BoxSpec, Variable
from triptych.halos.dataset.selection import SPLITS, Split, blocks
from triptych.halos.simulation.files import PathLike

FORMAT, VERSION = "triptych-halos", 1
CHUNK_BYTES, SHARD_BYTES = 2**20, 96 * 2**20  # of boxes, before compression: a chunk is read at once, a shard is one file
COLUMN_CHUNK = 1024  # halos
SEALS = {  # columns that the store itself writes
    "box_digest": Variable(dims=(HALO,), dtype="u8", about="first 8 bytes of the SHA-256 of the boxes"),
    "complete": Variable(dims=(HALO,), dtype="bool", about="the halo is written"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A data set that is being written: made by :func:`create`.

    Attributes
    ----------
    group : the root of the Zarr hierarchy.
    halos : number of rows.
    block : halos that are written at a time; one shard of the boxes.
    variables : the columns that :meth:`write` wants.
    """

    group: zarr.Group
    halos: int
    block: int
    variables: Mapping[str, Variable]

    def pending(self) -> list[slice]:
        """The blocks that are not complete: all at first, fewer after a run that was killed."""
        done = np.asarray(_array(self.group, "complete")[:])
        return [rows for rows in blocks(self.halos, self.block) if not done[rows].all()]

    def write(self, rows: slice, *, boxes: NDArray[np.floating[Any]], **columns: ArrayLike) -> None:
        """Write one block of halos, and mark it complete once all of it is on disk.

        Parameters
        ----------
        rows : from :meth:`pending`.
        boxes : (row, level, n, n, n), log10(1 + rho/rho_m).
        columns : (row, ...) for each declared column; names with a slash by ``**{"history/mass": ...}``.

        Raises
        ------
        DataError
            If a column is missing, unknown or of the wrong shape, the boxes are not finite, or the disk is full.

        Notes
        -----
        Time grows with the boxes; some 0.1 s for 64 MB. Memory: two to three times a block.
        """
        wanted, given = set(self.variables), set(columns)
        if wanted != given:
            raise DataError(
                "the columns are not those of the data set",
                got=f"missing {sorted(wanted - given) or 'none'}, unknown {sorted(given - wanted) or 'none'}",
                expected=", ".join(sorted(wanted)),
            )
        target = _array(self.group, "boxes")
        stored = np.ascontiguousarray(boxes, dtype=target.dtype)
        values: dict[str, NDArray[Any]] = {name: np.asarray(columns[name]) for name in self.variables}
        values["box_digest"] = np.array([_digest(box) for box in stored], dtype=np.uint64)
        for name, array in {"boxes": stored, **values}.items():
            expected = (rows.stop - rows.start, *_array(self.group, name).shape[1:])
            if array.shape != expected:
                raise DataError(f"{name} has the wrong shape", got=array.shape, expected=str(expected))
        if not np.isfinite(stored).all():
            raise DataError(
                "boxes that are not finite",
                got=f"{int((~np.isfinite(stored)).sum())} voxels of {stored.size}",
                expected=f"log10(1 + rho/rho_m) that {stored.dtype} can hold",
            )
        try:
            _array(self.group, "complete")[rows] = False
            target[rows] = stored
            for name, array in values.items():
                _array(self.group, name)[rows] = array
            _array(self.group, "complete")[rows] = True
        except OSError as error:
            raise DataError(
                "the data set cannot be written",
                got=error.strerror or error,
                fix="make room; finished blocks are kept, and the same command resumes",
            ) from error


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set that is complete: made by :func:`open_dataset`.

    Attributes
    ----------
    path : its folder.
    attributes : what is true of all of it.
    box : the form of the boxes.
    group : the root of the Zarr hierarchy.
    """

    path: Path
    attributes: Attributes
    box: BoxSpec
    group: zarr.Group

    @property
    def boxes(self) -> zarr.Array[Any]:
        """The Zarr array (halo, level, n, n, n) of log10(1 + rho/rho_m); nothing is read yet."""
        return _array(self.group, "boxes")

    def read(self, rows: ArrayLike) -> NDArray[np.floating[Any]]:
        """The boxes (row, level, n, n, n) of some halos, checked.

        Raises
        ------
        DataError
            If a byte of them has changed since they were written, or a file is gone.
        """
        chosen = np.asarray(rows, dtype=np.intp)
        neighbours = len(chosen) > 0 and bool((np.diff(chosen) == 1).all())  # a slice is fifty times faster, and small in memory
        with _checked(self.path):
            boxes = np.asarray(self.boxes[chosen[0] : chosen[-1] + 1] if neighbours else self.boxes.oindex[chosen])
        if np.isnan(boxes).any():
            raise _damaged(self.path, f"no boxes of the halos in rows {chosen[np.isnan(boxes).any(axis=(1, 2, 3, 4))][:5]}")
        return boxes

    @cached_property
    def table(self) -> xr.Dataset:
        """Everything but the boxes, in memory: about 10 kB a halo."""
        names = self.group.attrs["arrays"]
        return xr.Dataset({name: self._variable(str(name)) for name in names if name not in {"boxes", "complete"}})  # type: ignore[union-attr]

    def rows(self, split: Split) -> NDArray[np.intp]:
        """The rows of the halos that train, validate or test."""
        return np.flatnonzero(self.table["split"].to_numpy() == SPLITS.index(split))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the description, all columns, and the digests of all boxes: the identity of the data set."""
        digest = hashlib.sha256(json.dumps(dict(self.group.attrs), sort_keys=True).encode())
        for name in sorted(map(str, self.table)):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.table[name].to_numpy()).tobytes())
        return digest.hexdigest()

    def _variable(self, name: str) -> xr.Variable:
        array = _array(self.group, name)
        if array.nchunks_initialized < array.nchunks:
            raise _damaged(self.path, f"{array.nchunks - array.nchunks_initialized} files of {name} are gone")
        with _checked(self.path):
            values = np.asarray(array[...])
        return xr.Variable(array.metadata.dimension_names, values, attrs=dict(array.attrs))  # type: ignore[union-attr]


def create(
    path: Path,
    *,
    attributes: Attributes,
    variables: Mapping[str, Variable],
    box: BoxSpec,
    halos: int,
    block: int | None = None,
) -> Store:
    """Begin a data set, or go on with one of the same description that was interrupted.

    Parameters
    ----------
    path : folder of the store; customarily ``NAME.zarr``.
    attributes : the description.
    variables : arrays by name, of :func:`halo_columns`, :func:`history_columns` and more; a slash makes a Zarr group, as in
        ``truth/formation``.
    box : form of the boxes.
    halos : number of rows.
    block : halos that are written at a time, at most; None takes as many as a shard of 96 MiB holds.

    Raises
    ------
    DataError
        If `path` holds something else.
    ConfigError
        If there is no halo, or a required column is not declared.

    Examples
    --------
    See :mod:`triptych.halos.dataset`.
    """
    missing = [name for name in REQUIRED if name not in variables]
    if halos < 1 or missing:
        raise ConfigError(
            "a data set that cannot be", got=f"{halos} halos, without {missing or 'nothing'}", expected=f"halos and {REQUIRED}"
        )
    chunk = min(max(CHUNK_BYTES // box.bytes, 1), block or halos, halos)
    shard = max(min(SHARD_BYTES // (chunk * box.bytes), -(-min(block or halos, halos) // chunk)), 1) * chunk
    description = {
        "format": FORMAT,
        "version": VERSION,
        **attributes.to_json(),
        "box": asdict(box),
        "halos": halos,
        "arrays": sorted([*variables, *SEALS, "boxes"]),
    }
    description = json.loads(json.dumps(description, allow_nan=False))
    columns = {name: one for name, one in variables.items() if one.values is None}
    if path.exists() and any(path.iterdir()):
        return _resume(path, description, columns)
    started = path.with_name(f".{path.name}.started")
    shutil.rmtree(started, ignore_errors=True)
    group = zarr.create_group(started, attributes=description)
    group.create_array(
        "boxes",
        shape=(halos, *box.shape),
        dtype=box.dtype,
        chunks=(chunk, *box.shape),
        shards=(shard, *box.shape),
        compressors=[BloscCodec(typesize=np.dtype(box.dtype).itemsize, cname="zstd", clevel=3), Crc32cCodec()],
        fill_value=np.nan,
        dimension_names=(HALO, "level", "x", "y", "z"),
        attributes={"units": "1", "long_name": "log10(1 + rho/rho_m)"},
    )
    for name, variable in {**variables, **SEALS}.items():
        _create_array(group, name, variable, halos)
    started.replace(path)
    return Store(group=zarr.open_group(path, mode="r+"), halos=halos, block=shard, variables=columns)


def _create_array(group: zarr.Group, name: str, variable: Variable, halos: int) -> None:
    shape = variable.shape if variable.values is not None else (halos, *variable.shape)
    chunks = tuple(min(size, COLUMN_CHUNK) if dim == HALO else size for dim, size in zip(variable.dims, shape, strict=True))
    attributes: dict[str, Any] = {"units": variable.units, "long_name": variable.about}
    if variable.flags:
        attributes |= {"flag_values": list(range(len(variable.flags))), "flag_meanings": " ".join(variable.flags)}
    group.create_array(
        name,
        shape=shape,
        dtype=variable.dtype,
        chunks=chunks,
        compressors=[BloscCodec(typesize=np.dtype(variable.dtype).itemsize, cname="zstd", clevel=3), Crc32cCodec()],
        fill_value=np.nan if np.dtype(variable.dtype).kind == "f" else 0,
        dimension_names=variable.dims,
        attributes={key: value for key, value in attributes.items() if value},
    )
    if variable.values is not None:
        _array(group, name)[...] = variable.values


def _resume(path: Path, description: Mapping[str, Any], columns: Mapping[str, Variable]) -> Store:
    """The interrupted store in `path`, if it is of that description."""
    group = _open(path, mode="r+")
    found: dict[str, Any] = dict(group.attrs)
    other = sorted(key for key in {*found, *description} if found.get(key) != description.get(key))
    if other:
        raise DataError(
            "the folder holds another data set",
            got=f"{path}, which differs in {', '.join(other)}",
            expected="the same description, to go on with it",
            fix="give another folder, or delete this one",
        )
    shards = _array(group, "boxes").shards
    return Store(group=group, halos=found["halos"], block=shards[0], variables=columns)  # type: ignore[index]


def store_folder(path: PathLike) -> Path:
    """The folder of the store itself: `path`, or the one ``*.zarr`` in the run directory `path`."""
    here = Path(path)
    inside = sorted(here.glob("*.zarr"))
    return inside[0] if len(inside) == 1 and not (here / "zarr.json").exists() else here


def open_dataset(path: PathLike) -> DataSet:
    """Open a data set for reading.

    Parameters
    ----------
    path : the folder of the store, or the run directory that holds it.

    Raises
    ------
    DataError
        If it is no data set, was written by a newer version, lacks an array, or is not finished.

    Examples
    --------
    See :mod:`triptych.halos.dataset`.
    """
    where = store_folder(path)
    group = _open(where, mode="r")
    attributes: dict[str, Any] = dict(group.attrs)
    if attributes.get("format") != FORMAT:
        raise DataError("this is no data set of halos", got=where, expected="a folder that triptych halos build or mock wrote")
    if attributes["version"] > VERSION:
        raise DataError(
            "the data set was written by a newer Triptych",
            got=f"format version {attributes['version']}",
            expected=f"at most {VERSION}",
            fix="update Triptych",
        )
    gone = [name for name in attributes["arrays"] if name not in group]
    if gone:
        raise DataError("arrays of the data set are missing", got=", ".join(map(str, gone)), fix=f"copy {where} again")
    done = np.asarray(_array(group, "complete")[:])
    if not done.all():
        raise DataError(
            "the data set is not finished",
            got=f"{int(done.sum())} of {len(done)} halos in {where}",
            fix="run the command that made it again: it goes on where it stopped",
        )
    box = attributes.pop("box")
    rest = {key: value for key, value in attributes.items() if key not in {"format", "version", "halos", "arrays"}}
    return DataSet(
        path=where,
        attributes=Attributes.from_json(rest),
        box=BoxSpec(**{**box, "sides": tuple(box["sides"])}),
        group=group,
    )


def _open(path: Path, mode: Literal["r", "r+"]) -> zarr.Group:
    try:
        return zarr.open_group(path, mode=mode, zarr_format=3, use_consolidated=False)
    except (FileNotFoundError, ValueError) as error:
        raise DataError("this is no Zarr store", got=f"{path}: {error}", expected="the folder of a data set") from None


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise DataError("an array of the data set is damaged", got=name, fix="build the data set again")
    return found.with_config({"write_empty_chunks": True})  # so that a file that is not there is a file that was lost


def _digest(box: NDArray[np.floating[Any]]) -> int:
    return int.from_bytes(hashlib.sha256(box.tobytes()).digest()[:8], "big")


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    """Say in the user's words what a checksum, or a file that is cut short, tells."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        "the data set is damaged",
        got=f"{path}: {what}",
        expected="what was written: every chunk carries a CRC-32C",
        fix="copy it again, or delete it and build it again",
    )
