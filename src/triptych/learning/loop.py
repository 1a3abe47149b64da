"""The training loop: steps that nothing but their number and the key decides, however often they are interrupted.

In: one step of a training as a pure function, where it starts, a key, and data for the steps. Out: where it ends; on the way a
line of metrics for every chunk of steps, and a checkpoint every few seconds and at an interrupt.

Step n = 0, 1, ... takes the key fold_in(key, n). All steps of a chunk run in one compiled loop whose length is no constant of the
program, so that a last chunk that is shorter runs through the same code. Interrupts are heeded, and checkpoints written, between
chunks alone: a training that was interrupted ends with the same bits as one that was not, wherever the same program and machine
give the same bits at all (a GPU may choose other kernels in another process).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from triptych.errors import ConfigError, ConvergenceError, DataError
from triptych.learning import models
from triptych.runs import Run, progress

C = TypeVar("C")
M = TypeVar("M")

Update = Callable[..., tuple[C, dict[str, jax.Array]]]
"""One step: (carry, number of the step, key) -> (carry, metrics), without side effects; with data, (carry, step, key, batch)."""
Batches = Callable[[int, int], Any]
"""The data of the steps from the first number to before the second: a pytree of arrays [step, ...]."""
Between = Callable[[C, int, dict[str, float]], C]
"""Between chunks: (carry, number of steps done, means of the metrics over the chunk) -> carry."""

SECONDS_BETWEEN_CHECKPOINTS = 5.0
OWN = ("training", "step")  # what the log says beside the metrics


class Trained(NamedTuple, Generic[C]):
    """What a training leaves."""

    carry: C  # after the last step
    seconds: float  # of all attempts together, with compilation
    steps: int  # that were done


class Best(eqx.Module, Generic[M]):
    """The best model so far, as a part of the carry; start with `Best(model, jnp.asarray(-jnp.inf))`."""

    model: M  # any pytree
    score: jax.Array  # [], the higher the better


def better(best: Best[M], model: M, score: float | jax.Array) -> Best[M]:
    """`model` if it has a higher score, else the best so far; a score that is NaN is never higher.

    Examples
    --------
    >>> best = Best(jnp.zeros(2), jnp.asarray(-jnp.inf))
    >>> better(better(best, jnp.ones(2), 0.5), jnp.zeros(2), 0.4).model.tolist()
    [1.0, 1.0]
    """
    higher = jnp.asarray(score) > best.score

    def chosen(new: Any, old: Any) -> Any:
        return jnp.where(higher, new, old) if eqx.is_array(old) else old

    chosen_score = jnp.where(higher, score, best.score).astype(best.score.dtype)
    return Best(jax.tree.map(chosen, model, best.model), chosen_score)


def train(
    update: Update[C],
    carry: C,
    *,
    steps: int,
    key: jax.Array,
    chunk: int = 10,
    run: Run | None = None,
    name: str = "training",
    identity: str = "",
    batches: Batches | None = None,
    on_chunk: Between[C] | None = None,
    ended: Callable[[C], bool] | None = None,
) -> Trained[C]:
    """Train, or go on with a training that was interrupted.

    Parameters
    ----------
    update : one step, `update(carry, step, key) -> (carry, metrics)`. It is compiled, so that `step` is a traced number. The
        metrics are single numbers by name, and must stay finite: the norm of the gradient is a good one to have among them.
    carry : all that a step changes, as arrays: parameters, the state of the optimiser, Markov chains. Anything else in it, such
        as an activation function, remains as it is.
    steps : in the whole training.
    key : where all random numbers come from, as from `jax.random.key`.
    chunk : steps between two looks at the clock, best about a second of them. A line of metrics is the mean over a chunk, so that
        it belongs to the question like `steps` and `key`.
    run : where ``checkpoints/<name>.eqx`` and the lines ``{"training": name, "step": steps done, **means}`` of ``metrics.jsonl``
        go. A checkpoint that is found there is resumed. Without a run nothing is written.
    name : of this training; a run may have several.
    identity : what else the result depends on, such as the strong id of a configuration: a checkpoint of another one is refused.
    batches : gives the data of a chunk, which may come from a disk: a thread reads those of the next chunk meanwhile. They must
        depend on nothing but the numbers of the steps.
    on_chunk : called after each chunk with the carry, the number of steps done and the means over the chunk; the training goes
        on with the carry that it returns. It may keep models in files. After an interrupt it may be called once more for a chunk,
        with the same numbers.
    ended : asked after each chunk; where it says so of the carry, the training ends before its last step.

    Returns
    -------
    Trained
        The last carry, the seconds that it took, and the number of steps.

    Raises
    ------
    ConfigError
        If `steps` or `chunk` cannot be, a metric is no single number, or `update` changes the form of the carry.
    ConvergenceError
        If a metric is no longer finite; the message names the step. The checkpoint is that of the chunk before.
    DataError
        If the checkpoint belongs to another training or is damaged.

    Notes
    -----
    The carry is in memory twice, and so is the data of a chunk. What is spread over several processes cannot be kept in a
    checkpoint.

    Examples
    --------
    Adam finds the minimum of (x - 3)^2:

    >>> from triptych.learning.schedules import optimiser
    >>> adam = optimiser(0.3, steps=100)
    >>> def update(carry, step, key):
    ...     x, state = carry
    ...     loss, slope = jax.value_and_grad(lambda x: (x - 3) ** 2)(x)
    ...     change, state = adam.update(slope, state)
    ...     return (x + change, state), {"loss": loss}
    >>> start = jnp.zeros(())
    >>> (x, _), *_ = train(update, (start, adam.init(start)), steps=100, key=jax.random.key(0))
    >>> print(f"{x:.1f}")
    3.0
    """
    _refuse_impossible(steps=steps, chunk=chunk)
    began = saved = time.monotonic()
    carry = _as_arrays(carry)
    feed = _Feed(batches, chunk, steps)
    zeros = _no_metrics(update, carry, key, feed.first())
    question = {
        "kind": "training",
        "steps": int(steps),
        "chunk": int(chunk),
        "key": np.asarray(jax.random.key_data(key)).ravel().tolist(),
        "identity": identity,
    }
    path = None if run is None else run.path / "checkpoints" / f"{name}.eqx"
    done, logged, spent = 0, 0, 0.0
    if path is not None and path.exists():
        carry, done, spent = _resume(path, carry, question)
    if run is not None:
        logged = max((record["step"] for record in run.history() if record.get("training") == name), default=0)

    def keep(carry: C, done: int) -> float:
        seconds = spent + time.monotonic() - began
        if path is not None:
            models.save(path, carry, {**question, "step": done, "seconds": seconds})
        return seconds

    if done == steps or (done and ended is not None and ended(carry)):
        return Trained(carry, spent, done)
    reached = carry, done  # replaced in one step: an interrupt finds no half of a chunk
    with progress.task(name, steps) as shown, feed:
        try:
            shown.advance(done)
            while done < steps:
                end = min(done + chunk, steps)
                carry, number, sums = _advance(update, carry, jnp.asarray(done), jnp.asarray(end), key, zeros, feed.take(done))
                means = _means(sums, done, int(number), name)
                if on_chunk is not None:
                    carry = _as_arrays(on_chunk(carry, end, means))
                if run is not None and end > logged:  # the log may know more than the checkpoint
                    run.log({"training": name, "step": end, **means})
                advanced, done = end - done, end
                reached = carry, done
                shown.label = " ".join([name, *(f"{metric} {mean:.4g}" for metric, mean in means.items())])
                shown.advance(advanced)
                if ended is not None and ended(carry):
                    break
                if done < steps and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    keep(*reached)
                    saved = time.monotonic()
        except (KeyboardInterrupt, ConvergenceError):
            keep(*reached)
            raise
    return Trained(carry, keep(carry, done), done)


@eqx.filter_jit
def _advance(
    update: Update[C], carry: C, first: jax.Array, end: jax.Array, key: jax.Array, zeros: dict[str, jax.Array], data: Any
) -> tuple[C, jax.Array, dict[str, jax.Array]]:
    """The steps from `first` to before `end`, or to the first one with a metric that is not finite.

    Returns the carry, the number of the step that would be next, and the sums of the metrics.
    """
    arrays, constants = eqx.partition(carry, eqx.is_array)

    def going_on(now: tuple[C, jax.Array, dict[str, jax.Array]]) -> jax.Array:
        _, number, sums = now
        return (number < end) & jnp.isfinite(jnp.stack(list(sums.values()))).all()

    def step(now: tuple[C, jax.Array, dict[str, jax.Array]]) -> tuple[C, jax.Array, dict[str, jax.Array]]:
        arrays, number, sums = now
        batch = () if data is None else (jax.tree.map(lambda of_steps: of_steps[number - first], data),)
        following, metrics = update(eqx.combine(arrays, constants), number, jax.random.fold_in(key, number), *batch)
        return eqx.filter(following, eqx.is_array), number + 1, {name: total + metrics[name] for name, total in sums.items()}

    arrays, number, sums = jax.lax.while_loop(going_on, step, (arrays, first, zeros))
    return eqx.combine(arrays, constants), number, sums


def _means(sums: dict[str, jax.Array], first: int, number: int, name: str) -> dict[str, float]:
    """The means over the steps from `first` to before `number`; refuses those that are not finite."""
    totals = {metric: float(total) for metric, total in sums.items()}
    lost = {metric: total for metric, total in totals.items() if not math.isfinite(total)}
    if lost:
        raise ConvergenceError(
            f"{name} diverged in step {number - 1}",
            got=", ".join(f"{metric} {total}" for metric, total in lost.items()),
            expected="finite metrics",
            fix=f"lower the learning rate or clip more; the checkpoint is that of the first {first} steps",
        )
    return {metric: total / (number - first) for metric, total in totals.items()}


def _refuse_impossible(**counts: int) -> None:
    """Refuse counts that are no whole numbers >= 1."""
    for name, count in counts.items():
        if not (math.isfinite(count) and int(count) == count and count >= 1):
            raise ConfigError(f"{name} is too small or no whole number", got=count, expected="a whole number >= 1")


def _as_arrays(carry: C) -> C:
    """The carry with its arrays as a checkpoint gives them back: JAX's own, of a fixed type."""

    def array(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and not leaf.weak_type:
            return leaf
        return jnp.array(leaf, dtype=leaf.dtype) if isinstance(leaf, jax.Array | np.ndarray) else leaf

    result: C = jax.tree.map(array, carry)
    return result


class _Feed:
    """The data of a training: of the chunk that runs, and of the next, which a thread reads."""

    def __init__(self, batches: Batches | None, chunk: int, steps: int) -> None:
        self._batches, self._chunk, self._steps = batches, chunk, steps
        self._thread: ThreadPoolExecutor | None = None
        self._coming: dict[int, Future[Any]] = {}

    def __enter__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def __exit__(self, *_: object) -> None:
        assert self._thread is not None
        self._thread.shutdown(cancel_futures=True)

    def first(self) -> tuple[Any, ...]:
        """The data of the first step, for its shape; none where the training has no data."""
        return () if self._batches is None else (jax.tree.map(lambda of_steps: of_steps[0], self._batches(0, 1)),)

    def take(self, done: int) -> Any:
        """The data of the chunk that begins after `done` steps."""
        if self._batches is None:
            return None
        here = self._coming.pop(done, None) or self._read(done)
        if done + self._chunk < self._steps:
            self._coming[done + self._chunk] = self._read(done + self._chunk)
        return here.result()

    def _read(self, done: int) -> Future[Any]:
        assert self._batches is not None and self._thread is not None
        return self._thread.submit(self._batches, done, min(done + self._chunk, self._steps))


def _no_metrics(update: Update[C], carry: C, key: jax.Array, batch: tuple[Any, ...]) -> dict[str, jax.Array]:
    """Zero for each metric; refuses an update that the loop cannot run."""

    def once(carry: C, key: jax.Array, batch: tuple[Any, ...]) -> tuple[C, dict[str, jax.Array]]:
        following, metrics = update(carry, jnp.asarray(0), key, *batch)
        return following, {metric: jnp.asarray(value, jnp.result_type(float, value)) for metric, value in metrics.items()}

    following, metrics = eqx.filter_eval_shape(once, carry, key, batch)
    changed = sorted({*_form(carry).items()} ^ {*_form(following).items()})
    if changed:
        raise ConfigError("a step changes the form of the carry", got=changed, expected="the arrays and types that it was given")
    impossible = [metric for metric, value in metrics.items() if metric in OWN or value.shape != ()]
    if impossible or not metrics:
        raise ConfigError("the metrics cannot be logged", got=impossible, expected=f"single numbers, called neither of {OWN}")
    return {metric: jnp.zeros((), value.dtype) for metric, value in metrics.items()}


def _form(carry: Any) -> dict[str, str]:
    """Type and shape of every array, by its place in the tree."""
    named, _ = jax.tree_util.tree_flatten_with_path(carry)
    return {
        jax.tree_util.keystr(place): f"{leaf.dtype}{list(leaf.shape)}"
        for place, leaf in named
        if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct)
    }


def _resume(path: Path, carry: C, question: dict[str, Any]) -> tuple[C, int, float]:
    """Carry, steps done and seconds spent, as the checkpoint has them."""
    header = models.read_header(path)
    for word, value in question.items():
        if header.get(word) != value:
            raise DataError(
                f"the checkpoint belongs to a training with another {word}",
                got=f"{path}: {header.get(word)}",
                expected=str(value),
                fix="give the old settings, or another run directory",
            )
    return models.load(path, lambda _: carry, kind=question["kind"]), header["step"], header["seconds"]
