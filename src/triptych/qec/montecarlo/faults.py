"""What an error event does, as arrays.

In: an error event. Out: its errors with their cumulated probabilities, packed into bits.
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
    """

    qubits: tuple[int, ...]
    chance: NDArray[np.float64]
    x: NDArray[np.int64]
    z: NDArray[np.int64]


@cache
def faults(event: do.Event) -> Faults:
    """The errors of an event.

    Examples
    --------
    >>> faults(do.PauliChannel(qubits=(4, 7), errors=(("XI", 0.25), ("YZ", 0.5))))
    Faults(qubits=(4, 7), chance=array([0.25, 0.75]), x=array([1, 1]), z=array([0, 3]))
    """
    qubits, errors = do.outcomes(event)
    x, z = (
        np.array([sum((pauli in has) << i for i, pauli in enumerate(string)) for string, _ in errors], dtype=np.int64)
        for has in ("XY", "YZ")
    )
    return Faults(qubits, np.cumsum([p for _, p in errors], dtype=np.float64), x, z)
