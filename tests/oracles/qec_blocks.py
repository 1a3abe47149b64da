"""Exact crash rates of programs on several [[7,1,3]] blocks.

In: a program of gates between blocks and recoveries of single blocks. Out: its crash rates. The state is the joint distribution
of the blocks' errors modulo stabilizers, 256 classes each. What is between two recoveries is a transform; a phase of a recovery
is a matrix of 256 x 256 probabilities, since an error that is there beforehand only shifts where the phase's own faults end.
"""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tests.oracles.qec import PARITIES, Place, _step, distribution, walsh
from triptych.qec import program as do

Places = list[list[Place]]
ALONE = [set(range(7)) - gone for gone in ({0}, {1}, {3}, set())]  # each flips one of PARITIES and no other
CLASSES = 256


def words(block: tuple[int, ...]) -> Places:
    """The eight parities that tell the classes of a block apart, X first."""
    return [[(block[q], part) for q in parity] for part in (0, 1) for parity in PARITIES]


def generators(block: tuple[int, ...]) -> Places:
    """For each of them an error that flips it alone."""
    return [[(block[q], part) for q in qubits] for part in (0, 1) for qubits in ALONE]


def rates(program: do.Program) -> dict[str, float]:
    """Crash rates by criterion (without "strict", which counts errors within a class); memory 256 to the number of blocks."""
    blocks = program.blocks
    watched = [word for block in blocks for word in words(block)]
    errors = [error for block in blocks for error in generators(block)]
    state = np.zeros(CLASSES ** len(blocks))
    state[0] = 1.0
    stretch: list[do.Instruction] = []
    for step in program.instructions:
        if isinstance(step, do.Verify) and not any(isinstance(one, do.Verify) for one in stretch):
            state = distribution(stretch, watched, errors, walsh(state))
            stretch = []
        if isinstance(step, do.Correct):
            hit = {q for row in step.table for q in row}
            (number,) = [i for i, block in enumerate(blocks) if hit <= set(block)]
            matrix = phase(stretch, step, blocks[number])
            axis = len(blocks) - 1 - number  # the first block has the lowest bits
            joint = np.tensordot(state.reshape((CLASSES,) * len(blocks)), matrix, axes=(axis, 0))
            state = np.moveaxis(joint, -1, axis).reshape(-1)
            stretch = []
        elif not isinstance(step, do.Split | do.Tally):
            stretch.append(step)
    state = distribution(stretch, watched, errors, walsh(state)).reshape((CLASSES,) * len(blocks))
    found = {}
    for name, lost in criteria().items():
        fails = np.zeros_like(state, dtype=bool)
        for axis in range(len(blocks)):
            fails |= np.expand_dims(lost, [other for other in range(len(blocks)) if other != axis])
        found[name] = float(state[fails].sum())
    return found


def phase(steps: list[do.Instruction], vote: do.Correct, block: tuple[int, ...]) -> NDArray[np.float64]:
    """P(class afterwards | class before) of one phase of a recovery, vote included."""
    bits: Places = [[(bit, 0)] for syndrome in vote.syndromes for bit in syndrome]
    own = distribution(steps, words(block) + bits).reshape(-1, CLASSES)
    images = [image(steps, error, words(block) + bits) for error in generators(block)]
    fixes = np.array([fix(vote, block, stored) for stored in range(len(own))])
    matrix = np.zeros((CLASSES, CLASSES))
    for before in range(CLASSES):
        shift = 0
        for i, moved in enumerate(images):
            shift ^= moved * (before >> i & 1)
        here = fixes[np.arange(len(own)) ^ shift // CLASSES]
        for change in np.unique(here):
            matrix[before, np.arange(CLASSES) ^ shift % CLASSES ^ change] += own[here == change].sum(axis=0)
    return matrix


def image(steps: list[do.Instruction], error: list[Place], watched: Places) -> int:
    """The watched parities that an error before these steps flips behind them."""
    errors: dict[int, tuple[int, int]] = {}
    for q, part in error:
        errors[q] = (1, 0) if part == 0 else (0, 1)
    for step in steps:
        if isinstance(step, do.Verify):
            errors |= {step.first + one.qubit: (0, 0) for one in step.body if isinstance(one, do.Prepare)}
        elif not isinstance(step, do.Event):
            involved = {getattr(step, name) for name in ("control", "target", "qubit") if hasattr(step, name)}
            errors |= {q: (0, 0) for q in involved if q not in errors}
            _step(step, 0, errors)
    zero = (0, 0)
    return sum(sum(errors.get(q, zero)[part] for q, part in places) % 2 << i for i, places in enumerate(watched))


def fix(vote: do.Correct, block: tuple[int, ...], stored: int) -> int:
    """The parities that the correction flips, given all stored bits, the first lowest."""
    width = len(vote.syndromes[0])
    votes = Counter(stored >> width * k & 2**width - 1 for k in range(len(vote.syndromes)))
    value, most = max(votes.items(), key=lambda one: one[1])
    qubits = [block.index(q) for q in vote.table[value]] if 2 * most > len(vote.syndromes) else []
    return sum(sum(q in parity for q in qubits) % 2 << i for i, parity in enumerate(PARITIES)) << 4 * (vote.pauli == "Z")


def criteria() -> dict[str, NDArray[np.bool_]]:
    """For each class of a block, X parities lowest, whether it is lost."""
    lost = [(word % 8 > 0) != (word > 7) for word in range(16)]  # what a flip corrects is odd, and a stabilizer is even
    pairs = [(x, z) for z, x in product(range(16), repeat=2)]
    return {
        "readout": np.array([lost[x] for x, _ in pairs]),
        "css": np.array([lost[x] or lost[z] for x, z in pairs]),
        "paper22": np.array([lost[x] or lost[z] or 0 != x % 8 != z % 8 != 0 for x, z in pairs]),
    }
