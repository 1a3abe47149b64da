"""The crash rate of a program, exactly.

In: a program and a criterion. Out: its crash rate, in an algebra. The gadgets of the program are the tensors of a network; its
bonds are the classes of the blocks' errors.

Two ways to contract it. Backwards in time: from the probability that the rest of the program crashes, given the errors now, one
gadget after the other. Blocks that have nothing to do with each other later on are independent, and a block that begins without
errors needs no bond any more, so that a tree of any size never joins more than two blocks. Where many blocks hang together, all
gadgets are written out as tensors, and opt_einsum looks for an order of contraction with small intermediate tensors.

A tensor holds for each value of its bonds the probabilities of no crash and of a crash
(:data:`~triptych.qec.exact.algebra.CRASH`), so that crashes are summed directly, from numbers that are all positive: a rate of
1e-12 has as many digits as one of 1e-2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple, final

import numpy as np
import opt_einsum

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.exact.algebra import CRASH, REAL, Algebra, multiply
from triptych.qec.exact.channels import Compiled, Compiler, Needs, Shape, bits, fails, shape
from triptych.qec.exact.gadgets import Gadget, Wires, gadgets, wires
from triptych.qec.tree import Attempt
from triptych.qec.tree.errormap import EPSILON
from triptych.qec.tree.kernels import Floats
from triptych.qec.tree.observed import of_block, score
from triptych.runs import progress

REMEMBERED = 1 << 24
"""Numbers in all tensors that are kept, in case that the same one comes again: 128 MB."""

BYTES = 48
"""Memory for each number of the largest tensor: twice 8 bytes (no crash, crash), and copies."""

LONG = 500
"""Tensors of a network, which take seconds; for more of them one order of contraction is tried instead of many."""

MOST = 1000.0
"""Binary digits of numbers that are compared and printed only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an exact calculation would do, and how large it is.

    Attributes
    ----------
    program, crash : what is calculated.
    wires : the qubits of each wire.
    ends : what the criterion sees of each wire at the end.
    gadgets, shapes : what happens on the wires, in order.
    width : binary digits of the largest tensor: it has 2^width numbers for each coefficient of the algebra, twice.
    operations : about how many multiplications it takes, for each coefficient of the algebra.
    path : an order of contraction; backwards in time where there is none.
    """

    program: do.Program
    crash: Criterion
    wires: Wires
    ends: Needs
    gadgets: list[Gadget]
    shapes: list[Shape]
    width: float
    operations: float
    path: Any = None


class Solution(NamedTuple):
    """crash_rate : (algebra,) the rate. error : bound of its relative rounding error. attempts : one for each Verify of the
    program. entries : numbers that were computed.
    """

    crash_rate: Floats
    error: float
    attempts: list[Attempt]
    entries: int


def plan(program: do.Program, crash: Criterion, *, at_any_time: bool = False, max_entries: float = math.inf) -> Plan:
    """See how large an exact calculation is.

    An order of contraction other than backwards in time is looked for where that takes more than `max_entries` numbers. Cost:
    linear in the instructions; seconds for the other order, where there are hundreds of gadgets.

    Raises
    ------
    ConfigError
        If the program has hidden noise bits, or tasks with functions that cannot be hashed.
    """
    if hidden := {type(step).__name__ for step in program.flat()} & {"Hidden", "Switch", "When"}:
        raise ConfigError("the exact engine follows no hidden noise bits", got=", ".join(sorted(hidden)), fix="take the tree")
    for step in program.instructions:
        if isinstance(step, do.Custom) and not isinstance(step.change, Hashable):
            raise ConfigError(
                "a Custom task has a function that cannot be hashed", got=step.change, fix="a function, or a frozen dataclass"
            )
    lines = wires(program)
    cut = gadgets(program, lines, scored=at_any_time)
    ends = tuple(_end(blocks, crash) for blocks in _scored(program.blocks, lines))
    needs, known, shapes = [*ends], dict[object, Shape](), []
    for one in reversed(cut):
        behind, sizes = tuple(needs[w] for w in one.wires), tuple(len(lines[w]) for w in one.wires)
        question = one.steps, one.sources, behind, sizes
        if question not in known:
            known[question] = shape(one.steps, sizes, behind, crash if at_any_time else None)
        shapes.append(known[question])
        for w, rows in zip(one.wires, shapes[-1].ahead, strict=True):
            needs[w] = rows
    shapes.reverse()
    channels = max((one.entries for one in known.values()), default=1)
    width, operations = _backwards(cut, shapes, ends)
    operations += sum(one.operations for one in known.values())
    made = Plan(
        program=program,
        crash=crash,
        wires=lines,
        ends=ends,
        gadgets=cut,
        shapes=shapes,
        width=max(width, math.log2(channels)),
        operations=operations,
    )
    if max_entries < 1 or made.width <= math.log2(max_entries) or channels > max_entries:
        return made
    return min(made, ordered(made), key=lambda one: one.width)


def _scored(blocks: Sequence[Sequence[int]], wires: Wires) -> list[list[list[int]]]:
    """For each wire the blocks that are scored on it, in the wire's own numbers."""
    place = {q: (w, i) for w, wire in enumerate(wires) for i, q in enumerate(wire)}
    found: list[list[list[int]]] = [[] for _ in wires]
    for block in blocks:
        found[place[block[0]][0]].append([place[q][1] for q in block])
    return found


