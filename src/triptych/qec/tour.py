"""The qec panel in half a minute: one bit-flip recovery, from a noise that no sampling reaches to one that it does.

In: error rates and a resolution. Out: a figure, and comparisons of the tree with the Monte Carlo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr

from triptych.errors import ConfigError
from triptych.plotting import figure
from triptych.qec import steane
from triptych.qec.noise import Noise
from triptych.qec.plots import plot_crash_rates, plot_crash_rates_over_square
from triptych.qec.simulate import Result, simulate
from triptych.qec.verdicts import merges_bracket, models_agree, nonfailing_states
from triptych.runs import Comparison, Cost, Run, Verdict, stream

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
LOW, MIDDLE, HIGH = 1e-4, 1e-3, 1e-2
COARSE = 1e-7  # a merge threshold large enough to be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class TourConfig:
    """What the tour shows.

    Attributes
    ----------
    preparation : ancilla circuit.
    resolution : event threshold over p, and merge threshold over p squared.
    shots : Monte Carlo shots for each error rate from 3e-3 on; 1e-4 to 1e-3 get 5 times more.
    seed : seed of the Monte Carlo.
    """

    preparation: str = "8+1"
    resolution: float = 3e-4
    shots: int = 500_000
    seed: int = 2008

    def __post_init__(self) -> None:
        if not 0 < self.resolution <= 1:
            raise ConfigError("resolution is impossible", got=self.resolution, expected="0 < resolution <= 1")
        if self.shots < 1:
            raise ConfigError("shots is impossible", got=self.shots, expected="shots >= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One error rate, by one engine."""

    config: TourConfig
    p: float
    engine: str


def solve(point: Point) -> Result:
    """The bit-flip recovery at this error rate."""
    program = steane.bit_flip_recovery(Noise.uniform(point.p), preparation=point.config.preparation)
    if point.engine == "montecarlo":
        rng = stream(point.config.seed, "tour", str(point.p))
        shots = point.config.shots * (5 if point.p <= MIDDLE else 1)
        return simulate(program, engine="montecarlo", shots=shots, rng=rng)
    return simulate(program, resolution=point.config.resolution)


def tour(config: TourConfig, run: Run) -> dict[str, Any]:
    """Follow the crash rate over four decades, write ``results.nc`` and the figure, and return the story."""
    points = [Point(config=config, p=p, engine="reference") for p in RATES]
    points += [Point(config=config, p=p, engine="montecarlo") for p in RATES if p >= LOW]
    results = run.map(solve, points[::-1], label="error rates")[::-1]
    tree = {point.p: result for point, result in zip(points, results, strict=True) if point.engine == "reference"}
    drawn = {point.p: result for point, result in zip(points, results, strict=True) if point.engine == "montecarlo"}
    data = _dataset(tree, drawn)
    run.save("results.nc", data)
    made, axes = figure(2, 1, width=5.6, height=5.6, sharex=True, height_ratios=(3, 2))
    plot_crash_rates(data, ax=axes[0, 0])
    plot_crash_rates_over_square(data, ax=axes[1, 0])
    run.save_figure("crash-rates.png", made)
    return {
        "title": "How often does a fault-tolerant recovery fail?",
        "story": (
            "The probability tree of Chi, Lyon and Martonosi computed the crash rate of one bit-flip recovery of the [[7,1,3]] "
            f"code (ancilla circuit {config.preparation}), with a certified interval, from p = {RATES[0]:g} to {RATES[-1]:g}. "
            "The rate falls as the square of p because single faults are harmless; the interval is a few per cent wide or less "
            "where random sampling has next to nothing to count, and opens where noise is strong and sampling is easy."
        ),
        "figure": "crash-rates.png",
        "comparisons": [row.to_json() for row in _comparisons(tree, drawn)],
        "claims": [verdict.to_json() for verdict in _verdicts(config, tree, drawn)],
    }


def _verdicts(config: TourConfig, tree: dict[float, Result], drawn: dict[float, Result]) -> list[Verdict]:
    program = steane.bit_flip_recovery(Noise.uniform(MIDDLE), preparation=config.preparation)
    decided = (
        models_agree(tree, drawn),
        merges_bracket(program, tree[MIDDLE], event_threshold=config.resolution * MIDDLE, merge_threshold=COARSE),
        nonfailing_states(),
    )
    return [verdict for verdict in decided if verdict is not None]


def _dataset(tree: dict[float, Result], drawn: dict[float, Result]) -> xr.Dataset:
    def column(name: str, source: dict[float, Result]) -> tuple[str, list[float]]:
        return ("p", [getattr(source[p].crash_rate, name) if p in source else float("nan") for p in RATES])

    return xr.Dataset(
        {
            "crash_rate": column("value", tree),
            "lower": column("lower", tree),
            "upper": column("upper", tree),
            "drawn": column("value", drawn),
            "drawn_error": column("error", drawn),
        },
        coords={"p": list(RATES)},
    )


def _comparisons(tree: dict[float, Result], drawn: dict[float, Result]) -> list[Comparison]:
    rate, sampled = tree[LOW].crash_rate, drawn[LOW]
    assert rate.lower is not None and rate.upper is not None
    # Shots whose standard deviation equals half the certified interval.
    shots = round(rate.value * (1 - rate.value) / ((rate.upper - rate.lower) / 2) ** 2)
    speed = sampled.cost.seconds / sampled.cost.counts["shots"]
    return [
        Comparison(
            what=f"crash rate at p = {MIDDLE:g}",
            answer=tree[MIDDLE].crash_rate,
            truth=drawn[MIDDLE].crash_rate,
            price=tree[MIDDLE].cost,
            rival="Monte Carlo",
            rival_price=drawn[MIDDLE].cost,
        ),
        Comparison(
            what=f"ancilla acceptance at p = {HIGH:g}",
            answer=tree[HIGH].acceptance,
            truth=drawn[HIGH].acceptance,
            price=tree[HIGH].cost,
            rival="Monte Carlo",
            rival_price=drawn[HIGH].cost,
            note="prices are those of the whole recovery",
        ),
        Comparison(
            what=f"crash rate at p = {LOW:g}",
            answer=rate,
            truth=sampled.crash_rate,
            price=tree[LOW].cost,
            rival="Monte Carlo of the tree's accuracy (estimated)",
            rival_price=Cost(seconds=shots * speed, counts={"shots": shots}),
            note=f"the truth shown is from {sampled.cost.counts['shots']} shots; the price is extrapolated from their speed",
        ),
    ]
