"""The second station: halos as the group finder saw them.

In: a catalogue of FOF groups and subhalos by GADGET-4 (HDF5, in one file or in parts). Out: centres, sizes and SUBFIND's own
masses, and which particles of the snapshot belong to which halo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.simulation.files import PathLike, locate, parts
from triptych.halos.simulation.hdf5 import (
    COUNT,
    COUNT_OF_TYPE,
    NUMBER,
    VECTOR,
    length_unit,
    mass_unit,
    number,
    open_hdf5,
    read_table,
    same_units,
)
from triptych.halos.simulation.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """FOF groups at one time; all arrays have one row per group, in the order of the file (largest first).

    Attributes
    ----------
    positions : (group, 3), comoving kpc/h in [0, box_size): the minimum of the potential (``GroupPos``).
    lengths : (group,), particles in the FOF group.
    masses : (group,), Msun/h, of the FOF group.
    m200m, r200m, m200c, r200c, mvir, rvir : (group,), Msun/h and comoving kpc/h: SUBFIND's spherical overdensity masses and
        radii against the mean and the critical density, and for a collapsed top hat; 0 where it found none.
    box_size : comoving kpc/h.
    redshift, scale_factor : of the output.
    path : the (first) file.
    """

    positions: NDArray[np.float64]
    lengths: NDArray[np.int64]
    masses: NDArray[np.float64]
    m200m: NDArray[np.float64]
    r200m: NDArray[np.float64]
    m200c: NDArray[np.float64]
    r200c: NDArray[np.float64]
    mvir: NDArray[np.float64]
    rvir: NDArray[np.float64]
    box_size: float
    redshift: float
    scale_factor: float
    path: Path


def read_catalogue(path: PathLike, output: int | None = None) -> Catalogue:
    """Read the FOF groups of an output of GADGET-4.

    An output without groups gives an empty catalogue: GADGET-4 then leaves out the datasets altogether.

    Parameters
    ----------
    path : a file ``fof_subhalo_tab_NNN.hdf5``, any part ``fof_subhalo_tab_NNN.k.hdf5``, or the folder of a run.
    output : the number NNN in a folder; None takes the last one.

    Raises
    ------
    DataError
        If the file is missing, not HDF5, truncated, lacks header values or datasets, holds fewer groups than its header says,
        or numbers that are not finite.

    Notes
    -----
    Time and memory grow linearly with the number of groups.

    Examples
    --------
    >>> from triptych.halos import read_catalogue, sample_data
    >>> catalogue = read_catalogue(sample_data("tiny32"))
    >>> len(catalogue.lengths), int(catalogue.lengths[0]), f"{catalogue.m200m[0]:.3g}"
    (58, 3588, '7.47e+13')
    >>> len(read_catalogue(sample_data("tiny32"), 0).lengths)
    0
    """
    output_file = _open(path, output)
    length, mass = output_file.length, output_file.mass
    names = [f"Group_{quantity}_{kind}200" for quantity in "MR" for kind in ("Mean", "Crit", "TopHat")]
    table = read_table(
        output_file.path,
        "Group",
        {"GroupPos": VECTOR, "GroupLen": COUNT, "GroupMass": NUMBER} | dict.fromkeys(names, NUMBER),
    )
    return Catalogue(
        positions=np.mod(table["GroupPos"] * length, output_file.box_size),
        lengths=table["GroupLen"],
        masses=table["GroupMass"] * mass,
        m200m=table["Group_M_Mean200"] * mass,
        r200m=table["Group_R_Mean200"] * length,
        m200c=table["Group_M_Crit200"] * mass,
        r200c=table["Group_R_Crit200"] * length,
        mvir=table["Group_M_TopHat200"] * mass,
        rvir=table["Group_R_TopHat200"] * length,
        box_size=output_file.box_size,
        redshift=output_file.redshift,
        scale_factor=output_file.scale_factor,
        path=output_file.path,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subhalos:
    """Subhalos at one time; all arrays have one row per subhalo, in the order of the file (by group, then largest first).

    Attributes
    ----------
    positions : (subhalo, 3), comoving kpc/h in [0, box_size): the minimum of the potential (``SubhaloPos``).
    lengths : (subhalo,), bound particles.
    masses : (subhalo,), Msun/h, of the bound particles.
    group : (subhalo,), FOF group that holds it.
    rank : (subhalo,), place in that group; 0 is its largest subhalo.
    box_size : comoving kpc/h.
    redshift, scale_factor : of the output.
    path : the (first) file.
    """

    positions: NDArray[np.float64]
    lengths: NDArray[np.int64]
    masses: NDArray[np.float64]
    group: NDArray[np.int64]
    rank: NDArray[np.int64]
    box_size: float
    redshift: float
    scale_factor: float
    path: Path


def read_subhalos(path: PathLike, output: int | None = None) -> Subhalos:
    """Read the subhalos of an output of GADGET-4; an output without any gives empty arrays.

    Parameters
    ----------
    path : a file ``fof_subhalo_tab_NNN.hdf5``, any part ``fof_subhalo_tab_NNN.k.hdf5``, or the folder of a run.
    output : the number NNN in a folder; None takes the last one.

    Raises
    ------
    DataError
        As :func:`read_catalogue`.

    Notes
    -----
    Time and memory grow linearly with the number of subhalos.

    Examples
    --------
    >>> from triptych.halos import read_subhalos, sample_data
    >>> subhalos = read_subhalos(sample_data("tiny32"))
    >>> len(subhalos.lengths), subhalos.group[:5].tolist(), subhalos.rank[:5].tolist()
    (72, [0, 0, 0, 0, 0], [0, 1, 2, 3, 4])
    """
    output_file = _open(path, output)
    table = read_table(
        output_file.path,
        "Subhalo",
        {
            "SubhaloPos": VECTOR,
            "SubhaloLen": COUNT,
            "SubhaloMass": NUMBER,
            "SubhaloGroupNr": COUNT,
            "SubhaloRankInGr": COUNT,
        },
    )
    return Subhalos(
        positions=np.mod(table["SubhaloPos"] * output_file.length, output_file.box_size),
        lengths=table["SubhaloLen"],
        masses=table["SubhaloMass"] * output_file.mass,
        group=table["SubhaloGroupNr"],
        rank=table["SubhaloRankInGr"],
        box_size=output_file.box_size,
        redshift=output_file.redshift,
        scale_factor=output_file.scale_factor,
        path=output_file.path,
    )


def read_slices(
    path: PathLike, output: int | None = None, *, of: Literal["Group", "Subhalo"], type: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the particles of each halo lie in the snapshot of the same output, whose particles are sorted by halo.

    Parameters
    ----------
    path, output : as in :func:`read_catalogue`.
    of : FOF groups, or subhalos (their bound particles, the most bound first).
    type : particle type.

    Returns
    -------
    first, count : both (halo,): halo h has the particles first[h], ..., first[h] + count[h] - 1 of that type.

    Raises
    ------
    DataError
        As :func:`read_catalogue`, or if the catalogue knows no such particle type.
    """
    file = locate(path, "fof_subhalo_tab", output)
    table = read_table(file, of, {f"{of}OffsetType": COUNT_OF_TYPE, f"{of}LenType": COUNT_OF_TYPE})
    kinds = min(column.shape[1] for column in table.values())
    if not 0 <= type < kinds:
        raise DataError(
            "the catalogue knows no such particle type", got=type, expected=f"0 to {kinds - 1}", fix=f"look at {file}"
        )
    return table[f"{of}OffsetType"][:, type], table[f"{of}LenType"][:, type]


