"""Variables as the fits take them.

In: columns of numbers, some perhaps with errors of their own. Out: weighted points, in the variables' own shape or as normal
scores; or a refusal that names the cure.

A variable with an error is not one number but a Gaussian: it enters as five points, one from each fifth of it, at a random offset
(fixed points would be a pattern that the fit finds). Equal values get ranks in random order, which leaves every mutual
information as it is, since that order depends on nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from triptych.errors import ConfigError, DataError

Floats = NDArray[np.float64]
Margins = Literal["raw", "normal_scores"]

FEWEST = 30  # samples
DISCRETE = 20  # so few different values are categories
NODES = 5
MOST_NOISY = 3
OUTLIER = 0.1  # of the variance of an axis in one point: tails that no few Gaussians describe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Samples on several axes, each sample one point or several.

    Attributes
    ----------
    values : (axis, point).
    shares : (point,) weights; those of one sample add up to 1.
    owners : (point,) the sample that a point belongs to.
    order : (axis, point) the points sorted by each axis, equal ones in random order.
    samples : how many samples there are.
    """

    values: Floats
    shares: Floats
    owners: NDArray[np.int64]
    order: NDArray[np.int64]
    samples: int

    @classmethod
    def of(cls, values: Floats, errors: Floats, *, rng: np.random.Generator) -> Points:
        """Samples `values` (axis, sample) with Gaussian `errors` of the same shape; an axis without errors has zeros.

        Raises
        ------
        ConfigError
            If an error is negative or not finite, or more than three axes have errors.
        """
        wrong = ~(np.isfinite(errors) & (errors >= 0))
        if wrong.any():
            raise ConfigError("x_error is impossible", got=errors[wrong][0], expected="standard deviations >= 0")
        noisy = np.flatnonzero(errors.any(axis=1))
        if noisy.size > MOST_NOISY:
            raise ConfigError("too many variables have errors", got=noisy.size, expected=f"at most {MOST_NOISY}")
        points, owners = values, np.arange(values.shape[1])
        for axis in noisy:
            places = ndtri((np.arange(NODES) + rng.random((owners.size, 1))) / NODES)
            blur = errors[axis, owners][:, None] * places
            points, owners = np.repeat(points, NODES, axis=1), np.repeat(owners, NODES)
            points[axis] += blur.ravel()
        shares = np.full(owners.size, values.shape[1] / owners.size)
        order = np.array([np.lexsort((rng.random(row.size), row)) for row in points])
        return cls(values=points, shares=shares, owners=owners, order=order, samples=values.shape[1])

    def counts(self, multiplicity: NDArray[np.int64]) -> Floats:
        """The weight of each point where each sample counts `multiplicity` (sample,) times."""
        return np.asarray(self.shares * multiplicity[self.owners])

    def probabilities(self, counts: Floats) -> Floats:
        """The cumulative distribution at each point (axis, point), for points with weights `counts`; inside (0, 1)."""
        found = np.empty_like(self.values)
        for row, order in zip(found, self.order, strict=True):
            sorted_counts = counts[order]
            row[order] = np.cumsum(sorted_counts) - 0.5 * sorted_counts
        return np.asarray(np.clip(found / counts.sum(), 1e-9, 1 - 1e-9))

    def seen(self, margins: Margins, counts: Floats) -> Floats:
        """The values (axis, point) that are fitted where the points have weights `counts`.

        ``"raw"``: the values, with mean 0 and variance 1 over all points, whatever their weights.
        ``"normal_scores"``: the values of a standard normal variable at the same cumulative probabilities.
        """
        if margins == "normal_scores":
            return np.asarray(ndtri(self.probabilities(counts)))
        values = self.values / np.abs(self.values).max(axis=1, keepdims=True)  # so that no square overflows
        mean = np.average(values, axis=1, weights=self.shares, keepdims=True)
        spread = np.sqrt(np.average((values - mean) ** 2, axis=1, weights=self.shares, keepdims=True))
        return np.ascontiguousarray((values - mean) / spread)

    @property
    def shaped(self) -> bool:
        """Whether a fit to the raw values makes sense: no equal values, and no tails beyond all Gaussians."""
        different = all(np.unique(row).size == row.size for row in self.values)
        return different and bool((self.seen("raw", self.shares) ** 2).max() < OUTLIER * self.samples)

    def mean(self, at_points: Floats) -> Floats:
        """For each sample the mean over its points of numbers (point,)."""
        return np.bincount(self.owners, self.shares * at_points, minlength=self.samples).astype(np.float64)

    def draw(self, at_points: Floats, *, rng: np.random.Generator) -> Floats:
        """For each sample one of its numbers (axis, point), at random by their shares."""
        keys = rng.gumbel(size=self.shares.size) + np.log(self.shares)
        order = np.lexsort((keys, self.owners))
        last = np.flatnonzero(np.append(np.diff(self.owners[order]) > 0, True))
        return np.asarray(at_points[:, order[last]])


def columns(values: ArrayLike, errors: ArrayLike | None, name: str) -> tuple[Floats, Floats]:
    """A variable and its errors as (axis, sample), without the axes on which it is constant.

    Parameters
    ----------
    values : (sample,) or (sample, axis).
    errors : None, or standard deviations that broadcast to the shape of `values`.
    name : what to call it in a refusal.

    Raises
    ------
    DataError
        If there are fewer than 30 samples, values that are masked or not finite, or so few different ones that they are
        categories.
    ConfigError
        If the errors have another shape.
    """
    if np.ma.is_masked(values):
        raise DataError(f"{name} has masked values", fix="leave these samples out of all variables")
    given = np.asarray(values)
    if given.dtype.kind not in "fiu":
        raise DataError(
            f"{name} holds no numbers", got=given.dtype, fix="for categories of x or y: mutual_information_categorical"
        )
    table = given.astype(np.float64).reshape(len(given), -1) if given.ndim in (1, 2) else np.empty((0, 0))
    if len(table) < FEWEST:
        raise DataError(f"{name} has the wrong shape", got=given.shape, expected=f"(sample >= {FEWEST},) or (sample, axis)")
    bad = ~np.isfinite(table)
    if bad.any():
        count = f"{int(bad.any(axis=1).sum())} of {len(table)} samples"
        raise DataError(f"{name} is not finite in {count}", got=table[bad][0], fix="leave these samples out of all variables")
    try:
        spread = np.broadcast_to(0.0 if errors is None else np.asarray(errors, dtype=np.float64), given.shape).reshape(
            table.shape
        )
    except ValueError:
        raise ConfigError(
            f"{name}_error has another shape", got=np.asarray(errors).shape, expected=f"that of {name}, {given.shape}"
        ) from None
    varies = (np.ptp(table, axis=0) > 0) | (spread != 0).any(axis=0)
    table, spread = table[:, varies], spread[:, varies]
    for column, deviation in zip(table.T, spread.T, strict=True):
        different = np.unique(column).size
        if different <= DISCRETE and not deviation.any():
            raise DataError(
                f"{name} is discrete",
                got=f"{different} different values in {len(column)} samples",
                expected=f"more than {DISCRETE}",
                fix="use mutual_information_categorical(x, labels) where x or y is a category",
            )
    return np.ascontiguousarray(table.T), np.ascontiguousarray(spread.T)
