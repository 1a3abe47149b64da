"""Monte Carlo samplers as the tree's rivals.

In: a :class:`Draw`: a program, a criterion, a sampler, shots. Out: what they found and what they took. ``per location`` is the
paper's rival: each fault location draws a random number in each shot.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from triptych.qec.criteria import CRITERIA, Criterion
from triptych.qec.montecarlo import frames, geometric, stratified
from triptych.qec.points import Point
from triptych.qec.program import Event, Program
from triptych.qec.stim_export import StimProgram, to_stim
from triptych.runs import stream

Sampler = Literal["per location", "geometric", "Stim", "stratified"]
SAMPLERS: tuple[Sampler, ...] = ("per location", "geometric", "Stim", "stratified")
MOST_FAULTS = 5  # of the stratified sampler
BATCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Batches of shots, `size` in each, by one sampler."""

    point: Point
    sampler: Sampler
    size: int
    batches: int = BATCHES
    seed: int


class Drawn(NamedTuple):
    """What a sampler says.

    crash_rate : as it was drawn. shots : how many. worth : plain, accepted shots that would know the rate as well. seconds :
    processor time. crashes : of each batch (none where strata are drawn). locations : fault locations of the program.
    """

    crash_rate: float
    shots: int
    worth: float
    seconds: float
    crashes: tuple[int, ...]
    locations: int


def draw(task: Draw) -> Drawn:
    """Let one sampler draw its shots. What it has to load or translate beforehand is not timed."""
    program, crash = task.point.build(), CRITERIA[task.point.criterion]
    rng = stream(task.seed, "fig4", task.sampler, task.point.program, task.batches)
    locations = sum(isinstance(step, Event) for step in program.flat())
    exported = to_stim(program)
    if task.sampler == "stratified":
        stratified.estimate(program, crash, shots=100, k_max=2, rng=rng)
        began = time.process_time()
        rate = stratified.estimate(program, crash, shots=task.batches * task.size, k_max=MOST_FAULTS, rng=rng).crash_rate
        seconds = time.process_time() - began
        assert rate.error is not None
        return Drawn(rate.value, task.batches * task.size, rate.value / rate.error**2, seconds, (), locations)
    _batch(task.sampler, program, exported, crash, 100, rng)
    began = time.process_time()
    batches = [_batch(task.sampler, program, exported, crash, task.size, rng) for _ in range(task.batches)]
    seconds = time.process_time() - began
    crashes, accepted = zip(*batches, strict=True)
    return Drawn(sum(crashes) / sum(accepted), task.batches * task.size, sum(accepted), seconds, crashes, locations)


def _batch(
    sampler: Sampler, program: Program, exported: StimProgram, crash: Criterion, shots: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Crashes, and accepted shots."""
    if sampler == "Stim":
        selected = exported.sample(crash, shots=shots, rng=rng)
        return selected.crashes, selected.accepted
    if sampler == "geometric":
        return geometric.sample(program, crash, shots=shots, rng=rng).crashes, shots
    return frames.sample(program, crash, shots=shots, rng=rng, per_location=True).crashes, shots
