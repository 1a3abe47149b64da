"""The second station: halos as the group finder saw them.

In: a catalogue of FOF groups by GADGET-4 (HDF5, in one file or in parts). Out: centres, sizes and SUBFIND's own masses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.simulation.files import PathLike, locate, parts
from triptych.halos.simulation.hdf5 import finite, length_unit, mass_unit, number, open_hdf5


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
    first = locate(path, "fof_subhalo_tab", output)
    with open_hdf5(first) as file:
        count = int(number(file, "NumFiles", "Header"))
        expected = int(number(file, "Ngroups_Total", "Header"))
        length, mass = length_unit(file), mass_unit(file)
        box_size = number(file, "BoxSize", "Header", "Parameters") * length
        redshift, scale_factor = number(file, "Redshift", "Header"), number(file, "Time", "Header")
    paths = parts(first, count)

    def column(name: str, shape: tuple[int, ...] = ()) -> NDArray[np.float64]:
        blocks = [_read_column(part, name) for part in paths]
        values = np.concatenate([block for block in blocks if len(block)] or [np.empty((0, *shape))])
        if len(values) != expected:
            raise DataError(
                "the catalogue does not hold the groups that its header counts",
                got=f"{len(values)} rows in Group/{name}",
                expected=str(expected),
                fix=f"is {first} complete?",
            )
        return values

    return Catalogue(
        positions=np.mod(column("GroupPos", (3,)) * length, box_size),
        lengths=column("GroupLen").astype(np.int64),
        masses=column("GroupMass") * mass,
        m200m=column("Group_M_Mean200") * mass,
        r200m=column("Group_R_Mean200") * length,
        m200c=column("Group_M_Crit200") * mass,
        r200c=column("Group_R_Crit200") * length,
        mvir=column("Group_M_TopHat200") * mass,
        rvir=column("Group_R_TopHat200") * length,
        box_size=box_size,
        redshift=redshift,
        scale_factor=scale_factor,
        path=first,
    )


def _read_column(path: Path, name: str) -> NDArray[np.float64]:
    """One dataset of the groups in one file; no rows where the file has no groups."""
    with open_hdf5(path) as file:
        if int(number(file, "Ngroups_ThisFile", "Header")) == 0:
            return np.empty(0)
        if "Group" not in file or name not in file["Group"]:
            raise DataError(
                f"the catalogue has no Group/{name}",
                got=", ".join(file.get("Group", {})) or "no Group at all",
                expected="a catalogue of GADGET-4 with FOF and SUBFIND",
                fix=f"look at {path}",
            )
        return finite(np.asarray(file["Group"][name], dtype=np.float64), f"Group/{name}", path)
