"""Independent answers for the qec panel.

In: programs of the panel's instruction set. Out: exact distributions by listing every combination of faults one by one (a finite
supply of blocks attempt by attempt), or by Walsh-Hadamard transform; Stim circuits, fault counts, and a closed formula. No map of
states, no threshold, no packed string: in the lists a world is a weight and one error; in the transform no error moves, since the
walk goes from the end to the beginning.
"""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import product

import numpy as np
import stim
from numpy.typing import NDArray

from triptych.qec import program as do

Errors = dict[int, tuple[int, int]]  # qubit -> (x, z)
World = tuple[float, Errors | None]  # weight; the errors, or None where the program has ended in a crash
Crash = Callable[[int, int], bool]
PAULIS = ((0, 0), (1, 0), (0, 1), (1, 1))
Place = tuple[int, int]  # qubit; 0 for its X part (or its bit, once measured), 1 for its Z part
PARITIES = (*(tuple(q for q in range(7) if q + 1 >> i & 1) for i in range(3)), tuple(range(7)))
"""What tells 7-bit errors apart modulo stabilizers: the syndrome (that of qubit q is q + 1), and the parity of the weight."""


def worlds(
    steps: tuple[do.Instruction, ...], offset: int = 0, start: World = (1.0, {}), crash: Crash | None = None
) -> list[World]:
    """All combinations of faults, none of them joined, that pass every check (weights not renormalised).

    With a criterion, a world ends where a Tally finds a block lost.
    """
    alive = [start]
    for step in steps:
        alive = [after for weight, errors in alive for after in _after(step, offset, weight, errors, crash)]
    return alive


def _after(step: do.Instruction, offset: int, weight: float, errors: Errors | None, crash: Crash | None) -> Iterator[World]:
    if errors is None:  # what comes after the end must pass the later checks like every other world
        endless = isinstance(step, do.Verify) and step.supply is None
        yield (weight * sum(p for p, made in worlds(step.body) if _passes(made, step.checks)) if endless else weight), None
    elif isinstance(step, do.Depolarize1 | do.Depolarize2 | do.PauliChannel | do.Flip):
        for p, fault in _faults(step):
            hit = dict(errors)
            for q, (x, z) in fault.items():
                hit[q + offset] = (hit[q + offset][0] ^ x, hit[q + offset][1] ^ z)
            yield weight * p, hit
    elif isinstance(step, do.Hidden):
        for value, p in ((0, 1 - step.probability), (1, step.probability)):
            yield weight * p, errors | {step.bit + offset: (value, 0)}
    elif isinstance(step, do.Switch):
        value = errors[step.bit + offset][0]
        flips = step.off if value else step.on
        for after, p in ((value, 1 - flips), (1 - value, flips)):
            yield weight * p, errors | {step.bit + offset: (after, 0)}
    elif isinstance(step, do.When):
        if errors[step.bit + offset][0]:
            yield from _after(step.event, offset, weight, errors, crash)
        else:
            yield weight, errors
    elif isinstance(step, do.Channel):
        yield from _compiled(step, weight, errors)
    elif isinstance(step, do.Verify):
        yield from _tried(step, 1, weight, errors)
    elif isinstance(step, do.Custom):
        x, z = _parts(errors, step.qubits)
        for (new_x, new_z), p in step.change(x, z).items():
            yield weight * p, errors | {q: (new_x >> i & 1, new_z >> i & 1) for i, q in enumerate(step.qubits)}
    elif isinstance(step, do.Tally):
        yield weight, None if crash is not None and _lost(errors, step.blocks, crash) else errors
    else:
        new = dict(errors)
        _step(step, offset, new)
        yield weight, new


