"""Monte Carlo, instruction by instruction.

In: a :class:`~triptych.qec.program.Program`, a number of shots, a generator. Out: how many shots crash, and how many ancillas
were prepared for those that were accepted. Errors are columns of bits over the shots; an instruction acts on all shots at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import program as do
from triptych.qec.criteria import Criterion
from triptych.qec.montecarlo.faults import faults

Bits = NDArray[np.uint8]
Shots = NDArray[np.int64]


class Counts(NamedTuple):
    """What was seen: crashed `shots`, and `accepted` of all `prepared` ancilla blocks (0 of 0 without a Verify)."""

    crashes: int
    shots: int
    accepted: int
    prepared: int


ATTEMPTS = 10_000
"""So often a Verify without limit is repeated before it counts as hopeless."""


def sample(
    program: do.Program,
    crash: Criterion,
    *,
    shots: int,
    rng: np.random.Generator,
    per_location: bool = False,
    at_any_time: bool = False,
) -> Counts:
    """Run the program `shots` times.

    Parameters
    ----------
    program : what to run, with the blocks to score.
    crash : true where a block with these packed X and Z bits is lost.
    shots, rng : how often, and with which random numbers.
    per_location : each error event draws a random number for each shot, as in the paper's own model (Sec. III), instead of one
        number for all shots that it strikes. The law is the same, the price is that of the paper's rival.
    at_any_time : a crash at a :class:`~triptych.qec.program.Tally` counts as well, even where it is undone later.

    Raises
    ------
    ConfigError
        If there are no shots, if a :class:`~triptych.qec.program.Verify` without limit rejects 10 000 times in a row, or if the
        probabilities of a :class:`~triptych.qec.program.Custom` task do not sum to 1.

    Notes
    -----
    Cost: a few operations per instruction and shot; memory 2 bytes per qubit and shot (use batches of about 10^5 shots).

    Examples
    --------
    >>> coin = do.Program(instructions=(do.Prepare(qubit=0), do.Measure(qubit=0), do.Flip(bit=0, rate=1.0)), blocks=((0,),))
    >>> sample(coin, lambda x, z: x == 1, shots=5, rng=np.random.default_rng(1))
    Counts(crashes=5, shots=5, accepted=0, prepared=0)
    """
    if shots < 1:
        raise ConfigError("the Monte Carlo needs shots", got=shots, expected="shots >= 1")
    strike = _each if per_location else _some
    frames = _clean(program.instructions, shots)
    for step in program.instructions:
        if isinstance(step, do.Verify):
            _verify(step, frames, strike, rng)
        elif not isinstance(step, do.Tally):
            _apply(step, frames, strike, rng)
        elif at_any_time:
            frames.crashed |= lost(frames.x, frames.z, step.blocks, crash)
    frames.crashed |= lost(frames.x, frames.z, program.blocks, crash)
    return Counts(int(frames.crashed.sum()), shots, frames.accepted, frames.prepared)


@dataclass(slots=True, kw_only=True)
class _Frames:
    """The errors of all shots, (qubit, shot); shots that still run; shots that have crashed; ancilla blocks so far."""

    x: Bits
    z: Bits
    running: NDArray[np.bool_]
    crashed: NDArray[np.bool_]
    accepted: int = 0
    prepared: int = 0


def lost(x: Bits, z: Bits, blocks: tuple[tuple[int, ...], ...], crash: Criterion) -> NDArray[np.bool_]:
    """(shot,) whether one of the blocks is lost, for errors (qubit, shot)."""
    any_lost = np.zeros(x.shape[1], dtype=bool)
    for block in blocks:
        errors, which = _distinct(x, z, block)
        any_lost |= np.array([crash(*error) for error in errors], dtype=bool)[which]
    return any_lost


def _distinct(x: Bits, z: Bits, qubits: tuple[int, ...]) -> tuple[list[tuple[int, int]], Shots]:
    """The different errors on these qubits, as packed (x, z), and which of them each shot has."""
    order = 1 << np.arange(len(qubits))
    packed = np.stack([order @ x[list(qubits)], order @ z[list(qubits)]])
    seen, which = np.unique(packed, axis=1, return_inverse=True)
    return [(int(a), int(b)) for a, b in seen.T], which.reshape(-1)


def _clean(steps: tuple[do.Instruction, ...], shots: int) -> _Frames:
    bits = np.zeros((width(steps), shots), dtype=np.uint8)
    return _Frames(x=bits, z=bits.copy(), running=np.ones(shots, dtype=bool), crashed=np.zeros(shots, dtype=bool))


def width(steps: tuple[do.Instruction, ...]) -> int:
    """One more than the highest number of a qubit or bit."""
    return max((q + 1 for step in steps for q in do.started(step)), default=0)


Strike = Callable[[int, float, np.random.Generator], Shots]


def _some(shots: int, rate: float, rng: np.random.Generator) -> Shots:
    """The shots that a fault of this rate strikes: a binomial number of them, all subsets of that size alike."""
    return rng.choice(shots, size=rng.binomial(shots, rate), replace=False, shuffle=False)


def _each(shots: int, rate: float, rng: np.random.Generator) -> Shots:
    """The shots that a fault of this rate strikes: each is asked."""
    return np.flatnonzero(rng.random(shots) < rate)


def _apply(step: do.Instruction, frames: _Frames, strike: Strike, rng: np.random.Generator) -> None:
    x, z = frames.x, frames.z
    match step:
        case do.Prepare(qubit=q):
            x[q] = z[q] = 0
        case do.Hidden(bit=b, probability=p):
            x[b] = z[b] = 0
            x[b, strike(x.shape[1], p, rng)] = 1
        case do.H(qubit=q):
            x[q], z[q] = z[q].copy(), x[q].copy()
        case do.S(qubit=q):
            z[q] ^= x[q]
        case do.CX(control=c, target=t):
            x[t] ^= x[c]
            z[c] ^= z[t]
        case do.CZ(first=a, second=b):
            z[a] ^= x[b]
            z[b] ^= x[a]
        case do.Swap(first=a, second=b):
            x[[a, b]], z[[a, b]] = x[[b, a]], z[[b, a]]
        case do.Depolarize1() | do.Depolarize2() | do.PauliChannel() | do.Flip() | do.Switch() | do.When():
            struck = strike(x.shape[1], step.rate, rng)
            event = faults(step)
            which = np.searchsorted(event.chance[:-1], rng.random(struck.size) * step.rate, side="right")
            acts = (event.where[which] < 0) | (event.where[which] == x[event.bit, struck])
            struck, which = struck[acts], which[acts]
            for i, q in enumerate(event.qubits):
                x[q, struck] ^= (event.x[which] >> i & 1).astype(np.uint8)
                z[q, struck] ^= (event.z[which] >> i & 1).astype(np.uint8)
        case do.Measure(qubit=q, basis=basis):
            x[q] = x[q] if basis == "Z" else z[q]
            z[q] = 0
        case do.Syndrome(bits=bits, checks=checks):
            measured = x[list(bits)]
            for bit, row in zip(bits, checks, strict=False):
                x[bit] = np.bitwise_xor.reduce(measured[list(row)], axis=0)
        case do.Correct():
            values = np.stack([sum(x[bit].astype(np.int64) << i for i, bit in enumerate(bits)) for bits in step.syndromes])
            elected = vote(values, x[list(step.absent)] == 0 if step.absent else np.ones_like(values, dtype=bool))
            for value, row in enumerate(step.table):
                (x if step.pauli == "X" else z)[list(row)] ^= (elected == value).astype(np.uint8)
        case do.Custom() | do.Channel():
            _custom(step, frames, rng)
        case _:
            pass  # Pauli gates move no error; Merge and Split are how a tree keeps its books


def vote(values: NDArray[np.int64], present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The value that more than half of the `present` syndromes show, -1 without a majority; arrays (syndrome, shot).

    Examples
    --------
    >>> vote(np.array([[3, 1], [3, 2], [0, 0]]), np.ones((3, 2), dtype=bool))
    array([ 3, -1])
    """
    elected = np.full(values.shape[1], -1)
    for candidate in values:
        votes = ((values == candidate) & present).sum(axis=0)
        elected = np.where(2 * votes > present.sum(axis=0), candidate, elected)
    return elected


