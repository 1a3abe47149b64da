"""A program as gadgets on wires.

In: a program. Out: its gadgets in an order in which they can happen. A wire is a code block; an ancilla lives inside of one
gadget, so that a whole syndrome extraction with its correction is one gadget, and the gates of a transversal CNOT are one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, final, get_args

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do

Wires = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gadget:
    """Instructions that belong together.

    Attributes
    ----------
    wires : which wires it touches, by their numbers, ascending.
    steps : its instructions; qubit i of its wires (one behind the other) has the number i, ancillas have larger ones, so that
        equal gadgets on different blocks are equal.
    verifies : which of the program's Verify tasks are in it.
    """

    wires: tuple[int, ...]
    steps: tuple[do.Instruction, ...]
    verifies: tuple[int, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the noise of each event comes from; equal instructions may differ in that."""
        flat = (inner for step in self.steps for inner in (step.body if isinstance(step, do.Verify) else (step,)))
        return tuple(step.source for step in flat if isinstance(step, do.Event))


def wires(program: do.Program) -> Wires:
    """The qubits of each wire: the blocks that are scored, in the end or on the way; those that overlap are one."""
    found: list[tuple[int, ...]] = []
    tallied = (block for step in program.instructions if isinstance(step, do.Tally) for block in step.blocks)
    for block in (*program.blocks, *dict.fromkeys(tallied)):
        met = [one for one in found if not set(one).isdisjoint(block)]
        found = [one for one in found if one not in met]
        found.append(tuple(dict.fromkeys(q for one in (*met, block) for q in one)))
    return tuple(found)


def gadgets(program: do.Program, wires: Wires, *, scored: bool) -> list[Gadget]:
    """Cut a program into gadgets.

    What touches an ancilla belongs to its gadget, and so does all that happens to a wire while a gadget is at work on it. Other
    instructions in a row on the same wires are a gadget of their own. Cost: linear in the instructions.

    Parameters
    ----------
    program, wires : what to cut, and the qubits of each wire.
    scored : whether Tally tasks count.
    """
    owner = {q: number for number, block in enumerate(wires) for q in block}
    steps = [*_relevant(program, scored=scored)]
    places = [touched(step) for step in steps]
    lives = _lives(steps, places, owner)
    ends = {life: i for i, found in enumerate(lives) for life in found}
    home: dict[int, _Draft] = {}  # of each ancilla
    last: dict[int, _Draft] = {}  # of each wire
    drafts: list[_Draft] = []
    for i, mine in enumerate(lives):
        on = {owner[q] for q in places[i] if q in owner}
        open_here = [last[w].root() for w in on if w in last and last[w].root().end > i]
        joined = list(dict.fromkeys([home[life].root() for life in mine if life in home] + open_here))
        if not joined and not mine and not isinstance(steps[i], _CHOICES):
            before = {id(last[w].root()): last[w].root() for w in on if w in last}
            plain = next(iter(before.values())) if len(before) == 1 and all(w in last for w in on) else None
            if plain and plain.open and all(last[w].root() is plain for w in plain.wires):
                joined = [plain]
        if not joined:
            drafts.append(_Draft(open=not mine and not isinstance(steps[i], _CHOICES)))
            joined = [drafts[-1]]
        first, *others = joined
        for other in others:
            first.absorb(other)
        first.steps.append(i)
        first.wires |= on
        first.end = max([first.end, *(ends[life] for life in mine)])
        home |= dict.fromkeys(mine, first)
        last |= dict.fromkeys(on, first)
    ordinals = {i: n for n, i in enumerate(i for i, step in enumerate(steps) if isinstance(step, do.Verify))}
    kept = sorted((draft for draft in drafts if draft.parent is None), key=lambda draft: max(draft.steps))
    return [
        Gadget(
            wires=tuple(sorted(draft.wires)),
            steps=_renumbered([(steps[i], places[i]) for i in sorted(draft.steps)], [wires[w] for w in sorted(draft.wires)]),
            verifies=tuple(ordinals[i] for i in sorted(draft.steps) if i in ordinals),
        )
        for draft in kept
    ]


_CHOICES = do.Correct | do.Custom | do.Channel | do.Tally


def _relevant(program: do.Program, *, scored: bool) -> Iterator[do.Instruction]:
    """All but merges; scoring block by block, where it counts; tasks of one's own without phases of measured qubits."""
    kinds: dict[int, do.Kind] = {}
    watched = any(isinstance(step, do.Custom) for step in program.instructions)
    for step in program.instructions:
        if watched:
            do.admit(step, kinds)
        match step:
            case do.Custom(qubits=qubits, change=change):
                bits = sum(1 << i for i, q in enumerate(qubits) if kinds[q] == "bit")
                yield replace(step, change=_OfBits(change, bits)) if bits else step
            case do.Tally(blocks=blocks):
                yield from (do.Tally(blocks=(block,)) for block in blocks if scored)
            case do.Merge():
                pass
            case _:
                yield step


