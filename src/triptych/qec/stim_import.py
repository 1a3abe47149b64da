"""Anybody's Stim circuits as programs.

In: a Stim circuit. Out: a linear program whose last bits are the circuit's detectors and observables.

A measured Stim qubit lives on, so that each measurement result is a register qubit of its own, onto which the qubit's error is
copied by a CNOT. Feedback on a result is then a gate that the register controls, and noise on it a bit flip of the register.
Detectors and observables are parities of registers. Pauli gates, inverted results and sweep bits move no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import stim

from triptych.errors import DataError
from triptych.qec import program as do

SILENT = frozenset({"TICK", "QUBIT_COORDS", "I", "X", "Y", "Z", "I_ERROR", "II_ERROR"})
"""Instructions that neither move nor make errors."""

CHANNELS = MappingProxyType(
    {
        "X_ERROR": ("X",),
        "Y_ERROR": ("Y",),
        "Z_ERROR": ("Z",),
        "PAULI_CHANNEL_1": ("X", "Y", "Z"),
        "PAULI_CHANNEL_2": tuple("".join(pair) for pair in product("IXYZ", repeat=2))[1:],
        "HERALDED_ERASE": ("IX", "XX", "YX", "ZX"),
        "HERALDED_PAULI_CHANNEL_1": ("IX", "XX", "YX", "ZX"),
    }
)
"""The errors whose probabilities are the arguments of a channel, in their order; the herald is the second qubit."""

READ = MappingProxyType({"X": "MX", "Y": "MY", "Z": "M"})
LETTERS = "IXZY"  # by x + 2 z
MOST = 1_000_000  # instructions
PARTS = MappingProxyType({"X": 1, "Z": 2, "Y": 3})


class Experiment(NamedTuple):
    """A program, and which of its measured qubits are detectors and observables. Each observable is a scored block."""

    program: do.Program
    detectors: tuple[int, ...]
    observables: tuple[int, ...]


def read(path: str | Path) -> stim.Circuit | stim.DetectorErrorModel:
    """The circuit of a ``.stim`` file, or the detector error model of a ``.dem`` file.

    Raises
    ------
    DataError
        If the file has another ending, or is not what its ending says.
    """
    kinds = {".stim": stim.Circuit, ".dem": stim.DetectorErrorModel}
    kind = kinds.get(Path(path).suffix)
    if kind is None:
        raise DataError("not a file of Stim", got=str(path), expected="a name that ends in .stim or .dem")
    try:
        return kind.from_file(path)
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} cannot be read by Stim", got=str(error).splitlines()[0]) from error


def from_stim(circuit: stim.Circuit) -> Experiment:
    """Translate a circuit.

    Parameters
    ----------
    circuit : Clifford gates, resets, measurements (also of Pauli products), Pauli noise (also correlated and heralded), feedback
        on results, DETECTOR, OBSERVABLE_INCLUDE (of results and of Pauli operators), REPEAT.

    Raises
    ------
    DataError
        If a detector or an observable is random without noise, so that no error can be read from it, or if an instruction is not
        known or stands where it means nothing.

    Notes
    -----
    REPEAT blocks are unrolled. One qubit more for each measurement, detector and observable.

    Examples
    --------
    >>> from triptych.qec import simulate
    >>> circuit = stim.Circuit('''
    ...     X_ERROR(0.25) 0
    ...     M 0
    ...     CX rec[-1] 1
    ...     M 1
    ...     OBSERVABLE_INCLUDE(0) rec[-1]
    ... ''')
    >>> found = simulate(from_stim(circuit).program, criterion=lambda x, z: x == 1)
    >>> print(f"{found.crash_rate.value:.4f}")
    0.2500
    """
    if (steps := _steps(circuit)) > MOST:
        raise DataError(
            "the circuit is too long", got=f"{steps} instructions, repeated ones counted", expected=f"{MOST} or fewer"
        )
    _require_certain(circuit)
    made = _Translation(circuit)
    for step in circuit.flattened():
        made.add(step)
    made.end()
    program = do.Program(instructions=tuple(made.steps), blocks=tuple((bit,) for bit in made.observables))
    return Experiment(program, tuple(made.detectors), tuple(made.observables))


def _steps(circuit: stim.Circuit) -> int:
    """How many instructions the circuit has with its repetitions written out."""
    return sum(
        step.repeat_count * _steps(step.body_copy()) if isinstance(step, stim.CircuitRepeatBlock) else 1 for step in circuit
    )


def _require_certain(circuit: stim.Circuit) -> None:
    try:
        circuit.without_noise().detector_error_model()
    except ValueError as error:
        raise DataError(
            "detectors and observables must be certain without noise",
            got=str(error).splitlines()[0],
            expected="parities of results that noise alone can flip",
        ) from error


class _Translation:
    """The program so far, with the register of each result and the bits of detectors and observables."""

    def __init__(self, circuit: stim.Circuit) -> None:
        self.free: int = circuit.num_qubits
        self.steps: list[do.Instruction] = [do.Prepare(qubit=q) for q in range(circuit.num_qubits)]
        self.records: list[int] = []
        self.detectors: list[int] = []
        self.observables = [self.fresh() for _ in range(circuit.num_observables)]
        self.chain: list[tuple[dict[int, int], float]] = []

    def add(self, step: stim.CircuitInstruction) -> None:
        """One instruction; noise on results strikes their registers after it."""
        name, rates, results = step.name, step.gate_args_copy(), len(self.records)
        if name != "ELSE_CORRELATED_ERROR":
            self.close()
        match name:
            case "DETECTOR":
                self.detectors.append(self.fresh())
                self.sum(step, self.detectors[-1])
                self.steps.append(do.Measure(qubit=self.detectors[-1]))
            case "OBSERVABLE_INCLUDE":
                self.sum(step, self.observables[int(rates[0])])
            case "E":
                self.chain = [(_pauli(step), rates[0])]
            case "ELSE_CORRELATED_ERROR":
                if not self.chain:
                    expected = "E or another one right before it"
                    raise DataError("ELSE_CORRELATED_ERROR without a beginning", got=step, expected=expected)
                self.chain.append((_pauli(step), rates[0]))
            case _ if name in SILENT:
                pass
            case _:
                for group in step.target_groups():
                    self.act(name, group, rates)
        if stim.gate_data(name).produces_measurements and name not in CHANNELS and rates:
            for register in self.records[results:]:
                self.strike((register,), [("X", rates[0])])

    def act(self, name: str, group: list[stim.GateTarget], rates: list[float]) -> None:
        """A gate, a reset, a noiseless measurement or a channel, on one group of targets."""
        qubits = tuple(self.records[one.value] if one.is_measurement_record_target else one.value for one in group)
        match name:
            case "CX" | "CZ" | "SWAP":
                if all(one.is_qubit_target or one.is_measurement_record_target for one in group) and qubits[0] != qubits[1]:
                    self.steps.append(_gate(name, *qubits))
            case "H" | "S":
                self.steps.append(do.H(qubit=qubits[0]) if name == "H" else do.S(qubit=qubits[0]))
            case "R":
                self.steps.append(do.Prepare(qubit=qubits[0]))
            case "M":
                self.records.append(self.fresh())
                self.steps.append(do.CX(control=qubits[0], target=self.records[-1]))
            case "MPAD":
                self.records.append(self.fresh())
            case "DEPOLARIZE1":
                self.steps.append(do.Depolarize1(qubit=qubits[0], rate=rates[0]))
            case "DEPOLARIZE2":
                self.steps.append(do.Depolarize2(first=qubits[0], second=qubits[1], rate=rates[0]))
            case "HERALDED_ERASE" | "HERALDED_PAULI_CHANNEL_1":
                self.records.append(self.fresh())
                shares = [rates[0] / 4] * 4 if name == "HERALDED_ERASE" else rates
                self.strike((*qubits, self.records[-1]), zip(CHANNELS[name], shares, strict=True))
            case _ if name in CHANNELS:
                self.strike(qubits, zip(CHANNELS[name], rates, strict=True))
            case _:
                for part in _simpler(name, group):
                    self.add(part)

    def sum(self, step: stim.CircuitInstruction, bit: int) -> None:
        """Add the errors of results, and of Pauli operators at this moment, to a bit."""
        for target in step.targets_copy():
            if target.is_measurement_record_target:
                register = self.records[target.value]
            else:
                self.add(stim.CircuitInstruction(READ[target.pauli_type], [target.value]))
                register = self.records.pop()
            self.steps.append(do.CX(control=register, target=bit))

    def fresh(self) -> int:
        """A new qubit."""
        self.free += 1
        self.steps.append(do.Prepare(qubit=self.free - 1))
        return self.free - 1

    def strike(self, qubits: tuple[int, ...], errors: Iterable[tuple[str, float]]) -> None:
        """A channel, without the errors that never happen."""
        possible = tuple((string, p) for string, p in errors if p > 0)
        if possible:
            self.steps.append(do.PauliChannel(qubits=qubits, errors=possible))

    def close(self) -> None:
        """A chain of correlated errors, of which at most one happens, is one channel."""
        qubits = tuple(sorted({q for paulis, _ in self.chain for q in paulis}))
        errors: dict[str, float] = {}
        left = 1.0
        for paulis, p in self.chain:
            string = "".join(LETTERS[paulis.get(q, 0)] for q in qubits)
            if string.strip("I"):
                errors[string] = errors.get(string, 0.0) + left * p
            left *= 1 - p
        self.strike(qubits, errors.items())
        self.chain = []

    def end(self) -> None:
        """Close what is open, and measure the observables."""
        self.close()
        self.steps += [do.Measure(qubit=bit) for bit in self.observables]


def _gate(name: str, first: int, second: int) -> do.Gate:
    if name == "CX":
        return do.CX(control=first, target=second)
    return do.CZ(first=first, second=second) if name == "CZ" else do.Swap(first=first, second=second)


def _pauli(step: stim.CircuitInstruction) -> dict[int, int]:
    """Qubit -> x + 2 z, of a product of Pauli operators."""
    paulis: dict[int, int] = {}
    for target in step.targets_copy():
        paulis[target.value] = paulis.get(target.value, 0) ^ PARTS[target.pauli_type]
    return paulis


def _simpler(name: str, group: list[stim.GateTarget]) -> Iterator[stim.CircuitInstruction]:
    """A gate, a reset or a measurement by H, S, CX, R and M, up to signs."""
    if group[0].pauli_type != "I":
        group = stim.target_combined_paulis(group)
    elif group[0].is_inverted_result_target:
        group = [stim.GateTarget(group[0].value), *group[1:]]
    circuit = stim.Circuit()
    circuit.append(name, group)
    for part in circuit.decomposed():
        if part.name == name:
            raise DataError("an instruction that is not known here", got=name, fix="write it by other gates")
        yield part
