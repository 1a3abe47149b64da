"""Latents in order: which are used, and which of one network is which of another.

In: posteriors of the same halos by several networks. Out: networks whose latents stand in the same order, with the same sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triptych.halos.network.model import IVE, Posterior

ACTIVE = 0.1  # nats; a latent with less KL is not used


def kl_of(posterior: Posterior) -> NDArray[np.float64]:
    """KL( N(mean, sigma) || N(0, 1) ) of each latent (latent,), mean over halos, nats."""
    mean, sigma = np.asarray(posterior.mean, np.float64), np.asarray(posterior.sigma, np.float64)
    return np.asarray(0.5 * (mean**2 + sigma**2 - 1.0 - 2.0 * np.log(sigma)).mean(axis=0))


def active(posterior: Posterior) -> NDArray[np.intp]:
    """The latents that are used, those with the highest KL first."""
    kl = kl_of(posterior)
    order = np.argsort(-kl, kind="stable")
    return np.asarray(order[kl[order] > ACTIVE])


def match(reference: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which latent of `other` is which of `reference`: (halo, latent) both, of the same halos.

    Returns
    -------
    order : (latent,), so that ``sign * other[:, order]`` is most alike: the sum of absolute correlations is largest.
    sign : (latent,), +1 or -1.

    Examples
    --------
    >>> latents = np.random.default_rng(0).normal(size=(100, 3))
    >>> order, sign = match(latents, latents[:, [2, 0, 1]] * [1, -1, 1])
    >>> order.tolist(), sign.tolist()
    ([1, 2, 0], [-1.0, 1.0, 1.0])
    """
    latents = reference.shape[1]
    scaled = [one - one.mean(axis=0) for one in (reference, other)]
    norms = [np.linalg.norm(one, axis=0) for one in scaled]
    scaled = [one / np.where(norm > 0, norm, 1.0) for one, norm in zip(scaled, norms, strict=True)]
    correlation = scaled[0].T @ scaled[1]
    _, order = linear_sum_assignment(-np.abs(correlation))
    return np.asarray(order), np.where(correlation[np.arange(latents), order] < 0, -1.0, 1.0)


def rearranged(model: IVE, order: NDArray[np.intp], sign: NDArray[np.float64]) -> IVE:
    """The same network with latent k called latent order[k], times sign[k]: other numbers inside, the same densities."""
    signs = jnp.asarray(sign, jnp.float32)
    dense = model.encoder.dense
    columns = np.concatenate([order, order + len(order)])
    factor = jnp.concatenate([signs, jnp.ones_like(signs)])
    decoding = model.decoder.weights[0]
    turned: IVE = eqx.tree_at(
        lambda one: (one.encoder.dense.weights[-1], one.encoder.dense.biases[-1], one.decoder.weights[0]),
        model,
        (
            dense.weights[-1][:, columns] * factor,
            dense.biases[-1][columns] * factor,
            jnp.concatenate([decoding[order] * signs[:, None], decoding[-1:]]),
        ),
    )
    return turned


def in_order(models: Sequence[IVE], posteriors: Sequence[Posterior], reference: int) -> list[IVE]:
    """All networks with their latents like those of network `reference`, which are sorted by their KL, the most used first.

    A larger latent raises the density at the innermost radius.
    """
    leader = posteriors[reference]
    order = np.argsort(-kl_of(leader), kind="stable")
    sign = _signs(models[reference])[order]
    target = _used(leader)[:, order] * sign
    made = []
    for place, (model, posterior) in enumerate(zip(models, posteriors, strict=True)):
        turned = (order, sign) if place == reference else match(target, _used(posterior))
        made.append(rearranged(model, *turned))
    return made


def _used(posterior: Posterior) -> NDArray[np.float64]:
    """Means (halo, latent) in which latents that are not active are 0, so that they take nobody's place."""
    return np.asarray(np.where(kl_of(posterior) > ACTIVE, posterior.mean, 0.0))


def _signs(model: IVE) -> NDArray[np.float64]:
    """For each latent, the sign with which it raises the density at the innermost radius."""
    latents = len(model.decoder.weights[0]) - 1
    steps = jnp.concatenate([jnp.eye(latents), -jnp.eye(latents)])
    innermost = jnp.full((2 * latents, 1), model.scale.centre - model.scale.reach)
    up, down = np.split(np.asarray(model.residual(steps, innermost))[:, 0], 2)
    return np.where(up < down, -1.0, 1.0)
