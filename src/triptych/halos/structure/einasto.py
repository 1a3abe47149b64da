"""Beside the sixth station: the profile in three numbers.

In: density profiles in shells with errors. Out: scale radii, densities and shape parameters of Einasto profiles, with errors.
rho(r) = rho_s exp{-(2 / alpha) [(r / rs)^alpha - 1]}, J. Einasto, Trudy Astrofiz. Inst. Alma-Ata 5 (1965) 87, in the form of
J. F. Navarro et al., MNRAS 349 (2004) 1039, eq. 5: at rs the slope is -2 and the density rho_s.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincc, gammaincinv, gammaln

from triptych.errors import ConfigError
from triptych.halos.structure.fits import Numbers, most_likely

ALPHA = 0.16  # of halos on average, and of the fits with fixed alpha in the Letter's code
ALPHAS = (0.02, 0.7)  # the range of a free alpha


class EinastoFit(NamedTuple):
    """Einasto profiles fitted to measured ones: arrays (halo,), or plain numbers where a single profile was given.

    Attributes
    ----------
    rs, rs_error : scale radius and its standard deviation, in the unit of the edges; NaN where the fit failed.
    rho_s, rho_s_error : density at rs and its standard deviation, in the unit of the density.
    alpha, alpha_error : shape parameter and its standard deviation, 0 where it was fixed.
    correlation : of the errors of ln rs and ln rho_s.
    deviance : twice the log-likelihood lost against a perfect fit; distributed as chi-squared for many particles a shell.
    dof : shells used minus three, or minus two where alpha was fixed.
    problem : why the fit failed; empty where it did not.
    resolved : the scale radius lies inside the shells used: nothing is extrapolated.
    """

    rs: NDArray[np.float64]
    rs_error: NDArray[np.float64]
    rho_s: NDArray[np.float64]
    rho_s_error: NDArray[np.float64]
    alpha: NDArray[np.float64]
    alpha_error: NDArray[np.float64]
    correlation: NDArray[np.float64]
    deviance: NDArray[np.float64]
    dof: NDArray[np.int64]
    problem: NDArray[np.object_]
    resolved: NDArray[np.bool_]


def einasto_density(r: ArrayLike, rs: Numbers, rho_s: Numbers, alpha: Numbers = ALPHA) -> NDArray[np.float64]:
    """The Einasto density at radius r; units as those of rs and rho_s.

    Examples
    --------
    >>> float(einasto_density(2.0, rs=2.0, rho_s=4.0))
    4.0
    """
    x = np.asarray(r, dtype=np.float64) / rs
    return np.asarray(rho_s * np.exp(-2.0 / alpha * (x**alpha - 1.0)))


def einasto_mass(r: ArrayLike, rs: Numbers, rho_s: Numbers, alpha: Numbers = ALPHA) -> NDArray[np.float64]:
    """The mass inside r: 4 pi rho_s rs^3 e^(2 / alpha) (alpha / 2)^(3 / alpha) / alpha times the lower incomplete gamma function.

    The arguments of that function are 3 / alpha and (2 / alpha) (r / rs)^alpha.

    Examples
    --------
    >>> from scipy.integrate import quad
    >>> integral, _ = quad(lambda r: 4 * np.pi * r**2 * einasto_density(r, 2.0, 4.0, 0.2), 0, 5.0)
    >>> bool(abs(einasto_mass(5.0, 2.0, 4.0, 0.2) / integral - 1) < 1e-9)
    True
    """
    return np.asarray(_total(rs, rho_s, alpha) * gammainc(*_arguments(r, rs, alpha)))


def einasto_shells(edges: ArrayLike, rs: Numbers, rho_s: Numbers, alpha: Numbers = ALPHA) -> NDArray[np.float64]:
    """The mean density (shell,) in shells between the radii `edges` (edge,): enclosed mass over volume, no midpoint taken.

    With rs, rho_s, alpha (halo,), and edges (edge,) or (halo, edge), that of many halos, (halo, shell).

    Examples
    --------
    >>> thin = einasto_shells([1.999, 2.001], rs=2.0, rho_s=4.0)
    >>> round(float(thin[0]), 5)
    4.0
    """
    r = np.asarray(edges, dtype=np.float64)
    scale, height, power = (np.asarray(value, dtype=np.float64)[..., None] for value in (rs, rho_s, alpha))
    arguments = _arguments(r, scale, power)
    inside, outside = gammainc(*arguments), gammaincc(*arguments)
    share = np.where(inside[..., 1:] < 0.5, np.diff(inside), -np.diff(outside))  # the difference of the smaller numbers
    return np.asarray(_total(scale, height, power) * share / (4.0 / 3.0 * np.pi * np.diff(r**3)))


def _arguments(r: ArrayLike, rs: Numbers, alpha: Numbers) -> tuple[Numbers, NDArray[np.float64]]:
    """Those of the incomplete gamma function."""
    return 3.0 / alpha, 2.0 / alpha * (np.asarray(r, dtype=np.float64) / rs) ** alpha


def _total(rs: Numbers, rho_s: Numbers, alpha: Numbers) -> NDArray[np.float64]:
    """The mass out to infinity."""
    a = 3.0 / alpha
    return np.asarray(4.0 * np.pi * rho_s * rs**3 / alpha * np.exp(gammaln(a) + 2.0 / alpha + a * np.log(alpha / 2.0)))


def sample_einasto(
    number: int, rs: float, outer: float, alpha: float = ALPHA, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw radii of particles of an Einasto halo cut off at `outer`, by inverting the enclosed mass.

    Returns (number,), in the unit of rs.

    Examples
    --------
    >>> import numpy as np
    >>> radii = sample_einasto(10000, rs=20.0, outer=200.0, rng=np.random.default_rng(1))
    >>> bool(abs((radii < 20.0).mean() - einasto_mass(20.0, 20.0, 1.0) / einasto_mass(200.0, 20.0, 1.0)) < 0.02)
    True
    """
    a, edge = _arguments(outer, rs, alpha)
    share = rng.uniform(0.0, gammainc(a, edge), number)
    return np.asarray(rs * (gammaincinv(a, share) * alpha / 2.0) ** (1.0 / alpha))


