from __future__ import annotations

import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus

from triptych.errors import DataError
from triptych.halos import CRITICAL_DENSITY, Cosmology

PLANCK = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
REDSHIFTS = np.array([0.0, 0.1, 0.5, 1.0, 7.0])


def test_the_critical_density_is_that_of_the_constants():
    newton, sun, mpc = 6.67430e-11, 1.98841e30, 3.0856775814913673e22
    expected = 3 * (1e5 / mpc) ** 2 / (8 * np.pi * newton) / sun * (mpc / 1e3) ** 3
    assert pytest.approx(expected, rel=1e-5) == CRITICAL_DENSITY
    assert pytest.approx(277.536627, rel=1e-8) == CRITICAL_DENSITY


@pytest.mark.parametrize("omega_lambda", [0.6911, 0.5])
def test_times_and_densities_are_those_of_colossus(omega_lambda):
    ours = Cosmology(omega_matter=0.3089, omega_lambda=omega_lambda, hubble=0.6774)
    parameters = {"flat": False, "H0": 67.74, "Om0": 0.3089, "Ode0": omega_lambda, "Ob0": 0.05, "sigma8": 0.8, "ns": 0.96}
    theirs = colossus.Cosmology("test", relspecies=False, interpolation=False, persistence="", **parameters)
    np.testing.assert_allclose(ours.age(REDSHIFTS), theirs.age(REDSHIFTS), rtol=1e-4)  # their Gyr and Mpc are rounded
    np.testing.assert_allclose(ours.expansion(REDSHIFTS), theirs.Ez(REDSHIFTS), rtol=1e-10)
    np.testing.assert_allclose(ours.matter_fraction(REDSHIFTS), theirs.Om(REDSHIFTS), rtol=1e-10)
    np.testing.assert_allclose(ours.critical_density(REDSHIFTS) * (1 + REDSHIFTS) ** 3, theirs.rho_c(REDSHIFTS), rtol=1e-5)


def test_matter_alone_is_two_thirds_of_the_hubble_time_old():
    empty = Cosmology(omega_matter=1.0, omega_lambda=0.0, hubble=0.7)
    np.testing.assert_allclose(empty.age(REDSHIFTS), 2 / 3 * empty.hubble_time * (1 + REDSHIFTS) ** -1.5, rtol=1e-9)


def test_the_dynamical_time_is_a_crossing_of_the_halo():
    radius = 150.0
    for redshift in REDSHIFTS:  # v = sqrt(G M / r), in kpc/h comoving and km/s
        mass = 4 / 3 * np.pi * radius**3 * 200 * PLANCK.mean_density
        physical = radius / (1 + redshift)
        velocity = np.sqrt(4.30091e-6 * mass / physical)
        gyr = 2 * physical / PLANCK.hubble / velocity * 3.0856776e16 / 3.15576e16
        assert PLANCK.dynamical_time(redshift) == pytest.approx(gyr, rel=1e-4)
    np.testing.assert_allclose(PLANCK.dynamical_time([0, 0.1, 0.2, 0.5, 1.0]), [5.194, 4.50, 3.95, 2.83, 1.84], atol=0.006)


def test_a_universe_without_matter_is_refused():
    with pytest.raises(DataError, match="omega_matter cannot be"):
        Cosmology(omega_matter=0.0, omega_lambda=1.0, hubble=0.7)
