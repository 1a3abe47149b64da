"""The training of an ensemble.

In: examples and settings. Out: one network for each seed, the best on validation halos, after its latents were put in order.

All seeds see the same batches, so that a box is read once for all. The order of the halos, the draws of the latents and the
first weights come from the seed; an interrupted training ends with the same bits on the same device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConvergenceError
from triptych.halos.dataset import DataSet
from triptych.halos.network.examples import Batch, Examples, of_halos
from triptych.halos.network.inputs import Input
from triptych.halos.network.latents import in_order
from triptych.halos.network.loss import divergence, penalty, sample
from triptych.halos.network.model import IVE, Scale, Weights, build, learn_scale
from triptych.halos.network.network import Network, encode
from triptych.halos.network.settings import NetworkConfig
from triptych.learning import Best, better, replicate, spread
from triptych.learning import train as train_loop
from triptych.learning.schedules import optimiser
from triptych.runs import Run, strong_id, subseed


class Carry(eqx.Module):
    """What a step of the training changes; all with a leading axis of members."""

    weights: Weights
    optimiser: Any
    best: Best[Weights]
    stale: jax.Array  # [member], epochs since the best


class Seen(NamedTuple):
    """The terms of the loss, and what goes with them.

    Attributes
    ----------
    error : weighted mean square error, in units of the scale's spread.
    rms : plain root mean square error in dex.
    kl : [latent], nats, mean over halos.
    penalty : on dependent latents.
    """

    error: jax.Array
    rms: jax.Array
    kl: jax.Array
    penalty: jax.Array


class Ensemble(NamedTuple):
    """What a training leaves.

    Attributes
    ----------
    networks : one for each seed; their latents are in the same order and of the same sign.
    loss : (member,), on validation halos.
    seconds : of all attempts together, with compilation.
    passes : of the encoder in the training of one network.
    """

    networks: list[Network]
    loss: NDArray[np.float64]
    seconds: float
    passes: int

    @property
    def selected(self) -> Network:
        """The network with the smallest loss on validation halos."""
        return self.networks[int(np.argmin(self.loss))]


def train(data: DataSet | Examples, config: NetworkConfig, *, run: Run | None = None, name: str = "training") -> Ensemble:
    """Train an ensemble of interpretable variational encoders, or go on with an interrupted training.

    Training halos teach, validation halos choose (the best epoch of each network, and among the networks), test halos are not
    looked at.

    Parameters
    ----------
    data : a data set of halos, or examples of anything else.
    config : everything else that decides the result.
    run : where checkpoints (``checkpoints/<name>.eqx``), metrics and, at the end, the networks (``<name>-1.eqx``, ...) go.
        Without it nothing is written.
    name : of this training in the run.

    Raises
    ------
    DataError
        If there are too few halos, or the run holds the checkpoint of another training.
    ConvergenceError
        If the training diverges.

    Notes
    -----
    An epoch takes one pass of each member's encoder for each training halo, whatever the number of radii. Memory: the batches of
    a chunk of steps twice, and the intermediate values of one batch; boxes of more than 4 GiB stay on the disk and are read
    ahead.

    Examples
    --------
    >>> from triptych.halos.network import NetworkConfig, OptimiserConfig, active, vectors
    >>> rng = np.random.default_rng(0)
    >>> amplitude = rng.normal(size=(400, 1))
    >>> r = np.tile(np.geomspace(10, 100, 8), (400, 1))
    >>> noisy = amplitude * np.log10(r) + 0.1 * rng.normal(size=r.shape)  # one degree of freedom, in noise
    >>> mock = vectors(noisy, query=np.log10(r), target=noisy, validation=100)
    >>> settings = NetworkConfig(latents=2, members=1, optimiser=OptimiserConfig(epochs=60, batch=50))
    >>> ensemble = train(mock, settings)
    >>> len(active(ensemble.selected.encode(mock, mock.rows["validation"])))
    1
    """
    examples = data if isinstance(data, Examples) else of_halos(data, config.encoder)
    per_epoch = examples.steps(config.optimiser.batch)
    steps = per_epoch * config.optimiser.epochs
    seed = subseed(config.seed, "halos", "train")
    model_key, loop_key, test_key = jax.random.split(jax.random.key(seed % 2**32), 3)  # the same with 64 bits as without
    form = "plain" if examples.stored == "plain" else config.encoder.form
    task = _Task(
        config=config,
        input=examples.input(form),
        scale=learn_scale(examples.training_profiles()),
        steps=steps,
        alone=examples.cubes,
    )
    weights = eqx.filter_vmap(partial(build, config, examples.shape))(jax.random.split(model_key, config.members))
    begin = Carry(
        weights=weights,
        optimiser=jax.vmap(task.optimiser().init)(weights),
        best=Best(weights, jnp.full(config.members, -jnp.inf, jnp.float32)),
        stale=jnp.zeros(config.members, jnp.int32),
    )

    def batches(first: int, end: int) -> Batch:
        made = examples.chunk(first, end, batch=config.optimiser.batch, seed=seed, turn=config.symmetries)
        arrays: Batch = jax.tree.map(jnp.asarray, made)
        return spread(arrays, axis=1)

    def between(carry: Carry, done: int, means: dict[str, float]) -> Carry:  # noqa: ARG001 (what the loop calls)
        if done % per_epoch or done < settled * steps:
            return carry
        loss, seen = validate(task, carry.weights, examples, examples.rows["validation"], test_key)
        if not jnp.isfinite(loss).all():
            raise ConvergenceError(f"{name}: the loss on validation halos diverged", got=loss.tolist(), expected="finite numbers")
        if run is not None:
            for member in range(config.members):
                line = {"validation": name, "epoch": done // per_epoch, "member": member, "loss": float(loss[member])}
                run.log({**line, "rms": float(seen.rms[member]), "kl": sorted(map(float, seen.kl[member]), reverse=True)})
        improved = -loss > carry.best.score
        return Carry(
            weights=carry.weights,
            optimiser=carry.optimiser,
            best=jax.vmap(better)(carry.best, carry.weights, -loss),
            stale=jnp.where(improved, 0, carry.stale + 1).astype(jnp.int32),
        )

    settled = config.loss.settled(config.optimiser.epochs)
    patience = config.optimiser.patience
    trained = train_loop(
        jax.tree_util.Partial(_update, task),  # type: ignore[no-untyped-call]  # a pytree: its arrays are no constants
        replicate(begin),
        steps=steps,
        key=loop_key,
        chunk=examples.together(config.optimiser.batch),
        run=run,
        name=name,
        identity=strong_id("halos-train", config, {"data": examples.digest}),
        batches=batches,
        on_chunk=between,
        ended=(lambda carry: bool((carry.stale >= patience).all())) if patience else None,
    )
    best = trained.carry.best
    models = [task.model(jax.tree.map(lambda leaf, k=k: leaf[k], best.model)) for k in range(config.members)]
    loss = -np.asarray(best.score, np.float64)
    seen = [encode(model, examples, examples.rows["validation"]) for model in models]
    networks = [
        Network(
            ive=model,
            config=config,
            shape=examples.shape,
            about={
                "member": member,
                "digest": examples.digest,
                "data": dict(examples.about),
                "source": examples.source,
                "validation_loss": float(loss[member]),
                "seconds": trained.seconds,
            },
        )
        for member, model in enumerate(in_order(models, seen, int(np.argmin(loss))))
    ]
    if run is not None:
        for network in networks:
            network.save(run.path / f"{name}-{network.about['member'] + 1}.eqx")
    return Ensemble(networks, loss, trained.seconds, int(trained.steps) * config.optimiser.batch)


class _Task(eqx.Module):
    """What all steps have in common."""

    input: Input
    scale: Scale
    config: NetworkConfig = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    alone: bool = eqx.field(static=True)

    def optimiser(self) -> Any:
        settings = self.config.optimiser
        return optimiser(
            settings.learning_rate,
            steps=self.steps,
            warmup=int(settings.warmup * self.steps),
            final=0.01,
            clip=settings.clip,
            decay=settings.decay,
        )

    def model(self, weights: Weights) -> IVE:
        return IVE(self.input, weights.encoder, weights.decoder, self.scale)

    def loss(self, seen: Seen, beta: float | jax.Array) -> jax.Array:
        """What is made small."""
        nats = seen.kl.sum(axis=-1) if self.config.loss.kl == "sum" else seen.kl.mean(axis=-1)
        return seen.error + beta * nats + self.config.loss.strength * seen.penalty

    def look(self, weights: Weights, batch: Batch, key: jax.Array) -> Seen:
        """The terms of the loss of one member, with one draw of the latents of each halo."""
        model = self.model(weights)
        mean, log_variance = model.posterior(batch.stored)
        latents = sample(mean, log_variance, key)
        off = model.residual(latents, batch.query) - self.scale.residual(batch.query, batch.target)
        return Seen(
            error=jnp.mean(self.scale.weights(self.config.loss.tilt) * off**2),
            rms=self.scale.spread * jnp.sqrt(jnp.mean(off**2)),
            kl=divergence(mean, log_variance).mean(axis=0),
            penalty=penalty(self.config.loss.penalty, latents, mean, log_variance),
        )

    def each(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The same for every member: side by side, or one after the other where one fills the machine."""
        if self.alone:
            return jax.lax.map(lambda some: function(*some), arguments)
        return jax.vmap(function)(*arguments)


