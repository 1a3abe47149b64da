"""Counts of qubits, cycles, gates and noise locations against the paper and against arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from triptych.qec import Builder, Noise, steane
from triptych.qec.describe import describe, noise_classes, nonfailing_states
from triptych.qec.program import Program

UNIFORM = Noise.uniform(1e-3)


@pytest.mark.parametrize(("n", "physical", "cycles"), [(2, 134, 13), (4, 388, 20), (8, 896, 27), (10, 1150, 34), (13, 1531, 34)])
def test_the_tree(n: int, physical: int, cycles: int) -> None:
    # Sec. IV.C: ten logical qubits are 1150 physical ones and take 34 cycles; each phase takes seven.
    found = describe(steane.tree_program(UNIFORM, logical_qubits=n))
    assert (found.logical_qubits, found.physical_qubits, found.cycles) == (n, physical, cycles)


@pytest.mark.parametrize(
    ("program", "cycles"),
    [
        (steane.bit_flip_recovery(UNIFORM), 3 + 6),
        (steane.recovery(UNIFORM), 6 + 6),
        (steane.recovery(UNIFORM, extractions=1), 2 + 6),
        (steane.two_qubit(UNIFORM), 8 + 6),
        (steane.ring_program(UNIFORM, logical_qubits=4), 8 * 7 + 6),
        (steane.verified_ancilla(UNIFORM), 6),
    ],
)
def test_cycles(program: Program, cycles: int) -> None:
    assert describe(program).cycles == cycles


def test_gates_and_noise() -> None:
    # Two recoveries of six ancillas; each ancilla: 9 + 12 CNOTs, 7 more to the data, 10 qubits that are all measured.
    found = describe(steane.two_qubit(UNIFORM))
    assert found.gates == {"CX": 14 + 12 * 28, "Measure": 12 * 10, "Prepare": 14 + 12 * 10}
    assert found.tasks == {"Verify": 12, "Syndrome": 12, "Correct": 4, "Split": 4, "Tally": 2}
    kinds = {row.kind: row.count for row in found.noise}
    assert kinds == {"Depolarize1": 12 * 10, "Depolarize2": 14 + 12 * 28, "PauliChannel": 14, "Flip": 12 * 10}
    assert {row.rate for row in found.noise} == {1e-3}


@pytest.mark.parametrize(
    ("build", "events"),
    [
        (steane.cnot_recovery, {"reset": 120, "two_qubit": 7 + 12 * 28, "measurement": 12 * 10 + 14}),
        (steane.bit_flip_recovery, {"reset": 30, "two_qubit": 3 * 28, "measurement": 30}),
    ],
)
def test_noise_classes(build: Callable[[Noise], Program], events: dict[str, int]) -> None:
    assert noise_classes(build, UNIFORM) == events
    assert sum(row.count for row in describe(build(UNIFORM)).noise) == sum(events.values())


def test_waiting_blocks() -> None:
    # The ring of four: each block waits for the two of four CNOTs in a round that it has no part in, once it is there.
    ring = noise_classes(lambda noise: steane.ring_program(noise, logical_qubits=4), Noise.eshe())
    assert ring["idle"] == 7 * 7 * (0 + 1 + 2 + 2 + 4 * 2)
    for n, waiting in ((2, 0), (3, 1), (4, 0), (5, 3), (10, 6), (13, 3)):
        tree = noise_classes(lambda noise, n=n: steane.tree_program(noise, logical_qubits=n), Noise.eshe())
        assert tree.get("idle", 0) == 7 * 7 * waiting


def test_hidden_bits() -> None:
    circuit = Builder(noise=UNIFORM)
    data = circuit.block(2)
    memory = circuit.hidden(0.1)
    for _ in range(3):
        circuit.switch(memory, on=0.1, off=0.2).when(memory, *UNIFORM.events("two_qubit", *data))
    found = describe(circuit.program(blocks=[data]))
    assert found.physical_qubits == 2 and found.gates == {"Hidden": 1, "Prepare": 2}
    assert [(row.kind, row.rate, row.count) for row in found.noise] == [("Switch", 0.2, 3), ("When", 1e-3, 3)]


def test_json() -> None:
    found = describe(steane.recovery(Noise.eshe()))
    written = json.loads(json.dumps(found.to_json()))
    assert written["physical_qubits"] == 67 and written["cycles"] == 12 and written["gates"]["CX"] == 6 * 28
    assert written["noise"][0] == {"kind": "Depolarize2", "rate": 1e-4, "count": 6 * 28}


def test_nonfailing_states() -> None:
    # 1 + 3 * 7 errors on at most one qubit; (1 + 7) squared where X and Z are corrected separately.
    assert nonfailing_states() == {"css": 8 * 8, "paper22": 1 + 3 * 7, "strict": 1 + 3 * 7, "readout": 8 * 16}
