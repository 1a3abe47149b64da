"""What probabilities are counted in.

In: nothing, labels, or an order. Out: an :class:`Algebra`: the number that stands for "an event strikes", and a product. All that
the exact engine does is linear or bilinear, so that the same code gives a crash rate (real numbers), its derivatives by the
strengths of classes of events (jets: numbers of the form a + b_1 d_1 + b_2 d_2 + ... with d_i d_j = 0) and its power series in
the strength of all events (polynomials, cut off).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from triptych.errors import ConfigError
from triptych.qec.program import Event
from triptych.qec.tree.kernels import Floats

Rules = tuple[tuple[int, int, int], ...]
"""(i, j, k): the product of the unit vectors i and j is the unit vector k; the products that are missing are 0."""

Label = Callable[[Event], str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Algebra:
    """A commutative algebra over the real numbers; an element has its coefficients along the first axis, that of 1 first.

    Attributes
    ----------
    size : coefficients of an element.
    rules : the product of unit vectors.
    degree : a product of more than so many elements without a part along 1 is 0.
    strength : the element that the rate of an event is multiplied by.
    label : what tells events apart.
    """

    size: int
    rules: Rules
    degree: int
    strength: Callable[[Event], Floats]
    label: Label = field(default=lambda _: "")

    @property
    def one(self) -> Floats:
        """The element 1."""
        return self.number(1.0)

    def number(self, value: float) -> Floats:
        """A real number as an element."""
        found = np.zeros(self.size)
        found[0] = value
        return found

    def product(self, a: Floats, b: Floats, combine: Callable[[Floats, Floats], Floats] = np.multiply) -> Floats:
        """The product of arrays of elements; `combine` is the bilinear operation on what follows the first axis."""
        return multiply(a, b, self.rules, self.size, combine)

    def inverse(self, a: Floats) -> Floats:
        """1 / a of a single element, by the geometric series of its nilpotent part."""
        rest = -a / a[0]
        rest[0] = 0.0
        found = self.one
        for _ in range(self.degree):
            found = self.one + self.product(rest, found)
        found /= a[0]
        return found

    def power(self, a: Floats, exponent: int) -> Floats:
        """The power of a single element, by squaring."""
        found = self.one
        while exponent:
            if exponent & 1:
                found = self.product(found, a)
            a = self.product(a, a)
            exponent >>= 1
        return found


def multiply(a: Floats, b: Floats, rules: Rules, size: int, combine: Callable[[Floats, Floats], Floats]) -> Floats:
    """The product along the first axes, with these rules; unit vectors that are 0 throughout cost nothing."""
    parts: dict[int, Floats] = {}
    here, there = [bool(np.any(row)) for row in a], [bool(np.any(row)) for row in b]
    for i, j, k in rules:
        if here[i] and there[j]:
            term = combine(a[i], b[j])
            parts[k] = parts[k] + term if k in parts else term
    shape = next(iter(parts.values())).shape if parts else combine(a[0], b[0]).shape
    out = np.zeros((size, *shape))
    for k, part in parts.items():
        out[k] = part
    return out


REAL = Algebra(size=1, rules=((0, 0, 0),), degree=0, strength=lambda _: np.ones(1))
"""Real numbers: probabilities."""

CRASH: Rules = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1))
"""Of two parts of a program (no crash, crash): there is none in both, or one in either. Crashes are summed directly, so that a
small rate keeps its digits."""


def jets(labels: Sequence[str], label: Label) -> Algebra:
    """Numbers with their derivatives by the logarithm of the rate of each class of events.

    Parameters
    ----------
    labels : the classes; coefficient i + 1 of an element is the derivative by the class i.
    label : the class of an event, which may depend on its kind, its rate and its source, but not on its qubits: equal gadgets are
        worked out once. Events of other classes stay as they are.

    Raises
    ------
    ConfigError
        If there is no class.
    """
    if not labels:
        raise ConfigError("nothing to differentiate by", got="no labels", expected="one class of events or more")
    size = len(labels) + 1
    column = {name: i for i, name in enumerate(labels, start=1)}

    def strength(event: Event) -> Floats:
        found = np.zeros(size)
        found[0] = 1.0
        if label(event) in column:
            found[column[label(event)]] = 1.0
        return found

    rules = ((0, 0, 0), *((0, i, i) for i in range(1, size)), *((i, 0, i) for i in range(1, size)))
    return Algebra(size=size, rules=rules, degree=1, strength=strength, label=label)


def series(order: int) -> Algebra:
    """Power series in a factor of all rates, up to an order; coefficient k of an element is that of the k-th power.

    Raises
    ------
    ConfigError
        If the order is below 1.
    """
    if order < 1:
        raise ConfigError("a power series needs terms", got=f"order {order}", expected="order >= 1")
    first = np.eye(order + 1)[1]
    rules = tuple((i, k - i, k) for k in range(order + 1) for i in range(k + 1))
    return Algebra(size=order + 1, rules=rules, degree=order, strength=lambda _: first)
