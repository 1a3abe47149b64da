"""What all samplers share: the state of the chains, and the Metropolis test.

In: link angles of all chains; a key for each chain and trajectory. Out: the next configurations, and what the trajectories did.

Chains stand on the last axis, [mu, t, x, chain], as in `action`, and no chain sees another. A sampler is `init(links, theory) ->
State` and `sampler.step(keys, state, theory) -> (state, info)`; the caller owns the loop, the jit and the randomness.

Angles, momenta and forces follow the links, float64 or float32; energies are in float64 in both cases, those of the rounded
angles and momenta. What is left of the rounding is that a reversed trajectory in float32 misses its start: by 1e-6 an angle at
length 1 (HMC, Omelyan), and by 2e-4 where it is tempered over a length of 3, which is more chaotic; H is off by 1e-5 and 2e-4. No
bias has been seen: float32 plaquettes on 16 x 16 are off the exact ones by 5(4)e-5 at beta = 2 and by -4(4)e-5 at 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from triptych.lattice.action import lattice_sum
from triptych.lattice.theory import Action


class State(NamedTuple):
    """Where the chains stand; action and force belong to `links` and save their second evaluation."""

    links: jax.Array  # [mu, t, x, chain], angles in [-pi, pi)
    action: jax.Array  # [chain], S(links), eq. 4
    force: jax.Array  # [mu, t, x, chain], dS/dx at links


class Info(NamedTuple):
    """What the trajectories did."""

    acceptance: jax.Array  # [chain], min(1, exp(-delta_h)), eq. 16
    accepted: jax.Array  # [chain], whether the proposal became the next state
    delta_h: jax.Array  # [chain], H(proposal) - H(start) - log |Jacobian|, with H = S + v^2 / 2, eq. 7


class Phase(NamedTuple):
    """Points on trajectories."""

    links: jax.Array  # [mu, t, x, chain], angles in [-pi, pi)
    momenta: jax.Array  # [mu, t, x, chain], v, conjugate to links
    force: jax.Array  # [mu, t, x, chain], dS/dx at links


Move = Callable[[Phase, Action], tuple[Phase, jax.Array]]
"""A map of phase space and the logarithm [chain] of its Jacobian determinant.

The map, or the map followed by a flip of v, must be its own inverse; or its inverse must be drawn as often as the map itself.
"""


class Sampler(Protocol):
    """One way to the next configuration: a pytree, so that its numbers are traced and changing them compiles nothing anew."""

    @property
    def steps(self) -> int:
        """Leapfrog steps in a trajectory: the N of the price N tau."""

    @property
    def force_evaluations(self) -> int:
        """Force evaluations of one chain in a trajectory."""

    @property
    def network_evaluations(self) -> int:
        """Network evaluations of one chain in a trajectory."""

    def settings(self) -> dict[str, str | int | float]:
        """The name under "sampler", and what else tells this sampler from others: what an ensemble's attributes hold."""

    def step(self, keys: jax.Array, state: State, theory: Action) -> tuple[State, Info]:
        """One trajectory of every chain; `keys` [chain] are used up."""


def init(links: jax.Array, theory: Action) -> State:
    """The state of chains that start at `links` [mu, t, x, chain]: one force evaluation.

    Examples
    --------
    >>> from triptych.lattice.action import Wilson
    >>> init(jnp.zeros((2, 4, 4, 3)), Wilson(2.0)).action.tolist()
    [0.0, 0.0, 0.0]
    """
    return State(links, theory.energy(links), theory.force(links))


def propose(state: State, momenta: jax.Array, theory: Action, move: Move) -> tuple[State, jax.Array]:
    """Where a move takes the chains, and delta_h [chain] of it: minus the logarithm of the ratio in eq. 16."""
    end, log_jacobian = move(Phase(state.links, momenta, state.force), theory)
    proposal = State(end.links, theory.energy(end.links), end.force)
    return proposal, proposal.action - state.action + kinetic(end.momenta) - kinetic(momenta) - log_jacobian


def metropolis(keys: jax.Array, state: State, theory: Action, move: Move) -> tuple[State, Info]:
    """Fresh momenta, a move, and the test of eqs. 11 and 16."""
    momenta, uniform = draw(keys, state.links)
    proposal, delta_h = propose(state, momenta, theory, move)
    following, accepted = accept(state, proposal, delta_h, uniform)
    return following, Info(acceptance(delta_h), accepted, delta_h)


def acceptance(delta_h: jax.Array) -> jax.Array:
    """min(1, exp(-delta_h)), eq. 16."""
    return jnp.exp(-jnp.maximum(delta_h, 0))


def accept(state: State, proposal: State, delta_h: jax.Array, uniform: jax.Array) -> tuple[State, jax.Array]:
    """The proposal where uniform [chain] in [0, 1) lies below the acceptance, else the old state; and where that was."""
    accepted = uniform < acceptance(delta_h)
    return jax.tree.map(lambda new, old: jnp.where(accepted, new, old), proposal, state), accepted


def draw(keys: jax.Array, links: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The random numbers of one trajectory: normal momenta like `links`, and a uniform number in [0, 1) [chain]."""
    return jax.vmap(partial(_draw, shape=links.shape[:-1], dtype=links.dtype), out_axes=-1)(keys)


def _draw(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype) -> tuple[jax.Array, jax.Array]:
    """The random numbers of one chain.

    All come from one call of the generator, which compiles in a third of the time of two.
    """
    least = jnp.nextafter(jnp.asarray(-1, dtype), 0)  # at -1 itself a momentum would be infinite
    uniform = jax.random.uniform(key, (math.prod(shape) + 1,), dtype, minval=least, maxval=1)
    momenta = math.sqrt(2) * jax.lax.erf_inv(uniform[:-1].reshape(shape))
    return momenta, (uniform[-1] + 1) / 2


def kinetic(momenta: jax.Array) -> jax.Array:
    """v^2 / 2 of every chain, in float64."""
    along_t, along_x = momenta.astype(float)
    return lattice_sum((along_t**2 + along_x**2) / 2)
