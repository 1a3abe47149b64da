"""The speed of the HMC core, one leapfrog trajectory of many chains, against plain JAX and against NumPy, side by side.

In: nothing. Out: link updates per second of all three, and their ratios, in float32 and float64, on stdout.

Plain JAX is what one writes first: the public order [chain, mu, t, x], `jnp.sin`, `jnp.roll`, all of it under `jit`. NumPy has
the chains last, as we do, which is its faster order. Neither wraps its angles, which saves them work. In every round each of the
three runs once, and the best round counts: a busy machine slows all of them. NumPy takes one core, JAX as many as it likes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from triptych.lattice.action import Wilson
from triptych.lattice.samplers.hmc import leapfrog
from triptych.lattice.samplers.kernel import Phase

BETA, STEP_SIZE, STEPS, ROUNDS = 4.0, 0.1, 20, 25
AGREES = {"float32": 1e-3, "float64": 1e-10}  # how far the trajectories may part by rounding
Floats = NDArray[np.floating]


def numpy_force(links: Floats) -> Floats:
    """dS/dx of links [mu, t, x, chain]."""
    angles = links[0] + np.roll(links[1], -1, axis=0) - np.roll(links[0], -1, axis=1) - links[1]
    sines = links.dtype.type(BETA) * np.sin(angles)
    return np.stack([sines - np.roll(sines, 1, axis=1), np.roll(sines, 1, axis=0) - sines])


def numpy_leapfrog(links: Floats, momenta: Floats) -> Floats:
    """The links [mu, t, x, chain] after one trajectory, half kicks fused."""
    step_size = links.dtype.type(STEP_SIZE)
    momenta = momenta - step_size / 2 * numpy_force(links)
    for step in range(STEPS):
        links = links + step_size * momenta
        momenta -= step_size * links.dtype.type(0.5 if step == STEPS - 1 else 1) * numpy_force(links)
    return links


def plain_force(links: jax.Array) -> jax.Array:
    """dS/dx of links [chain, mu, t, x]."""
    angles = links[:, 0] + jnp.roll(links[:, 1], -1, axis=1) - jnp.roll(links[:, 0], -1, axis=2) - links[:, 1]
    sines = BETA * jnp.sin(angles)
    return jnp.stack([sines - jnp.roll(sines, 1, axis=2), jnp.roll(sines, 1, axis=1) - sines], axis=1)


@jax.jit
def plain_leapfrog(links: jax.Array, momenta: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Links and momenta [chain, mu, t, x] after one trajectory, half kicks fused."""

    def drift_and_kick(_: int, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        links = now[0] + STEP_SIZE * now[1]
        return links, now[1] - STEP_SIZE * plain_force(links)

    half_kicked = momenta - STEP_SIZE / 2 * plain_force(links)
    links, momenta = jax.lax.fori_loop(0, STEPS, drift_and_kick, (links, half_kicked))
    return links, momenta + STEP_SIZE / 2 * plain_force(links)


@jax.jit
def our_leapfrog(start: Phase, theory: Wilson) -> Phase:
    """The end of the trajectory from [mu, t, x, chain]."""
    return leapfrog(start, theory, step_size=STEP_SIZE, steps=STEPS)


def best_seconds(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The shortest of a few rounds of each."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            began = time.perf_counter()
            jax.block_until_ready(work())  # type: ignore[no-untyped-call]
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def compare(side: int, chains: int, dtype: DTypeLike) -> dict[str, float]:
    """Million link updates a second of all three, whose trajectories agree."""
    rng = np.random.default_rng(1)
    links = rng.uniform(-np.pi, np.pi, (2, side, side, chains)).astype(dtype)
    momenta = rng.normal(size=links.shape).astype(dtype)
    theory = Wilson(BETA)
    start = Phase(jnp.asarray(links), jnp.asarray(momenta), theory.force(jnp.asarray(links)))
    public = [jnp.asarray(np.ascontiguousarray(np.moveaxis(array, -1, 0))) for array in (links, momenta)]
    ends = [np.asarray(our_leapfrog(start, theory).links), np.moveaxis(np.asarray(plain_leapfrog(*public)[0]), 0, -1)]
    for end in ends:
        apart = np.angle(np.exp(1j * (end.astype(float) - numpy_leapfrog(links, momenta).astype(float))))
        assert end.dtype == links.dtype and np.abs(apart).max() < AGREES[links.dtype.name], "the trajectories differ"
    seconds = best_seconds(
        {
            "triptych": lambda: our_leapfrog(start, theory),
            "plain JAX": lambda: plain_leapfrog(*public),
            "NumPy": lambda: numpy_leapfrog(links, momenta),
        }
    )
    return {name: links.size * STEPS / 1e6 / spent for name, spent in seconds.items()}


def main() -> None:
    print(f"{STEPS} leapfrog steps, {jax.devices()[0].device_kind}; million link updates a second")
    print(f"{'':9}{'lattice':>9}{'chains':>8}{'triptych':>10}{'plain JAX':>11}{'NumPy':>8}{'over JAX':>10}{'over NumPy':>12}")
    for dtype in ("float32", "float64"):
        for side in (8, 16):
            for chains in (16, 128, 512):
                ours, plain, numpy = compare(side, chains, dtype).values()
                print(
                    f"{dtype:9}{f'{side} x {side}':>9}{chains:8d}{ours:10.0f}{plain:11.0f}{numpy:8.0f}"
                    f"{ours / plain:10.1f}{ours / numpy:12.1f}"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