def _end(blocks: Sequence[Sequence[int]], crash: Criterion) -> tuple[int, ...]:
    """What the criterion sees of a wire with these blocks on it."""
    return tuple(sorted(f2.basis(row for block in blocks for row in of_block(score(crash, len(block)).functionals, block))))


def _backwards(cut: Sequence[Gadget], shapes: Sequence[Shape], ends: Needs) -> tuple[float, float]:
    """Digits of the largest tensor, and multiplications, if gadgets are applied backwards in time."""
    needs = [len(rows) for rows in ends]
    joined = [frozenset({w}) for w in range(len(ends))]
    width, operations = max(needs, default=0), 0.0
    for one, form in zip(reversed(cut), reversed(shapes), strict=True):
        group = frozenset[int]().union(*(joined[w] for w in one.wires))
        behind = sum(needs[w] for w in group)
        for w, rows in zip(one.wires, form.ahead, strict=True):
            needs[w] = len(rows)
        ahead = sum(needs[w] for w in group)
        events = sum(isinstance(step, do.Event) for step in form.steps)
        operations += _power(behind + bits(form.ahead)) if form.cuts else _power(behind) * (1 + 16 * events)
        width = max(width, behind, ahead)
        kept = frozenset(w for w in group if needs[w])
        for w in group:
            joined[w] = kept if w in kept else frozenset({w})
    return float(width), operations


def _power(bits: float) -> float:
    """2^bits, as far as floating-point numbers go."""
    return math.pow(2.0, min(bits, MOST))


def affordable(made: Plan, *, max_memory_gb: float, coefficients: int = 1) -> None:
    """Refuse what does not fit into the memory.

    Raises
    ------
    ConfigError
        If the largest tensor, of so many coefficients for each number, does not; the message names its width.
    """
    width = made.width + math.log2(BYTES * coefficients)
    if _power(width) > 1e9 * max_memory_gb:
        raise ConfigError(
            "the exact engine needs a tensor that does not fit into the memory",
            got=f"a width of {made.width:.0f} bits, {_power(width) / 1e9:.3g} GB",
            expected=f"up to max_memory_gb = {max_memory_gb:g}",
            fix="fewer blocks that hang together, a criterion that sees less (readout), or the tree",
        )


def ordered(made: Plan) -> Plan:
    """The plan with the order of contraction that opt_einsum proposes, all gadgets written out as tensors."""
    equation, dimensions = _equation(made)
    search = "auto-hq" if len(dimensions) <= LONG else "greedy"
    _, found = opt_einsum.contract_path(equation, *dimensions, shapes=True, optimize=search)
    largest = max(math.prod(sizes) for sizes in dimensions)
    channels = max(form.entries for form in made.shapes)
    width = math.log2(max(largest, channels, int(found.largest_intermediate)))
    return replace(made, width=width, operations=float(min(found.opt_cost, _power(MOST))), path=found.contraction_list)


