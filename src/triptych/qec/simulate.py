"""The panel's entry point.

In: a program, a criterion, an engine. Out: a :class:`Result` with the crash rate, its certificate or its error, and the price.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from triptych.errors import ConfigError
from triptych.qec import exact, reference
from triptych.qec.criteria import ClassCriterion, Criterion, WeightCriterion, named
from triptych.qec.montecarlo import Counts, geometric
from triptych.qec.program import Program, Verify
from triptych.qec.thresholds import require_thresholds
from triptych.qec.tree import Attempt, Pruning, Rule, Tree, of_block, score, tries
from triptych.runs import Cost, progress
from triptych.statistics import Estimate, wilson

EngineName = Literal["auto", "exact", "tree", "reference", "montecarlo"]
Reduction = Literal["compiled", "observed", "none"]

RELATIVE_WIDTH = 1e-3
FIRST_EVENT = 1e-3  # of the strongest rate: where the search for thresholds begins
MERGE_TO_EVENT = 1e-2  # times the strongest rate: the merge threshold that balances an event threshold
SMALLEST_THRESHOLD = 1e-30
ROUNDING = 1e-14  # relative, of a ratio of sums
STUCK = 0.999  # of the last width: smaller thresholds do not help any more
LARGEST_WORK = 1e10  # multiplications, half a minute: beyond that "auto" prefers the tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a simulation found.

    Attributes
    ----------
    crash_rate : probability that a scored block crashes; certified (exact, up to rounding; tree, reference) or statistical
        (montecarlo).
    success : probability of all states that did not crash, as Sec. II.A tallies it. What the bounded and lossy trees dropped is
        missing; a preserving tree has 1 - crash_rate.
    acceptance : accepted over prepared ancilla blocks, in the long run (of a Verify that aborts, and those after it, in the runs
        that get there); exactly 1 where nothing is verified.
    engine : which engine it was.
    reason : why "auto" chose it; empty where the engine was asked for.
    reduction : what its states stand for: ``"observed"``, values of the functionals that the rest of the program can see;
        ``"compiled"``, the same without those inside of recoveries; or ``"none"``, Pauli strings.
    event_threshold, merge_threshold : those of the tree that gave the answer; None for the other engines.
    stopped : what ran out before the certificate was as tight as asked: ``"max_memory_gb"``, ``"max_faults"``, ``"rounding"``, or
        nothing.
    states_peak : most error states held at once, or numbers in the largest tensor (0 for the Monte Carlo).
    cost : ``error_states`` written, or ``tensor_entries``, or ``shots``; seconds.
    """

    crash_rate: Estimate
    success: float
    acceptance: Estimate
    engine: EngineName
    reason: str = ""
    reduction: Reduction
    event_threshold: float | None = None
    merge_threshold: float | None = None
    stopped: Literal["", "max_memory_gb", "max_faults", "rounding"]
    states_peak: int
    cost: Cost


