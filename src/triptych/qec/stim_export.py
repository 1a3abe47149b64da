"""Programs as Stim circuits.

In: a program whose verifications are post-selected. Out: a Stim circuit without feedback, and how to decode its samples: a
correction is a Pauli frame, so that it can be added afterwards, to the later measurements and to the final errors at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import stim
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.montecarlo.frames import lost, vote, width

Flips = NDArray[np.bool_]
Records = tuple[int, ...]
"""A bit is the parity of these measurements of the circuit."""

BATCH = 16_384


class Selected(NamedTuple):
    """Of `shots` runs, `accepted` pass every check at the first try, and `crashes` of these crash."""

    crashes: int
    accepted: int
    shots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A vote, and for each qubit of its table what a Pauli there does to all that follows.

    Attributes
    ----------
    syndromes : the bits of each syndrome, as parities of measurements.
    absent : a marker bit for each syndrome, or none.
    table : qubits to correct, for each value.
    flips, x, z : qubit -> the (measurement,), (qubit,), (qubit,) flips caused by the correction of that qubit.
    """

    syndromes: tuple[tuple[Records, ...], ...]
    absent: tuple[Records, ...]
    table: tuple[tuple[int, ...], ...]
    flips: dict[int, Flips]
    x: dict[int, Flips]
    z: dict[int, Flips]


@dataclass(frozen=True, slots=True, kw_only=True)
class StimProgram:
    """A circuit with the decoding of its samples.

    Attributes
    ----------
    circuit : its detectors are the checks of the verifications, on which to post-select.
    checks : the same, as parities of measurements.
    corrections : in their order.
    bits : qubits that are measured at the end, as parities of measurements.
    blocks : the qubits of each scored block.
    """

    circuit: stim.Circuit
    checks: tuple[Records, ...]
    corrections: tuple[Correction, ...]
    bits: dict[int, Records]
    blocks: tuple[tuple[int, ...], ...]

    def decode(self, flips: Flips, x: Flips, z: Flips, crash: Criterion) -> tuple[Flips, Flips]:
        """Which shots are accepted, and which crash.

        Parameters
        ----------
        flips : (measurement, shot) whether the result differs from that of the circuit without noise.
        x, z : (qubit, shot) the X and Z parts of the final error, as of the circuit without corrections.
        crash : true where a block with these packed X and Z bits is lost.
        """
        flips, x, z = flips.copy(), x.copy(), z.copy()
        for correction in self.corrections:
            values = np.stack(
                [sum(_parity(flips, bit).astype(np.int64) << i for i, bit in enumerate(bits)) for bits in correction.syndromes]
            )
            present = np.ones_like(values, dtype=bool)
            for row, marker in enumerate(correction.absent):
                present[row] = ~_parity(flips, marker)
            elected = vote(values, present)
            for value, qubits in enumerate(correction.table):
                shots = np.flatnonzero(elected == value)
                for q in qubits:
                    for target, change in ((flips, correction.flips[q]), (x, correction.x[q]), (z, correction.z[q])):
                        target[np.ix_(change, shots)] ^= True
        for q, bit in self.bits.items():
            x[q], z[q] = _parity(flips, bit), False
        accepted = ~np.any([_parity(flips, check) for check in self.checks], axis=0) if self.checks else np.ones(x.shape[1], bool)
        return accepted, lost(x.astype(np.uint8), z.astype(np.uint8), self.blocks, crash)

    def sample(self, crash: Criterion, *, shots: int, rng: np.random.Generator) -> Selected:
        """Draw shots with Stim's frame simulator, and decode them.

        The simulator follows errors only, as the program does: gauge freedom of the stabilizer states is not drawn at random.
        """
        accepted = crashes = 0
        for start in range(0, shots, BATCH):
            good, lost = self.decode(*self.errors(min(BATCH, shots - start), rng), crash)
            accepted += int(good.sum())
            crashes += int((good & lost).sum())
        return Selected(crashes, accepted, shots)

    def errors(self, shots: int, rng: np.random.Generator) -> tuple[Flips, Flips, Flips]:
        """Flips of the measurements (measurement, shot), and the final X and Z errors (qubit, shot), drawn by Stim."""
        simulator = _simulator(shots, self.circuit.num_qubits, seed=int(rng.integers(2**62)))
        simulator.do(self.circuit)
        return _read(simulator)


