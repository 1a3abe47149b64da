"""Tables of samples, and estimates, in files.

In: a table as CSV or netCDF; an estimate. Out: the columns asked for; the estimate as netCDF and back.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import DataError, did_you_mean
from triptych.information.mixture import Mixture
from triptych.statistics import Estimate

if TYPE_CHECKING:
    from triptych.information.estimate import MutualInformation

Floats = NDArray[np.float64]

SEPARATORS = ",;\t"
MISSING = ("", "nan", "na", "n/a", "null", "none")  # how a text says that it has no number
ESTIMATES = ("estimate", "cross_check")
ARRAYS = {"scores": ("number",), "resampled": ("bootstrap",), "values": ("axis", "point")}
PLAIN = ("p_value", "margins", "unit", "samples")


def read_columns(path: Path, names: tuple[str, ...], *, missing: Literal["refuse", "drop"] = "refuse") -> dict[str, Floats]:
    """Columns (sample,) of a table, by name.

    Parameters
    ----------
    path : a netCDF-4 file (its name ends in ``.nc``) with 1-D variables of one dimension, or a text whose first line names the
        columns, with commas, semicolons or tabs between them; lines that begin with ``#`` are left out.
    names : which columns.
    missing : refuse a table in which one of these columns lacks values, or drop the rows.

    Raises
    ------
    DataError
        If the file cannot be read, a column is not there, holds something else than numbers, or lacks values.
    """
    found = (_from_netcdf if path.suffix == ".nc" else _from_text)(path, names)
    rows = len(next(iter(found.values())))
    lacks = {name: np.isnan(values) for name, values in found.items()}
    bad = np.any(list(lacks.values()), axis=0)
    if missing == "drop":
        return {name: values[~bad] for name, values in found.items()}
    for name, absent in lacks.items():
        if absent.any():
            raise DataError(
                f"column {name!r} lacks values",
                got=f"{int(absent.sum())} of {rows} rows",
                fix='mend the table, or leave out all rows that lack something with missing = "drop"',
            )
    return found


def _from_netcdf(path: Path, names: tuple[str, ...]) -> dict[str, Floats]:
    try:
        opened = xr.open_dataset(path, engine="h5netcdf", decode_times=False)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, "a netCDF-4 file") from None
    with opened as data:
        known = [str(name) for name in data.variables if data[name].ndim == 1]
        for name in names:
            if name not in known:
                raise DataError(f"the file has no 1-D variable {name!r}", got=path, fix=did_you_mean(name, known))
            if data[name].dtype.kind not in "fiu":
                raise DataError(f"variable {name!r} holds no numbers", got=data[name].dtype, expected="numbers")
        dims = {name: data[name].dims[0] for name in names}
        if len(set(dims.values())) > 1:
            shown = ", ".join(f"{name}({dim})" for name, dim in dims.items())
            raise DataError("the variables have different dimensions", got=shown, expected="one row for each sample")
        return {name: data[name].to_numpy().astype(np.float64) for name in names}


def _from_text(path: Path, names: tuple[str, ...]) -> dict[str, Floats]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [(number, line) for number, line in enumerate(file, 1) if line.strip() and line[0] != "#"]
        if len(lines) < 2:
            raise DataError("the table is empty", got=path, expected="a line of names and a line for each sample")
        separator = max(SEPARATORS, key=lines[0][1].count)
        reader = csv.reader((line for _, line in lines), delimiter=separator, skipinitialspace=True)
        rows = [(lines[reader.line_num - 1][0], [cell.strip() for cell in row]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error, "a text in UTF-8") from None
    (_, known), *rows = rows
    for name in names:
        if known.count(name) != 1:
            fix = f"{name!r} stands there {known.count(name)} times" if name in known else did_you_mean(name, known)
            raise DataError(f"the table has no column {name!r}", got=path, fix=fix)
    for number, row in rows:
        if len(row) != len(known):
            raise DataError(f"line {number} has {len(row)} cells", got=path, expected=f"{len(known)}, as the first line names")
    return {name: _numbers(name, [(number, row[known.index(name)]) for number, row in rows]) for name in names}


def _numbers(name: str, cells: list[tuple[int, str]]) -> Floats:
    """A column of text, each with the number of its line, as numbers; NaN where there is none."""
    found = []
    for number, cell in cells:
        try:
            found.append(np.nan if cell.lower() in MISSING else float(cell))
        except ValueError:
            raise DataError(
                f"column {name!r} holds something else than numbers", got=f"{cell!r} in line {number}", expected="numbers"
            ) from None
    return np.array(found)


def _unreadable(path: Path, error: Exception, expected: str) -> DataError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
    return DataError("the table cannot be read", got=f"{path}: {reason}", expected=expected)


def save(results: MutualInformation, path: Path) -> None:
    """Write an estimate with its fit as netCDF."""
    data = xr.Dataset({name: (dims, getattr(results, name)) for name, dims in ARRAYS.items()})
    if results.mixture is not None:
        data = data.merge(results.mixture.to_dataset())
    for name in ESTIMATES:
        fields = getattr(results, name).to_json()
        data.attrs |= {f"{name}_{field}": content for field, content in fields.items()}
    data.attrs |= {name: getattr(results, name) for name in PLAIN} | {"problems": "\n".join(results.problems)}
    data.to_netcdf(path, engine="h5netcdf")


def load(path: Path) -> dict[str, Any]:
    """The fields of an estimate that :func:`save` wrote.

    Raises
    ------
    DataError
        If the file holds no estimate.
    """
    try:
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            data = opened.load()
        fields: dict[str, Any] = {name: data[name].to_numpy() for name in ARRAYS}
        for name in ESTIMATES:
            parts = {key: data.attrs[f"{name}_{key}"] for key in ("kind", "value", "error")}
            parts |= {key: data.attrs[f"{name}_{key}"] for key in ("lower", "upper") if f"{name}_{key}" in data.attrs}
            fields[name] = Estimate.from_json({key: part if key == "kind" else float(part) for key, part in parts.items()})
        fields |= {name: data.attrs[name] for name in PLAIN}
        fields["problems"] = tuple(data.attrs["problems"].splitlines())
        fields["mixture"] = Mixture.from_dataset(data) if "weights" in data else None
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            "the file holds no estimate", got=f"{path}: {error}", expected="a file that MutualInformation.save wrote"
        ) from None
    return fields | {"p_value": float(fields["p_value"]), "samples": int(fields["samples"])}
