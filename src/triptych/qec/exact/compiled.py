"""A program with compiled gadgets, for the probability tree.

In: the plan of a program. Out: the same program, with one :class:`~triptych.qec.program.Channel` in place of each phase of a
block's recovery. Ancillas and syndromes need no states any more, and nothing is pruned inside of a gadget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.exact.algebra import REAL
from triptych.qec.exact.channels import Compiled, Compiler, Needs, Shape, shape
from triptych.qec.exact.gadgets import moved, renamed, touched
from triptych.qec.exact.network import Plan
from triptych.qec.tree import Attempt
from triptych.qec.tree.errormap import EPSILON


class Short(NamedTuple):
    """program : with channels. attempts : one for each Verify of the program as it was. error : bound of the relative rounding
    error that the channels bring along.
    """

    program: do.Program
    attempts: list[Attempt]
    error: float


def compiled(made: Plan, *, max_entries: float) -> Short:
    """Compile the look-ups of single blocks.

    Gadgets on several blocks, those that may abort, and those whose channel has more than `max_entries` numbers stay as they are.

    Raises
    ------
    ConfigError
        If a Verify never accepts.
    """
    attempts: dict[int, Attempt] = {}
    steps: list[do.Instruction] = []
    kinds: dict[int, do.Kind] = {}
    depth = 0
    fresh = 1 + max((q for wire in made.wires for q in wire), default=-1)
    for one, (ahead, channel, met) in zip(made.gadgets, _channels(made, max_entries), strict=True):
        attempts |= dict(zip(one.verifies, met, strict=True))
        qubits = [q for w in one.wires for q in made.wires[w]]
        original = _original(one.steps, qubits, fresh)
        before = {q: kinds.get(q) for q in qubits}
        for step in original:
            do.admit(step, kinds)
        same = all(kind == kinds.get(q) == "quantum" for q, kind in before.items())
        if channel is None or channel.matrix is None or channel.lost.any() or not same:
            steps += original
            continue
        depth += channel.depth
        (looks,) = ahead
        pivots = [row & -row for row in looks]  # no other look has them
        steps.append(
            do.Channel(
                qubits=tuple(qubits),
                looks=moved(looks, dict(enumerate(qubits))),
                errors=moved(pivots, dict(enumerate(qubits))),
                matrix=channel.matrix[0],
            )
        )
    program = do.Program(instructions=tuple(steps), blocks=made.program.blocks)
    return Short(program, [attempts[i] for i in sorted(attempts)], depth * EPSILON)


class _Part(NamedTuple):
    """A gadget: what is observed before it, its channel if it is to have one, and an attempt for each of its Verifys."""

    ahead: Needs
    channel: Compiled | None
    attempts: list[Attempt]


def _channels(made: Plan, max_entries: float) -> list[_Part]:
    """Each gadget, with its channel; a channel observes as much before it as behind it, which gadgets before it must provide."""
    compiler = Compiler(REAL)
    known: dict[object, _Part] = {}
    needs, found = [*made.ends], []
    for one, form in zip(reversed(made.gadgets), reversed(made.shapes), strict=True):
        behind = tuple(needs[w] for w in one.wires)
        if (id(form), behind) not in known:
            known[id(form), behind] = _part(shape(form.steps, form.sizes, behind, form.crash), compiler, max_entries)
        found.append(known[id(form), behind])
        for w, rows in zip(one.wires, found[-1].ahead, strict=True):
            needs[w] = rows
    return found[::-1]


def _part(form: Shape, compiler: Compiler, max_entries: float) -> _Part:
    if form.cuts and len(form.sizes) == 1 and (closed := _closed(form)).behind[0] and closed.entries <= max_entries:
        channel = compiler.compile(closed)
        return _Part(closed.ahead, channel, channel.attempts)
    return _Part(form.ahead, None, compiler.noise.stretch(form.steps, []).attempts)


def _closed(form: Shape) -> Shape:
    """The gadget with the same functionals before it and behind it: all that are observed on either side."""
    while True:
        both = (tuple(sorted(f2.basis([*form.behind[0], *form.ahead[0]]))),)
        if both == form.behind:
            return replace(form, ahead=both)
        form = shape(form.steps, form.sizes, both, form.crash)


def _original(steps: Sequence[do.Instruction], qubits: Sequence[int], fresh: int) -> list[do.Instruction]:
    """The instructions of a gadget on the program's qubits, its ancillas from `fresh` on."""
    names = dict(enumerate(qubits)) | {q: fresh + q for step in steps for q in touched(step) if q >= len(qubits)}
    return [renamed(step, names) for step in steps]
