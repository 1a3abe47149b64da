"""Noise models.

In: the strength of each class of faults, given one by one or by a machine. Out: a :class:`Noise`, which tells the builder of a
program what error events belong to an operation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from triptych.errors import ConfigError, did_you_mean
from triptych.qec.architecture import Architecture, decayed
from triptych.qec.program import Depolarize1, Depolarize2, Event, Flip, PauliChannel

CLASSES = (
    "reset",
    "one_qubit",
    "two_qubit",
    "measurement",
    "idle",
    "one_qubit_decay",
    "two_qubit_decay",
    "measurement_decay",
    "transport",
)
"""The classes of faults."""

PLACES = ("encoder", "check", "extraction", "logical", "data")
"""Where in a protocol an operation is: in the encoder of an ancilla or in its checks, in the extraction of a syndrome, in a
logical gate, or elsewhere on the data (waiting, final readout)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Probabilities of a fault, by class of operation (dimensionless, per operation).

    Attributes
    ----------
    reset : one-qubit event after a preparation.
    one_qubit : one-qubit event after a gate, and after the basis change that begins an encoder, one for each of its pivots.
    two_qubit : two-qubit event after a gate.
    measurement : flip of a measured bit.
    idle : one-qubit event for each cycle that a qubit waits.
    one_qubit_decay, two_qubit_decay, measurement_decay : one-qubit event on each qubit, for its decay during the operation.
    transport : one-qubit event on the second qubit of a two-qubit gate, which moves to the first.
    bias : how much more likely Z is than X and Y each; 1 is depolarizing. Of the 15 errors of a two-qubit event those without X
        and Y (IZ, ZI, ZZ) are so much more likely than the others each. The rates are the sums over all errors.
    overrides : ("place/class", rate): the rate of a class in one of the :data:`PLACES`; see :meth:`override`.

    Raises
    ------
    ConfigError
        If a rate lies outside [0, 1], the bias is negative or infinite, or an override is not known.

    Examples
    --------
    >>> noise = Noise(reset=0, one_qubit=0, two_qubit=1e-4, measurement=1e-3)
    >>> noise.events("two_qubit", 0, 7)
    (Depolarize2(first=0, second=7, rate=0.0001),)
    >>> noise.events("reset", 0)
    ()
    """

    reset: float
    one_qubit: float
    two_qubit: float
    measurement: float
    idle: float = 0.0
    one_qubit_decay: float = 0.0
    two_qubit_decay: float = 0.0
    measurement_decay: float = 0.0
    transport: float = 0.0
    bias: float = 1.0
    overrides: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        known = [f"{place}/{name}" for place in PLACES for name in CLASSES]
        for name, _ in self.overrides:
            if name not in known:
                fix = did_you_mean(name, known)
                raise ConfigError("no such noise location", got=name, expected="place/class", fix=fix)
        for name, rate in (*((name, getattr(self, name)) for name in CLASSES), *self.overrides):
            if not 0 <= rate <= 1:
                raise ConfigError(f"noise.{name} is no probability", got=rate, expected="0 <= rate <= 1")
        if not 0 <= self.bias < math.inf:
            raise ConfigError("noise.bias is impossible", got=self.bias, expected="0 <= bias < inf", fix="1 is no bias")

    @classmethod
    def uniform(cls, p: float) -> Noise:
        """The same rate p for preparations, CNOTs and measurements; basis changes and waiting are free."""
        return cls(reset=p, one_qubit=0.0, two_qubit=p, measurement=p)

    @classmethod
    def biased(cls, p: float, *, bias: float) -> Noise:
        """The uniform noise of rate p, with Z errors `bias` times as likely as X and Y each; measured bits flip as ever.

        Examples
        --------
        >>> Noise.biased(0.12, bias=10).events("reset", 0)
        (PauliChannel(qubits=(0,), errors=(('X', 0.01), ('Y', 0.01), ('Z', 0.1))),)
        """
        return replace(cls.uniform(p), bias=bias)

    @classmethod
    def eshe_rates(cls) -> Noise:
        """The error rates of Table I (eSHe architecture), without decay and movement, which are smaller still."""
        return cls(reset=1e-6, one_qubit=1e-6, two_qubit=1e-4, measurement=1e-4)

    @classmethod
    def eshe(cls) -> Noise:
        """All ten rows of Table I.

        Examples
        --------
        >>> noise = Noise.eshe()
        >>> print(f"{noise.idle:.3g}, {noise.two_qubit_decay:.3g}, {noise.transport:.3g}")
        1e-08, 2e-07, 4e-11
        """
        return cls.of(Architecture.eshe())

    @classmethod
    def of(cls, architecture: Architecture, *, decay: str = "exponential") -> Noise:
        """The noise of a machine.

        Parameters
        ----------
        architecture : its timing, decay constants and error rates.
        decay : how decay over a time becomes a probability, one of :data:`triptych.qec.architecture.DECAYS`.

        Raises
        ------
        ConfigError
            If there is no such convention for decay.
        """
        machine = architecture
        return cls(
            reset=machine.reset_error,
            one_qubit=machine.one_qubit_error,
            two_qubit=machine.two_qubit_error,
            measurement=machine.measurement_error,
            idle=decayed(machine.two_qubit_time, machine.memory_decay, decay),
            one_qubit_decay=decayed(machine.one_qubit_time, machine.operation_decay, decay),
            two_qubit_decay=decayed(machine.two_qubit_time, machine.operation_decay, decay),
            measurement_decay=decayed(machine.measurement_time, machine.operation_decay, decay),
            transport=decayed(machine.transport_time, machine.transport_decay, decay),
        )

    def override(self, rates: Mapping[str, float]) -> Noise:
        """The same noise but for the rates of these locations, named ``"place/class"`` (:data:`PLACES`, :data:`CLASSES`).

        Raises
        ------
        ConfigError
            If a name is not known or a rate is no probability.

        Examples
        --------
        >>> noise = Noise.uniform(1e-4).override({"check/measurement": 1e-2})
        >>> noise.rate("measurement", place="check"), noise.rate("measurement", place="extraction")
        (0.01, 0.0001)
        """
        return replace(self, overrides=tuple(sorted((dict(self.overrides) | dict(rates)).items())))

    def only(self, name: str) -> Noise:
        """The same noise with this one class of faults alone."""
        silent = {other: 0.0 for other in CLASSES if other != name}
        kept = tuple((location, rate) for location, rate in self.overrides if location.split("/")[1] == name)
        return replace(self, **silent, overrides=kept)

    def rate(self, name: str, *, place: str = "") -> float:
        """The rate of a class of faults at a place."""
        rate: float = dict(self.overrides).get(f"{place}/{name}", getattr(self, name))
        return rate

    def events(self, name: str, *qubits: int, place: str = "") -> tuple[Event, ...]:
        """The error events of a class on these qubits: one on both for ``"two_qubit"``, one on each for the others.

        A rate of 0 leaves no event. Without bias the events are :class:`~triptych.qec.program.Depolarize1` and
        :class:`~triptych.qec.program.Depolarize2`, with bias :class:`~triptych.qec.program.PauliChannel`.
        """
        rate, source = self.rate(name, place=place), location(name, place)
        if rate == 0:
            return ()
        if name == "measurement":
            return tuple(Flip(bit=q, rate=rate, source=source) for q in qubits)
        groups = (qubits,) if name == "two_qubit" else tuple((q,) for q in qubits)
        return tuple(self._event(group, rate, source) for group in groups)

    def _event(self, qubits: tuple[int, ...], rate: float, source: str) -> Event:
        if self.bias == 1:
            if len(qubits) == 1:
                return Depolarize1(qubit=qubits[0], rate=rate, source=source)
            return Depolarize2(first=qubits[0], second=qubits[1], rate=rate, source=source)
        strings = ["".join(letters) for letters in product("IXYZ", repeat=len(qubits))][1:]
        weights = [self.bias if set(string) <= set("IZ") else 1.0 for string in strings]
        shares = [(string, rate * weight / sum(weights)) for string, weight in zip(strings, weights, strict=True)]
        return PauliChannel(qubits=qubits, errors=tuple((string, p) for string, p in shares if p > 0), source=source)


def location(name: str, place: str) -> str:
    """What an event of a class of faults says of its source: ``"place/class"``, or the class alone.

    Examples
    --------
    >>> location("two_qubit", "extraction"), location("two_qubit", "")
    ('extraction/two_qubit', 'two_qubit')
    """
    return f"{place}/{name}" if place else name
