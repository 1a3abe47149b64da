"""Mutual information from nearest neighbours: the cross-check that shares nothing with mixtures.

In: samples of two or three blocks of variables. Out: an estimate by the first algorithm of A. Kraskov, H. Stoegbauer and
P. Grassberger, Phys. Rev. E 69 (2004) 066138, Eq. 8; with a condition, that of S. Frenzel and B. Pompe, Phys. Rev. Lett. 99
(2007) 204101.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma

from triptych.statistics import Estimate

Floats = NDArray[np.float64]


def ksg(x: Floats, y: Floats, given: Floats | None = None, *, neighbours: int = 3) -> Estimate:
    """I(x; y), or I(x; y | given), in nats, by the distances to the nearest neighbours in the maximum norm.

    The error is the scatter of the local terms over the root of their number. It knows nothing of the bias, nor of what the
    terms of neighbours share: over data sets of 1000 samples the scatter is up to 1.4 times as large.

    Parameters
    ----------
    x, y, given : (axis, sample), without ties, on comparable scales (normal scores, for example).
    neighbours : k; fewer have less bias and more scatter.

    Notes
    -----
    O(sample log sample) for a few axes.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(1, 2000))
    >>> abs(ksg(x, 0.75 * x + 0.4375**0.5 * rng.normal(size=(1, 2000))).value - 0.413) < 0.06
    True
    """
    blocks = [x, y] if given is None else [x, y, given]
    joint = np.concatenate(blocks).T
    distances = np.asarray(cKDTree(joint).query(joint, k=neighbours + 1, p=np.inf)[0])[:, -1]
    inner = [x, y] if given is None else [np.concatenate([x, given]), np.concatenate([y, given]), given]
    counted = [digamma(_within(block, distances)) for block in inner]
    outer = digamma(len(joint)) if given is None else counted[2]
    terms = np.asarray(digamma(neighbours) + outer - counted[0] - counted[1], dtype=np.float64)
    return Estimate.statistical(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(terms.size)))


def _within(block: Floats, distances: Floats) -> NDArray[np.int64]:
    """How many samples lie closer than `distances`, each counting itself."""
    inside = distances * (1 - 1e-10)  # the neighbour itself stays out, whatever the rounding
    if len(block) == 1:
        row = np.sort(block[0])
        upper, lower = np.searchsorted(row, block[0] + inside, side="right"), np.searchsorted(row, block[0] - inside, side="left")
        return np.asarray(upper - lower)
    return np.asarray(cKDTree(block.T).query_ball_point(block.T, inside, p=np.inf, return_length=True))
