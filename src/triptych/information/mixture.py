"""Gaussian mixtures with full covariances.

In: weights, means and covariances, or weighted points to fit. Out: log densities, marginals, samples, files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from triptych.errors import ConfigError, DataError
from triptych.information import kernels

Floats = NDArray[np.float64]

FLOOR = 1e-8  # added to every variance of a fit; the variables have variance one
FIRST_STEPS, MOST_STEPS = 20, 2000
GAIN = 1e-5  # nats a sample: a step that gains less ends a fit
GRID = 513  # points of a tabulated quantile function about each component


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """A mixture of Gaussians, q(p) = sum_k w_k N(p; m_k, C_k).

    Attributes
    ----------
    weights : (component,), summing to 1.
    means : (component, axis).
    covariances : (component, axis, axis).

    Raises
    ------
    ConfigError
        If the shapes do not belong together.

    Examples
    --------
    >>> import numpy as np
    >>> one = Mixture(weights=np.ones(1), means=np.zeros((1, 2)), covariances=np.eye(2)[None])
    >>> one.log_density(np.zeros((2, 1)))
    array([-1.837877])
    """

    weights: Floats
    means: Floats
    covariances: Floats

    def __post_init__(self) -> None:
        shapes = self.weights.shape, self.means.shape, self.covariances.shape
        k, axes = self.means.shape if self.means.ndim == 2 else (0, 0)
        if shapes != ((k,), (k, axes), (k, axes, axes)) or k == 0:
            raise ConfigError(
                "these arrays are no mixture", got=shapes, expected="(component,), (component, axis), (component, axis, axis)"
            )

    @property
    def components(self) -> int:
        """How many components there are."""
        return len(self.weights)

    @property
    def parameters(self) -> int:
        """How many free numbers it has."""
        axes = int(self.means.shape[1])
        return self.components * (1 + axes + axes * (axes + 1) // 2) - 1

    def log_density(self, points: Floats) -> Floats:
        """Ln q at points (axis, point); O(point x component x axis^2)."""
        return np.asarray(kernels.log_density(np.ascontiguousarray(points), self.weights, self.means, self.covariances))

    def moments(self) -> tuple[Floats, Floats]:
        """Mean (axis,) and covariance (axis, axis)."""
        mean = self.weights @ self.means
        offsets = self.means - mean
        return mean, np.einsum("k,kij->ij", self.weights, self.covariances + offsets[:, :, None] * offsets[:, None, :])

    def moved(self, scale: Floats, shift: Floats) -> Mixture:
        """The mixture of scale * p + shift, axis by axis."""
        return Mixture(
            weights=self.weights, means=self.means * scale + shift, covariances=self.covariances * np.outer(scale, scale)
        )

    def marginal(self, axes: ArrayLike) -> Mixture:
        """The mixture of some axes, in the order given."""
        chosen = np.asarray(axes, dtype=int)
        return Mixture(
            weights=self.weights,
            means=np.ascontiguousarray(self.means[:, chosen]),
            covariances=np.ascontiguousarray(self.covariances[:, chosen[:, None], chosen]),
        )

    def cumulative(self, axis: int, values: ArrayLike, *, given: Floats | None = None, given_axes: ArrayLike = ()) -> Floats:
        """The probability that `axis` lies below `values` (point,), where `given_axes` have the values `given` (axis, point)."""
        values = np.asarray(values, dtype=np.float64)
        means, spreads = self.means[:, axis, None], np.sqrt(self.covariances[:, axis, axis])[:, None]
        shares = self.weights[:, None]
        if given is not None:
            z = np.asarray(given_axes, dtype=int)
            outer = self.marginal(z)
            logs = np.array(
                [
                    kernels.log_density(given, np.ones(1), m[None], c[None])
                    for m, c in zip(outer.means, outer.covariances, strict=True)
                ]
            )
            with np.errstate(divide="ignore"):
                logs += np.log(self.weights)[:, None]
            shares = np.exp(logs - logs.max(axis=0))
            shares /= shares.sum(axis=0)
            slopes = np.linalg.solve(outer.covariances, self.covariances[:, z, axis][..., None])[..., 0]
            means = means + np.einsum("ka,kap->kp", slopes, given[None] - outer.means[..., None])
            rest = self.covariances[:, axis, axis] - np.einsum("ka,ka->k", slopes, self.covariances[:, z, axis])
            spreads = np.sqrt(np.maximum(rest, FLOOR))[:, None]
        return np.asarray((shares * ndtr((values[None] - means) / spreads)).sum(axis=0))

    def quantile(self, axis: int, probabilities: Floats) -> Floats:
        """Where the cumulative distribution of an axis reaches `probabilities`, by a table of it."""
        steps = np.linspace(-8, 8, GRID)
        grid = np.unique(self.means[:, axis, None] + np.sqrt(self.covariances[:, axis, axis])[:, None] * steps)
        return np.asarray(np.interp(probabilities, self.cumulative(axis, grid), grid))

    def sample(self, number: int, *, rng: np.random.Generator) -> Floats:
        """Independent points (axis, point)."""
        rows = rng.choice(self.components, size=number, p=self.weights / self.weights.sum())
        factors = np.linalg.cholesky(self.covariances)
        return np.asarray(
            self.means[rows].T + np.einsum("pij,pj->ip", factors[rows], rng.normal(size=(number, self.means.shape[1])))
        )

    def to_dataset(self) -> xr.Dataset:
        """As `weights`, `means` and `covariances` with named dimensions, for a file."""
        return xr.Dataset(
            {
                "weights": ("component", self.weights),
                "means": (("component", "axis"), self.means),
                "covariances": (("component", "axis", "axis_"), self.covariances),
            }
        )

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> Mixture:
        """The inverse of :meth:`to_dataset`; KeyError where a part is missing."""
        weights, means, covariances = (data[name].to_numpy() for name in ("weights", "means", "covariances"))
        return cls(weights=weights, means=means, covariances=covariances)

    def save(self, path: Path) -> None:
        """Write as netCDF."""
        self.to_dataset().to_netcdf(path, engine="h5netcdf")

    @classmethod
    def load(cls, path: Path) -> Mixture:
        """The inverse of :meth:`save`.

        Raises
        ------
        DataError
            If the file holds no mixture.
        """
        try:
            with xr.open_dataset(path, engine="h5netcdf") as data:
                return cls.from_dataset(data)
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                "the file holds no mixture", got=f"{path}: {error}", expected="a file that Mixture.save wrote"
            ) from None


def fit_mixture(points: Floats, counts: Floats, uniforms: Floats) -> tuple[float, Mixture]:
    """The best mixture found from several starts, and its mean log density.

    Each start takes a few steps of expectation-maximisation, and the best goes on to the end (C. Biernacki, G. Celeux and
    G. Govaert, Comput. Stat. Data Anal. 41 (2003) 561).

    Parameters
    ----------
    points : (axis, point), of variance about one.
    counts : (point,) weights of the points.
    uniforms : (start, component, 2) random numbers in [0, 1) that choose the starts.
    """
    found, *arrays = kernels.fit_from_starts(points, counts, uniforms, FLOOR, GAIN, FIRST_STEPS, MOST_STEPS)
    return float(found), _alive(*arrays)


def refit(points: Floats, counts: Floats, start: Mixture) -> tuple[float, Mixture]:
    """The mixture that expectation-maximisation reaches from `start`, and its mean log density; shapes as in `fit_mixture`."""
    weights, means, covariances = start.weights.copy(), start.means.copy(), start.covariances.copy()
    found = kernels.fit(points, counts, weights, means, covariances, FLOOR, GAIN, MOST_STEPS)
    return float(found), _alive(weights, means, covariances)


def _alive(weights: Floats, means: Floats, covariances: Floats) -> Mixture:
    """The mixture without the components that died in the fit."""
    alive = weights > 0
    return Mixture(weights=weights[alive], means=means[alive], covariances=covariances[alive])
