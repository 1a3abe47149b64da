"""The interpretable variational encoder: how many numbers do profiles need, and which?

In: a data set, or examples of anything else. Out: networks that put all they know of a profile into a few independent latents.

Examples
--------
>>> import numpy as np
>>> from triptych.halos.network import NetworkConfig, OptimiserConfig, train, vectors
>>> rng = np.random.default_rng(0)
>>> amplitude = rng.normal(size=(200, 1))
>>> curves = amplitude * np.linspace(0.0, 1.0, 6) + 0.1 * rng.normal(size=(200, 6))
>>> x = np.tile(np.arange(1.0, 7.0), (200, 1))
>>> data = vectors(curves, query=x, target=curves, validation=50)
>>> settings = NetworkConfig(latents=1, members=1, optimiser=OptimiserConfig(epochs=2, batch=50))
>>> train(data, settings).selected.encode(data, data.rows["validation"]).mean.shape
(50, 1)
"""

from triptych.halos.network.examples import Examples, of_halos, vectors
from triptych.halos.network.latents import ACTIVE, active, in_order, kl_of, match
from triptych.halos.network.model import Posterior
from triptych.halos.network.network import Network, load_network
from triptych.halos.network.settings import EncoderConfig, LossConfig, NetworkConfig, OptimiserConfig
from triptych.halos.network.training import Ensemble, train

__all__ = [
    "ACTIVE",
    "EncoderConfig",
    "Ensemble",
    "Examples",
    "LossConfig",
    "Network",
    "NetworkConfig",
    "OptimiserConfig",
    "Posterior",
    "active",
    "in_order",
    "kl_of",
    "load_network",
    "match",
    "of_halos",
    "train",
    "vectors",
]
