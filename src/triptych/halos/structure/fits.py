"""What all fits of profiles share: the likelihood of counts in shells.

In: densities and their errors in shells, many halos at once. Out: the most likely parameters of a model, the covariance of their
errors, and for each halo where the fit failed the reason.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError

Numbers = float | NDArray[np.float64]

NODES = 6  # of the Gauss-Legendre sum over ln r in a shell


class Fits(NamedTuple):
    """Fits of many halos; NaN where one failed.

    Attributes
    ----------
    single : the profile came without an axis over halos.
    rs, rho_s, alpha : (halo,), the parameters; alpha is 0 for NFW.
    errors : (halo, parameter), standard deviations of ln rs, ln rho_s and, where it is free, alpha.
    correlation : (halo,), between the errors of ln rs and ln rho_s.
    deviance, dof, problem, resolved : (halo,), as in :class:`triptych.halos.NFWFit`.
    """

    single: bool
    rs: NDArray[np.float64]
    rho_s: NDArray[np.float64]
    alpha: NDArray[np.float64]
    errors: NDArray[np.float64]
    correlation: NDArray[np.float64]
    deviance: NDArray[np.float64]
    dof: NDArray[np.int64]
    problem: NDArray[np.object_]
    resolved: NDArray[np.bool_]


def most_likely(
    edges: ArrayLike, density: ArrayLike, error: ArrayLike, used: ArrayLike | None, alphas: tuple[float, float]
) -> Fits:
    """Fit rs and rho_s, and alpha where its range `alphas` has a width; (0, 0) stands for NFW.

    The density over its Poisson error, squared, is a count N, which the model predicts as mu; the fit minimises the deviance
    2 sum [mu - N + N ln(N / mu)].

    Raises
    ------
    ConfigError
        If the shapes do not fit together, or edges or errors are not positive.
    """
    from triptych.halos.structure import kernels

    rho, sigma = np.asarray(density, dtype=np.float64), np.asarray(error, dtype=np.float64)
    r = np.asarray(edges, dtype=np.float64)
    chosen = np.ones(rho.shape, dtype=np.bool_) if used is None else np.asarray(used, dtype=np.bool_)
    single, shape = rho.ndim == 1, (*rho.shape[:-1], r.shape[-1] if r.ndim else 0)
    together = rho.ndim in (1, 2) and rho.shape == sigma.shape == chosen.shape and r.shape in (shape, shape[-1:])
    if not (together and shape[-1] == rho.shape[-1] + 1 > 1):
        raise ConfigError(
            "edges, density, error and the shells used do not fit together",
            got=(r.shape, rho.shape, sigma.shape, chosen.shape),
            expected="(halo, shell + 1) or (shell + 1,), then (halo, shell) three times; or all of them without halo",
        )
    rho, sigma, chosen = np.atleast_2d(rho), np.atleast_2d(sigma), np.atleast_2d(chosen)
    r = np.ascontiguousarray(np.broadcast_to(r, (len(rho), shape[-1])))
    possible = (rho >= 0) & (sigma > 0) & np.isfinite(rho) & np.isfinite(sigma)
    if not ((r > 0).all() and np.isfinite(r).all() and (np.diff(r) > 0).all() and possible[chosen].all()):
        raise ConfigError(
            "a profile that cannot be",
            expected="increasing edges > 0, density >= 0, error > 0, all finite",
            fix="see Profiles.error; leave other shells out with used",
        )
    rho, sigma = np.where(chosen, rho, 0.0), np.where(chosen, sigma, 1.0)
    unit = np.divide(sigma**2, rho, out=sigma.copy(), where=rho > 0)  # the density of one count
    counts = rho / unit
    free = 3 if alphas[0] < alphas[1] else 2
    found, fisher = np.full((len(rho), 5), np.nan), np.zeros((len(rho), free, free))
    rule = np.array(np.polynomial.legendre.leggauss(NODES))
    kernels.fits(r, counts, np.diff(r**3) / 3 * unit, chosen, *alphas, rule, found, fisher)
    status = found[:, 4].astype(np.int64)
    good = status == kernels.FITTED
    fisher[~good] = np.eye(free)
    covariance = np.where(good[:, None, None], np.linalg.inv(fisher), np.nan)
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    steep, shallow = ("as r^-3", "as r^-1") if alphas[1] == 0 else ("too steeply", "too little")
    reasons = {
        kernels.FITTED: "",
        kernels.STEEP: f"the profile falls {steep}: no core is seen, so that the scale radius is unknown",
        kernels.SHALLOW: f"the profile falls {shallow}: no steepening is seen, so that the scale radius is unknown",
        kernels.NARROW: f"the slope hardly changes: alpha would lie below {alphas[0]:g}",
        kernels.WIDE: f"the profile is cut off: alpha would lie above {alphas[1]:g}",
    }
    problem = np.array([reasons.get(kind, "") for kind in status.tolist()], dtype=object)
    for row in np.flatnonzero(status == kernels.SPARSE):
        problem[row] = f"only {(counts[row] > 0).sum()} shells with particles"
    rs, rows = np.exp(found[:, 0]), np.arange(len(rho))
    last = chosen.shape[1] - chosen[:, ::-1].argmax(axis=1)  # outer edge of the last shell used
    return Fits(
        single=single,
        rs=rs,
        rho_s=np.exp(found[:, 1]),
        alpha=found[:, 2],
        errors=errors,
        correlation=covariance[:, 0, 1] / (errors[:, 0] * errors[:, 1]),
        deviance=found[:, 3],
        dof=chosen.sum(axis=1) - free,
        problem=problem,
        resolved=(rs >= r[rows, chosen.argmax(axis=1)]) & (rs <= r[rows, last]),
    )