def _compiled(step: do.Channel, weight: float, errors: Errors) -> Iterator[World]:
    """Every value that the looks may have afterwards, and the end of the run."""

    def sees(mask: int) -> int:
        return sum(part * (mask >> 2 * q + i & 1) for q, error in errors.items() for i, part in enumerate(error)) % 2

    before = [sees(look) for look in step.looks]
    row = step.matrix[sum(bit * 2**i for i, bit in enumerate(before))]
    for after in product((0, 1), repeat=len(before)):
        flips = [error for old, new, error in zip(before, after, step.errors, strict=True) if old != new]
        hit = dict(errors)
        for flip, q in product(flips, step.qubits):
            hit[q] = (hit[q][0] ^ (flip >> 2 * q & 1), hit[q][1] ^ (flip >> 2 * q + 1 & 1))
        chance = float(row[sum(bit * 2**i for i, bit in enumerate(after))])
        if chance > 0:
            yield weight * chance, hit
    yield weight * (1 - float(row.sum())), None


def _faults(step: do.Event) -> Iterator[tuple[float, Errors]]:
    """What an error event may do, and nothing."""
    if isinstance(step, do.PauliChannel):
        yield 1 - sum(p for _, p in step.errors), {}
        for word, p in step.errors:
            yield p, {q: (int(letter in "XY"), int(letter in "YZ")) for q, letter in zip(step.qubits, word, strict=True)}
    elif isinstance(step, do.Flip):
        yield 1 - step.rate, {}
        yield step.rate, {step.bit: (1, 0)}
    else:
        qubits = (step.qubit,) if isinstance(step, do.Depolarize1) else (step.first, step.second)
        for paulis in product(PAULIS, repeat=len(qubits)):
            share = step.rate / (4 ** len(qubits) - 1)
            yield (share if any(map(any, paulis)) else 1 - step.rate), dict(zip(qubits, paulis, strict=True))


def _tried(step: do.Verify, attempt: int, weight: float, errors: Errors) -> Iterator[World]:
    """Every block that the attempt may make; a rejected one is followed by the next attempt, or by what is done in the end."""
    for p, made in worlds(step.body):
        assert made is not None
        block = {q + step.first: error for q, error in made.items()}
        marker = {step.first + step.checks[0]: (0, 0)} if step.supply is not None and step.otherwise == "skip" else {}
        if _passes(made, step.checks):
            yield weight * p, errors | block | marker
        elif step.supply is not None and attempt < step.supply:
            yield from _tried(step, attempt + 1, weight * p, errors)
        elif step.supply is not None and step.otherwise == "abort":
            yield weight * p, None
        elif step.supply is not None and step.otherwise == "skip":
            yield weight * p, errors | dict.fromkeys(block, (0, 0)) | dict.fromkeys(marker, (1, 0))
        elif step.supply is not None:
            yield weight * p, errors | block


def _passes(made: Errors | None, checks: tuple[int, ...]) -> bool:
    return made is not None and not any(made[check][0] for check in checks)


def _parts(errors: Errors, qubits: tuple[int, ...]) -> tuple[int, int]:
    """The packed X part and Z part of an error on these qubits."""
    return sum(errors[q][0] * 2**i for i, q in enumerate(qubits)), sum(errors[q][1] * 2**i for i, q in enumerate(qubits))


def _lost(errors: Errors, blocks: tuple[tuple[int, ...], ...], crash: Crash) -> bool:
    return any(crash(*_parts(errors, block)) for block in blocks)


