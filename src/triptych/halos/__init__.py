"""Dark-matter halos: real output of GADGET-4 in, masses, density profiles and NFW fits out.

The particles of a snapshot are sorted into a periodic tree; about the centre of each FOF group the sphere of 200 times the mean
density gives mass and radius, shells give the density profile with Poisson errors, and a maximum-likelihood fit gives scale
radius and concentration. Masses and radii agree with SUBFIND's own to better than 1 % for every group of 300 particles or more.
Lengths are comoving kpc/h, masses Msun/h, densities comoving Msun h^2/kpc^3.

Examples
--------
>>> from triptych import halos
>>> table, groups = halos.measure(halos.sample_data(), min_particles=5000), halos.read_catalogue(halos.sample_data())
>>> table["mass"].attrs["units"], table["halo_radius"].attrs["units"]
('Msun/h', 'kpc/h (comoving)')
>>> bool((abs(table["mass"] / groups.m200m[table["id"]] - 1) < 0.01).all())  # SUBFIND's own masses
True
>>> bool((abs(table["concentration"] * table["rs"] / table["halo_radius"] - 1) < 1e-12).all())
True
"""

from triptych.halos.cosmology import CRITICAL_DENSITY, Cosmology
from triptych.halos.measure import measure
from triptych.halos.sample import sample_data
from triptych.halos.simulation.catalogue import Catalogue, Subhalos, read_catalogue, read_subhalos
from triptych.halos.simulation.linking import link_particles
from triptych.halos.simulation.snapshot import Snapshot, read_particle_ids, read_snapshot
from triptych.halos.simulation.tree_files import read_links, read_tree, read_tree_file
from triptych.halos.simulation.trees import Branch, MergerTree, ProgenitorTree
from triptych.halos.structure.nfw import NFWFit, fit_nfw, nfw_density, nfw_mass, nfw_shells, sample_nfw
from triptych.halos.structure.overdensity import MassDefinition, Overdensity, overdensity, threshold
from triptych.halos.structure.shells import Profiles, Stack, density_profiles, log_edges, stack
from triptych.halos.structure.spheres import Particles, Sphere, index

__all__ = [
    "CRITICAL_DENSITY",
    "Branch",
    "Catalogue",
    "Cosmology",
    "MassDefinition",
    "MergerTree",
    "NFWFit",
    "Overdensity",
    "Particles",
    "Profiles",
    "ProgenitorTree",
    "Snapshot",
    "Sphere",
    "Stack",
    "Subhalos",
    "density_profiles",
    "fit_nfw",
    "index",
    "link_particles",
    "log_edges",
    "measure",
    "nfw_density",
    "nfw_mass",
    "nfw_shells",
    "overdensity",
    "read_catalogue",
    "read_links",
    "read_particle_ids",
    "read_snapshot",
    "read_subhalos",
    "read_tree",
    "read_tree_file",
    "sample_data",
    "sample_nfw",
    "stack",
    "threshold",
]
