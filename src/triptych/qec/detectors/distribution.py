"""The joint distribution of detectors and observables.

In: mechanisms. Out: P(syndrome, observables), exactly up to rounding by two Walsh-Hadamard transforms, or its probable part by
the tree; either with a bound on what is missing.

The distribution is a convolution over F2^bits, so that its transform is the product of the eigenvalues of all events. Of one
event, ln(eigenvalue) has few Walsh coefficients, one for each vector in the span of its errors. Added up over all events and
transformed once they give the logarithm of the product, and the second transform goes back; disjoint errors are no different.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec.detectors import kernels
from triptych.qec.detectors.kernels import Floats, Rows, Words
from triptych.qec.detectors.mechanisms import Event, Mechanisms
from triptych.qec.tree.engine import LEAST, RAISE
from triptych.qec.tree.errormap import EPSILON, ErrorMap, mapped
from triptych.qec.tree.kernels import COUNT

BYTES = 48  # of memory for each outcome of a distribution and for what is asked of it
UNIT = EPSILON / 2  # the largest relative error of one rounding
BLUNT = 0.125  # of eigenvalues: below it the logarithm is not taken
MOST_OBSERVABLES = 60  # fit into a word


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution:
    """Outcomes and their probabilities, sorted by syndrome.

    Attributes
    ----------
    keys : [outcome, word] packed: bit k is observable k, then come the detectors.
    p : [outcome] probability.
    detectors, observables : how many.
    missing : probability of what is not there (tree).
    relative, absolute : of the rounding: a sum of p is off by at most relative * sum + absolute.
    exhausted : memory ran out, so that more is missing than was wished.

    Examples
    --------
    >>> from triptych.qec.detectors import of_model
    >>> import stim
    >>> both = transform(of_model(stim.DetectorErrorModel("error(0.1) D0 L0")))
    >>> both.keys.tolist(), both.p.round(12).tolist()
    ([[0], [1], [2], [3]], [0.9, 0.0, 0.0, 0.1])
    """

    keys: Words
    p: Floats
    detectors: int
    observables: int
    missing: float
    relative: float
    absolute: float
    exhausted: bool = False

    @cached_property
    def flips(self) -> Rows:
        """[outcome] the observables that are flipped, packed."""
        mask = np.uint64((1 << self.observables) - 1)
        return (self.keys[:, 0] & mask).astype(np.int64)

    @cached_property
    def starts(self) -> Rows:
        """[syndrome + 1] where the outcomes of each syndrome begin, and where the last ends."""
        last = len(self.keys) - 1
        changes = (self.keys[1:, 0] ^ self.keys[:-1, 0]) >> np.uint64(self.observables) != 0
        changes |= (self.keys[1:, 1:] != self.keys[:-1, 1:]).any(axis=1)
        return np.concatenate([[0], np.flatnonzero(changes) + 1, [last + 1]])

    def syndromes(self, chosen: Rows) -> NDArray[np.bool_]:
        """[row, detector] whether the detector fires, of these syndromes."""
        words = np.ascontiguousarray(self.keys[self.starts[chosen]]).astype("<u8")
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        return bits[:, self.observables : self.observables + self.detectors].astype(bool)

    def between(self, found: float, undecided: float = 0.0) -> tuple[float, float, float]:
        """(value, lower, upper) of an event, of whose outcomes `found` are in it, and perhaps `undecided` and what is missing."""
        open = undecided + self.missing
        lower = max(0.0, found * (1 - self.relative) - self.absolute)
        upper = min(1.0, (found + open) * (1 + self.relative) + self.absolute)
        return min(found + open / 2, upper), min(lower, upper), upper


def require_observables(mechanisms: Mechanisms) -> None:
    """Refuse too many of them.

    Raises
    ------
    ConfigError
        If there are more than 60.
    """
    if mechanisms.observables > MOST_OBSERVABLES:
        raise ConfigError("too many observables", got=mechanisms.observables, expected=f"{MOST_OBSERVABLES} or fewer")


def memory(mechanisms: Mechanisms) -> float:
    """Bytes that the transform takes, with what is asked of its result afterwards: 48 x 2^bits."""
    return math.ldexp(BYTES, mechanisms.bits)


def transform(mechanisms: Mechanisms, *, max_memory_gb: float = 4.0) -> Distribution:
    """All outcomes, by two Walsh-Hadamard transforms.

    Raises
    ------
    ConfigError
        If 2^bits outcomes do not fit into the memory.

    Notes
    -----
    Cost: 2^(bits + 1) x bits additions; 2^bits exponentials; memory 48 bytes x 2^bits. An event with an eigenvalue below 1/8
    (near full mixing) is multiplied in by itself, at 2^bits x (errors) operations.

    Rounding, with the unit roundoff u: the first transform, and so the logarithm of each eigenvalue, is off by at most bits x u x
    (sum of all absolute weights). Each level of the second is orthogonal up to a factor, so that it adds u to the relative error
    in the 2-norm, and that of P is at most 1. A sum of any of its entries is then off by at most 2^(bits / 2) as much (Cauchy and
    Schwarz): 4e-11 for 25 bits.
    """
    require_observables(mechanisms)
    bits = mechanisms.bits
    if memory(mechanisms) > 1e9 * max_memory_gb:
        raise ConfigError(
            "the distribution does not fit into the memory",
            got=f"{bits} bits, which take {memory(mechanisms) / 1e9:.3g} GB",
            expected=f"max_memory_gb = {max_memory_gb:g} or less",
            fix="allow more memory, or take the tree",
        )
    found, slack, blunt = _weights(mechanisms.events)
    p = np.zeros(1 << bits)
    p[list(found)] = list(found.values())
    slack += (bits + 1) * UNIT * math.fsum(map(abs, found.values())) + (bits + 4) * UNIT
    kernels.hadamard(p)
    np.exp(p, out=p)
    for event in blunt:
        kernels.damp(p, np.array(list(event), dtype=np.uint64), np.array(list(event.values())))
        slack += 4 * (len(event) + 3) * UNIT
    kernels.hadamard(p)
    p *= math.ldexp(1.0, -bits)
    np.maximum(p, 0.0, out=p)
    return Distribution(
        keys=np.arange(1 << bits, dtype=np.uint64).reshape(-1, 1),
        p=p,
        detectors=mechanisms.detectors,
        observables=mechanisms.observables,
        missing=0.0,
        relative=8 * UNIT,
        absolute=1.01 * slack * 2 ** (bits / 2),
    )


def _weights(events: tuple[Event, ...]) -> tuple[dict[int, float], float, list[Event]]:
    """The Walsh coefficients of ln(eigenvalue), by vector; a bound on what they put into any logarithm by rounding; and the
    events that are left over.

    ln(eigenvalue) is 0 at the trivial character, and the coefficients are exact sums: that at vector 0 is minus all others.
    """
    terms: defaultdict[int, list[float]] = defaultdict(list)
    slack, blunt = 0.0, []
    for event in events:
        heads, logs = eigenvalues(event)
        rank, strength = len(heads), math.fsum(event.values())
        if logs is None:
            blunt.append(event)
            continue
        worst = (rank + 2) * strength / BLUNT + (rank + 1) * float(np.abs(logs).max())
        slack += 2 * 2 ** (rank / 2) * UNIT * worst
        kernels.hadamard(logs)
        for i, weight in enumerate((logs * math.ldexp(1.0, -rank)).tolist()):
            vector = 0
            for k in f2.entries(i):
                vector ^= heads[k]
            terms[vector].append(weight)
    terms[0] = [-weight for vector, weights in terms.items() if vector for weight in weights]
    return {vector: math.fsum(weights) for vector, weights in terms.items()}, slack, blunt


def eigenvalues(event: Event) -> tuple[list[int], Floats | None]:
    """A basis of the span of an event's vectors, and ln(eigenvalue) at each of its 2^rank characters; None where one is small."""
    rows, _ = f2.echelon((vector, 0) for vector in event)
    heads = [head for head, _ in rows.values()]
    flips = np.zeros(1 << len(heads))
    for vector, p in event.items():
        flips[sum(bool(vector & pivot) << k for k, pivot in enumerate(rows))] += p
    kernels.hadamard(flips)
    flips -= math.fsum(event.values())  # -2 x the probability of errors that the character sees
    return heads, None if flips.min() < BLUNT - 1 else np.log1p(np.minimum(flips, 0.0))


