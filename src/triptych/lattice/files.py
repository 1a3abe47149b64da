"""Ensembles from files, our own and anyone's.

In: a netCDF-4 file with the observables of `sample`, or with link angles (chain, draw, mu, t, x) in radians. Out: a Dataset with
the observables (chain, trajectory), as `measure` takes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import DataError
from triptych.lattice.action import Wilson
from triptych.lattice.measure import NEEDED

LINK_NAMES = ("configurations", "links")
TIME_NAMES = ("draw", "trajectory")
LINK_DIMS = ("mu", "t", "x")
RADIANS = ("radian", "radians", "rad")
KEPT = ("beta", "start", "sampler", "thermalization")  # attributes that are as true of the observables as of the links
LARGEST_ANGLE = 1e6  # of double precision enough is left below


def ensemble_file(path: Path) -> Path:
    """The file itself, or ``results.nc`` in a run directory."""
    return path / "results.nc" if path.is_dir() else path


def read(path: Path) -> xr.Dataset:
    """The observables of an ensemble in a file.

    A file with `plaquette`, `charge` and `real_charge` is taken as it is. Otherwise they are computed from link angles: the
    variable `configurations` or `links`, or the only one with these dimensions, in any order: `mu` (0 along t, 1 along x), `t`,
    `x`, time (`draw` or `trajectory`) and `chain`, which a single chain may lack. Angles need no wrapping.

    Parameters
    ----------
    path : a netCDF-4 file, or a run directory with ``results.nc``.

    Raises
    ------
    DataError
        If the file cannot be read, holds no such variable or several, or its values are no angles in radians.

    Notes
    -----
    Reads one chain at a time; time grows as chains x draws x T L.
    """
    path = ensemble_file(path)
    try:
        opened = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise DataError("the ensemble cannot be read", got=f"{path}: {reason}", expected="a netCDF-4 file") from None
    with opened as data:
        if all(name in data and set(data[name].dims) == {"chain", "trajectory"} for name in NEEDED):
            observables = [name for name in data.data_vars if set(data[name].dims) == {"chain", "trajectory"}]
            return data[observables].load()
        return _observables(_links(data, path), {name: data.attrs[name] for name in KEPT if name in data.attrs})


def _links(data: xr.Dataset, path: Path) -> xr.DataArray:
    """The link angles as (chain, draw, mu, t, x), not yet read."""
    able = [str(name) for name in data.data_vars if _is_links(data[name])]
    chosen = next((name for name in LINK_NAMES if name in able), able[0] if len(able) == 1 else None)
    if chosen is None:
        raise DataError(
            "the file has several variables with the dimensions of links" if able else "the file holds no link angles",
            got=f"{path}: {', '.join(f'{name} {data[name].dims}' for name in able or data.data_vars) or 'no variables'}",
            expected="one variable with dims chain, draw (or trajectory), mu, t, x",
            fix=f"call one of them {LINK_NAMES[0]!r}" if able else "name the dimensions so; xarray's rename does it",
        )
    links = data[chosen]
    units = str(links.attrs.get("units", RADIANS[0]))
    if units.lower() not in RADIANS:
        raise DataError(f"{chosen!r} is not in radians", got=f"units {units!r}", expected="radian", fix="convert the angles")
    if np.issubdtype(links.dtype, np.complexfloating):
        raise DataError(f"{chosen!r} holds complex numbers", got=links.dtype, expected="angles", fix="store numpy.angle(U)")
    if not np.issubdtype(links.dtype, np.floating):
        raise DataError(f"{chosen!r} holds no angles", got=links.dtype, expected="floating-point numbers")
    if links.sizes["mu"] != 2 or min(links.sizes["t"], links.sizes["x"]) < 2:
        raise DataError(
            f"{chosen!r} is on no lattice of two dimensions", got=dict(links.sizes), expected="mu = 2, t >= 2, x >= 2"
        )
    links = links.rename({name: "draw" for name in TIME_NAMES if name in links.dims})
    if "chain" not in links.dims:
        links = links.expand_dims("chain")
    return links.transpose("chain", "draw", *LINK_DIMS)


def _is_links(variable: xr.DataArray) -> bool:
    """Whether a variable has the dimensions of links at several times."""
    rest = set(variable.dims) - {"chain"}
    return any(rest == {time, *LINK_DIMS} for time in TIME_NAMES)


def _observables(links: xr.DataArray, attrs: dict[str, Any]) -> xr.Dataset:
    """Plaquette and charges of all configurations."""
    chains = [_of_chain(links, number) for number in range(links.sizes["chain"])]
    return xr.Dataset(
        {name: (("chain", "trajectory"), np.stack([one[name] for one in chains])) for name in NEEDED},
        attrs={**attrs, "shape": [links.sizes["t"], links.sizes["x"]]},
    )


def _of_chain(links: xr.DataArray, number: int) -> dict[str, NDArray[np.float64]]:
    """The observables [draw] of one chain."""
    angles = links.isel(chain=number).transpose(*LINK_DIMS, "draw").to_numpy().astype(np.float64)
    bad = int(np.sum(~(np.abs(angles) < LARGEST_ANGLE)))  # also where it is NaN
    if bad:
        raise DataError(
            f"{links.name!r} holds values that are no angles",
            got=f"{bad} of {angles.size} in chain {number} are not finite or beyond {LARGEST_ANGLE:g}",
            expected="radians",
        )
    return {name: np.asarray(values) for name, values in _see(jnp.asarray(angles)).items()}


@jax.jit
def _see(links: jax.Array) -> dict[str, jax.Array]:
    return Wilson(1.0).observables(links)
