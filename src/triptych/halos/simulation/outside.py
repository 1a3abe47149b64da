"""The first two stations for simulations that GADGET-4 did not write.

In: a snapshot of any format that pynbody knows (Gadget-2 binary, Tipsy, RAMSES, Swift, ...), with the halos of any finder that
it knows. Out: the same snapshot and the same catalogue as from GADGET-4, in comoving kpc/h and Msun/h.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.errors import DataError, MissingExtraError
from triptych.halos.cosmology import Cosmology
from triptych.halos.simulation.catalogue import Catalogue, read_catalogue
from triptych.halos.simulation.files import PathLike, catalogue_beside
from triptych.halos.simulation.hdf5 import KPC_IN_CM, SOLAR_MASS_IN_G, finite
from triptych.halos.simulation.snapshot import Snapshot

DENSITY_TOLERANCE = 0.1  # all matter together has the mean density, to this fraction
SHRINK, CORE_SHARE, CORE_PARTICLES = 0.9, 0.01, 30  # each sphere in radii of the last; the smallest holds this share, or number


def read_with_pynbody(path: PathLike) -> Snapshot:
    """Read a snapshot of any format that pynbody reads: all particle families together, which is the total matter.

    Parameters
    ----------
    path : the file, or the folder of an output for codes that write folders.

    Raises
    ------
    MissingExtraError
        If pynbody is not installed.
    DataError
        If pynbody cannot read the file; if it has no units, periodic box or cosmology; if positions or masses are not finite; or
        if the mean density in the box is not the mean density of matter, which tells of wrong units.

    Notes
    -----
    A file that counts in cm and g is turned into kpc and Msun with GADGET's values, as :func:`read_snapshot` does; one that
    counts in kpc and Msun keeps its numbers. A binary Gadget file does not tell its units: pynbody takes them from
    ``gadget-units`` in its own settings (Mpc/h and 1e10 Msun/h where nothing is set). The softening is the largest in the file.

    Time and memory grow linearly with the number of particles N: 24 N bytes in the end (32 N with unequal masses), three times
    that while reading.

    Examples
    --------
    >>> from triptych.halos import read_snapshot, sample_data
    >>> path = sample_data("tiny32") / "snapshot_011.hdf5"
    >>> snapshot = read_with_pynbody(path)    # doctest: +SKIP
    >>> bool(abs(snapshot.positions - read_snapshot(path).positions).max() < 1e-6)    # doctest: +SKIP
    True
    """
    with _expected_warnings():
        return _snapshot(_load(path), Path(path))


def read_catalogue_with_pynbody(path: PathLike) -> Catalogue:
    """Read the halos that pynbody finds beside a snapshot, one row each in the finder's order.

    Lengths and masses are those of the halo's own particles. The centre is the minimum of the potential where SUBFIND wrote it,
    else that of a sphere that shrinks around the densest part (Power et al. 2003, MNRAS 338, 14, section 2.5), across the edges
    of the box. Spherical overdensity masses and radii are there for SUBFIND alone, 0 for other finders: :func:`overdensity`
    measures them. In an array of group numbers, particles with a number of 0 or less are in no halo.

    Parameters
    ----------
    path : the snapshot; pynbody looks for the catalogue beside it.

    Raises
    ------
    MissingExtraError
        If pynbody is not installed.
    DataError
        As :func:`read_with_pynbody`; and if pynbody finds no halos, or none that it can read.

    Notes
    -----
    Time and memory grow linearly with the number of particles, in the box and in halos.

    Examples
    --------
    >>> from triptych.halos import sample_data
    >>> groups = read_catalogue_with_pynbody(sample_data("tiny32") / "snapshot_011.hdf5")    # doctest: +SKIP
    >>> len(groups.lengths), int(groups.lengths[0])    # doctest: +SKIP
    (58, 3588)
    """
    with _expected_warnings():
        sim = _load(path)
        try:
            halos = sim.halos()
        except KeyError as error:  # pynbody stumbles where there are no groups: GADGET-4 then leaves the datasets out
            groups = read_catalogue(catalogue_beside(Path(path)))
            if len(groups.lengths):
                raise _unreadable("the halos", path, error) from error
            return groups
        except (OSError, RuntimeError, ValueError) as error:
            raise _unreadable("the halos", path, error) from error
        return _catalogue(_snapshot(sim, Path(path)), halos)


@contextmanager
def _expected_warnings() -> Iterator[None]:
    """Without the reports that pynbody guesses what GADGET-4 does not write: how masses in the header depend on h, and units."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Masses are either stored in the header", UserWarning)
        warnings.filterwarnings("ignore", "Unable to infer units from HDF attributes", UserWarning)
        yield


def _load(path: PathLike) -> Any:
    """The snapshot as pynbody has it."""
    try:
        import pynbody
    except ImportError as error:
        raise MissingExtraError("pynbody is not installed", got=str(error), fix="pip install 'triptych[halos-io]'") from error
    try:
        return pynbody.load(path)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _unreadable("the snapshot", path, error) from error


def _unreadable(what: str, path: PathLike, error: Exception) -> DataError:
    return DataError(
        f"pynbody cannot read {what}",
        got=f"{type(error).__name__}: {error}",
        expected="a format that it knows",
        fix=f"look at {path}",
    )