def to_stim(program: do.Program) -> StimProgram:
    """Translate a program.

    Every verification is tried once, and its checks become detectors: given that all accept, the law is that of the program,
    which tries again. Merge, Split and Tally tasks do nothing.

    Raises
    ------
    ConfigError
        If the program has a finite supply of ancillas, since then the rejected ones count, or a Custom task, which need not be a
        Pauli frame.

    Examples
    --------
    >>> from triptych.qec import Noise, criteria, steane
    >>> exported = to_stim(steane.recovery(Noise.uniform(1e-3), preparation="8+1"))
    >>> exported.circuit.num_detectors, exported.circuit.num_measurements
    (6, 96)
    >>> found = exported.sample(criteria.css, shots=10_000, rng=np.random.default_rng(1))
    >>> 0.9 < found.accepted / found.shots < 1, found.crashes < 50
    (True, True)
    """
    made = _Translation()
    for step in program.instructions:
        made.add(step)
    whole = stim.Circuit()
    for stretch in made.stretches:
        whole += stretch
    return StimProgram(
        circuit=whole,
        checks=tuple(made.checks),
        corrections=tuple(_corrections(made, width(program.instructions))),
        bits={q: bit for q, bit in made.bits.items() if any(q in block for block in program.blocks)},
        blocks=program.blocks,
    )


class _Translation:
    """The circuit, cut at each correction; the checks; and the bits that are there, as one walks through the program."""

    def __init__(self) -> None:
        self.stretches = [stim.Circuit()]
        self.checks: list[Records] = []
        self.bits: dict[int, Records] = {}
        self.votes: list[tuple[do.Correct, dict[int, Records]]] = []
        self.prepared: set[int] = set()
        self.measurements = 0

    def add(self, step: do.Instruction, first: int = 0) -> None:
        circuit = self.stretches[-1]
        match step:
            case do.Prepare(qubit=q, basis=basis):
                fresh, other = ("R", "RX") if basis == "Z" else ("RX", "R")
                # Stim's reset to |0> leaves a Z error, which does nothing there, and the one to |+> an X error.
                if first + q in self.prepared:
                    circuit.append(other, [first + q])
                circuit.append(fresh, [first + q])
                self.prepared.add(first + q)
                self.bits.pop(first + q, None)
            case do.H(qubit=q) | do.S(qubit=q) | do.X(qubit=q) | do.Y(qubit=q) | do.Z(qubit=q):
                circuit.append(type(step).__name__, [first + q])
            case do.CX(control=a, target=b) | do.CZ(first=a, second=b) | do.Swap(first=a, second=b):
                circuit.append(type(step).__name__.upper(), [first + a, first + b])
            case do.Depolarize1(qubit=q, rate=rate):
                circuit.append("DEPOLARIZE1", [first + q], rate)
            case do.Depolarize2(first=a, second=b, rate=rate):
                circuit.append("DEPOLARIZE2", [first + a, first + b], rate)
            case do.PauliChannel(qubits=qubits, errors=errors):
                left = 1.0
                for i, (string, p) in enumerate(errors):
                    struck = [
                        stim.target_pauli(first + q, pauli) for q, pauli in zip(qubits, string, strict=True) if pauli != "I"
                    ]
                    circuit.append("ELSE_CORRELATED_ERROR" if i else "E", struck, min(1.0, p / left) if left > 0 else 0.0)
                    left -= p
            case do.Measure(qubit=q, basis=basis):
                circuit.append("M" if basis == "Z" else "MX", [first + q])
                self.bits[first + q] = (self._measured(),)
            case do.Flip(bit=q, rate=rate):
                circuit.append("MPAD", [0], rate)
                self.bits[first + q] = _sum((self.bits[first + q], (self._measured(),)))
            case do.Verify():
                self._verify(step)
            case do.Syndrome(bits=bits, checks=checks):
                parities = [_sum(self.bits[bits[i]] for i in row) for row in checks]
                self.bits |= dict(zip(bits, parities, strict=False))
            case do.Correct():
                self.votes.append((step, dict(self.bits)))
                self.stretches.append(stim.Circuit())
            case do.Custom():
                raise ConfigError("not a Stim circuit", got="a Custom task", expected="tasks that are Pauli frames")
            case do.Channel():
                raise ConfigError(
                    "not a Stim circuit", got="a compiled Channel", fix="export the program with its gadgets expanded"
                )
            case do.Hidden() | do.Switch() | do.When():
                got = f"{type(step).__name__}, noise that depends on a hidden bit"
                raise ConfigError("not a Stim circuit", got=got, expected="independent error events", fix="take another engine")
            case _:
                pass  # Merge, Split and Tally

    def _measured(self) -> int:
        self.measurements += 1
        return self.measurements - 1

    def _verify(self, step: do.Verify) -> None:
        if step.supply is not None:
            got = f"a supply of {step.supply} blocks"
            raise ConfigError("not a Stim circuit", got=got, expected="verifications that may be post-selected (supply=None)")
        for one in step.body:
            self.add(one, step.first)
        for check in step.checks:
            records = self.bits.pop(step.first + check)
            self.checks.append(records)
            self.stretches[-1].append("DETECTOR", [stim.target_rec(record - self.measurements) for record in records])


