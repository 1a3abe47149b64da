"""Linear algebra over F2 on packed integers.

In: vectors as Python integers, bit i for entry i. Out: the same. A set of labelled vectors is a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

Row = tuple[int, int]


def parity(vector: int) -> int:
    """The sum of all entries."""
    return vector.bit_count() & 1


def entries(vector: int) -> Iterator[int]:
    """The indices of the entries that are 1, from the lowest.

    Examples
    --------
    >>> list(entries(0b1010))
    [1, 3]
    """
    while vector:
        lowest = vector & -vector
        yield lowest.bit_length() - 1
        vector ^= lowest


def echelon(rows: Iterable[Row]) -> tuple[dict[int, Row], list[int]]:
    """Reduced row echelon form of (head, tail) rows: the tails go along.

    Returns the rows by pivot, a bit that no other head holds, and the tails of the rows whose heads vanished (none of them 0).
    Cost: (rows)^2 integer operations.

    Examples
    --------
    >>> echelon([(0b11, 1), (0b01, 2), (0b10, 4)])
    ({1: (1, 2), 2: (2, 3)}, [7])
    """
    pivots: dict[int, Row] = {}
    rest = []
    for head, tail in rows:
        for pivot, (other_head, other_tail) in pivots.items():
            if head & pivot:
                head ^= other_head
                tail ^= other_tail
        if head:
            lowest = head & -head
            for pivot, (other_head, other_tail) in pivots.items():
                if other_head & lowest:
                    pivots[pivot] = (other_head ^ head, other_tail ^ tail)
            pivots[lowest] = (head, tail)
        elif tail:
            rest.append(tail)
    return pivots, rest


def basis(rows: Iterable[int]) -> list[int]:
    """Independent vectors with the same span."""
    return [head for head, _ in echelon((row, 0) for row in rows)[0].values()]


def express(vector: int, pivots: Mapping[int, Row]) -> int:
    """The tail that belongs to a head in the span of the rows.

    Raises
    ------
    ArithmeticError
        If the vector is not in the span.
    """
    found = 0
    for pivot, (head, tail) in pivots.items():
        if vector & pivot:
            vector ^= head
            found ^= tail
    if vector:
        raise ArithmeticError("vector outside the span")
    return found


def transposed(columns: Mapping[int, int]) -> dict[int, int]:
    """Rows from columns: bit c of row i is bit i of column c.

    Examples
    --------
    >>> transposed({0: 0b01, 5: 0b11})
    {0: 33, 1: 32}
    """
    rows: dict[int, int] = {}
    for c, column in columns.items():
        for i in entries(column):
            rows[i] = rows.get(i, 0) | 1 << c
    return rows


Map = tuple[tuple[int, int], ...]
"""A linear map: (bit of the result, mask of the argument's entries that it sums)."""


def image(vector: int, linear: Map) -> int:
    """The vector's image under a linear map."""
    return sum(1 << bit for bit, mask in linear if parity(mask & vector))
