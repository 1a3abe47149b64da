"""The first station: particles.

In: a snapshot of GADGET-4 (HDF5, in one file or in parts). Out: positions and masses of all matter, or of some particle types,
with the cosmology; and the identity of each particle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.simulation.files import PathLike, locate, parts
from triptych.halos.simulation.hdf5 import (
    KPC_IN_CM,
    SOLAR_MASS_IN_G,
    attribute,
    check_units,
    cosmology,
    finite,
    length_unit,
    mass_unit,
    number,
    open_hdf5,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Matter in a periodic box at one time.

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


def read_snapshot(path: PathLike, output: int | None = None, *, types: Sequence[int] | None = None) -> Snapshot:
    """Read a snapshot of GADGET-4.

    Parameters
    ----------
    path : a file ``snapshot_NNN.hdf5``, any part ``snapshot_NNN.k.hdf5``, or the folder of a run.
    output : the number NNN in a folder; None takes the last one.
    types : particle types, such as ``[1]`` for dark matter; None takes all of them, which is the total matter.

    Raises
    ------
    DataError
        If the file is missing, not HDF5, truncated, lacks header values or masses, holds fewer particles than its header
        says, none of the types asked for, or numbers that are not finite; if the units of its datasets contradict its parameters.

    Notes
    -----
    Time and memory grow linearly with the number of particles N: 24 N bytes in the end (32 N with individual masses), twice
    that while the parts of a snapshot in several files are joined.

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
        total = attribute(file, "NumPart_Total", "Header")
        kinds = _chosen(total, types, first)
        box_size = number(file, "BoxSize", "Header", "Parameters") * length_unit(file)
        scale_factor = number(file, "Time", "Header")
        redshift = round(number(file, "Redshift", "Header"), 12) + 0.0  # GADGET ends at a = 1 - 1e-16
        background = cosmology(file)
        softening = _softening(file, [kind for kind in kinds if total[kind]], scale_factor)
    blocks = [block for part in parts(first, count) for block in _read_part(part, kinds)]
    _all_there(sum(len(positions) for positions, _ in blocks), total[kinds].sum(), first)
    masses = _join_masses([masses for _, masses in blocks])
    wrapped = blocks[0][0] if len(blocks) == 1 else np.concatenate([positions for positions, _ in blocks])
    np.mod(wrapped, box_size, out=wrapped)
    wrapped[wrapped >= box_size] = 0.0  # the remainder of a tiny negative number rounds up to the box itself
    return Snapshot(
        positions=wrapped,
        masses=masses,
        box_size=box_size,
        redshift=redshift,
        scale_factor=scale_factor,
        cosmology=background,
        softening=softening,
        path=first,
    )


def read_particle_ids(path: PathLike, output: int | None = None, *, type: int = 1) -> NDArray[np.uint64]:
    """Read the identity of each particle of one type, in the order of the file, by which the catalogue finds its halos.

    Parameters
    ----------
    path, output : as in :func:`read_snapshot`.
    type : particle type; 1 is dark matter.

    Returns
    -------
    (particle,)

    Raises
    ------
    DataError
        If the file cannot be read, holds no such particles or fewer than its header says, or lacks ``ParticleIDs``.

    Examples
    --------
    >>> from triptych.halos import read_particle_ids, sample_data
    >>> ids = read_particle_ids(sample_data("tiny32"))
    >>> ids.shape, bool((np.sort(ids) == np.arange(1, 32**3 + 1)).all())
    ((32768,), True)
    """
    first = locate(path, "snapshot", output)
    with open_hdf5(first) as file:
        count = int(number(file, "NumFilesPerSnapshot", "Header"))
        total = attribute(file, "NumPart_Total", "Header")
    name, blocks = f"PartType{type}", []
    for part in parts(first, count):
        with open_hdf5(part) as file:
            if name in file:
                if "ParticleIDs" not in file[name]:
                    raise DataError(
                        f"{name} has no ParticleIDs",
                        got=", ".join(file[name]),
                        expected="a snapshot that tells its particles apart",
                        fix=f"halos cannot be followed through such snapshots: {part}",
                    )
                blocks.append(np.asarray(file[name]["ParticleIDs"]))
    _all_there(sum(map(len, blocks)), total[_chosen(total, [type], first)].sum(), first)
    ids = np.concatenate(blocks)
    if not np.issubdtype(ids.dtype, np.integer):
        raise DataError(f"{name}/ParticleIDs are no whole numbers", got=ids.dtype, expected="integers", fix=f"look at {first}")
    return ids.astype(np.uint64, copy=False)


def _chosen(total: NDArray[np.float64], types: Sequence[int] | None, path: Path) -> list[int]:
    """The particle types asked for."""
    kinds = list(range(len(total))) if types is None else sorted(set(types))
    absent = [kind for kind in kinds if not 0 <= kind < len(total)]
    if absent or not kinds:
        raise DataError(
            "the snapshot knows no such particle type",
            got=absent or types,
            expected=f"0 to {len(total) - 1}",
            fix=f"look at {path}",
        )
    return kinds


def _all_there(found: int, expected: float, path: Path) -> None:
    if found != expected or found == 0:
        raise DataError(
            "the snapshot does not hold the particles that its header counts",
            got=f"{found} particles",
            expected=f"{int(expected)}, and at least one",
            fix=f"is {path} complete?",
        )


def _read_part(path: Path, kinds: Sequence[int]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Positions (kpc/h) and masses (Msun/h) of each particle type in one file."""
    blocks = []
    with open_hdf5(path) as file:
        length, mass_per_unit = length_unit(file), mass_unit(file)
        listed = "Header" in file and "MassTable" in file["Header"].attrs
        table = np.atleast_1d(attribute(file, "MassTable", "Header")) if listed else np.empty(0)
        for kind in kinds:
            name, mass = f"PartType{kind}", float(table[kind]) * mass_per_unit if kind < len(table) else 0.0
            if name not in file:
                continue
            group = file[name]
            if "Coordinates" not in group:
                raise DataError(
                    f"{name} has no Coordinates", got=", ".join(group), expected="a full snapshot", fix=f"look at {path}"
                )
            check_units(group["Coordinates"], length * KPC_IN_CM, 1.0)
            positions = finite(group["Coordinates"].astype(np.float64)[...], f"{name}/Coordinates", path)
            positions *= length
            if "Masses" in group:
                check_units(group["Masses"], mass_per_unit * SOLAR_MASS_IN_G, 0.0)
                masses = finite(np.asarray(group["Masses"], dtype=np.float64), f"{name}/Masses", path) * mass_per_unit
            elif mass > 0:
                masses = np.broadcast_to(mass, len(positions))
            else:
                raise DataError(
                    f"the masses of {name} are missing",
                    got=f"no {name}/Masses, and no mass in Header/MassTable[{kind}]",
                    expected="one of the two",
                    fix=f"write the snapshot with masses: {path}",
                )
            if len(positions):
                blocks.append((positions, masses))
    return blocks


def _join_masses(masses: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """All masses in one array, which stays a view of one number where they are all equal."""
    first = masses[0][0]
    if all(part.strides == (0,) and part[0] == first for part in masses if len(part)):
        return np.broadcast_to(first, sum(map(len, masses)))
    return np.concatenate(masses)


def _softening(file: h5py.File, kinds: Sequence[int], scale_factor: float) -> float | None:
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
