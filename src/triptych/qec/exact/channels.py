"""Gadgets as channels between the classes of a block's errors.

In: a gadget, and the functionals that are observed behind it on each of its wires. Out: the functionals that it observes itself,
and a :class:`Compiled` channel between the values of the two. A stretch without look-ups stays what it is, a sum of XORs. A
look-up (a correction, say) ends a stage: as errors that were there before only shift where the noise of the stage ends, one
distribution gives the whole stochastic matrix of the stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.exact.algebra import Algebra
from triptych.qec.exact.kernels import scatter
from triptych.qec.exact.stretch import Mixture, Noise, sums, values
from triptych.qec.montecarlo.frames import vote
from triptych.qec.tree import Attempt
from triptych.qec.tree.kernels import Floats, Rows
from triptych.qec.tree.observed import corrections, of_block, score, sees, throughout

Needs = tuple[tuple[int, ...], ...]
"""For each wire of a gadget independent functionals (masks over the wire's own coordinates); one wire's values are one index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A gadget before anything is computed.

    Attributes
    ----------
    steps : its instructions.
    sizes : qubits of each wire.
    ahead, behind : what is observed before and behind it.
    moments : what is observed before each instruction and at the end, on all qubits.
    cuts : the instructions that are look-ups.
    crash : what a Tally scores by, if it counts.
    """

    steps: tuple[do.Instruction, ...]
    sizes: tuple[int, ...]
    ahead: Needs
    behind: Needs
    moments: tuple[tuple[int, ...], ...]
    cuts: tuple[int, ...]
    crash: Criterion | None

    @property
    def entries(self) -> int:
        """Numbers in the largest array of its channel."""
        start = bits(self.ahead)
        if not self.cuts:
            return 1 << start
        middle = [len(self.moments[cut]) for cut in self.cuts]
        widths = [start, *(len(self.moments[cut + 1]) for cut in self.cuts[:-1]), bits(self.behind)]
        return max(*(1 << m for m in middle), *(1 << a + b for a, b in pairwise(widths)))

    @property
    def operations(self) -> int:
        """About how many multiplications the channel takes."""
        starts = [bits(self.ahead), *(len(self.moments[cut + 1]) for cut in self.cuts)]
        events = 8 * sum(isinstance(step, do.Event) for step in self.steps)
        found = 0
        for cut, start in zip(self.cuts, starts, strict=False):
            step = self.steps[cut]
            errors = 4 ** len(step.qubits) if isinstance(step, do.Custom) else 0
            found += (1 << len(self.moments[cut])) * ((1 << start) + events + errors)
        return found


def shape(steps: tuple[do.Instruction, ...], sizes: tuple[int, ...], behind: Needs, crash: Criterion | None) -> Shape:
    """What a gadget observes, given what is observed behind it; `crash` scores at a Tally."""
    moments = throughout(steps, flat(behind, sizes), crash)
    ahead, low = [], 0
    for size in sizes:
        mask = (1 << 2 * size) - 1
        ahead.append(tuple(sorted(f2.basis(row >> 2 * low & mask for row in moments[0]))))
        low += size
    return Shape(
        steps=steps,
        sizes=sizes,
        ahead=tuple(ahead),
        behind=behind,
        moments=tuple(tuple(rows) for rows in moments),
        cuts=tuple(i for i, step in enumerate(steps) if _looks(step, moments[i + 1], crash)),
        crash=crash,
    )


def _looks(step: do.Instruction, rows: list[int], crash: Criterion | None) -> bool:
    """Whether an instruction depends on the values of functionals in another way than by their parities, and matters."""
    match step:
        case do.Correct() | do.Custom() | do.Channel():
            return sees(step, rows)
        case do.Tally():
            return crash is not None
        case _:
            return False


def flat(needs: Needs, sizes: Sequence[int]) -> list[int]:
    """The functionals of all wires in the gadget's numbers; the last wire's are the lowest bits, as in an array's index."""
    lows = np.cumsum([0, *sizes]).tolist()
    return [row << 2 * low for rows, low in reversed([*zip(needs, lows, strict=False)]) for row in rows]


def bits(needs: Needs) -> int:
    """How many functionals there are."""
    return sum(len(rows) for rows in needs)


class Compiled(NamedTuple):
    """A channel from classes v before to classes w behind.

    v becomes shifts[v], to which the `mixtures` are added: or, where there is a `matrix`, (algebra, v, w), it becomes w with that
    probability. lost : (algebra, v) probability that the run aborts, without that of the mixtures. attempts : one for each
    Verify. depth : roundings.
    """

    shifts: Rows
    mixtures: list[Mixture]
    matrix: Floats | None
    lost: Floats
    attempts: list[Attempt]
    depth: int


@final
class Compiler:
    """Makes channels from gadgets; equal ancillas are worked out once."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.noise = Noise(algebra)

    def compile(self, shape: Shape) -> Compiled:
        """The channel of a gadget.

        Cost, for b classes before it, m functionals at a look-up (those of the block and of its stored syndromes) and e error
        events: time 2^m (b + 15 e), memory 8 (2^m + b w) bytes.
        """
        start, ends = flat(shape.ahead, shape.sizes), flat(shape.behind, shape.sizes)
        if not shape.cuts:
            rows, mixtures, attempts = self.noise.stretch(shape.steps, ends)
            depth = sum(one.patterns.size + one.depth for one in mixtures)
            nothing = np.zeros((self.algebra.size, 1 << len(start)))
            return Compiled(values(rows, start), mixtures, None, nothing, attempts, depth)
        attempts, depth = [], 0
        matrix = lost = None
        for begin, cut in zip((0, *(cut + 1 for cut in shape.cuts)), (*shape.cuts, len(shape.steps)), strict=True):
            final = cut == len(shape.steps)
            middle = ends if final else list(shape.moments[cut])
            after = ends if final or cut + 1 == len(shape.steps) else list(shape.moments[cut + 1])
            rows, mixtures, met = self.noise.stretch(shape.steps[begin:cut], middle)
            shifts = values(rows, start)
            if final and not mixtures and rows == start == ends:
                break
            step = None if final else shape.steps[cut]
            outcomes = lookup(step, middle, after, shape.crash)
            stage, gone, terms = self._stage(mixtures, shifts, outcomes, len(middle), len(after))
            if matrix is None or lost is None:
                matrix, lost = stage, gone
            else:
                lost = lost + self.algebra.product(matrix, gone, np.matmul)
                matrix = self.algebra.product(matrix, stage, np.matmul)
            attempts += met
            depth += terms + len(matrix[0])
            start = after
        assert matrix is not None
        assert lost is not None
        return Compiled(np.arange(len(matrix[0])), [], matrix, lost, attempts, depth)

    def _stage(
        self, mixtures: list[Mixture], shifts: Rows, outcomes: Outcomes, width: int, after: int
    ) -> tuple[Floats, Floats, int]:
        """A stretch and its look-up: the matrix (algebra, before, after), the lost probability (algebra, before), roundings."""
        algebra = self.algebra
        lost = algebra.number(0.0)
        for one in mixtures:
            lost = lost + one.lost - algebra.product(lost, one.lost)
        p = self.noise.distribution(mixtures, width)
        matrix = np.zeros((algebra.size, len(shifts), 1 << after))
        gone = np.repeat(lost[:, None], len(shifts), axis=1)
        depth = sum(one.patterns.size + one.depth for one in mixtures)
        for rank in outcomes.ranks:
            depth += int(np.bincount(rank.after).max())
            for coefficient in range(algebra.size):
                if p[coefficient].any():
                    scatter(p[coefficient], shifts, rank.after, rank.shares, matrix[coefficient])
        if outcomes.ends.any():
            gone += np.stack([p[:, np.arange(len(outcomes.ends)) ^ shift] @ outcomes.ends for shift in shifts], axis=1)
            depth += len(outcomes.ends)
        return matrix, gone, depth


class Rank(NamedTuple):
    """One outcome of a look-up for each value before it: after : the value behind it. shares : with what probability."""

    after: Rows
    shares: Floats


class Outcomes(NamedTuple):
    """What a look-up does. ranks : as many as it has outcomes at most. ends : for each value the probability that it ends the
    run: an abort, or a crash that is scored on the way.
    """

    ranks: Iterable[Rank]
    ends: Floats


def lookup(step: do.Instruction | None, rows: list[int], after: list[int], crash: Criterion | None) -> Outcomes:
    """What a look-up does to the values of functionals (None: nothing)."""
    kept = values(after, rows)
    ones = np.ones(len(kept))
    match step:
        case do.Correct():
            return Outcomes([Rank(kept ^ _flips(corrections(step), after)[_elected(step, rows)], ones)], 0 * ones)
        case do.Custom():
            return Outcomes(_custom(step, rows, after, kept), 0 * ones)
        case do.Channel():
            looks, moves = values(step.looks, rows), sums(_flips(step.errors, after)[:-1].tolist())
            ranks = (Rank(kept ^ move, step.matrix[looks, looks ^ flipped]) for flipped, move in enumerate(moves))
            return Outcomes(ranks, step.aborts[looks])
        case do.Tally(blocks=blocks):
            assert crash is not None
            failed = fails(blocks, rows, crash).astype(float)
            return Outcomes([Rank(kept, 1 - failed)], failed)
        case _:
            return Outcomes([Rank(kept, ones)], 0 * ones)


def fails(blocks: Iterable[Sequence[int]], rows: Sequence[int], crash: Criterion) -> NDArray[np.bool_]:
    """(2^rows,) whether one of the blocks has crashed, for each value of functionals."""
    found = np.zeros(1 << len(rows), dtype=bool)
    for block in blocks:
        functionals, table = score(crash, len(block))
        found |= table[values(of_block(functionals, block), rows)]
    return found


def _flips(errors: Sequence[int], after: Sequence[int]) -> Rows:
    """What each error does to functionals; a last entry that does nothing."""
    found = [sum(f2.parity(row & error) << k for k, row in enumerate(after)) for error in errors]
    return np.array([*found, 0], dtype=np.int64)


def _elected(step: do.Correct, rows: list[int]) -> Rows:
    """The row of the table that a majority calls, -1 where there is none."""
    votes = np.stack([values([1 << 2 * bit for bit in syndrome], rows) for syndrome in step.syndromes])
    present: NDArray[np.bool_] = np.ones_like(votes, dtype=bool)
    for i, marker in enumerate(step.absent):
        present[i] = values([1 << 2 * marker], rows) == 0
    return vote(votes, present)


def _custom(step: do.Custom, rows: list[int], after: list[int], kept: Rows) -> Iterator[Rank]:
    x, z = (values([1 << 2 * q + part for q in step.qubits], rows) for part in (0, 1))
    outcomes: list[list[tuple[Rows, int, float]]] = []
    for old in dict.fromkeys(zip(x.tolist(), z.tolist(), strict=True)):
        here = np.flatnonzero((x == old[0]) & (z == old[1]))
        for rank, (new, p) in enumerate(step.distribution(*old).items()):
            error = sum(((old[part] ^ new[part]) >> i & 1) << 2 * q + part for part in (0, 1) for i, q in enumerate(step.qubits))
            if rank == len(outcomes):
                outcomes.append([])
            outcomes[rank].append((here, int(_flips([error], after)[0]), p))
    for found in outcomes:
        moved, shares = kept.copy(), np.zeros(len(kept))
        for here, flip, p in found:
            moved[here] ^= flip
            shares[here] = p
        yield Rank(moved, shares)
