"""Hamiltonian Monte Carlo, with two integrators of Hamilton's equations.

In: link angles of all chains, momenta, a step size. Out: the end of the trajectory.
"""

from __future__ import annotations

import abc
import math
from numbers import Real

import equinox as eqx
import jax
import jax.numpy as jnp

from triptych.errors import ConfigError
from triptych.lattice.action import Scalar, wrap
from triptych.lattice.samplers.kernel import Info, Phase, State, metropolis
from triptych.lattice.theory import Action

MINIMUM_NORM = 0.1931833275037836  # lambda of Omelyan, Mryglod and Folk, Comput. Phys. Commun. 151 (2003) 272


class Trajectories(eqx.Module):
    """Fresh momenta, a trajectory that keeps phase-space volume, Metropolis (sec. 2.1): abstract, all but the trajectory."""

    @abc.abstractmethod
    def end(self, start: Phase, theory: Action) -> Phase:
        """Where the trajectory leads."""

    @property
    def network_evaluations(self) -> int:
        """None."""
        return 0

    def move(self, start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
        """The trajectory, whose Jacobian determinant is 1."""
        return self.end(start, theory), jnp.zeros(start.links.shape[-1])

    def step(self, keys: jax.Array, state: State, theory: Action) -> tuple[State, Info]:
        """One trajectory of every chain."""
        return metropolis(keys, state, theory, self.move)


class HMC(Trajectories):
    """Fresh momenta, leapfrog, Metropolis (sec. 2.1). Costs one force evaluation a step.

    Attributes
    ----------
    step_size : length of a leapfrog step in units of molecular-dynamics time, > 0; a traced number.
    steps : leapfrog steps in a trajectory, >= 1.

    Raises
    ------
    ConfigError
        If there is no step, or it has no length.

    Examples
    --------
    >>> from triptych.lattice.action import Wilson
    >>> from triptych.lattice.samplers.kernel import init
    >>> state = init(jnp.zeros((2, 4, 4, 3)), Wilson(2.0))
    >>> state, info = HMC(steps=10, step_size=0.1).step(jax.random.split(jax.random.key(0), 3), state, Wilson(2.0))
    >>> bool(info.acceptance.min() > 0.9)
    True
    """

    step_size: Scalar = 0.1
    steps: int = eqx.field(static=True, default=10)

    def __check_init__(self) -> None:
        refuse_no_trajectory(self.steps, self.step_size)

    @property
    def force_evaluations(self) -> int:
        """One a step."""
        return self.steps

    def settings(self) -> dict[str, str | int | float]:
        """What an ensemble's attributes hold."""
        return {"sampler": "hmc", "steps": int(self.steps), "step_size": float(self.step_size)}

    def end(self, start: Phase, theory: Action) -> Phase:
        """Where the trajectory leads."""
        return leapfrog(start, theory, step_size=self.step_size, steps=self.steps)


class Omelyan(Trajectories):
    """HMC with the minimum-norm integrator of second order. Costs two force evaluations a step.

    A step of the same length errs so much less in energy than a leapfrog step that fewer force evaluations do: for an acceptance
    of 0.8 at length 1, on 16 x 16, 8 instead of 11 at beta = 4 and 10 instead of 13 at 7; on 8 x 8, 6 instead of 8 and 8 instead
    of 10. They are the unit of every price: where it is quoted as N tau, N is `force_evaluations`, not `steps`.

    Attributes
    ----------
    step_size : length of a step in units of molecular-dynamics time, > 0; a traced number.
    steps : steps in a trajectory, >= 1.

    Raises
    ------
    ConfigError
        If there is no step, or it has no length.

    Examples
    --------
    >>> from triptych.lattice.action import Wilson
    >>> from triptych.lattice.samplers.kernel import init
    >>> state = init(jnp.zeros((2, 4, 4, 3)), Wilson(2.0))
    >>> state, info = Omelyan(steps=5, step_size=0.2).step(jax.random.split(jax.random.key(0), 3), state, Wilson(2.0))
    >>> bool(info.acceptance.min() > 0.99)
    True
    """

    step_size: Scalar = 0.2
    steps: int = eqx.field(static=True, default=5)

    def __check_init__(self) -> None:
        refuse_no_trajectory(self.steps, self.step_size)

    @property
    def force_evaluations(self) -> int:
        """Two a step."""
        return 2 * self.steps

    def settings(self) -> dict[str, str | int | float]:
        """What an ensemble's attributes hold."""
        return {"sampler": "omelyan", "steps": int(self.steps), "step_size": float(self.step_size)}

    def end(self, start: Phase, theory: Action) -> Phase:
        """Where the trajectory leads."""
        return minimum_norm(start, theory, step_size=self.step_size, steps=self.steps)


def leapfrog(start: Phase, theory: Action, *, step_size: Scalar, steps: int) -> Phase:
    """`steps` leapfrog steps (eq. 10), the adjacent half kicks fused: one force evaluation a step."""
    time = jnp.asarray(step_size, start.links.dtype)

    def drift_and_kick(_: int, now: Phase) -> Phase:
        return kick(drift(now, theory, time), time)

    end: Phase = jax.lax.fori_loop(0, steps, drift_and_kick, kick(start, 0.5 * time))
    return kick(end, -0.5 * time)


def minimum_norm(start: Phase, theory: Action, *, step_size: Scalar, steps: int) -> Phase:
    """`steps` Omelyan steps: kick lambda, drift 1/2, kick 1 - 2 lambda, drift 1/2, kick lambda; adjacent kicks fused."""
    time = jnp.asarray(step_size, start.links.dtype)
    outer = MINIMUM_NORM * time

    def step_and_kick(_: int, now: Phase) -> Phase:
        middle = drift(now, theory, 0.5 * time)
        moved = drift(kick(middle, time - 2 * outer), theory, 0.5 * time)
        return kick(moved, 2 * outer)

    end: Phase = jax.lax.fori_loop(0, steps, step_and_kick, kick(start, outer))
    return kick(end, -outer)


def drift(now: Phase, theory: Action, time: jax.Array) -> Phase:
    """The links after `time` at constant momenta, with their force.

    They are wrapped after every drift, which changes neither the force nor any observable.
    """
    links = wrap(now.links + time * now.momenta)
    return Phase(links, now.momenta, theory.force(links))


def kick(now: Phase, time: jax.Array) -> Phase:
    """The momenta after `time` under a constant force."""
    return now._replace(momenta=now.momenta - time * now.force)


def refuse_no_trajectory(steps: int, step_size: Scalar) -> None:
    """Refuse steps that make no trajectory; a step size that is traced is taken as it is.

    Raises
    ------
    ConfigError
        If `steps` is no whole number >= 1, or `step_size` no finite number > 0.
    """
    if isinstance(steps, bool) or not (math.isfinite(steps) and int(steps) == steps and steps >= 1):
        raise ConfigError("steps is too small or no whole number", got=steps, expected="a whole number >= 1")
    if isinstance(step_size, Real) and not (math.isfinite(step_size) and step_size > 0):
        raise ConfigError("step_size is no length", got=step_size, expected="a finite number > 0", fix="0.1 is usual")
