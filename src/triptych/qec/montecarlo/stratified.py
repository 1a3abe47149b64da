"""Monte Carlo stratified by the number of faults.

In: a program whose verifications are tried once and post-selected. Out: its crash rate given acceptance, from the strata of 0, 1,
2, ... faults, whose probabilities are known: 0 and 1 faults are listed, more are drawn, and what is left out is bounded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError
from triptych.qec.criteria import Criterion
from triptych.qec.montecarlo import kernels
from triptych.qec.montecarlo.flat import Flat, flatten, flattens
from triptych.qec.program import Program, Verify
from triptych.runs import Cost
from triptych.statistics import Estimate

ROUNDS = 10
"""The first gives all strata the same number of shots; the others go where the variance is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """The runs with one number of faults.

    Attributes
    ----------
    faults : how many.
    probability : of so many faults.
    accepted, crashed : shares of these runs that pass all checks, and that pass and crash.
    shots : how many were drawn; 0 where all were listed, so that the shares are exact.
    """

    faults: int
    probability: float
    accepted: float
    crashed: float
    shots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    """What the strata say together.

    Attributes
    ----------
    crash_rate : of accepted runs; ``error`` is its standard deviation, and [lower, upper] is one standard deviation on either
        side, widened by what the neglected runs could change.
    acceptance : share of the runs in which every verification accepts at once, given at most the largest number of faults.
    tail : probability of more faults, which are not drawn.
    strata : one by one.
    cost : ``shots`` and seconds.
    """

    crash_rate: Estimate
    acceptance: Estimate
    tail: float
    strata: tuple[Stratum, ...]
    cost: Cost


def estimate(
    program: Program, crash: Criterion, *, shots: int, k_max: int, rng: np.random.Generator, at_any_time: bool = False
) -> Stratified:
    """The crash rate, from shots with exactly 2, 3, ..., `k_max` faults.

    Since every run with a rejected ancilla may be dropped as well as repeated, the rate is sum_k P(k) c_k / sum_k P(k) a_k with
    the shares a_k of accepted runs and c_k of those that crash, too; P(k) is the Poisson-binomial law of the locations.

    Parameters
    ----------
    program : with verifications of unlimited supply only.
    crash : true where a block with these packed X and Z bits is lost.
    shots : in all; after a first round they are given out in proportion to P(k) times the standard deviation of a stratum.
    k_max : the largest number of faults, at least 2.
    rng : the random numbers.
    at_any_time : score the Tally tasks, too.

    Raises
    ------
    ConfigError
        If the program has a finite supply of ancillas, a Custom task or a Channel, if it scores more than eight qubits in a
        block, or if there are too few shots or faults.

    Notes
    -----
    A hidden bit that is 1 and each of its switches count as faults, and so does conditional noise that finds its bit at 0.

    Cost: about 2 microseconds a shot. The standard deviation is that of a ratio (delta method); half a count is added to each
    outcome of a stratum there, so that what was not seen is not taken for impossible.

    Examples
    --------
    >>> from triptych.qec import Noise, criteria, steane
    >>> program = steane.recovery(Noise.uniform(1e-4), preparation="8+1")
    >>> found = estimate(program, criteria.css, shots=100_000, k_max=4, rng=np.random.default_rng(1))
    >>> found.strata[1].crashed, found.tail < 1e-8, found.crash_rate.error / found.crash_rate.value < 0.05
    (0.0, True, True)
    """
    _require(program, shots, k_max)
    began = time.perf_counter()
    flat = flatten(program, crash, at_any_time=at_any_time)
    chances, tail, beyond = fault_numbers(flat, k_max)
    accepted, crashed = _listed(flat, k_max)
    drawn, seen = np.zeros(k_max + 1, dtype=np.int64), np.zeros((k_max + 1, 2), dtype=np.int64)
    weights = np.where(np.arange(k_max + 1) > 1, np.sign(chances), 0.0)
    for left in range(ROUNDS, 0, -1):
        now = weights / max(weights.sum(), 1e-300) * (shots - drawn.sum()) / left
        for k in np.flatnonzero(now):
            size = int(np.ceil(now[k]))
            seen[k] += kernels.with_so_many_faults(flat, beyond[: k + 1], size, rng)
            drawn[k] += size
        many = drawn > 0
        accepted[many], crashed[many] = seen[many].T / drawn[many]
        rate = float(chances @ crashed / (chances @ accepted))
        weights = chances * np.sqrt(_variances(seen, drawn, rate)) * many
    passed = float(chances @ accepted)
    error = float(np.sqrt((weights[many] ** 2 / drawn[many]).sum())) / passed
    least, most = rate * passed / (passed + tail), (rate * passed + tail) / (passed + tail)
    spread = np.sqrt(((chances**2 * accepted * (1 - accepted))[many] / drawn[many]).sum())
    return Stratified(
        crash_rate=Estimate.statistical(rate, error, lower=max(0.0, least - error), upper=min(1.0, most + error)),
        acceptance=Estimate.statistical(passed / (1 - tail), float(spread)),
        tail=tail,
        strata=tuple(
            Stratum(faults=k, probability=float(chances[k]), accepted=float(a), crashed=float(c), shots=int(drawn[k]))
            for k, (a, c) in enumerate(zip(accepted, crashed, strict=True))
        ),
        cost=Cost(seconds=time.perf_counter() - began, counts={"shots": int(drawn.sum())}),
    )


