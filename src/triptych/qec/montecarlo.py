"""The independent check: Pauli frames drawn at random.

In: a :class:`~triptych.qec.program.Program`, a number of shots, a generator. Out: how many shots crash, and how many ancillas
were prepared for those that were accepted. Nothing is shared with the tree but the program and the criterion: errors are columns
of bits over the shots, and a rejected ancilla is really prepared again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import program as do
from triptych.qec.criteria import Criterion

Bits = NDArray[np.uint8]


class Counts(NamedTuple):
    """What was seen: crashed `shots`, and `accepted` of all `prepared` ancilla blocks (0 of 0 without a Verify)."""

    crashes: int
    shots: int
    accepted: int
    prepared: int


ATTEMPTS = 10_000


def sample(program: do.Program, crash: Criterion, *, shots: int, rng: np.random.Generator) -> Counts:
    """Run the program `shots` times.

    Cost: a few operations per instruction and shot; memory 2 bytes per qubit and shot (use batches of about 10^5 shots).

    Raises
    ------
    ConfigError
        If there are no shots, or if a :class:`~triptych.qec.program.Verify` rejects 10 000 times in a row.

    Examples
    --------
    >>> coin = do.Program(instructions=(do.Prepare(qubit=0), do.Measure(qubit=0), do.Flip(bit=0, rate=1.0)), blocks=((0,),))
    >>> sample(coin, lambda x, z: x == 1, shots=5, rng=np.random.default_rng(1))
    Counts(crashes=5, shots=5, accepted=0, prepared=0)
    """
    if shots < 1:
        raise ConfigError("the Monte Carlo needs shots", got=shots, expected="shots >= 1")
    x, z, prepared = _frames(program.instructions, shots, rng)
    crashed = np.zeros(shots, dtype=bool)
    for block in program.blocks:
        order = 1 << np.arange(len(block))
        seen, which = np.unique(np.stack([order @ x[list(block)], order @ z[list(block)]]), axis=1, return_inverse=True)
        crashed |= np.array([crash(int(a), int(b)) for a, b in seen.T])[which.reshape(-1)]
    verified = sum(isinstance(step, do.Verify) for step in program.instructions)
    return Counts(int(crashed.sum()), shots, verified * shots, prepared)


def _frames(steps: tuple[do.Instruction, ...], shots: int, rng: np.random.Generator) -> tuple[Bits, Bits, int]:
    """X and Z frames (qubit, shot) at the end; the number of ancilla blocks prepared on the way."""
    x = np.zeros((_width(steps), shots), dtype=np.uint8)
    z = np.zeros_like(x)
    prepared = 0
    for step in steps:
        match step:
            case do.Prepare(qubit=q):
                x[q] = z[q] = 0
            case do.H(qubit=q):
                x[q], z[q] = z[q].copy(), x[q].copy()
            case do.CX(control=c, target=t):
                x[t] ^= x[c]
                z[c] ^= z[t]
            case do.CZ(first=a, second=b):
                z[a] ^= x[b]
                z[b] ^= x[a]
            case do.Depolarize1(qubit=q, rate=rate):
                hit = _struck(shots, rate, rng)
                pauli = rng.integers(1, 4, size=hit.size, dtype=np.uint8)
                x[q, hit] ^= pauli & 1
                z[q, hit] ^= pauli >> 1
            case do.Depolarize2(first=a, second=b, rate=rate):
                hit = _struck(shots, rate, rng)
                pauli = rng.integers(1, 16, size=hit.size, dtype=np.uint8)
                for bits, qubit, place in ((x, a, 0), (z, a, 1), (x, b, 2), (z, b, 3)):
                    bits[qubit, hit] ^= pauli >> place & 1
            case do.Measure(qubit=q, basis=basis):
                x[q] = x[q] if basis == "Z" else z[q]
                z[q] = 0
            case do.Flip(bit=q, rate=rate):
                x[q, _struck(shots, rate, rng)] ^= 1
            case do.Verify():
                prepared += _verify(step, x, z, rng)
            case do.Syndrome(bits=bits, checks=checks):
                measured = x[list(bits)]
                x[list(bits[: len(checks)])] = [np.bitwise_xor.reduce(measured[list(row)], axis=0) for row in checks]
            case do.Correct():
                _correct(step, x if step.pauli == "X" else z, x)
            case do.Merge() | do.Split():
                pass  # how a tree keeps its books; frames have none
    return x, z, prepared


def _width(steps: tuple[do.Instruction, ...]) -> int:
    ends = [step.qubit + 1 for step in steps if isinstance(step, do.Prepare)]
    return max(ends + [step.first + _width(step.body) for step in steps if isinstance(step, do.Verify)], default=0)


def _struck(shots: int, rate: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The shots that a fault of this rate strikes: a binomial number of them, all subsets of that size alike."""
    return rng.choice(shots, size=rng.binomial(shots, rate), replace=False, shuffle=False)


def _verify(step: do.Verify, x: Bits, z: Bits, rng: np.random.Generator) -> int:
    """Prepare the block in every shot, again and again where it is rejected; the number of blocks prepared."""
    waiting = np.arange(x.shape[1])
    prepared = 0
    for _ in range(ATTEMPTS):
        block_x, block_z, _ = _frames(step.body, waiting.size, rng)
        prepared += waiting.size
        good = ~block_x[list(step.checks)].any(axis=0)
        place = np.ix_(np.arange(step.first, step.first + len(block_x)), waiting[good])
        x[place], z[place] = block_x[:, good], block_z[:, good]
        waiting = waiting[~good]
        if not waiting.size:
            return prepared
    raise ConfigError("a Verify hardly ever accepts", got=f"{ATTEMPTS} attempts in vain", expected="checks that can be 0")


def _correct(step: do.Correct, target: Bits, x: Bits) -> None:
    """Vote shot by shot: each possible syndrome value has its count of votes."""
    values = [sum(x[bit].astype(np.int64) << i for i, bit in enumerate(bits)) for bits in step.syndromes]
    for value, row in enumerate(step.table):
        votes = sum((seen == value).astype(np.int64) for seen in values)
        for qubit in row:
            target[qubit] ^= (2 * votes > len(values)).astype(np.uint8)
