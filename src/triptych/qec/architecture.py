"""The machine: Table I.

In: a TOML file with the ten rows of Table I. Out: an :class:`Architecture`, which :meth:`triptych.qec.noise.Noise.of` turns into
the rates of the error events. The file of the paper's machine, :data:`ESHE`, is there to be copied for another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

from triptych.errors import ConfigError, did_you_mean
from triptych.runs import config

ESHE = Path(__file__).parent / "architectures" / "eshe.toml"
"""The file of Table I: electron spins on liquid helium."""

DECAYS: MappingProxyType[str, Callable[[float], float]] = MappingProxyType(
    {
        "exponential": lambda ratio: -math.expm1(-ratio),
        "composable": lambda ratio: -0.75 * math.expm1(-4 / 3 * ratio),
        "mixing": lambda ratio: -0.75 * math.expm1(-ratio),
    }
)
"""The probability of an error (X, Y or Z) by the time over the decay constant; Table I does not say which one is meant.

``exponential``, 1 - exp(-t/T), is the default. ``composable``, 3/4 (1 - exp(-4t/3T)), begins with the same slope, and two
intervals make up one of their joint length exactly. In ``mixing``, 3/4 (1 - exp(-t/T)), the qubit is replaced by a maximally
mixed one with probability 1 - exp(-t/T), so that a quarter of the replacements goes unnoticed.
"""


def decayed(time: float, constant: float, decay: str = "exponential") -> float:
    """The probability that a qubit suffers an error within this time (s), given its decay constant (s).

    Raises
    ------
    ConfigError
        If there is no such convention in :data:`DECAYS`.

    Examples
    --------
    >>> [f"{decayed(1e-3, 1e5, name):.3g}" for name in DECAYS]
    ['1e-08', '1e-08', '7.5e-09']
    """
    if decay not in DECAYS:
        raise ConfigError("no such convention for decay", got=decay, fix=did_you_mean(decay, list(DECAYS)))
    return DECAYS[decay](time / constant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What Table I leaves open.

    Attributes
    ----------
    two_qubit_distance : how far the second qubit of a two-qubit gate is brought to the first (um).
    measurement_time : s; as long as a two-qubit gate if not given.
    """

    two_qubit_distance: float = 100.0
    measurement_time: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Timing and noise of a machine, row by row as in Table I.

    Attributes
    ----------
    movement_speed : um/us.
    one_qubit_time, two_qubit_time : duration of a gate (s). A two-qubit gate takes one cycle.
    memory_decay, operation_decay, transport_decay : decay constants (s) of a qubit that waits, is operated on, or moves.
    one_qubit_error, two_qubit_error, measurement_error, reset_error : probabilities per operation, decay not included.
    assumed : what the table leaves open. Besides, the programs assume that ancilla blocks are prepared off-line and never wait,
        that a data block waits in each cycle in which it takes part in no gate, and that a reset takes no time.

    Raises
    ------
    ConfigError
        If a time or speed is not positive, a distance is negative, or an error is no probability.
    """

    movement_speed: float
    one_qubit_time: float
    two_qubit_time: float
    memory_decay: float
    operation_decay: float
    transport_decay: float
    one_qubit_error: float
    two_qubit_error: float
    measurement_error: float
    reset_error: float
    assumed: Assumed = field(default_factory=Assumed)

    def __post_init__(self) -> None:
        for row in fields(self)[:-1]:
            value = getattr(self, row.name)
            if row.name.endswith("_error") and not 0 <= value <= 1:
                raise ConfigError(f"{row.name} is no probability", got=value, expected="0 <= error <= 1")
            if not value > 0 and not row.name.endswith("_error"):
                raise ConfigError(f"{row.name} is impossible", got=value, expected="> 0", fix="inf switches a decay off")
        if not self.assumed.two_qubit_distance >= 0:
            raise ConfigError("assumed.two_qubit_distance is impossible", got=self.assumed.two_qubit_distance, expected=">= 0 um")
        if not self.measurement_time >= 0:
            raise ConfigError("assumed.measurement_time is impossible", got=self.measurement_time, expected=">= 0 s")

    @classmethod
    def load(cls, path: str | Path) -> Architecture:
        """The machine of a TOML file.

        Raises
        ------
        ConfigError
            If the file is missing or malformed, lacks a row, or has one that is not known.
        """
        return config.load(cls, Path(path))

    @classmethod
    def eshe(cls) -> Architecture:
        """The paper's machine, Table I.

        Examples
        --------
        >>> Architecture.eshe().two_qubit_time
        0.001
        """
        return cls.load(ESHE)

    @property
    def measurement_time(self) -> float:
        """Duration of a measurement (s)."""
        return self.two_qubit_time if self.assumed.measurement_time is None else self.assumed.measurement_time

    @property
    def transport_time(self) -> float:
        """How long the second qubit of a two-qubit gate moves (s)."""
        return 1e-6 * self.assumed.two_qubit_distance / self.movement_speed
