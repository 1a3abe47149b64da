"""Independent answers for the qec panel.

In: programs of the panel's instruction set. Out: exact distributions by listing every combination of faults one by one, Stim
circuits, fault counts, and a closed formula. No map of states, no threshold, no packed string: a world is a weight and one error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import stim

from triptych.qec import program as do

World = tuple[float, dict[int, tuple[int, int]]]  # weight; qubit -> (x, z)
PAULIS = ((0, 0), (1, 0), (0, 1), (1, 1))


def worlds(steps: tuple[do.Instruction, ...], offset: int = 0, start: World = (1.0, {})) -> list[World]:
    """All combinations of faults, none of them joined, that pass every check (weights not renormalised)."""
    alive = [start]
    for step in steps:
        alive = [after for weight, errors in alive for after in _after(step, offset, weight, errors)]
    return alive


def _after(step: do.Instruction, offset: int, weight: float, errors: dict[int, tuple[int, int]]) -> Iterator[World]:
    def faults(rate: float, *qubits: int) -> Iterator[World]:
        choices = 4 ** len(qubits) - 1
        for paulis in product(PAULIS, repeat=len(qubits)):
            hit = dict(errors)
            for q, (x, z) in zip(qubits, paulis, strict=True):
                hit[q] = (hit[q][0] ^ x, hit[q][1] ^ z)
            yield weight * (rate / choices if any(map(any, paulis)) else 1 - rate), hit

    new = dict(errors)
    if isinstance(step, do.Depolarize1):
        yield from faults(step.rate, step.qubit + offset)
    elif isinstance(step, do.Depolarize2):
        yield from faults(step.rate, step.first + offset, step.second + offset)
    elif isinstance(step, do.Flip):
        yield weight * (1 - step.rate), new
        yield weight * step.rate, new | {step.bit + offset: (1 - errors[step.bit + offset][0], 0)}
    elif isinstance(step, do.Verify):
        for one in worlds(step.body, step.first, (weight, errors)):
            if not any(one[1][step.first + check][0] for check in step.checks):
                yield one
    else:
        _step(step, offset, new)
        yield weight, new


def _step(step: do.Instruction, offset: int, e: dict[int, tuple[int, int]]) -> None:
    if isinstance(step, do.Prepare):
        e[step.qubit + offset] = (0, 0)
    elif isinstance(step, do.H):
        e[step.qubit + offset] = e[step.qubit + offset][::-1]
    elif isinstance(step, do.CX):
        (cx, cz), (tx, tz) = e[step.control + offset], e[step.target + offset]
        e[step.control + offset], e[step.target + offset] = (cx, (cz + tz) % 2), ((tx + cx) % 2, tz)
    elif isinstance(step, do.CZ):
        (ax, az), (bx, bz) = e[step.first + offset], e[step.second + offset]
        e[step.first + offset], e[step.second + offset] = (ax, (az + bx) % 2), (bx, (bz + ax) % 2)
    elif isinstance(step, do.Measure):
        e[step.qubit + offset] = (e[step.qubit + offset][0 if step.basis == "Z" else 1], 0)
    elif isinstance(step, do.Syndrome):
        parities = [sum(e[step.bits[i]][0] for i in row) % 2 for row in step.checks]
        for bit, parity in zip(step.bits, parities, strict=False):
            e[bit] = (parity, 0)
    elif isinstance(step, do.Correct):
        values = [sum(e[bit][0] * 2**i for i, bit in enumerate(bits)) for bits in step.syndromes]
        for value in set(values):
            if values.count(value) > len(values) / 2:
                for q in step.table[value]:
                    x, z = e[q]
                    e[q] = (1 - x, z) if step.pauli == "X" else (x, 1 - z)


def crash_rate(program: do.Program, crash: Callable[[int, int], bool]) -> float:
    """The exact crash rate, given that every verification is passed."""
    total = failing = 0.0
    for weight, errors in worlds(program.instructions):
        total += weight
        for block in program.blocks:
            x, z = (sum(errors[q][part] * 2**i for i, q in enumerate(block)) for part in (0, 1))
            if crash(x, z):
                failing += weight
                break
    return failing / total


def single_faults(steps: tuple[do.Instruction, ...]) -> Iterator[dict[int, tuple[int, int]]]:
    """The final error of every single fault: the flip of a fresh qubit, and the 15 Paulis behind each CNOT."""
    for place, step in enumerate(steps):
        if isinstance(step, do.Prepare):
            faults = [{step.qubit: (1, 0) if step.basis == "Z" else (0, 1)}]
        elif isinstance(step, do.CX):
            pairs = product(PAULIS, repeat=2)
            faults = [{step.control: a, step.target: b} for a, b in pairs if any(a) or any(b)]
        else:
            continue
        for fault in faults:
            errors: dict[int, tuple[int, int]] = {}
            for position, later in enumerate(steps):
                _step(later, 0, errors)
                if position == place:
                    errors |= fault
            yield errors


def hamming_failure(q: float) -> float:
    """P(7 iid bits of rate q are not correctable modulo stabilizers), from the weights 0:1 1:7 3:28 4:7 5:21 of what is."""
    good = {0: 1, 1: 7, 3: 28, 4: 7, 5: 21}
    all_patterns = {0: 1, 1: 7, 2: 21, 3: 35, 4: 35, 5: 21, 6: 7, 7: 1}
    return sum((all_patterns[w] - good.get(w, 0)) * q**w * (1 - q) ** (7 - w) for w in all_patterns)


def stim_circuit(steps: tuple[do.Instruction, ...]) -> stim.Circuit:
    """The preparations, gates and measurements as a Stim circuit, without noise."""
    circuit = stim.Circuit()
    for step in steps:
        if isinstance(step, do.Prepare):
            circuit.append("R" if step.basis == "Z" else "RX", [step.qubit])
        elif isinstance(step, do.H):
            circuit.append("H", [step.qubit])
        elif isinstance(step, do.CX):
            circuit.append("CX", [step.control, step.target])
        elif isinstance(step, do.CZ):
            circuit.append("CZ", [step.first, step.second])
        elif isinstance(step, do.Measure):
            circuit.append("M" if step.basis == "Z" else "MX", [step.qubit])
    return circuit
