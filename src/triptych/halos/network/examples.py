"""What a network learns from: halos of a data set, or examples of anything else.

In: a data set. Out: for any rows what the encoder sees, log radii and log densities; and batches in an order that nothing but a
seed decides, read from the disk where they do not fit into memory.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import DataError
from triptych.halos.dataset import SPLITS, DataSet, Split
from triptych.halos.network.inputs import Form, Input, Stored, learn
from triptych.halos.network.model import Profiles
from triptych.halos.network.settings import EncoderConfig
from triptych.halos.voxels.symmetries import apply_symmetry
from triptych.runs.streams import stream

LEARNT_FROM = 1024  # training halos that means and widths are taken from, at most
CHUNK_BYTES = 256 * 2**20  # of batches that are read together
IN_MEMORY = 4 * 2**30  # bytes; larger sets of boxes are read batch by batch

PIECE, PIECE_BYTES = 256, 64 * 2**20  # looked at at a time, at most; convolutions take up to 27 times that

Read = Callable[[NDArray[np.intp]], NDArray[Any]]


class Batch(NamedTuple):
    """Halos of a step, or [step, halo, ...] of a chunk of steps.

    Attributes
    ----------
    stored : [halo, ...].
    query, target : [halo, bin].
    """

    stored: Any
    query: Any
    target: Any


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Inputs, queries and targets of a training.

    Attributes
    ----------
    read : gives what is stored of some rows: (row, ...).
    stored : what that is.
    at_mean : particles in a cell at the mean density of the universe, broadcasts to the cells; 1 where there are no cells.
    profiles : queries and targets of all rows.
    rows : the rows of each split.
    about : what other examples must share, to be seen by the same network.
    source : "mock" or "simulation"; empty where the examples are no halos.
    digest : of the data, by which a training knows its checkpoint.
    cubes : what is stored may be turned and mirrored.
    """

    read: Read
    stored: Stored
    at_mean: NDArray[np.floating] = field(default_factory=lambda: np.ones(()))
    profiles: Profiles
    rows: Mapping[Split, NDArray[np.intp]]
    about: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    digest: str
    cubes: bool = False

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Some rows."""
        return Batch(self.read(rows), self.profiles.query[rows], self.profiles.target[rows])

    def input(self, form: Form) -> Input:
        """What the encoder sees, with means and widths of training halos."""
        rows = self.rows["training"]
        some = self.pieces(rows[:: -(-len(rows) // LEARNT_FROM)])
        return learn(map(self.read, some), self.at_mean, self.stored, form)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of what is stored of one example."""
        anything = next(rows for rows in self.rows.values() if len(rows))
        return self.read(anything[:1]).shape[1:]

    @property
    def bytes(self) -> int:
        """Of what is stored of one example, in 32 bits."""
        return 4 * math.prod(self.shape)

    def pieces(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """The rows in pieces that can be in memory at a time, 64 MiB or one example."""
        size = min(max(PIECE_BYTES // self.bytes, 1), PIECE)
        return [rows[place : place + size] for place in range(0, len(rows), size)]

    def training_profiles(self) -> Profiles:
        """Queries and targets of the training split."""
        rows = self.rows["training"]
        return Profiles(self.profiles.query[rows], self.profiles.target[rows])

    def together(self, batch: int) -> int:
        """Steps whose batches are read at a time: equal parts of an epoch, that fit into 256 MiB where one step does."""
        whole = len(self.rows["training"]) // batch
        return max(whole // -(-whole * batch * self.bytes // CHUNK_BYTES), 1)

    def steps(self, batch: int) -> int:
        """Steps in an epoch, a multiple of :meth:`together`; what is left of the training halos waits for the next one.

        Raises
        ------
        DataError
            If there are fewer training halos than fit into a batch, or none to validate.
        """
        if len(self.rows["training"]) < batch or not len(self.rows["validation"]):
            raise DataError(
                "too few halos to train",
                got=f"{len(self.rows['training'])} to train on, {len(self.rows['validation'])} to validate",
                expected=f"at least a batch of {batch}, and some to validate",
                fix="build a larger data set, with a validation split, or lower the batch",
            )
        together = self.together(batch)
        return len(self.rows["training"]) // batch // together * together

    def chunk(self, first: int, end: int, *, batch: int, seed: int, turn: bool) -> Batch:
        """The batches of the steps from `first` to before `end`, [step, halo, ...]: a new order in each epoch.

        `turn` applies one of the 48 symmetries of a cube to each box, at random.
        """
        steps = self.steps(batch)
        orders = {epoch: self._order(epoch, seed) for epoch in range(first // steps, (end - 1) // steps + 1)}
        rows = np.concatenate([orders[step // steps][step % steps * batch :][:batch] for step in range(first, end)])
        one = self.batch(rows)
        if turn and self.cubes:
            kinds = np.concatenate([stream(seed, "symmetries", step).integers(48, size=batch) for step in range(first, end)])
            one = one._replace(stored=np.stack([apply_symmetry(box, int(k)) for box, k in zip(one.stored, kinds, strict=True)]))
        return Batch(*(array.reshape(end - first, batch, *array.shape[1:]) for array in one))

    def _order(self, epoch: int, seed: int) -> NDArray[np.intp]:
        return stream(seed, "order of the halos", epoch).permutation(self.rows["training"])


def of_halos(data: DataSet, encoder: EncoderConfig) -> Examples:
    """The halos of a data set, for an encoder; halos with an empty bin are left out.

    Raises
    ------
    DataError
        If the data set has no spherical cells, or its simulations differ in resolution where particles are to be counted.
    """
    table = data.table
    target = table["log_density"].to_numpy().astype(np.float32)
    profiles = Profiles(np.log10(table["r"].to_numpy()).astype(np.float32), target)
    whole = np.isfinite(target).all(axis=1)
    rows = {split: np.intersect1d(data.rows(split), np.flatnonzero(whole)) for split in SPLITS}
    common: dict[str, Any] = {
        "profiles": profiles,
        "rows": rows,
        "about": describe(data),
        "source": data.attributes.source,
        "digest": data.digest,
    }
    if encoder.sees == "profile":
        return Examples(read=lambda some: target[some], stored="plain", **common)
    counted = encoder.form == "counts" or encoder.sees == "sphere"
    per_volume = data.attributes.cosmology.mean_density / _particle_mass(data) if counted else 1.0
    if encoder.sees == "sphere":
        if "sphere/counts" not in table:
            raise DataError(
                "the data set has no spherical cells",
                got=data.path,
                expected="the column sphere/counts",
                fix="build it again with this version, or take the encoder that sees boxes",
            )
        counts = table["sphere/counts"].to_numpy()
        layers = 4.0 / 3.0 * np.pi * np.diff(table["sphere/edge"].to_numpy() ** 3)
        at_mean = (per_volume * layers / counts.shape[-1])[:, None]
        return Examples(read=lambda some: counts[some], stored="counts", at_mean=at_mean, **common)
    at_mean = per_volume * (np.array(data.box.sides) / data.box.n) ** 3
    read: Read = data.read
    if data.box.bytes * len(table["id"]) <= IN_MEMORY:
        boxes = data.read(np.arange(len(table["id"])))
        read = lambda some: boxes[some]  # noqa: E731 (what is read is chosen here)
    return Examples(read=read, stored="log_density", at_mean=at_mean[:, None, None, None], cubes=True, **common)


def vectors(inputs: ArrayLike, *, query: ArrayLike, target: ArrayLike, validation: int, test: int = 0) -> Examples:
    """Examples that are plain vectors, such as power spectra that lead to mass functions; the last ones validate and test.

    Parameters
    ----------
    inputs : (example, number), what the encoder sees.
    query, target : (example, bin), where and what the decoder is to give.
    validation, test : how many of the examples.

    Raises
    ------
    DataError
        If the arrays are of different length, or not finite.
    """
    seen = np.asarray(inputs, np.float32)
    profiles = Profiles(np.asarray(query, np.float32), np.asarray(target, np.float32))
    number = len(seen)
    if profiles.query.shape != profiles.target.shape or len(profiles.query) != number or seen.ndim != 2:
        raise DataError(
            "inputs, queries and targets do not belong together",
            got=f"{seen.shape}, {profiles.query.shape}, {profiles.target.shape}",
            expected="(example, number), (example, bin) and (example, bin)",
        )
    if not all(np.isfinite(array).all() for array in (seen, *profiles)):
        raise DataError("examples that are not finite", expected="finite numbers", fix="leave these examples out")
    ends = np.cumsum([number - validation - test, validation])
    rows = dict(zip(SPLITS, np.split(np.arange(number), ends), strict=True))
    shapes = repr((seen.shape, profiles.query.shape, ends.tolist())).encode()
    digest = hashlib.sha256(shapes + b"".join(array.tobytes() for array in (seen, *profiles))).hexdigest()
    return Examples(read=seen.__getitem__, stored="plain", profiles=profiles, rows=rows, digest=digest)


def describe(data: DataSet) -> dict[str, Any]:
    """What two data sets must share, to be seen by the same network."""
    return {
        "kind": data.attributes.kind,
        "n": data.box.n,
        "sides": [round(side, 6) for side in data.box.sides],
        "scheme": data.box.scheme,
        "bins": data.table.sizes["shell"],
        "outer": data.attributes.outer,
        "redshift": data.attributes.redshift,
        "particle_mass": data.attributes.simulations[0].particle_mass,
        "mean_density": data.attributes.cosmology.mean_density,
    }


def _particle_mass(data: DataSet) -> float:
    masses = [one.particle_mass for one in data.attributes.simulations]
    if max(masses) > 1.01 * min(masses):
        raise DataError(
            "the simulations differ in resolution",
            got=f"particles of {min(masses):.4g} to {max(masses):.4g} Msun/h",
            expected="one particle mass, so that particles can be counted",
            fix="make a data set of each",
        )
    return masses[0]
