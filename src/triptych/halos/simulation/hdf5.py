"""Reading HDF5 with errors that can be understood.

In: the path of an HDF5 file of GADGET-4. Out: the open file, its header values, its units, and its tables joined over all
parts; or an error that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.simulation.files import parts

# GADGET's own values, so that the customary parameter files give kpc/h and Msun/h without rounding; IAU values differ by 1e-7
# in length and 3e-4 in mass.
KPC_IN_CM = 3.085678e21
SOLAR_MASS_IN_G = 1.989e33

Table = Literal["Group", "Subhalo", "TreeHalos", "TreeTable"]
ROWS: dict[Table, str] = {"Group": "Ngroups", "Subhalo": "Nsubhalos", "TreeHalos": "Nhalos", "TreeTable": "Ntrees"}

# A column without rows, of each kind: numbers, vectors, whole numbers, whole numbers for each particle type.
NUMBER, VECTOR = np.empty(0), np.empty((0, 3))
COUNT, COUNT_OF_TYPE = np.empty(0, dtype=np.int64), np.empty((0, 6), dtype=np.int64)


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises
    ------
    DataError
        If it is not HDF5, or is truncated or damaged (also when that shows only while reading).
    """
    if not h5py.is_hdf5(path):
        with path.open("rb") as file:
            start = file.read(8)
        raise DataError(
            "this is not an HDF5 file", got=f"{path} that starts with {start!r}", expected="output of GADGET-4 with SnapFormat 3"
        )
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise DataError(
            "the file is truncated or damaged",
            got=f"{path} ({path.stat().st_size} bytes): {error}",
            expected="a complete HDF5 file",
            fix="copy it again and compare the sizes",
        ) from error


def attribute(file: h5py.File, name: str, *groups: str) -> NDArray[np.float64]:
    """The attribute `name` of the first of `groups` that has it.

    Raises
    ------
    DataError
        If none has it, or it is not a number.
    """
    for group in groups:
        if group in file and name in file[group].attrs:
            value = np.asarray(file[group].attrs[name])
            if not (np.issubdtype(value.dtype, np.number) and np.isfinite(value).all()):
                raise DataError(
                    f"{group}/{name} is not a number", got=value, expected="finite numbers", fix=f"look at {file.filename}"
                )
            return value.astype(np.float64)
    raise DataError(
        f"the file has no {name}",
        got=f"{Path(file.filename).name} with {', '.join(sorted(file)) or 'nothing'}",
        expected=f"the attribute {name} of {' or '.join(groups)}",
        fix="is this output of GADGET-4 (HDF5)?",
    )


def number(file: h5py.File, name: str, *groups: str) -> float:
    """The attribute as one number: see :func:`attribute`."""
    return float(attribute(file, name, *groups))


def cosmology(file: h5py.File) -> Cosmology:
    """The background that the run was made in."""
    return Cosmology(
        omega_matter=number(file, "Omega0", "Parameters", "Header"),
        omega_lambda=number(file, "OmegaLambda", "Parameters", "Header"),
        hubble=number(file, "HubbleParam", "Parameters", "Header"),
    )


def length_unit(file: h5py.File) -> float:
    """The length unit of the file in kpc (numbers in the file are comoving and per h)."""
    return number(file, "UnitLength_in_cm", "Parameters", "Header") / KPC_IN_CM


def mass_unit(file: h5py.File) -> float:
    """The mass unit of the file in solar masses (numbers in the file are per h)."""
    return number(file, "UnitMass_in_g", "Parameters", "Header") / SOLAR_MASS_IN_G


