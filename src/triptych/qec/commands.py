"""The verbs ``triptych qec run`` and ``triptych qec describe``.

In: a configuration and a run directory. Out: the JSON summary; ``results.nc`` in the run directory, and ``sinter.csv`` where
shots were drawn.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import xarray as xr

from triptych.qec import sinter_csv
from triptych.qec.criteria import named
from triptych.qec.describe import describe as count
from triptych.qec.describe import noise_classes, nonfailing_states
from triptych.qec.montecarlo import Counts, geometric
from triptych.qec.program import Program
from triptych.qec.settings import DescribeConfig, RunConfig
from triptych.qec.simulate import Result, simulate, summarise
from triptych.runs import Run, stream

BATCH = 500_000  # shots that are drawn together
ROUND = 10.0  # seconds of sampling that an interrupt may lose, or one batch of each worker


def describe(config: DescribeConfig, run: Run) -> dict[str, Any]:  # noqa: ARG001 (every verb has a run)
    """Count what there is in the program; each ancilla block counts once, however often it is prepared again."""
    noise = config.noise.noise()
    return {
        **count(config.program.build(noise)).to_json(),
        "noise_classes": noise_classes(config.program.build, noise),
        "nonfailing_states": nonfailing_states(config.program.code),
    }


def run(config: RunConfig, run: Run) -> dict[str, Any]:
    """Simulate the program; the summary's crash rate is certified, or carries one standard deviation (Monte Carlo)."""
    program = config.program.build(config.noise.noise())
    solve = _by_batches if config.engine.name == "montecarlo" else _at_once
    result = solve(config, program, run)
    rate = result.crash_rate
    summary = {
        "crash_rate": rate.value,
        "lower": rate.lower,
        "upper": rate.upper,
        **({} if rate.error is None else {"error": rate.error}),
        "success": result.success,
        "acceptance": result.acceptance.value,
        "engine": result.engine,
        "reason": result.reason,
        "criterion": config.program.criterion,
        "reduction": result.reduction,
        "event_threshold": result.event_threshold,
        "merge_threshold": result.merge_threshold,
        "stopped": result.stopped,
        "states_peak": result.states_peak,
        "logical_qubits": len(program.blocks),
        "physical_qubits": program.physical_qubits,
        "cost": result.cost.to_json(),
        "seconds": result.cost.seconds,
    }
    numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
    run.save("results.nc", xr.Dataset({name: ((), value) for name, value in numbers.items()}))
    return summary


def _at_once(config: RunConfig, program: Program, run: Run) -> Result:  # noqa: ARG001 (it is one piece of work)
    engine = config.engine
    return simulate(
        program,
        engine=engine.name,
        criterion=config.program.crash(),
        at_any_time=config.program.at_any_time,
        merge=engine.merge or ("preservation" if engine.name == "reference" else "bounded"),
        event_threshold=engine.event_threshold,
        merge_threshold=engine.merge_threshold,
        relative_width=engine.relative_width,
        reduction=engine.reduction,
        max_memory_gb=engine.max_memory_gb,
        max_faults=engine.max_faults,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Shots with a random stream of their own."""

    program: Program
    criterion: str
    code: str
    at_any_time: bool
    seed: int
    index: int
    shots: int


def draw(batch: Batch) -> dict[str, Any]:
    """The counts of one batch."""
    counts = geometric.sample(
        batch.program,
        named(batch.criterion, batch.code),
        shots=batch.shots,
        rng=stream(batch.seed, "montecarlo", batch.index),
        at_any_time=batch.at_any_time,
    )
    return {"batch": batch.index, **counts._asdict()}


def _by_batches(config: RunConfig, program: Program, run: Run) -> Result:
    """Round by round; the batches that an interrupted run has logged are not drawn again.

    The log gives each batch its share of the wall-clock time of its round, so that the sum is the time that a user waited,
    whatever the number of workers and of attempts.
    """
    done = {record["batch"]: record for record in run.history()}
    todo = [
        Batch(
            program=program,
            criterion=config.program.criterion,
            code=config.program.code,
            at_any_time=config.program.at_any_time,
            seed=config.seed,
            index=index,
            shots=min(BATCH, config.engine.shots - start),
        )
        for index, start in enumerate(range(0, config.engine.shots, BATCH))
        if index not in done
    ]
    size = run.workers
    while todo:
        now, todo = todo[:size], todo[size:]
        began = time.perf_counter()
        drawn = run.map(draw, now, label="shots")
        share = (time.perf_counter() - began) / len(now)
        for counts in drawn:
            record = counts | {"seconds": share}
            run.log(record)
            done[record["batch"]] = record
        size = max(run.workers, int(ROUND / share))
    columns = {name: sum(record[name] for record in done.values()) for name in (*Counts._fields, "seconds")}
    result = summarise(Counts(*(columns[name] for name in Counts._fields)), columns["seconds"])
    table = run.path / "sinter.csv"
    table.unlink(missing_ok=True)
    sinter_csv.append(table, result, program=program, metadata={"program": asdict(config.program), "noise": asdict(config.noise)})
    return result
