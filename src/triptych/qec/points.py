"""One probability tree of a figure.

In: a :class:`Point`: a program of the paper, a criterion, thresholds or a width. Out: its crash rate, its certificate, its price.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

from triptych.errors import ConfigError
from triptych.qec import steane
from triptych.qec.noise import Noise
from triptych.qec.program import Program
from triptych.qec.simulate import Reduction, simulate
from triptych.qec.tree import Rule

Kind = Literal["two_qubit", "cnot_recovery", "tree"]
CriterionName = Literal["css", "paper22", "strict", "readout"]
RULES: tuple[Rule, ...] = ("preservation", "lossy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One tree: a program under the noise of Table I, a criterion, and either thresholds or the width to be certified."""

    program: Kind = "two_qubit"
    logical_qubits: int = 2
    preparation: str = "9+3"
    criterion: CriterionName = "paper22"
    reduction: Reduction = "observed"
    rule: Rule = "bounded"
    event: float | None = None
    merge: float | None = None
    relative_width: float | None = None

    def build(self) -> Program:
        """The program itself."""
        size = {"logical_qubits": self.logical_qubits} if self.program == "tree" else {}
        return steane.PROGRAMS[self.program](Noise.eshe(), preparation=self.preparation, **size)


class Solved(NamedTuple):
    """What a tree says.

    crash_rate : as Sec. II.A tallies it, 1 minus the probability of all states that did not crash, so that what a lossy tree has
    lost counts as a crash; the middle of the interval for a bounded one. lower, upper : the certified interval. states_peak,
    states : held at most, and written. seconds : processor time, compilation excluded.
    """

    crash_rate: float
    lower: float
    upper: float
    states_peak: int
    states: int
    seconds: float


def solve(point: Point) -> Solved:
    """Grow the tree of this point."""
    warm_up()
    program = point.build()
    began = time.process_time()
    found = simulate(
        program,
        engine="tree",
        criterion=point.criterion,
        merge=point.rule,
        event_threshold=point.event,
        merge_threshold=point.merge,
        relative_width=point.relative_width,
        reduction=point.reduction,
    )
    seconds = time.process_time() - began
    rate = found.crash_rate
    assert rate.lower is not None and rate.upper is not None
    tallied = 1 - found.success if point.rule == "lossy" else rate.value
    return Solved(tallied, rate.lower, rate.upper, found.states_peak, found.cost.counts["error_states"], seconds)


@cache
def warm_up() -> None:
    """Load the compiled kernels, once in each process."""
    for rule in ("bounded", *RULES):
        simulate(steane.bit_flip_recovery(Noise.eshe()), event_threshold=1e-4, merge_threshold=1e-5, merge=rule)


def check_thresholds(name: str, values: Sequence[float]) -> None:
    """Refuse thresholds that are no list of two or more, each smaller than the one before."""
    falls = all(a > b for a, b in pairwise(values))
    if len(values) < 2 or not falls or not 0 <= values[-1] <= values[0] < 1:
        raise ConfigError(f"{name} is no axis", got=values, expected="two or more different numbers in [0, 1), largest first")
