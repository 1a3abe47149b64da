"""Networks in use, and in files.

In: a trained network, or the path of one; halos. Out: latents, profiles, and what a latent does to a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.dataset import DataSet
from triptych.halos.network.examples import Examples, of_halos
from triptych.halos.network.inputs import Input
from triptych.halos.network.model import IVE, Posterior, Scale, build
from triptych.halos.network.settings import EncoderConfig, LossConfig, NetworkConfig, OptimiserConfig
from triptych.halos.simulation.files import PathLike
from triptych.learning import models

KIND = "halos-ive"
DECODED = 256  # halos at a time
BEYOND = 1.25  # other halos' radii may lie so much further out than those of the training
DRAWS = 32  # of the latents, for a mean profile
SELECTED = "model.eqx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A trained network: what :func:`triptych.halos.train` makes and :func:`load_network` reads.

    Attributes
    ----------
    ive : the network itself.
    config : what it was made with.
    about : plain data: "member" (which of the seeds), "digest" of the data, "data" (its kind, boxes and particles), "source"
        (mock or simulation), "validation_loss", "seconds" of the whole ensemble.
    shape : of what is stored of one halo.
    """

    ive: IVE
    config: NetworkConfig
    about: Mapping[str, Any]
    shape: tuple[int, ...]

    def examples(self, data: DataSet | Examples) -> Examples:
        """What this network sees of a data set.

        Raises
        ------
        DataError
            If its boxes are others than those of the training.
        """
        made = data if isinstance(data, Examples) else of_halos(data, self.config.encoder)
        here = {"shape": list(made.shape), **made.about}
        learnt = {"shape": list(self.shape), **self.about["data"]}
        apart = {key: (value, here.get(key)) for key, value in learnt.items() if not _same(value, here.get(key))}
        if apart:
            raise DataError(
                "the network was trained on other data",
                got=", ".join(f"{key} {found}" for key, (_, found) in apart.items()),
                expected=", ".join(f"{key} {learnt}" for key, (learnt, _) in apart.items()),
                fix="build the data set like that of the training, or train on this one",
            )
        return made

    @property
    def radii(self) -> tuple[float, float]:
        """The smallest and largest radius of the training, comoving kpc/h."""
        centre, reach = float(self.ive.scale.centre), float(self.ive.scale.reach)
        return 10.0 ** (centre - reach), 10.0 ** (centre + reach)

    def encode(self, data: DataSet | Examples, rows: NDArray[np.intp]) -> Posterior:
        """Means and standard deviations (row, latent) of the latents of some halos; one pass of the encoder each."""
        return encode(self.ive, self.examples(data), rows)

    def decode(self, latents: ArrayLike, r: ArrayLike) -> NDArray[np.float64]:
        """log10(rho/rho_m) (halo, bin) of latents (halo, latent) at r (bin,) or (halo, bin), comoving kpc/h.

        Raises
        ------
        DataError
            If there are more or fewer latents than the network has, radii and latents are not of the same halos, or a radius lies
            further out or in than those of the training by more than a quarter.
        """
        z = np.atleast_2d(np.asarray(latents, np.float32))
        radii = np.asarray(r, np.float64)
        shapes = radii.ndim == 1 or radii.shape[:-1] == z.shape[:1]
        if z.shape[1] != self.config.latents or not np.isfinite(z).all() or not shapes or not radii.size:
            raise DataError(
                "nothing to decode",
                got=f"latents {z.shape}, r {radii.shape}",
                expected=f"finite latents (halo, {self.config.latents}), r (bin,) or (halo, bin)",
                fix="give one number for each latent, and at least one radius",
            )
        low, high = self.radii
        if not (low / BEYOND <= radii.min() and radii.max() <= high * BEYOND):
            raise DataError(
                "radii that the network was not trained on",
                got=f"{radii.min():g} to {radii.max():g} kpc/h",
                expected=f"{low:.4g} to {high:.4g} kpc/h",
                fix="ask for radii of the training",
            )
        query = np.broadcast_to(np.log10(radii), (len(z), radii.shape[-1])).astype(np.float32)
        parts = [_log_density(self.ive, z[k : k + DECODED], query[k : k + DECODED]) for k in range(0, len(z), DECODED)]
        return np.concatenate([np.asarray(part, np.float64) for part in parts])

    def predict(self, posterior: Posterior, r: ArrayLike, *, rng: np.random.Generator, draws: int = DRAWS) -> NDArray[np.float64]:
        """log10(rho/rho_m) (draw, halo, bin) at r (halo, bin), comoving kpc/h, for draws of the latents from their posterior.

        The mean over draws is the profile that the network predicts, their scatter what it does not know.
        """
        if draws < 1:
            raise ConfigError("no draws of the latents", got=draws, expected=">= 1", fix="leave draws out")
        noise = rng.normal(size=(draws, *posterior.mean.shape))
        return np.stack([self.decode(posterior.mean + posterior.sigma * one, r) for one in noise])

    def traverse(self, latent: int, values: ArrayLike, r: ArrayLike) -> NDArray[np.float64]:
        """log10(rho/rho_m) (value, bin) at r (bin,), comoving kpc/h, where one latent takes these values and the others are 0.

        Raises
        ------
        DataError
            If there is no such latent; the first is 0.
        """
        if not 0 <= latent < self.config.latents:
            raise DataError("no such latent", got=latent, expected=f"0 to {self.config.latents - 1}", fix="the first latent is 0")
        z = np.zeros((np.size(values), self.config.latents))
        z[:, latent] = np.ravel(values)
        return self.decode(z, r)

    def save(self, path: Path) -> None:
        """Write the network in one step: `*.eqx`."""
        header = {
            "kind": KIND,
            "config": asdict(self.config),
            "about": dict(self.about),
            "shape": list(self.shape),
            "input": {"stored": self.ive.input.stored, "form": self.ive.input.form},
            "numbers": [list(leaf.shape) for leaf in jax.tree.leaves((self.ive.input, self.ive.scale))],
        }
        models.save(path, self.ive, header)


