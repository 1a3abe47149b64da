"""The sixth station: the profile in two numbers.

In: density profiles in shells with errors. Out: scale radii and densities of NFW profiles, their errors, and how well they fit.
rho(r) = rho_s / [(r / rs) (1 + r / rs)^2], eq. (1) of Lucie-Smith, Peiris & Pontzen (arXiv:2305.03077).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.halos.structure.fits import Numbers, most_likely


class NFWFit(NamedTuple):
    """NFW profiles fitted to measured ones: arrays (halo,), or plain numbers where a single profile was given.

    Attributes
    ----------
    rs, rs_error : scale radius and its standard deviation, in the unit of the edges; NaN where the fit failed.
    rho_s, rho_s_error : characteristic density and its standard deviation, in the unit of the density.
    correlation : of the errors of ln rs and ln rho_s.
    deviance : twice the log-likelihood lost against a perfect fit; distributed as chi-squared for many particles a shell.
    dof : shells minus two.
    problem : why the fit failed; empty where it did not.
    resolved : the scale radius lies inside the shells used: nothing is extrapolated.
    """

    rs: NDArray[np.float64]
    rs_error: NDArray[np.float64]
    rho_s: NDArray[np.float64]
    rho_s_error: NDArray[np.float64]
    correlation: NDArray[np.float64]
    deviance: NDArray[np.float64]
    dof: NDArray[np.int64]
    problem: NDArray[np.object_]
    resolved: NDArray[np.bool_]


def nfw_density(r: ArrayLike, rs: Numbers, rho_s: Numbers) -> NDArray[np.float64]:
    """The NFW density at radius r, eq. (1) of arXiv:2305.03077; units as those of rs and rho_s.

    Examples
    --------
    >>> float(nfw_density(2.0, rs=2.0, rho_s=4.0))
    1.0
    """
    x = np.asarray(r, dtype=np.float64) / rs
    return np.asarray(rho_s / (x * (1 + x) ** 2))


def nfw_mass(r: ArrayLike, rs: Numbers, rho_s: Numbers) -> NDArray[np.float64]:
    """The mass inside r: 4 pi rho_s rs^3 [ln(1 + x) - x / (1 + x)], x = r / rs, the integral of eq. (1).

    Examples
    --------
    >>> round(float(nfw_mass(1.0, rs=1.0, rho_s=1.0)), 6)  # 4 pi (ln 2 - 1/2)
    2.427159
    """
    return np.asarray(4.0 * np.pi * rho_s * rs**3 * _mass_shape(np.asarray(r, dtype=np.float64) / rs))


def nfw_shells(edges: ArrayLike, rs: Numbers, rho_s: Numbers) -> NDArray[np.float64]:
    """The mean density (shell,) in shells between the radii `edges` (edge,): enclosed mass over volume, no midpoint taken.

    With rs and rho_s (halo,), and edges (edge,) or (halo, edge), that of many halos, (halo, shell).

    Examples
    --------
    >>> thin = nfw_shells([1.999, 2.001], rs=2.0, rho_s=4.0)
    >>> round(float(thin[0]), 5)
    1.0
    """
    r = np.asarray(edges, dtype=np.float64)
    mass = nfw_mass(r, np.asarray(rs)[..., None], np.asarray(rho_s)[..., None])
    return np.asarray(np.diff(mass) / (4.0 / 3.0 * np.pi * np.diff(r**3)))


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


def fit_nfw(edges: ArrayLike, density: ArrayLike, error: ArrayLike, used: ArrayLike | None = None) -> NFWFit:
    """The most likely NFW profiles for counts of particles in shells, thousands of halos at once.

    The density over its Poisson error, squared, is a count N; the model predicts mu by integrating eq. (1) over the shell. The
    fit minimises the deviance 2 sum [mu - N + N ln(N / mu)]. Where N is large this is the least-squares fit of ln density
    with Poisson weights, sum N (ln N - ln mu)^2; unlike that it stays unbiased for shells with few particles, and an empty
    shell counts as what it is. The most likely rho_s for a given rs is known in closed form, so that the fit is a
    search for one root in ln rs: no starting values, no tolerance to tune. Errors are those of the Fisher matrix.

    Parameters
    ----------
    edges : (halo, edge), radii between the shells; or (edge,), the same for all.
    density : (halo, shell), mean density of each shell, 0 if empty; or (shell,), a single profile.
    error : like density, its standard deviation; in an empty shell the density of one particle.
    used : like density, False in shells that do not enter the fit (there density and error may be anything); None uses all.

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
    About 4 us a halo with 15 shells, O(shells), on one core, and some 100 bytes a shell; the first call ever compiles for 10 s.

    Examples
    --------
    >>> import numpy as np
    >>> edges, rs = np.geomspace(10.0, 200.0, 16), np.array([25.0, 40.0, 60.0])
    >>> density = nfw_shells(edges, rs, rho_s=np.full(3, 1e6))
    >>> fit = fit_nfw(edges, density, 0.1 * density)
    >>> fit.rs.round(6).tolist(), fit.rho_s.round(1).tolist()
    ([25.0, 40.0, 60.0], [1000000.0, 1000000.0, 1000000.0])
    >>> one = fit_nfw(edges, density[0], 0.1 * density[0])
    >>> f"{one.rs:.6f}", one.dof, one.problem
    ('25.000000', 13, '')
    """
    fit = most_likely(edges, density, error, used, (0.0, 0.0))
    parameters = (fit.rs, fit.rs * fit.errors[:, 0], fit.rho_s, fit.rho_s * fit.errors[:, 1])
    columns: tuple[Any, ...] = (*parameters, fit.correlation, fit.deviance, fit.dof, fit.problem, fit.resolved)
    return NFWFit(*(column.item() if fit.single else column for column in columns))
