"""Another sampler, helped over the barriers between topological sectors by an instanton.

In: a sampler, and what it takes. Out: its next configurations, each after one attempt at adding a charge of +1 or -1.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from triptych.lattice.action import TWO_PI, wrap
from triptych.lattice.samplers.hmc import HMC
from triptych.lattice.samplers.kernel import Info, Sampler, State, accept, init
from triptych.lattice.theory import Action, Shape


class Instanton(eqx.Module):
    """A step of `sampler`, then a hit: the instanton or its mirror image is added, with equal probability, and tested (eq. 11).

    Both hits are as probable as their inverses, so that the test keeps the sampler exact. It is passed with a probability of
    nearly 1 - P(Q_Z = 0), which is the most that it could be: 0.2 at beta = 7 on 8 x 8, 0.6 on 16 x 16. What `step` reports is
    the trajectory of `sampler`, without the hit.

    Attributes
    ----------
    sampler : moves within the sectors.

    Examples
    --------
    >>> from triptych.lattice.action import Wilson, charge
    >>> state = init(jnp.zeros((2, 8, 8, 100)), Wilson(7.0))
    >>> state, info = jax.jit(Instanton(HMC()).step)(jax.random.split(jax.random.key(0), 100), state, Wilson(7.0))
    >>> sorted(set(charge(state.links).tolist()))
    [-1, 0, 1]
    """

    sampler: Sampler = HMC()

    @property
    def steps(self) -> int:
        """Those of the sampler."""
        return self.sampler.steps

    @property
    def force_evaluations(self) -> int:
        """Those of the sampler, and one where the hit leads."""
        return self.sampler.force_evaluations + 1

    @property
    def network_evaluations(self) -> int:
        """Those of the sampler."""
        return self.sampler.network_evaluations

    def settings(self) -> dict[str, str | int | float]:
        """What an ensemble's attributes hold: those of the sampler, which is named under "inner"."""
        inner = self.sampler.settings()
        return {**inner, "sampler": "instanton", "inner": inner["sampler"]}

    def step(self, keys: jax.Array, state: State, theory: Action) -> tuple[State, Info]:
        """One trajectory of every chain, and one hit."""
        for_trajectory, for_hit = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        moved, info = self.sampler.step(for_trajectory, state, theory)
        following, _ = hit(for_hit, moved, theory)
        return following, info


def hit(keys: jax.Array, state: State, theory: Action) -> tuple[State, jax.Array]:
    """The Metropolis test of adding an instanton of charge +1 or -1, and where [chain] it was passed: one force evaluation."""
    uniform = jax.vmap(lambda key: jax.random.uniform(key, (2,)), out_axes=-1)(keys)
    _, height, width, _ = state.links.shape
    added = jnp.where(uniform[0] < 0.5, -1, 1) * instanton((height, width))[..., None]
    proposal = init(wrap(state.links + added.astype(state.links.dtype)), theory)
    return accept(state, proposal, proposal.action - state.action, uniform[1])


def instanton(shape: Shape) -> np.ndarray:
    """Links [mu, t, x] with Q_Z = 1, spread evenly: x_P = 2 pi / V everywhere.

    Examples
    --------
    >>> from triptych.lattice.action import charge
    >>> int(charge(jnp.asarray(instanton((8, 6)))))
    1
    """
    height, width = shape
    links = np.zeros((2, height, width))
    links[1] = TWO_PI * np.arange(height)[:, None] / math.prod(shape)
    links[0, -1] = -TWO_PI * np.arange(width) / width
    return links