def load_network(path: PathLike) -> Network:
    """Read a network.

    Parameters
    ----------
    path : a file, or the run directory of ``triptych halos train``, whose selected network is taken.

    Raises
    ------
    DataError
        If there is none, or it is damaged.
    """
    file = Path(path)
    file = file / SELECTED if file.is_dir() else file
    header = models.read_header(file)

    def skeleton(header: dict[str, Any]) -> IVE:
        config = _config(header["config"])
        numbers: list[Any] = [jax.ShapeDtypeStruct(tuple(shape), jnp.float32) for shape in header["numbers"]]  # type: ignore[no-untyped-call]
        input = Input(numbers[0], numbers[1], numbers[2], **header["input"])
        weights = eqx.filter_eval_shape(lambda key: build(config, tuple(header["shape"]), key), jax.random.key(0))
        return IVE(input, weights.encoder, weights.decoder, Scale(*numbers[3:]))

    ive = models.load(file, skeleton, kind=KIND)
    return Network(ive=ive, config=_config(header["config"]), about=header["about"], shape=tuple(header["shape"]))


def _config(data: Mapping[str, Any]) -> NetworkConfig:
    parts = {"encoder": EncoderConfig, "loss": LossConfig, "optimiser": OptimiserConfig}
    return NetworkConfig(**{key: parts[key](**value) if key in parts else value for key, value in data.items()})


def encode(model: IVE, examples: Examples, rows: NDArray[np.intp]) -> Posterior:
    """The latents (row, latent) of some rows: one pass of the encoder for each halo."""
    parts = [_posterior(model, examples.read(some)) for some in examples.pieces(rows)]
    mean, log_variance = (np.concatenate([np.asarray(part[k], np.float64) for part in parts]) for k in (0, 1))
    return Posterior(mean, np.exp(0.5 * log_variance))


@eqx.filter_jit
def _posterior(model: IVE, stored: ArrayLike) -> tuple[jax.Array, jax.Array]:
    return model.posterior(jnp.asarray(stored))


def _same(one: Any, other: Any) -> bool:
    """Whether two words are equal, or numbers within 1 %."""
    if isinstance(one, str) or other is None:
        return bool(one == other)
    return np.shape(one) == np.shape(other) and bool(np.allclose(one, other, rtol=0.01, atol=0.01))


@eqx.filter_jit
def _log_density(model: IVE, latents: ArrayLike, query: ArrayLike) -> jax.Array:
    return model.log_density(jnp.asarray(latents), jnp.asarray(query))
