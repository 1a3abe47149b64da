"""What a sampler is trained for, and the gradient of it.

In: a model, and chains at the beginning of a trajectory. Out: the gradient of a loss for every number of the model, and what
the proposals were worth.

The paper's reward is A (Q_R* - Q_R)^2 (eq. 15), differentiated along the trajectory. Q_R also moves inside a sector, and at
large beta almost all of this reward comes from there, where raising the acceptance raises it: such a training forgets how to
tunnel. A (Q_Z* - Q_Z)^2 has no such part, but its derivative along a trajectory is zero almost everywhere. What changes the
number of tunnelling trajectories is seen by changing the model instead: each chain runs the same trajectory with numbers theta
+ sigma e and theta - sigma e, e normal, and

    d/dtheta E[R] = E[(R(theta + sigma e) - R(theta - sigma e)) e] / (2 sigma) + O(sigma^2)

(evolution strategies: Rechenberg; Salimans et al., arXiv:1703.03864). This serves the few numbers of the schedule, which are
step sizes and biases. The weights of dense networks are too many for it; they follow the derivative of A alone, with (Q_Z* -
Q_Z)^2 as a fixed weight.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp

from triptych.lattice.action import Scalar, charge, real_charge
from triptych.lattice.samplers.kernel import Phase, State, acceptance, propose
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers
from triptych.lattice.theory import Action

Loss = Literal["tunnelling", "charge", "mixed"]
MIXED_WEIGHT, MIXED_FLOOR = 0.01, 1e-4  # of the authors' mixed loss
RAREST = 1e-3  # reward below which gradients of the tunnelling loss are no longer scaled up


class Mover(Protocol):
    """A sampler with a trajectory that can be looked at before it is tested."""

    def move(self, start: Phase, theory: Action) -> tuple[Phase, jax.Array]:
        """The trajectory, and log |J| [chain]."""


class Proposals(NamedTuple):
    """What a model proposes, each [chain]."""

    acceptance: jax.Array  # A, eq. 16
    charge_change: jax.Array  # Q_Z* - Q_Z
    real_charge_change: jax.Array  # Q_R* - Q_R


def proposals(model: Mover, state: State, momenta: jax.Array, theory: Action) -> Proposals:
    """One trajectory of every chain, forwards where directions are drawn: by symmetry the backward ones are worth as much."""
    proposed, delta_h = propose(state, momenta, theory, model.move)
    return Proposals(
        acceptance(delta_h),
        charge(proposed.links) - charge(state.links),
        real_charge(proposed.links) - real_charge(state.links),
    )


def metrics(seen: Proposals) -> dict[str, jax.Array]:
    """Means over the chains: A, E[A dQ_R^2] (eq. 15), E[A dQ_Z^2] and the tunnelling rate E[A |dQ_Z|] (eq. 6)."""
    return {
        "acceptance": seen.acceptance.mean(),
        "charge_reward": (seen.acceptance * seen.real_charge_change**2).mean(),
        "tunnelling_reward": (seen.acceptance * seen.charge_change**2).mean(),
        "tunnelling_rate": (seen.acceptance * abs(seen.charge_change)).mean(),
    }


def gradient(
    model: LeapfrogLayers,
    state: State,
    momenta: jax.Array,
    theory: Action,
    *,
    loss: Loss,
    perturbation: Scalar,
    key: jax.Array,
) -> tuple[LeapfrogLayers, dict[str, jax.Array]]:
    """The gradient of the loss, and the metrics of the proposals.

    Parameters
    ----------
    model : the sampler.
    state, momenta : where the chains begin.
    loss : "tunnelling" for -log E[A dQ_Z^2], "charge" for -E[A dQ_R^2] (eq. 15), "mixed" for the mean of w / l - l / w with
        l = A dQ_R^2 + 1e-4 and w = 0.01.
    perturbation : sigma of the tunnelling loss, the same for all numbers of the schedule.

    Returns
    -------
    The gradient, with None where the model has no trainable number, and the metrics.
    """
    trainable, fixed = eqx.partition(model, eqx.is_inexact_array)
    if loss != "tunnelling":

        def value(numbers: LeapfrogLayers) -> tuple[jax.Array, Proposals]:
            seen = proposals(eqx.combine(numbers, fixed), state, momenta, theory)
            return _charge_loss(seen, loss), seen

        slope, seen = jax.grad(value, has_aux=True)(trainable)
        return slope, metrics(seen)

    schedule, weights = eqx.partition(trainable, model.schedule())
    slope, seen = _by_perturbation(eqx.combine(fixed, weights), schedule, state, momenta, theory, perturbation, key)
    if jax.tree.leaves(weights):
        slope = eqx.combine(slope, jax.grad(_weighted_loss)(weights, eqx.combine(fixed, schedule), state, momenta, theory))
    return slope, seen


def _charge_loss(seen: Proposals, loss: Loss) -> jax.Array:
    reward = seen.acceptance * seen.real_charge_change**2
    if loss == "charge":
        return -reward.mean()
    ratio = (reward + MIXED_FLOOR) / MIXED_WEIGHT
    return (1 / ratio - ratio).mean()


def _weighted_loss(weights: LeapfrogLayers, rest: LeapfrogLayers, state: State, momenta: jax.Array, theory: Action) -> jax.Array:
    """-log of the reward, in which only the acceptance can be differentiated."""
    return -jnp.log(RAREST + metrics(proposals(eqx.combine(weights, rest), state, momenta, theory))["tunnelling_reward"])


def _by_perturbation(
    rest: LeapfrogLayers,
    schedule: LeapfrogLayers,
    state: State,
    momenta: jax.Array,
    theory: Action,
    perturbation: Scalar,
    key: jax.Array,
) -> tuple[LeapfrogLayers, dict[str, jax.Array]]:
    """The gradient of -log E[A dQ_Z^2] by pairs of opposite perturbations, one pair a chain; metrics are means over both."""
    leaves, structure = jax.tree.flatten(schedule)
    keys = jax.random.split(key, len(leaves))
    chains = momenta.shape[-1]
    noise = [jax.random.normal(one, (*leaf.shape, chains)) for one, leaf in zip(keys, leaves, strict=True)]

    def perturbed(sign: float) -> Proposals:
        moved = [leaf[..., None] + sign * perturbation * e for leaf, e in zip(leaves, noise, strict=True)]
        return proposals(eqx.combine(jax.tree.unflatten(structure, moved), rest), state, momenta, theory)

    plus, minus = perturbed(1.0), perturbed(-1.0)
    difference = plus.acceptance * plus.charge_change**2 - minus.acceptance * minus.charge_change**2
    seen = jax.tree.map(lambda one, other: (one + other) / 2, metrics(plus), metrics(minus))
    scale = -1 / (2 * perturbation * (RAREST + seen["tunnelling_reward"]))
    return jax.tree.unflatten(structure, [scale * (difference * e).mean(axis=-1) for e in noise]), seen
