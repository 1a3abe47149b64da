"""Programs for the [[7,1,3]] code.

In: a noise model, and how a block is recovered. Out: the programs of :mod:`triptych.qec.protocols`, whose default is this code,
and its ancilla circuits.
"""

from triptych.qec.preparations import PREPARATIONS, Logical, Preparation
from triptych.qec.protocols import (
    PROGRAMS,
    Options,
    Otherwise,
    bit_flip_recovery,
    cnot_recovery,
    recovery,
    ring_program,
    tree_program,
    two_qubit,
    verified_ancilla,
)

__all__ = [
    "PREPARATIONS",
    "PROGRAMS",
    "Logical",
    "Options",
    "Otherwise",
    "Preparation",
    "bit_flip_recovery",
    "cnot_recovery",
    "recovery",
    "ring_program",
    "tree_program",
    "two_qubit",
    "verified_ancilla",
]
