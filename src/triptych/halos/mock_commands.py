"""The verb of ``triptych halos`` that makes the mock universe.

In: a configuration and a run directory. Out: ``dataset.zarr`` in the run directory, or a simulation in the format of GADGET-4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import triptych
from triptych.errors import ConfigError
from triptych.halos.dataset.columns import Kind
from triptych.halos.dataset.gather import Recipe
from triptych.halos.dataset_commands import STORE, BoxConfig, CutsConfig, contents, recipe
from triptych.halos.histories.accretion import output_times
from triptych.halos.mass_function import Power
from triptych.halos.mock.build import SOFTENING, Realisation, build_mock
from triptych.halos.mock.gadget import write_simulation
from triptych.halos.mock.population import box_side
from triptych.halos.mock.universe import LETTER_PARTICLE_MASS, PLANCK, draw_universe
from triptych.runs import Run, stream
from triptych.runs.config import to_dict
from triptych.runs.streams import subseed


@dataclass(frozen=True, slots=True, kw_only=True)
class GadgetConfig:
    """A mock simulation in the files that GADGET-4 writes, instead of a data set."""

    halos: int = field(default=0, metadata={"help": "halos of the simulation; 0 makes a data set"})
    side: int | None = field(
        default=None, metadata={"help": "cube root of the number of particles; none takes the box that so many halos live in"}
    )
    outputs: int = field(default=24, metadata={"help": "outputs from z = 7 to 0, at equal steps of ln a"})
    files: int = field(default=1, metadata={"help": "parts of each snapshot and catalogue"})

    def __post_init__(self) -> None:
        if self.halos < 0 or (self.side is not None and self.side < 1) or self.outputs < 1 or self.files < 1:
            raise ConfigError(
                "an impossible simulation", got=to_dict(self), expected="positive numbers; halos may be 0", fix="set all four"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MockConfig:
    """Halos of a mock universe with known histories, as a data set for a network or as a GADGET-4 simulation."""

    kind: Kind = field(default="infall", metadata={"help": "profiles out to r200m (virial) or 2 r200m (infall)"})
    training: int = field(default=5000, metadata={"help": "halos to train on, in three boxes of their own"})
    validation: int = field(default=1000, metadata={"help": "halos to stop the training by, in a box of their own"})
    test: int = field(default=2000, metadata={"help": "halos to test on, in a box of their own"})
    bins: int | None = field(default=None, metadata={"help": "shells of the profile; none takes 16 (virial) or 13 (infall)"})
    seed: int = field(default=1, metadata={"help": "another seed, another universe"})
    cuts: CutsConfig = field(default_factory=CutsConfig)
    box: BoxConfig = field(default_factory=lambda: BoxConfig(n=16, levels=2, scheme="ngp"))
    gadget: GadgetConfig = field(default_factory=GadgetConfig)

    def __post_init__(self) -> None:
        if min(self.training, self.validation, self.test) < 0 or self.training + self.validation + self.test < 1 or self.seed < 0:
            raise ConfigError(
                "an impossible mock universe",
                got=f"{self.training} + {self.validation} + {self.test} halos, seed {self.seed}",
                expected="at least one halo, none negative; a seed >= 0",
                fix="give --training, --validation, --test and --seed",
            )
        self.recipe()

    def recipe(self) -> Recipe:
        """What is made of every halo, the blanks filled in for the kind."""
        return recipe(self.kind, cuts=self.cuts, box=self.box, bins=self.bins)

    def realisations(self) -> list[Realisation]:
        """The boxes, each a universe of its own: training in three, like the Letter's simulations."""
        shares = np.diff(np.linspace(0, self.training, 4).astype(int))
        boxes = [*(("training", int(share)) for share in shares), ("validation", self.validation), ("test", self.test)]
        return [
            Realisation(f"mock{place}", subseed(self.seed, "mock universe", place), split, halos)  # type: ignore[arg-type]
            for place, (split, halos) in enumerate(boxes, start=1)
            if halos
        ]

    def inputs(self) -> list[Path]:
        """Nothing is read."""
        return []


def mock(config: MockConfig, run: Run) -> dict[str, Any]:
    """Make ``dataset.zarr`` in the run directory; what an interruption leaves is taken up again. Or ``gadget/``, if asked for."""
    if config.gadget.halos:
        return _simulation(config, run)
    provenance = {"triptych": triptych.__version__, "config": to_dict(config)}
    data = build_mock(
        run.path / STORE, config.realisations(), config.recipe(), provenance=provenance, workers=run.workers, dask=run.dask
    )
    return {"dataset": str(run.path / STORE), **contents(data)}


def _simulation(config: MockConfig, run: Run) -> dict[str, Any]:
    lowest, highest = config.recipe().cuts.mass_range(PLANCK)
    times = output_times(config.gadget.outputs) if config.gadget.outputs > 1 else np.ones(1)
    seed = subseed(config.seed, "mock simulation")
    universe = draw_universe(config.gadget.halos, seed=seed, lowest=lowest, highest=highest, scale_factors=times)
    home = box_side(config.gadget.halos, lowest, highest, cosmology=PLANCK, power=Power())
    side = round(home * np.cbrt(PLANCK.mean_density / LETTER_PARTICLE_MASS)) if config.gadget.side is None else config.gadget.side
    folder = write_simulation(
        universe,
        run.path / "gadget",
        particles=side**3,
        softening=SOFTENING,
        files=config.gadget.files,
        rng=stream(config.seed, "places"),
    )
    return {"simulation": str(folder), "halos": config.gadget.halos, "particles": side**3, "outputs": config.gadget.outputs}
