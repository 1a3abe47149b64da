"""Samplers as a command line or a TOML file names them.

In: a name and its options. Out: the sampler, or a refusal of an option that it does not have.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import jax

from triptych.errors import ConfigError, did_you_mean
from triptych.lattice.model import find, load
from triptych.lattice.samplers import Sampler
from triptych.lattice.samplers.hmc import HMC, Omelyan
from triptych.lattice.samplers.independent import Independent
from triptych.lattice.samplers.instanton import Instanton
from triptych.lattice.samplers.tempered import Tempered
from triptych.lattice.theory import Shape
from triptych.lattice.tuning import tune_step_size, tune_steps

DEFAULTS: dict[str, dict[str, int | float | None]] = {  # all options of each sampler; None where there is no default
    "hmc": {"steps": 10, "step_size": 0.1, "target_acceptance": None, "length": None},
    "omelyan": {"steps": 5, "step_size": 0.2, "target_acceptance": None, "length": None},
    "tempered": {"steps": 32, "step_size": 0.1, "heat": 0.06, "target_acceptance": None},
    "instanton": {"steps": 10, "step_size": 0.1, "target_acceptance": None, "length": None},
    "leapfroglayers": {"model": None},
    "exact": {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerConfig:
    """How a chain moves. Each sampler has options of its own, with defaults of its own; others are refused."""

    name: Literal["hmc", "omelyan", "tempered", "instanton", "leapfroglayers", "exact"] = field(
        default="hmc", metadata={"help": "the algorithm"}
    )
    steps: int | None = field(
        default=None, metadata={"help": "steps in a trajectory; none takes 10 (hmc, instanton), 5 (omelyan), 32 (tempered)"}
    )
    step_size: float | None = field(
        default=None, metadata={"help": "length of a step; none takes 0.1 (hmc, instanton, tempered), 0.2 (omelyan)"}
    )
    heat: float | None = field(
        default=None, metadata={"help": "tempered: logarithm of the factor on the momenta a step; none takes 0.06"}
    )
    target_acceptance: float | None = field(
        default=None, metadata={"help": "tunes the step size to this mean acceptance, or with a length the number of steps"}
    )
    length: float | None = field(default=None, metadata={"help": "steps x step size; goes with target_acceptance"})
    model: str | None = field(default=None, metadata={"help": "leapfroglayers: run directory of a training, or a .eqx file"})

    def __post_init__(self) -> None:
        if self.name not in DEFAULTS:
            raise ConfigError("no such sampler", got=repr(self.name), fix=did_you_mean(str(self.name), list(DEFAULTS)))
        options = [one.name for one in dataclasses.fields(self) if one.name != "name"]
        given = {option: value for option in options if (value := getattr(self, option)) is not None}
        defaults = DEFAULTS[self.name]
        for option, value in given.items():
            if option not in defaults:
                raise ConfigError(
                    f"the sampler {self.name} has no option {option!r}",
                    got=f"{option} = {value}",
                    expected=", ".join(defaults) or "no options",
                    fix=f"leave it out, or take a sampler that has it: {_samplers_with(option)}",
                )
        self._refuse_bad_tuning(given)
        tuned = {"step_size"} if self.target_acceptance is not None else set()
        tuned |= {"steps"} if self.length is not None else set()
        for option, default in defaults.items():
            if option not in given and option not in tuned:
                object.__setattr__(self, option, default)  # so that config.toml names every number
        if self.name == "leapfroglayers":
            if not self.model:
                raise ConfigError(
                    "the sampler leapfroglayers needs a model",
                    expected="the run directory of triptych lattice train, or a .eqx file",
                    fix="give --sampler.model",
                )
        elif not tuned:
            build(self, beta=0.0, shape=(2, 2), key=jax.random.key(0))  # a sampler refuses what cannot be

    def _refuse_bad_tuning(self, given: dict[str, int | float | str]) -> None:
        if self.target_acceptance is None:
            if self.length is not None:
                raise ConfigError("length goes with target_acceptance", got=self.length, fix="give steps and step_size instead")
            return
        if not 0 < self.target_acceptance < 1:
            raise ConfigError(
                "target_acceptance is no mean acceptance", got=self.target_acceptance, expected="> 0 and < 1", fix="0.8 is usual"
            )
        if self.length is not None and not (math.isfinite(self.length) and self.length > 0):
            raise ConfigError("length is no length of a trajectory", got=self.length, expected="a finite number > 0")
        for tuned in ("step_size", *(["steps"] if self.length is not None else [])):
            if tuned in given:
                raise ConfigError(f"{tuned} is what is tuned", got=given[tuned], fix=f"leave out {tuned} or target_acceptance")

    def inputs(self, beta: float) -> list[Path]:
        """The model's file, for a run at `beta`."""
        return [] if self.model is None else [find(Path(self.model), beta)]


def build(config: SamplerConfig, *, beta: float, shape: Shape, key: jax.Array) -> Sampler:
    """The sampler that a configuration describes.

    Parameters
    ----------
    config : the sampler's name and options.
    beta, shape : what it is for: where it is tuned, and which model is taken from a run directory.
    key : what tuning draws from.

    Raises
    ------
    ConfigError
        If the options cannot be.
    ConvergenceError
        If no step meets the target of the tuning.
    DataError
        If there is no such model, or it is for another lattice.

    Examples
    --------
    >>> build(SamplerConfig(steps=8), beta=4.0, shape=(8, 8), key=jax.random.key(0)).settings()
    {'sampler': 'hmc', 'steps': 8, 'step_size': 0.1}
    """
    if config.name == "exact":
        return Independent()
    if config.model is not None:
        return load(Path(config.model), beta, shape)
    make = _maker(config)
    if config.target_acceptance is None:
        return make(steps=config.steps, step_size=config.step_size)
    target = config.target_acceptance
    if config.length is not None:
        return tune_steps(make, length=config.length, beta=beta, shape=shape, key=key, target=target)
    return tune_step_size(partial(make, steps=config.steps), beta=beta, shape=shape, key=key, target=target)


def _maker(config: SamplerConfig) -> Callable[..., Sampler]:
    """What makes the sampler from `steps` and `step_size`."""
    if config.name == "tempered":
        assert config.heat is not None
        return partial(Tempered, heat=config.heat)
    if config.name == "instanton":
        return lambda **numbers: Instanton(HMC(**numbers))
    return Omelyan if config.name == "omelyan" else HMC


def _samplers_with(option: str) -> str:
    return ", ".join(name for name, options in DEFAULTS.items() if option in options)
