"""The verbs of ``triptych halos`` that make a data set and look into one.

In: a configuration and a run directory. Out: ``dataset.zarr`` in the run directory, or a JSON summary and a page of figures.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import triptych
from triptych.errors import ConfigError
from triptych.halos.dataset import SPLITS, BoxSpec, Cuts, DataSet, Role, Split, open_dataset, roles
from triptych.halos.dataset.build import build as build_dataset
from triptych.halos.dataset.columns import Kind
from triptych.halos.dataset.gather import Recipe, Source, has_histories
from triptych.halos.dataset.inspect import inspect as look_into
from triptych.halos.dataset.plots import dataset_figure
from triptych.halos.dataset.store import store_folder
from triptych.halos.mass_function import Power
from triptych.halos.sample import sample_data
from triptych.halos.simulation.files import catalogue_beside, locate, parts_present, run_folder
from triptych.halos.verdicts import number_verdicts
from triptych.halos.voxels.grids import Scheme, zoom_sides
from triptych.runs import Run, stream
from triptych.runs.config import to_dict

STORE = "dataset.zarr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A kind of data set in the Letter: side of the boxes (kpc/h), end of the profiles (r200m), widest halo (kpc/h), shells."""

    side: float
    outer: float
    largest_radius: float | None
    bins: int


