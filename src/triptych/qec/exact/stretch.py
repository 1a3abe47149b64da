"""What noise does on a stretch of a program without look-ups.

In: gates, error events, measurements and verified ancillas; functionals that are observed at the end. Out: a distribution of what
these functionals gain on the way. All is linear over F2 here, so that every event is a mixture of XORs of m bits, one for each
functional; an error that is there beforehand only adds its own image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.exact.algebra import Algebra
from triptych.qec.exact.kernels import convolve
from triptych.qec.tree import Attempt
from triptych.qec.tree.errormap import EPSILON, NOTHING, SUM
from triptych.qec.tree.kernels import Floats, Rows
from triptych.qec.tree.observed import pulled


class Mixture(NamedTuple):
    """patterns : (n,) XORs of the functionals' values. shares : (algebra, n) their probabilities. lost : (algebra,) probability
    that the run aborts instead. depth : roundings that a share has seen.
    """

    patterns: Rows
    shares: Floats
    lost: Floats
    depth: int


class Stretch(NamedTuple):
    """rows : the functionals before the stretch that become the ones given. mixtures : what is added to them, in any order.
    attempts : one for each Verify, the first first.
    """

    rows: list[int]
    mixtures: list[Mixture]
    attempts: list[Attempt]


@final
class Noise:
    """The noise of stretches, in an algebra; equal ancillas are worked out once.

    Raises
    ------
    ConfigError
        If a Verify never accepts, or an event leaves so little that it may be nothing but rounding.
    """

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self._known: dict[object, tuple[Floats, Floats, int, Attempt]] = {}

    def stretch(self, steps: Sequence[do.Instruction], rows: list[int]) -> Stretch:
        """Pull functionals back through linear instructions, and collect what noise adds to them."""
        mixtures, attempts = [], []
        for step in reversed(steps):
            match step:
                case do.Depolarize1() | do.Depolarize2() | do.PauliChannel() | do.Flip():
                    mixtures += self._event(step, rows)
                case do.Verify():
                    mixture, attempt = self._ancilla(step, rows)
                    mixtures.append(mixture)
                    attempts.append(attempt)
                    fresh = sum(3 << 2 * (step.first + one.qubit) for one in step.body if isinstance(one, do.Prepare))
                    rows = [row & ~fresh for row in rows]
                case do.Prepare(qubit=q):
                    rows = [row & ~(3 << 2 * q) for row in rows]
                case _:
                    rows = [pulled(step, row) for row in rows]
        return Stretch(rows, mixtures, attempts[::-1])

    def distribution(self, mixtures: Sequence[Mixture], bits: int) -> Floats:
        """(algebra, 2^bits) the probability of each value that the functionals gain together.

        All numbers are sums of products of non-negative ones, so that small probabilities keep their digits.
        Cost: 2^bits times the number of patterns.
        """
        p = np.zeros((self.algebra.size, 1 << bits))
        p[0, 0] = 1.0
        for mixture in mixtures:
            p = self.convolve(p, mixture)
        return p

    def convolve(self, p: Floats, mixture: Mixture) -> Floats:
        """Arrays (algebra, ..., value) after XORs of the values by a mixture's patterns."""

        def mix(shares: Floats, old: Floats) -> Floats:
            new = np.zeros_like(old)
            used = np.flatnonzero(shares)
            size = old.shape[-1]
            convolve(old.reshape(-1, size), mixture.patterns[used], shares[used], new.reshape(-1, size))
            return new

        return self.algebra.product(mixture.shares, np.ascontiguousarray(p), mix)

    def _event(self, step: do.Depolarize1 | do.Depolarize2 | do.PauliChannel | do.Flip, rows: list[int]) -> list[Mixture]:
        qubits, strings = do.outcomes(step)
        errors: dict[int, float] = {}
        for string, p in strings:
            error = do.packed(qubits, string)
            pattern = sum(f2.parity(row & error) << k for k, row in enumerate(rows))
            if pattern and p > 0:
                errors[pattern] = errors.get(pattern, 0.0) + p
        if not errors:
            return []
        rate = math.fsum(errors.values())
        stay = 1 - rate
        if stay != 0 and stay < NOTHING:
            raise ConfigError(
                "an error event leaves next to nothing, which rounding may change",
                got=f"rates that sum up to 1 - {stay:.1e}",
                fix="make it 1, or take the tree",
            )
        chances = self.algebra.strength(step)[:, None] * np.array([0.0, *errors.values()])
        chances[:, 0] = -chances.sum(axis=1)
        chances[0, 0] = 1 - self.algebra.strength(step)[0] * rate
        depth = 2 + math.ceil(len(errors) * rate / stay if stay else 0)
        return [Mixture(np.array([0, *errors], dtype=np.int64), chances, np.zeros(self.algebra.size), depth)]

    def _ancilla(self, step: do.Verify, rows: list[int]) -> tuple[Mixture, Attempt]:
        """What an ancilla brings into functionals that see it."""
        block = sum(3 << 2 * one.qubit for one in step.body if isinstance(one, do.Prepare))
        local = [row >> 2 * step.first & block for row in rows]
        basis = sorted(f2.basis(local))
        sources = tuple(self.algebra.label(one) for one in step.body if isinstance(one, do.Event))
        question = (step.body, step.checks, step.supply, step.otherwise, tuple(basis), sources)
        if question not in self._known:
            self._known[question] = self._prepared(step, basis)
        shares, lost, depth, attempt = self._known[question]
        return Mixture(images(combined(local, basis), len(basis)), shares, lost, depth), attempt

    def _prepared(self, step: do.Verify, basis: list[int]) -> tuple[Floats, Floats, int, Attempt]:
        """(algebra, 2^basis) the block as the supply delivers it; the probability that it does not; roundings; one attempt.

        With r the rejected probability of an attempt, the accepted states count 1 + r + r^2 + ... times, as often as there are
        blocks, and all blocks are rejected with probability r^supply.
        """
        algebra = self.algebra
        checks = [1 << 2 * check for check in step.checks]
        _, mixtures, _ = self.stretch(step.body, [*basis, *checks])
        bits = len(basis) + len(checks)
        p = self.distribution(mixtures, bits).reshape(algebra.size, 1 << len(checks), 1 << len(basis))
        depth = bits + sum(one.patterns.size + one.depth for one in mixtures)
        accepted, rejected = p[:, 0], p[:, 1:].sum(axis=1)
        success, failure = accepted.sum(axis=1), rejected.sum(axis=1)
        slack = depth * EPSILON
        attempt = Attempt(float(success[0]), float(success[0]) * (1 - slack), min(1.0, float(success[0]) * (1 + slack)))
        lost = np.zeros(algebra.size)
        if step.supply is None:
            if not success[0] > 0:
                raise ConfigError(
                    "a Verify never accepts", got="acceptance 0", expected="checks that can be 0", fix="lower the noise"
                )
            return algebra.product(algebra.inverse(success)[:, None], accepted), lost, 2 * depth + SUM, attempt
        shares = algebra.product(self._geometric(failure, step.supply)[:, None], accepted)
        if step.otherwise == "use":
            shares += algebra.product(algebra.power(failure, step.supply - 1)[:, None], rejected)
        exhausted = algebra.power(failure, step.supply)
        if step.otherwise == "skip":
            marker = 1 << 2 * step.checks[0]
            shares[:, sum(f2.parity(row & marker) << i for i, row in enumerate(basis))] += exhausted
        if step.otherwise == "abort":
            lost = exhausted
        return shares, lost, depth * (1 + step.supply) + SUM, attempt

    def _geometric(self, ratio: Floats, terms: int) -> Floats:
        """1 + r + ... + r^(terms - 1), by halves."""
        if terms == 1:
            return self.algebra.one
        half = self._geometric(ratio, terms // 2)
        total = self.algebra.product(half, self.algebra.one + self.algebra.power(ratio, terms // 2))
        return total + self.algebra.power(ratio, terms - 1) if terms % 2 else total


def combined(rows: Sequence[int], basis: Sequence[int]) -> list[int]:
    """Each functional as a sum of basis functionals: bit i of the result for the i-th."""
    pivots, _ = f2.echelon((row, 1 << i) for i, row in enumerate(basis))
    return [f2.express(row, pivots) for row in rows]


def images(functionals: Sequence[int], bits: int) -> NDArray[np.int64]:
    """(2^bits,) for each value of so many bits the values of functionals of it (masks over the bits), the first one lowest."""
    return sums([sum((mask >> i & 1) << k for k, mask in enumerate(functionals)) for i in range(bits)])


def sums(flips: Sequence[int]) -> NDArray[np.int64]:
    """(2^flips,) the XOR of each subset; bit i of its number is for the i-th."""
    found = np.zeros(1, dtype=np.int64)
    for flip in flips:
        found = np.concatenate([found, found ^ flip])
    return found


def values(functionals: Sequence[int], rows: Sequence[int]) -> NDArray[np.int64]:
    """(2^rows,) the values of functionals in the span of others, for all values of those."""
    return images(combined(functionals, rows), len(rows))
