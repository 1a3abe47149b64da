"""The first station: particles.

In: a snapshot of GADGET-4 (HDF5, in one file or in parts). Out: positions and masses of all matter, with the cosmology.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.simulation.files import PathLike, locate, parts
from triptych.halos.simulation.hdf5 import attribute, finite, length_unit, mass_unit, number, open_hdf5


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All matter in a periodic box at one time.

    Attributes
    ----------
    positions : (particle, 3), comoving kpc/h, wrapped into [0, box_size).
    masses : (particle,), Msun/h; a read-only view of one number where all particles weigh the same.
    box_size : comoving kpc/h.
    redshift, scale_factor : of the output.
    cosmology : density parameters and the Hubble constant.
    softening : Plummer-equivalent, comoving kpc/h at this time, the largest of the particle types present; None if unknown.
    path : the (first) file.

    Raises
    ------
    DataError
        If the box or the time cannot be.
    """

    positions: NDArray[np.float64]
    masses: NDArray[np.float64]
    box_size: float
    redshift: float
    scale_factor: float
    cosmology: Cosmology
    softening: float | None
    path: Path

    def __post_init__(self) -> None:
        for name in ("box_size", "scale_factor"):
            if not getattr(self, name) > 0:
                raise DataError(
                    f"{name} cannot be", got=getattr(self, name), expected="> 0", fix=f"look at the header of {self.path}"
                )
        if not np.isclose(self.scale_factor * (1 + self.redshift), 1, rtol=1e-3):
            raise DataError(
                "scale factor and redshift contradict each other",
                got=f"a = {self.scale_factor:g}, z = {self.redshift:g}",
                expected="a = 1 / (1 + z)",
                fix=f"look at the header of {self.path}; runs without cosmology are not read",
            )


def read_snapshot(path: PathLike, output: int | None = None) -> Snapshot:
    """Read a snapshot of GADGET-4: all particle types together, which is the total matter.

    Parameters
    ----------
    path : a file ``snapshot_NNN.hdf5``, any part ``snapshot_NNN.k.hdf5``, or the folder of a run.
    output : the number NNN in a folder; None takes the last one.

    Raises
    ------
    DataError
        If the file is missing, not HDF5, truncated, lacks header values or masses, holds fewer particles than its header
        says, or numbers that are not finite.

    Notes
    -----
    Time and memory grow linearly with the number of particles N: 24 N bytes in the end (32 N with individual masses), twice
    that while reading.

    Examples
    --------
    >>> from triptych.halos import read_snapshot, sample_data
    >>> snapshot = read_snapshot(sample_data("tiny32"))
    >>> snapshot.positions.shape, round(snapshot.box_size), f"{snapshot.masses[0]:.4g}"
    ((32768, 3), 20000, '2.099e+10')
    """
    first = locate(path, "snapshot", output)
    with open_hdf5(first) as file:
        count = int(number(file, "NumFilesPerSnapshot", "Header"))
        expected = attribute(file, "NumPart_Total", "Header")
        box_size = number(file, "BoxSize", "Header", "Parameters") * length_unit(file)
        scale_factor = number(file, "Time", "Header")
        redshift = round(number(file, "Redshift", "Header"), 12) + 0.0  # GADGET ends at a = 1 - 1e-16
        cosmology = Cosmology(
            omega_matter=number(file, "Omega0", "Parameters", "Header"),
            omega_lambda=number(file, "OmegaLambda", "Parameters", "Header"),
            hubble=number(file, "HubbleParam", "Parameters", "Header"),
        )
        softening = _softening(file, np.flatnonzero(expected), scale_factor)
    blocks = [block for part in parts(first, count) for block in _read_part(part)]
    found = sum(len(positions) for positions, _ in blocks)
    if found != expected.sum() or found == 0:
        raise DataError(
            "the snapshot does not hold the particles that its header counts",
            got=f"{found} particles",
            expected=f"{int(expected.sum())}, and at least one",
            fix=f"is {first} complete?",
        )
    wrapped = np.mod(np.concatenate([positions for positions, _ in blocks]), box_size)
    wrapped[wrapped >= box_size] = 0.0  # the remainder of a tiny negative number rounds up to the box itself
    return Snapshot(
        positions=wrapped,
        masses=_join_masses([masses for _, masses in blocks]),
        box_size=box_size,
        redshift=redshift,
        scale_factor=scale_factor,
        cosmology=cosmology,
        softening=softening,
        path=first,
    )


def _read_part(path: Path) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Positions (kpc/h) and masses (Msun/h) of each particle type in one file."""
    blocks = []
    with open_hdf5(path) as file:
        kinds = range(len(attribute(file, "NumPart_Total", "Header")))
        table = (
            attribute(file, "MassTable", "Header") * mass_unit(file)
            if "MassTable" in file["Header"].attrs
            else [0.0 for _ in kinds]
        )
        for kind, mass in zip(kinds, table, strict=True):
            name = f"PartType{kind}"
            if name not in file:
                continue
            group = file[name]
            if "Coordinates" not in group:
                raise DataError(
                    f"{name} has no Coordinates", got=", ".join(group), expected="a full snapshot", fix=f"look at {path}"
                )
            positions = finite(np.asarray(group["Coordinates"], dtype=np.float64), f"{name}/Coordinates", path) * length_unit(
                file
            )
            if "Masses" in group:
                masses = finite(np.asarray(group["Masses"], dtype=np.float64), f"{name}/Masses", path) * mass_unit(file)
            elif mass > 0:
                masses = np.broadcast_to(mass, len(positions))
            else:
                raise DataError(
                    f"the masses of {name} are missing",
                    got=f"no {name}/Masses, and no mass in Header/MassTable[{kind}]",
                    expected="one of the two",
                    fix=f"write the snapshot with masses: {path}",
                )
            blocks.append((positions, masses))
    return blocks


def _join_masses(masses: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """All masses in one array, which stays a view of one number where they are all equal."""
    first = masses[0][0]
    if all(part.strides == (0,) and part[0] == first for part in masses if len(part)):
        return np.broadcast_to(first, sum(map(len, masses)))
    return np.concatenate(masses)


def _softening(file: h5py.File, kinds: NDArray[np.intp], scale_factor: float) -> float | None:
    """The largest softening of the particle types present, comoving kpc/h; a maximum in physical length caps it at late times."""
    parameters = file["Parameters"].attrs if "Parameters" in file else {}
    lengths = []
    for kind in kinds:
        label = f"Class{int(parameters.get(f'SofteningClassOfPartType{kind}', 0))}"
        if f"SofteningComoving{label}" not in parameters:
            return None
        comoving = float(parameters[f"SofteningComoving{label}"])
        cap = float(parameters.get(f"SofteningMaxPhys{label}", np.inf)) / scale_factor
        lengths.append(min(comoving, cap) * length_unit(file))
    return max(lengths, default=None)