@dataclass(frozen=True, slots=True)
class _Output:
    """What the header of a catalogue says: units in kpc and solar masses, box size in comoving kpc/h, time."""

    path: Path
    length: float
    mass: float
    box_size: float
    redshift: float
    scale_factor: float


def _open(path: PathLike, output: int | None) -> _Output:
    first = locate(path, "fof_subhalo_tab", output)
    with open_hdf5(first) as file:
        count = int(number(file, "NumFiles", "Header"))
        length, mass = length_unit(file), mass_unit(file)
        box_size = number(file, "BoxSize", "Header", "Parameters") * length
        redshift, scale_factor = number(file, "Redshift", "Header"), number(file, "Time", "Header")
    same_units(parts(first, count))
    return _Output(first, length, mass, box_size, redshift, scale_factor)


def belong_together(snapshot: Snapshot, catalogue: Catalogue) -> None:
    """Nothing, if both are of one output.

    Raises
    ------
    DataError
        If their times or boxes differ.
    """
    pairs = {
        "scale factor": (snapshot.scale_factor, catalogue.scale_factor),
        "box size (kpc/h)": (snapshot.box_size, catalogue.box_size),
    }
    for name, (ours, theirs) in pairs.items():
        if not math.isclose(ours, theirs, rel_tol=1e-6):
            raise DataError(
                f"snapshot and catalogue do not belong together: their {name} differs",
                got=f"{ours:.8g} in {snapshot.path.name}, {theirs:.8g} in {catalogue.path.name}",
                expected="two files of one output",
                fix="give both the same output number",
            )