def follow(mechanisms: Mechanisms, *, threshold: float, max_memory_gb: float = 4.0) -> Distribution:
    """The probable outcomes, by the probability tree; what is dropped is `missing`.

    Parameters
    ----------
    mechanisms : the events, which strike one after another.
    threshold : outcomes so far with p >= threshold branch.
    max_memory_gb : where it is not enough the less probable half of the outcomes is dropped, and the threshold raised.

    Notes
    -----
    Cost: about 50 ns for each outcome written; memory 100 bytes for each that is held.
    """
    require_observables(mechanisms)
    bits = mechanisms.bits
    states = ErrorMap(max_bytes=1e9 * max_memory_gb)
    states.widen(COUNT + bits)
    missing, exhausted = 0.0, False
    for event in mechanisms.events:
        errors = {vector << COUNT: p for vector, p in event.items()}
        missing += states.branch([(None, errors)], threshold=threshold, lossy=True, limit=-1)[0]
        while states.full:
            missing += states.prune()
            threshold, exhausted = min(0.5, RAISE * max(threshold, LEAST)), True
    down = tuple((bit, 1 << bit + COUNT) for bit in range(bits))
    keys = mapped(states.keys[: states.n], down, max(1, -(-bits // 64)))
    order = np.lexsort(keys.T)
    return Distribution(
        keys=keys[order],
        p=states.p[: states.n][order],
        detectors=mechanisms.detectors,
        observables=mechanisms.observables,
        missing=missing,
        relative=(states.depth + 8) * EPSILON,
        absolute=0.0,
        exhausted=exhausted,
    )
