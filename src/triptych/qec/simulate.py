"""The panel's entry point.

In: a program, an engine, a criterion. Out: a :class:`Result` with the crash rate, its certificate or its error, and the price.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from triptych.errors import ConfigError, did_you_mean
from triptych.qec import montecarlo, reference
from triptych.qec.criteria import CRITERIA, Criterion
from triptych.qec.program import Program
from triptych.qec.tasks import MergeRule, tally
from triptych.runs import Cost
from triptych.statistics import Estimate, wilson

EngineName = Literal["reference", "montecarlo"]
BATCH = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a simulation found.

    Attributes
    ----------
    crash_rate : probability that a scored block crashes; certified (reference) or statistical (montecarlo).
    acceptance : accepted over prepared ancilla blocks, in the long run; exactly 1 where nothing is verified.
    states_peak : most error states held at once (0 for the Monte Carlo).
    lost : probability that lossy merges dropped since the last verification; 0 otherwise, up to rounding.
    cost : ``error_states`` written, or ``shots``; seconds.
    engine : which engine it was.
    """

    crash_rate: Estimate
    acceptance: Estimate
    states_peak: int
    lost: float
    cost: Cost
    engine: EngineName


def simulate(
    program: Program,
    *,
    engine: EngineName = "reference",
    criterion: str | Criterion = "css",
    resolution: float = 1e-4,
    event_threshold: float | None = None,
    merge_threshold: float | None = None,
    merge: MergeRule = "preservation",
    shots: int = 100_000,
    rng: np.random.Generator | None = None,
) -> Result:
    """How often does the program crash?

    Parameters
    ----------
    program : what to run, with the blocks to score.
    engine : ``"reference"`` grows the probability tree of Sec. II and certifies its answer; ``"montecarlo"`` draws shots.
    criterion : the name of a criterion in :mod:`triptych.qec.criteria` (blocks of seven qubits), or a function of the packed
        X and Z bits of a block that is true where the block is lost.
    resolution : sets the thresholds that are not given, by the program's strongest rate f: ``event_threshold = resolution * f``
        and ``merge_threshold = resolution * f^2``, so that states of two or three faults count at any noise. Smaller values give
        narrower certificates at the price of more states.
    event_threshold, merge_threshold, merge : pruning of the tree (Sec. II.D, II.E), where you want to set it yourself.
    shots, rng : of the Monte Carlo, which has no default generator.

    Raises
    ------
    ConfigError
        If an argument is out of range or unknown, or if the Monte Carlo gets no generator.

    Notes
    -----
    Cost of the tree: time proportional to the states written (about 0.4 microseconds each), memory to ``states_peak`` (about 150
    bytes each). Cost of the Monte Carlo: about 3 microseconds per shot and recovery.

    Examples
    --------
    >>> from triptych.qec import Noise, simulate, steane
    >>> ancilla = simulate(steane.verified_ancilla(Noise.uniform(1e-4)))
    >>> 0.99 < ancilla.acceptance.lower <= ancilla.acceptance.upper < 1
    True
    """
    crash = _criterion(criterion, program)
    follow = reference.Thresholds.for_rate(program.strongest_rate, resolution=resolution, rule=merge)
    thresholds = reference.Thresholds(
        event=follow.event if event_threshold is None else event_threshold,
        merge=follow.merge if merge_threshold is None else merge_threshold,
        rule=merge,
    )
    if engine == "reference":
        return _by_tree(program, crash, thresholds)
    if engine == "montecarlo":
        if rng is None:
            raise ConfigError("the Monte Carlo needs a generator", fix="pass rng=numpy.random.default_rng(seed)")
        return _by_sampling(program, crash, shots, rng)
    raise ConfigError("no such engine", got=engine, expected="'reference' or 'montecarlo'")


def summarise(counts: montecarlo.Counts, seconds: float) -> Result:
    """The result of a Monte Carlo, from its counts (those of several batches may be added)."""
    return Result(
        crash_rate=wilson(counts.crashes, counts.shots),
        acceptance=wilson(counts.accepted, counts.prepared) if counts.prepared else Estimate.exact(1.0),
        states_peak=0,
        lost=0.0,
        cost=Cost(seconds=seconds, counts={"shots": counts.shots}),
        engine="montecarlo",
    )


def _criterion(criterion: str | Criterion, program: Program) -> Criterion:
    if not program.blocks:
        raise ConfigError("nothing is scored", got="a program without blocks", fix="name its code blocks: Program(blocks=...)")
    if callable(criterion):
        return criterion
    if criterion not in CRITERIA:
        raise ConfigError("no such criterion", got=criterion, fix=did_you_mean(criterion, list(CRITERIA)))
    if any(len(block) != 7 for block in program.blocks):
        sizes = [len(block) for block in program.blocks]
        raise ConfigError(
            f"{criterion!r} scores blocks of 7 qubits", got=f"blocks of {sizes}", fix="pass a function (x, z) -> bool"
        )
    return CRITERIA[criterion]


def _by_tree(program: Program, crash: Criterion, thresholds: reference.Thresholds) -> Result:
    began = time.perf_counter()
    tree = reference.run(program, thresholds)
    final = reference.joined((one for one in tree.sets if any(not one.qubits.isdisjoint(b) for b in program.blocks)), thresholds)
    rate = tally(final, program.blocks, crash)
    width = min(1.0, final.ledger)
    return Result(
        crash_rate=Estimate.certified(rate, lower=max(0.0, rate - width), upper=min(1.0, rate + width)),
        acceptance=_acceptance(tree.acceptances),
        states_peak=tree.peak,
        lost=max(0.0, 1 - math.fsum(final.states.values())),
        cost=Cost(seconds=time.perf_counter() - began, counts={"error_states": tree.processed}),
        engine="reference",
    )


def _acceptance(rounds: tuple[tuple[float, float], ...]) -> Estimate:
    """The harmonic mean: a round with acceptance a prepares 1 / a blocks for the one that it accepts."""
    if not rounds:
        return Estimate.exact(1.0)

    def mean(values: list[float]) -> float:
        return len(values) / sum(1 / a for a in values) if min(values) > 0 else 0.0

    lower, upper = [max(0.0, a - d) for a, d in rounds], [min(1.0, a + d) for a, d in rounds]
    return Estimate.certified(mean([a for a, _ in rounds]), lower=mean(lower), upper=mean(upper))


def _by_sampling(program: Program, crash: Criterion, shots: int, rng: np.random.Generator) -> Result:
    began = time.perf_counter()
    total = np.zeros(4, dtype=np.int64)
    for start in range(0, max(shots, 1), BATCH):
        total += montecarlo.sample(program, crash, shots=min(BATCH, shots - start), rng=rng)
    return summarise(montecarlo.Counts(*map(int, total)), time.perf_counter() - began)
