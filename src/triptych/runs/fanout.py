"""The same function over many configurations.

In: a module-level function and a list of tasks. Out: the results in the tasks' order, computed here or by spawned processes, and
the same for any number of workers. A task that fails takes no other one down.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from triptych.errors import ConfigError, TriptychError
from triptych.runs import progress

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task that raised: the task itself, and what it raised."""

    task: Any
    error: Exception


class TasksFailedError(TriptychError, Generic[R]):
    """Some tasks failed; the results of the others are in :attr:`results` (None where a task failed)."""

    def __init__(self, failures: Sequence[Failure], results: Sequence[R | None]) -> None:
        self.failures, self.results = list(failures), list(results)
        first = failures[0]
        super().__init__(
            f"{len(failures)} of {len(results)} tasks failed",
            got="\n            ".join(f"{failure.task!r}: {failure.error}" for failure in failures),
            fix="the results of the other tasks are kept; mend these and run again",
        )
        if isinstance(first.error, TriptychError):
            self.exit_code = first.error.exit_code  # type: ignore[misc]


def map(function: Callable[[T], R], tasks: Iterable[T], *, workers: int = 1, label: str = "") -> list[R]:
    """Apply `function` to each task.

    Parameters
    ----------
    function : importable by name where `workers` > 1, since processes are spawned (never forked: JAX and Numba hold threads).
    tasks : picklable values, each with its own random seed where it needs one.
    workers : 1 runs in this process; more run in that many spawned processes.
    label : shown with the progress.

    Raises
    ------
    TasksFailedError
        After all tasks have ended, if any raised; it carries the others' results and the failing tasks.
    ConfigError
        If `workers` is below one.
    """
    todo = list(tasks)
    if workers < 1:
        raise ConfigError("the number of workers cannot be", got=workers, expected=">= 1")
    results: list[R | None] = [None] * len(todo)
    failures: dict[int, Failure] = {}
    with progress.task(label or function.__name__, len(todo)) as shown:

        def settle(index: int, call: Callable[[], R]) -> None:
            try:
                results[index] = call()
            except Exception as error:
                failures[index] = Failure(task=todo[index], error=error)
            shown.advance()

        if workers == 1 or len(todo) <= 1:
            for index, one in enumerate(todo):
                settle(index, lambda one=one: function(one))  # type: ignore[misc]
        else:
            others = set(multiprocessing.active_children())
            pool = ProcessPoolExecutor(min(workers, len(todo)), mp_context=multiprocessing.get_context("spawn"))
            try:
                futures: dict[Future[R], int] = {pool.submit(function, one): index for index, one in enumerate(todo)}
                for future in as_completed(futures):
                    settle(futures[future], future.result)
            except BaseException:
                for worker in set(multiprocessing.active_children()) - others:
                    worker.terminate()  # an interrupted run must not wait for its running tasks
                raise
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise TasksFailedError([failures[index] for index in sorted(failures)], results)
    return results  # type: ignore[return-value]
