"""The networks of a LeapfrogLayer: what they see, and the s, t and q that they give (eqs. 12 to 14).

In: links [mu, t, x, chain] of which a mask may hide some, and a field like them (the momenta, or the force). Out: s, t and q,
like the links or broadcast to them. Links enter as cos and sin alone, so that every network is 2 pi periodic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from triptych.lattice.action import sine
from triptych.lattice.theory import Shape

Activation = Literal["relu", "leaky_relu", "swish", "tanh"]
ACTIVATIONS: dict[Activation, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "swish": jax.nn.swish,
    "tanh": jnp.tanh,
}
SMALL = 1e-2  # scale of the heads' first weights: a new network does little more than its biases


class Outputs(NamedTuple):
    """s, t and q of eq. 14, each broadcast against links [mu, t, x, chain]."""

    s: jax.Array | None  # logarithm of a scale; None where nothing is scaled, which saves the circle map
    t: jax.Array  # a shift
    q: jax.Array  # logarithm of the factor of the force, or of the momenta


class Dense(eqx.Module):
    """The weights of eqs. 12 to 14: dense layers on cos x, sin x and a field of a fixed lattice, and the three heads.

    A chain costs O(T L width + depth width^2) operations; there are as many parameters.
    """

    of_links: eqx.nn.Linear
    of_field: eqx.nn.Linear
    hidden: list[eqx.nn.Linear]
    heads: list[eqx.nn.Linear]
    activation: Activation = eqx.field(static=True)

    @classmethod
    def new(cls, *, shape: Shape, width: int, depth: int, activation: Activation, key: jax.Array) -> Dense:
        """`depth` hidden layers of `width` units on a lattice of `shape`, with heads that begin small."""
        links = 2 * math.prod(shape)
        keys = jax.random.split(key, depth + 4)
        heads = [eqx.nn.Linear(width, links, use_bias=False, key=key) for key in keys[:3]]
        return cls(
            of_links=eqx.nn.Linear(2 * links, width, key=keys[3]),
            of_field=eqx.nn.Linear(links, width, use_bias=False, key=keys[4]),
            hidden=[eqx.nn.Linear(width, width, key=key) for key in keys[5:]],
            heads=[eqx.tree_at(lambda head: head.weight, head, SMALL * head.weight) for head in heads],
            activation=activation,
        )

    def __call__(self, links: jax.Array, visible: jax.Array, field: jax.Array) -> list[jax.Array]:
        """w_s h, w_t h and w_q h, each like the links."""
        sigma = ACTIVATIONS[self.activation]
        seen = jnp.concatenate([jnp.where(visible, sine(links + math.pi / 2), 0), jnp.where(visible, sine(links), 0)])
        h = sigma(_linear(self.of_links, seen) + _linear(self.of_field, field))
        for layer in self.hidden:
            h = sigma(_linear(layer, h))
        return [_linear(head, h).reshape(links.shape) for head in self.heads]


class Network(eqx.Module):
    """s = lambda_s tanh(w_s h + b_s), t = w_t h + b_t, q = lambda_q tanh(w_q h + b_q), eq. 14.

    The biases are one number for all links, as the symmetry of the lattice suggests. Without `dense` they are all there is:
    layers of such networks are a learned schedule of heating and step sizes.

    Attributes
    ----------
    s, t, q : b_s, b_t and b_q; b_s is None where nothing is to be scaled.
    log_lambda_s, log_lambda_q : logarithms of the bounds of s and q.
    dense : the weights, or None.
    """

    s: jax.Array | None
    t: jax.Array
    q: jax.Array
    log_lambda_s: jax.Array | None
    log_lambda_q: jax.Array
    dense: Dense | None

    @classmethod
    def new(cls, *, s: float | None, dense: Dense | None) -> Network:
        """A network whose biases give `s`, t = 0 and q = 0."""
        zero = jnp.zeros(())
        if s is None:
            return cls(None, zero, zero, None, zero, dense)
        bound = max(1.0, 2 * abs(s))
        return cls(jnp.asarray(math.atanh(s / bound)), zero, zero, jnp.asarray(math.log(bound)), zero, dense)

    def __call__(self, links: jax.Array, visible: jax.Array, field: jax.Array) -> Outputs:
        """The outputs; links where `visible` is False have no part in them."""
        hs, ht, hq = (0.0, 0.0, 0.0) if self.dense is None else self.dense(links, visible, field)
        s = None if self.s is None or self.log_lambda_s is None else jnp.exp(self.log_lambda_s) * jnp.tanh(hs + self.s)
        return Outputs(s, ht + self.t, jnp.exp(self.log_lambda_q) * jnp.tanh(hq + self.q))


def _linear(layer: eqx.nn.Linear, values: jax.Array) -> jax.Array:
    """The layer on values [..., chain], all axes but the last taken as one."""
    out = layer.weight @ values.reshape(-1, values.shape[-1])
    return out if layer.bias is None else out + layer.bias[:, None]
