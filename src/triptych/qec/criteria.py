"""When is a block of a code lost?

In: the X part and the Z part of a block's Pauli error, each packed (bit q is qubit q). Out: whether that is a crash. The paper
calls a block of the [[7,1,3]] code uncorrectable when more than one of its qubits is in error (Sec. III); that leaves open
whether errors are counted modulo stabilizers, so the reading is selectable. As crash rates: readout <= css <= paper22 <= strict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError, did_you_mean
from triptych.qec import f2
from triptych.qec.codes import STEANE, CSSCode, Sector, columns, errors_by_weight

Criterion = Callable[[int, int], bool]

CLASSES = 26
"""Functionals that a criterion may have: it is a table of 2^functionals bytes."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassCriterion:
    """A criterion that counts errors modulo stabilizers.

    Attributes
    ----------
    qubits : size of the block.
    x_rows, z_rows : packed sets of qubits; the parities of the X part on the former and of the Z part on the latter tell classes
        apart.
    fails : [2^rows] whether a class is lost; bit i of its number is parity i, those of the X part first.
    """

    qubits: int
    x_rows: tuple[int, ...]
    z_rows: tuple[int, ...]
    fails: NDArray[np.bool_]

    def __call__(self, x: int, z: int) -> bool:
        """Whether the error crashes the block."""
        number = 0
        for i, row in enumerate(self.x_rows):
            number |= ((x & row).bit_count() & 1) << i
        for i, row in enumerate(self.z_rows, start=len(self.x_rows)):
            number |= ((z & row).bit_count() & 1) << i
        return bool(self.fails[number])

    @property
    def functionals(self) -> tuple[int, ...]:
        """The parities as masks over the coordinates of the block: bit 2q for the X part of qubit q, 2q + 1 for its Z part."""
        sectors = ((0, self.x_rows), (1, self.z_rows))
        return tuple(sum(1 << 2 * q + part for q in f2.entries(row)) for part, rows in sectors for row in rows)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WeightCriterion:
    """Crash where more than `most` of the qubits are in error, stabilizers counted as errors.

    An ancilla fault that puts a harmless stabilizer on the block counts as a crash, so the rate is of first order in the noise.
    """

    qubits: int
    most: int

    def __call__(self, x: int, z: int) -> bool:
        """Whether the error crashes the block."""
        return (x | z).bit_count() > self.most


NAMES = ("css", "paper22", "strict", "readout")
"""The readings of a crash, for each code."""


@cache
def named(name: str, code: str | CSSCode = STEANE) -> ClassCriterion | WeightCriterion:
    """A criterion for blocks of a code.

    Parameters
    ----------
    name : ``"css"``: crash unless the X part and the Z part are each corrected by the code's look-up table, modulo stabilizers.
        ``"readout"``: the same of the X part alone, which is all that a readout in the Z basis can see. ``"paper22"``: crash
        unless at most t = (distance - 1) / 2 qubits are in error modulo stabilizers. ``"strict"``: the same with stabilizers
        counted as errors.
    code : a CSS code, or the name of one; by default the [[7,1,3]] code.

    Raises
    ------
    ConfigError
        If the criterion or the code is not known, or the code has too many classes.

    Notes
    -----
    Cost: a byte for each class of errors; for the Golay code 2^24 (css, paper22) or 2^12 (readout), in 0.1 s.

    Examples
    --------
    >>> crash = named("paper22", "bch21")
    >>> crash(0b011, 0b001), crash(0b011, 0b100)
    (False, True)
    """
    code = CSSCode.named(code)
    if name not in NAMES:
        raise ConfigError("no such criterion", got=name, fix=did_you_mean(str(name), list(NAMES)))
    if name == "strict":
        return WeightCriterion(qubits=code.n, most=code.correctable)
    x_rows, z_rows = code.functionals("X"), () if name == "readout" else code.functionals("Z")
    if len(x_rows) + len(z_rows) > CLASSES:
        got = f"2^{len(x_rows) + len(z_rows)}"
        raise ConfigError(f"{code} has too many classes of errors", got=got, expected=f"2^{CLASSES} or fewer")
    if name == "paper22":
        fails = _heavy(code)
    elif name == "css":
        fails = (_lost(code, "Z")[:, None] | _lost(code, "X")).reshape(-1)
    else:
        fails = _lost(code, "X")
    return ClassCriterion(qubits=code.n, x_rows=x_rows, z_rows=z_rows, fails=fails)


def _lost(code: CSSCode, errors: Sector) -> NDArray[np.bool_]:
    """For each class of errors of one type whether look-up correction makes it a logical error."""
    fails = np.ones(1 << len(code.functionals(errors)), dtype=bool)
    corrections = np.array(code.table(errors), dtype=np.uint64)
    parities = [np.bitwise_count(corrections & np.uint64(row)) & 1 for row in code.functionals(errors)]
    fails[sum(parity.astype(np.int64) << i for i, parity in enumerate(parities))] = False
    return fails


def _heavy(code: CSSCode) -> NDArray[np.bool_]:
    """For each class of errors whether none of its members has a correctable weight."""
    x_rows, z_rows = code.functionals("X"), code.functionals("Z")
    fails = np.ones(1 << len(x_rows) + len(z_rows), dtype=bool)
    flips = zip(columns(x_rows, code.n), columns(z_rows, code.n), strict=True)
    listed = errors_by_weight([(x, z << len(x_rows), x ^ z << len(x_rows)) for x, z in flips])
    for _ in range(code.correctable + 1):
        fails[next(listed)[:, 0]] = False
    return fails


CRITERIA: MappingProxyType[str, Criterion] = MappingProxyType({name: named(name) for name in NAMES})
"""The criteria for the [[7,1,3]] code, by name."""

css = CRITERIA["css"]
"""Crash unless the X part and the Z part of a [[7,1,3]] block are each correctable modulo stabilizers (64 of 256 classes are)."""

paper22 = CRITERIA["paper22"]
"""Crash unless at most one qubit of a [[7,1,3]] block is in error modulo stabilizers (22 of 256 classes are)."""

strict = CRITERIA["strict"]
"""Crash unless at most one qubit of a [[7,1,3]] block is in error, stabilizers counted as errors (22 of 16384 strings are)."""

readout = CRITERIA["readout"]
"""Crash unless the X part of a [[7,1,3]] block is correctable modulo stabilizers: all that a readout in the Z basis can see."""

CHECKS = tuple(tuple(f2.entries(row)) for row in STEANE.z_checks)
"""Qubits of the three parity checks of the [[7,1,3]] code, the same for X and Z; an error on qubit q has the syndrome q + 1."""

LOST = -1


def syndrome(bits: int) -> int:
    """The three parities of a 7-bit error, the first check lowest.

    Examples
    --------
    >>> [syndrome(1 << q) for q in range(7)]
    [1, 2, 3, 4, 5, 6, 7]
    """
    return sum(f2.parity(bits & row) << i for i, row in enumerate(STEANE.z_checks))


LOCATION = tuple(LOST if readout(bits, 0) else syndrome(bits) for bits in range(128))
"""For each 7-bit error: 0 where it is a stabilizer, q + 1 where it equals a flip of qubit q up to stabilizers, else LOST."""
