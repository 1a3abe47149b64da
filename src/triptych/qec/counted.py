"""What counting says of the paper's claims, without any simulation.

In: programs, the machine, the code. Out: verdicts on the claims of chi2008 on Table I, on the programs' sizes and on the error
states of a code block.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb

from triptych.qec import steane
from triptych.qec.architecture import Architecture
from triptych.qec.describe import OVERHEAD, Description, describe, nonfailing_states
from triptych.qec.noise import Noise
from triptych.qec.program import Correct, Program, Verify
from triptych.qec.verdicts import states_verdict, verdict
from triptych.runs import Verdict

SIZES = (2, 4, 8, 10)
TEN = 10
PHASE = 7  # cycles


def count_verdicts() -> list[Verdict]:
    """All of them."""
    trees = {size: describe(steane.tree_program(Noise.eshe(), logical_qubits=size)) for size in SIZES}
    return [
        *table_verdicts(Architecture.eshe()),
        recovery_verdict(steane.recovery(Noise.eshe())),
        *size_verdicts(trees),
        *block_verdicts(nonfailing_states()),
    ]


def table_verdicts(machine: Architecture) -> list[Verdict]:
    """Table I: the machine that the programs run on has the numbers of its ten rows."""
    times = (machine.movement_speed, machine.one_qubit_time, machine.two_qubit_time)
    decays = (machine.memory_decay, machine.operation_decay, machine.transport_decay)
    errors = (machine.one_qubit_error, machine.two_qubit_error, machine.measurement_error, machine.reset_error)
    noise = Noise.of(machine)
    idle, operation, transport = noise.idle, noise.two_qubit_decay, noise.transport
    return [
        verdict("table1-times", times == (100.0, 1e-6, 1e-3), "{:g} um/us; {:g} s; {:g} s".format(*times)),
        verdict(
            "table1-decay-constants",
            decays == (1e5, 5e3, 2.5e4),
            "memory {:g} s; operation {:g} s; transportation {:g} s".format(*decays),
            f"As 1 - exp(-t/T): {idle:.2g} a waiting cycle, {operation:.2g} a two-bit operation, {transport:.2g} a move.",
        ),
        verdict(
            "table1-error-rates",
            errors == (1e-6, 1e-4, 1e-4, 1e-6),
            "one-qubit {:g}; two-qubit {:g}; measurement {:g}; reset {:g}".format(*errors),
        ),
    ]


def recovery_verdict(program: Program) -> Verdict:
    """Sec. III: two phases, each with three extractions and a majority."""
    ancillas = sum(isinstance(step, Verify) for step in program.instructions)
    votes = [(step.pauli, len(step.syndromes)) for step in program.instructions if isinstance(step, Correct)]
    return verdict(
        "sec3-recovery-three-extractions",
        sorted(votes) == [("X", 3), ("Z", 3)] and ancillas == 6,
        f"{ancillas} verified ancillas; votes: " + ", ".join(f"{pauli} by {count} syndromes" for pauli, count in votes),
    )


def size_verdicts(trees: Mapping[int, Description]) -> list[Verdict]:
    """Sec. IV.C: what the tree programs of 2, 4, 8 and 10 logical qubits consist of."""
    ten = trees[TEN]
    derived, right = ten.cycles - OVERHEAD, ten.cycles == 34
    corrections = {size: tree.tasks["Correct"] for size, tree in trees.items()}
    phases = [trees[b].cycles - trees[a].cycles for a, b in ((2, 4), (4, 8), (8, TEN))]
    return [
        verdict("sec4c-1150-physical-qubits", ten.physical_qubits == 1150, str(ten.physical_qubits)),
        verdict(
            "sec4c-34-cycles",
            "holds" if derived == 34 else "holds with another convention" if right else "does not hold",
            f"{derived} in the phases + {OVERHEAD}",
            f"The {OVERHEAD} are not derived but fitted to this number.",
        ),
        verdict(
            "sec4c-tree-program",
            all(count == 4 * (size - 1) for size, count in corrections.items()) and phases == [PHASE] * 3,
            f"{', '.join(str(count // 4) for count in corrections.values())} CNOTs for N = {', '.join(map(str, corrections))}; "
            f"{', '.join(map(str, phases))} more cycles from 2 to 4 to 8 to 10",
            "A CNOT is followed by two recoveries, each with two corrections: counted by these.",
        ),
    ]


def block_verdicts(survivors: Mapping[str, int]) -> list[Verdict]:
    """Sec. IV.D: error states of a block that are no crash; `survivors` by criterion, as counted one by one."""
    larger = sum(3**weight * comb(21, weight) for weight in range(3))
    syndromes = sum(comb(21, weight) for weight in range(3))
    ratio, separate = larger / survivors["strict"], syndromes**2 / survivors["css"]
    return [
        states_verdict(survivors),
        verdict(
            "sec4d-1954-states",
            larger == 1954 and round(ratio) == 89,
            f"{larger} Pauli errors of at most two of 21 qubits; {ratio:.1f} times as many",
            f"Correcting X and Z separately: {syndromes**2} and {separate:.0f} times. That the cost follows is not tested.",
        ),
    ]
