"""How many halos of each mass there should be.

In: masses and a cosmology. Out: the mass function of Tinker et al. (2008) by colossus.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.halos.cosmology import Cosmology


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What the linear power spectrum needs beside the background.

    Attributes
    ----------
    sigma8, spectral_index, omega_baryon : amplitude, tilt, and density parameter of baryons today (for the transfer function of
        Eisenstein & Hu 1998). The defaults are those of Planck 2015 (arXiv:1502.01589, TT,TE,EE+lowP+lensing+ext).
    """

    sigma8: float = 0.8159
    spectral_index: float = 0.9667
    omega_baryon: float = 0.0486


def tinker08(masses: ArrayLike, *, cosmology: Cosmology, power: Power, redshift: float = 0.0) -> NDArray[np.float64]:
    """Number dn / dln M of M200m halos, per comoving (kpc/h)^3; Tinker et al. (2008), arXiv:0803.2706, by colossus.

    `masses` in Msun/h, any shape.

    Examples
    --------
    >>> planck = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
    >>> density = tinker08([1e11, 1e13], cosmology=planck, power=Power())
    >>> [f"{number:.2e}" for number in density * 1e9]  # per (Mpc/h)^3
    ['3.16e-02', '5.29e-04']
    """
    from colossus.lss import mass_function

    with in_colossus(cosmology, power):
        found = mass_function.massFunction(
            np.asarray(masses, dtype=np.float64), redshift, q_in="M", q_out="dndlnM", mdef="200m", model="tinker08"
        )
    return np.asarray(found, dtype=np.float64) / 1e9


def peak_height(masses: ArrayLike, *, cosmology: Cosmology, power: Power, redshift: float = 0.0) -> NDArray[np.float64]:
    """Nu = 1.686 / sigma(M, z), the shape of `masses` (Msun/h), by colossus."""
    from colossus.lss import peaks

    with in_colossus(cosmology, power):
        return np.asarray(peaks.peakHeight(np.asarray(masses, dtype=np.float64), redshift), dtype=np.float64)


@contextmanager
def in_colossus(cosmology: Cosmology, power: Power) -> Iterator[None]:
    """Let colossus, which has one cosmology for the whole process, work in ours, and leave it as it was."""
    from colossus.cosmology import cosmology as theirs

    before = theirs.current_cosmo
    theirs.setCurrent(
        theirs.Cosmology(
            "triptych",
            flat=bool(np.isclose(cosmology.omega_matter + cosmology.omega_lambda, 1.0)),
            Om0=cosmology.omega_matter,
            Ode0=cosmology.omega_lambda,
            Ob0=power.omega_baryon,
            H0=100.0 * cosmology.hubble,
            sigma8=power.sigma8,
            ns=power.spectral_index,
            relspecies=False,
            persistence="",
        )
    )
    try:
        yield
    finally:
        theirs.current_cosmo = before
