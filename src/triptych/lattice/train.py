"""Trains LeapfrogLayers along a rising coupling, and keeps a model at each coupling on the way (secs. 3.2 and 3.3).

In: a lattice, the couplings, the layers, and how to train. Out: a model for each coupling, in memory or as files of a run
directory.

The coupling rises from one stop to the next in `ramp` steps and stays there for `hold` steps: the action scaled by gamma_t of
sec. 3.3, with plateaus. Of a hold, the model of the highest tunnelling reward is kept.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from triptych.errors import ConfigError
from triptych.lattice import model as files
from triptych.lattice.action import Wilson
from triptych.lattice.draws import independent
from triptych.lattice.model import LayersConfig
from triptych.lattice.rewards import Loss, gradient, metrics, proposals
from triptych.lattice.samplers.kernel import draw, init
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers
from triptych.lattice.theory import refuse_impossible
from triptych.learning import Best, better, spread
from triptych.learning import train as train_loop
from triptych.learning.schedules import Schedule, exponential, piecewise
from triptych.runs import Run, strong_id, subseed

CHUNK = 10  # steps between two lines of metrics
TESTS = 8  # trajectories of every chain from which a model's reward is estimated
SLOWEST = 0.1  # last learning rate of a hold, as a fraction of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Train LeapfrogLayers at one coupling after the other."""

    shape: tuple[int, int] = field(default=(8, 8), metadata={"help": "sites in the two directions, T,L"})
    couplings: tuple[float, ...] = field(
        default=(2.0, 3.0, 4.0, 5.0, 6.0, 7.0), metadata={"help": "inverse couplings at which a model is kept, rising"}
    )
    annealing: Literal["linear", "exponential", "custom"] = field(
        default="linear",
        metadata={"help": "how the coupling rises to the next: by equal differences, equal factors, or as `path` says"},
    )
    path: tuple[float, ...] = field(
        default=(),
        metadata={"help": "custom annealing: fractions of the way to the next coupling after equal parts of the ramp, 0 to 1"},
    )
    ramp: int = field(default=50, metadata={"help": "steps from one coupling to the next"})
    hold: int = field(default=200, metadata={"help": "steps at each coupling"})
    chains: int = field(default=1024, metadata={"help": "chains in a step"})
    samples: Literal["exact", "chains"] = field(
        default="chains",
        metadata={"help": "where trajectories begin: chains that the model itself moves, or fresh exact draws"},
    )
    loss: Loss = field(default="tunnelling", metadata={"help": "A dQ_Z^2, or the paper's A dQ_R^2 (eq. 15), plain or mixed"})
    perturbation: float = field(default=0.05, metadata={"help": "how far the tunnelling loss moves the model to see its slope"})
    learning_rate: float = field(default=0.02, metadata={"help": "of step sizes and biases"})
    weights_learning_rate: float = field(default=1e-3, metadata={"help": "of the weights of dense networks"})
    clip: float = field(default=1.0, metadata={"help": "longest gradient"})
    seed: int = field(default=0, metadata={"help": "seed of all random numbers"})
    layers: LayersConfig = field(default_factory=LayersConfig)

    def __post_init__(self) -> None:
        for beta in self.couplings:
            refuse_impossible(beta, self.shape)
        if not self.couplings or list(self.couplings) != sorted(set(self.couplings)):
            raise ConfigError("the couplings do not rise", got=self.couplings, expected="one or more, each above the last")
        if self.annealing == "exponential" and self.couplings[0] == 0:
            raise ConfigError("no factor leads away from beta = 0", got=self.couplings, fix="give annealing = 'linear'")
        if (self.annealing == "custom") != bool(self.path):
            raise ConfigError("path belongs to custom annealing", got=f"annealing {self.annealing!r}, path {self.path}")
        if self.path and (len(self.path) < 2 or list(self.path) != sorted(self.path) or (self.path[0], self.path[-1]) != (0, 1)):
            raise ConfigError("path is no way to the next coupling", got=self.path, expected="numbers that rise from 0 to 1")
        for name, least in {"ramp": 0, "hold": CHUNK}.items():
            if getattr(self, name) < least or getattr(self, name) % CHUNK:
                raise ConfigError(f"{name} cannot be", got=getattr(self, name), expected=f"a multiple of {CHUNK}, >= {least}")
        if self.chains < 2:
            raise ConfigError("chains is too small", got=self.chains, expected=">= 2")
        for name in ("perturbation", "learning_rate", "weights_learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} cannot be", got=getattr(self, name), expected="a finite number > 0")

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return len(self.couplings) * self.hold + (len(self.couplings) - 1) * self.ramp

    @property
    def stage(self) -> int:
        """Steps from one stop to the next."""
        return self.ramp + self.hold

    def beta(self, step: jax.Array) -> jax.Array:
        """The coupling of a step: gamma_t of sec. 3.3 times the last coupling."""
        number = jnp.minimum(step // self.stage, len(self.couplings) - 1)
        way = (step - number * self.stage - self.hold) / max(self.ramp, 1)
        ramps = [self._ramp(before, after)(way) for before, after in pairwise(self.couplings)]
        return jnp.stack([*ramps, jnp.asarray(self.couplings[-1])])[number]

    def _ramp(self, before: float, after: float) -> Schedule:
        """The way from one stop to the next, from 0 to 1."""
        if self.annealing == "exponential":
            return exponential(before, after)
        path = self.path or (0.0, 1.0)
        return piecewise([(k / (len(path) - 1), before + part * (after - before)) for k, part in enumerate(path)])

    def pace(self, step: jax.Array) -> jax.Array:
        """The learning rate of a step as a fraction of the largest: it falls in each hold and is back at 1 for the next."""
        place = jnp.minimum(step % self.stage, self.hold) / self.hold
        return SLOWEST + (1 - SLOWEST) * (1 + jnp.cos(math.pi * place)) / 2

    def held(self, done: int) -> tuple[int, bool] | None:
        """After `done` steps: the number of the stop whose hold has just gone on, and whether it has ended; None in a ramp."""
        number, place = divmod(done - 1, self.stage)
        return (number, place == self.hold - 1) if place < self.hold else None


class Carry(eqx.Module):
    """What a step of the training changes."""

    model: LeapfrogLayers
    optimiser: Any
    links: jax.Array  # [mu, t, x, chain], where the next trajectories begin
    best: Best[LeapfrogLayers]  # of this hold


def train(config: TrainConfig, *, run: Run | None = None) -> dict[float, LeapfrogLayers]:
    """Train, or go on with an interrupted training.

    Parameters
    ----------
    config : everything that decides the result.
    run : where the checkpoints, the metrics (`metrics.jsonl`) and the models (`model-beta-5.eqx`) go. Without it nothing is
        written, and an interrupted training is lost.

    Returns
    -------
    The model of each coupling.

    Raises
    ------
    ConvergenceError
        If the training diverges.
    DataError
        If the run holds the checkpoint of another training.

    Notes
    -----
    A step costs chains x N trajectories of the model, where N is 2 with the tunnelling loss (3 with dense networks, one of them
    with its derivative), 1 with its derivative with the others, and one more where the model moves the chains. Memory grows as
    chains x T L, with derivatives also as the number of layers.

    Examples
    --------
    >>> layers = LayersConfig(number=2)
    >>> models = train(TrainConfig(shape=(4, 4), couplings=(1.0, 2.0), ramp=10, hold=10, chains=64, layers=layers))
    >>> sorted(models)
    [1.0, 2.0]
    """
    key = jax.random.key(subseed(config.seed, "lattice", "train"))
    model_key, start_key, test_key, loop_key = jax.random.split(key, 4)
    model = config.layers.build(config.shape, key=model_key)
    optimiser = _optimiser(config, model)
    first = config.couplings[0]
    links = spread(jax.jit(independent, static_argnums=2)(jax.random.split(start_key, config.chains), first, config.shape))
    begin = Carry(model, optimiser.init(eqx.filter(model, eqx.is_inexact_array)), links, _none_yet(model))
    kept: dict[float, LeapfrogLayers] = {}

    def between(carry: Carry, done: int, means: dict[str, float]) -> Carry:  # noqa: ARG001 (what the loop calls)
        where = config.held(done)
        if where is None:
            return carry
        beta, ended = config.couplings[where[0]], where[1]
        test = jax.random.fold_in(test_key, done)
        best = better(carry.best, carry.model, _worth(carry.model, Wilson(beta), carry.links, test)["tunnelling_reward"])
        if ended:
            kept[beta] = best.model
            if run is not None:
                worth = _worth(best.model, Wilson(beta), carry.links, jax.random.fold_in(test_key, config.steps + done))
                training = _price(config, model, beta) | {name: float(mean) for name, mean in worth.items()}
                path = run.path / "checkpoints" / files.name_of(beta)
                files.save(path, best.model, config.layers, beta=beta, shape=config.shape, training=training)
            best = _none_yet(model)
        return Carry(carry.model, carry.optimiser, carry.links, best)

    trained = train_loop(
        partial(_update, config, optimiser),
        begin,
        steps=config.steps,
        key=loop_key,
        chunk=CHUNK,
        run=run,
        identity=strong_id("lattice-train", config, {}),
        on_chunk=between,
    )
    if run is None:
        return kept
    for beta in config.couplings:
        path = run.path / "checkpoints" / files.name_of(beta)
        kept[beta], training = files.load(path, beta, config.shape), files.training(path, beta)
        training["seconds"] = trained.seconds * training["steps"] / config.steps
        files.save(run.path / path.name, kept[beta], config.layers, beta=beta, shape=config.shape, training=training)
    return kept


def _update(
    config: TrainConfig, optimiser: optax.GradientTransformation, carry: Carry, step: jax.Array, key: jax.Array
) -> tuple[Carry, dict[str, jax.Array]]:
    """One training step (sec. 3.2.1)."""
    start_key, momenta_key, noise_key, move_key = jax.random.split(key, 4)
    theory, model = Wilson(config.beta(step)), carry.model
    if config.samples == "exact":
        links = independent(jax.random.split(start_key, config.chains), theory.beta, config.shape)
    else:
        links = carry.links
    state = init(links, theory)
    momenta, _ = draw(jax.random.split(momenta_key, config.chains), links)
    perturbation = config.perturbation * jnp.sqrt(config.pace(step))
    slope, seen = gradient(model, state, momenta, theory, loss=config.loss, perturbation=perturbation, key=noise_key)
    numbers = eqx.filter(model, eqx.is_inexact_array)
    changes, memory = optimiser.update(slope, carry.optimiser, numbers)
    if config.samples == "chains":
        links = model.step(jax.random.split(move_key, config.chains), state, theory)[0].links
    seen |= {
        "beta": jnp.asarray(theory.beta),
        "gradient": optax.tree.norm(slope),
        "kick": jnp.exp(model.layers.log_kick).mean(),
        "drift": jnp.exp(model.layers.log_drift).mean(),
    }
    return Carry(eqx.apply_updates(model, changes), memory, links, carry.best), seen


def _optimiser(config: TrainConfig, model: LeapfrogLayers) -> optax.GradientTransformation:
    """Adam with clipped gradients, and one learning rate for the schedule and another for the weights; both fall in each hold."""

    def adam(rate: float) -> optax.GradientTransformation:
        return optax.adam(lambda count: rate * config.pace(count.astype(float)))  # Optax counts in 32 bits

    numbers = eqx.filter(model, eqx.is_inexact_array)
    schedule, weights = eqx.partition(numbers, model.schedule())
    labels = eqx.combine(jax.tree.map(lambda _: "schedule", schedule), jax.tree.map(lambda _: "weights", weights))
    rates = {"schedule": adam(config.learning_rate), "weights": adam(config.weights_learning_rate)}
    return optax.chain(optax.clip_by_global_norm(config.clip), optax.partition(rates, labels))


@eqx.filter_jit
def _worth(model: LeapfrogLayers, theory: Wilson, links: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
    """The metrics of trajectories that begin at `links`."""
    state = init(links, theory)

    def once(key: jax.Array) -> dict[str, jax.Array]:
        momenta, _ = draw(jax.random.split(key, links.shape[-1]), links)
        return metrics(proposals(model, state, momenta, theory))

    means: dict[str, jax.Array] = jax.tree.map(jnp.mean, jax.lax.map(once, jax.random.split(key, TESTS)))
    return means


def _none_yet(model: LeapfrogLayers) -> Best[LeapfrogLayers]:
    return Best(model, jnp.asarray(-jnp.inf))


def _price(config: TrainConfig, model: LeapfrogLayers, beta: float) -> dict[str, Any]:
    """Steps and force evaluations up to the end of a hold, and the configuration; seconds come when the training has ended.

    A trajectory with its derivative is counted as one, which makes it too cheap by the computation of the derivative.
    """
    number = config.couplings.index(beta)
    steps = number * config.stage + config.hold
    proposed = (3 if config.layers.network == "dense" else 2) if config.loss == "tunnelling" else 1
    tested = TESTS * (number + 1) * config.hold // CHUNK
    moved = steps if config.samples == "chains" else 0
    evaluations = config.chains * ((proposed * steps + tested) * model.steps + moved * model.force_evaluations)
    return {"steps": steps, "force_evaluations": evaluations, "config": asdict(config)}
