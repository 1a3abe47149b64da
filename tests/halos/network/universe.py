"""A small data set whose halos are NFW spheres of two numbers: how heavy, and how concentrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.halos import gadget
from tests.halos.dataset.stores import attributes
from triptych.halos import index
from triptych.halos.dataset import BoxSpec, column, create, halo_columns, history_columns, open_dataset, sphere_columns
from triptych.halos.simulation.snapshot import Snapshot
from triptych.halos.voxels.grids import log_density, voxelise
from triptych.halos.voxels.sphere import sphere_counts, sphere_edges

BOX = BoxSpec(n=8, sides=(600.0, 150.0), scheme="ngp")
BINS, EDGES = 6, np.geomspace(15.0, 250.0, 7)
HALOS = (128, 24, 8)  # of each split
ABOUT = attributes()
MEAN = ABOUT.cosmology.mean_density
PARTICLE = ABOUT.simulations[0].particle_mass


def offsets_of(row, *, rng):
    """Particles of one halo, and some that lie around it."""
    halo = gadget.nfw_ball(int(10 ** rng.uniform(2.7, 3.5)), 250.0 / rng.uniform(4.0, 16.0), 290.0, rng=rng)
    return np.concatenate([halo, rng.uniform(-520.0, 520.0, (500, 3))])


def snapshot(offsets, centre=1000.0, box=2000.0):
    """The particles of one halo about (centre, centre, centre) of a periodic box."""
    return Snapshot(
        positions=(offsets + centre) % box,
        masses=np.broadcast_to(PARTICLE, len(offsets)),
        box_size=box,
        redshift=0.0,
        scale_factor=1.0,
        cosmology=ABOUT.cosmology,
        softening=3.0,
        path=Path("test"),
    )


def columns(*, seed, empty=()):
    """All columns and boxes; what is known of the past, the truth and the fits is noise."""
    number = sum(HALOS)
    rng, shapes = np.random.default_rng(seed), variables()
    table = {name: np.zeros((number, *one.shape), one.dtype) for name, one in shapes.items() if one.values is None}
    for name, values in table.items():
        if hidden(name):
            values[:] = (100.0 * rng.random(values.shape)).astype(values.dtype)
    boxes = np.empty((number, *BOX.shape))
    volume = 4.0 / 3.0 * np.pi * np.diff(EDGES**3)
    for row in range(number):
        offsets = offsets_of(row, rng=np.random.default_rng([seed, row]))
        particles = index(snapshot(offsets))
        for level, side in enumerate(BOX.sides):
            density = voxelise(particles, [1000.0] * 3, side=side, n=BOX.n, mean_density=MEAN, scheme=BOX.scheme)
            boxes[row, level] = log_density(density)
        table["sphere/counts"][row] = sphere_counts(particles, [1000.0] * 3, sphere_edges(BOX.sides[0]))
        counts = np.histogram(np.linalg.norm(offsets, axis=1), EDGES)[0]
        with np.errstate(divide="ignore"):
            table["log_density"][row] = np.log10(counts * PARTICLE / MEAN / volume)
        table["mass"][row] = len(offsets) * PARTICLE
    table["log_density"][list(empty), 0] = np.nan
    table["r"][:] = np.sqrt(EDGES[1:] * EDGES[:-1])
    table["split"][:] = np.repeat(np.arange(3), HALOS)
    table["simulation"][:] = table["split"] > 0
    return table, boxes


def variables():
    """Columns of a real data set, with a past and a truth."""
    known = halo_columns(BINS, simulations=["a", "b"]) | sphere_columns(BOX.sides[0])
    return known | history_columns((2.0, 1.0, 0.0)) | {"truth/formation": column(about="z_1/2")}


def hidden(name):
    """Whether a column holds what a network must not know."""
    return name.startswith(("history/", "truth/", "rs", "rho_s", "concentration", "einasto", "deviance"))


def write(path, *, seed=0, leave_out=lambda name: False, change=lambda table, boxes: None, empty=(), box=BOX, **about):
    """A data set in the folder `path`."""
    table, boxes = columns(seed=seed, empty=empty)
    change(table, boxes)
    kept = {name: one for name, one in variables().items() if not leave_out(name)}
    store = create(path, attributes=attributes(**about), variables=kept, box=box, halos=len(boxes))
    for rows in store.pending():
        store.write(rows, boxes=boxes[rows], **{name: table[name][rows] for name in kept if name in table})
    return open_dataset(path)
