"""How a network is made and trained, as configuration.

In: options from a command line or a TOML file. Out: frozen settings that refuse what cannot be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import jax.numpy as jnp

from triptych.errors import ConfigError
from triptych.halos.network.loss import Penalty
from triptych.learning.schedules import Schedule, piecewise

Sees = Literal["boxes", "sphere", "profile"]
RISE = 2e-4  # of beta in the published schedule
Annealing = Literal["hold_ramp", "published", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The encoder."""

    sees: Sees = field(
        default="boxes",
        metadata={
            "help": "boxes of voxels, by convolutions; particles in spherical cells (fast; the geometry is built in); "
            "or the profile itself (an autoencoder, to compare with)"
        },
    )
    form: Literal["counts", "log_density"] = field(
        default="counts", metadata={"help": "numbers of particles with equal noise, or the Letter's log10(1 + rho/rho_m)"}
    )
    filters: int = field(
        default=16, metadata={"help": "of the first convolution of boxes; each further one has twice as many, up to 8 times"}
    )
    width: int = field(default=64, metadata={"help": "of dense layers"})
    half: bool = field(default=False, metadata={"help": "convolve boxes in bfloat16: fast on accelerators, slow on CPUs"})

    def __post_init__(self) -> None:
        _positive(self, "filters", "width")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The loss."""

    beta: float = field(default=0.02, metadata={"help": "price of a nat in the latents"})
    kl: Literal["sum", "mean"] = field(
        default="sum", metadata={"help": "KL summed over the latents (textbook), or their mean (the authors' code)"}
    )
    tilt: float = field(default=0.35, metadata={"help": "bins count by r^-tilt over their variance among halos"})
    annealing: Annealing = field(
        default="hold_ramp", metadata={"help": "beta is 0, rises, and stays; as the authors' code has it; or does not change"}
    )
    hold: float = field(default=0.3, metadata={"help": "fraction of the training at beta = 0"})
    ramp: float = field(default=0.2, metadata={"help": "fraction of the training in which beta rises"})
    penalty: Penalty = field(default="none", metadata={"help": "on latents that depend on each other"})
    strength: float = field(default=0.1, metadata={"help": "of the penalty"})

    def __post_init__(self) -> None:
        if not 0 <= self.beta < math.inf:
            raise ConfigError("beta cannot be", got=self.beta, expected="a finite number >= 0")
        if not (0 <= self.hold < 1 and 0 < self.ramp <= 1 and self.hold + self.ramp <= 1):
            raise ConfigError("hold and ramp cannot be", got=(self.hold, self.ramp), expected="fractions, together at most 1")
        if not 0 <= self.strength < math.inf:
            raise ConfigError("strength cannot be", got=self.strength, expected="a finite number >= 0")
        if not math.isfinite(self.tilt):
            raise ConfigError("tilt cannot be", got=self.tilt, expected="a finite number")

    def settled(self, epochs: int) -> float:
        """The fraction of the training of `epochs` after which beta changes no more, or less than by a tenth of its rise."""
        if self.annealing == "hold_ramp":
            return self.hold + self.ramp
        if self.annealing == "constant" or self.beta == 0:
            return 0.0
        return min(max(3.2 * (9.0 - math.log(0.1 * self.beta / RISE)), 0.0) / epochs, 1.0)

    def schedule(self, epochs: int) -> Schedule:
        """Beta at a fraction of the training of `epochs`; "published" is beta [1 + 1 / (beta/2e-4 + exp(9 - epoch/3.2))]."""
        beta = self.beta
        if self.annealing == "hold_ramp":
            return piecewise([(self.hold, 0.0), (self.hold + self.ramp, beta)])
        if self.annealing == "constant":
            return lambda t: jnp.full_like(jnp.asarray(t, float), beta)
        return lambda t: beta + beta / (beta / RISE + jnp.exp(9.0 - jnp.asarray(t, float) * epochs / 3.2))


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """The optimiser: AdamW, whose learning rate rises linearly and falls along half a cosine."""

    epochs: int = field(default=64, metadata={"help": "at most"})
    batch: int = field(default=64, metadata={"help": "halos in a step"})
    learning_rate: float = field(default=3e-3, metadata={"help": "the largest"})
    warmup: float = field(default=0.05, metadata={"help": "fraction of the training in which it rises"})
    decay: float = field(default=1e-4, metadata={"help": "of the weights"})
    clip: float = field(default=1.0, metadata={"help": "longest gradient"})
    patience: int = field(
        default=0, metadata={"help": "stop when no seed has improved on validation halos for so many epochs; 0 never does"}
    )

    def __post_init__(self) -> None:
        _positive(self, "epochs", "batch", "learning_rate", "clip")
        if self.patience < 0 or self.decay < 0 or not 0 <= self.warmup < 1:
            raise ConfigError(
                "the optimiser cannot be", got=(self.patience, self.decay, self.warmup), expected="none negative, warmup below 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """A network and its training, given the data."""

    latents: int = field(default=5, metadata={"help": "more than are expected: what is not needed stays at the prior"})
    members: int = field(default=5, metadata={"help": "networks from different seeds, trained side by side on the same batches"})
    decoder: int = field(default=192, metadata={"help": "width of the decoder's two layers"})
    seed: int = field(default=0, metadata={"help": "of all random numbers"})
    symmetries: bool = field(default=True, metadata={"help": "turn and mirror boxes at random by the 48 symmetries of a cube"})
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        _positive(self, "latents", "members", "decoder")
        if self.seed < 0:
            raise ConfigError("seed cannot be", got=self.seed, expected=">= 0")


def _positive(settings: object, *names: str) -> None:
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise ConfigError(f"{name} cannot be", got=getattr(settings, name), expected="a number > 0")
