"""The halos panel in half a minute: real halos, how far the NFW profile holds, and a mock universe to learn from.

In: the sample of the package. Out: a figure, and comparisons with SUBFIND, with brute force and with halos of known shape.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from triptych.errors import ConfigError
from triptych.halos.commands import MeasureConfig
from triptych.halos.degrees import degrees_of_freedom
from triptych.halos.measure import DENSITY, measure
from triptych.halos.mock.build import build_mock
from triptych.halos.mock_commands import MockConfig
from triptych.halos.plots import tour_figure
from triptych.halos.sample import sample_data
from triptych.halos.simulation.catalogue import Catalogue, read_catalogue
from triptych.halos.simulation.snapshot import Snapshot, read_snapshot
from triptych.halos.structure.nfw import fit_nfw, nfw_mass, nfw_shells, sample_nfw
from triptych.halos.structure.overdensity import Overdensity, overdensity, threshold
from triptych.halos.structure.shells import density_profiles, stack
from triptych.halos.structure.spheres import Particles, index
from triptych.halos.verdicts import halo_verdicts
from triptych.runs import Comparison, Cost, Run, progress, stream
from triptych.statistics import Estimate

SHELLS = 12  # of the stack, inside r200m


@dataclass(frozen=True, slots=True, kw_only=True)
class TourConfig:
    """What the tour shows.

    Attributes
    ----------
    min_particles : smallest FOF group whose mass is compared.
    stacked_particles : smallest FOF group whose profile is stacked.
    known_particles : particles of the halo with known shape.
    mock_halos : in the data set from the mock universe.
    seed : of the bootstrap, of the halo with known shape, and of the mock universe.
    """

    min_particles: int = 300
    stacked_particles: int = 1000
    known_particles: int = 20000
    mock_halos: int = 600
    seed: int = 2023

    def __post_init__(self) -> None:
        for name in ("min_particles", "stacked_particles", "known_particles", "mock_halos"):
            if getattr(self, name) < 100:
                raise ConfigError(f"{name} is too small", got=getattr(self, name), expected=">= 100", fix="take more")

    def inputs(self) -> list[Path]:
        """The snapshot and the catalogue of the sample."""
        return MeasureConfig().inputs()


def tour(config: TourConfig, run: Run) -> dict[str, Any]:
    """Measure the sample and mock halos, write ``results.nc`` and the figure, and return title, story, figure and comparisons."""
    with progress.task("halos", 5) as task:
        snapshot = read_snapshot(sample_data())
        groups = read_catalogue(sample_data())
        task.advance()
        began = time.perf_counter()
        particles = index(snapshot)
        rows = np.flatnonzero(groups.lengths >= config.min_particles)
        masses = overdensity(
            particles, groups.positions[rows], groups.masses[rows], threshold(snapshot.cosmology, "200m", snapshot.redshift)
        )
        price = Cost(seconds=time.perf_counter() - began, counts={"halos": len(rows)})
        comparisons = [
            *_against_subfind(masses, groups, rows, price),
            _against_brute_force(masses, snapshot, groups, rows, price),
        ]
        task.advance()
        halos = measure(snapshot, groups, min_particles=config.stacked_particles, particles=particles)
        results = _stacked(halos, particles, rng=stream(config.seed, "bootstrap"))
        task.advance()
        comparisons.append(_known_halo(config.known_particles, rng=stream(config.seed, "known halo")))
        task.advance()
        mock, mock_price = _mock_halos(config, run)
        comparisons += _against_truth(mock, mock_price)
        degrees = degrees_of_freedom(mock["log_density"], mock["log_density"] - mock["truth/log_density"]).ratio
        task.advance()
    run.save("results.nc", results)
    run.save_figure("halos.png", tour_figure(results, degrees))
    lower, _, upper = results["residual_quantiles"].to_numpy()
    scatter, noise = (upper - lower) / 2, results["residual_noise"].to_numpy()
    ratio, error = results["stack_ratio"].to_numpy()[SHELLS:], results["stack_ratio_error"].to_numpy()[SHELLS:]
    beyond, far = Estimate.statistical(ratio[-1], error[-1]), np.max(np.abs(ratio - 1) / error)
    return {
        "title": "Halos of a real simulation, at the resolution of Lucie-Smith et al. (2023)",
        "story": (
            f"From the {len(snapshot.masses):,} particles of a GADGET-4 run we measured the masses of {len(rows)} halos at z = 0 "
            f"and the profiles and NFW fits of the {halos.sizes['halo']} with {config.stacked_particles} particles or more. "
            "Left, their profiles and the stack, which follows an NFW profile of concentration "
            f"{1 / results['stack_rs'].item():.1f} inside r200m; right, the scatter of the halos about their own fits, which "
            f"grows from {np.median(scatter[:SHELLS]):.2f} dex inside (Poisson noise: {np.median(noise[:SHELLS]):.2f}) to "
            f"{scatter[-1]:.2f} dex at 2 r200m (Poisson noise: {noise[-1]:.2f}), while the stack there is {beyond} times the "
            f"continuation of its fit, and nowhere beyond r200m more than {far:.1f} standard errors from it. The profiles "
            f"of {mock.sizes['halo']} halos of a mock universe, whose truth is known, differ along {int((degrees > 1.5).sum())} "
            "directions by clearly more than noise: as many numbers a network should find in them."
        ),
        "figure": "halos.png",
        "comparisons": [row.to_json() for row in comparisons],
        "claims": [verdict.to_json() for verdict in halo_verdicts(halos, groups)],
    }


def _mock_halos(config: TourConfig, run: Run) -> tuple[xr.Dataset, Cost]:
    """A small data set of the mock universe, in ``mock.zarr`` of the run."""
    settings = MockConfig(kind="infall", training=config.mock_halos, validation=0, test=0, seed=config.seed)
    began = time.perf_counter()
    mock = build_mock(run.path / "mock.zarr", settings.realisations(), settings.recipe())
    return mock.table, Cost(seconds=time.perf_counter() - began, counts={"halos": config.mock_halos})


def _against_truth(mock: xr.Dataset, price: Cost) -> list[Comparison]:
    """Masses and densities of mock halos, measured from their particles, against what they were drawn from."""
    number = mock.sizes["halo"]
    density = (10.0 ** (mock["log_density"] - mock["truth/log_density"])).mean("shell").to_numpy()
    mass = (mock["mass"] / mock["truth/mass"]).to_numpy()
    return [
        Comparison(
            what=what,
            answer=Estimate.statistical(float(values.mean()), float(values.std(ddof=1) / np.sqrt(number))),
            truth=Estimate.exact(1.0),
            price=price,
            rival="the profiles that the particles were drawn from",
            rival_price=None,
            note=f"mean over {number} mock halos",
        )
        for what, values in (("M200m of mock halos over the true one", mass), ("their density over the true one", density))
    ]


def _against_subfind(masses: Overdensity, groups: Catalogue, rows: NDArray[np.intp], price: Cost) -> list[Comparison]:
    ratio = masses.mass / groups.m200m[rows]
    worst = int(np.argmax(np.abs(ratio - 1)))
    note = {
        "median": f"median over {len(rows)} groups",
        "worst": f"worst of {len(rows)} groups (group {rows[worst]}): its density crosses the threshold more than once",
    }
    values = {"median": float(np.median(ratio)), "worst": float(ratio[worst])}
    return [
        Comparison(
            what=f"M200m over SUBFIND's, {which}",
            answer=Estimate.exact(values[which]),
            truth=Estimate.exact(1.0),
            price=price,
            rival="SUBFIND inside GADGET-4",
            rival_price=None,
            note=note[which],
        )
        for which in values
    ]


def _against_brute_force(
    masses: Overdensity, snapshot: Snapshot, groups: Catalogue, rows: NDArray[np.intp], price: Cost
) -> Comparison:
    """The mass inside each r200m, once more from the distances to all particles."""
    began = time.perf_counter()
    total = 0.0
    for centre, radius in zip(groups.positions[rows], masses.radius, strict=True):
        offset = np.abs(snapshot.positions - centre)
        offset = np.minimum(offset, snapshot.box_size - offset)
        total += float(snapshot.masses[np.einsum("ij,ij->i", offset, offset) <= radius**2].sum())
    seconds = time.perf_counter() - began
    return Comparison(
        what="sum of the masses inside r200m [Msun/h]",
        answer=Estimate.exact(float(masses.mass.sum())),
        truth=Estimate.exact(total),
        price=price,
        rival="distances to all particles",
        rival_price=Cost(seconds=seconds, counts={"halos": len(rows)}),
        note="ours also finds the radius; the rival is given it",
    )


def _stacked(halos: xr.Dataset, particles: Particles, *, rng: np.random.Generator) -> xr.Dataset:
    """The table of halos with the stack, its NFW fit, and the residuals of the halos' own fits, on common shells in r / r200m."""
    radius, centres = halos["halo_radius"].to_numpy(), halos["centre"].to_numpy()
    inside = np.geomspace(halos.attrs["innermost_radius"] / radius.min(), 1.0, SHELLS + 1)
    edges = np.append(inside, np.geomspace(1.0, 2.0, 5)[1:])
    mean = stack(particles, centres, radius, edges, rng=rng)
    fit = fit_nfw(inside, mean.density[:SHELLS], mean.error[:SHELLS])
    model = nfw_shells(edges, fit.rs, fit.rho_s)
    own = density_profiles(particles, centres, radius[:, None] * edges)
    fitted = [
        nfw_shells(row, rs, rho_s) for row, rs, rho_s in zip(own.edges, halos["rs"].values, halos["rho_s"].values, strict=True)
    ]
    with np.errstate(divide="ignore"):  # an empty shell lies at minus infinity, which quantiles take as it is
        residuals = np.log10(own.density / np.array(fitted))[halos["problem"].to_numpy() == ""]
    noise = np.median(own.error / np.array(fitted), axis=0) / np.log(10)
    quantiles = [0.16, 0.5, 0.84]
    return halos.assign(
        stack_x=("stack_radius", np.sqrt(edges[:-1] * edges[1:]), {"units": "r200m"}),
        stack_density=("stack_radius", mean.density, {"units": DENSITY}),
        stack_lower=("stack_radius", mean.lower, {"units": DENSITY}),
        stack_upper=("stack_radius", mean.upper, {"units": DENSITY}),
        stack_ratio=("stack_radius", mean.density / model, {"long_name": "stack over its NFW fit"}),
        stack_ratio_error=("stack_radius", mean.error / model, {"long_name": "standard error of the stack over its NFW fit"}),
        stack_rs=((), fit.rs, {"units": "r200m"}),
        stack_rho_s=((), fit.rho_s, {"units": DENSITY}),
        residual_quantiles=(
            ("quantile", "stack_radius"),
            np.quantile(residuals, quantiles, axis=0, method="nearest"),
            {"units": "dex"},
        ),
        residual_noise=("stack_radius", noise, {"units": "dex"}),
    ).assign_coords(quantile=quantiles)


