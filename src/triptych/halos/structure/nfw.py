"""The sixth station: the profile in two numbers.

In: a density profile in shells with errors. Out: scale radius and density of the NFW profile, their errors, and how well it fits.
rho(r) = rho_s / [(r / rs) (1 + r / rs)^2], eq. (1) of Lucie-Smith, Peiris & Pontzen (arXiv:2305.03077).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from triptych.errors import ConfigError

_REACH = 30.0  # the scale radius may lie outside the shells by this factor; beyond it the profile is a mere power law
_SCAN = 128  # trial scale radii that bracket the maximum


class NFWFit(NamedTuple):
    """An NFW profile fitted to a measured one.

    Attributes
    ----------
    rs, rs_error : scale radius and its standard deviation, in the unit of the edges; NaN where the fit failed.
    rho_s, rho_s_error : characteristic density and its standard deviation, in the unit of the density.
    correlation : of the errors of ln rs and ln rho_s.
    deviance : twice the log-likelihood lost against a perfect fit; distributed as chi-squared for many particles a shell.
    dof : shells minus two.
    problem : why the fit failed; empty where it did not.
    """

    rs: float
    rs_error: float
    rho_s: float
    rho_s_error: float
    correlation: float
    deviance: float
    dof: int
    problem: str


def nfw_density(r: ArrayLike, rs: float, rho_s: float) -> NDArray[np.float64]:
    """The NFW density at radius r, eq. (1) of arXiv:2305.03077; units as those of rs and rho_s.

    Examples
    --------
    >>> float(nfw_density(2.0, rs=2.0, rho_s=4.0))
    1.0
    """
    x = np.asarray(r, dtype=np.float64) / rs
    return np.asarray(rho_s / (x * (1 + x) ** 2))


def nfw_mass(r: ArrayLike, rs: float, rho_s: float) -> NDArray[np.float64]:
    """The mass inside r: 4 pi rho_s rs^3 [ln(1 + x) - x / (1 + x)], x = r / rs, the integral of eq. (1).

    Examples
    --------
    >>> round(float(nfw_mass(1.0, rs=1.0, rho_s=1.0)), 6)  # 4 pi (ln 2 - 1/2)
    2.427159
    """
    return 4.0 * np.pi * rho_s * rs**3 * _mass_shape(np.asarray(r, dtype=np.float64) / rs)


def nfw_shells(edges: ArrayLike, rs: float, rho_s: float) -> NDArray[np.float64]:
    """The mean density (shell,) in shells between the radii `edges` (edge,): enclosed mass over volume, no midpoint taken.

    Examples
    --------
    >>> thin = nfw_shells([1.999, 2.001], rs=2.0, rho_s=4.0)
    >>> round(float(thin[0]), 5)
    1.0
    """
    r = np.asarray(edges, dtype=np.float64)
    return np.asarray(np.diff(nfw_mass(r, rs, rho_s)) / _volume(r))


def _volume(r: NDArray[np.float64]) -> NDArray[np.float64]:
    return 4.0 / 3.0 * np.pi * np.diff(r**3)


def _mass_shape(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log1p(x) - x / (1 + x))


def sample_nfw(number: int, rs: float, outer: float, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw radii of particles of an NFW halo cut off at `outer`, by inverting the enclosed mass on a fine table.

    Returns (number,), in the unit of rs. The table of 4096 steps in ln r reaches in to 1e-5 rs and is right to 1e-5.

    Examples
    --------
    >>> import numpy as np
    >>> radii = sample_nfw(10000, rs=20.0, outer=200.0, rng=np.random.default_rng(1))
    >>> bool(abs((radii < 20.0).mean() - nfw_mass(20.0, 20.0, 1.0) / nfw_mass(200.0, 20.0, 1.0)) < 0.02)
    True
    """
    x = np.geomspace(1e-5, outer / rs, 4096)
    inside = _mass_shape(x)
    log_x = np.interp(np.log(rng.uniform(inside[0], inside[-1], number)), np.log(inside), np.log(x))
    return rs * np.exp(log_x)


