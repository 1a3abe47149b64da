"""Small data sets with columns of noise."""

from __future__ import annotations

import numpy as np

from triptych.halos import Cosmology
from triptych.halos.dataset import Attributes, BoxSpec, Cuts, Simulation, column, create, halo_columns, history_columns

BINS, REDSHIFT = 5, (2.0, 1.0, 0.0)


def attributes(halos=10, **changes):
    runs = (
        Simulation(
            name="a",
            splits=("training",),
            box_size=5e4,
            particle_mass=8e7,
            softening=3.0,
            innermost_radius=9.0,
            halos=halos - halos // 3,
            lost={"mass below": 3},
        ),
        Simulation(
            name="b",
            splits=("validation", "test"),
            box_size=5e4,
            particle_mass=8e7,
            softening=3.0,
            innermost_radius=9.0,
            halos=halos // 3,
        ),
    )
    given = {
        "source": "mock",
        "kind": "virial",
        "redshift": 0.0,
        "outer": 1.0,
        "cuts": Cuts(),
        "cosmology": Cosmology(omega_matter=0.31, omega_lambda=0.69, hubble=0.68),
        "simulations": runs,
    }
    return Attributes(**given | changes)


def variables():
    return halo_columns(BINS, simulations=["a", "b"]) | history_columns(REDSHIFT) | {"truth/formation": column(about="z_1/2")}


def rows_of(store, rows, *, rng):
    """Columns and boxes for some rows; the same for the same rng."""
    number = rows.stop - rows.start
    shapes = {name: ((number, *one.shape), one.dtype) for name, one in store.variables.items()}
    table = {name: (100 * rng.random(shape)).astype(dtype) for name, (shape, dtype) in shapes.items()}
    table["simulation"] = (np.arange(rows.start, rows.stop) >= store.halos - store.halos // 3).astype(int)
    table["split"] = np.where(table["simulation"] == 0, 0, 1 + np.arange(rows.start, rows.stop) % 2)
    table["mass"] = 10 ** rng.uniform(11.0, 12.5, number)
    box = store.group["boxes"]
    return table, rng.uniform(0.0, 4.0, (number, *box.shape[1:]))


def begin(path, *, halos=10, block=4, box=None, **changes):
    box = BoxSpec(n=8, sides=(400.0, 100.0), scheme="cic") if box is None else box
    return create(path, attributes=attributes(halos, **changes), variables=variables(), box=box, halos=halos, block=block)


def fill(store):
    """Write what is pending; the block that begins at row r has its own stream."""
    for rows in store.pending():
        table, boxes = rows_of(store, rows, rng=np.random.default_rng(rows.start))
        store.write(rows, boxes=boxes, **table)


def write(path, **options):
    store = begin(path, **options)
    fill(store)
    return store
