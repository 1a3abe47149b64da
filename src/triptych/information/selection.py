"""How many components.

In: weighted values. Out: the mixture whose number of components predicts data best that it has not seen, and what it predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.information.mixture import Mixture, fit_mixture, refit
from triptych.information.settings import Settings
from triptych.information.variables import Points

Floats = NDArray[np.float64]
Map = Callable[..., Iterable[Any]]
"""The built-in `map`, or that of a pool of threads: the results are the same."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """A number of components, and the fits that led to it.

    Attributes
    ----------
    mixture : fitted to all samples, with one component more than predicts best (unless that is one): what predicts best leaves
        out as much structure as the samples hardly bear, which would bias every integral over it; the bootstrap takes care of
        what the additional component costs.
    best : number of components that predicts best.
    scores : (number of components - 1,) the criterion for 1, 2, ... components, in nats a sample; larger is better.
    fold : (sample,) the fold in which a sample was held out.
    without : for each fold the best mixture fitted to the others.
    exhausted : whether the search ended at the largest number of components that is allowed, and not for lack of gain.
    """

    mixture: Mixture
    best: int
    scores: Floats
    fold: NDArray[np.int64]
    without: tuple[Mixture, ...]
    exhausted: bool

    def held_out(self, points: Points, probabilities: Floats, contrast: Callable[[Floats, Mixture], Floats]) -> float:
        """The mean over the samples of a contrast of densities, each under the mixture that has not seen the sample.

        The points are moved to where the mixture has the cumulative `probabilities` (axis, point) of the data, so that this is
        a proper score of the dependence alone. Without a condition its mean is the true information less the divergence of the
        copula of the data from that of the fit.
        """
        total = 0.0
        for f, mixture in enumerate(self.without):
            chosen = (self.fold == f)[points.owners]
            moved = np.array([mixture.quantile(axis, row[chosen]) for axis, row in enumerate(probabilities)])
            total += float(points.shares[chosen] @ contrast(moved, mixture))
        return total / points.samples


def select(values: Floats, points: Points, settings: Settings, *, rng: np.random.Generator, each: Map) -> Selection:
    """Raise the number of components until `settings.patience` numbers in a row bring no gain.

    With the criterion ``"held_out"`` the score is the mean log density of the folds that a fit has not seen (D. Piras et al.,
    Mach. Learn.: Sci. Technol. 4 (2023) 025006, Sec. 2.3, except that starts compete on what they are fitted to, so that the
    held-out data judge one fit alone); ``"aic"`` and ``"bic"`` are those of the fit to all samples, over -2 samples.

    Parameters
    ----------
    values : (axis, point), of variance about one.
    points : weights and owners of the points.
    each : maps a function over tasks, perhaps in threads.

    Notes
    -----
    Time grows as folds x starts x points x axis^2 x (components + patience)^2 / 2.
    """
    fold = np.empty(points.samples, dtype=np.int64)
    fold[rng.permutation(points.samples)] = np.arange(points.samples) % settings.folds
    of_point = fold[points.owners]

    def without(task: tuple[int, Floats]) -> tuple[float, Mixture]:
        """The fit to all folds but one, and its mean log density on that one."""
        f, uniforms = task
        seen, unseen = of_point != f, of_point == f
        _, mixture = fit_mixture(np.ascontiguousarray(values[:, seen]), points.shares[seen], uniforms)
        return float(np.average(mixture.log_density(values[:, unseen]), weights=points.shares[unseen])), mixture

    def by_folds(components: int) -> tuple[float, tuple[Mixture, ...]]:
        """The held-out score of a number of components, and the fits."""
        starts = settings.starts if components > 1 else 1
        uniforms = rng.random((settings.folds, starts, components, 2))
        scores, mixtures = zip(*each(without, enumerate(uniforms)), strict=True)
        return float(np.mean(scores)), mixtures

    def by_parameters(components: int) -> tuple[float, tuple[Mixture, ...]]:
        """AIC or BIC of a number of components, over -2 samples, and the fit."""
        found, mixture = fit_mixture(values, points.shares, rng.random((settings.starts, components, 2)))
        price = 1.0 if settings.criterion == "aic" else 0.5 * np.log(points.samples)
        return found - price * mixture.parameters / points.samples, (mixture,)

    tried: list[tuple[float, tuple[Mixture, ...]]] = []
    best = 0
    for components in range(1, settings.max_components + 1):
        tried.append((by_folds if settings.criterion == "held_out" else by_parameters)(components))
        if tried[-1][0] > tried[best][0] + settings.tolerance:
            best = components - 1
        if components - 1 - best == settings.patience:
            break

    reported = min(best + (best > 0), len(tried) - 1)
    finals = each(lambda start: refit(values, points.shares, start), tried[reported][1])
    _, mixture = max(finals, key=lambda final: final[0])
    folds = tried[best][1] if settings.criterion == "held_out" else by_folds(best + 1)[1]
    return Selection(
        mixture=mixture,
        best=best + 1,
        scores=np.array([score for score, _ in tried]),
        fold=fold,
        without=folds,
        exhausted=len(tried) - 1 - best < settings.patience,
    )
