"""The price of a model: how far its profiles are off, and how much its latents tell.

In: posteriors and residuals. Out: the terms of the loss

    <weight (y - y_model)^2> + beta KL( N(mu, sigma) || N(0, 1) ) + strength penalty.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

Penalty = Literal["none", "covariance", "total_correlation"]


def divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL( N(mean, sigma) || N(0, 1) ) of each latent, nats: (mean^2 + sigma^2 - 1 - ln sigma^2) / 2."""
    return 0.5 * (mean**2 + jnp.exp(log_variance) - 1.0 - log_variance)


def sample(mean: jax.Array, log_variance: jax.Array, key: jax.Array) -> jax.Array:
    """One draw of the latents of each halo."""
    return mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape, mean.dtype)


def penalty(kind: Penalty, latents: jax.Array, mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """How much the latents of a batch [halo, latent] depend on each other.

    "covariance": the sum of squared covariances of the means. "total_correlation": KL( q(z) || prod q(z_l) ), with the aggregate
    posterior q(z) from the halos of the batch (R. T. Q. Chen et al., arXiv:1802.04942). It is too high where posteriors are
    narrow against the distances in the batch, so that it also widens them; and it depends on the size of the batch.
    """
    if kind == "covariance":
        apart = mean - mean.mean(axis=0)
        covariance = apart.T @ apart / max(len(mean) - 1, 1)
        return (covariance**2).sum() - (jnp.diag(covariance) ** 2).sum()
    if kind == "total_correlation":
        apart = (latents[:, None] - mean[None]) ** 2 * jnp.exp(-log_variance)[None]
        each = -0.5 * (apart + log_variance[None] + jnp.log(2.0 * jnp.pi))  # [draw, halo, latent]
        number = jnp.log(float(len(mean)))
        together = jax.nn.logsumexp(each.sum(axis=-1), axis=1) - number
        apiece = (jax.nn.logsumexp(each, axis=1) - number).sum(axis=-1)
        return jnp.mean(together - apiece)
    return jnp.zeros((), mean.dtype)
