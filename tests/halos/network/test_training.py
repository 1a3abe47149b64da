"""The training: what decides its numbers, what it keeps, when it ends; and what it never looks at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.halos.network import curves, universe
from tests.halos.network.curves import bits
from triptych.errors import ConvergenceError, DataError
from triptych.halos.network import OptimiserConfig, kl_of, train, training
from triptych.halos.network import examples as room
from triptych.halos.network.network import encode
from triptych.learning import loop
from triptych.runs import Run

SETTLED = 5  # of 10 epochs


@pytest.fixture
def run(tmp_path):
    return Run(path=tmp_path, id="test")


def validations(run):
    return [record for record in run.history() if "validation" in record]


def test_the_curves_are_learnt(ensemble):
    """Far better than the common curve alone."""
    made = curves.examples()
    x, smooth, _ = curves.curves()
    rows = np.concatenate([made.rows["validation"], made.rows["test"]])
    found = ensemble.selected.decode(ensemble.selected.encode(made, rows).mean, 10.0 ** x[rows])
    assert (found - smooth[rows]).std() < 0.7 * (smooth[rows] - smooth.mean(axis=0)).std()


def test_the_same_seed_gives_the_same_bits(ensemble):
    again = train(curves.examples(), curves.settings())
    assert bits(again.networks) == bits(ensemble.networks)
    assert again.loss.tobytes() == ensemble.loss.tobytes()


def test_members_and_seeds_differ(ensemble, monkeypatch):
    one, other = ensemble.networks
    assert not np.allclose(one.ive.decoder.weights[1], other.ive.decoder.weights[1], atol=1e-2)
    assert one.about["member"] == 0 and other.about["member"] == 1
    seen = []
    monkeypatch.setattr(training, "subseed", lambda *words: seen.append(words) or 12)  # no other seed is asked for
    seeded = train(curves.examples(), curves.settings())
    assert [words[0] for words in seen] == [0]
    assert not np.allclose(seeded.networks[0].ive.decoder.weights[1], one.ive.decoder.weights[1], atol=1e-2)


def test_what_it_took(ensemble):
    assert ensemble.passes == curves.TRAINING * curves.EPOCHS
    assert ensemble.seconds > 0
    assert ensemble.selected is ensemble.networks[int(np.argmin(ensemble.loss))]
    assert [one.about["validation_loss"] for one in ensemble.networks] == ensemble.loss.tolist()


def test_the_log_says_what_happened(ensemble, run):
    found = train(curves.examples(), curves.settings(), run=run)
    steps = [record for record in run.history() if record.get("training") == "training"]
    assert [record["step"] for record in steps] == [curves.STEPS * epoch for epoch in range(1, curves.EPOCHS + 1)]
    assert [record["beta"] for record in steps][:3] == [0.0, 0.0, 0.0]
    assert steps[-1]["beta"] == pytest.approx(0.02)
    assert steps[-1]["kl_1"] >= steps[-1]["kl_2"] >= steps[-1]["kl_3"] > 0
    epochs = validations(run)
    assert [(one["epoch"], one["member"]) for one in epochs] == [
        (epoch, member) for epoch in range(SETTLED, 11) for member in (0, 1)
    ]
    for member in (0, 1):
        best = min(one["loss"] for one in epochs if one["member"] == member)
        assert found.loss[member] == pytest.approx(best, rel=1e-6)
    assert sorted(path.name for path in run.path.glob("*.eqx")) == ["training-1.eqx", "training-2.eqx"]
    assert bits(found.networks) == bits(ensemble.networks)


def scripted(losses, kept):
    """A validation that gives these losses [epoch, member] in turn, and keeps the weights it was shown."""

    def validate(task, weights, made, rows, key):
        kept.append(jax.tree.map(np.asarray, weights))
        seen = training.Seen(*(jnp.zeros(2), jnp.zeros(2), jnp.zeros((2, 3)), jnp.zeros(2)))
        return jnp.asarray(losses[len(kept) - 1], jnp.float32), seen

    return validate


def test_the_best_epoch_of_each_member_is_kept_and_not_the_last(monkeypatch):
    losses = [(5.0, 2.0), (3.0, 4.0), (4.0, 1.5), (7.0, 9.0), (3.5, 1.6), (6.0, 3.0)]
    kept = []
    monkeypatch.setattr(training, "validate", scripted(losses, kept))
    found = train(curves.examples(), curves.settings())
    assert len(kept) == len(losses)
    assert found.loss.tolist() == [3.0, 1.5]
    for member, best in enumerate((1, 2)):
        np.testing.assert_array_equal(found.networks[member].ive.decoder.weights[1], kept[best].decoder.weights[1][member])
    assert found.selected is found.networks[1]


def test_it_stops_when_no_member_improves(monkeypatch):
    """The second member improves until the eighth epoch, the first never after the fifth."""
    losses = [(1.0, 4.0), (2.0, 3.0), (2.0, 2.0), (2.0, 1.0), (2.0, 1.0), (2.0, 1.0)]
    kept = []
    monkeypatch.setattr(training, "validate", scripted(losses, kept))
    found = train(curves.examples(), curves.settings(patience=1))
    assert len(kept) == 5  # epochs 5 to 9: in the ninth neither is better
    assert found.passes == 9 * curves.TRAINING
    assert found.loss.tolist() == [1.0, 1.0]


def test_a_training_that_stopped_is_not_trained_again(run, monkeypatch):
    losses = [(1.0, 1.0), (2.0, 2.0)]
    monkeypatch.setattr(training, "validate", scripted(losses, []))
    first = train(curves.examples(), curves.settings(patience=1), run=run)
    monkeypatch.setattr(loop, "_advance", None)
    again = train(curves.examples(), curves.settings(patience=1), run=run)
    assert bits(again.networks) == bits(first.networks)
    assert again.passes == first.passes == 6 * curves.TRAINING


@pytest.mark.parametrize("epoch", [1, 6])
def test_an_interrupt_leaves_no_trace(ensemble, run, monkeypatch, epoch):
    """After the first epoch, and while the best is being sought."""
    advance, calls = loop._advance, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == epoch + 1:
            raise KeyboardInterrupt
        return advance(*arguments)

    monkeypatch.setattr(loop, "_advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(curves.examples(), curves.settings(), run=run)
    monkeypatch.setattr(loop, "_advance", advance)
    found = train(curves.examples(), curves.settings(), run=run)
    assert bits(found.networks) == bits(ensemble.networks)
    assert found.loss.tobytes() == ensemble.loss.tobytes()


@pytest.mark.slow
def test_a_signal_leaves_no_trace(ensemble, run):
    """A process of its own that reads from a slow disk, stopped by SIGTERM."""
    script = subprocess.Popen([sys.executable, "-m", curves.__name__, str(run.path)])
    log, deadline = run.path / "metrics.jsonl", time.monotonic() + 120
    while not (log.exists() and log.read_bytes().count(b"\n") >= 2) and time.monotonic() < deadline:
        assert script.poll() is None
        time.sleep(0.01)
    script.send_signal(signal.SIGTERM)
    assert script.wait(timeout=60) == 130
    assert not list(run.path.glob("*.eqx"))
    found = train(curves.examples(), curves.settings(), run=run)
    assert bits(found.networks) == bits(ensemble.networks)


def test_other_data_do_not_resume(run):
    train(curves.examples(), curves.settings(), run=run)
    with pytest.raises(DataError, match="another identity"):
        train(curves.examples(digest="other"), curves.settings(), run=run)


def test_test_rows_are_never_looked_at(ensemble):
    """Reading them is an error, and their curves are not numbers."""
    made = curves.examples()
    first = made.rows["test"][0]

    def read(rows):
        assert (np.asarray(rows) < first).all()
        return made.read(rows)

    profiles = made.profiles._replace(
        **{
            name: np.where(np.arange(len(array))[:, None] < first, array, np.nan)
            for name, array in made.profiles._asdict().items()
        }
    )
    found = train(replace(made, read=read, profiles=profiles), curves.settings())
    assert bits(found.networks) == bits(ensemble.networks)


def test_validation_rows_choose_and_do_not_teach(run, monkeypatch):
    """Other validation curves: the same weights in each epoch, another choice among them."""
    seen = [[], []]
    validate = training.validate
    made = curves.examples()
    target = np.array(made.profiles.target)
    target[made.rows["validation"]] += 1.0
    for kept, changed in zip(seen, (made, replace(made, profiles=made.profiles._replace(target=target))), strict=True):

        def watched(task, weights, *rest, kept=kept):
            kept.append([np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(weights)])
            return validate(task, weights, *rest)

        monkeypatch.setattr(training, "validate", watched)
        losses = train(changed, curves.settings()).loss
        kept.append(losses.tobytes())
    assert seen[0][:-1] == seen[1][:-1] and seen[0][-1] != seen[1][-1]


def scramble(table, boxes):
    """Other histories, truths and fits."""
    rng = np.random.default_rng(99)
    for name, values in table.items():
        if universe.hidden(name):
            values[:] = (50.0 * rng.random(values.shape)).astype(values.dtype)


@pytest.mark.parametrize("change", [{"change": scramble}, {"leave_out": universe.hidden}], ids=["scrambled", "dropped"])
def test_histories_truths_and_fits_cannot_leak(stems, tmp_path, change):
    found = train(universe.write(tmp_path / "x.zarr", **change), curves.settings("sphere"))
    assert found.networks[0].about["digest"] != stems.networks[0].about["digest"]
    assert bits(found.networks) == bits(stems.networks)


def test_validation_is_the_mean_over_halos(ensemble, monkeypatch):
    """In two pieces as at once; and the rms of curves made with the networks, where posteriors have no width."""
    made, rows = curves.examples(), curves.examples().rows["validation"]
    ives = [no_width(one.ive) for one in ensemble.networks]
    weights = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(training.Weights(ive.encoder, ive.decoder) for ive in ives))
    task = training._Task(config=curves.settings(), input=ives[0].input, scale=ives[0].scale, steps=1, alone=False)
    whole = training.validate(task, weights, made, rows, jax.random.key(1))
    monkeypatch.setattr(room, "PIECE", 12)
    parts = training.validate(task, weights, made, rows, jax.random.key(1))
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    for member, ive in enumerate(ives):
        posterior = encode(ive, made, rows)
        found = np.asarray(ive.log_density(jnp.asarray(posterior.mean, jnp.float32), jnp.asarray(made.profiles.query[rows])))
        off = found - made.profiles.target[rows]
        assert float(whole[1].rms[member]) == pytest.approx(np.sqrt((off**2).mean()), rel=1e-3)
        np.testing.assert_allclose(whole[1].kl[member], kl_of(posterior), rtol=1e-4)
        weight = np.asarray(ive.scale.weights(0.0), float)
        error = (weight * (off / float(ive.scale.spread)) ** 2).mean()
        assert float(whole[1].error[member]) == pytest.approx(error, rel=2e-3)
        assert float(whole[0][member]) == pytest.approx(error + 0.02 * kl_of(posterior).sum(), rel=2e-3)


def no_width(ive):
    """The network with posteriors of sigma = exp(-10)."""
    last = ive.encoder.dense
    return eqx.tree_at(
        lambda one: (one.encoder.dense.weights[-1], one.encoder.dense.biases[-1]),
        ive,
        (last.weights[-1].at[:, 3:].set(0.0), last.biases[-1].at[3:].set(-20.0)),
    )


def test_a_validation_that_is_no_number_ends_the_training(monkeypatch):
    monkeypatch.setattr(training, "validate", scripted([(np.nan, 1.0)], []))
    with pytest.raises(ConvergenceError, match=r"validation halos diverged[\s\S]*nan, 1.0"):
        train(curves.examples(), curves.settings())


def test_too_few_halos_are_refused():
    with pytest.raises(DataError, match="too few halos to train"):
        train(curves.examples(), curves.settings(batch=curves.TRAINING + 1))


def test_weights_decay(ensemble):
    """Without any slope a weight shrinks by the learning rate times its decay."""
    settings = OptimiserConfig(epochs=1, batch=1, learning_rate=0.1, decay=0.5, warmup=0.0)
    task = training._Task(config=curves.settings(optimiser=settings), input=None, scale=None, steps=4, alone=False)
    weights = jnp.asarray([1.0, -2.0])
    changes, _ = task.optimiser().update(jnp.zeros(2), task.optimiser().init(weights), weights)
    np.testing.assert_allclose(changes, -0.1 * 0.5 * weights, rtol=1e-6)


DEVICES = """
import json, jax, numpy as np
from tests.halos.network import curves
from triptych.halos.network import train
made = curves.examples()
found = train(made, curves.settings())
latents = found.selected.encode(made, made.rows["test"]).mean
print(json.dumps({"devices": jax.device_count(), "loss": found.loss.tolist(), "latents": latents.tolist()}))
"""


@pytest.mark.slow
def test_four_devices_give_what_one_gives(ensemble):
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", DEVICES], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["devices"] == 4
    np.testing.assert_allclose(report["loss"], ensemble.loss, rtol=1e-4)
    made = curves.examples()
    np.testing.assert_allclose(report["latents"], ensemble.selected.encode(made, made.rows["test"]).mean, atol=1e-3)
