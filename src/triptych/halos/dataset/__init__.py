"""The data set that a network learns from: the same for real simulations and the mock universe.

In: boxes of voxels, profiles, fits and histories, block by block. Out: one Zarr store that describes itself.

Examples
--------
>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> import numpy as np
>>> from triptych.halos import Cosmology
>>> from triptych.halos.dataset import Attributes, BoxSpec, Cuts, Simulation, create, halo_columns, open_dataset
>>> run = dict(box_size=5e4, particle_mass=8e7, softening=3.0, innermost_radius=9.0)
>>> attributes = Attributes(
...     source="mock", kind="virial", redshift=0.0, outer=1.0, cuts=Cuts(),
...     cosmology=Cosmology(omega_matter=0.31, omega_lambda=0.69, hubble=0.68),
...     simulations=(Simulation(name="a", splits=("training",), halos=2, **run),),
... )
>>> columns = halo_columns(13, simulations=["a"])
>>> with TemporaryDirectory() as folder:
...     path = Path(folder) / "small.zarr"
...     store = create(path, attributes=attributes, variables=columns, box=BoxSpec(n=4, sides=(400.0,), scheme="cic"), halos=2)
...     for rows in store.pending():
...         number = rows.stop - rows.start
...         table = {name: np.zeros((number, *one.shape), one.dtype) for name, one in store.variables.items()}
...         store.write(rows, boxes=np.ones((number, 1, 4, 4, 4)), **table)
...     data = open_dataset(path)
...     data.rows("training"), data.read([1]).shape, data.table["mass"].attrs["units"]
(array([0, 1]), (1, 1, 4, 4, 4), 'Msun/h')
"""

from triptych.halos.dataset.columns import (
    Attributes,
    BoxSpec,
    Simulation,
    Variable,
    column,
    halo_columns,
    history_columns,
    sphere_columns,
)
from triptych.halos.dataset.selection import SPLITS, Cuts, Role, Split, assign, roles
from triptych.halos.dataset.store import DataSet, Store, create, open_dataset

__all__ = [
    "SPLITS",
    "Attributes",
    "BoxSpec",
    "Cuts",
    "DataSet",
    "Role",
    "Simulation",
    "Split",
    "Store",
    "Variable",
    "assign",
    "column",
    "create",
    "halo_columns",
    "history_columns",
    "open_dataset",
    "roles",
    "sphere_columns",
]