def check_units(data: h5py.Dataset, unit_in_cgs: float, scale_factor_power: float) -> None:
    """Compare the units that GADGET-4 attached to a dataset with those of the file, where it attached any.

    Parameters
    ----------
    data : positions or masses.
    unit_in_cgs : the file's unit of length in cm or of mass in g; the numbers are per h.
    scale_factor_power : 1 for comoving lengths, 0 for masses.

    Raises
    ------
    DataError
        If they contradict each other.
    """
    expected = {"to_cgs": unit_in_cgs, "a_scaling": scale_factor_power, "h_scaling": -1.0}
    for name, ours in expected.items():
        if name in data.attrs and not np.isclose(float(data.attrs[name]), ours, rtol=1e-4):
            raise DataError(
                f"the file contradicts itself: {name} of {data.name.strip('/')} is not that of Parameters",
                got=float(data.attrs[name]),
                expected=f"{ours:.7g}",
                fix=f"mend the attributes or the Parameters of {data.file.filename}",
            )


def same_units(paths: tuple[Path, ...]) -> None:
    """Make sure that all parts of an output count in the same units.

    Raises
    ------
    DataError
        If they do not.
    """
    units = {}
    for path in paths:
        with open_hdf5(path) as file:
            units[path.name] = tuple(number(file, name, "Parameters", "Header") for name in ("UnitLength_in_cm", "UnitMass_in_g"))
    if len(set(units.values())) > 1:
        raise DataError(
            "the parts of an output have different units",
            got=", ".join(f"{name}: {length:g} cm, {mass:g} g" for name, (length, mass) in units.items()),
            expected="one run",
            fix=f"copy all parts of one run into {paths[0].parent}",
        )


def read_table(first: Path, table: Table, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Some columns of a table, joined over all parts of a file.

    Parameters
    ----------
    first : the file, or any part of it.
    table : the HDF5 group that holds the columns; a part without rows lacks it.
    columns : name of each column, and one without rows: NUMBER, VECTOR, COUNT or COUNT_OF_TYPE.

    Returns
    -------
    dict
        Each column as (row, ...): counts as int64, all others as float64.

    Raises
    ------
    DataError
        If a part or a column is missing, holds fewer rows than the header says, or numbers that are not finite.
    """
    rows = ROWS[table]
    with open_hdf5(first) as file:
        paths = parts(first, int(number(file, "NumFiles", "Header")))
        expected = int(number(file, f"{rows}_Total", "Header"))
    blocks = {name: [empty] for name, empty in columns.items()}
    for path in paths:
        with open_hdf5(path) as file:
            if int(number(file, f"{rows}_ThisFile", "Header")) > 0:
                for name, empty in columns.items():
                    blocks[name].append(_column(file, f"{table}/{name}", empty, path))
    joined = {name: np.concatenate([block for block in found if len(block)] or found) for name, found in blocks.items()}
    for name, values in joined.items():
        if len(values) != expected:
            raise DataError(
                f"the file does not hold the {rows[1:]} that its header counts",
                got=f"{len(values)} rows in {table}/{name}",
                expected=str(expected),
                fix=f"is {first} complete?",
            )
    return joined


def _column(file: h5py.File, name: str, empty: NDArray[Any], path: Path) -> NDArray[Any]:
    if name not in file:
        table = name.split("/")[0]
        raise DataError(
            f"the file has no {name}",
            got=", ".join(file.get(table, {})) or f"no {table} at all",
            expected="output of GADGET-4 with FOF and SUBFIND",
            fix=f"look at {path}",
        )
    values = np.asarray(file[name])
    if values.ndim != empty.ndim or values.dtype.kind not in "iuf":
        raise DataError(
            f"{name} is not what it should be",
            got=f"{values.dtype} of shape {values.shape}",
            expected=f"{empty.ndim} dimensions of numbers",
            fix=f"look at {path}",
        )
    return finite(values, name, path).astype(empty.dtype, copy=False)


def finite(values: NDArray[Any], what: str, path: Path) -> NDArray[Any]:
    """The values as they are.

    Raises
    ------
    DataError
        If one is not finite.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"{what} that are not finite",
            got=f"{bad.sum()} of {values.size}, the first at {tuple(int(i) for i in np.argwhere(bad)[0])}",
            expected="numbers",
            fix=f"the file is damaged, or the run blew up: {path}",
        )
    return values