def _step(step: do.Instruction, offset: int, e: Errors) -> None:
    if isinstance(step, do.Prepare):
        e[step.qubit + offset] = (0, 0)
    elif isinstance(step, do.H):
        e[step.qubit + offset] = e[step.qubit + offset][::-1]
    elif isinstance(step, do.S):
        x, z = e[step.qubit + offset]
        e[step.qubit + offset] = (x, (x + z) % 2)
    elif isinstance(step, do.CX):
        (cx, cz), (tx, tz) = e[step.control + offset], e[step.target + offset]
        e[step.control + offset], e[step.target + offset] = (cx, (cz + tz) % 2), ((tx + cx) % 2, tz)
    elif isinstance(step, do.CZ):
        (ax, az), (bx, bz) = e[step.first + offset], e[step.second + offset]
        e[step.first + offset], e[step.second + offset] = (ax, (az + bx) % 2), (bx, (bz + ax) % 2)
    elif isinstance(step, do.Swap):
        a, b = step.first + offset, step.second + offset
        e[a], e[b] = e[b], e[a]
    elif isinstance(step, do.Measure):
        e[step.qubit + offset] = (e[step.qubit + offset][0 if step.basis == "Z" else 1], 0)
    elif isinstance(step, do.Syndrome):
        parities = [sum(e[step.bits[i]][0] for i in row) % 2 for row in step.checks]
        for bit, parity in zip(step.bits, parities, strict=False):
            e[bit] = (parity, 0)
    elif isinstance(step, do.Correct):
        present = [not (step.absent and e[step.absent[i]][0]) for i in range(len(step.syndromes))]
        values = [sum(e[bit][0] * 2**i for i, bit in enumerate(bits)) for bits in step.syndromes]
        votes = [value for value, votes in zip(values, present, strict=True) if votes]
        for value in set(votes):
            if votes.count(value) > len(votes) / 2:
                for q in step.table[value]:
                    x, z = e[q]
                    e[q] = (1 - x, z) if step.pauli == "X" else (x, 1 - z)


def crash_rate(program: do.Program, crash: Crash, *, at_any_time: bool = False) -> float:
    """The exact crash rate, given that every verification without limit is passed; at any time, or in the end."""
    total = failing = 0.0
    for weight, errors in worlds(program.instructions, crash=crash if at_any_time else None):
        total += weight
        if errors is None or _lost(errors, program.blocks, crash):
            failing += weight
    return failing / total


def xor(masks: Iterable[int]) -> int:
    """All masks, XORed."""
    return reduce(operator.xor, masks, 0)


