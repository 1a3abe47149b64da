"""Dark-matter halos: from simulations, or from a mock universe, to what a network can learn from.

Output of GADGET-4 (or, through pynbody, of other codes) becomes particles, groups and merger trees; about the centre of each FOF
group the sphere of 200 times the mean density gives mass and radius, shells give the density profile with Poisson errors, and
maximum-likelihood fits give NFW and Einasto profiles. Along the main branch of the tree masses become accretion histories; grids
about the centre hold the density that a network sees; a data set holds it all. The mock universe makes the same data set from
halos whose truth is known. Lengths are comoving kpc/h, masses Msun/h, densities comoving Msun h^2/kpc^3.

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

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from triptych.halos.cosmology import CRITICAL_DENSITY, Cosmology
from triptych.halos.degrees import Degrees, degrees_of_freedom
from triptych.halos.histories.accretion import AccretionRate, accretion_rate, formation_redshift, output_times
from triptych.halos.histories.mass import mass_history
from triptych.halos.mass_function import Power, tinker08
from triptych.halos.measure import measure
from triptych.halos.sample import sample_data
from triptych.halos.simulation.catalogue import Catalogue, Subhalos, read_catalogue, read_subhalos
from triptych.halos.simulation.linking import link_particles
from triptych.halos.simulation.outside import read_catalogue_with_pynbody, read_with_pynbody
from triptych.halos.simulation.snapshot import Snapshot, read_particle_ids, read_snapshot
from triptych.halos.simulation.tangos_tree import read_tangos_tree, write_properties
from triptych.halos.simulation.tree_files import read_links, read_tree, read_tree_file
from triptych.halos.simulation.trees import Branch, MergerTree, ProgenitorTree
from triptych.halos.structure.einasto import (
    EinastoFit,
    einasto_density,
    einasto_mass,
    einasto_shells,
    fit_einasto,
    sample_einasto,
)
from triptych.halos.structure.nfw import NFWFit, fit_nfw, nfw_density, nfw_mass, nfw_shells, sample_nfw
from triptych.halos.structure.overdensity import MassDefinition, Overdensity, overdensity, threshold
from triptych.halos.structure.shells import Profiles, Stack, density_profiles, log_edges, stack
from triptych.halos.structure.spheres import Particles, Sphere, index
from triptych.halos.voxels.smoothing import Smoothing, smooth
from triptych.halos.voxels.symmetries import apply_symmetry, cube_symmetries

if TYPE_CHECKING:
    from triptych.halos.dataset import DataSet, open_dataset
    from triptych.halos.dataset.build import build
    from triptych.halos.dataset.columns import BoxSpec
    from triptych.halos.dataset.gather import Recipe, Source
    from triptych.halos.dataset.selection import Cuts, Role
    from triptych.halos.mock.build import Realisation, build_mock
    from triptych.halos.mock.gadget import write_simulation
    from triptych.halos.mock.universe import Universe, draw_universe
    from triptych.halos.network import (
        EncoderConfig,
        LossConfig,
        Network,
        NetworkConfig,
        OptimiserConfig,
        load_network,
        train,
    )
    from triptych.halos.voxels.grids import contains, density_from_log, deposit, log_density, voxelise, zoom_grids

_NEEDS = ("colossus", "diffmah", "equinox", "jax", "numba", "optax", "zarr")
for _package in _NEEDS:
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named {_package!r}", name=_package)

#: Names whose rooms import Numba, Zarr or JAX: loaded when they are first used.
_LATER = {
    "BoxSpec": "dataset.columns",
    "build": "dataset.build",
    "build_mock": "mock.build",
    "contains": "voxels.grids",
    "Cuts": "dataset.selection",
    "DataSet": "dataset",
    "density_from_log": "voxels.grids",
    "deposit": "voxels.grids",
    "EncoderConfig": "network",
    "load_network": "network",
    "LossConfig": "network",
    "Network": "network",
    "NetworkConfig": "network",
    "OptimiserConfig": "network",
    "train": "network",
    "draw_universe": "mock.universe",
    "log_density": "voxels.grids",
    "open_dataset": "dataset",
    "Realisation": "mock.build",
    "Recipe": "dataset.gather",
    "Role": "dataset.selection",
    "Source": "dataset.gather",
    "Universe": "mock.universe",
    "voxelise": "voxels.grids",
    "write_simulation": "mock.gadget",
    "zoom_grids": "voxels.grids",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'triptych.halos' has no attribute {name!r}")
    return getattr(importlib.import_module(f"triptych.halos.{_LATER[name]}"), name)


__all__ = [
    "CRITICAL_DENSITY",
    "AccretionRate",
    "BoxSpec",
    "Branch",
    "Catalogue",
    "Cosmology",
    "Cuts",
    "DataSet",
    "Degrees",
    "EinastoFit",
    "EncoderConfig",
    "LossConfig",
    "MassDefinition",
    "MergerTree",
    "NFWFit",
    "Network",
    "NetworkConfig",
    "OptimiserConfig",
    "Overdensity",
    "Particles",
    "Power",
    "Profiles",
    "ProgenitorTree",
    "Realisation",
    "Recipe",
    "Role",
    "Smoothing",
    "Snapshot",
    "Source",
    "Sphere",
    "Stack",
    "Subhalos",
    "Universe",
    "accretion_rate",
    "apply_symmetry",
    "build",
    "build_mock",
    "contains",
    "cube_symmetries",
    "degrees_of_freedom",
    "density_from_log",
    "density_profiles",
    "deposit",
    "draw_universe",
    "einasto_density",
    "einasto_mass",
    "einasto_shells",
    "fit_einasto",
    "fit_nfw",
    "formation_redshift",
    "index",
    "link_particles",
    "load_network",
    "log_density",
    "log_edges",
    "mass_history",
    "measure",
    "nfw_density",
    "nfw_mass",
    "nfw_shells",
    "open_dataset",
    "output_times",
    "overdensity",
    "read_catalogue",
    "read_catalogue_with_pynbody",
    "read_links",
    "read_particle_ids",
    "read_snapshot",
    "read_subhalos",
    "read_tangos_tree",
    "read_tree",
    "read_tree_file",
    "read_with_pynbody",
    "sample_data",
    "sample_einasto",
    "sample_nfw",
    "smooth",
    "stack",
    "threshold",
    "tinker08",
    "train",
    "voxelise",
    "write_properties",
    "write_simulation",
    "zoom_grids",
]
