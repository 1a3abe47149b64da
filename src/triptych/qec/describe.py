"""What a program consists of.

In: a program, or the function that builds it. Out: a :class:`Description` with its qubits, cycles, gates and noise locations; the
noise locations of each class; the error states of a block that are no crash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

from triptych.qec.codes import STEANE, CSSCode
from triptych.qec.criteria import NAMES, ClassCriterion, named
from triptych.qec.noise import CLASSES, Noise
from triptych.qec.program import CX, CZ, Conditional, Event, Prepare, Program, Swap, Task, Verify, When

OVERHEAD = 6
"""Cycles of a program besides those of its two-qubit gates on the data.

Sec. IV.C counts 34 cycles for ten logical qubits, whose four phases take seven each (a logical CNOT and six syndrome
extractions). What the other six are is not said, so they are inferred from this one number; the first ancillas and the final
measurement may be among them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Noise locations of one kind.

    Attributes
    ----------
    kind : the name of the event, as in :mod:`triptych.qec.program`.
    rate : its probability.
    count : how many such events the program has, each block of a :class:`~triptych.qec.program.Verify` once.
    """

    kind: str
    rate: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a program consists of; each block of a :class:`~triptych.qec.program.Verify` counts once.

    Attributes
    ----------
    logical_qubits : scored code blocks.
    physical_qubits : fresh qubits consumed, every preparation counted, without reuse.
    cycles : the longest chain of two-qubit gates outside of ancilla preparations, plus :data:`OVERHEAD`.
    gates : how many gates, preparations (of qubits and hidden bits) and measurements of each kind.
    tasks : how many verifications, syndromes, corrections, ... there are.
    noise : the error events and the steps of hidden bits, those of the highest rate first.
    """

    logical_qubits: int
    physical_qubits: int
    cycles: int
    gates: dict[str, int]
    tasks: dict[str, int]
    noise: tuple[Locations, ...]

    def to_json(self) -> dict[str, Any]:
        """The description in plain words and numbers."""
        return asdict(self)


def describe(program: Program) -> Description:
    """Count what there is in a program.

    Examples
    --------
    >>> from triptych.qec import Noise, steane
    >>> found = describe(steane.tree_program(Noise.eshe(), logical_qubits=10))
    >>> found.physical_qubits, found.cycles  # as in Sec. IV.C
    (1150, 34)
    >>> found.tasks["Verify"]
    108
    """
    gates: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    events: Counter[tuple[str, float]] = Counter()
    for step in program.flat():
        if isinstance(step, Event | Conditional):
            events[type(step).__name__, step.rate] += 1
        else:
            (tasks if isinstance(step, Task) else gates)[type(step).__name__] += 1
    rows = sorted(events.items(), key=lambda row: (-row[0][1], row[0]))
    return Description(
        logical_qubits=len(program.blocks),
        physical_qubits=program.physical_qubits,
        cycles=_depth(program) + OVERHEAD,
        gates=dict(sorted(gates.items())),
        tasks=dict(sorted(tasks.items())),
        noise=tuple(Locations(kind=kind, rate=rate, count=count) for (kind, rate), count in rows),
    )


def noise_classes(build: Callable[[Noise], Program], noise: Noise) -> dict[str, int]:
    """How many noise locations of each class there are, found by building the program with one class alone.

    Noise that the program has without any class, such as that of a :class:`~triptych.qec.preparations.NoisyAncilla`, is
    ``"other"``.

    Parameters
    ----------
    build : a program from its noise model.
    noise : the noise model; a class of rate 0 has no locations.

    Examples
    --------
    >>> from triptych.qec import Noise, steane
    >>> noise_classes(steane.cnot_recovery, Noise.uniform(1e-3))
    {'reset': 120, 'two_qubit': 343, 'measurement': 134}
    """
    found = {name: sum(isinstance(step, Event | When) for step in build(noise.only(name)).flat()) for name in (*CLASSES, "")}
    own = found.pop("")
    return {name: count - own for name, count in found.items() if count > own} | ({"other": own} if own else {})


def nonfailing_states(code: str | CSSCode = STEANE) -> dict[str, int]:
    """How many errors of a block of a code are no crash, by criterion (Sec. IV.D).

    Of 256 classes modulo stabilizers, for the [[7,1,3]] code; for ``strict``, which tells the members of a class apart, of 16384
    Pauli strings.

    Examples
    --------
    >>> nonfailing_states()
    {'css': 64, 'paper22': 22, 'strict': 22, 'readout': 128}
    """
    code = CSSCode.named(code)
    found = {}
    for name in NAMES:
        crash = named(name, code)
        if isinstance(crash, ClassCriterion):
            unseen = len(code.functionals("X")) + len(code.functionals("Z")) - len(crash.functionals)
            found[name] = int((~crash.fails).sum()) << unseen
        else:
            found[name] = sum(comb(code.n, weight) * 3**weight for weight in range(crash.most + 1))
    return found


def _depth(program: Program) -> int:
    """The longest chain of two-qubit gates, where a fresh qubit and a prepared ancilla are there at once."""
    done: Counter[int] = Counter()
    deepest = 0
    for step in program.instructions:
        match step:
            case CX(control=a, target=b) | CZ(first=a, second=b) | Swap(first=a, second=b):
                done[a] = done[b] = max(done[a], done[b]) + 1
                deepest = max(deepest, done[a])
            case Prepare(qubit=q):
                done[q] = 0
            case Verify(first=first, body=body):
                for inner in body:
                    if isinstance(inner, Prepare):
                        done[first + inner.qubit] = 0
    return deepest