def simulate(
    program: Program,
    *,
    engine: EngineName = "auto",
    criterion: str | Criterion = "css",
    at_any_time: bool = False,
    merge: Rule = "bounded",
    event_threshold: float | None = None,
    merge_threshold: float | None = None,
    relative_width: float | None = None,
    reduction: Reduction | None = None,
    max_memory_gb: float = 4.0,
    max_faults: int | None = None,
    shots: int = 1_000_000,
    rng: np.random.Generator | None = None,
) -> Result:
    """How often does the program crash?

    Parameters
    ----------
    program : what to run, with the blocks to score.
    engine : ``"exact"`` compiles the gadgets of the program to channels and contracts their network (:mod:`triptych.qec.exact`);
        ``"tree"`` is the probability tree of Sec. II on arrays, with a certificate; ``"reference"`` is the same, literally and
        slowly; ``"montecarlo"`` draws shots. ``"auto"`` takes the exact engine where it fits into the memory and into minutes and
        nothing is asked for that only the tree has (thresholds, merge rules, a reduction, max_faults), and else the tree; the
        result says why.
    criterion : the name of a criterion in :mod:`triptych.qec.criteria` (for the [[7,1,3]] code), such a criterion for another
        code (:func:`~triptych.qec.criteria.named`), or a function of the packed X and Z bits of a block that is true where the
        block is lost; the tree tabulates it, on blocks of up to 10 qubits.
    at_any_time : score at each :class:`~triptych.qec.program.Tally` too, not only at the end.
    merge : what becomes of states that are not followed. ``"bounded"``: dropped and accounted for, so that the interval is tight
        and nests as thresholds shrink. ``"preservation"``, ``"lossy"``: the rules of Sec. II.E. The reference has only these.
    event_threshold, merge_threshold : of Sec. II.D and II.E. Where both are missing, the tree shrinks them until the certificate
        is as tight as `relative_width`; where one is, the other follows from it.
    relative_width : half the certified interval over the crash rate; by default 0.001. Not together with thresholds.
    reduction : ``"observed"`` (the default) follows only what the rest of the program can see of an error; ``"compiled"`` does
        so, and takes each phase of a recovery in one step, as an exact channel; ``"none"`` follows Pauli strings, as the paper
        does.
    max_memory_gb : for the states. Where it is not enough the tree raises its thresholds, and the interval becomes wider; the
        exact engine refuses.
    max_faults : follow only errors of at most so many faults (up to 15); what is left out widens the interval.
    shots, rng : of the Monte Carlo, which has no default generator.

    Raises
    ------
    ConfigError
        If an argument is out of range or unknown, if arguments exclude each other, if the Monte Carlo gets no generator, or if
        the exact engine would need more memory than there is.

    Notes
    -----
    Cost of the exact engine: time and memory 256 to the number of blocks that hang together (:func:`triptych.qec.exact.plan`
    tells beforehand), and any number of blocks in a tree of logical gates. Cost of the tree: about 50 ns for each state written;
    memory 30 to 60 bytes for each of `states_peak`, and as much again while the map grows. Reference: 400 ns and 150 bytes.
    Monte Carlo: 1 microsecond for each shot with a fault.

    Examples
    --------
    >>> from triptych.qec import Noise, simulate, steane
    >>> program = steane.two_qubit(Noise.eshe_rates())
    >>> f"{simulate(program, criterion='readout').crash_rate.value:.10e}"
    '1.6685844841e-05'
    >>> print(simulate(program, criterion="readout", engine="tree").crash_rate)
    1.6688e-5 [1.6681e-5, 1.6696e-5]
    """
    crash = _criterion(criterion, program)
    given = event_threshold is not None or merge_threshold is not None
    if engine in ("reference", "montecarlo") and (relative_width, max_faults) != (None, None):
        raise ConfigError(f"the engine {engine!r} has no relative_width and no max_faults", fix="take the tree")
    if engine in ("reference", "montecarlo") and reduction not in (None, "none"):
        raise ConfigError(f"the engine {engine!r} follows Pauli strings", got=f"reduction {reduction}", fix="take the tree")
    if engine == "montecarlo" and given:
        raise ConfigError("the Monte Carlo has no thresholds", fix="leave them out, or take the tree")
    if relative_width is not None and (given or not relative_width > 0):
        expected = "relative_width > 0 without thresholds, or thresholds without relative_width"
        raise ConfigError("relative_width does not fit", got=f"relative_width {relative_width:g}", expected=expected)
    rate = program.strongest_rate
    if engine == "montecarlo":
        if rng is None:
            raise ConfigError("the Monte Carlo needs a generator", fix="pass rng=numpy.random.default_rng(seed)")
        began = time.perf_counter()
        counts = geometric.sample(program, crash, shots=shots, rng=rng, at_any_time=at_any_time)
        return summarise(counts, time.perf_counter() - began)
    if engine == "reference":
        if merge == "bounded":
            raise ConfigError("the reference engine has no bounded merges", got=merge, expected="'preservation' or 'lossy'")
        event, joint = _thresholds(event_threshold, merge_threshold, rate, 1e-4)
        return _by_reference(program, crash, reference.Thresholds(event=event, merge=joint, rule=merge), at_any_time)
    if engine not in ("auto", "exact", "tree"):
        raise ConfigError("no such engine", got=engine, expected="'auto', 'exact', 'tree', 'reference' or 'montecarlo'")
    if reduction not in (None, "compiled", "observed", "none"):
        raise ConfigError("no such reduction", got=reduction, expected="'compiled', 'observed' or 'none'")
    pruned = given or merge != "bounded" or max_faults is not None or reduction is not None
    if reduction == "compiled" and max_faults is not None:
        raise ConfigError("faults inside of compiled gadgets are not counted", got=f"max_faults {max_faults}", fix="leave it out")
    if engine == "exact" and pruned:
        raise ConfigError("the exact engine has no thresholds, merge rules, reductions or max_faults", fix="take the tree")
    reason = "asked for what only the tree has" if engine == "auto" and pruned else ""
    if engine != "tree" and not pruned:
        try:
            made = exact.plan(program, crash, at_any_time=at_any_time, max_entries=1e9 * max_memory_gb / exact.BYTES)
            reduction = "compiled"
            exact.affordable(made, max_memory_gb=max_memory_gb)
        except ConfigError as refusal:
            if engine == "exact":
                raise
            reason = f"{refusal.what} ({refusal.got})"
        else:
            reason = f"the largest tensor has a width of {made.width:.0f} bits" if engine == "auto" else ""
            if engine == "exact" or made.operations < LARGEST_WORK:
                return _exactly(made, reason)
            reason = f"the exact engine would take {made.operations:.0e} multiplications"
    event, joint = _thresholds(event_threshold, merge_threshold, rate, FIRST_EVENT)
    pruning = Pruning(event=event, merge=joint, rule=merge, max_faults=max_faults, max_memory=1e9 * max_memory_gb)
    if given:
        found = _by_tree(program, crash, pruning, reduction or "observed", at_any_time)
    else:
        found = _driven(program, crash, pruning, reduction or "observed", at_any_time, relative_width or RELATIVE_WIDTH)
    return replace(found, reason=reason)


