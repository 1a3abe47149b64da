"""Where a crash rate comes from: the error budget of a program.

In: a program and a criterion. Out: how strongly the crash rate depends on each class of faults at each place, its power series in
the strength of the noise, and the malignant pairs of locations with the steps of the program that they lie in. Derivatives and
series come from the exact engine, pairs from their enumeration; to second order the two must agree.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from triptych.errors import ConfigError
from triptych.qec import exact
from triptych.qec.criteria import Criterion, named
from triptych.qec.pairs import MalignantPairs, malignant_pairs
from triptych.qec.program import Event, Program
from triptych.qec.signatures import source


class Part(NamedTuple):
    """A source of noise.

    Attributes
    ----------
    name : of the class of faults, such as ``two_qubit``.
    place : where it acts, such as ``extraction``; "" is anywhere else.
    derivative : of the crash rate by the rate of these events, all of them moved together.
    share : rate times derivative, over the sum of that for all parts. To leading order k of the noise the sum is k times the
        crash rate.
    """

    name: str
    place: str
    derivative: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The error budget of a program.

    Attributes
    ----------
    crash_rate : P, exact up to rounding.
    parts : the sources of noise, that of the largest share first; the shares sum to 1.
    orders : c_1, c_2, ... of P(s) = sum_k c_k s^k, where s multiplies all rates of the program.
    pairs : the malignant pairs; None where they were not listed.
    refused : why not.
    """

    crash_rate: float
    parts: tuple[Part, ...]
    orders: tuple[float, ...]
    pairs: MalignantPairs | None
    refused: str

    @property
    def classes(self) -> dict[str, tuple[Part, ...]]:
        """The parts of each class of faults, that of the largest share first."""
        names = {part.name for part in self.parts}
        found = {name: tuple(part for part in self.parts if part.name == name) for name in names}
        return dict(sorted(found.items(), key=lambda row: (-sum(part.share for part in row[1]), row[0])))


def budget(
    program: Program,
    *,
    criterion: str | Criterion = "css",
    at_any_time: bool = False,
    orders: int = 4,
    max_memory_gb: float = 4.0,
) -> Budget:
    """Where does the crash rate come from?

    Parameters
    ----------
    program : what to run. The sources of noise are those that its events name; where they name none, their kind of event.
    criterion, at_any_time : when a crash counts; see :func:`~triptych.qec.simulate`.
    orders : how many coefficients of the power series.
    max_memory_gb : for the exact engine.

    Raises
    ------
    ConfigError
        If the program has no noise, or cannot be solved exactly in this memory.

    Notes
    -----
    Cost: that of an exact solution times the number of sources, and times the square of `orders`; see
    :func:`~triptych.qec.pairs.malignant_pairs` for the pairs, which are left out where they are too many.

    Examples
    --------
    >>> from triptych.qec import Noise, steane
    >>> found = budget(steane.recovery(Noise.uniform(1e-4)), orders=2)
    >>> [(name, round(sum(part.share for part in parts), 2)) for name, parts in found.classes.items()]
    [('two_qubit', 0.98), ('reset', 0.01), ('measurement', 0.01)]
    >>> found.pairs.count
    2724
    """
    crash = named(criterion) if isinstance(criterion, str) else criterion
    events = {(source(event), event.rate) for event in program.flat() if isinstance(event, Event) and event.rate > 0}
    if not events:
        raise ConfigError("there is no error budget", got="a program without noise", expected="error events with rates above 0")
    groups = {group: str(i) for i, group in enumerate(sorted(events))}
    jets = exact.jets([*groups.values()], lambda event: groups.get((source(event), event.rate), ""))
    solve = partial(_solved, program, crash, at_any_time=at_any_time, max_memory_gb=max_memory_gb)
    rate, *slopes = solve(jets)
    derivatives, effects = defaultdict[str, float](float), defaultdict[str, float](float)
    for (name, strength), slope in zip(groups, slopes, strict=True):
        derivatives[name] += slope / strength
        effects[name] += slope
    total = sum(effects.values()) or 1.0
    parts = [Part(name.rpartition("/")[2], name.rpartition("/")[0], derivatives[name], effects[name] / total) for name in effects]
    try:
        pairs, refused = malignant_pairs(program, crash, at_any_time=at_any_time), ""
    except ConfigError as refusal:
        pairs, refused = None, str(refusal)
    return Budget(
        crash_rate=rate,
        parts=tuple(sorted(parts, key=lambda part: (-part.share, part.name, part.place))),
        orders=tuple(solve(exact.series(orders))[1:]),
        pairs=pairs,
        refused=refused,
    )


def _solved(
    program: Program, crash: Criterion, algebra: exact.Algebra, *, at_any_time: bool, max_memory_gb: float
) -> list[float]:
    """The coefficients of the crash rate in an algebra."""
    entries = 1e9 * max_memory_gb / (exact.BYTES * algebra.size)
    plan = exact.plan(program, crash, at_any_time=at_any_time, max_entries=entries)
    exact.affordable(plan, max_memory_gb=max_memory_gb, coefficients=algebra.size)
    found: list[float] = exact.solve(plan, algebra).crash_rate.tolist()
    return found
