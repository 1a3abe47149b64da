"""Noise models.

In: the strength of each class of faults. Out: a :class:`Noise` that the program builders place behind every operation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from triptych.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Probabilities of a fault, by class of operation (dimensionless, per operation).

    Attributes
    ----------
    reset : one-qubit depolarizing event after a preparation.
    one_qubit : one-qubit depolarizing event after the basis change that begins an encoder, one for each of its pivots.
    two_qubit : two-qubit depolarizing event after a CNOT.
    measurement : flip of a measured bit.

    Raises
    ------
    ConfigError
        If a rate lies outside [0, 1].

    Examples
    --------
    >>> Noise.uniform(1e-3)
    Noise(reset=0.001, one_qubit=0.0, two_qubit=0.001, measurement=0.001)
    """

    reset: float
    one_qubit: float
    two_qubit: float
    measurement: float

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0 <= rate <= 1:
                raise ConfigError(f"noise.{field.name} is no probability", got=rate, expected="0 <= rate <= 1")

    @classmethod
    def uniform(cls, p: float) -> Noise:
        """The same rate p for preparations, CNOTs and measurements; basis changes and waiting are free."""
        return cls(reset=p, one_qubit=0.0, two_qubit=p, measurement=p)

    @classmethod
    def eshe_rates(cls) -> Noise:
        """The error rates of Table I (eSHe architecture), without decay and movement, which are smaller still."""
        return cls(reset=1e-6, one_qubit=1e-6, two_qubit=1e-4, measurement=1e-4)
