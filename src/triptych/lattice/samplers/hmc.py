"""Hamiltonian Monte Carlo for many chains at once, as pure functions.

In: link angles of all chains; a key for each chain and trajectory. Out: the next configurations, and what the trajectories did.

Chains stand on the last axis, [mu, t, x, chain], as in `action`, and no chain sees another. The caller owns the loop, the jit and
the randomness.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from triptych.lattice.action import Scalar, action, force, lattice_sum, wrap


class State(NamedTuple):
    """Where the chains stand; action and force belong to `links` and save their second evaluation."""

    links: jax.Array  # [mu, t, x, chain], angles in [-pi, pi)
    action: jax.Array  # [chain], S(links), eq. 4
    force: jax.Array  # [mu, t, x, chain], dS/dx at links


class Info(NamedTuple):
    """What the trajectories did."""

    acceptance: jax.Array  # [chain], min(1, exp(-delta_h)), eq. 11
    accepted: jax.Array  # [chain], whether the proposal became the next state
    delta_h: jax.Array  # [chain], H(proposal) - H(start), with H = S + v^2 / 2, eq. 7


class Phase(NamedTuple):
    """Points on trajectories."""

    links: jax.Array  # [mu, t, x, chain], angles in [-pi, pi)
    momenta: jax.Array  # [mu, t, x, chain], v, conjugate to links
    force: jax.Array  # [mu, t, x, chain], dS/dx at links


def init(links: jax.Array, *, beta: Scalar) -> State:
    """The state of chains that start at `links` [mu, t, x, chain]: one force evaluation.

    Examples
    --------
    >>> init(jnp.zeros((2, 4, 4, 3)), beta=2.0).action.tolist()
    [0.0, 0.0, 0.0]
    """
    return State(links, action(links, beta), force(links, beta))


def leapfrog(start: Phase, *, beta: Scalar, step_size: Scalar, steps: int) -> Phase:
    """`steps` leapfrog steps (eq. 10), the adjacent half kicks fused: one force evaluation a step.

    The angles are wrapped after every drift, which changes neither the force nor any observable.
    """

    def drift_and_kick(_: int, now: Phase) -> Phase:
        links = wrap(now.links + step_size * now.momenta)
        new_force = force(links, beta)
        return Phase(links, now.momenta - step_size * new_force, new_force)

    half_kicked = start._replace(momenta=start.momenta - 0.5 * step_size * start.force)
    end: Phase = jax.lax.fori_loop(0, steps, drift_and_kick, half_kicked)
    return end._replace(momenta=end.momenta + 0.5 * step_size * end.force)


def step(keys: jax.Array, state: State, *, beta: Scalar, step_size: Scalar, steps: int) -> tuple[State, Info]:
    """One trajectory of every chain: fresh momenta, leapfrog, Metropolis (sec. 2.1). Costs `steps` force evaluations.

    Parameters
    ----------
    keys : [chain], each used up by its chain's trajectory.
    state : from `init`, or from the trajectory before.
    beta, step_size : numbers or traced scalars: changing them compiles nothing anew.
    steps : leapfrog steps.

    Examples
    --------
    >>> state = init(jnp.zeros((2, 4, 4, 3)), beta=2.0)
    >>> state, info = step(jax.random.split(jax.random.key(0), 3), state, beta=2.0, step_size=0.1, steps=10)
    >>> bool(info.acceptance.min() > 0.9)
    True
    """
    momenta, uniform = jax.vmap(partial(_draw, shape=state.links.shape[:-1]), out_axes=-1)(keys)
    end = leapfrog(Phase(state.links, momenta, state.force), beta=beta, step_size=step_size, steps=steps)
    proposal = State(end.links, action(end.links, beta), end.force)

    delta_h = proposal.action - state.action + _kinetic(end.momenta) - _kinetic(momenta)
    acceptance = jnp.exp(-jnp.maximum(delta_h, 0))
    accepted = uniform < acceptance
    following = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), proposal, state)
    return following, Info(acceptance, accepted, delta_h)


def _draw(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """The random numbers of one trajectory of one chain: normal momenta [mu, t, x], and a uniform number in [0, 1).

    All come from one call of the generator, which compiles in a third of the time of two.
    """
    uniform = jax.random.uniform(key, (math.prod(shape) + 1,), minval=jnp.nextafter(-1.0, 0.0), maxval=1.0)
    momenta = math.sqrt(2) * jax.lax.erf_inv(uniform[:-1].reshape(shape))
    return momenta, (uniform[-1] + 1) / 2


def _kinetic(momenta: jax.Array) -> jax.Array:
    """v^2 / 2 of every chain."""
    return lattice_sum((momenta[0] ** 2 + momenta[1] ** 2) / 2)
