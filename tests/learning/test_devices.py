"""Several devices, simulated on the processor, in processes of their own."""

import json
import os
import socket
import subprocess
import sys

import jax.numpy as jnp
import pytest

from triptych.learning import replicate, spread

SCRIPT = """
import json, sys, tempfile
from pathlib import Path
import jax
jax.config.update("jax_enable_x64", True)
rank, port = (int(argument) for argument in sys.argv[1:])
if port:
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, rank)
import jax.numpy as jnp, numpy as np
from triptych.learning import replicate, spread, train
from triptych.runs import Run

def trajectory(state, number):
    links, keys, beta = state
    draw = lambda key: jax.random.normal(jax.random.fold_in(key, number), (2, 3))
    links = links - 0.1 * beta * jnp.sin(links) + 0.3 * jax.vmap(draw, out_axes=-1)(keys)
    return (links, keys, beta), jnp.cos(links)[0, 0]

sample = jax.jit(lambda state: jax.lax.scan(trajectory, state, jnp.arange(20)))
start = (jnp.full((2, 3, 8), 0.5), jax.random.split(jax.random.key(1), 8), jnp.asarray(2.0))
on_one, seen_on_one = sample(start)
state = spread(start)
on_all, seen_on_all = sample(state)
mine = lambda array: [np.asarray(part.data).tobytes().hex() for part in array.addressable_shards]
theirs = lambda array, like: [np.asarray(array)[part.index].tobytes().hex() for part in like.addressable_shards]
report = {
    "devices": jax.device_count(),
    "links": [str(part.index[-1]) for part in on_all[0].addressable_shards],
    "same": mine(on_all[0]) == theirs(on_one[0], on_all[0]) and mine(seen_on_all) == theirs(seen_on_one, seen_on_all),
    "keys": len(state[1].sharding.device_set),
    "number": len(state[2].sharding.device_set),
    "odd": len(spread(jnp.zeros((2, 6)))
               .sharding.device_set),
    "first": str(spread(jnp.zeros((8, 3)), axis=0).sharding.spec),
    "no such axis": len(spread(jnp.zeros(8), axis=-2).sharding.device_set),
    "replicated": [part.data.tolist() for part in replicate({"w": jnp.arange(3), "f": jnp.sin})["w"].addressable_shards],
}
if not port:
    update = lambda carry, step, key: ((carry[0] - 0.01 * carry[1].mean() + jax.random.normal(key), 0.9 * carry[1] + carry[0]),
                                       {"x": carry[0]})
    def stop(carry, step, means):
        if step == 6:
            raise KeyboardInterrupt
        return carry
    carry, run = (replicate(jnp.asarray(1.0)), spread(jnp.arange(8.0))), Run(path=Path(tempfile.mkdtemp()), id="test")
    settings = dict(steps=10, chunk=2, key=jax.random.key(2))
    whole = train(update, carry, **settings).carry
    try:
        train(update, carry, run=run, on_chunk=stop, **settings)
    except KeyboardInterrupt:
        resumed = train(update, carry, run=run, **settings).carry
        report["resumed"] = [mine(array) for array in resumed] == [mine(array) for array in whole]
        report["resumed on"] = [len(array.sharding.device_set) for array in resumed]
print(json.dumps(report))
"""


def processes(count, devices):
    """The reports of `count` connected processes with `devices` each."""
    port = 0
    if count > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    running = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(rank), str(port)], env=environment, stdout=subprocess.PIPE, text=True)
        for rank in range(count)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * count
    return [json.loads(output.splitlines()[-1]) for output in outputs]


@pytest.fixture(scope="module")
def four():
    return processes(1, devices=4)[0]


def test_chains_on_four_devices_are_those_on_one(four):
    assert four["devices"] == four["keys"] == 4
    assert four["links"] == [f"slice({first}, {first + 2}, None)" for first in (0, 2, 4, 6)]
    assert four["same"]


def test_what_cannot_be_shared_evenly_stays(four):
    assert (four["number"], four["odd"], four["no such axis"]) == (1, 1, 1)
    assert four["first"] == "P('device', None)"
    assert four["replicated"] == [[0, 1, 2]] * 4


def test_a_training_resumes_on_the_devices_that_it_had(four):
    assert four["resumed"]
    assert four["resumed on"] == [4, 4]


@pytest.mark.slow
def test_two_processes_share_the_chains():
    one, other = processes(2, devices=2)
    assert one["devices"] == other["devices"] == 4
    assert one["same"] and other["same"]
    assert one["links"] + other["links"] == [f"slice({first}, {first + 2}, None)" for first in (0, 2, 4, 6)]


def test_one_device_changes_nothing():
    tree = {"links": jnp.zeros((2, 4)), "name": "cold"}
    assert spread(tree) is tree and replicate(tree) is tree