def walsh(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Walsh-Hadamard transform: entry j is the sum over k of (-1)^(bits that j and k share) values[k]."""
    for axis in range(values.size.bit_length() - 1):
        pairs = values.reshape(-1, 2, 2**axis)
        values = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
    return values


def distribution(
    steps: Sequence[do.Instruction],
    watched: Sequence[Sequence[Place]],
    start: Sequence[Sequence[Place]] = (),
    start_spectrum: Sequence[float] | NDArray[np.float64] = (1.0,),
) -> NDArray[np.float64]:
    """Exact distribution of the errors' parities on the watched places, at the end of steps without feedback.

    Independent faults add up by XOR, so that the transform of the distribution is the product of theirs. The walk from the end
    to the beginning knows for each place the watched parities that an error there will flip. `start` lists the places of each
    bit of an error that is there from the beginning, and `start_spectrum` is the transform of that error's distribution.
    """
    flips: defaultdict[Place, int] = defaultdict(int)
    for i, places in enumerate(watched):
        for place in places:
            flips[place] ^= 1 << i
    dual = np.arange(2 ** len(watched))
    spectrum = np.ones(dual.size)

    def struck(bits: Sequence[Sequence[Place]], source: Sequence[float] | NDArray[np.float64]) -> None:
        seen = np.zeros_like(dual)
        for i, places in enumerate(bits):
            seen |= (np.bitwise_count(dual & xor(flips[place] for place in places)) & 1).astype(dual.dtype) << i
        spectrum[:] *= np.asarray(source)[seen]

    def depolarized(rate: float, *qubits: int) -> None:
        paulis = 4 ** len(qubits)
        struck([[(q, part)] for q in qubits for part in (0, 1)], [1.0] + [1 - rate * paulis / (paulis - 1)] * (paulis - 1))

    for step in reversed(steps):
        match step:
            case do.Depolarize1(qubit=q, rate=rate):
                depolarized(rate, q)
            case do.Depolarize2(first=a, second=b, rate=rate):
                depolarized(rate, a, b)
            case do.Flip(bit=q, rate=rate):
                struck([[(q, 0)]], [1.0, 1 - 2 * rate])
            case do.PauliChannel(qubits=qubits, errors=listed):
                table = dict(listed)
                pauli = ["I", "X", "Z", "Y"]  # bit 0 is the X part, bit 1 the Z part
                strings = ["".join(pauli[i >> 2 * k & 3] for k in range(len(qubits))) for i in range(4 ** len(qubits))]
                source = np.array([table.get(string, 0.0) for string in strings])
                source[0] = 1 - source.sum()
                struck([[(q, part)] for q in qubits for part in (0, 1)], walsh(source))
            case do.Verify(first=first):
                kept, _, passed = verified(step)
                struck([[(first + q, part)] for part in (0, 1) for q in kept], walsh(passed))
                for q in (*kept, *step.checks):
                    flips[first + q, 0] = flips[first + q, 1] = 0
            case do.CX(control=c, target=t):
                flips[c, 0] ^= flips[t, 0]
                flips[t, 1] ^= flips[c, 1]
            case do.CZ(first=a, second=b):
                flips[a, 0] ^= flips[b, 1]
                flips[b, 0] ^= flips[a, 1]
            case do.H(qubit=q):
                flips[q, 0], flips[q, 1] = flips[q, 1], flips[q, 0]
            case do.S(qubit=q):
                flips[q, 0] ^= flips[q, 1]
            case do.Swap(first=a, second=b):
                for part in (0, 1):
                    flips[a, part], flips[b, part] = flips[b, part], flips[a, part]
            case do.Measure(qubit=q, basis=basis):
                flips[q, 0], flips[q, 1] = (flips[q, 0], 0) if basis == "Z" else (0, flips[q, 0])
            case do.Syndrome(bits=bits, checks=checks):
                stored = [flips[bit, 0] for bit in bits[: len(checks)]]
                for place, bit in enumerate(bits):
                    flips[bit, 0] = xor(mask for mask, row in zip(stored, checks, strict=True) if place in row)
            case do.Prepare(qubit=q):
                flips[q, 0] = flips[q, 1] = 0
            case do.Split(qubits=qubits):
                assert not any(flips[q, part] for q in qubits for part in (0, 1)), "a forgotten qubit is watched"
            case do.Correct() | do.Custom() | do.Channel() | do.Hidden() | do.Switch() | do.When():
                raise ValueError("feedback and hidden bits are not linear")
    struck(start, start_spectrum)
    return walsh(spectrum) / dual.size


def verified(step: do.Verify) -> tuple[list[int], float, NDArray[np.float64]]:
    """The qubits that a verification keeps, its acceptance, and the accepted distribution of their X bits (low) and Z bits."""
    kept = sorted({one.qubit for one in step.body if isinstance(one, do.Prepare)} - set(step.checks))
    watched = [[(q, part)] for part in (0, 1) for q in kept] + [[(check, 0)] for check in step.checks]
    passed = distribution(step.body, watched)[: 4 ** len(kept)]  # the checks are the highest bits: all 0
    return kept, float(passed.sum()), passed / passed.sum()


def recovery_rates(program: do.Program) -> dict[str, float]:
    """Exact crash rates of one [[7,1,3]] block, by criterion: transforms between the corrections, and every vote listed.

    The state is the distribution over the 256 classes of the block's error modulo stabilizers: the four parities of X, then of Z.
    The criterion "strict" counts errors within a class and has no answer here.
    """
    (block,) = program.blocks
    words = [[(block[q], part) for q in parity] for part in (0, 1) for parity in PARITIES]
    alone = [set(range(7)) - gone for gone in ({0}, {1}, {3}, set())]  # each flips one of PARITIES and no other
    errors = [[(block[q], part) for q in qubits] for part in (0, 1) for qubits in alone]
    state = np.zeros(256)
    state[0] = 1.0
    stretch: list[do.Instruction] = []
    for step in program.instructions:
        stretch.append(step)
        if isinstance(step, do.Correct):
            bits = [[(bit, 0)] for syndrome in step.syndromes for bit in syndrome]
            joint = distribution(stretch[:-1], words + bits, errors, walsh(state))
            state = _voted(joint.reshape(-1, 256), step, block)
            stretch = []
    state = distribution(stretch, words, errors, walsh(state))
    lost = [(word % 8 > 0) != (word > 7) for word in range(16)]  # what a flip corrects is odd, and a stabilizer is even
    rates = {"readout": 0.0, "css": 0.0, "paper22": 0.0}
    for z, x in product(range(16), repeat=2):
        p = float(state[x + 16 * z])
        rates["readout"] += p * lost[x]
        rates["css"] += p * (lost[x] or lost[z])
        rates["paper22"] += p * (lost[x] or lost[z] or 0 != x % 8 != z % 8 != 0)
    return rates


def _voted(joint: NDArray[np.float64], step: do.Correct, block: tuple[int, ...]) -> NDArray[np.float64]:
    """Correct each class of the block under each combination of stored syndromes, and forget the syndromes."""
    after = np.zeros(256)
    width = len(step.syndromes[0])
    for combination, classes in enumerate(joint):
        votes = Counter(combination >> width * k & 2**width - 1 for k in range(len(step.syndromes)))
        value, most = max(votes.items(), key=lambda vote: vote[1])
        qubits = [block.index(q) for q in step.table[value]] if 2 * most > len(step.syndromes) else []
        fix = sum(sum(q in parity for q in qubits) % 2 << i for i, parity in enumerate(PARITIES)) << 4 * (step.pauli == "Z")
        after[np.arange(256) ^ fix] += classes
    return after


def single_faults(steps: tuple[do.Instruction, ...]) -> Iterator[dict[int, tuple[int, int]]]:
    """The final error of every single fault: the flip of a fresh qubit, and the 15 Paulis behind each CNOT."""
    for place, step in enumerate(steps):
        if isinstance(step, do.Prepare):
            faults = [{step.qubit: (1, 0) if step.basis == "Z" else (0, 1)}]
        elif isinstance(step, do.CX):
            pairs = product(PAULIS, repeat=2)
            faults = [{step.control: a, step.target: b} for a, b in pairs if any(a) or any(b)]
        else:
            continue
        for fault in faults:
            errors: dict[int, tuple[int, int]] = {}
            for position, later in enumerate(steps):
                _step(later, 0, errors)
                if position == place:
                    errors |= fault
            yield errors


def hamming_failure(q: float) -> float:
    """P(7 iid bits of rate q are not correctable modulo stabilizers), from the weights 0:1 1:7 3:28 4:7 5:21 of what is."""
    good = {0: 1, 1: 7, 3: 28, 4: 7, 5: 21}
    all_patterns = {0: 1, 1: 7, 2: 21, 3: 35, 4: 35, 5: 21, 6: 7, 7: 1}
    return sum((all_patterns[w] - good.get(w, 0)) * q**w * (1 - q) ** (7 - w) for w in all_patterns)


def stim_circuit(steps: tuple[do.Instruction, ...]) -> stim.Circuit:
    """The preparations, gates and measurements as a Stim circuit, without noise."""
    circuit = stim.Circuit()
    for step in steps:
        if isinstance(step, do.Prepare):
            circuit.append("R" if step.basis == "Z" else "RX", [step.qubit])
        elif isinstance(step, do.H | do.S | do.X | do.Y | do.Z):
            circuit.append(type(step).__name__, [step.qubit])
        elif isinstance(step, do.Swap):
            circuit.append("SWAP", [step.first, step.second])
        elif isinstance(step, do.CX):
            circuit.append("CX", [step.control, step.target])
        elif isinstance(step, do.CZ):
            circuit.append("CZ", [step.first, step.second])
        elif isinstance(step, do.Measure):
            circuit.append("M" if step.basis == "Z" else "MX", [step.qubit])
    return circuit
