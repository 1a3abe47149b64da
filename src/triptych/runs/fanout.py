"""The same function over many configurations.

In: a module-level function and a list of tasks. Out: the results in the tasks' order, computed here, by spawned processes or by a
Dask cluster, and the same for any number of workers. A task that fails takes no other one down.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, final

from triptych import interrupts
from triptych.errors import ConfigError, MissingExtraError, TriptychError
from triptych.runs import progress

T = TypeVar("T")
R = TypeVar("R")
Outcome = tuple[int, Callable[[], R]]
SHOWN_TASKS = 3  # with the same error


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task that raised: the task itself, and what it raised."""

    task: Any
    error: Exception


@final
class TasksFailedError(TriptychError):
    """Some tasks failed; the results of the others are in :attr:`results` (None where a task failed)."""

    def __init__(self, failures: Sequence[Failure], results: Sequence[Any]) -> None:
        self.failures, self.results = list(failures), list(results)
        grouped: dict[str, list[Any]] = {}
        for failure in failures:
            grouped.setdefault(str(failure.error), []).append(failure.task)
        super().__init__(
            f"{len(failures)} of {len(results)} tasks failed",
            got="\n            ".join(f"{_some(tasks)}: {error}" for error, tasks in grouped.items()),
            fix="the results of the other tasks are kept; mend these and run again",
        )
        first = failures[0].error
        self.exit_code = first.exit_code if isinstance(first, TriptychError) else 1

    def __reduce__(self) -> tuple[Any, ...]:
        return TasksFailedError, (self.failures, self.results)


def _some(tasks: Sequence[Any]) -> str:
    """The first tasks by name, and how many more."""
    shown = ", ".join(repr(task) for task in tasks[:SHOWN_TASKS])
    return shown if len(tasks) <= SHOWN_TASKS else f"{shown} and {len(tasks) - SHOWN_TASKS} more"


def map(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: int = 1,
    dask: str | None = None,
    label: str = "",
    each: Callable[[int, R], None] | None = None,
) -> list[R]:
    """Apply `function` to each task.

    Parameters
    ----------
    function : importable by name where `workers` > 1, since processes are spawned (never forked: JAX and Numba hold threads).
    tasks : picklable values, each with its own random seed where it needs one.
    workers : 1 runs in this process; more run in that many spawned processes.
    dask : address of a Dask scheduler, or ``"local"`` for a cluster of `workers` processes on this machine. The tasks of a worker
        that dies are done again elsewhere; results that have arrived are not computed again.
    label : shown with the progress.
    each : takes a task's number and result as soon as it is there, in this process; results are then not kept, and the list that
        is returned holds None.

    Raises
    ------
    TasksFailedError
        After all tasks have ended, if any raised; it carries the others' results and the failing tasks.
    ConfigError
        If `workers` is below one, or the scheduler does not answer.
    MissingExtraError
        If `dask` is given and Dask is not installed.
    """
    todo = list(tasks)
    if workers < 1:
        raise ConfigError("the number of workers cannot be", got=workers, expected=">= 1")
    if dask is not None:
        outcomes = _on_dask(function, todo, dask, workers)
    elif workers == 1 or len(todo) <= 1:
        outcomes = _here(function, todo)
    else:
        outcomes = _in_processes(function, todo, workers)
    results: list[Any] = [None] * len(todo)
    failures: dict[int, Failure] = {}
    with progress.task(label or function.__name__, len(todo)) as shown:
        for index, outcome in outcomes:
            try:
                result = outcome()
                if each is None:
                    results[index] = result
                else:
                    each(index, result)
            except Exception as error:
                failures[index] = Failure(task=todo[index], error=error)
            shown.advance()
    if failures:
        raise TasksFailedError([failures[index] for index in sorted(failures)], results)
    return results


def _here(function: Callable[[T], R], todo: list[T]) -> Iterator[Outcome[R]]:
    for index, task in enumerate(todo):
        yield index, lambda task=task: function(task)  # type: ignore[misc]


def _in_processes(function: Callable[[T], R], todo: list[T], workers: int) -> Iterator[Outcome[R]]:
    others = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    heed = partial(interrupts.install, once=True)
    pool = ProcessPoolExecutor(min(workers, len(todo)), mp_context=spawn, initializer=heed)
    try:
        futures: dict[Future[R], int] = {pool.submit(function, task): index for index, task in enumerate(todo)}
        for future in as_completed(futures):
            yield futures.pop(future), future.result  # nothing holds the result after it was taken
    except BaseException:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()  # an interrupted run does not wait for its tasks; they save what they have
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _on_dask(function: Callable[[T], R], todo: list[T], address: str, workers: int) -> Iterator[Outcome[R]]:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MissingExtraError("Dask is not installed", fix="pip install 'triptych[dask]'") from error
    with ExitStack() as stack:
        if address == "local":
            cluster = distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
            address = stack.enter_context(cluster).scheduler_address
        try:
            client = stack.enter_context(distributed.Client(address, timeout=10, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ConfigError("the Dask scheduler does not answer", got=f"{address}: {error}", fix="check --dask") from None
        futures = {client.submit(function, task, pure=False): index for index, task in enumerate(todo)}
        for future in distributed.as_completed(futures, loop=client.loop):
            yield futures[future], future.result
            future.release()  # it has arrived: its worker may die now without its being computed again