def _update(task: _Task, carry: Carry, step: jax.Array, key: jax.Array, batch: Batch) -> tuple[Carry, dict[str, jax.Array]]:
    """One step of all members."""
    config, adam = task.config, task.optimiser()
    beta = config.loss.schedule(config.optimiser.epochs)(step / task.steps).astype(jnp.float32)

    def member(weights: Weights, state: Any, key: jax.Array) -> tuple[Weights, Any, Seen, jax.Array]:
        def price(weights: Weights) -> tuple[jax.Array, Seen]:
            seen = task.look(weights, batch, key)
            return task.loss(seen, beta), seen

        (loss, seen), slope = jax.value_and_grad(price, has_aux=True)(weights)
        changes, state = adam.update(slope, state, weights)
        return eqx.apply_updates(weights, changes), state, seen, loss

    keys = jax.random.split(key, config.members)
    weights, state, seen, loss = task.each(member, carry.weights, carry.optimiser, keys)
    kl = -jnp.sort(-seen.kl, axis=1).mean(axis=0)
    metrics = {"loss": loss.mean(), "rms": seen.rms.mean(), "beta": beta}
    metrics |= {f"kl_{place}": kl[place - 1] for place in range(1, config.latents + 1)}
    return Carry(weights, state, carry.best, carry.stale), metrics


def validate(task: _Task, weights: Weights, examples: Examples, rows: NDArray[np.intp], key: jax.Array) -> tuple[jax.Array, Seen]:
    """The loss [member] at the last beta, and its terms, of some halos; the same draws at every call."""
    parts = examples.pieces(rows)
    shares = jnp.asarray([len(part) / len(rows) for part in parts], jnp.float32)
    seen = [_look(task, weights, examples.batch(part), jax.random.fold_in(key, place)) for place, part in enumerate(parts)]
    squares = [one._replace(rms=one.rms**2) for one in seen]
    mean: Seen = jax.tree.map(lambda *terms: jnp.tensordot(shares, jnp.stack(terms), 1), *squares)
    mean = mean._replace(rms=jnp.sqrt(mean.rms))
    last = task.config.loss.schedule(task.config.optimiser.epochs)(1.0).astype(jnp.float32)
    return task.loss(mean, last), mean


@eqx.filter_jit
def _look(task: _Task, weights: Weights, batch: Batch, key: jax.Array) -> Seen:
    keys = jax.random.split(key, task.config.members)
    seen: Seen = task.each(lambda one, key: task.look(one, batch, key), weights, keys)
    return seen
