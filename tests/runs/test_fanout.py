import os
import pickle
import signal
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import distributed
import pytest

from triptych import runs
from triptych.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    number: int
    seed: int = 3


def draw(task):
    return task.number, float(runs.stream(task.seed, "draw", task.number).normal())


def refuse_three(task):
    if task.number == 3:
        raise DataError("three is refused", got=task.number)
    return task.number


def die_at_one(task):
    if task.number == 1:
        time.sleep(0.5)
        os._exit(1)
    return task.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    number: int
    folder: str


def die_once_at_five(task):
    """Leave a mark for each attempt; the first attempt at task 5 kills its process."""
    again = any(Path(task.folder).glob(f"{task.number}-*"))
    (Path(task.folder) / f"{task.number}-{uuid.uuid4().hex}").touch()
    if task.number == 5 and not again:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return task.number


TASKS = [Task(number=number) for number in range(5)]


def test_results_come_in_order_and_do_not_depend_on_the_workers():
    serial = runs.map(draw, TASKS)
    assert [number for number, _ in serial] == list(range(5))
    assert runs.map(draw, TASKS, workers=2) == serial


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_handed_over_one_by_one(workers):
    taken = {}
    assert runs.map(draw, TASKS, workers=workers, each=taken.__setitem__) == [None] * len(TASKS)
    assert [taken[number] for number in range(len(TASKS))] == runs.map(draw, TASKS)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_task_is_named_and_takes_no_other_down(workers):
    with pytest.raises(runs.TasksFailedError) as caught:
        runs.map(refuse_three, TASKS, workers=workers)
    assert caught.value.results == [0, 1, 2, None, 4]
    assert [failure.task for failure in caught.value.failures] == [Task(number=3)]
    assert "Task(number=3, seed=3)" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))  # errors travel from workers
    assert (again.results, str(again), again.exit_code) == (caught.value.results, str(caught.value), caught.value.exit_code)
    assert "three is refused" in str(caught.value)
    assert caught.value.exit_code == DataError.exit_code


def test_a_worker_that_dies_is_reported():
    with pytest.raises(runs.TasksFailedError) as caught:
        runs.map(die_at_one, TASKS[:2], workers=2)
    assert Task(number=1) in [failure.task for failure in caught.value.failures]


def test_dask_gives_the_same_results_and_names_failures():
    assert runs.map(draw, TASKS, dask="local", workers=2) == runs.map(draw, TASKS)
    with pytest.raises(runs.TasksFailedError) as caught:
        runs.map(refuse_three, TASKS, dask="local", workers=1)
    assert caught.value.results == [0, 1, 2, None, 4]
    with pytest.raises(ConfigError, match="scheduler does not answer"):
        runs.map(draw, TASKS, dask="nowhere://")


def test_the_tasks_of_a_killed_dask_worker_are_done_again_and_finished_ones_are_not(tmp_path):
    """A cluster given by address; the worker that takes task 5 for the first time is killed while it holds it."""
    tasks = [Marked(number=number, folder=str(tmp_path)) for number in range(6)]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        results = runs.map(die_once_at_five, tasks, dask=cluster.scheduler_address)
    assert results == list(range(6))
    attempts = [len(list(tmp_path.glob(f"{number}-*"))) for number in range(6)]
    assert attempts[5] == 2
    assert attempts[:3] == [1, 1, 1]
    assert sum(attempts) <= 8  # besides task 5, only what the killed worker had taken but not delivered


def test_no_tasks_and_no_workers():
    assert runs.map(draw, [], workers=2) == []
    with pytest.raises(ConfigError, match="workers"):
        runs.map(draw, TASKS, workers=0)


def test_streams_are_independent_of_each_other_and_of_order():
    first = runs.stream(1, "momenta", 0).normal(size=3)
    runs.stream(1, "other").normal(size=100)
    assert (runs.stream(1, "momenta", 0).normal(size=3) == first).all()
    keys = [(1, "a"), (2, "a"), (1, "b"), (1, "a", "b"), (1, "ab"), (1, "a", 1), (1, "a", "1")]
    assert len({runs.subseed(*key) for key in keys}) == len(keys)
    assert all(0 <= runs.subseed(*key) < 2**63 for key in keys)
