"""The speed of the HMC core against vectorised NumPy: same lattice, chains and leapfrog steps, side by side in one run.

In: nothing. Out: link updates per second of both, and their ratio, on stdout.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from triptych.lattice import action, hmc

SHAPE, BETA, STEP_SIZE, STEPS, ROUNDS = (16, 16), 4.0, 0.1, 20, 7
Floats = NDArray[np.float64]


def numpy_force(links: Floats) -> Floats:
    """dS/dx of links [mu, t, x, chain]."""
    angles = links[0] + np.roll(links[1], -1, axis=0) - np.roll(links[0], -1, axis=1) - links[1]
    sines = BETA * np.sin(angles)
    return np.stack([sines - np.roll(sines, 1, axis=1), np.roll(sines, 1, axis=0) - sines])


def numpy_leapfrog(links: Floats, momenta: Floats) -> Floats:
    """The links after one trajectory, half kicks fused, angles not wrapped (which favours NumPy)."""
    momenta = momenta - STEP_SIZE / 2 * numpy_force(links)
    for step in range(STEPS):
        links = links + STEP_SIZE * momenta
        momenta -= STEP_SIZE * (0.5 if step == STEPS - 1 else 1) * numpy_force(links)
    return links


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest of a few rounds."""
    ticks = [time.perf_counter()]
    for _ in range(ROUNDS):
        work()
        ticks.append(time.perf_counter())
    return min(later - earlier for earlier, later in pairwise(ticks))


def main() -> None:
    leapfrog = jax.jit(partial(hmc.leapfrog, beta=BETA, step_size=STEP_SIZE, steps=STEPS))
    print(
        f"{SHAPE[0]} x {SHAPE[1]}, {STEPS} leapfrog steps, float64, {jax.devices()[0].device_kind}; million link updates a second"
    )
    print(f"{'chains':>8} {'triptych':>10} {'NumPy':>10} {'ratio':>8}")
    for chains in (16, 128, 512):
        rng = np.random.default_rng(1)
        links, momenta = rng.uniform(-np.pi, np.pi, (2, *SHAPE, chains)), rng.normal(size=(2, *SHAPE, chains))
        start = hmc.Phase(jnp.asarray(links), jnp.asarray(momenta), action.force(jnp.asarray(links), BETA))
        difference = leapfrog(start).links - numpy_leapfrog(links, momenta)
        assert float(jnp.abs(action.wrap(difference)).max()) < 1e-9, "the two trajectories differ"
        ours = best_seconds(lambda start=start: jax.block_until_ready(leapfrog(start)))  # type: ignore[misc, no-untyped-call]
        theirs = best_seconds(lambda links=links, momenta=momenta: numpy_leapfrog(links, momenta))  # type: ignore[misc]
        updates = links.size * STEPS / 1e6
        print(f"{chains:8d} {updates / ours:10.0f} {updates / theirs:10.0f} {theirs / ours:8.1f}")


if __name__ == "__main__":
    main()