def _require(program: Program, shots: int, k_max: int) -> None:
    if not flattens(program):
        got = "a Custom task, a Channel, or a scored block of more than eight qubits"
        raise ConfigError("the strata cannot run this program", got=got, fix="use montecarlo.sample")
    limited = [step.supply for step in program.instructions if isinstance(step, Verify) and step.supply is not None]
    if limited:
        got = f"a supply of {limited[0]} blocks"
        raise ConfigError("only unlimited supplies can be post-selected", got=got, fix="use montecarlo.sample")
    if k_max < 2 or shots < ROUNDS * k_max:
        raise ConfigError(
            "too little to draw", got=f"k_max={k_max}, {shots} shots", expected=f"k_max >= 2 and shots >= {ROUNDS} k_max"
        )


def fault_numbers(flat: Flat, k_max: int) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """P(k) for k = 0, ..., k_max; P(more); and P(no fault before location m, then j faults) as array (j, m).

    The Poisson-binomial law, location by location from the last to the first, without any subtraction; the last row counts all
    numbers above k_max.
    """
    spans = np.diff(flat.clock)
    rates = -np.expm1(-spans)
    after = np.zeros((k_max + 2, rates.size + 1))
    after[0, -1] = 1.0
    for m in range(rates.size - 1, -1, -1):
        after[:, m] = np.exp(-spans[m]) * after[:, m + 1]
        after[1:, m] += rates[m] * after[:-1, m + 1]
        after[-1, m] += rates[m] * after[-1, m + 1]
    return after[:-1, 0], float(after[-1, 0]), after[:-1] * np.exp(-flat.clock)


def _listed(flat: Flat, k_max: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k,) shares of accepted and of crashed runs: listed without a fault and with one, and still unknown for more."""
    accepted, crashed = np.zeros(k_max + 1), np.zeros(k_max + 1)
    alone = np.zeros(0, dtype=np.int64)
    accepted[0], crashed[0] = kernels.with_faults(flat, alone, alone, *np.zeros((2, flat.width), dtype=np.uint8))
    if flat.place.size:
        chance = np.diff(flat.chance, prepend=0.0)
        chance[flat.errors[:-1]] = flat.chance[flat.errors[:-1]]
        odds = chance * np.repeat(np.exp(np.diff(flat.clock)), np.diff(flat.errors))
        good, bad = kernels.single_faults(flat)
        accepted[1], crashed[1] = odds @ good / odds.sum(), odds @ bad / odds.sum()
    return accepted, crashed


def _variances(seen: NDArray[np.int64], drawn: NDArray[np.int64], rate: float) -> NDArray[np.float64]:
    """Of crashed - rate * accepted, for one shot of each stratum."""
    crashed = (seen[:, 1] + 0.5) / (drawn + 1.5)
    fine = (seen[:, 0] - seen[:, 1] + 0.5) / (drawn + 1.5)
    mean = crashed * (1 - rate) - fine * rate
    return crashed * (1 - rate) ** 2 + fine * rate**2 - mean**2
