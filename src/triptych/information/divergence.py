"""How far distributions lie apart: the Kullback-Leibler divergence of two, and what it shares with the information in classes.

In: samples of several distributions on the same axes. Out: sum_c o_c D(p_c || sum_c' a_c' p_c') with error, p-value,
cross-check, and a word on whether it is to be trusted. With o = (1, 0) and a = (0, 1) that is the divergence of the first from
the second; where o and a are the weights of classes, it is the mutual information of x and the class.

A Gaussian mixture is fitted to each distribution, all on common axes: standardised together, or the normal scores of all samples
together, which leave every divergence as it is. As for mutual information, held-out data choose between the two, and the same
fit to resampled data gives bias and error.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from triptych.errors import DataError
from triptych.information import reliability
from triptych.information.estimate import side_by_side
from triptych.information.independence import features, independence
from triptych.information.integral import expectation
from triptych.information.mixture import Mixture, refit
from triptych.information.selection import Map, Selection, select
from triptych.information.settings import Settings, Unit
from triptych.information.variables import Margins, Points, columns
from triptych.statistics import Estimate

Floats = NDArray[np.float64]

LEAST_COVERED = 0.95


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Divergence:
    """How far distributions lie apart, and how it was found.

    Attributes
    ----------
    estimate : value and standard error, in `unit`. It may be slightly negative where they are equal, since its bias is removed.
    p_value : of all distributions being equal, by permutation.
    problems : why it is not reliable, in words; none where it is.
    cross_check : the same by nearest neighbours, in `unit`.
    mixtures : for each distribution the mixture that was fitted; empty where there is nothing to fit.
    values : for each distribution (axis, sample), what was fitted.
    margins : the axes: ``"raw"`` (the values, all samples together with mean 0 and variance 1) or ``"normal_scores"``.
    resampled : (bootstrap,) divergence of the mixtures fitted to resampled data, in `unit`.
    unit : ``"nats"`` or ``"bits"``.
    samples : how many there were, of all distributions.
    """

    estimate: Estimate
    p_value: float
    problems: tuple[str, ...]
    cross_check: Estimate
    mixtures: dict[Hashable, Mixture]
    values: dict[Hashable, Floats]
    margins: Margins
    resampled: Floats
    unit: Unit
    samples: int

    @property
    def value(self) -> float:
        """The divergence, in `unit`."""
        return self.estimate.value

    @property
    def error(self) -> float:
        """Its standard error, in `unit`."""
        return self.estimate.error or 0.0

    @property
    def components(self) -> int:
        """How many components the mixtures have together."""
        return sum(mixture.components for mixture in self.mixtures.values())

    @property
    def reliable(self) -> bool:
        """Whether no diagnostic objects."""
        return not self.problems

    def __str__(self) -> str:
        return "; ".join([f"{self.estimate} {self.unit}", *self.problems])


def kl_divergence(
    x: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, settings: Settings | None = None, threads: int | None = None
) -> Divergence:
    """The Kullback-Leibler divergence D(p_x || p_y) = E_x[ln p_x - ln p_y]; swap x and y for the reverse.

    Parameters
    ----------
    x, y : (sample,) or (sample, axis), the same axes; the numbers of samples may differ.
    rng : folds, starts, resamples, shuffles and the order of equal values.
    settings : the protocol; None takes the defaults of :class:`Settings`.
    threads : how many fits run side by side; None takes one for each core. The result does not depend on it.

    Raises
    ------
    DataError
        If the axes differ, there are fewer than 30 samples, values that are not finite or not continuous, or constants.

    Notes
    -----
    Where x has values that y never has, the divergence is infinite, which no number of samples tells: what comes out is then
    large, finite and meaningless. More generally it rests on the tails of y as far as x goes. Where more than 5 % of x lies
    beyond the samples of y, as far as the fits can tell, these tails are the extrapolation of a mixture, and the result is not
    reliable; the reverse divergence may be. The p-value is that of x and y having the same distribution.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = kl_divergence(rng.normal(1.0, 1.0, size=1000), rng.normal(0.0, 2.0, size=1500), rng=rng)
    >>> abs(found.value - 0.4431) < 3 * found.error, found.reliable
    (True, True)
    """
    settings = settings or Settings()
    xs, ys = columns(x, None, "x")[0], columns(y, None, "y")[0]
    for name, given, rows in (("x", x, xs), ("y", y, ys)):
        if len(rows) < math.prod(np.shape(given)[1:]):
            raise DataError(f"{name} is constant on an axis", fix="leave that axis out: a constant has no density")
    if len(xs) != len(ys):
        raise DataError("x and y are on different axes", got=(len(xs), len(ys)), expected="as many axes for y as for x")
    size = xs.shape[1]
    groups = {"x": np.arange(size), "y": np.arange(size, size + ys.shape[1])}
    points = Points.of(together := np.concatenate([xs, ys], axis=1), np.zeros_like(together), rng=rng)
    weights = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    with side_by_side(threads) as each:
        found = compare(
            points,
            groups,
            lambda _: weights,
            lambda values: by_neighbours(*values, neighbours=settings.neighbours),
            settings,
            rng,
            each,
        )
    p, q = found.mixtures["x"], found.mixtures["y"]
    covered = float(np.mean(np.exp(p.log_density(found.values["y"]) - q.log_density(found.values["y"]))))
    if covered < LEAST_COVERED:
        words = f"extrapolated: about {1 - covered:.0%} of x lies where y has no samples"
        return dataclasses.replace(found, problems=(*found.problems, words))
    return found


def by_neighbours(x: Floats, y: Floats, *, neighbours: int) -> Estimate:
    """D(p_x || p_y) in nats, for (axis, sample) without ties, by distances to the k-th neighbour in x and in y.

    Q. Wang, S. R. Kulkarni and S. Verdu, IEEE Trans. Inf. Theory 55 (2009) 2392. The error is the scatter of the local terms over
    the root of both numbers of samples; it knows nothing of the bias.
    """
    inner = np.asarray(cKDTree(x.T).query(x.T, k=[neighbours + 1], p=np.inf)[0])[:, 0]
    outer = np.asarray(cKDTree(y.T).query(x.T, k=[neighbours], p=np.inf)[0])[:, 0]
    n, m = x.shape[1], y.shape[1]
    terms = len(x) * np.log(outer / inner) + math.log(m / (n - 1))
    return Estimate.statistical(float(terms.mean()), float(terms.std(ddof=1) * math.sqrt(1 / n + 1 / m)))


def compare(
    points: Points,
    groups: Mapping[Any, NDArray[np.int64]],
    weigh: Callable[[Floats], tuple[Floats, Floats]],
    cross_check: Callable[[list[Floats]], Estimate],
    settings: Settings,
    rng: np.random.Generator,
    each: Map,
    *,
    sizes_drawn: bool = False,
) -> Divergence:
    """sum_c o_c D(p_c || sum_c' a_c' p_c') of the distributions that the groups of samples come from.

    Parameters
    ----------
    points : all samples, without errors of their own.
    groups : the samples (sample,) of each distribution.
    weigh : o and a (group,), for the number of samples in each group (group,).
    cross_check : another estimate, for the samples (axis, sample) of each group, without ties.
    sizes_drawn : whether the sizes of the groups are part of what was drawn, and of what is resampled.
    """
    members = list(groups.values())
    sizes = np.array([group.size for group in members], dtype=np.float64)
    owners = np.empty(points.samples, dtype=np.int64)
    for g, group in enumerate(members):
        owners[group] = g

    def split(margins: Margins, counts: Floats) -> list[Floats]:
        """The values that are fitted, group by group, where the samples have weights `counts`."""
        drawn = np.bincount(owners, counts, minlength=sizes.size).astype(np.float64)
        share = np.mean(weigh(drawn), axis=0) / drawn  # of a sample, in what is seen together
        seen = points.seen(margins, counts * share[owners])
        return [np.ascontiguousarray(seen[:, group]) for group in members]

    over, against = weigh(sizes)
    ones = np.ones(points.samples)
    held = np.mean([over, against], axis=0)

    def fitted(margins: Margins) -> tuple[list[Floats], list[Selection], Margins, float]:
        values = split(margins, ones)
        selections = [_select(rows, settings, rng, each) for rows in values]
        return values, selections, margins, _held_out(values, selections, held)

    tried: list[Margins] = ["normal_scores", "raw"] if points.shaped else ["normal_scores"]
    found = [fitted(margins) for margins in (tried if settings.margins == "auto" else [settings.margins])]
    values, selections, margins, held_out = max(found, key=lambda fit: fit[3])
    mixtures = [selection.mixture for selection in selections]

    def again(multiplicity: NDArray[np.int64]) -> float:
        counts = multiplicity.astype(np.float64)
        rows = split(margins, counts)
        fits = [_refit(row, counts[group], start) for row, group, start in zip(rows, members, mixtures, strict=True)]
        return mean(fits, *weigh(np.bincount(owners, counts, minlength=sizes.size).astype(np.float64)))[0]

    plain, integration = mean(mixtures, over, against)
    multiplicities = _multiplicities([np.arange(points.samples)] if sizes_drawn else members, settings.bootstraps, rng=rng)
    resampled = np.array(list(each(again, multiplicities)))
    value, scatter = 2 * plain - resampled.mean(), float(resampled.std(ddof=1))
    gap = mean(mixtures, held, held)[0] - held_out  # of the information in the group, which is a proper score
    error = math.hypot(scatter, integration, max(gap, 0.0) / 2)

    apart = _apart(points, rng=rng) if len(points.values) == 1 else points.seen("normal_scores", ones)
    second = cross_check([np.ascontiguousarray(apart[:, group]) for group in members])
    indicators = (owners[:, None] == np.arange(sizes.size)) / np.sqrt(sizes)
    p_value = independence(
        features(points.probabilities(ones), points),
        indicators - indicators.mean(axis=0),
        permutations=settings.permutations,
        rng=rng,
    )
    problems: dict[str, None] = {}
    for selection, group in zip(selections, members, strict=True):
        problems |= dict.fromkeys(
            reliability.problems(
                value=value,
                error=scatter,
                gap=gap,
                cross_check=second,
                mixture=selection.mixture,
                exhausted=selection.exhausted,
                samples=group.size,
            )
        )
    unit = 1 / math.log(2) if settings.unit == "bits" else 1.0
    return Divergence(
        estimate=Estimate.statistical(unit * value, unit * error),
        p_value=p_value,
        problems=tuple(problems),
        cross_check=Estimate.statistical(unit * second.value, unit * second.half_width),
        mixtures=dict(zip(groups, mixtures, strict=True)),
        values=dict(zip(groups, values, strict=True)),
        margins=margins,
        resampled=unit * resampled,
        unit=settings.unit,
        samples=points.samples,
    )


def mean(mixtures: Sequence[Mixture], over: Floats, against: Floats) -> tuple[float, float]:
    """sum_c o_c D(q_c || sum_c' a_c' q_c') of mixtures, in nats, and the standard error of the integration."""
    reference = _blend(mixtures, against)
    total, error = 0.0, 0.0
    for mixture, weight in zip(mixtures, over, strict=True):
        if weight > 0:
            part = expectation(mixture, lambda at, own=mixture: own.log_density(at) - reference.log_density(at))  # type: ignore[misc]
            total, error = total + weight * part[0], error + weight * part[1]
    return total, error


def _blend(mixtures: Sequence[Mixture], weights: Floats) -> Mixture:
    """The mixture of mixtures."""
    parts = [(mixture, weight) for mixture, weight in zip(mixtures, weights, strict=True) if weight > 0]
    return Mixture(
        weights=np.concatenate([weight * mixture.weights for mixture, weight in parts]),
        means=np.concatenate([mixture.means for mixture, _ in parts]),
        covariances=np.concatenate([mixture.covariances for mixture, _ in parts]),
    )


def _select(values: Floats, settings: Settings, rng: np.random.Generator, each: Map) -> Selection:
    """The fit to one group's `values` (axis, sample): they are standardised for the fit, and the mixtures put back in place."""
    centre, spread = values.mean(axis=1), values.std(axis=1)
    rows = np.ascontiguousarray((values - centre[:, None]) / spread[:, None])
    found = select(rows, Points.of(rows, np.zeros_like(rows), rng=rng), settings, rng=rng, each=each)

    without = tuple(mixture.moved(spread, centre) for mixture in found.without)
    return dataclasses.replace(found, mixture=found.mixture.moved(spread, centre), without=without)


def _refit(values: Floats, counts: Floats, start: Mixture) -> Mixture:
    """The fit to `values` (axis, sample) with weights `counts` from `start` on, in the units of `start`."""
    centre, covariance = start.moments()
    spread = np.sqrt(np.diag(covariance))
    rows = np.ascontiguousarray((values - centre[:, None]) / spread[:, None])
    return refit(rows, counts, start.moved(1 / spread, -centre / spread))[1].moved(spread, centre)


def _held_out(values: Sequence[Floats], selections: Sequence[Selection], weights: Floats) -> float:
    """The mean of ln q_c / sum_c' w_c' q_c' over the samples of all groups, under mixtures that have not seen them.

    That is how well x predicts the group, a proper score of the ratios of densities: at most the true information.
    """
    total = 0.0
    for f, mixtures in enumerate(zip(*(selection.without for selection in selections), strict=True)):
        reference = _blend(mixtures, weights)
        for rows, selection, mixture, weight in zip(values, selections, mixtures, weights, strict=True):
            at = np.ascontiguousarray(rows[:, selection.fold == f])
            total += weight * float(np.sum(mixture.log_density(at) - reference.log_density(at))) / rows.shape[1]
    return total


def _apart(points: Points, *, rng: np.random.Generator) -> Floats:
    """The values (1, sample) of a single axis with equal ones spread at random, by less than half-way to the next value.

    Nearest neighbours need that. The ranks of all samples together would do for several axes, but on one they are a lattice, on
    which the neighbours of one group keep those of another away.
    """
    different, which, times = np.unique(points.values[0], return_inverse=True, return_counts=True)
    gaps = np.concatenate([[np.inf], np.diff(different), [np.inf]])
    room = np.where(times > 1, np.minimum(gaps[1:], gaps[:-1]), 0.0)
    return np.asarray(points.values + room[which] * (rng.random(which.size) - 0.5))


def _multiplicities(strata: Sequence[NDArray[np.int64]], bootstraps: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each sample is drawn (bootstrap, sample), with replacement and inside each stratum."""
    found = np.zeros((bootstraps, sum(stratum.size for stratum in strata)), dtype=np.int64)
    for stratum in strata:
        found[:, stratum] = rng.multinomial(stratum.size, np.full(stratum.size, 1 / stratum.size), size=bootstraps)
    return found