def _equation(made: Plan) -> tuple[str, list[tuple[int, ...]]]:
    """The network in Einstein's notation: the criterion on each wire, and the gadgets from the last to the first."""
    fresh = (opt_einsum.get_symbol(i) for i in count())
    names = [next(fresh) if rows else "" for rows in made.ends]
    terms = [*filter(None, names)]
    dimensions: list[tuple[int, ...]] = [(1 << len(rows),) for rows in made.ends if rows]
    for one, form in zip(reversed(made.gadgets), reversed(made.shapes), strict=True):
        behind = [names[w] for w in one.wires]
        for w, rows in zip(one.wires, form.ahead, strict=True):
            names[w] = next(fresh) if rows else ""
        terms.append("".join([*(names[w] for w in one.wires), *behind]))
        dimensions.append(tuple(1 << len(rows) for rows in (*form.ahead, *form.behind) if rows))
    return ",".join(terms) + "->", dimensions


class _Tensor(NamedTuple):
    """values : (2 algebra, one axis for each wire). depth : roundings. name : equal names, equal values."""

    values: Floats
    wires: tuple[int, ...]
    depth: int
    name: int


def solve(made: Plan, algebra: Algebra = REAL) -> Solution:
    """Contract the network of a plan, in the order that it names.

    Raises
    ------
    ConfigError
        If a Verify never accepts.
    """
    work = _Contraction(made, algebra)
    with progress.task("exact contraction", len(made.gadgets)) as shown:
        values, depth = work.backwards(shown.advance) if made.path is None else work.along(made.path, shown.advance)
    return Solution(
        crash_rate=values.reshape(algebra.size, 2)[:, 1],
        error=depth * EPSILON,
        attempts=[work.attempts[i] for i in sorted(work.attempts)],
        entries=work.entries,
    )


