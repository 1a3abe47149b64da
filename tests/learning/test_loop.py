"""The training loop: the numbers of a loop in NumPy, and the same bits after every interrupt."""

import json
import math
import shutil
import signal
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.learning import training
from tests.learning.test_models import bits_of
from tests.learning.training import CHUNK, KEY, STEPS, run_in
from triptych import interrupts
from triptych.errors import ConfigError, ConvergenceError, DataError
from triptych.learning import Best, better, loop, models, train
from triptych.learning.schedules import optimiser
from triptych.runs import Run, progress


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A training that nothing disturbs, with a checkpoint of each of its chunks."""
    folder = tmp_path_factory.mktemp("reference")
    with jax.enable_x64(True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        kept = models.save
        patch.setattr(models, "save", lambda *args: (kept(*args), shutil.copy(args[0], folder / f"{args[2]['step']}.eqx")))
        return folder, run_in(folder).carry


@pytest.fixture
def same(reference, tmp_path, wide):
    """Whether a training that ended in tmp_path is, bit by bit, the undisturbed one."""
    folder, carry = reference

    def check(trained):
        assert bits_of(trained.carry) == bits_of(carry)
        assert (tmp_path / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
        assert models.read_header(tmp_path / "checkpoints/training.eqx")["step"] == STEPS

    return check


def test_adam_against_numpy(wide):
    """Adam by its formulas, with clipping, warm-up and cosine, on an ill-conditioned quadratic with noise."""
    steps, warmup, rate, final, clip = 60, 7, 0.3, 0.2, 1.5
    curvature = np.array([0.1, 1.0, 20.0])
    adam = optimiser(rate, steps=steps, warmup=warmup, final=final, clip=clip)

    def update(carry, step, key):
        x, state = carry
        slope = curvature * x + jax.random.normal(key, (3,))
        change, state = adam.update(slope, state)
        return (x + change, state), {"loss": (curvature * x**2).sum() / 2}

    x = np.array([3.0, -2.0, 1.0])
    trained = train(update, (x, adam.init(jnp.asarray(x))), steps=steps, key=KEY, chunk=7)
    mean, square = np.zeros(3), np.zeros(3)
    for step in range(steps):
        slope = curvature * x + np.asarray(jax.random.normal(jax.random.fold_in(KEY, step), (3,)))
        slope *= min(1.0, clip / math.sqrt((slope**2).sum()))
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        past = (step - warmup) / (steps - warmup)
        cosine = rate * (final + (1 - final) * (1 + math.cos(math.pi * past)) / 2)
        now = rate * step / warmup if step < warmup else cosine
        x = x - now * (mean / (1 - 0.9 ** (step + 1))) / (np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-8)
    np.testing.assert_allclose(trained.carry[0], x, rtol=1e-12)


def test_metrics_are_means_over_chunks(reference):
    folder, _ = reference
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    ends = [*range(CHUNK, STEPS, CHUNK), STEPS]
    assert [(record["training"], record["step"]) for record in records] == [("training", end) for end in ends]
    firsts = [0, *ends[:-1]]
    assert [record["steps_seen"] for record in records] == [np.arange(a, b).mean() for a, b in zip(firsts, ends, strict=True)]
    assert records[-1]["loss"] < 0.5 * records[0]["loss"]


def test_the_best_model_is_the_one_of_the_best_chunk(reference):
    folder, carry = reference
    losses = {
        (record := json.loads(line))["step"]: record["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()
    }
    best = min(losses, key=losses.__getitem__)
    assert float(carry.best.score) == -losses[best]
    with jax.enable_x64(True):
        there = models.load(folder / f"{best}.eqx", lambda header: training.start(), kind="training")
    assert bits_of(carry.best.model) == bits_of(there.network)


def test_a_score_that_is_no_number_is_not_better():
    best = Best(jnp.zeros(2), jnp.asarray(1.0))
    assert better(best, jnp.ones(2), math.nan).model.tolist() == [0.0, 0.0]
    assert better(best, jnp.ones(2), 1.5).score == 1.5


@pytest.mark.parametrize("chunk", [1, 16, 43])
def test_chunks_do_not_change_the_numbers(reference, wide, chunk):
    trained = train(training.update, training.start(), steps=STEPS, key=KEY, chunk=chunk)
    assert bits_of(trained.carry.network) == bits_of(reference[1].network)
    assert bits_of(trained.carry.chains) == bits_of(reference[1].chains)


@pytest.mark.parametrize("end", range(CHUNK, STEPS + CHUNK, CHUNK))
def test_an_interrupt_at_any_chunk_leaves_no_trace(same, tmp_path, monkeypatch, end):
    """The interrupt comes while the panel looks at the chunk, after its line was logged, or at the sign of progress."""
    end = min(end, STEPS)
    kept = end - CHUNK if end < STEPS else STEPS - STEPS % CHUNK

    def in_between(carry, step, means):
        if step == end:
            raise KeyboardInterrupt
        return training.keep_best(carry, step, means)

    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path, on_chunk=in_between)
    assert models.read_header(tmp_path / "checkpoints/training.eqx")["step"] == kept
    log = Run.log

    def logged(run, record):
        log(run, record)
        if record["step"] == end:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "log", logged)
        with pytest.raises(KeyboardInterrupt):
            run_in(tmp_path)
    assert models.read_header(tmp_path / "checkpoints/training.eqx")["step"] == kept
    advance = progress.Task.advance

    def advanced(task, n=1):
        advance(task, n)
        if task.done == end:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progress.Task, "advance", advanced)
        with pytest.raises(KeyboardInterrupt):
            run_in(tmp_path)
    assert models.read_header(tmp_path / "checkpoints/training.eqx")["step"] == end
    same(run_in(tmp_path))


def test_a_crash_leaves_no_trace(same, reference, tmp_path):
    """A process that was killed: an old checkpoint or none, a log that knows more, and half a line."""
    log = (reference[0] / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    for kept, lines in ((None, 3), (10, 3), (10, 9)):
        for path in (tmp_path / "metrics.jsonl", tmp_path / "checkpoints/training.eqx"):
            path.unlink(missing_ok=True)
        (tmp_path / "metrics.jsonl").write_bytes(b"".join(log[:lines]))
        if kept is not None:
            shutil.copy(reference[0] / f"{kept}.eqx", tmp_path / "checkpoints/training.eqx")
        same(run_in(tmp_path))
    (tmp_path / "checkpoints/training.eqx").unlink()
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(log[:4])[:-7])
    run_in(tmp_path)
    whole = [json.loads(line) for line in log]
    assert Run(path=tmp_path, id="test").history() == whole


def test_a_finished_training_is_not_trained_again(same, reference, tmp_path, monkeypatch):
    trained = run_in(tmp_path)
    monkeypatch.setattr(loop, "_advance", None)
    again = run_in(tmp_path)
    same(again)
    assert again.seconds == models.read_header(tmp_path / "checkpoints/training.eqx")["seconds"] == trained.seconds > 0


@pytest.mark.parametrize(("number", "between"), [(signal.SIGTERM, "1000"), (signal.SIGKILL, "0")])
def test_signals(same, tmp_path, number, between):
    """A process of its own, stopped in the middle by a real signal; SIGTERM without any checkpoint before."""
    script = subprocess.Popen([sys.executable, training.__file__, str(tmp_path), between])
    log, deadline = tmp_path / "metrics.jsonl", time.monotonic() + 60
    while not (log.exists() and log.read_bytes().count(b"\n") >= 3) and time.monotonic() < deadline:
        assert script.poll() is None
        time.sleep(0.02)
    script.send_signal(number)
    assert script.wait(timeout=30) == (-number if number == signal.SIGKILL else 130)
    done = models.read_header(tmp_path / "checkpoints/training.eqx")["step"]
    assert 2 * CHUNK <= done < STEPS
    if number != signal.SIGKILL:
        assert len(log.read_text().splitlines()) >= done / CHUNK
    same(run_in(tmp_path))


def test_a_signal_that_was_swallowed_is_heeded_at_the_next_chunk(same, tmp_path, monkeypatch):
    monkeypatch.setattr(interrupts, "_asked", True)
    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path)
    monkeypatch.setattr(interrupts, "_asked", False)
    same(run_in(tmp_path))


def diverging(x, step, key):
    """Fails in step 13: the loss of that step is the square root of a negative number."""
    return x + 1, {"fine": x, "loss": jnp.sqrt(12.5 - x)}


def test_divergence_names_the_step_and_keeps_the_chunk_before(tmp_path, bits):
    run = Run(path=tmp_path, id="test")
    for _ in range(2):  # a resumed training meets it again
        with pytest.raises(ConvergenceError, match="sums diverged in step 13") as error:
            train(diverging, jnp.zeros(()), steps=20, key=KEY, chunk=5, run=run, name="sums")
        assert error.value.got == "loss nan"
        assert models.load(tmp_path / "checkpoints/sums.eqx", lambda header: jnp.zeros(()), kind="training") == 10
        assert [record["step"] for record in run.history()] == [5, 10]


def test_several_trainings_in_one_run(tmp_path):
    run = Run(path=tmp_path, id="test")

    def count(x, step, key):
        return x + 1, {"x": x}

    for name, steps in (("one", 4), ("two", 2), ("one", 4)):
        assert train(count, jnp.asarray(0), steps=steps, key=KEY, chunk=2, run=run, name=name).carry == steps
    assert [(record["training"], record["step"]) for record in run.history()] == [("one", 2), ("one", 4), ("two", 2)]


def test_a_short_last_chunk_compiles_nothing_anew():
    traced = []

    def count(x, step, key):
        traced.append(step)
        return x + 1, {"x": x}

    train(count, jnp.asarray(0), steps=5, key=KEY, chunk=5)
    once = len(traced)
    assert train(count, jnp.asarray(0), steps=13, key=KEY, chunk=5).carry == 13
    assert len(traced) == once + 1  # to see the form of the metrics


def test_the_step_number_is_exact(wide):
    """A fraction of the training in double precision, for schedules that end at exactly 1."""

    def fraction(_, step, key):
        return (step + 1) / 3, {"t": step / 3}

    assert train(fraction, jnp.asarray(0.0), steps=3, key=KEY).carry == 1
    assert float(train(fraction, jnp.asarray(0.0), steps=1, key=KEY).carry) == 1 / 3


def test_weak_and_foreign_numbers_in_the_carry_resume(tmp_path, wide):
    """What a checkpoint gives back is of a fixed type, so that it must be so from the start."""
    carry = {"weak": jnp.asarray(0.1), "narrow": np.float32([1.0, 2.0]), "word": "constant"}
    assert carry["weak"].weak_type

    def update(carry, step, key):
        narrow = (carry["narrow"] * carry["weak"]).astype(jnp.float32)
        return {"weak": carry["weak"] + 0.7, "narrow": narrow, "word": carry["word"]}, {"x": narrow.sum()}

    def stop(carry, step, means):
        if step == 4:
            raise KeyboardInterrupt
        return carry

    settings = {"steps": 8, "key": KEY, "chunk": 2}
    run = Run(path=tmp_path, id="test")
    with pytest.raises(KeyboardInterrupt):
        train(update, carry, run=run, on_chunk=stop, **settings)
    resumed, whole = train(update, carry, run=run, **settings).carry, train(update, carry, **settings).carry
    assert resumed.pop("word") == whole.pop("word") == "constant"
    assert bits_of(resumed) == bits_of(whole)


@pytest.mark.parametrize("other", [{"steps": STEPS + 1}, {"chunk": CHUNK + 1}, {"key": jax.random.key(6)}])
def test_another_training_is_not_resumed(reference, tmp_path, wide, other):
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(reference[0] / "10.eqx", tmp_path / "checkpoints/training.eqx")
    with pytest.raises(DataError, match=f"another {next(iter(other))}"):
        run_in(tmp_path, **other)


def test_a_damaged_checkpoint_is_refused(reference, tmp_path, wide):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/training.eqx").write_bytes((reference[0] / "10.eqx").read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged"):
        run_in(tmp_path)


@pytest.mark.parametrize(("name", "bad"), [("steps", 0), ("steps", 2.5), ("chunk", 0), ("chunk", math.inf)])
def test_counts_that_are_refused(name, bad):
    with pytest.raises(ConfigError, match=name):
        train(training.update, None, **{"steps": 3, "chunk": 1, "key": KEY, name: bad})


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        (lambda x, step, key: (x, {}), "metrics"),
        (lambda x, step, key: (x, {"x": x}), r"metrics[\s\S]*\['x'\]"),
        (lambda x, step, key: (x, {"step": x[0]}), r"metrics[\s\S]*\['step'\]"),
        (lambda x, step, key: (x[:1], {"x": x[0]}), r"form of the carry[\s\S]*\[1\]"),
        (lambda x, step, key: (x.astype(int), {"x": x[0]}), r"form of the carry[\s\S]*int"),
        (lambda x, step, key: ((x, x), {"x": x[0]}), "form of the carry"),
    ],
)
def test_updates_that_are_refused(update, reason):
    with pytest.raises(ConfigError, match=reason):
        train(update, jnp.zeros(2), steps=3, key=KEY)


def test_metrics_may_be_constants_and_whole_numbers(bits):
    seen = []
    train(
        lambda x, step, key: (x, {"beta": 2.5, "hits": step > 0, "step_number": step}),
        jnp.zeros(1),
        steps=4,
        key=KEY,
        chunk=4,
        on_chunk=lambda carry, step, means: seen.append(means) or carry,
    )
    assert seen == [{"beta": 2.5, "hits": 0.75, "step_number": 1.5}]


def test_progress_shows_the_metrics(capsys, monkeypatch, wide):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    with progress.showing():
        train(diverging, jnp.zeros(()), steps=4, key=KEY, chunk=2, name="beta 4")
    assert "beta 4 fine 2.5 loss 3.161: 4/4" in capsys.readouterr().err


def sums(x, step, key, batch):
    """The carry is a polynomial of all data so far, so that their order counts."""
    return 0.9 * x + batch["a"].sum() + step * batch["b"], {"x": x}


def numbered(first, end):
    """The data of steps: numbers that say which step they belong to."""
    steps = np.arange(first, end, dtype=float)
    return {"a": steps[:, None] * [1.0, 10.0], "b": steps}


def test_each_step_gets_its_own_data(wide):
    x = 0.0
    for step in range(13):
        x = 0.9 * x + 11.0 * step + step * step
    for chunk in (1, 5, 13, 20):
        trained = train(sums, jnp.zeros(()), steps=13, key=KEY, chunk=chunk, batches=numbered)
        assert float(trained.carry) == pytest.approx(x, rel=1e-12)
        assert trained.steps == 13


def test_the_data_of_a_chunk_are_asked_for_once(wide):
    asked = []
    train(sums, jnp.zeros(()), steps=13, key=KEY, chunk=5, batches=lambda *span: asked.append(span) or numbered(*span))
    assert asked[0] == (0, 1)  # for their form
    assert sorted(asked[1:]) == [(0, 5), (5, 10), (10, 13)]


def test_the_next_data_are_read_before_a_chunk_ends(wide):
    """What comes after a chunk waits for a sign of the thread that reads the next data."""
    reading = {first: threading.Event() for first in (0, 5, 10)}

    def batches(first, end):
        reading[first].set()
        return numbered(first, end)

    def on_chunk(carry, step, means):
        assert step == 15 or reading[step].wait(60)
        return carry

    train(sums, jnp.zeros(()), steps=15, key=KEY, chunk=5, batches=batches, on_chunk=on_chunk)


def test_data_that_cannot_be_read_stop_the_training(tmp_path, wide):
    """The reader's error is the training's; nothing hangs."""

    def broken(first, end):
        if first >= 5:
            raise DataError("the disk is gone")
        return numbered(first, end)

    with pytest.raises(DataError, match="the disk is gone"):
        train(sums, jnp.zeros(()), steps=15, key=KEY, chunk=5, batches=broken, run=Run(path=tmp_path, id="test"))


@pytest.mark.parametrize("end", [4, 8, 12])
def test_an_interrupted_training_with_data_leaves_no_trace(tmp_path, wide, end):
    def stop(carry, step, means):
        if step == end:
            raise KeyboardInterrupt
        return carry

    settings = {"steps": 14, "key": KEY, "chunk": 4, "batches": numbered, "run": Run(path=tmp_path, id="test")}
    whole = train(sums, jnp.zeros(()), **{**settings, "run": None})
    with pytest.raises(KeyboardInterrupt):
        train(sums, jnp.zeros(()), on_chunk=stop, **settings)
    resumed = train(sums, jnp.zeros(()), **settings)
    assert bits_of(resumed.carry) == bits_of(whole.carry)
    assert resumed.steps == whole.steps == 14


def test_a_training_ends_where_it_is_told(tmp_path, wide):
    """After the chunk in which the carry reaches 7; what is resumed knows that it had ended."""
    run, updated = Run(path=tmp_path, id="test"), []

    def count(x, step, key):
        return x + 1, {"x": x}

    settings = {"steps": 20, "key": KEY, "chunk": 3, "run": run, "ended": lambda x: float(x) >= 7}
    trained = train(count, jnp.zeros(()), on_chunk=lambda x, step, means: updated.append(step) or x, **settings)
    assert (float(trained.carry), trained.steps, updated) == (9.0, 9, [3, 6, 9])
    assert models.read_header(tmp_path / "checkpoints/training.eqx")["step"] == 9
    again = train(count, jnp.zeros(()), on_chunk=lambda x, step, means: updated.append(step) or x, **settings)
    assert (float(again.carry), again.steps, updated) == (9.0, 9, [3, 6, 9])
    assert again.seconds == trained.seconds


def test_a_training_that_has_not_begun_has_not_ended(wide):
    assert (
        train(lambda x, step, key: (x + 1, {"x": x}), jnp.zeros(()), steps=4, key=KEY, chunk=2, ended=lambda x: True).steps == 2
    )
