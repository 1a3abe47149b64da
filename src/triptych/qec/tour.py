"""The qec panel in a quarter of a minute: one recovery, from a noise that no sampling reaches to one that it does.

In: a relative width and a number of shots. Out: a figure, and comparisons of the tree with two Monte Carlo methods and with the
exact engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr

from triptych.errors import ConfigError
from triptych.plotting import figure
from triptych.qec import steane
from triptych.qec.criteria import readout
from triptych.qec.montecarlo import stratified
from triptych.qec.noise import Noise
from triptych.qec.plots import plot_crash_rates, plot_crash_rates_over_square, plot_uncertainties
from triptych.qec.simulate import Result, simulate
from triptych.qec.verdicts import merges_bracket, models_agree, nonfailing_states
from triptych.runs import Comparison, Cost, Run, Verdict, stream

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
LOW, MIDDLE, HIGH = 1e-4, 1e-3, 1e-2
COARSE = 1e-7  # a merge threshold large enough to be seen
LARGEST = 13  # logical qubits, as in Sec. IV.C
COMPILED_WIDTH = 0.02  # relative, of the tree that is compared there
FAULTS = 6  # at most, in a stratified shot; at the rates of Table I more have a probability of 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class TourConfig:
    """What the tour shows.

    Attributes
    ----------
    preparation : ancilla circuit.
    relative_width : half the certified interval over the crash rate.
    shots : Monte Carlo shots at an error rate of 1e-2; other rates get as many as cost the same, since a shot costs what it has
        of faults. The stratified Monte Carlo draws as many.
    seed : seed of the Monte Carlo.
    """

    preparation: str = "9+3"
    relative_width: float = 1e-3
    shots: int = 500_000
    seed: int = 2008

    def __post_init__(self) -> None:
        if not self.relative_width > 0:
            raise ConfigError("relative_width is impossible", got=self.relative_width, expected="relative_width > 0")
        if self.shots < 1000:
            raise ConfigError("too few shots", got=self.shots, expected="shots >= 1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One error rate, by one engine."""

    config: TourConfig
    p: float
    engine: str


def solve(point: Point) -> Result:
    """The recovery at this error rate."""
    config = point.config
    program = steane.recovery(Noise.uniform(point.p), preparation=config.preparation)
    if point.engine == "montecarlo":
        rng = stream(config.seed, "tour", str(point.p))
        return simulate(program, engine="montecarlo", shots=round(config.shots * HIGH / point.p), rng=rng)
    return simulate(program, engine="tree", relative_width=config.relative_width)


def tour(config: TourConfig, run: Run) -> dict[str, Any]:
    """Follow the crash rate over four decades, write ``results.nc`` and the figure, and return the story."""
    points = [Point(config=config, p=p, engine="tree") for p in RATES]
    points += [Point(config=config, p=p, engine="montecarlo") for p in RATES if p >= LOW]
    results = run.map(solve, points[::-1], label="error rates")[::-1]
    tree = {point.p: result for point, result in zip(points, results, strict=True) if point.engine == "tree"}
    drawn = {point.p: result for point, result in zip(points, results, strict=True) if point.engine == "montecarlo"}
    data = _dataset(tree, drawn)
    run.save("results.nc", data)
    made, axes = figure(3, 1, width=5.6, height=7.2, sharex=True, height_ratios=(3, 2, 2))
    for plot, ax in zip((plot_crash_rates, plot_crash_rates_over_square, plot_uncertainties), axes[:, 0], strict=True):
        plot(data, ax=ax)
        ax.label_outer()
    run.save_figure("crash-rates.png", made)
    rows = [*_comparisons(tree, drawn), _papers_program(config), _papers_largest(config)]
    return {
        "title": "How often does a fault-tolerant recovery fail?",
        "story": (
            "The probability tree of Chi, Lyon and Martonosi computed the crash rate of a recovery of the [[7,1,3]] code "
            f"(ancilla circuit {config.preparation}) from p = {RATES[0]:g} to {RATES[-1]:g}, each in at most "
            f"{max(result.cost.seconds for result in tree.values()):.1g} s and with a certified interval of "
            f"+-{max(_width(result) for result in tree.values()):.2g} of the rate or less. "
            "The rate falls as the square of p because single faults are harmless, so that random sampling soon has next to "
            "nothing to count."
        ),
        "figure": "crash-rates.png",
        "comparisons": [row.to_json() for row in rows],
        "claims": [verdict.to_json() for verdict in _verdicts(config, tree, drawn)],
    }


def _verdicts(config: TourConfig, tree: dict[float, Result], drawn: dict[float, Result]) -> list[Verdict]:
    program = steane.recovery(Noise.uniform(MIDDLE), preparation=config.preparation)
    converged = tree[MIDDLE]
    assert converged.event_threshold is not None
    decided = (
        models_agree(tree, drawn),
        merges_bracket(program, converged, event_threshold=converged.event_threshold, merge_threshold=COARSE),
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
    # Shots whose standard deviation equals half the certified interval.
    shots = round(rate.value * (1 - rate.value) / rate.half_width**2)
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


def _papers_program(config: TourConfig) -> Comparison:
    """Two logical qubits at the rates of Table I, against the best sampler that there is."""
    program = steane.two_qubit(Noise.eshe_rates(), preparation=config.preparation)
    found = simulate(program, engine="tree", criterion="readout", relative_width=config.relative_width)
    rng = stream(config.seed, "tour", "stratified")
    stratified.estimate(program, readout, shots=1000, k_max=FAULTS, rng=rng)  # compiles
    strata = stratified.estimate(program, readout, shots=config.shots, k_max=FAULTS, rng=rng)
    error, counts = strata.crash_rate.error, strata.cost.counts
    assert error is not None
    more = (error / found.crash_rate.half_width) ** 2
    return Comparison(
        what="readout crash rate of two logical qubits at the rates of Table I",
        answer=found.crash_rate,
        truth=strata.crash_rate,
        price=found.cost,
        rival="stratified Monte Carlo of the tree's accuracy (estimated)",
        rival_price=Cost(seconds=more * strata.cost.seconds, counts={"shots": round(more * counts["shots"])}),
        note=f"the truth shown is from {counts['shots']} shots with two faults or more; the price is extrapolated",
    )


def _papers_largest(config: TourConfig) -> Comparison:
    """Thirteen logical qubits, where the paper's tree took hours and 8 GB: exactly, beside a tree of compiled recoveries."""
    program = steane.tree_program(Noise.eshe_rates(), logical_qubits=LARGEST, preparation=config.preparation)
    found = simulate(program, engine="exact")
    tree = simulate(program, engine="tree", reduction="compiled", relative_width=COMPILED_WIDTH)
    return Comparison(
        what=f"crash rate of {LARGEST} logical qubits at the rates of Table I",
        answer=found.crash_rate,
        truth=tree.crash_rate,
        price=found.cost,
        rival="tree of compiled recoveries",
        rival_price=tree.cost,
        note="the exact engine contracts the network of the gadgets; the paper's tree took hours and 8 GB",
    )


def _width(result: Result) -> float:
    return result.crash_rate.half_width / result.crash_rate.value