def _custom(step: do.Custom | do.Channel, frames: _Frames, rng: np.random.Generator) -> None:
    """Each different error has its own distribution, from which each of its shots draws; None of it ends the shot in a crash."""
    errors, which = _distinct(frames.x, frames.z, step.qubits)
    for error, (x, z) in enumerate(errors):
        chances = step.distribution(x, z)
        shots = np.flatnonzero(which == error)
        drawn = rng.choice(len(chances), size=shots.size, p=list(chances.values()))
        after = np.array([end or (x, z) for end in chances])[drawn].T
        for i, q in enumerate(step.qubits):
            frames.x[q, shots], frames.z[q, shots] = (after >> i & 1).astype(np.uint8)
        over = shots[np.array([end is None for end in chances])[drawn]]
        frames.running[over] = False
        frames.crashed[over] = True


def _verify(step: do.Verify, frames: _Frames, strike: Strike, rng: np.random.Generator) -> None:
    """Prepare the block in every running shot, again where it is rejected, until the supply is used up."""
    made = np.array(step.made)
    waiting = np.flatnonzero(frames.running)
    for _ in range(step.supply or ATTEMPTS):
        block = _clean(step.body, waiting.size)
        for one in step.body:
            _apply(one, block, strike, rng)
        place = np.ix_(made, waiting)
        frames.x[place], frames.z[place] = block.x[made - step.first], block.z[made - step.first]
        rejected = block.x[list(step.checks)].any(axis=0)
        frames.prepared += waiting.size
        waiting = waiting[rejected]
        frames.accepted += int((~rejected).sum())
        if not waiting.size:
            return
    if step.supply is None:
        raise ConfigError("a Verify hardly ever accepts", got=f"{ATTEMPTS} attempts in vain", expected="checks that can be 0")
    if step.otherwise == "abort":
        frames.running[waiting] = False
        frames.crashed[waiting] = True
    elif step.otherwise == "skip":
        place = np.ix_(made, waiting)
        frames.x[place] = frames.z[place] = 0
        frames.x[step.first + step.checks[0], waiting] = 1
