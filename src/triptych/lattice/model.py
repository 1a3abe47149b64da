"""Trained samplers in files: one `.eqx` names its lattice, its layers and its coupling, and holds the masks and the numbers.

In: a model, or a file or a run directory and what it is wanted for. Out: a file, or the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax

from triptych.errors import ConfigError, DataError
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers, Mode
from triptych.lattice.samplers.networks import Activation
from triptych.lattice.theory import Shape
from triptych.learning import models

KIND = "leapfroglayers"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersConfig:
    """A stack of leapfrog layers before training: a tempered trajectory."""

    number: int = field(default=8, metadata={"help": "N_LF, the number of layers"})
    mode: Mode = field(
        default="merged", metadata={"help": "forwards, flip, backwards; or a single direction, drawn for each chain"}
    )
    network: Literal["bias", "dense"] = field(default="bias", metadata={"help": "each layer only its biases, or dense networks"})
    width: int = field(default=64, metadata={"help": "units in a hidden layer (dense)"})
    depth: int = field(default=2, metadata={"help": "hidden layers (dense)"})
    activation: Activation = field(default="swish", metadata={"help": "of the hidden layers (dense)"})
    shared: bool = field(default=False, metadata={"help": "one pair of networks for all layers"})
    step_size: float = field(default=0.15, metadata={"help": "first step size of every layer"})
    heat: float = field(
        default=0.05, metadata={"help": "what a layer first adds to the logarithm of the momenta; 0 begins with HMC"}
    )

    def __post_init__(self) -> None:
        for name in ("number", "width", "depth"):
            if not getattr(self, name) >= 1:
                raise ConfigError(f"{name} is too small", got=getattr(self, name), expected=">= 1")
        if not 0 < self.step_size < float("inf"):
            raise ConfigError("step_size is no step", got=self.step_size, expected="a finite number > 0")
        if not abs(self.heat) < float("inf"):
            raise ConfigError("heat is no number", got=self.heat, expected="a finite number", fix="0 begins with plain HMC")

    def build(self, shape: Shape, *, key: jax.Array) -> LeapfrogLayers:
        """The layers, with random masks and, where dense, random weights."""
        return LeapfrogLayers.new(
            shape=shape,
            layers=self.number,
            step_size=self.step_size,
            heat=self.heat,
            mode=self.mode,
            width=self.width,
            depth=self.depth if self.network == "dense" else 0,
            activation=self.activation,
            shared=self.shared,
            key=key,
        )


def save(
    path: Path, model: LeapfrogLayers, layers: LayersConfig, *, beta: float, shape: Shape, training: Mapping[str, Any]
) -> None:
    """Write a model in one step.

    Parameters
    ----------
    path : `*.eqx`.
    layers : what the model was built from.
    beta, shape : what it was trained for.
    training : what that took up to this coupling, "steps", "force_evaluations" and "seconds" (shared out evenly over the steps),
        what the model was worth at its end, and the configuration; plain data.
    """
    header = {"kind": KIND, "beta": float(beta), "shape": list(shape), "layers": asdict(layers), "training": dict(training)}
    models.save(path, model, header)


def load(path: Path, beta: float, shape: Shape) -> LeapfrogLayers:
    """Read a model for a lattice.

    Parameters
    ----------
    path : a model's file, which may be run at any coupling (the sampler is exact at all of them), or the run directory of a
        training, of which the model of coupling `beta` is taken.
    beta, shape : what it is wanted for.

    Raises
    ------
    DataError
        If there is no such model, it is damaged, or it belongs to another lattice.
    """
    file = find(path, beta)
    header = models.read_header(file)
    if header["kind"] == KIND and header["shape"] != list(shape):
        raise DataError(
            "the model belongs to another lattice",
            got=f"{file}: {header['shape'][0]},{header['shape'][1]}",
            expected=f"{shape[0]},{shape[1]}",
            fix="give that shape, or train a model for this one",
        )

    def skeleton(header: dict[str, Any]) -> LeapfrogLayers:
        layers = LayersConfig(**header["layers"])
        built: LeapfrogLayers = eqx.filter_eval_shape(lambda key: layers.build(shape, key=key), jax.random.key(0))
        return built

    return models.load(file, skeleton, kind=KIND)


def training(path: Path, beta: float) -> dict[str, Any]:
    """What :func:`save` was told of the training."""
    return dict(models.read_header(find(path, beta))["training"])


def training_price(path: Path, beta: float) -> dict[str, int | float]:
    """What the training of this model took, as attributes of an ensemble: `training_seconds` and `training_force_evaluations`."""
    known = training(path, beta)
    return {f"training_{name}": known[name] for name in ("seconds", "force_evaluations")}


def find(path: Path, beta: float) -> Path:
    """The model's file: `path` itself, or in a run directory the file of this coupling.

    Raises
    ------
    DataError
        If the run directory has no model of this coupling.
    """
    if not path.is_dir():
        return path
    file = path / name_of(beta)
    if not file.exists():
        raise DataError(
            "the run has no model of this coupling",
            got=f"{path}: {', '.join(sorted(one.name for one in path.glob('*.eqx'))) or 'no models'}",
            expected=file.name,
            fix="name one of the files, or train at this coupling",
        )
    return file


def name_of(beta: float) -> str:
    """The name of a model's file in a run directory."""
    return f"model-beta-{beta:g}.eqx"
