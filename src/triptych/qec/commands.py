"""The verbs of ``triptych qec``.

In: a configuration and a run directory. Out: the JSON summary; ``results.nc`` in the run directory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import xarray as xr

from triptych.errors import ConfigError
from triptych.qec import montecarlo, steane
from triptych.qec.criteria import CRITERIA
from triptych.qec.noise import Noise
from triptych.qec.program import Program
from triptych.qec.simulate import BATCH, Result, simulate, summarise
from triptych.runs import Run, stream

BATCHES_PER_WORKER = 4  # in a round: what an interrupt may lose


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramConfig:
    """What is simulated."""

    kind: Literal["recovery", "bit_flip_recovery"] = field(
        default="recovery", metadata={"help": "a whole recovery, or its bit-flip phase alone, of one block that starts clean"}
    )
    code: Literal["steane"] = field(default="steane", metadata={"help": "the [[7,1,3]] code"})
    preparation: Literal["9+3", "8+1"] = field(default="9+3", metadata={"help": "CNOTs of the ancilla encoder + its checks"})
    extractions: int = field(default=3, metadata={"help": "syndromes for each majority vote"})
    criterion: Literal["css", "paper22", "strict", "readout"] = field(
        default="css", metadata={"help": "when a block counts as lost"}
    )

    def __post_init__(self) -> None:
        if self.extractions < 1:
            raise ConfigError("a recovery needs syndromes", got=self.extractions, expected="extractions >= 1", fix="use 3")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseConfig:
    """How strong each class of faults is."""

    preset: Literal["uniform", "eshe_rates"] = field(
        default="uniform", metadata={"help": "one rate for preparations, CNOTs and measurements, or the rates of Table I"}
    )
    p: float = field(default=1e-3, metadata={"help": "the rate of the uniform preset"})

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ConfigError("noise.p is no probability", got=self.p, expected="0 <= p <= 1", fix="give another --noise.p")

    def noise(self) -> Noise:
        """The rates."""
        return Noise.uniform(self.p) if self.preset == "uniform" else Noise.eshe_rates()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How the answer is found."""

    name: Literal["auto", "reference", "montecarlo"] = field(
        default="auto", metadata={"help": "the probability tree (reference) or random shots (montecarlo); auto takes the tree"}
    )
    resolution: float = field(
        default=1e-4, metadata={"help": "thresholds not given: this times the strongest rate, and times its square (reference)"}
    )
    event_threshold: float | None = field(default=None, metadata={"help": "states below it do not branch (reference)"})
    merge_threshold: float | None = field(default=None, metadata={"help": "merged states up to it are not kept (reference)"})
    merge: Literal["preservation", "lossy"] = field(
        default="preservation", metadata={"help": "what becomes of merged states that are not kept (reference)"}
    )
    shots: int = field(default=1_000_000, metadata={"help": "random shots (montecarlo)"})

    def __post_init__(self) -> None:
        for name in ("resolution", "event_threshold", "merge_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"engine.{name} is out of range", got=value, expected="0 <= value < 1", fix="0 prunes nothing")
        if self.shots < 1:
            raise ConfigError("engine.shots is impossible", got=self.shots, expected=">= 1", fix="give another --engine.shots")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How often a fault-tolerant program fails, by the probability tree with its certificate or by Monte Carlo."""

    program: ProgramConfig = field(default_factory=ProgramConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    seed: int = field(default=2008, metadata={"help": "seed of the random shots (montecarlo)"})


def run(config: RunConfig, run: Run) -> dict[str, Any]:
    """Simulate the program; the summary's crash rate is certified (tree) or carries one standard deviation (Monte Carlo)."""
    program = _program(config)
    result = _by_batches(config, run) if config.engine.name == "montecarlo" else _by_tree(config, program)
    rate, acceptance = result.crash_rate, result.acceptance
    summary = {
        "crash_rate": rate.value,
        "lower": rate.lower,
        "upper": rate.upper,
        **({} if rate.error is None else {"error": rate.error}),
        "acceptance": acceptance.value,
        "engine": result.engine,
        "criterion": config.program.criterion,
        "states_peak": result.states_peak,
        "logical_qubits": len(program.blocks),
        "physical_qubits": program.physical_qubits,
        "cost": result.cost.to_json(),
        "seconds": result.cost.seconds,
    }
    numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
    run.save("results.nc", xr.Dataset({name: ((), value) for name, value in numbers.items()}))
    return summary


def _program(config: RunConfig) -> Program:
    builder = {"recovery": steane.recovery, "bit_flip_recovery": steane.bit_flip_recovery}[config.program.kind]
    return builder(config.noise.noise(), preparation=config.program.preparation, extractions=config.program.extractions)


def _by_tree(config: RunConfig, program: Program) -> Result:
    engine = config.engine
    return simulate(
        program,
        criterion=config.program.criterion,
        resolution=engine.resolution,
        event_threshold=engine.event_threshold,
        merge_threshold=engine.merge_threshold,
        merge=engine.merge,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Shots with a random stream of their own."""

    config: RunConfig
    index: int
    shots: int


def draw(batch: Batch) -> dict[str, Any]:
    """The counts of one batch."""
    counts = montecarlo.sample(
        _program(batch.config),
        CRITERIA[batch.config.program.criterion],
        shots=batch.shots,
        rng=stream(batch.config.seed, "montecarlo", batch.index),
    )
    return {"batch": batch.index, **counts._asdict()}


def _by_batches(config: RunConfig, run: Run) -> Result:
    """Round by round; the batches that an interrupted run has logged are not drawn again.

    The log gives each batch its share of the wall-clock time of its round, so that the sum is the time that a user waited,
    whatever the number of workers and of attempts.
    """
    starts = range(0, config.engine.shots, BATCH)
    batches = [Batch(config=config, index=i, shots=min(BATCH, config.engine.shots - start)) for i, start in enumerate(starts)]
    done = {record["batch"]: record for record in run.history()}
    todo = [batch for batch in batches if batch.index not in done]
    size = BATCHES_PER_WORKER * run.workers
    for start in range(0, len(todo), size):
        began = time.perf_counter()
        drawn = run.map(draw, todo[start : start + size], label="shots")
        share = (time.perf_counter() - began) / len(drawn)
        for counts in drawn:
            record = counts | {"seconds": share}
            run.log(record)
            done[record["batch"]] = record
    columns = {name: sum(record[name] for record in done.values()) for name in (*montecarlo.Counts._fields, "seconds")}
    return summarise(montecarlo.Counts(*(columns[name] for name in montecarlo.Counts._fields)), columns["seconds"])
