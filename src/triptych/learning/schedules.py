"""How a number changes in the course of a training: couplings that rise, penalties that set in, learning rates.

In: a fraction t of the training, from 0 to 1. Out: the number at that time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from triptych.errors import ConfigError

Schedule = Callable[[float | jax.Array], jax.Array]
"""The value at the fraction t of the training (one, or an array of them); before 0 and after 1 it is what it is there."""


def piecewise(knots: Sequence[tuple[float, float]]) -> Schedule:
    """Straight lines between knots (fraction of the training, value), and constant before the first and after the last.

    Parameters
    ----------
    knots : at least two, their fractions in [0, 1] and rising, their values never falling or never rising.

    Returns
    -------
    Schedule
        Takes on the values of the knots exactly.

    Raises
    ------
    ConfigError
        If the knots are not like that, or not finite.

    Examples
    --------
    A penalty that is off for the first 30 % of a training, sets in until 60 %, and stays:

    >>> penalty = piecewise([(0.3, 0.0), (0.6, 1.0)])
    >>> [round(float(penalty(t)), 3) for t in (0.0, 0.45, 0.6, 1.0)]
    [0.0, 0.5, 1.0, 1.0]
    """
    fractions, values = [float(t) for t, _ in knots], [float(value) for _, value in knots]
    rising = all(early < late for early, late in itertools.pairwise(fractions))
    if len(knots) < 2 or not (rising and fractions[0] >= 0 and fractions[-1] <= 1):
        raise ConfigError("the knots are not in order", got=knots, expected="two or more, with rising fractions in [0, 1]")
    if not all(map(math.isfinite, values)) or values not in (sorted(values), sorted(values, reverse=True)):
        raise ConfigError("the schedule is not monotone", got=knots, expected="finite values that never turn back")

    def value(t: float | jax.Array) -> jax.Array:
        times, heights = jnp.asarray(fractions), jnp.asarray(values)
        after = jnp.clip(jnp.searchsorted(times, t, side="right"), 1, len(fractions) - 1)
        weight = jnp.clip((t - times[after - 1]) / (times[after] - times[after - 1]), 0, 1)
        low, high = heights[after - 1], heights[after]
        return jnp.where(weight < 1, low + weight * (high - low), high)

    return value


def linear(first: float, last: float) -> Schedule:
    """A straight line from `first` to `last`.

    Raises
    ------
    ConfigError
        If one of them is not finite.

    Examples
    --------
    The scale of the action in a training (sec. 3.3 of the LeapfrogLayers paper), which ends at exactly 1:

    >>> gamma = linear(0.2, 1.0)
    >>> [round(float(gamma(t)), 3) for t in (0.0, 0.5, 1.0)]
    [0.2, 0.6, 1.0]
    """
    return piecewise([(0.0, first), (1.0, last)])


def exponential(first: float, last: float) -> Schedule:
    """From `first` to `last` by equal factors in equal times.

    Raises
    ------
    ConfigError
        If one of them is not finite and positive.

    Examples
    --------
    >>> gamma = exponential(0.01, 1.0)
    >>> [round(float(gamma(t)), 3) for t in (0.0, 0.5, 1.0)]
    [0.01, 0.1, 1.0]
    """
    if not all(math.isfinite(end) and end > 0 for end in (first, last)):
        raise ConfigError("the ends of an exponential schedule cannot be", got=(first, last), expected="finite numbers > 0")

    def value(t: float | jax.Array) -> jax.Array:
        weight = jnp.clip(t, 0, 1)
        return jnp.asarray(first ** (1 - weight) * last**weight)

    return value


def optimiser(
    learning_rate: float, *, steps: int, warmup: int = 0, final: float = 0.1, clip: float = 1.0, decay: float = 0.0
) -> optax.GradientTransformation:
    """Adam with clipped gradients; the learning rate rises linearly and then falls along half a cosine.

    Parameters
    ----------
    learning_rate : the largest one.
    steps : of the whole training.
    warmup : steps in which the learning rate rises from 0.
    final : the last learning rate as a fraction of the largest.
    clip : longer gradients (Euclidean norm over all parameters) are shortened to this length.
    decay : a step shrinks each parameter by this times the learning rate (decoupled weight decay, I. Loshchilov and F. Hutter,
        arXiv:1711.05101).

    Raises
    ------
    ConfigError
        Naming the first setting that is impossible.

    Examples
    --------
    >>> adam = optimiser(1e-3, steps=1000, warmup=50)
    >>> state = adam.init({"weight": jnp.zeros(3)})
    """
    settings = {
        "learning_rate": (learning_rate, 0 < learning_rate < math.inf, "a finite number > 0"),
        "warmup": (warmup, 0 <= warmup < steps, f"at least 0 and less than the {steps} steps"),
        "final": (final, 0 <= final <= 1, "a fraction in [0, 1]"),
        "clip": (clip, clip > 0, "a length > 0"),
        "decay": (decay, 0 <= decay < math.inf, "a finite number >= 0"),
    }
    for name, (got, possible, expected) in settings.items():
        if not possible:
            raise ConfigError(f"{name} cannot be", got=got, expected=expected)
    first = 0.0 if warmup else learning_rate
    rate = optax.warmup_cosine_decay_schedule(first, learning_rate, warmup, steps, final * learning_rate)

    def rate_at(count: jax.Array) -> jax.Array:
        return jnp.asarray(rate(count.astype(float)))  # Optax counts in 32 bits, and would divide in as many

    adam = optax.adamw(rate_at, weight_decay=decay) if decay else optax.adam(rate_at)  # the former wants to see the parameters
    return optax.chain(optax.clip_by_global_norm(clip), adam)