def fit_einasto(
    edges: ArrayLike, density: ArrayLike, error: ArrayLike, used: ArrayLike | None = None, *, alpha: float | None = None
) -> EinastoFit:
    """The most likely Einasto profiles for counts of particles in shells, thousands of halos at once.

    The likelihood is that of :func:`triptych.halos.fit_nfw`; the model is integrated over each shell by a Gauss-Legendre sum of
    6 points in ln r, so that parameters are exact to 1e-6 where shells are narrower than a factor of 2. rho_s is eliminated in
    closed form; for a given alpha the likelihood has one maximum in ln rs, and alpha is where the derivative along these maxima
    vanishes.

    Parameters
    ----------
    edges : (halo, edge), radii between the shells; or (edge,), the same for all.
    density : (halo, shell), mean density of each shell, 0 if empty; or (shell,), a single profile.
    error : like density, its standard deviation; in an empty shell the density of one particle.
    used : like density, False in shells that do not enter the fit (there density and error may be anything); None uses all.
    alpha : the shape parameter, held fixed, from 0.001 to 1; None fits it, between 0.02 and 0.7.

    Returns
    -------
    EinastoFit
        With `problem` set, and NaN, where fewer than three shells hold particles, the scale radius lies beyond 30 times the range
        of the shells, or alpha beyond its own.

    Raises
    ------
    ConfigError
        If the shapes do not fit together, edges or errors are not positive, or alpha lies outside.

    Notes
    -----
    About 60 us a halo with 15 shells (10 us with fixed alpha), O(shells), on one core; the first call ever compiles for 10 s.

    Examples
    --------
    >>> import numpy as np
    >>> edges = np.geomspace(10.0, 200.0, 16)
    >>> density = einasto_shells(edges, np.array([25.0, 40.0]), np.array([1e6, 2e6]), np.array([0.16, 0.22]))
    >>> fit = fit_einasto(edges, density, 0.1 * density)
    >>> fit.rs.round(6).tolist(), fit.alpha.round(6).tolist()
    ([25.0, 40.0], [0.16, 0.22])
    """
    if alpha is not None and not 1e-3 <= alpha <= 1:
        raise ConfigError(
            "alpha is impossible", got=alpha, expected="0.001 to 1", fix="0.16 is that of average halos; None fits it"
        )
    fit = most_likely(edges, density, error, used, ALPHAS if alpha is None else (alpha, alpha))
    rs_error, rho_s_error = fit.rs * fit.errors[:, 0], fit.rho_s * fit.errors[:, 1]
    alpha_error = fit.errors[:, 2] if alpha is None else 0.0 * fit.alpha
    parameters = (fit.rs, rs_error, fit.rho_s, rho_s_error, fit.alpha, alpha_error)
    columns: tuple[Any, ...] = (*parameters, fit.correlation, fit.deviance, fit.dof, fit.problem, fit.resolved)
    return EinastoFit(*(column.item() if fit.single else column for column in columns))
