"""Which pairs of faults crash a program?

In: a program and a criterion. Out: the malignant pairs of its noise locations, each with its weight in the crash rate. A pair is
malignant if some errors of its two locations, with all else perfect, pass all verifications and crash the program; what a check
sees is prepared again and harmless. Faults that nothing can tell apart are tried once (:mod:`triptych.qec.signatures`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from triptych.errors import ConfigError
from triptych.qec.criteria import Criterion
from triptych.qec.program import Program
from triptych.qec.signatures import Fault, Location, Signatures, Values, lost, signatures

MOST = 10**9
"""Pairs of signatures to be tried at most, times the fields of one: about 30 s."""
CHUNK = 1 << 20
"""Numbers that are held at once."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MalignantPairs:
    """The malignant pairs of a program, weighed by the probabilities of their errors.

    Attributes
    ----------
    locations : the noise locations, from first to last; each block of a Verify counts once.
    singles : (location,) probability of the errors that crash the program alone; all 0 in a fault-tolerant protocol.
    weights : (location, location) sum of q q' over the errors of the two locations, of probabilities q and q', that crash it
        together; symmetric, 0 on the diagonal. A pair is malignant where this is not 0.
    second_order : c2 in the crash rate c1 s + c2 s^2 + ... at noise whose rates are all multiplied by s. Without malignant
        singles it is the sum of the weights of all pairs.
    """

    locations: tuple[Location, ...]
    singles: Floats
    weights: Floats
    second_order: float

    @property
    def count(self) -> int:
        """How many pairs of locations are malignant."""
        return int(np.count_nonzero(np.triu(self.weights)))

    @property
    def first_order(self) -> float:
        """c1: the probability of the single errors that crash the program."""
        return float(self.singles.sum())

    @property
    def shares(self) -> Floats:
        """(location,) share of the leading order: of c1 where single faults crash, else of c2, half of each pair's weight.

        They sum to 1 (to 0 where neither one nor two faults crash).
        """
        leading: Floats = self.singles if self.singles.any() else self.weights.sum(axis=1)
        return leading / max(float(leading.sum()), 1e-300)

    def by_source(self) -> dict[tuple[str, str], float]:
        """The weights of all pairs, summed over the locations of two sources (in alphabetical order); largest first."""
        names = sorted({location.source for location in self.locations})
        number = np.array([names.index(location.source) for location in self.locations])
        member = (number == np.arange(len(names))[:, None]).astype(np.float64)
        sums = member @ self.weights @ member.T
        found = {
            (names[i], names[j]): float(sums[i, j]) / (2 if i == j else 1)
            for i, j in zip(*np.nonzero(np.triu(sums)), strict=True)
        }
        return dict(sorted(found.items(), key=lambda row: -row[1]))

    def by_step(self) -> dict[tuple[str, str], float]:
        """The shares of the leading order, summed over the locations of one gadget and source; largest first."""
        found: Counter[tuple[str, str]] = Counter()
        for location, share in zip(self.locations, self.shares.tolist(), strict=True):
            found[location.gadget, location.source] += share
        return {step: share for step, share in found.most_common() if share > 0}


def malignant_pairs(program: Program, crash: Criterion, *, at_any_time: bool = False) -> MalignantPairs:
    """List the malignant pairs of noise locations.

    Parameters
    ----------
    program : with post-selected verifications (no limit to their supply, or three blocks at least), and no Custom task.
    crash : true where a block with these packed X and Z bits is lost.
    at_any_time : score at each :class:`~triptych.qec.program.Tally` too.

    Raises
    ------
    ConfigError
        If the program has a task for which the effect of two faults does not follow from those of each, if it crashes without
        any fault, or if there are too many pairs to try.

    Notes
    -----
    With e, f errors of different locations, a(.) whether all checks accept and b(.) whether they do and the program crashes, the
    power series of the ratio P(crash and accepted) / P(accepted) is c1 = sum_e q_e b(e) and

        c2 = sum_{e, f} q_e q_f [b(ef) - b(e) a(f) - a(e) b(f)] + sum over locations of (sum_e q_e b(e)) (sum_e q_e (1 - a(e))).

    Cost: about 30 ns for each pair of different signatures and each syndrome or score (0.1 s for a logical CNOT with two
    recoveries, 5 s for six blocks in a tree); memory about 30 bytes for each pair of locations.

    Examples
    --------
    >>> from triptych.qec import Noise, criteria, steane
    >>> found = malignant_pairs(steane.cnot_recovery(Noise.uniform(1e-4)), criteria.css)
    >>> found.count, f"{found.second_order / 1e-4**2:.2f}", found.first_order
    (6855, '1498.12', 0.0)
    """
    found = signatures(program, crash, at_any_time=at_any_time)
    if lost(found.stages, found.values([0])).any():
        raise ConfigError("the program crashes without any fault", expected="a criterion that is false for (0, 0)")
    groups = list(_groups(found))
    reads = sum(group.values.size * group.values.shape[1] for group in groups)
    if reads > MOST:
        raise ConfigError("too many pairs of faults", got=f"{reads:.1e} fields to read", expected=f"{MOST:.0e} at most")
    rates, accepted, singles = np.zeros((3, len(found.locations)))
    weights = np.zeros((len(found.locations), len(found.locations)))
    for group in groups:
        chances = group.chances.sum(axis=1)
        rates[group.places] += chances
        if group.accepted:
            accepted[group.places] = chances
            singles[group.places] = group.chances @ lost(found.stages, group.values.copy())
        weights[np.ix_(group.places, group.places)] += _together(found, group)
    np.fill_diagonal(weights, 0.0)
    return MalignantPairs(
        locations=found.locations,
        singles=singles,
        weights=weights,
        second_order=float(weights.sum() / 2 - singles.sum() * accepted.sum() + singles @ rates),
    )


class _Group(NamedTuple):
    """Faults that the same checks see: two faults of different groups are never accepted together.

    accepted : none sees them; places : indices of their locations; chances : (place, signature) sum of their probabilities;
    values : (field, signature).
    """

    accepted: bool
    places: list[int]
    chances: csr_array
    values: Values


def _groups(found: Signatures) -> Iterator[_Group]:
    seen: dict[int, list[Fault]] = defaultdict(list)
    for fault in found.faults:
        seen[fault.signature & found.checks].append(fault)
    for check, faults in seen.items():
        places = {place: i for i, place in enumerate(sorted({fault.location for fault in faults}))}
        kinds = {signature: i for i, signature in enumerate(sorted({fault.signature for fault in faults}))}
        rows, columns = [places[fault.location] for fault in faults], [kinds[fault.signature] for fault in faults]
        shares = [fault.probability for fault in faults]
        chances = csr_array(coo_array((shares, (rows, columns)), shape=(len(places), len(kinds))))
        yield _Group(not check, list(places), chances, found.values(kinds))


def _together(found: Signatures, group: _Group) -> Floats:
    """(place, place) sum of q q' over the errors that crash the program together."""
    values, chances = group.values, group.chances
    kinds = values.shape[1]
    rows = max(1, CHUNK // values.size)
    sums = np.zeros((len(group.places), len(group.places)))
    for start in range(0, kinds, rows):
        both = values[:, start : start + rows, None] ^ values[:, None, start:]
        bad = lost(found.stages, both.reshape(len(values), -1)).reshape(both.shape[1:])
        upper = np.triu(bad).astype(np.float64)  # every pair of signatures once
        sums += chances[:, start : start + rows] @ (chances[:, start:] @ upper.T).T
    return sums + sums.T
