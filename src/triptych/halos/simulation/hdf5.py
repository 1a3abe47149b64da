"""Reading HDF5 with errors that can be understood.

In: the path of an HDF5 file of GADGET-4. Out: the open file, its header values and its units; or an error that
says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError

# GADGET's own values, so that the customary parameter files give kpc/h and Msun/h without rounding; IAU values differ by 1e-7
# in length and 3e-4 in mass.
KPC_IN_CM = 3.085678e21
SOLAR_MASS_IN_G = 1.989e33


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


def length_unit(file: h5py.File) -> float:
    """The length unit of the file in kpc (numbers in the file are comoving and per h)."""
    return number(file, "UnitLength_in_cm", "Parameters", "Header") / KPC_IN_CM


def mass_unit(file: h5py.File) -> float:
    """The mass unit of the file in solar masses (numbers in the file are per h)."""
    return number(file, "UnitMass_in_g", "Parameters", "Header") / SOLAR_MASS_IN_G


def finite(values: NDArray[np.float64], what: str, path: Path) -> NDArray[np.float64]:
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
