"""A small training with all that a real one carries, for the tests of the loop; run as a script it trains slowly."""

import sys
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from triptych import interrupts
from triptych.learning import Best, better, loop, train
from triptych.learning.schedules import optimiser
from triptych.runs import Run

STEPS, CHUNK = 43, 5
KEY = jax.random.key(5)
ADAM = optimiser(0.05, steps=STEPS, warmup=4)


class Carry(eqx.Module):
    network: eqx.nn.MLP
    adam: optax.OptState
    chains: jax.Array  # [chain], Markov chains beside the parameters
    best: Best


def start():
    network = eqx.nn.MLP(2, "scalar", 8, 1, key=jax.random.key(3))
    adam = ADAM.init(eqx.filter(network, eqx.is_array))
    return Carry(network, adam, jnp.zeros(16), Best(network, jnp.asarray(-jnp.inf)))


def update(carry, step, key):
    chains = 0.9 * carry.chains + jax.random.normal(jax.random.fold_in(key, 0), (16,))
    points = jax.random.normal(jax.random.fold_in(key, 1), (32, 2))

    def loss(network):
        return ((jax.vmap(network)(points) - jnp.sin(points.sum(1)) - 0.01 * chains.mean()) ** 2).mean()

    value, slope = eqx.filter_value_and_grad(loss)(carry.network)
    change, adam = ADAM.update(slope, carry.adam)
    network = eqx.apply_updates(carry.network, change)
    return Carry(network, adam, chains, carry.best), {"loss": value, "steps_seen": step}


def keep_best(carry, step, means):
    return eqx.tree_at(lambda it: it.best, carry, better(carry.best, carry.network, -means["loss"]))


def run_in(folder, on_chunk=keep_best, **settings):
    run = Run(path=Path(folder), id="test")
    return train(update, start(), **{"steps": STEPS, "key": KEY, "chunk": CHUNK, "run": run, "on_chunk": on_chunk, **settings})


def slowly(carry, step, means):
    time.sleep(0.2)
    return keep_best(carry, step, means)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    loop.SECONDS_BETWEEN_CHECKPOINTS = float(sys.argv[2])
    interrupts.install()
    try:
        run_in(sys.argv[1], on_chunk=slowly)
    except KeyboardInterrupt:
        sys.exit(130)
