"""The interpretable variational encoder (Letter, "Deep learning model").

In: what a data set stores of a halo, and radii. Out: the latents, and the density profile that the decoder makes of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from triptych.halos.network.encoders import Convolutions, Encoder, Layers, SphericalStem, Vector
from triptych.halos.network.inputs import Input
from triptych.halos.network.settings import NetworkConfig

STRETCH = 4.0  # of log r in front of the decoder: on a shorter axis it would learn the short waves of a profile late
DEGREE = 7  # of the polynomial in log r that carries what all profiles have in common


class Profiles(NamedTuple):
    """What the decoder is to give.

    Attributes
    ----------
    query : (halo, bin), log10 of r in comoving kpc/h.
    target : (halo, bin), log10(rho/rho_m).
    """

    query: NDArray[np.floating]
    target: NDArray[np.floating]


class Scale(eqx.Module):
    """From a log density to a number of order one: (log rho - common(log r)) / spread.

    Attributes
    ----------
    centre, reach : log r runs from centre - reach to centre + reach in the training halos.
    common : coefficients of the polynomial in (log r - centre) / reach that all profiles have in common, highest degree first.
    spread : [], standard deviation of log rho about it, dex.
    scatter : [bin], the same for each bin of the training halos, dex.
    place : [bin], mean of log r in the bins of the training halos.
    """

    centre: jax.Array
    reach: jax.Array
    common: jax.Array
    spread: jax.Array
    scatter: jax.Array
    place: jax.Array

    def position(self, query: jax.Array) -> jax.Array:
        """Log r between -1 and 1."""
        return (query - self.centre) / self.reach

    def weights(self, tilt: float) -> jax.Array:
        """[bin] of squared residuals: r^-tilt over their variance, such that those of the common profile cost 1 on average."""
        raw = 10.0 ** (-tilt * (self.place - self.place.mean()))
        return raw / raw.mean() * (self.spread / self.scatter) ** 2

    def residual(self, query: jax.Array, target: jax.Array) -> jax.Array:
        """Of order one."""
        return (target - self.profile(query)) / self.spread

    def target(self, query: jax.Array, residual: jax.Array) -> jax.Array:
        """The log density again."""
        return self.profile(query) + self.spread * residual

    def profile(self, query: jax.Array) -> jax.Array:
        """What all profiles have in common; beyond the radii of the training halos it goes on straight."""
        x = self.position(query)
        inside = jnp.clip(x, -1.0, 1.0)
        return jnp.polyval(self.common, inside) + jnp.polyval(jnp.polyder(self.common), inside) * (x - inside)


def learn_scale(profiles: Profiles) -> Scale:
    """The scale of training halos; all bins count alike."""
    low, high = profiles.query.min(), profiles.query.max()
    centre, reach = (low + high) / 2.0, max((high - low) / 2.0, 1e-6)
    x = (profiles.query.astype(np.float64) - centre) / reach
    degree = min(DEGREE, len(np.unique(profiles.query)) - 1)
    common = np.polyfit(x.ravel(), profiles.target.ravel(), degree)
    left = profiles.target - np.polyval(common, x)
    spread, scatter = left.std(), left.std(axis=0)
    scatter = np.where(scatter > 1e-6 * spread, scatter, spread)  # a bin that never changes counts like the others
    numbers = (centre, reach, common, spread, scatter, profiles.query.mean(axis=0))
    return Scale(*(jnp.asarray(number, jnp.float32) for number in numbers))


class Posterior(NamedTuple):
    """What the encoder says of each halo: independent Gaussians.

    Attributes
    ----------
    mean, sigma : (halo, latent).
    """

    mean: Any
    sigma: Any


class Weights(NamedTuple):
    """What is trained."""

    encoder: Any
    decoder: Any


class IVE(eqx.Module):
    """An encoder, a decoder, and what they were taught to take as zero and one.

    Attributes
    ----------
    input : from what is stored to what the encoder sees.
    encoder : to means and log variances of the latents.
    decoder : from the latents and the place of log r to a residual.
    scale : from residuals to log densities.
    """

    input: Input
    encoder: Encoder
    decoder: Layers
    scale: Scale

    def posterior(self, stored: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Means and log variances of the latents, [halo, latent] each."""
        return self.encoder(self.input(stored))

    def residual(self, latents: jax.Array, query: jax.Array) -> jax.Array:
        """What the decoder gives for latents [halo, latent] at log10 r [halo, bin]: encoded once, decoded at all radii."""
        place = STRETCH * self.scale.position(query)[..., None]
        both = jnp.concatenate([jnp.broadcast_to(latents[:, None], (*place.shape[:2], latents.shape[-1])), place], axis=-1)
        return self.decoder(both)[..., 0]

    def log_density(self, latents: jax.Array, query: jax.Array) -> jax.Array:
        """log10(rho/rho_m) [halo, bin] of latents [halo, latent] at log10 r [halo, bin]."""
        return self.scale.target(query, self.residual(latents, query))


def build(config: NetworkConfig, shape: tuple[int, ...], key: jax.Array) -> Weights:
    """A new encoder for what has this shape, and a decoder."""
    first, second = jax.random.split(key)
    encoder, latents = config.encoder, config.latents
    made: Encoder
    if len(shape) == 4:
        made = Convolutions(
            shape[0], shape[1], latents, filters=encoder.filters, width=encoder.width, half=encoder.half, key=first
        )
    elif len(shape) == 2:
        made = SphericalStem(shape[0], latents, width=encoder.width, key=first)
    else:
        made = Vector(shape[0], latents, width=encoder.width, key=first)
    return Weights(made, Layers(latents + 1, config.decoder, config.decoder, 1, key=second))
