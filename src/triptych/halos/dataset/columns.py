"""What a data set holds.

In: nothing but sizes. Out: the description of a data set (simulations, cosmology, cuts, boxes), and the columns that every data
set has, with their dimensions and units. Lengths are comoving kpc/h, masses Msun/h.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.cosmology import Cosmology
from triptych.halos.dataset.selection import SPLITS, Cuts, Split
from triptych.halos.histories.accretion import RateDefinition
from triptych.halos.measure import DENSITY, LENGTH, MASS
from triptych.halos.voxels.sphere import LAYERS, PIXELS, sphere_edges

Kind = Literal["virial", "infall"]
HALO = "halo"
RATES: tuple[RateDefinition, ...] = get_args(RateDefinition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """One simulation (or mock realisation) that a data set was made from.

    Attributes
    ----------
    name : short and unique.
    splits : what its halos are for; validation and test may share a simulation.
    box_size : side of the volume that the halos stand for, comoving kpc/h.
    particle_mass : Msun/h.
    softening : Plummer-equivalent, comoving kpc/h; None if unknown.
    innermost_radius : where the profiles begin, comoving kpc/h.
    halos : how many of it are in the data set.
    lost : how many halos each cut took away.
    inputs : SHA-256 of each file that was read.
    """

    name: str
    splits: tuple[Split, ...]
    box_size: float
    particle_mass: float
    softening: float | None
    innermost_radius: float
    halos: int
    lost: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is true of a whole data set. It holds no time and no path, so that the same question gives the same digest.

    Attributes
    ----------
    source : real simulations, or the mock universe.
    kind : profiles out to r200m ("virial") or to 2 r200m ("infall").
    cosmology : of all simulations.
    redshift : of the boxes and profiles.
    outer : where the profiles end, in units of r200m.
    cuts : which halos were taken.
    simulations : in the order of the codes in the column ``simulation``.
    warnings : what the reader should know.
    provenance : versions, configuration and seeds; anything that JSON holds.
    """

    source: Literal["simulation", "mock"]
    kind: Kind
    cosmology: Cosmology
    redshift: float
    outer: float
    cuts: Cuts
    simulations: tuple[Simulation, ...]
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As nested dictionaries."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attributes:
        """From what :meth:`to_json` gave, after a round trip through JSON.

        Raises
        ------
        DataError
            If something is missing or unknown.
        """
        try:
            simulations = tuple(Simulation(**{**one, "splits": tuple(one["splits"])}) for one in data["simulations"])
            return cls(
                **{
                    **data,
                    "cosmology": Cosmology(**data["cosmology"]),
                    "cuts": Cuts(**data["cuts"]),
                    "simulations": simulations,
                    "warnings": tuple(data["warnings"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise DataError("the description of the data set is damaged", got=error, fix="build the data set again") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSpec:
    """The boxes of voxels about each halo.

    Attributes
    ----------
    n : voxels along a side.
    sides : the side of each nested level in comoving kpc/h, widest first, at equal ratios.
    scheme : how particles were spread over voxels.
    dtype : float16 rounds log10(1 + rho/rho_m) by at most 2^-11 of its value (below 6e-5 by at most 3e-8).

    Raises
    ------
    ConfigError
        If there is no voxel, or the levels are not nested.
    """

    n: int
    sides: tuple[float, ...]
    scheme: Literal["ngp", "cic", "tsc", "sph"]
    dtype: Literal["float16", "float32"] = "float32"

    def __post_init__(self) -> None:
        positive = bool(self.sides) and all(0 < side < math.inf for side in self.sides)
        steps = [outer / inner for outer, inner in zip(self.sides, self.sides[1:], strict=False)] if positive else []
        if self.n < 1 or not positive or not all(step > 1 and math.isclose(step, steps[0]) for step in steps):
            raise ConfigError(
                "boxes that cannot be",
                got=asdict(self),
                expected="n >= 1, sides > 0, each smaller than the last by the same factor",
            )

    @property
    def levels(self) -> int:
        """Number of nested boxes."""
        return len(self.sides)

    @property
    def zoom(self) -> float:
        """Ratio of the sides of successive levels; 2 where there is one."""
        return self.sides[0] / self.sides[1] if self.levels > 1 else 2.0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(level, n, n, n)."""
        return (self.levels, self.n, self.n, self.n)

    @property
    def bytes(self) -> int:
        """Size of the boxes of one halo in the store, before compression."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One array of a data set.

    Attributes
    ----------
    dims : names of its axes. A column of the table begins with ``halo`` and is written block by block.
    shape : sizes of the axes; for a column those after ``halo``.
    dtype : as NumPy writes it: "f8", "i8", "i1", "bool".
    units, about : for the reader.
    flags : meaning of the codes 0, 1, ... of a column of codes.
    values : of an array without ``halo``, which is written at once; None for a column.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...] = ()
    dtype: str = "f8"
    units: str = ""
    about: str = ""
    flags: tuple[str, ...] = ()
    values: NDArray[Any] | None = None


def column(*dims: str, shape: tuple[int, ...] = (), dtype: str = "f8", units: str = "", about: str = "") -> Variable:
    """A column of the table with further axes `dims` of sizes `shape`.

    Examples
    --------
    >>> column("axis", shape=(3,), units="kpc/h (comoving)").dims
    ('halo', 'axis')
    """
    return Variable(dims=(HALO, *dims), shape=shape, dtype=dtype, units=units, about=about)


REQUIRED = (
    *("id", "simulation", "split", "centre", "mass", "radius", "particles"),
    *("r_edge", "r", "log_density", "counts", "filled"),
)


def halo_columns(bins: int, *, simulations: Sequence[str]) -> dict[str, Variable]:
    """Every data set's columns: who the halo is, its profile in `bins` shells, and fits to it."""
    shell = partial(column, "shell", shape=(bins,))
    codes = {
        "simulation": Variable(dims=(HALO,), dtype="i2", about="place among the simulations", flags=tuple(simulations)),
        "split": Variable(dims=(HALO,), dtype="i1", about="what the halo is for", flags=SPLITS),
    }
    known = {
        "id": column(dtype="i8", about="number of the halo in its simulation"),
        **codes,
        "centre": column("axis", shape=(3,), units=LENGTH),
        "mass": column(units=MASS, about="M200m"),
        "radius": column(units=LENGTH, about="r200m"),
        "particles": column(dtype="i8", about="particles inside r200m"),
        "r_edge": column("edge", shape=(bins + 1,), units=LENGTH, about="radii between the shells"),
        "r": shell(units=LENGTH, about="geometric middle of the shell"),
        "log_density": shell(units="1", about="log10 of rho/rho_m; NaN in an empty shell"),
        "counts": shell(dtype="i8", about="particles in the shell"),
        "filled": shell(dtype="bool", about="the shell holds particles"),
    }
    return known | _fit_columns()


def _fit_columns() -> dict[str, Variable]:
    """NFW and Einasto profiles fitted inside r200m; NaN where the fit failed."""
    units = {"rs": LENGTH, "rho_s": DENSITY}
    columns = {name: column(units=unit, about="NFW fit") for name, unit in units.items()}
    columns["concentration"] = column(units="1", about="r200m / rs of the NFW fit")
    columns |= {f"einasto_{name}": column(units=unit, about="Einasto fit") for name, unit in units.items()}
    columns["einasto_alpha"] = column(units="1", about="Einasto fit")
    errors = {f"{name}_error": column(units=one.units, about="one standard deviation") for name, one in columns.items()}
    quality = {}
    for prefix, name in (("", "NFW"), ("einasto_", "Einasto")):
        quality[f"{prefix}deviance"] = column(units="1", about=f"of the {name} fit")
        quality[f"{prefix}problem"] = column(dtype="bool", about=f"the {name} fit failed")
    return columns | errors | quality


def sphere_columns(side: float) -> dict[str, Variable]:
    """Particles counted in spherical cells about the centre of a halo whose box has this side, comoving kpc/h."""
    edges = sphere_edges(side)
    return {
        "sphere/edge": Variable(dims=("layer_edge",), shape=edges.shape, units=LENGTH, about="between the layers", values=edges),
        "sphere/counts": column("layer", "pixel", shape=(LAYERS, PIXELS), dtype="u2", about="particles in the spherical cell"),
    }


def history_columns(redshift: ArrayLike) -> dict[str, Variable]:
    """Mass and accretion rate along the main branch at the outputs with these redshifts (output,); NaN where the halo is lost."""
    z = np.asarray(redshift, dtype=np.float64)
    track = partial(column, "output", shape=z.shape)
    known = {
        "history/redshift": Variable(dims=("output",), shape=z.shape, units="1", values=z),
        "history/scale_factor": Variable(dims=("output",), shape=z.shape, units="1", values=1.0 / (1.0 + z)),
        "history/mass": track(units=MASS, about="M200m of the main progenitor"),
    }
    for name in RATES:
        known[f"history/gamma_{name}"] = track(units="1", about="dlnM/dlna")
    return known
