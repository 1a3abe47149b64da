"""All stations in one call.

In: a snapshot with its catalogue of groups. Out: a table of halos with their masses, radii, density profiles, NFW and
Einasto fits.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from triptych.errors import ConfigError, DataError
from triptych.halos.simulation.catalogue import Catalogue, belong_together, read_catalogue
from triptych.halos.simulation.files import PathLike, catalogue_beside
from triptych.halos.simulation.snapshot import Snapshot, read_snapshot
from triptych.halos.structure.einasto import fit_einasto
from triptych.halos.structure.nfw import fit_nfw
from triptych.halos.structure.overdensity import MassDefinition, overdensity, threshold
from triptych.halos.structure.shells import density_profiles, log_edges
from triptych.halos.structure.spheres import Particles, index
from triptych.runs import progress

MASS, LENGTH, DENSITY = "Msun/h", "kpc/h (comoving)", "Msun h^2/kpc^3 (comoving)"
SOFTENINGS = 3.0  # the profile begins where softened forces no longer shape it


def measure(
    snapshot: Snapshot | PathLike,
    catalogue: Catalogue | None = None,
    *,
    output: int | None = None,
    mass_definition: MassDefinition = "200m",
    min_particles: int = 300,
    inner: float | None = None,
    outer: float = 2.0,
    bins: int = 20,
    particles: Particles | None = None,
) -> xr.Dataset:
    """Masses, radii, density profiles, NFW and Einasto fits of all halos in a snapshot.

    Centres are those of the FOF groups; all particles count, bound or not. The profile has `bins` shells at equal steps of ln r;
    NFW and Einasto profiles are fitted to the shells inside the halo radius. Errors are those of counting particles: where
    ``deviance`` is far above ``dof`` the halo is no such sphere (it has substructure, or is merging), and they say little.

    Parameters
    ----------
    snapshot : what :func:`read_snapshot` returned, or the path of a file or of a run's folder.
    catalogue : what :func:`read_catalogue` returned; by default the catalogue beside the snapshot.
    output : number of the output, where `snapshot` is a folder; None takes the last one.
    mass_definition : 200 times the mean ("200m") or the critical ("200c") density, or a collapsed top hat ("vir").
    min_particles : FOF groups with fewer particles are left out; ``particles`` counts those inside the halo radius instead.
    inner : innermost radius in comoving kpc/h; None takes 3 softening lengths.
    outer : outermost radius, in units of the halo radius.
    bins : number of shells.
    particles : what :func:`index` returned for this snapshot, where it is there already.

    Returns
    -------
    xr.Dataset
        Over ``halo``: ``id`` (number of the FOF group), ``mass``, ``halo_radius``, ``particles`` (inside it),
        ``rs``, ``rho_s``, ``concentration`` = halo_radius / rs, each with ``_error``, ``deviance``, ``dof``, ``problem`` (why the
        fit failed; empty where it did not), ``resolved`` (rs lies inside the shells fitted: nothing is extrapolated);
        of the Einasto fit ``einasto_rs``, ``einasto_rho_s``, ``einasto_alpha``, each with ``_error``, ``einasto_deviance``,
        ``einasto_dof``, ``einasto_problem``.
        Over ``halo, radius``: ``r``, ``density``, ``density_error``, ``counts``, ``filled``; over ``halo, edge``: ``r_edge``.
        Units are attributes; redshift and cosmology are attributes of the set.

    Raises
    ------
    DataError
        If the files cannot be read, snapshot and catalogue do not belong together, no halo is large enough, or a halo does not
        fit into the box.
    ConfigError
        If an option is impossible, or the softening is unknown and `inner` not given.

    Notes
    -----
    O(N log N) for the tree over N particles, then O(n log n) per halo of n: 3 s for 1000 halos among 2e6 particles. Memory
    peaks there at twice the positions (these included).

    Examples
    --------
    >>> from triptych.halos import measure, sample_data
    >>> halos = measure(sample_data("tiny32"), min_particles=1000)
    >>> halos["density"].dims, halos["mass"].attrs["units"]
    (('halo', 'radius'), 'Msun/h')
    >>> enclosed = 4 / 3 * np.pi * halos["halo_radius"] ** 3 * 200 * halos.attrs["mean_density"]
    >>> bool((abs(enclosed / halos["mass"] - 1) < 1e-9).all())  # the definition of M200m
    True
    """
    if min_particles < 1 or not (outer > 0 and math.isfinite(outer)):
        raise ConfigError(
            "an impossible selection", got=f"min_particles {min_particles}, outer {outer}", expected="both positive"
        )
    box = snapshot if isinstance(snapshot, Snapshot) else read_snapshot(snapshot, output)
    groups = read_catalogue(catalogue_beside(box.path)) if catalogue is None else catalogue
    belong_together(box, groups)
    density = threshold(box.cosmology, mass_definition, box.redshift)
    innermost = _innermost(box, inner)
    chosen = np.flatnonzero(groups.lengths >= min_particles)
    if len(chosen) == 0:
        largest = f"the largest has {groups.lengths.max()} particles" if len(groups.lengths) else "the catalogue is empty"
        raise DataError(
            "there is no halo to measure",
            got=f"{len(groups.lengths)} groups at redshift {groups.redshift:.3g}: {largest}",
            expected=f"groups with at least {min_particles} particles",
            fix="take a later output, or lower min_particles",
        )
    centres = groups.positions[chosen]
    with progress.task("halos", 3 * len(chosen)) as task:
        particles = index(box) if particles is None else particles
        spheres = overdensity(particles, centres, groups.masses[chosen], density)
        task.advance(len(chosen))
        profiles = density_profiles(particles, centres, log_edges(innermost, outer * spheres.radius, bins))
        task.advance(len(chosen))
        inside = profiles.edges[:, 1:] <= spheres.radius[:, None] * (1 + 1e-9)
        nfw = fit_nfw(profiles.edges, profiles.density, profiles.error, inside)
        einasto = fit_einasto(profiles.edges, profiles.density, profiles.error, inside)
        task.advance(len(chosen))
    concentration = spheres.radius / nfw.rs
    return xr.Dataset(
        {
            "id": ("halo", chosen, {"long_name": "number of the FOF group"}),
            "centre": (("halo", "axis"), centres, {"units": LENGTH}),
            "mass": ("halo", spheres.mass, {"units": MASS, "long_name": f"M{mass_definition}"}),
            "halo_radius": ("halo", spheres.radius, {"units": LENGTH, "long_name": f"r{mass_definition}"}),
            "particles": ("halo", spheres.particles, {"long_name": f"particles inside r{mass_definition}"}),
            "concentration": ("halo", concentration, {"units": "1"}),
            "concentration_error": ("halo", concentration * nfw.rs_error / nfw.rs, {"units": "1"}),
            "rs": ("halo", nfw.rs, {"units": LENGTH}),
            "rs_error": ("halo", nfw.rs_error, {"units": LENGTH}),
            "rho_s": ("halo", nfw.rho_s, {"units": DENSITY}),
            "rho_s_error": ("halo", nfw.rho_s_error, {"units": DENSITY}),
            "deviance": ("halo", nfw.deviance, {"units": "1"}),
            "dof": ("halo", nfw.dof, {"units": "1"}),
            "problem": ("halo", nfw.problem, {"long_name": "why the NFW fit failed"}),
            "resolved": ("halo", nfw.resolved, {"long_name": "rs lies inside the shells fitted"}),
            "einasto_rs": ("halo", einasto.rs, {"units": LENGTH}),
            "einasto_rs_error": ("halo", einasto.rs_error, {"units": LENGTH}),
            "einasto_rho_s": ("halo", einasto.rho_s, {"units": DENSITY}),
            "einasto_rho_s_error": ("halo", einasto.rho_s_error, {"units": DENSITY}),
            "einasto_alpha": ("halo", einasto.alpha, {"units": "1"}),
            "einasto_alpha_error": ("halo", einasto.alpha_error, {"units": "1"}),
            "einasto_deviance": ("halo", einasto.deviance, {"units": "1"}),
            "einasto_dof": ("halo", einasto.dof, {"units": "1"}),
            "einasto_problem": ("halo", einasto.problem, {"long_name": "why the Einasto fit failed"}),
            "r_edge": (("halo", "edge"), profiles.edges, {"units": LENGTH}),
            "r": (("halo", "radius"), profiles.radius, {"units": LENGTH}),
            "density": (("halo", "radius"), profiles.density, {"units": DENSITY}),
            "density_error": (("halo", "radius"), profiles.error, {"units": DENSITY}),
            "counts": (("halo", "radius"), profiles.counts, {"long_name": "particles in the shell"}),
            "filled": (("halo", "radius"), profiles.filled, {"long_name": "the shell holds particles"}),
        },
        attrs={
            "mass_definition": mass_definition,
            "redshift": box.redshift,
            "scale_factor": box.scale_factor,
            "omega_matter": box.cosmology.omega_matter,
            "omega_lambda": box.cosmology.omega_lambda,
            "hubble": box.cosmology.hubble,
            "box_size": box.box_size,
            "mean_density": box.cosmology.mean_density,
            "innermost_radius": innermost,
        },
    )


def _innermost(snapshot: Snapshot, inner: float | None) -> float:
    if inner is None and snapshot.softening is None:
        raise ConfigError(
            "the snapshot does not tell its softening length",
            expected="Parameters/SofteningComovingClass0",
            fix="give the innermost radius of the profiles in comoving kpc/h: inner",
        )
    radius = SOFTENINGS * (snapshot.softening or 0.0) if inner is None else inner
    if not (radius > 0 and math.isfinite(radius)):
        raise ConfigError(
            "the innermost radius is impossible", got=radius, expected="> 0 kpc/h", fix="give inner in comoving kpc/h"
        )
    return radius
