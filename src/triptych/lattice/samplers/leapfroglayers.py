"""LeapfrogLayers (sec. 3): leapfrog steps whose updates are scaled and shifted by networks, exactly reversible.

In: points of phase space. Out: where the layers take them, forwards or backwards, and the logarithm of the Jacobian determinant.

One layer kicks v, drifts one half of the links, then the other half, and kicks v again. Each part changes some variables by a
monotone map whose parameters are functions of the others alone; so it has an exact inverse and a diagonal Jacobian. With eps
the step size and s, t, q the networks' outputs,

    kick    v' = v exp(eps s / 2) - eps / 2 (dS/dx exp(eps q) + t)
    drift   x' = C(x, eps s) + eps (v exp(eps q) + t)   for the hidden links, with C the map of the circle in `circle`.

With s = t = q = 0 a layer is a leapfrog step. A trajectory is one of two kinds:

- merged: N_LF layers forwards, v -> -v, the same layers backwards: 2 N_LF leapfrog steps. This F^-1 . flip . F is its own
  inverse, so that no direction is drawn.
- single: N_LF layers in a direction drawn for each chain. Both directions are computed and one is taken, so the price is doubled.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from triptych.errors import ConfigError
from triptych.lattice.action import lattice_sum, wrap
from triptych.lattice.samplers import circle
from triptych.lattice.samplers.kernel import Info, Phase, State, metropolis
from triptych.lattice.samplers.networks import Activation, Dense, Network
from triptych.lattice.theory import Action, Shape

Mode = Literal["merged", "single"]
Watch = Callable[[Phase, jax.Array], Any]


class Layer(eqx.Module):
    """One leapfrog layer, in a stack of layers with a first axis for the layer."""

    log_kick: jax.Array  # logarithm of the step size of the v-updates
    log_drift: jax.Array  # logarithm of the step size of the x-updates
    mask: jax.Array  # [mu, t, x], m: True for the links that are seen in the first x-update and moved in the second


class LeapfrogLayers(eqx.Module):
    """The trainable sampler.

    Attributes
    ----------
    layers : step sizes and masks, with a first axis of N_LF.
    kicks, drifts : the networks of the v- and x-updates, with the same first axis, or one for all layers where `shared`.
    mode : "merged" or "single".
    """

    layers: Layer
    kicks: Network
    drifts: Network
    mode: Mode = eqx.field(static=True, default="merged")
    shared: bool = eqx.field(static=True, default=False)

    @classmethod
    def new(
        cls,
        *,
        shape: Shape,
        layers: int,
        step_size: float,
        heat: float,
        mode: Mode = "merged",
        width: int = 0,
        depth: int = 0,
        activation: Activation = "swish",
        shared: bool = False,
        key: jax.Array,
    ) -> LeapfrogLayers:
        """Layers that begin as a tempered trajectory: each scales v by exp(heat) in all, and does little else.

        Parameters
        ----------
        shape : lattice (T, L).
        layers : N_LF.
        step_size : eps of every layer.
        heat : what a layer adds to the logarithm of v; 0 begins with plain HMC.
        mode : "merged" or "single".
        width, depth, activation : of the dense networks; with a depth of 0 a network has its biases alone.
        shared : one pair of networks for all layers.
        """
        kick_key, drift_key, mask_key = jax.random.split(key, 3)

        def networks(s: float | None, key: jax.Array) -> Network:
            def one(key: jax.Array) -> Network:
                dense = Dense.new(shape=shape, width=width, depth=depth, activation=activation, key=key) if depth else None
                return Network.new(s=s, dense=dense)

            made: Network = one(key) if shared else eqx.filter_vmap(one)(jax.random.split(key, layers))
            return made

        step = jnp.full(layers, math.log(step_size))
        masks = jax.vmap(partial(_half, shape=shape))(jax.random.split(mask_key, layers))
        kick, drift = networks(heat / step_size, kick_key), networks(0.0 if depth else None, drift_key)
        return cls(Layer(step, step, masks), kick, drift, mode, shared)

    @property
    def depth(self) -> int:
        """N_LF, the number of layers."""
        return int(self.layers.log_kick.shape[0])

    @property
    def steps(self) -> int:
        """Leapfrog steps in a trajectory: 2 N_LF where merged, else N_LF."""
        return 2 * self.depth if self.mode == "merged" else self.depth

    @property
    def force_evaluations(self) -> int:
        """One for each layer that is computed."""
        return 2 * self.depth

    @property
    def network_evaluations(self) -> int:
        """Two for v and two for x in each layer that is computed; none for networks that are biases alone."""
        return 0 if self.kicks.dense is None else 8 * self.depth

    def schedule(self) -> LeapfrogLayers:
        """Which leaves are the schedule, step sizes and biases, and which are dense networks: a tree of True and False."""
        everything = jax.tree.map(lambda _: True, self)
        dense: LeapfrogLayers = eqx.tree_at(
            lambda model: (model.kicks.dense, model.drifts.dense), everything, (False, False), is_leaf=lambda leaf: leaf is None
        )
        return dense

    def settings(self) -> dict[str, str | int | float]:
        """What an ensemble's attributes hold; the digest is that of all the model's numbers."""
        digest = hashlib.sha256()
        for leaf in jax.tree.leaves(eqx.filter(self, eqx.is_array)):
            digest.update(np.asarray(leaf).tobytes())
        return {"sampler": "leapfroglayers", "mode": self.mode, "layers": self.depth, "digest": digest.hexdigest()}

    def step(self, keys: jax.Array, state: State, theory: Action) -> tuple[State, Info]:
        """One trajectory of every chain."""
        if self.mode == "merged":
            return metropolis(keys, state, theory, self.merged)
        direction_keys, move_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        forwards = jax.vmap(jax.random.bernoulli)(direction_keys)

        def either(start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
            there, back = self.forward(start, theory), self.backward(start, theory)
            chosen: tuple[Phase, jax.Array] = jax.tree.map(partial(jnp.where, forwards), there, back)
            return chosen

        return metropolis(move_keys, state, theory, either)

    def move(self, start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
        """The merged trajectory, or in mode "single" the forward one."""
        return self.merged(start, theory) if self.mode == "merged" else self.forward(start, theory)

    def merged(self, start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
        """Forwards, v -> -v, backwards."""
        middle, up = self.forward(start, theory)
        end, down = self.backward(middle._replace(momenta=-middle.momenta), theory)
        return end, up + down

    def forward(self, start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
        """All layers in order, and log |J| [chain]."""
        return self._run(start, theory, backwards=False)[0]

    def backward(self, start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
        """The inverse of :meth:`forward`."""
        return self._run(start, theory, backwards=True)[0]

    def path(self, start: Phase, theory: Action, watch: Watch) -> Any:
        """What watch(phase, log |J| so far) gives at the start and behind each layer of :meth:`move`, stacked."""
        begin = jnp.zeros(start.links.shape[-1], start.links.dtype)
        (middle, up), seen = self._run(start, theory, backwards=False, watch=watch)
        parts = [jax.tree.map(lambda first: first[None], watch(start, begin)), seen]
        if self.mode == "merged":
            flipped = middle._replace(momenta=-middle.momenta)
            _, back = self._run(flipped, theory, backwards=True, watch=lambda now, down: watch(now, up + down))
            parts.append(jax.tree.map(lambda values: values[::-1], back))
        return jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *parts)

    def _run(
        self, start: Phase, theory: Action, *, backwards: bool, watch: Watch | None = None
    ) -> tuple[tuple[Phase, jax.Array], Any]:
        """All layers, in either order; what is watched is stacked in the order of the layers."""
        if self.layers.mask.shape[1:] != start.links.shape[:-1]:
            raise ConfigError(
                "the layers belong to another lattice",
                got=f"links {start.links.shape[:-1]}",
                expected=f"{self.layers.mask.shape[1:]}, as the masks",
            )
        numbers, rest = eqx.partition(self, eqx.is_inexact_array)
        model = eqx.combine(jax.tree.map(lambda leaf: leaf.astype(start.links.dtype), numbers), rest)
        stacked = (model.layers, None) if self.shared else (model.layers, (model.kicks, model.drifts))

        @jax.checkpoint  # a derivative computes the layers again rather than keep all that they made
        def apply(carry: tuple[Phase, jax.Array], one: Any) -> tuple[tuple[Phase, jax.Array], Any]:
            now, log_jacobian = carry
            settings, networks = one
            kick, drift = (model.kicks, model.drifts) if networks is None else networks
            now, change = _layer(settings, kick, drift, now, theory, backwards=backwards)
            carry = now, log_jacobian + change
            return carry, None if watch is None else watch(*carry)

        begin = start, jnp.zeros(start.links.shape[-1], start.links.dtype)
        result: tuple[tuple[Phase, jax.Array], Any] = jax.lax.scan(apply, begin, stacked, reverse=backwards)
        return result


def _layer(
    layer: Layer, kick: Network, drift: Network, now: Phase, theory: Action, *, backwards: bool
) -> tuple[Phase, jax.Array]:
    """One layer, or its inverse, and log |J| [chain]."""
    step_v, step_x = jnp.exp(layer.log_kick), jnp.exp(layer.log_drift)
    mask = layer.mask[..., None]
    kicked, drifted = (_kick_back, _drift_back) if backwards else (_kick, _drift)
    seen_first, seen_second = (~mask, mask) if backwards else (mask, ~mask)
    momenta, first = kicked(kick, now.links, now.force, now.momenta, step_v)
    links, second = drifted(drift, now.links, momenta, seen_first, step_x)
    links, third = drifted(drift, links, momenta, seen_second, step_x)
    force = theory.force(links)
    momenta, fourth = kicked(kick, links, force, momenta, step_v)
    return Phase(links, momenta, force), first + second + third + fourth


def _kick(
    network: Network, links: jax.Array, force: jax.Array, momenta: jax.Array, step: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The v-update, and log |J| [chain]."""
    log_scale, impulse = _impulse(network, links, force, step)
    return momenta * jnp.exp(log_scale) - impulse, _total(log_scale)