def _known_halo(number: int, *, rng: np.random.Generator) -> Comparison:
    """A halo drawn from an NFW profile of concentration 10, fitted; the rival fits ln density by least squares."""
    radius, rs = 150.0, 15.0
    edges = np.geomspace(9.8, radius, 16)
    counts = np.histogram(sample_nfw(number, rs, radius, rng=rng), edges)[0]
    volume = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    began = time.perf_counter()
    fit = fit_nfw(edges, counts / volume, np.sqrt(np.maximum(counts, 1)) / volume)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    filled = counts > 0

    def log_counts(_: Any, log_rs: float, log_rho_s: float) -> NDArray[np.float64]:
        return np.asarray(np.log(np.diff(nfw_mass(edges, np.exp(log_rs), np.exp(log_rho_s)))[filled]))

    start = (np.log(radius / 5), np.log(number / radius**3))
    best, _ = curve_fit(log_counts, edges, np.log(counts[filled]), p0=start, sigma=counts[filled] ** -0.5, absolute_sigma=True)
    rival_seconds = time.perf_counter() - began
    return Comparison(
        what="concentration of an NFW halo drawn with c = 10",
        answer=Estimate.statistical(float(radius / fit.rs), float(radius * fit.rs_error / fit.rs**2)),
        truth=Estimate.exact(radius / rs),
        price=Cost(seconds=seconds, counts={"particles": number}),
        rival="least squares of ln density (SciPy)",
        rival_price=Cost(seconds=rival_seconds, counts={"particles": number}),
        note=f"the rival finds {radius / np.exp(best[0]):.3f}",
    )
