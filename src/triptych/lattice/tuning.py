"""Step sizes for a wanted acceptance.

In: a kind of sampler, a theory (beta, shape), the mean acceptance that is wanted, and a key. Out: the sampler, tuned.

The acceptance is the mean over one trajectory from each of many exact, independent configurations: nothing has to thermalise. All
trials take the same configurations, momenta and uniform numbers, so that their noise does not hide which of two is better.

How fast a chain forgets depends on the length of its trajectories much more than on their steps. So fix the length, and let
:func:`tune_steps` find the fewest steps: the cheapest trajectory of that length. Where the number of steps is given instead (a
comparison at equal price, a tempered trajectory), :func:`tune_step_size` finds the longest step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import jax
from scipy.special import erfcinv

from triptych.errors import ConfigError, ConvergenceError
from triptych.lattice.action import Scalar, Wilson
from triptych.lattice.draws import independent
from triptych.lattice.samplers.kernel import Sampler, State, init
from triptych.lattice.theory import Action, Shape, refuse_impossible

S = TypeVar("S", bound=Sampler)
FIRST_STEPS, MOST_STEPS = 8, 4096
FIRST_STEP_SIZE, LEAST_STEP_SIZE, LARGEST_STEP_SIZE = 0.1, 1e-5, 10.0
FINE = 1.002  # ratio of two step sizes that count as one: 0.001 in the acceptance


def tune_steps(
    build: Callable[..., S], *, length: float, beta: float, shape: Shape, key: jax.Array, target: float = 0.8, draws: int = 1024
) -> S:
    """The sampler with the fewest steps in a trajectory of given length whose mean acceptance reaches a target.

    Costs one compilation and `draws` trajectories a trial, mostly 3 to 5 trials: the next number of steps comes from the law
    acceptance = erfc(c steps^-2) of integrators of second order in large volumes.

    Parameters
    ----------
    build : makes the sampler, called as ``build(steps=..., step_size=...)``: a class such as `HMC` or `Omelyan`.
    length : steps x step size, in units of molecular-dynamics time; 1 is usual.
    beta, shape : coupling and lattice (T, L).
    key : where all random numbers come from; the same key gives the same answer.
    target : mean acceptance that is to be reached, between 0 and 1.
    draws : trajectories of each trial; the acceptance is then known to about 0.3 / sqrt(draws).

    Raises
    ------
    ConfigError
        If there is no such theory, length, target or number of draws.
    ConvergenceError
        If 4096 steps do not reach the target.

    Examples
    --------
    >>> from triptych.lattice.samplers.hmc import HMC
    >>> tune_steps(HMC, length=1.0, beta=2.0, shape=(4, 4), key=jax.random.key(0)).steps
    4
    """
    _refuse_bad_target(target, draws)
    if not (math.isfinite(length) and length > 0):
        raise ConfigError("length is no length of a trajectory", got=length, expected="a finite number > 0", fix="1 is usual")
    trial = _trials(beta, shape, key, draws)
    too_few, enough, steps = 0, MOST_STEPS + 1, FIRST_STEPS
    while enough - too_few > 1:
        acceptance = trial(build(steps=steps, step_size=length / steps))
        if acceptance >= target:
            enough = steps
        else:
            too_few = steps
        change = math.sqrt(erfcinv(acceptance) / erfcinv(target)) if acceptance > 0 else math.inf
        steps = min(max(math.ceil(steps * min(change, 4.0)), too_few + 1), enough - 1)
    if enough > MOST_STEPS:
        raise ConvergenceError(
            f"no number of steps reaches the acceptance {target:g}",
            got=f"{acceptance:.3f} with {MOST_STEPS} steps of {length / MOST_STEPS:.2g}",
            fix="ask for a lower acceptance, or a shorter trajectory",
        )
    return build(steps=enough, step_size=length / enough)


def tune_step_size(
    build: Callable[..., S], *, beta: float, shape: Shape, key: jax.Array, target: float = 0.8, draws: int = 1024
) -> S:
    """The sampler with the longest step, at a given number of them, whose mean acceptance reaches a target.

    Costs one compilation, and about 12 trials of `draws` trajectories: the interval between a step that is accepted often enough
    and one that is not is halved, on a logarithmic scale, down to 0.2 %.

    Parameters
    ----------
    build : makes the sampler, called as ``build(step_size=...)``: such as ``partial(HMC, steps=10)``.
    beta, shape, key, target, draws : as in :func:`tune_steps`.

    Raises
    ------
    ConfigError
        If there is no such theory, target or number of draws.
    ConvergenceError
        If no step size meets the target: all are accepted too seldom, or, where nothing depends on it, all often enough.

    Examples
    --------
    >>> from triptych.lattice.samplers.hmc import HMC
    >>> sampler = tune_step_size(partial(HMC, steps=10), beta=2.0, shape=(4, 4), key=jax.random.key(0))
    >>> 0.2 < sampler.step_size < 0.4
    True
    """
    _refuse_bad_target(target, draws)
    trial = _trials(beta, shape, key, draws)
    short, long = 0.0, math.inf
    step_size = FIRST_STEP_SIZE
    while long > FINE * short:
        acceptance = trial(build(step_size=step_size))
        if acceptance >= target:
            short = step_size
        else:
            long = step_size
        if not LEAST_STEP_SIZE < step_size < LARGEST_STEP_SIZE:
            raise ConvergenceError(
                f"no step size has the acceptance {target:g}",
                got=f"{acceptance:.3f} with steps of {step_size:.2g}",
                fix="ask for another acceptance, or fewer steps",
            )
        step_size = 2 * short if long == math.inf else long / 2 if short == 0 else math.sqrt(short * long)
    return build(step_size=short)


def _trials(beta: float, shape: Shape, key: jax.Array, draws: int) -> Callable[[Sampler], float]:
    """What measures a sampler's mean acceptance, always from the same configurations and with the same random numbers."""
    refuse_impossible(beta, shape)
    keys, state = equilibrium(key, beta, shape=(int(shape[0]), int(shape[1])), draws=draws)
    return lambda sampler: float(_acceptance(sampler, keys, state, Wilson(beta)))


@partial(jax.jit, static_argnames=("shape", "draws"))
def equilibrium(key: jax.Array, beta: Scalar, *, shape: Shape, draws: int) -> tuple[jax.Array, State]:
    """Keys for one trajectory each, and independent configurations to start from."""
    for_links, for_trajectories = jax.random.split(key)
    links = independent(jax.random.split(for_links, draws), beta, shape)
    return jax.random.split(for_trajectories, draws), init(links, Wilson(beta))


@jax.jit
def _acceptance(sampler: Sampler, keys: jax.Array, state: State, theory: Action) -> jax.Array:
    """Mean acceptance of one trajectory from each configuration."""
    return sampler.step(keys, state, theory)[1].acceptance.mean()


def _refuse_bad_target(target: float, draws: int) -> None:
    if not 0 < target < 1:
        raise ConfigError("target is no mean acceptance", got=target, expected="0 < target < 1", fix="0.7 to 0.9 is usual")
    if not (math.isfinite(draws) and int(draws) == draws and draws >= 2):
        raise ConfigError("draws is too small or no whole number", got=draws, expected="a whole number >= 2")