@final
@dataclass(frozen=True, slots=True)
class _OfBits:
    """What becomes of an error some of whose qubits are measured (a mask), and have no phase."""

    change: Callable[[int, int], Mapping[tuple[int, int], float]]
    bits: int

    def __call__(self, x: int, z: int) -> Mapping[tuple[int, int], float]:
        if z & self.bits:
            return {(x, z): 1.0}  # never happens
        chances = self.change(x, z)
        if any(new_z & self.bits for _, new_z in chances):
            raise ConfigError(
                "a Custom task gives a measured qubit a phase", got=f"{chances} for (x, z) = {x, z}", expected="z = 0"
            )
        return chances


class _Draft:
    """A gadget while it is collected; one of linear instructions without ancillas stays `open` to more of them."""

    def __init__(self, *, open: bool) -> None:
        self.open = open
        self.steps: list[int] = []
        self.wires: set[int] = set()
        self.end = -1
        self.parent: _Draft | None = None

    def root(self) -> _Draft:
        return self if self.parent is None else self.parent.root()

    def absorb(self, other: _Draft) -> None:
        other.parent = self
        self.steps += other.steps
        self.wires |= other.wires
        self.end = max(self.end, other.end)
        self.open = False


def touched(step: do.Instruction) -> set[int]:
    """The qubits and bits that an instruction involves."""
    if isinstance(step, do.Verify):
        return set(step.made)
    return {q for name in _PLACES[type(step)] for q in _flat(getattr(step, name))}


_NAMES = {"qubit", "control", "target", "first", "second", "bit", "qubits", "bits", "syndromes", "table", "absent", "blocks"}
_PLACES = {kind: tuple(field.name for field in fields(kind) if field.name in _NAMES) for kind in get_args(do.Instruction)}
"""The fields of each kind of instruction that hold qubits."""


def _flat(places: Any) -> Iterable[int]:
    return [places] if isinstance(places, int) else (q for place in places for q in _flat(place))


def _lives(steps: Sequence[do.Instruction], places: Sequence[set[int]], owner: Mapping[int, int]) -> list[list[int]]:
    """For each instruction the ancillas that it touches, numbered anew whenever a qubit is prepared."""
    found, current, fresh = [], dict[int, int](), 0
    for step, qubits in zip(steps, places, strict=True):
        ancillas = sorted(q for q in qubits if q not in owner)
        for q in ancillas:
            if isinstance(step, do.Prepare | do.Verify) or q not in current:
                current[q], fresh = fresh, fresh + 1
        found.append([current[q] for q in ancillas])
    return found


def _renumbered(steps: Iterable[tuple[do.Instruction, set[int]]], blocks: Iterable[Sequence[int]]) -> tuple[do.Instruction, ...]:
    names = {q: i for i, q in enumerate(q for block in blocks for q in block)}
    data, fresh, found = set(names), len(names), []
    for step, qubits in steps:
        new = sorted(qubits - data)
        begins = isinstance(step, do.Prepare | do.Verify)
        low = min(new, default=0)
        names |= {q: fresh + q - low for q in new if begins or q not in names}
        fresh = max(fresh, 1 + max((names[q] for q in new), default=0))
        found.append(renamed(step, names))
    return tuple(found)


def renamed(step: do.Instruction, names: Mapping[int, int]) -> do.Instruction:
    """The same instruction on other qubits."""

    def image(places: Any) -> Any:
        return names[places] if isinstance(places, int) else tuple(image(place) for place in places)

    if isinstance(step, do.Verify):
        inner = {q - step.first: names[q] for q in touched(step)}
        shifts = {new - q for q, new in inner.items()}
        if len(shifts) == 1 and min(shifts) >= 0:
            return replace(step, first=min(shifts))
        body = tuple(renamed(one, inner) for one in step.body)
        return replace(step, first=0, body=body, checks=tuple(inner[q] for q in step.checks))
    if isinstance(step, do.Channel):
        step = replace(step, looks=moved(step.looks, names), errors=moved(step.errors, names))
    changed: dict[str, Any] = {name: image(getattr(step, name)) for name in _PLACES[type(step)]}
    return replace(step, **changed)


def moved(masks: Sequence[int], names: Mapping[int, int]) -> tuple[int, ...]:
    """Masks over coordinates, on other qubits."""
    return tuple(sum(1 << 2 * names[c // 2] + c % 2 for c in f2.entries(mask)) for mask in masks)
