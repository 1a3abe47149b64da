"""Write a program of your own.

In: operations, one after another, and a noise model. Out: a checked :class:`~triptych.qec.program.Program` in which every
operation is followed by its error events. This is the one place that knows how noise follows operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from triptych.errors import ConfigError, did_you_mean
from triptych.qec import program as do
from triptych.qec.noise import PLACES, Noise, location


class Builder:
    """A program under construction; all methods but :meth:`block`, :meth:`verify` and :meth:`program` return the builder itself.

    Parameters
    ----------
    noise : what error events belong to each operation.
    place : where in the protocol the first operations are; see :meth:`at`.

    Notes
    -----
    Tasks (:class:`~triptych.qec.program.Syndrome`, :class:`~triptych.qec.program.Correct`,
    :class:`~triptych.qec.program.Split`, ...) and operations that shall be free of noise go in by :meth:`add`.

    Examples
    --------
    Three qubits that repeat a bit, whose two parities are measured once:

    >>> from triptych.qec import Noise, simulate
    >>> from triptych.qec.program import Correct, Split, Syndrome
    >>> circuit = Builder(noise=Noise.uniform(1e-3))
    >>> data = circuit.block(3)
    >>> circuit = circuit.prepare(3, 4).cx(0, 3).cx(1, 3).cx(1, 4).cx(2, 4).measure(3, 4)
    >>> syndrome = Syndrome(bits=(3, 4), checks=((0,), (1,)))
    >>> correction = Correct(syndromes=((3, 4),), table=((), (0,), (2,), (1,)), pauli="X")
    >>> program = circuit.add(syndrome, correction, Split(qubits=(3, 4))).program(blocks=[data])
    >>> simulate(program, criterion=lambda x, z: x.bit_count() > 1).crash_rate.value < 5e-3
    True

    Qubits 5 and 6 in a Bell state whose parity is checked, prepared again until the check is passed:

    >>> bell = Builder(noise=Noise.uniform(1e-3)).prepare(0, basis="X").prepare(1, 2)
    >>> bell = bell.cx(0, 1).cx(0, 2).cx(1, 2).measure(2)
    >>> circuit.verify(bell, checks=(2,), first=5)
    (5, 6)
    """

    def __init__(self, *, noise: Noise, place: str = "") -> None:
        self.noise = noise
        self.instructions: list[do.Instruction] = []
        self._place = place
        self.at(place)

    def at(self, place: str) -> Self:
        """Name the place of the operations that follow, one of :data:`~triptych.qec.noise.PLACES` ("" is none of them).

        Raises
        ------
        ConfigError
            If there is no such place.
        """
        if place and place not in PLACES:
            raise ConfigError("no such place", got=place, fix=did_you_mean(place, list(PLACES)))
        self._place = place
        return self

    def add(self, *instructions: do.Instruction) -> Self:
        """Instructions as they are, without noise."""
        self.instructions += instructions
        return self

    def strike(self, name: str, *qubits: int) -> Self:
        """The error events of one class of faults on these qubits, without an operation."""
        return self.add(*self.noise.events(name, *qubits, place=self._place))

    def block(self, size: int, *, first: int | None = None) -> tuple[int, ...]:
        """Error-free qubits in ``|0>``; their numbers, which begin at `first`, or behind those that are in use."""
        start = self._behind() if first is None else first
        qubits = tuple(range(start, start + size))
        self.add(*(do.Prepare(qubit=q) for q in qubits))
        return qubits

    def prepare(self, *qubits: int, basis: do.Basis = "Z") -> Self:
        """Reset each qubit to ``|0>`` (basis Z) or ``|+>`` (basis X)."""
        for q in qubits:
            self.add(do.Prepare(qubit=q, basis=basis)).strike("reset", q)
        return self

    def h(self, *qubits: int) -> Self:
        """Hadamard gates."""
        return self._one_qubit(do.H, qubits)

    def s(self, *qubits: int) -> Self:
        """Phase gates."""
        return self._one_qubit(do.S, qubits)

    def x(self, *qubits: int) -> Self:
        """Pauli X gates."""
        return self._one_qubit(do.X, qubits)

    def y(self, *qubits: int) -> Self:
        """Pauli Y gates."""
        return self._one_qubit(do.Y, qubits)

    def z(self, *qubits: int) -> Self:
        """Pauli Z gates."""
        return self._one_qubit(do.Z, qubits)

    def cx(self, control: int, target: int) -> Self:
        """Controlled NOT."""
        return self._two_qubit(do.CX(control=control, target=target), control, target)

    def cz(self, first: int, second: int) -> Self:
        """Controlled phase."""
        return self._two_qubit(do.CZ(first=first, second=second), first, second)

    def swap(self, first: int, second: int) -> Self:
        """Exchange two qubits by a gate."""
        return self._two_qubit(do.Swap(first=first, second=second), first, second)

    def measure(self, *qubits: int, basis: do.Basis = "Z") -> Self:
        """Turn qubits into bits, which are 1 where an error flips the outcome."""
        for q in qubits:
            self.strike("measurement_decay", q).add(do.Measure(qubit=q, basis=basis)).strike("measurement", q)
        return self

    def read(self, *qubits: int) -> Self:
        """The noise of a final readout in the Z basis: an X error with the measurement rate.

        The qubits are not turned into bits, so that criteria that look at the Z parts can still score them.
        """
        rate, source = self.noise.rate("measurement", place=self._place), location("measurement", self._place)
        for q in qubits:
            self.strike("measurement_decay", q)
            if rate > 0:
                self.add(do.PauliChannel(qubits=(q,), errors=(("X", rate),), source=source))
        return self

    def idle(self, *qubits: int, cycles: int = 1) -> Self:
        """Each qubit waits, with one event for each cycle."""
        for _ in range(cycles):
            self.strike("idle", *qubits)
        return self

    def transport(self, *qubits: int, moves: int = 1) -> Self:
        """Each qubit moves, with one event for each move; two-qubit gates move their second qubit by themselves."""
        for _ in range(moves):
            self.strike("transport", *qubits)
        return self

    def hidden(self, probability: float = 0.0) -> int:
        """A classical bit of the environment, which is 1 with this probability; its number, behind those that are in use."""
        bit = self._behind()
        self.add(do.Hidden(bit=bit, probability=probability))
        return bit

    def switch(self, bit: int, *, on: float, off: float) -> Self:
        """A step of random telegraph noise: the bit goes from 0 to 1 with probability `on`, from 1 to 0 with `off`."""
        return self.add(do.Switch(bit=bit, on=on, off=off))

    def when(self, bit: int, *events: do.Event) -> Self:
        """Error events that strike only where the bit is 1, such as those that ``noise.events`` returns."""
        return self.add(*(do.When(bit=bit, event=event) for event in events))

    def verify(
        self,
        body: Builder,
        *,
        checks: Iterable[int],
        first: int | None = None,
        supply: int | None = None,
        otherwise: Literal["abort", "skip", "use"] = "abort",
    ) -> tuple[int, ...]:
        """A block that another builder has prepared on qubits 0, 1, ..., with checks that must be 0.

        The options are those of :class:`~triptych.qec.program.Verify`; without `first` the block lies behind the qubits in use.

        Returns
        -------
        The qubits of the block, its checks left out.
        """
        start = self._behind() if first is None else first
        released = tuple(checks)
        self.add(do.Verify(body=tuple(body.instructions), checks=released, first=start, supply=supply, otherwise=otherwise))
        made = {step.qubit for step in body.instructions if isinstance(step, do.Prepare)}
        return tuple(start + q for q in sorted(made - set(released)))

    def program(self, *, blocks: Iterable[tuple[int, ...]]) -> do.Program:
        """The program so far, scored by these code blocks.

        Raises
        ------
        ConfigError
            If the program is impossible; see :class:`~triptych.qec.program.Program`.
        """
        return do.Program(instructions=tuple(self.instructions), blocks=tuple(blocks))

    def _one_qubit(self, gate: type[do.H | do.S | do.X | do.Y | do.Z], qubits: tuple[int, ...]) -> Self:
        for q in qubits:
            self.add(gate(qubit=q)).strike("one_qubit", q).strike("one_qubit_decay", q)
        return self

    def _two_qubit(self, gate: do.Gate, first: int, second: int) -> Self:
        self.transport(second).add(gate)
        return self.strike("two_qubit", first, second).strike("two_qubit_decay", first, second)

    def _behind(self) -> int:
        """One more than the highest number of a qubit or bit that has been used."""
        return max((q + 1 for step in self.instructions for q in do.started(step)), default=0)