def _sum(bits: Iterable[Records]) -> Records:
    """The parity of parities: what is there an odd number of times."""
    seen = Counter(record for bit in bits for record in bit)
    return tuple(sorted(record for record, times in seen.items() if times % 2))


def _parity(flips: Flips, bit: Records) -> Flips:
    """(shot,) the value of a bit."""
    odd: Flips = np.bitwise_xor.reduce(flips[list(bit)], axis=0)
    return odd


def _simulator(shots: int, qubits: int, seed: int) -> Any:
    return stim.FlipSimulator(batch_size=shots, num_qubits=qubits, disable_stabilizer_randomization=True, seed=seed)


def _read(simulator: Any) -> tuple[Flips, Flips, Flips]:
    x, z, flips, _, _ = simulator.to_numpy(output_xs=True, output_zs=True, output_measure_flips=True)
    return flips, x, z


def _corrections(made: _Translation, qubits: int) -> Iterable[Correction]:
    """Run the circuit without noise, one instance for each Pauli that may be put in, and read off what it does."""
    places = [(turn, q) for turn, (step, _) in enumerate(made.votes) for q in sorted({q for row in step.table for q in row})]
    simulator = _simulator(max(1, len(places)), qubits, seed=0)
    for turn, stretch in enumerate(made.stretches):
        simulator.do(stretch.without_noise())
        for instance, (when, q) in enumerate(places):
            if when == turn:
                simulator.set_pauli_flip(made.votes[turn][0].pauli, qubit_index=q, instance_index=instance)
    flips, x, z = _read(simulator)
    for turn, (step, bits) in enumerate(made.votes):
        mine = {q: instance for instance, (when, q) in enumerate(places) if when == turn}
        yield Correction(
            syndromes=tuple(tuple(bits[bit] for bit in syndrome) for syndrome in step.syndromes),
            absent=tuple(bits[bit] for bit in step.absent),
            table=step.table,
            flips={q: flips[:, i] for q, i in mine.items()},
            x={q: x[:, i] for q, i in mine.items()},
            z={q: z[:, i] for q, i in mine.items()},
        )
