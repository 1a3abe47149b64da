"""What an error event does, as arrays.

In: an error event. Out: its errors with their cumulated probabilities, packed into bits. An event that depends on a bit becomes
one that does not, some errors of which do nothing where the bit has the wrong value.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.qec import program as do


class Faults(NamedTuple):
    """The errors of one event: bit i of an error acts on ``qubits[i]``.

    Attributes
    ----------
    qubits : on which the event acts.
    chance : (errors,) probability of this error or one before it; the last is the rate of the event.
    x, z : (errors,) packed X and Z parts.
    bit : on which it depends what the event does, where it depends on one (else -1).
    where : (errors,) value of the bit without which the error does nothing; -1 where it strikes in any case.
    """

    qubits: tuple[int, ...]
    chance: NDArray[np.float64]
    x: NDArray[np.int64]
    z: NDArray[np.int64]
    bit: int
    where: NDArray[np.int64]


@cache
def faults(event: do.Event | do.Conditional) -> Faults:
    """The errors of an event.

    Examples
    --------
    >>> errors = faults(do.PauliChannel(qubits=(4, 7), errors=(("XI", 0.25), ("YZ", 0.5))))
    >>> errors.chance, errors.x, errors.z
    (array([0.25, 0.75]), array([1, 1]), array([0, 3]))

    The bit flips either way with probability 0.1, and where it is 0 with 0.2 more:

    >>> switch = faults(do.Switch(bit=4, on=0.3, off=0.1))
    >>> switch.chance, switch.where
    (array([0.1, 0.3]), array([-1,  0]))
    """
    qubits: tuple[int, ...]
    errors: tuple[tuple[str, float], ...]
    match event:
        case do.Switch(bit=bit, on=on, off=off):
            qubits, errors = (bit,), (("X", min(on, off)), ("X", abs(on - off)))
            where = [-1, int(off > on)]
        case do.When(bit=bit, event=one):
            qubits, errors = do.outcomes(one)
            where = [1] * len(errors)
        case _:
            qubits, errors = do.outcomes(event)
            bit, where = -1, [-1] * len(errors)
    x, z = (
        np.array([sum((pauli in has) << i for i, pauli in enumerate(string)) for string, _ in errors], dtype=np.int64)
        for has in ("XY", "YZ")
    )
    chance = np.cumsum([p for _, p in errors], dtype=np.float64)
    return Faults(qubits, chance, x, z, bit, np.array(where, dtype=np.int64))