def summarise(counts: Counts, seconds: float) -> Result:
    """The result of a Monte Carlo, from its counts (those of several batches may be added)."""
    return Result(
        crash_rate=wilson(counts.crashes, counts.shots),
        success=1 - counts.crashes / counts.shots,
        acceptance=wilson(counts.accepted, counts.prepared) if counts.prepared else Estimate.exact(1.0),
        engine="montecarlo",
        reduction="none",
        stopped="",
        states_peak=0,
        cost=Cost(seconds=seconds, counts={"shots": counts.shots}),
    )


def _criterion(criterion: str | Criterion, program: Program) -> Criterion:
    if not program.blocks:
        raise ConfigError("nothing is scored", got="a program without blocks", fix="name its code blocks: Program(blocks=...)")
    crash = criterion if callable(criterion) else named(criterion)
    if not isinstance(crash, ClassCriterion | WeightCriterion):
        return _Truth(crash)
    if any(len(block) != crash.qubits for block in program.blocks):
        sizes = [len(block) for block in program.blocks]
        fix = "name the code: triptych.qec.criteria.named(criterion, code); or pass a function (x, z) -> bool"
        raise ConfigError(f"the criterion scores blocks of {crash.qubits} qubits", got=f"blocks of {sizes}", fix=fix)
    return crash


def _thresholds(event: float | None, merge: float | None, rate: float, first: float) -> tuple[float, float]:
    """Those not given follow the other and the strongest error rate: states of two or three faults then count at any noise."""
    require_thresholds(event=event, merge=merge)
    balance = MERGE_TO_EVENT * min(rate, 0.1)
    if event is None:
        event = first * rate if merge is None else min(0.1, merge / balance) if balance else merge
    return event, balance * event if merge is None else merge


def _exactly(made: exact.Plan, reason: str) -> Result:
    """The crash rate up to rounding."""
    began = time.perf_counter()
    found = exact.solve(made)
    rate = float(found.crash_rate[0])
    return Result(
        crash_rate=Estimate.certified(rate, lower=rate * (1 - found.error), upper=min(1.0, rate * (1 + found.error))),
        success=1 - rate,
        acceptance=_acceptance(made.program, found.attempts),
        engine="exact",
        reason=reason,
        reduction="observed",
        stopped="",
        states_peak=round(2.0**made.width),
        cost=Cost(seconds=time.perf_counter() - began, counts={"tensor_entries": found.entries}),
    )


def _driven(
    program: Program, crash: Criterion, pruning: Pruning, reduction: Reduction, at_any_time: bool, width: float
) -> Result:
    """Smaller and smaller thresholds, until the interval is tight or something has run out; the narrowest interval counts."""
    seconds, states, half, best = 0.0, 0, math.inf, None
    while True:
        result = _by_tree(program, crash, pruning, reduction, at_any_time)
        seconds, states = seconds + result.cost.seconds, states + result.cost.counts["error_states"]
        if best is None or result.crash_rate.half_width < best.crash_rate.half_width:
            best = result
        tight = best.crash_rate.half_width <= width * best.crash_rate.value
        stuck = best.crash_rate.half_width > STUCK * half or pruning.event < SMALLEST_THRESHOLD
        if tight or stuck or result.stopped:
            stopped = result.stopped or ("rounding" if pruning.max_faults is None else "max_faults")
            return replace(best, cost=Cost(seconds=seconds, counts={"error_states": states}), stopped="" if tight else stopped)
        half = best.crash_rate.half_width
        step = min(0.1, max(1e-4, width * best.crash_rate.value / half))
        pruning = replace(pruning, event=pruning.event * step, merge=pruning.merge * step)


