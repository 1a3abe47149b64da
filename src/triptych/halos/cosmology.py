"""The background that every station stands on.

In: the density parameters of a run. Out: mean and critical density, expansion rate, age, and the time to cross a halo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad_vec

from triptych.errors import DataError

MPC_IN_KM = 3.0856775814913673e19
SOLAR_GM = 1.3271244e11  # nominal G M_sun in km^3 s^-2, IAU 2015 resolution B3
GYR_IN_S = 3.15576e16  # Julian years

#: Critical density today in Msun h^2 / kpc^3: 3 H0^2 / (8 pi G) with H0 = 100 h km/s/Mpc. G enters only through G M_sun.
CRITICAL_DENSITY = 3.0 * (100.0 / MPC_IN_KM) ** 2 / (8.0 * np.pi * SOLAR_GM) * (MPC_IN_KM / 1e3) ** 3

HALO_OVERDENSITY = 200.0  # against the mean density: the crossing time is that of a 200m halo


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosmology:
    """Matter, a cosmological constant and, where the two do not sum to one, curvature; radiation is left out, as in GADGET-4.

    Attributes
    ----------
    omega_matter, omega_lambda : density parameters today.
    hubble : H0 / (100 km/s/Mpc).

    Raises
    ------
    DataError
        If the matter density or the expansion rate is not positive.

    Examples
    --------
    >>> planck = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
    >>> f"{planck.dynamical_time(0.0):.3f} Gyr, age {planck.age(0.0):.2f} Gyr"
    '5.194 Gyr, age 13.81 Gyr'
    """

    omega_matter: float
    omega_lambda: float
    hubble: float

    def __post_init__(self) -> None:
        for name in ("omega_matter", "hubble"):
            if not getattr(self, name) > 0:
                raise DataError(
                    f"{name} cannot be", got=getattr(self, name), expected="> 0", fix="look at the parameters of the run"
                )

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Cosmology:
        """From the attributes of a table of halos or of histories."""
        return cls(**{one.name: float(attributes[one.name]) for one in fields(cls)})

    @property
    def mean_density(self) -> float:
        """Mean comoving matter density in Msun h^2 / kpc^3; the same at all times."""
        return self.omega_matter * CRITICAL_DENSITY

    def expansion(self, redshift: ArrayLike) -> NDArray[np.float64]:
        """E(z) = H(z) / H0, the shape of `redshift`."""
        x = 1.0 + np.asarray(redshift, dtype=np.float64)
        curvature = 1.0 - self.omega_matter - self.omega_lambda
        return np.asarray(np.sqrt(self.omega_matter * x**3 + curvature * x**2 + self.omega_lambda))

    def matter_fraction(self, redshift: ArrayLike) -> NDArray[np.float64]:
        """Om(z): the density parameter of matter at that time, the shape of `redshift`."""
        x = 1.0 + np.asarray(redshift, dtype=np.float64)
        return np.asarray(self.omega_matter * x**3 / self.expansion(redshift) ** 2)

    def critical_density(self, redshift: ArrayLike) -> NDArray[np.float64]:
        """Critical density at that time in comoving units, Msun h^2 / kpc^3: rho_c0 E(z)^2 / (1 + z)^3."""
        x = 1.0 + np.asarray(redshift, dtype=np.float64)
        return np.asarray(CRITICAL_DENSITY * self.expansion(redshift) ** 2 / x**3)

    @property
    def hubble_time(self) -> float:
        """1 / H0 in Gyr."""
        return MPC_IN_KM / (100.0 * self.hubble * GYR_IN_S)

    def age(self, redshift: ArrayLike) -> NDArray[np.float64]:
        """Age of the universe in Gyr, the shape of `redshift`: the integral of da / (a H) from 0, to 1e-9."""
        end = 1.0 / (1.0 + np.asarray(redshift, dtype=np.float64))

        curvature = 1.0 - self.omega_matter - self.omega_lambda

        def integrand(share: float) -> NDArray[np.float64]:
            a = end * share ** (2.0 / 3.0)  # takes the root of the integrand at a = 0 away
            return np.asarray(end**1.5 / np.sqrt(self.omega_matter + curvature * a + self.omega_lambda * a**3))

        return np.asarray(self.hubble_time * 2.0 / 3.0 * quad_vec(integrand, 0.0, 1.0, epsrel=1e-10)[0])

    def dynamical_time(self, redshift: ArrayLike) -> NDArray[np.float64]:
        """The time to cross a halo, 2 r200m / v200m = 0.2 / (H(z) sqrt(Om(z))) in Gyr: the same for every halo.

        Page 4 of Lucie-Smith, Peiris & Pontzen (arXiv:2305.03077): with v^2 = G M / r and M = 4/3 pi r^3 200 rho_m it is
        2 / (10 H sqrt(Om)).
        """
        return np.asarray(
            2.0 / np.sqrt(HALO_OVERDENSITY / 2.0 * self.matter_fraction(redshift)) * self.hubble_time / self.expansion(redshift)
        )