PRESETS: dict[Kind, Preset] = {
    "virial": Preset(side=400.0, outer=1.0, largest_radius=None, bins=16),
    "infall": Preset(side=600.0, outer=2.0, largest_radius=150.0, bins=13),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CutsConfig:
    """Which halos enter."""

    lowest: float = field(default=11.0, metadata={"help": "log10 of the smallest M200m in Msun (not Msun/h)"})
    highest: float = field(default=13.0, metadata={"help": "log10 of the largest M200m in Msun"})
    largest_radius: float | None = field(
        default=None, metadata={"help": "largest r200m in comoving kpc/h; none takes all (virial) or 150 (infall)"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxConfig:
    """The boxes of voxels."""

    n: int = field(default=131, metadata={"help": "voxels along a side"})
    side: float | None = field(default=None, metadata={"help": "comoving kpc/h; none takes 400 (virial) or 600 (infall)"})
    levels: int = field(default=1, metadata={"help": "nested boxes, each of n^3 voxels"})
    zoom: float = field(default=4.0, metadata={"help": "ratio of the sides of successive levels"})
    scheme: Scheme = field(default="sph", metadata={"help": "how particles are spread over voxels"})
    dtype: Literal["float16", "float32"] = field(default="float16", metadata={"help": "precision in the store"})


def recipe(kind: Kind, *, cuts: CutsConfig, box: BoxConfig, bins: int | None) -> Recipe:
    """What is made of every halo, the blanks filled in for the kind."""
    preset = PRESETS[kind]
    if bins is not None and bins < 3:
        raise ConfigError("bins is impossible", got=bins, expected=">= 3, for two parameters", fix="give another --bins")
    widest = preset.largest_radius if cuts.largest_radius is None else cuts.largest_radius
    sides = tuple(zoom_sides(preset.side if box.side is None else box.side, box.levels, box.zoom))
    return Recipe(
        kind=kind,
        outer=preset.outer,
        bins=preset.bins if bins is None else bins,
        cuts=Cuts(lowest=cuts.lowest, highest=cuts.highest, largest_radius=widest),
        box=BoxSpec(n=box.n, sides=sides, scheme=box.scheme, dtype=box.dtype),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """A data set for a network from output of GADGET-4: boxes, profiles, fits and histories of all halos inside the cuts."""

    training: tuple[str, ...] = field(
        default=(), metadata={"help": "folders of the runs to train on; without any folder at all, the sample of the package"}
    )
    validation: tuple[str, ...] = field(default=(), metadata={"help": "folders of the runs to stop the training by"})
    test: tuple[str, ...] = field(default=(), metadata={"help": "folders of the runs to test on; may be those of validation"})
    kind: Kind = field(default="virial", metadata={"help": "profiles out to r200m (virial) or 2 r200m (infall)"})
    bins: int | None = field(default=None, metadata={"help": "shells of the profile; none takes 16 (virial) or 13 (infall)"})
    inner: float | None = field(default=None, metadata={"help": "innermost radius in comoving kpc/h; none takes 3 softenings"})
    min_particles: int = field(default=300, metadata={"help": "FOF groups with fewer particles are not looked at"})
    histories: bool = field(default=True, metadata={"help": "follow the halos back through the merger trees"})
    seed: int = field(default=1, metadata={"help": "of the division of a run into validation and test"})
    cuts: CutsConfig = field(default_factory=CutsConfig)
    box: BoxConfig = field(default_factory=BoxConfig)

    def __post_init__(self) -> None:
        if self.min_particles < 1:
            raise ConfigError("min_particles is impossible", got=self.min_particles, expected=">= 1")
        self.recipe()

    def folders(self) -> dict[Split, list[Path]]:
        """The folders by what they are for."""
        given: dict[Split, tuple[str, ...]] = dict(zip(SPLITS, (self.training, self.validation, self.test), strict=True))
        if not any(given.values()):
            return {"training": [sample_data()]}
        return {split: [run_folder(folder).resolve() for folder in folders] for split, folders in given.items()}

    def sources(self) -> dict[Path, Role]:
        """Each folder with its name, which is as much of the end of its path as tells the folders apart, and its splits."""
        given = self.folders()
        folders = list(dict.fromkeys(folder for some in given.values() for folder in some))
        depth = next(depth for depth in range(1, 100) if len({folder.parts[-depth:] for folder in folders}) == len(folders))
        names = {folder: "/".join(folder.parts[-depth:]).replace(" ", "_") for folder in folders}
        named = roles({split: [names[folder] for folder in some] for split, some in given.items()})
        paths = {name: folder for folder, name in names.items()}
        return {paths[role.simulation]: role for role in named}

    def recipe(self) -> Recipe:
        """What is made of every run, the blanks filled in for the kind."""
        made = recipe(self.kind, cuts=self.cuts, box=self.box, bins=self.bins)
        return replace(made, inner=self.inner, min_particles=self.min_particles, histories=self.histories, seed=self.seed)

    def inputs(self) -> list[Path]:
        """All files that are read: the last output, and for histories everything that the run wrote."""
        return [path for folder in self.sources() for path in self.files(folder)]

    def files(self, folder: Path) -> list[Path]:
        """The files of one run."""
        if self.histories and has_histories(folder):
            return sorted(folder.rglob("*.hdf5"))
        first = locate(folder, "snapshot")
        return [*parts_present(first), *parts_present(catalogue_beside(first))]


def build(config: BuildConfig, run: Run) -> dict[str, Any]:
    """Build the data set as ``dataset.zarr`` in the run directory; what an interruption leaves is taken up again."""
    digests = run.manifest["inputs"]
    sources = []
    for folder, role in config.sources().items():
        found = {str(path.relative_to(folder)): digests.get(path.name) or digests[str(path)] for path in config.files(folder)}
        sources.append(Source(folder=folder, role=role, inputs=found))
    settings = {key: value for key, value in to_dict(config).items() if key not in SPLITS}
    provenance = {"triptych": triptych.__version__, "config": settings}
    data = build_dataset(run.path / STORE, sources, config.recipe(), provenance=provenance, keep=run, workers=run.workers)
    return {"dataset": str(run.path / STORE), **contents(data)}


def contents(data: DataSet) -> dict[str, Any]:
    """What a data set says of itself, for a summary."""
    attributes = data.attributes
    return {
        "source": attributes.source,
        "kind": attributes.kind,
        "halos": data.table.sizes["halo"],
        "splits": {split: len(data.rows(split)) for split in SPLITS},
        "simulations": [
            {
                "name": one.name,
                "splits": ", ".join(one.splits),
                "halos": one.halos,
                "lost": dict(one.lost),
                "box_size": one.box_size,
                "particle_mass": one.particle_mass,
                "softening": one.softening,
            }
            for one in attributes.simulations
        ],
        "cuts": asdict(attributes.cuts),
        "cosmology": asdict(attributes.cosmology),
        "redshift": attributes.redshift,
        "boxes": {**asdict(data.box), "sides": list(data.box.sides)},
        "units": {"mass": "Msun/h", "length": "comoving kpc/h", "boxes": "log10(1 + rho/rho_m)"},
        "warnings": list(attributes.warnings),
        "digest": data.digest,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectConfig:
    """What a data set holds: counts, cuts, the mass function beside Tinker et al. (2008), and a page of figures."""

    path: str = field(default="", metadata={"positional": True, "help": "the data set, or the run directory that holds it"})
    sigma8: float = field(default=Power().sigma8, metadata={"help": "of the simulations; for the expected mass function"})
    spectral_index: float = field(default=Power().spectral_index, metadata={"help": "likewise"})
    omega_baryon: float = field(default=Power().omega_baryon, metadata={"help": "likewise"})
    shown: int = field(default=4, metadata={"help": "halos drawn at random for the figure"})
    seed: int = field(default=1, metadata={"help": "of that draw"})

    def __post_init__(self) -> None:
        if not (self.path and self.shown >= 1 and self.sigma8 > 0 and self.omega_baryon > 0):
            raise ConfigError(
                "nothing to inspect",
                got=f"path {self.path!r}, shown {self.shown}, sigma8 {self.sigma8}, omega_baryon {self.omega_baryon}",
                expected="a path, and positive numbers",
                fix="triptych halos inspect PATH",
            )

    def inputs(self) -> list[Path]:
        """All files but the boxes themselves, whose digests are a column."""
        folder = store_folder(self.path)
        files = (path for path in folder.rglob("*") if path.is_file())
        return sorted(path for path in files if path.relative_to(folder).parts[0] != "boxes")


def inspect(config: InspectConfig, run: Run) -> dict[str, Any]:
    """Look into a data set; the figure page is ``figures/dataset.png``."""
    data = open_dataset(config.path)
    power = Power(sigma8=config.sigma8, spectral_index=config.spectral_index, omega_baryon=config.omega_baryon)
    found = look_into(data, power=power)
    run.save_figure("dataset.png", dataset_figure(data, found, shown=config.shown, rng=stream(config.seed, "shown")))
    claims = [verdict.to_json() for verdict in number_verdicts(data.attributes.cosmology, power)]
    return {**contents(data), **found.to_json(), "figure": "dataset.png", "claims": claims}
