"""When is a block of the [[7,1,3]] code lost?

In: the X part and the Z part of a block's Pauli error, each packed into 7 bits (bit q is qubit q). Out: whether that is a crash.
The paper calls a block uncorrectable when more than one of its qubits is in error (Sec. III); that leaves open whether errors are
counted modulo stabilizers, so the reading is selectable. As crash rates: readout <= css <= paper22 <= strict.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

Criterion = Callable[[int, int], bool]

CHECKS = ((0, 2, 4, 6), (1, 2, 5, 6), (3, 4, 5, 6))
"""Qubits of the three parity checks, the same for X and Z; the syndrome of an error on qubit q is q + 1."""

LOST = -1


def syndrome(bits: int) -> int:
    """The three parities of a 7-bit error, the first check lowest.

    Examples
    --------
    >>> [syndrome(1 << q) for q in range(7)]
    [1, 2, 3, 4, 5, 6, 7]
    """
    return sum((sum(bits >> q & 1 for q in row) & 1) << i for i, row in enumerate(CHECKS))


def _locate(bits: int) -> int:
    value = syndrome(bits)
    corrected = bits ^ (1 << value - 1 if value else 0)
    # What is left satisfies all checks; its words of even weight are the stabilizers, those of odd weight are logical errors.
    return LOST if corrected.bit_count() & 1 else value


LOCATION = tuple(_locate(bits) for bits in range(128))
"""For each 7-bit error: 0 where it is a stabilizer, q + 1 where it equals a flip of qubit q up to stabilizers, else LOST."""


def css(x: int, z: int) -> bool:
    """Crash unless the X part and the Z part are each correctable modulo stabilizers (64 of 256 classes survive).

    Examples
    --------
    >>> css(0b0000001, 0b0000010), css(0b0000011, 0)
    (False, True)
    """
    return LOCATION[x] == LOST or LOCATION[z] == LOST


def paper22(x: int, z: int) -> bool:
    """Crash unless at most one qubit is in error modulo stabilizers (22 of 256 classes survive).

    Examples
    --------
    >>> paper22(0b0000001, 0b0000001), paper22(0b0000001, 0b0000010)
    (False, True)
    """
    return css(x, z) or (LOCATION[x] != LOCATION[z] and LOCATION[x] != 0 and LOCATION[z] != 0)


def strict(x: int, z: int) -> bool:
    """Crash unless at most one qubit is in error, stabilizers counted as errors (22 of 16384 Pauli strings survive).

    An ancilla fault that puts a harmless stabilizer on the block counts as a crash, so the rate is of first order in the noise.
    """
    return (x | z).bit_count() > 1


def readout(x: int, z: int) -> bool:  # noqa: ARG001 (criteria are called with both parts)
    """Crash unless the X part is correctable modulo stabilizers: all that a readout in the Z basis can see."""
    return LOCATION[x] == LOST


CRITERIA: MappingProxyType[str, Criterion] = MappingProxyType(
    {"css": css, "paper22": paper22, "strict": strict, "readout": readout}
)