def _snapshot(sim: Any, path: Path) -> Snapshot:
    """A snapshot of pynbody in our units."""
    properties = sim.properties
    missing = [name for name in ("a", "h", "omegaM0", "omegaL0", "boxsize") if name not in properties]
    if missing:  # pynbody itself would go on with values of its own
        raise DataError(
            "the snapshot does not tell its box and cosmology",
            got=f"no {', '.join(missing)}",
            expected="a cosmological run in a periodic box",
            fix=f"put the parameter file of the run beside {path}",
        )
    scale_factor, hubble = float(properties["a"]), float(properties["h"])
    cosmology = Cosmology(omega_matter=float(properties["omegaM0"]), omega_lambda=float(properties["omegaL0"]), hubble=hubble)
    box_size = float(_length(properties["boxsize"], sim))
    positions = np.mod(finite(_length(sim["pos"], sim), "positions", path), box_size)
    positions[positions >= box_size] = 0.0  # the remainder of a tiny negative number rounds up to the box itself
    masses = finite(_mass(sim["mass"], sim), "masses", path)
    if (masses == masses[0]).all():
        masses = np.broadcast_to(masses[0], len(masses))
    density = masses.sum() / box_size**3 / cosmology.mean_density
    if not abs(density - 1) < DENSITY_TOLERANCE:
        raise DataError(
            "the box does not hold the mean density of matter",
            got=f"{density:.4g} times the mean: {masses.sum():.4g} Msun/h in a box of {box_size:.6g} kpc/h",
            expected="1, for all matter in the box",
            fix="tell pynbody the units: a parameter file beside the snapshot, or gadget-units in pynbody's settings",
        )
    return Snapshot(
        positions=positions,
        masses=masses,
        box_size=box_size,
        redshift=round(1 / scale_factor - 1, 12) + 0.0,
        scale_factor=scale_factor,
        cosmology=cosmology,
        softening=float(_length(sim["eps"], sim).max()) if "eps" in sim.loadable_keys() else None,
        path=path,
    )


def _catalogue(snapshot: Snapshot, halos: Any) -> Catalogue:
    """A catalogue of pynbody in our units."""
    from pynbody.halo.number_array import AmigaGrpCatalogue, HaloNumberCatalogue

    halos.load_all()
    numbers = halos.keys()
    if type(halos) in (HaloNumberCatalogue, AmigaGrpCatalogue):
        numbers = numbers[numbers > 0]
    members = [halos[number].get_index_list(halos.base) for number in numbers]
    columns = halos.get_properties_all_halos(with_units=True)

    def column(name: str, convert: Callable[[Any, Any], NDArray[np.float64]]) -> NDArray[np.float64]:
        return convert(columns[name], halos.base) if name in columns else np.zeros(len(members))

    if "GroupPos" in columns:
        centres = np.mod(_length(columns["GroupPos"], halos.base), snapshot.box_size)
    else:
        centres = np.reshape([_densest(snapshot.positions[rows], snapshot.box_size) for rows in members], (-1, 3))
    return Catalogue(
        positions=centres,
        lengths=np.array([len(rows) for rows in members], dtype=np.int64),
        masses=np.array([snapshot.masses[rows].sum() for rows in members], dtype=np.float64),
        m200m=column("Group_M_Mean200", _mass),
        r200m=column("Group_R_Mean200", _length),
        m200c=column("Group_M_Crit200", _mass),
        r200c=column("Group_R_Crit200", _length),
        mvir=column("Group_M_TopHat200", _mass),
        rvir=column("Group_R_TopHat200", _length),
        box_size=snapshot.box_size,
        redshift=snapshot.redshift,
        scale_factor=snapshot.scale_factor,
        path=snapshot.path,
    )


def _length(quantity: Any, sim: Any) -> NDArray[np.float64]:
    """A length of pynbody in comoving kpc/h."""
    return _numbers(quantity, {"cm": f"{KPC_IN_CM!r} cm a h**-1"}, "kpc a h**-1", sim)


def _mass(quantity: Any, sim: Any) -> NDArray[np.float64]:
    """A mass of pynbody in Msun/h."""
    return _numbers(quantity, {"g": f"{SOLAR_MASS_IN_G!r} g h**-1"}, "Msol h**-1", sim)


def _numbers(quantity: Any, counted_in: dict[str, str], otherwise: str, sim: Any) -> NDArray[np.float64]:
    """An array (or a unit, which is one number) of pynbody in the unit that belongs to the one it is counted in."""
    from pynbody.units import UnitsException

    unit = getattr(quantity, "units", quantity)
    target = next((ours for theirs, ours in counted_in.items() if theirs in str(unit).split()), otherwise)
    try:
        factor = unit.ratio(target, **sim.conversion_context())
    except UnitsException as error:
        raise DataError(
            "the snapshot does not tell its units",
            got=f"{unit}, where {otherwise} is meant",
            fix=f"put the parameter file of the run beside {sim.filename}",
        ) from error
    return np.asarray(factor * np.asarray(1.0 if quantity is unit else quantity, dtype=np.float64))


def _densest(positions: NDArray[np.float64], box_size: float) -> NDArray[np.float64]:
    """The centre of a sphere that shrinks around the centre of its particles, in a periodic box.

    pynbody's own does not see that a halo crosses the edge of the box.
    """
    offsets = np.mod(positions - positions[0] + box_size / 2, box_size) - box_size / 2
    centre, inside = offsets.mean(axis=0), offsets
    radius = np.linalg.norm(offsets - centre, axis=1).max()
    while len(inside) > max(CORE_PARTICLES, CORE_SHARE * len(offsets)):
        radius *= SHRINK
        closer = np.linalg.norm(inside - centre, axis=1) < radius
        if not closer.any():
            break
        inside = inside[closer]
        centre = inside.mean(axis=0)
    return np.asarray(np.mod(positions[0] + centre, box_size))
