"""The limit of every sampler of this theory: each step is a fresh, independent configuration.

In: a key for each chain, and the theory's coupling. Out: configurations that forget the last one altogether.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from triptych.errors import ConfigError
from triptych.lattice.action import Wilson
from triptych.lattice.draws import independent
from triptych.lattice.samplers.kernel import Info, State, init
from triptych.lattice.theory import Action


class Independent(eqx.Module):
    """Exact draws, tau = 1: the Wilson action in two dimensions is solved, and no Markov chain can do better.

    It takes no leapfrog steps; the one force evaluation a step is that of the new state.

    Examples
    --------
    >>> state = init(jnp.zeros((2, 4, 4, 3)), Wilson(2.0))
    >>> state, info = Independent().step(jax.random.split(jax.random.key(0), 3), state, Wilson(2.0))
    >>> info.acceptance.tolist()
    [1.0, 1.0, 1.0]
    """

    @property
    def steps(self) -> int:
        """None."""
        return 0

    @property
    def force_evaluations(self) -> int:
        """One, of the new state."""
        return 1

    @property
    def network_evaluations(self) -> int:
        """None."""
        return 0

    def settings(self) -> dict[str, str | int | float]:
        """What an ensemble's attributes hold."""
        return {"sampler": "exact"}

    def step(self, keys: jax.Array, state: State, theory: Action) -> tuple[State, Info]:
        """A new configuration of every chain, whatever the last one was.

        Raises
        ------
        ConfigError
            If the theory is not :class:`triptych.lattice.action.Wilson`: no other is solved here.
        """
        if not isinstance(theory, Wilson):
            raise ConfigError(
                "no exact draws of this theory",
                got=type(theory).__name__,
                expected="Wilson",
                fix="take a Markov chain, such as the sampler 'hmc'",
            )
        _, height, width, chains = state.links.shape
        links = independent(keys, theory.beta, (height, width)).astype(state.links.dtype)
        return init(links, theory), Info(jnp.ones(chains), jnp.ones(chains, bool), jnp.zeros(chains))