@final
class _Contraction:
    """The contraction of one network; equal gadgets are compiled once."""

    def __init__(self, made: Plan, algebra: Algebra) -> None:
        self.plan = made
        self.algebra = algebra
        self.rules = tuple((2 * i + a, 2 * j + b, 2 * k + c) for i, j, k in algebra.rules for a, b, c in CRASH)
        self.attempts: dict[int, Attempt] = {}
        self.entries = 0
        self._compiler = Compiler(algebra)
        self._channels: dict[int, Compiled] = {}
        self._known: dict[object, _Tensor] = {}
        self._room = REMEMBERED
        self._names: dict[object, int] = {}

    def backwards(self, advance: Callable[[], object]) -> tuple[Floats, int]:
        """The value of the network, from the end of the program to its beginning; its roundings."""
        held: dict[int, _Tensor] = {}
        total, depth = self._unit(), 0
        for end in self._ends():
            held |= dict.fromkeys(end.wires, end)
            total = total if end.wires else self._times(total, end.values)
        for one, form in zip(reversed(self.plan.gadgets), reversed(self.plan.shapes), strict=True):
            parts = list({held[w].wires: held[w] for w in one.wires if w in held}.values())
            made = self._applied(one, form, parts)
            for w in one.wires:
                held.pop(w, None)
            held |= dict.fromkeys(made.wires, made)
            if not made.wires:
                total = self._times(total, made.values)
                depth += made.depth + 4
            advance()
        for rest in {one.wires: one for one in held.values()}.values():
            total = self._times(total, rest.values.reshape(len(total), -1)[:, 0])
            depth += rest.depth + 4
        return total, depth

    def along(self, path: Any, advance: Callable[[], object]) -> tuple[Floats, int]:
        """The value of the network in another order; its roundings."""
        total, operands, depth = self._unit(), list[Floats](), 0
        for end in self._ends():
            if end.wires:
                operands.append(end.values)
            else:
                total = self._times(total, end.values)
        for one, form in zip(reversed(self.plan.gadgets), reversed(self.plan.shapes), strict=True):
            channel = self._channel(one, form)
            operands.append(self._written_out(form, channel))
            depth += channel.depth
            advance()
        for which, _, step, *_ in path:
            parts = [operands.pop(i) for i in which]

            def combine(*of: Floats, step: str = step) -> Floats:
                found: Floats = np.asarray(opt_einsum.contract(step, *of))
                return found

            made = self._times(parts[0], parts[1], combine) if len(parts) == 2 else np.stack([combine(row) for row in parts[0]])
            operands.append(made)
            depth += 4 * min(part[0].size for part in parts) + 4
            self.entries += made.size
        for rest in operands:
            total = self._times(total, rest)
        return total, depth

    def _ends(self) -> Iterator[_Tensor]:
        """The criterion on each wire: whether a block on it has crashed."""
        scored = _scored(self.plan.program.blocks, self.plan.wires)
        for w, (blocks, rows) in enumerate(zip(scored, self.plan.ends, strict=True)):
            values = np.zeros((2 * self.algebra.size, 1 << len(rows)))
            crashed = fails(blocks, rows, self.plan.crash)
            values[0], values[1] = ~crashed, crashed
            name = self._names.setdefault(("end", values.tobytes()), len(self._names))
            yield _Tensor(values if rows else values[:, 0], (w,) if rows else (), 0, name)

    def _applied(self, one: Gadget, form: Shape, parts: list[_Tensor]) -> _Tensor:
        """A gadget before what comes after it."""
        cat = tuple(w for part in parts for w in part.wires)
        behind = [w for w, rows in zip(one.wires, form.behind, strict=True) if rows]
        ahead = [w for w, rows in zip(one.wires, form.ahead, strict=True) if rows]
        rest = [w for w in cat if w not in behind]
        axes = [cat.index(w) for w in (*rest, *behind)]
        channel = self._channel(one, form)
        question = id(form), tuple(part.name for part in parts), tuple(axes)
        if question not in self._known:
            values = self._unit()
            for part in parts:
                values = self._times(values, part.values, np.multiply.outer)
            values = values.transpose(0, *(1 + axis for axis in axes))
            sizes = values.shape[1 : 1 + len(rest)]
            found = self._through(channel, values.reshape(self.algebra.size, 2, -1, 1 << bits(form.behind)))
            bonds = [1 << len(rows) for rows in form.ahead if rows]
            found = found.reshape(2 * self.algebra.size, *sizes, *bonds)
            self.entries += found.size
            depth = sum(part.depth + 4 for part in parts) + channel.depth + (1 << bits(form.behind) if form.cuts else 0)
            made = _Tensor(found, (), depth, self._names.setdefault(question, len(self._names)))
            if found.size > self._room:
                return made._replace(wires=(*rest, *ahead))
            self._room -= found.size
            self._known[question] = made
        return self._known[question]._replace(wires=(*rest, *ahead))

    def _through(self, channel: Compiled, values: Floats) -> Floats:
        """(algebra, 2, ..., value behind) to (algebra, 2, ..., value ahead): the mean over what the gadget may do."""
        if channel.matrix is None:
            for mixture in channel.mixtures:
                values = self._compiler.noise.convolve(values, mixture)
                values[:, 1] += mixture.lost[:, None, None]
            values = values[..., channel.shifts]
        else:
            values = self.algebra.product(channel.matrix, values, lambda matrix, old: old @ matrix.T)
        values[:, 1] += channel.lost[:, None]
        return values

    def _written_out(self, form: Shape, channel: Compiled) -> Floats:
        """(2 algebra, one axis for each wire ahead, and behind) the tensor of a gadget; after a crash it goes on from 0."""
        size, ahead, behind = self.algebra.size, 1 << bits(form.ahead), 1 << bits(form.behind)
        values = np.zeros((size, 2, ahead, behind))
        lost = channel.lost
        if channel.matrix is None:
            p = self._compiler.noise.distribution(channel.mixtures, bits(form.behind))
            values[:, 0] = p[:, np.arange(behind) ^ channel.shifts[:, None]]
            for mixture in channel.mixtures:
                lost = lost + mixture.lost[:, None] - self.algebra.product(lost, mixture.lost[:, None])
        else:
            values[:, 0] = channel.matrix
        values[:, 1, :, 0] = lost
        bonds = [1 << len(rows) for rows in (*form.ahead, *form.behind) if rows]
        return values.reshape(2 * size, *bonds)

    def _channel(self, one: Gadget, form: Shape) -> Compiled:
        if id(form) not in self._channels:
            self._channels[id(form)] = self._compiler.compile(form)
        channel = self._channels[id(form)]
        self.attempts |= dict(zip(one.verifies, channel.attempts, strict=True))
        return channel

    def _unit(self) -> Floats:
        unit = np.zeros(2 * self.algebra.size)
        unit[0] = 1.0
        return unit

    def _times(self, a: Floats, b: Floats, combine: Callable[[Floats, Floats], Floats] = np.multiply) -> Floats:
        return multiply(a, b, self.rules, 2 * self.algebra.size, combine)
