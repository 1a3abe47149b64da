"""Logical error rates of a memory experiment, without samples.

In: a Stim circuit or a detector error model, and a decoder. Out: certified error rates, by the transform where the distribution
fits into the memory, else by the tree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import stim

from triptych.errors import ConfigError
from triptych.qec.detectors.decoding import Verdict, compiled, evaluate, maximum_likelihood
from triptych.qec.detectors.distribution import Distribution, follow, memory, transform
from triptych.qec.detectors.mechanisms import Mechanisms, of_model, of_program
from triptych.qec.simulate import FIRST_EVENT, RELATIVE_WIDTH, SMALLEST_THRESHOLD
from triptych.qec.stim_import import from_stim
from triptych.qec.thresholds import require_thresholds
from triptych.runs import Cost
from triptych.statistics import Estimate

EngineName = Literal["auto", "transform", "tree"]
Stopped = Literal["", "event_threshold", "max_memory_gb", "rounding"]
MAXIMUM_LIKELIHOOD = "maximum_likelihood"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalErrorRates:
    """What was found.

    Attributes
    ----------
    observables : of each, the probability that it is mispredicted; certified.
    any : the probability that any is.
    engine : which it was.
    detectors, mechanisms : how many the decoder sees, and how many independent events strike them.
    event_threshold : of the tree that gave the answer; None for the transform.
    stopped : why the interval of `any` is not as narrow as asked: ``"event_threshold"``, ``"max_memory_gb"``, ``"rounding"``; or
        nothing.
    cost : outcomes whose probability was found, syndromes decoded; seconds.
    """

    observables: tuple[Estimate, ...]
    any: Estimate
    engine: Literal["transform", "tree"]
    detectors: int
    mechanisms: int
    event_threshold: float | None
    stopped: Stopped
    cost: Cost


def logical_error_rates(
    source: stim.Circuit | stim.DetectorErrorModel,
    *,
    decoder: Any = MAXIMUM_LIKELIHOOD,
    engine: EngineName = "auto",
    event_threshold: float | None = None,
    relative_width: float = RELATIVE_WIDTH,
    max_memory_gb: float = 4.0,
) -> LogicalErrorRates:
    """How often is the decoder wrong?

    Parameters
    ----------
    source : see :func:`triptych.qec.stim_import.from_stim` for circuits. The disjoint errors of a channel are followed exactly;
        Stim's own conversion to a detector error model takes them as independent.
    decoder : ``"maximum_likelihood"``, the best there is; the name of a decoder of sinter, such as ``"pymatching"``; an object
        of sinter's kind; or a function from (syndrome, detector) to (syndrome, observable) bits.
    engine : ``"transform"`` finds all probabilities at once, ``"tree"`` follows the probable errors; ``"auto"`` takes the
        transform where it fits.
    event_threshold : of the tree; without one it shrinks until the interval is narrow enough or memory runs out.
    relative_width : half the certified interval over the rate of any error that will do.
    max_memory_gb : for the probabilities: 48 bytes x 2^(detectors + observables) for the transform.

    Raises
    ------
    DataError
        If the circuit cannot be translated.
    ConfigError
        If an argument is out of range or unknown, if the transform does not fit, or if the decoder cannot do with the model.
    MissingExtraError
        If the decoder is not installed.

    Notes
    -----
    Cost: for 25 bits 4 s and 1.6 GB. A decoder adds its own time for each syndrome, the probable ones first.

    Examples
    --------
    >>> circuit = stim.Circuit.generated(
    ...     "repetition_code:memory", distance=3, rounds=3, before_measure_flip_probability=0.01,
    ...     before_round_data_depolarization=0.01,
    ... )
    >>> best = logical_error_rates(circuit)
    >>> print(f"{best.any.value:.4e}", best.any.upper - best.any.lower < 1e-12)
    1.5975e-03 True
    """
    if engine not in ("auto", "transform", "tree"):
        raise ConfigError("no such engine", got=engine, expected="'auto', 'transform' or 'tree'")
    if engine == "transform" and event_threshold is not None:
        raise ConfigError("the transform has no threshold", got=event_threshold, fix="leave it out, or take the tree")
    if not relative_width > 0:
        raise ConfigError("relative_width is impossible", got=relative_width, expected="> 0")
    require_thresholds(event=event_threshold, merge=None)
    began = time.perf_counter()
    mechanisms, judge = _question(source, decoder, relative_width)
    fits = memory(mechanisms) <= 1e9 * max_memory_gb
    if engine == "transform" or (engine == "auto" and event_threshold is None and fits):
        found = _judged(transform(mechanisms, max_memory_gb=max_memory_gb), judge, relative_width)
    elif event_threshold is not None:
        found = _judged(follow(mechanisms, threshold=event_threshold, max_memory_gb=max_memory_gb), judge, relative_width)
    else:
        found, event_threshold = _driven(mechanisms, judge, relative_width, max_memory_gb)
    return LogicalErrorRates(
        observables=found.verdict.observables,
        any=found.verdict.any,
        engine="transform" if event_threshold is None else "tree",
        detectors=mechanisms.detectors,
        mechanisms=len(mechanisms.events),
        event_threshold=event_threshold,
        stopped=found.stopped,
        cost=Cost(
            seconds=time.perf_counter() - began, counts={"outcomes": found.outcomes, "syndromes_decoded": found.verdict.decoded}
        ),
    )


Judge = Callable[[Distribution], Verdict]


def _question(source: stim.Circuit | stim.DetectorErrorModel, decoder: Any, width: float) -> tuple[Mechanisms, Judge]:
    """The mechanisms of the source, and what is asked of their distribution."""
    if isinstance(source, stim.Circuit):
        program, detectors, observables = from_stim(source)
        mechanisms = of_program(program, detectors=detectors, observables=observables)
    else:
        mechanisms = of_model(source)
    if decoder == MAXIMUM_LIKELIHOOD:
        return mechanisms, maximum_likelihood
    return mechanisms, partial(evaluate, decoder=compiled(decoder, source), relative_width=width)


class _Found(NamedTuple):
    verdict: Verdict
    stopped: Stopped
    outcomes: int


def _judged(distribution: Distribution, judge: Judge, width: float) -> _Found:
    verdict = judge(distribution)
    tight = verdict.any.half_width <= width * verdict.any.value
    missing: Stopped = "event_threshold" if distribution.missing else "rounding"
    return _Found(verdict, "" if tight else "max_memory_gb" if distribution.exhausted else missing, len(distribution.p))


def _driven(mechanisms: Mechanisms, judge: Judge, width: float, max_memory_gb: float) -> tuple[_Found, float]:
    """Smaller and smaller thresholds of the tree, until something else stops it; the narrowest interval, and its threshold."""
    threshold = FIRST_EVENT * max((math.fsum(event.values()) for event in mechanisms.events), default=1.0)
    best, outcomes = None, 0
    while True:
        now = _judged(follow(mechanisms, threshold=threshold, max_memory_gb=max_memory_gb), judge, width)
        rate, outcomes = now.verdict.any, outcomes + now.outcomes
        if best is None or rate.half_width < best[0].verdict.any.half_width:
            best = now, threshold
        if now.stopped != "event_threshold" or threshold < SMALLEST_THRESHOLD:
            stopped = best[0].stopped and now.stopped
            return best[0]._replace(outcomes=outcomes, stopped=stopped), best[1]
        threshold *= min(0.1, max(1e-4, width * rate.value / rate.half_width))