def _kick_back(
    network: Network, links: jax.Array, force: jax.Array, momenta: jax.Array, step: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The inverse of the v-update at the same links."""
    log_scale, impulse = _impulse(network, links, force, step)
    return (momenta + impulse) * jnp.exp(-log_scale), -_total(log_scale)


def _impulse(network: Network, links: jax.Array, force: jax.Array, step: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What a v-update scales the momenta by, and then takes off them; both are functions of the links alone."""
    s, t, q = network(links, jnp.ones((), bool), force)
    assert s is not None
    return jnp.broadcast_to(step * s / 2, links.shape), step / 2 * (force * jnp.exp(step * q) + t)


def _drift(
    network: Network, links: jax.Array, momenta: jax.Array, seen: jax.Array, step: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The x-update of the links where `seen` [mu, t, x, 1] is False, and log |J| [chain]."""
    log_scale, shift = _shift(network, links, momenta, seen, step)
    if log_scale is None:
        return jnp.where(seen, links, wrap(links + shift)), jnp.zeros(links.shape[-1], links.dtype)
    moved = wrap(circle.scale(links, log_scale) + shift)
    return jnp.where(seen, links, moved), _total(jnp.where(seen, 0, circle.log_slope(links, log_scale)))


def _drift_back(
    network: Network, links: jax.Array, momenta: jax.Array, seen: jax.Array, step: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The inverse of the x-update at the same momenta and seen links."""
    log_scale, shift = _shift(network, links, momenta, seen, step)
    back = wrap(links - shift)
    if log_scale is None:
        return jnp.where(seen, links, back), jnp.zeros(links.shape[-1], links.dtype)
    moved = wrap(circle.scale(back, -log_scale))
    return jnp.where(seen, links, moved), _total(jnp.where(seen, 0, circle.log_slope(back, -log_scale)))


def _shift(
    network: Network, links: jax.Array, momenta: jax.Array, seen: jax.Array, step: jax.Array
) -> tuple[jax.Array | None, jax.Array]:
    """What an x-update stretches the circle by, and then adds; both are functions of the momenta and the seen links alone."""
    s, t, q = network(links, seen, momenta)
    return None if s is None else step * s, step * (momenta * jnp.exp(step * q) + t)


def _half(key: jax.Array, *, shape: Shape) -> jax.Array:
    """A mask [mu, t, x] that is True for a random half of the links."""
    size = 2 * math.prod(shape)
    return jax.random.permutation(key, jnp.arange(size) < size // 2).reshape(2, *shape)


def _total(values: jax.Array) -> jax.Array:
    """The sum over all links [chain]."""
    return lattice_sum(values[0] + values[1])