def _by_tree(program: Program, crash: Criterion, pruning: Pruning, reduction: Reduction, at_any_time: bool) -> Result:
    began, whole = time.perf_counter(), program
    tree = Tree(pruning, crash if at_any_time else None)
    observed, attempts, slack = None, tree.attempts, 0.0
    if reduction == "compiled":
        entries = pruning.max_memory / exact.BYTES
        made = exact.plan(program, crash, at_any_time=at_any_time, max_entries=entries)
        program, attempts, slack = exact.compiled(made, max_entries=entries)
    if reduction != "none":
        observed = [row for block in program.blocks for row in of_block(score(crash, len(block)).functionals, block)]
    with progress.task("probability tree", len(program.instructions)) as shown:
        tree.run(program.instructions, observed, advance=shown.advance)
    rate, lower, upper = tree.score(program.blocks, crash, observed)
    return Result(
        crash_rate=Estimate.certified(rate, lower=lower * (1 - slack), upper=min(1.0, upper * (1 + slack))),
        success=math.prod(float(one.map.p[: one.map.n].sum()) for one in tree.sets if one.mortal),
        acceptance=_acceptance(whole, attempts),
        engine="tree",
        reduction=reduction,
        event_threshold=pruning.event,
        merge_threshold=pruning.merge,
        stopped="max_memory_gb" if tree.exhausted else "",
        states_peak=tree.peak,
        cost=Cost(seconds=time.perf_counter() - began, counts={"error_states": tree.processed}),
    )


def _by_reference(program: Program, crash: Criterion, thresholds: reference.Thresholds, at_any_time: bool) -> Result:
    began = time.perf_counter()
    tree = reference.run(program, thresholds, crash if at_any_time else None)
    rate, ledger, success = reference.score(tree, program.blocks, crash, thresholds)
    return Result(
        crash_rate=Estimate.certified(rate, lower=max(0.0, rate - ledger), upper=min(1.0, rate + ledger)),
        success=success,
        acceptance=_acceptance(program, [Attempt(a, max(0.0, a - d), min(1.0, a + d)) for a, d in tree.acceptances]),
        engine="reference",
        reduction="none",
        event_threshold=thresholds.event,
        merge_threshold=thresholds.merge,
        stopped="",
        states_peak=tree.peak,
        cost=Cost(seconds=time.perf_counter() - began, counts={"error_states": tree.processed}),
    )


def _acceptance(program: Program, attempts: list[Attempt]) -> Estimate:
    """Blocks accepted over blocks tried: sum_i w_i (1 - r_i^m_i) / sum_i w_i (1 - r_i^m_i) / (1 - r_i), in runs that get to i.

    All terms of both sums are bounded one by one.
    """
    if not attempts:
        return Estimate.exact(1.0)
    accepted, tried = np.zeros(3), np.zeros(3)
    reached = np.ones(3)
    for step, attempt in zip((step for step in program.instructions if isinstance(step, Verify)), attempts, strict=True):
        value, lower, upper = attempt
        some = np.array([_delivered(one, step.supply) for one in attempt])
        accepted += reached * some
        tried += reached * [tries(one, step.supply) for one in (value, upper, lower)]
        if step.supply is not None and step.otherwise == "abort":
            reached = reached * some
    value = accepted[0] / tried[0]
    bounds = accepted[1] / tried[2] * (1 - ROUNDING), min(1.0, accepted[2] / tried[1] * (1 + ROUNDING))
    return Estimate.certified(min(max(value, bounds[0]), bounds[1]), lower=bounds[0], upper=bounds[1])


def _delivered(success: float, supply: int | None) -> float:
    """The probability that one block of the supply is accepted."""
    if supply is None or success >= 1:
        return 1.0
    return -math.expm1(supply * math.log1p(-success))


@dataclass(frozen=True, slots=True, eq=False)
class _Truth:
    """A user's criterion, whatever it returns."""

    criterion: Criterion

    def __call__(self, x: int, z: int) -> bool:
        return bool(self.criterion(x, z))
