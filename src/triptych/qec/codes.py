"""CSS codes.

In: the checks of a code, each a set of qubits whose X's or whose Z's multiply to a stabilizer. Out: its logical operators, its
distance, and a look-up table for each type of error. Operators are packed integers, bit q for qubit q.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError, did_you_mean
from triptych.qec import f2

Sector = Literal["X", "Z"]
"""A type of errors."""

LARGEST = 64
"""Qubits of a code; operators are words of 64 bits."""
SEARCH = 10_000_000
"""Errors of one weight that are listed at most (16 bytes each, and as much again for the next weight)."""
TABLE = 20
"""Checks that a look-up table may have: it has 2^checks rows."""


@dataclass(frozen=True, kw_only=True)
class CSSCode:
    """A CSS code by its checks.

    Attributes
    ----------
    name : what it is called.
    n : qubits of a block, up to 64.
    x_checks : products of X that are stabilizers, each a packed set of qubits; Z errors violate them.
    z_checks : the same of Z; X errors violate them.

    Raises
    ------
    ConfigError
        If a check is no set of these qubits, an X check and a Z check do not commute, checks of a type depend on each other, or
        no logical qubit is left.

    Notes
    -----
    Logical operators are found when they are asked for, and then kept: (checks)^2 x n integer operations. The distance and the
    tables list the errors of weight 0, 1, 2, ... until they are found, sum_w C(n, w) errors of 16 bytes: 30 ms for the distance
    7 of the Golay code. Beyond 10^7 errors of one weight they are refused.

    Examples
    --------
    >>> four = CSSCode(name="four", n=4, x_checks=(0b1111,), z_checks=(0b1111,))
    >>> four.k, four.distance
    (2, 2)
    """

    name: str
    n: int
    x_checks: tuple[int, ...]
    z_checks: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.n <= LARGEST:
            raise ConfigError("a code has a block of qubits", got=f"{self.n} qubits", expected=f"1 to {LARGEST}")
        for letter, checks in (("X", self.x_checks), ("Z", self.z_checks)):
            wrong = [check for check in checks if not 0 < check < 1 << self.n]
            if wrong:
                raise ConfigError(
                    f"{letter} checks act on qubits 0 to {self.n - 1}", got=wrong, expected=f"0 < check < 2^{self.n}"
                )
            if len(f2.basis(checks)) < len(checks):
                fix = "leave out those that follow from others, as CSSCode.from_matrices does"
                raise ConfigError(f"{letter} checks depend on each other", got=checks, fix=fix)
        clash = [(x, z) for x in self.x_checks for z in self.z_checks if f2.parity(x & z)]
        if clash:
            x, z = (sorted(f2.entries(check)) for check in clash[0])
            raise ConfigError("checks do not commute", got=f"X on {x}, Z on {z}", expected="an even number of qubits in common")
        if self.k < 1:
            raise ConfigError(
                "no logical qubit is left", got=f"{self.n} qubits, {self.n - self.k} checks", expected="fewer checks"
            )

    @classmethod
    def from_matrices(cls, x_checks: ArrayLike, z_checks: ArrayLike, *, name: str = "code") -> CSSCode:
        """The code of two check matrices, arrays of 0 and 1 with shape (checks, n); rows that follow from others are left out.

        Raises
        ------
        ConfigError
            If they are no such matrices, and as :class:`CSSCode` does.

        Examples
        --------
        The surface code of distance 3:

        >>> x = [[*map(int, row)] for row in ("110110000", "000011011", "001001000", "000100100")]
        >>> z = [[*map(int, row)] for row in ("011011000", "000110110", "110000000", "000000011")]
        >>> surface = CSSCode.from_matrices(x, z, name="surface")
        >>> surface.n, surface.k, surface.distance
        (9, 1, 3)
        """
        matrices = [np.asarray(matrix) for matrix in (x_checks, z_checks)]
        fits = all(matrix.ndim == 2 and np.isin(matrix, (0, 1)).all() for matrix in matrices)
        if not fits or matrices[0].shape[1] != matrices[1].shape[1]:
            shapes = " and ".join(str(matrix.shape) for matrix in matrices)
            raise ConfigError("no check matrices", got=f"shapes {shapes}", expected="0 and 1, with a column for each qubit")
        rows = [[sum(1 << q for q in np.flatnonzero(row).tolist()) for row in matrix] for matrix in matrices]
        return cls(name=name, n=matrices[0].shape[1], x_checks=_independent(rows[0]), z_checks=_independent(rows[1]))

    @classmethod
    def cyclic(cls, n: int, generator: int, *, name: str = "cyclic") -> CSSCode:
        """The code whose X and Z checks both generate the dual of a cyclic code C of length n, which must contain its dual.

        The checks are shifts of x^deg(h) h(1/x), with h(x) = (x^n - 1) / g(x).

        Parameters
        ----------
        n : length.
        generator : the polynomial g(x) of C, bit i for x^i.

        Raises
        ------
        ConfigError
            If g(x) does not divide x^n - 1, or C does not contain its dual.

        Examples
        --------
        >>> code = CSSCode.cyclic(7, 0b1011)
        >>> code.k, [f"{check:07b}" for check in code.z_checks]
        (1, ['0011101', '0111010', '1110100'])
        """
        check, rest = 0, 1 << n | 1
        while generator > 0 and rest.bit_length() >= generator.bit_length():
            shift = rest.bit_length() - generator.bit_length()
            check, rest = check | 1 << shift, rest ^ generator << shift
        if rest:
            raise ConfigError("no cyclic code", got=f"generator {generator:#x}", expected=f"a divisor of x^{n} - 1")
        dual = int(f"{check:b}"[::-1], 2)
        rows = tuple(dual << i for i in range(generator.bit_length() - 1))
        return cls(name=name, n=n, x_checks=rows, z_checks=rows)

    @classmethod
    def named(cls, name: str | CSSCode) -> CSSCode:
        """The code of this name in :data:`CODES`; a code stands for itself.

        Raises
        ------
        ConfigError
            If there is none of this name.
        """
        if isinstance(name, CSSCode):
            return name
        if name not in CODES:
            raise ConfigError("no such code", got=name, expected=" or ".join(CODES), fix=did_you_mean(name, list(CODES)))
        return CODES[name]

    @property
    def k(self) -> int:
        """Logical qubits."""
        return self.n - len(self.x_checks) - len(self.z_checks)

    def __str__(self) -> str:
        return f"{self.name} [[{self.n},{self.k}]]"

    @cached_property
    def _partners(self) -> tuple[tuple[int, int], ...]:
        """(logical X, logical Z) of each logical qubit: undetected X's are combined until each anticommutes with one of k
        undetected Z's alone.
        """
        undetected_z = _kernel(self.x_checks, self.n)
        clashes = ((sum(f2.parity(x & z) << i for i, z in enumerate(undetected_z)), x) for x in _kernel(self.z_checks, self.n))
        return tuple((x, undetected_z[pivot.bit_length() - 1]) for pivot, (_, x) in f2.echelon(clashes)[0].items())

    @property
    def logical_x(self) -> tuple[int, ...]:
        """The X of each logical qubit; number i anticommutes with logical Z number i alone."""
        return tuple(x for x, _ in self._partners)

    @property
    def logical_z(self) -> tuple[int, ...]:
        """The Z of each logical qubit."""
        return tuple(z for _, z in self._partners)

    def checks(self, errors: Sector) -> tuple[int, ...]:
        """The checks that errors of this type violate: Z checks for X errors."""
        return self.z_checks if errors == "X" else self.x_checks

    def functionals(self, errors: Sector) -> tuple[int, ...]:
        """What tells errors of this type apart modulo stabilizers: their checks, and the logical operators that they flip."""
        return self.checks(errors) + (self.logical_z if errors == "X" else self.logical_x)

    @cached_property
    def distance(self) -> int:
        """The least weight of an undetected logical error.

        Raises
        ------
        ConfigError
            If there are too many errors of that weight.
        """
        sectors: tuple[Sector, ...] = ("X", "Z")
        listed = zip(*(errors_by_weight([(c,) for c in columns(self.functionals(one), self.n)]) for one in sectors), strict=True)
        undetected = [1 << len(self.checks(one)) for one in sectors]
        return next(
            weight
            for weight, found in enumerate(listed)
            if any((errors[errors[:, 0] > 0, 0] % free == 0).any() for errors, free in zip(found, undetected, strict=True))
        )

    @property
    def correctable(self) -> int:
        """Qubits in error that are certainly corrected, (distance - 1) / 2 rounded down."""
        return (self.distance - 1) // 2

    def table(self, errors: Sector) -> tuple[int, ...]:
        """For each syndrome (bit i: check i is violated) the error of this type with the least weight; of several, the least
        packed integer.

        Raises
        ------
        ConfigError
            If there are more than 20 checks, or too many errors.

        Examples
        --------
        >>> CODES["steane"].table("X")  # the syndrome of an error on qubit q is q + 1
        (0, 1, 2, 4, 8, 16, 32, 64)
        """
        return self._x_table if errors == "X" else self._z_table

    @cached_property
    def _x_table(self) -> tuple[int, ...]:
        return _lookup(columns(self.z_checks, self.n), len(self.z_checks))

    @cached_property
    def _z_table(self) -> tuple[int, ...]:
        return _lookup(columns(self.x_checks, self.n), len(self.x_checks))


def columns(functionals: Sequence[int], n: int) -> list[int]:
    """For an error on each of n qubits the number whose bit i is the value of functional i."""
    return [sum((row >> q & 1) << i for i, row in enumerate(functionals)) for q in range(n)]


def errors_by_weight(choices: Sequence[Sequence[int]]) -> Iterator[NDArray[np.uint64]]:
    """All errors on 0, 1, 2, ... qubits: [error, 2], what an error does and its packed qubits, which ascend.

    Parameters
    ----------
    choices : for each qubit what each of its possible errors does; what several do is the XOR.

    Raises
    ------
    ConfigError
        When a weight has more than :data:`SEARCH` errors.

    Examples
    --------
    >>> [found.tolist() for found in errors_by_weight([(1,), (3,), (4,)])][:3]
    [[[0, 0]], [[1, 1], [3, 2], [4, 4]], [[2, 3], [5, 5], [7, 6]]]
    """
    n = len(choices)
    alike = [np.array([(effect, 1 << q) for effect in effects], dtype=np.uint64) for q, effects in enumerate(choices)]
    highest = [np.zeros((1, 2), dtype=np.uint64)] + [np.zeros((0, 2), dtype=np.uint64)] * n  # errors by 1 + their highest qubit
    yield highest[0]
    for weight in range(1, n + 1):
        count = comb(n, weight) * max(map(len, choices)) ** weight
        if count > SEARCH:
            raise ConfigError(f"too many errors of weight {weight}", got=f"{count} on {n} qubits", expected=f"{SEARCH} or fewer")
        lower = [np.concatenate(highest[: q + 1]) for q in range(n)]
        highest = [highest[-1][:0], *((low[:, None] ^ alike[q]).reshape(-1, 2) for q, low in enumerate(lower))]
        yield np.concatenate(highest)


def _independent(rows: Sequence[int]) -> tuple[int, ...]:
    """The rows that do not follow from those before them."""
    return tuple(row for i, row in enumerate(rows) if len(f2.basis(rows[: i + 1])) > len(f2.basis(rows[:i])))


def _kernel(rows: Sequence[int], n: int) -> list[int]:
    """A basis of the vectors of n bits that have an even overlap with every row."""
    return f2.echelon((column, 1 << q) for q, column in enumerate(columns(rows, n)))[1]


def _lookup(effects: Sequence[int], checks: int) -> tuple[int, ...]:
    if checks > TABLE:
        raise ConfigError("the look-up table has a row for each syndrome", got=f"{checks} checks", expected=f"{TABLE} or fewer")
    table, known = np.zeros(1 << checks, dtype=np.uint64), np.zeros(1 << checks, dtype=bool)
    listed = errors_by_weight([(effect,) for effect in effects])
    while not known.all():
        errors = next(listed)
        syndromes, first = np.unique(errors[:, 0], return_index=True)
        fresh = ~known[syndromes]
        table[syndromes[fresh]] = errors[first[fresh], 1]
        known[syndromes] = True
    return tuple(table.tolist())


def _hamming(checks: int, name: str) -> CSSCode:
    """The code whose qubit q violates the checks of the binary digits of q + 1."""
    n = 2**checks - 1
    rows = tuple(sum((q + 1 >> i & 1) << q for q in range(n)) for i in range(checks))
    return CSSCode(name=name, n=n, x_checks=rows, z_checks=rows)


STEANE = _hamming(3, "steane")

CODES: MappingProxyType[str, CSSCode] = MappingProxyType(
    {
        code.name: code
        for code in (
            STEANE,
            _hamming(4, "hamming15"),
            # C is the BCH code [21,12,5]; other products of degree 9 contain their duals, too, but have distance 3.
            CSSCode.cyclic(21, 0x337, name="bch21"),
            CSSCode.cyclic(23, 0xAE3, name="golay"),
        )
    }
)
"""The codes that come along: ``steane`` [[7,1,3]], ``hamming15`` [[15,7,3]], ``bch21`` [[21,3,5]], ``golay`` [[23,1,7]]."""