def fit_nfw(edges: ArrayLike, density: ArrayLike, error: ArrayLike) -> NFWFit:
    """The most likely NFW profile for counts of particles in shells.

    The density over its Poisson error, squared, is a count N; the model predicts mu by integrating eq. (1) over the shell. The
    fit minimises the deviance 2 sum [mu - N + N ln(N / mu)]. Where N is large this is the least-squares fit of ln density
    with Poisson weights, sum N (ln N - ln mu)^2; unlike that it stays unbiased for shells with few particles, and an empty
    shell counts as what it is. The most likely rho_s for a given rs is known in closed form, so that the fit is a
    search for one root in ln rs: no starting values, no tolerance to tune. Errors are those of the Fisher matrix.

    Parameters
    ----------
    edges : (edge,), radii between the shells.
    density : (shell,), mean density of each shell; 0 if empty.
    error : (shell,), its standard deviation; in an empty shell the density of one particle.

    Returns
    -------
    NFWFit
        With `problem` set, and NaN, where fewer than three shells hold particles, or the profile is a power law without a scale.

    Raises
    ------
    ConfigError
        If the shapes do not fit together, or edges or errors are not positive.

    Notes
    -----
    About 0.4 ms, O(bins).

    Examples
    --------
    >>> import numpy as np
    >>> edges = np.geomspace(10.0, 200.0, 16)
    >>> density = nfw_shells(edges, rs=25.0, rho_s=1e6)
    >>> fit = fit_nfw(edges, density, 0.1 * density)
    >>> f"{fit.rs:.6f} {fit.rho_s:.1f}"
    '25.000000 1000000.0'
    """
    r, rho, sigma = (np.asarray(array, dtype=np.float64) for array in (edges, density, error))
    if not (r.ndim == 1 and rho.shape == sigma.shape == (len(r) - 1,)):
        raise ConfigError(
            "edges, density and error do not fit together", got=(r.shape, rho.shape, sigma.shape), expected="n + 1, n, n"
        )
    if not ((r > 0).all() and (np.diff(r) > 0).all() and (rho >= 0).all() and (sigma > 0).all()):
        raise ConfigError(
            "a profile that cannot be", expected="increasing edges > 0, density >= 0, error > 0", fix="see Profiles.error"
        )
    unit = np.divide(sigma**2, rho, out=sigma.copy(), where=rho > 0)  # the density of one count
    counts, exposure = rho / unit, _volume(r) * unit
    if (counts > 0).sum() < 3:
        return _failed(len(rho), f"only {(counts > 0).sum()} shells with particles")

    def shape(log_rs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected counts (..., radius) up to rho_s, and their logarithmic derivative by ln rs."""
        rs = np.exp(np.asarray(log_rs, dtype=np.float64))[..., None]
        x = r / rs
        shells = np.diff(_mass_shape(x))
        return 4.0 * np.pi * rs**3 * shells / exposure, 3.0 - np.diff((x / (1 + x)) ** 2) / shells

    def score(log_rs: float) -> float:
        """Derivative of the log-likelihood by ln rs at the most likely rho_s."""
        mu, slope = shape(log_rs)
        return float(((counts - mu * counts.sum() / mu.sum()) * slope).sum())

    scan = np.linspace(np.log(r[0] / _REACH), np.log(r[-1] * _REACH), _SCAN)
    mu, _ = shape(scan)
    likelihood = (counts * np.log(mu / mu.sum(axis=1, keepdims=True))).sum(axis=1)
    best = int(np.argmax(likelihood))
    low, high = scan[max(best - 1, 0)], scan[min(best + 1, _SCAN - 1)]
    if not score(low) > 0 > score(high):
        law = "as r^-3: no core is seen" if best <= 1 else "as r^-1: no steepening is seen"
        return _failed(len(rho), f"the profile falls {law}, so that the scale radius is unknown")
    log_rs = float(brentq(score, low, high, xtol=1e-13, rtol=1e-13))
    mu, slope = shape(log_rs)
    rho_s = counts.sum() / mu.sum()
    mu = mu * rho_s
    gradient = np.stack([slope, np.ones_like(slope)])
    covariance = np.linalg.inv((gradient * mu) @ gradient.T)  # of ln rs and ln rho_s
    errors = np.sqrt(np.diag(covariance))
    misfit = mu - counts + counts * np.log(np.where(counts > 0, counts, 1.0) / mu)
    rs = float(np.exp(log_rs))
    return NFWFit(
        rs=rs,
        rs_error=rs * float(errors[0]),
        rho_s=float(rho_s),
        rho_s_error=float(rho_s * errors[1]),
        correlation=float(covariance[0, 1] / errors.prod()),
        deviance=float(2.0 * misfit.sum()),
        dof=len(rho) - 2,
        problem="",
    )


def _failed(shells: int, problem: str) -> NFWFit:
    nan = float("nan")
    return NFWFit(
        rs=nan, rs_error=nan, rho_s=nan, rho_s_error=nan, correlation=nan, deviance=nan, dof=shells - 2, problem=problem
    )
