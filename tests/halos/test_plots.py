from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from triptych.halos import Cosmology, measure, sample_data
from triptych.halos.plots import history_figure, plot_concentrations, plot_degrees, plot_histories, plot_profiles


@pytest.fixture(scope="module")
def halos():
    return measure(sample_data(), min_particles=400)


def test_profiles_show_what_was_measured(halos):
    ax = plot_profiles(halos)
    lines = [line for line in ax.lines if len(line.get_xdata()) == halos.sizes["radius"]]
    assert len(lines) == halos.sizes["halo"]
    x = halos["r"][3] / halos["halo_radius"][3]
    expected = (x**2 * halos["density"][3] / halos.attrs["mean_density"]).to_numpy()
    expected[halos["counts"][3] == 0] = np.nan
    np.testing.assert_allclose(lines[3].get_ydata(), expected)
    assert ax.get_xscale() == ax.get_yscale() == "log"


@pytest.mark.parametrize("definition", ["200m", "200c", "vir"])
def test_labels_name_the_mass_definition(definition):
    some = measure(sample_data("tiny32"), mass_definition=definition)
    profiles, concentrations = plot_profiles(some), plot_concentrations(some)
    for label in (profiles.get_xlabel(), profiles.get_ylabel(), concentrations.get_ylabel()):
        assert rf"r_{{\mathrm{{{definition}}}}}" in label
    assert rf"M_{{\mathrm{{{definition}}}}}" in concentrations.get_xlabel()


def test_concentrations_show_every_fit_once(halos):
    ax = plot_concentrations(halos)
    shown = np.concatenate([container.lines[0].get_ydata() for container in ax.containers])
    fitted = halos["concentration"].to_numpy()
    np.testing.assert_allclose(np.sort(shown), np.sort(fitted[np.isfinite(fitted)]))
    assert "Msun" not in ax.get_xlabel() and "M_" in ax.get_xlabel()


@pytest.fixture
def histories():
    """Five power laws of a matter-only universe, one of them lost at two outputs, nothing known at the first output."""
    a = np.geomspace(0.2, 1.0, 12)
    exponents = np.array([0.5, 1.0, 1.5, 2.0, 2.5])
    mass = 1e13 * a ** exponents[:, None]
    mass[:, 0], mass[2, 4:6] = np.nan, np.nan
    gamma = np.where(np.isfinite(mass), exponents[:, None], np.nan)
    universe = Cosmology(omega_matter=1.0, omega_lambda=0.0, hubble=0.7)
    both = ("halo", "output")
    return xr.Dataset(
        {
            "relative_mass": (both, mass / mass[:, -1:]),
            "gamma": (both, gamma),
            "redshift": ("output", 1 / a - 1),
            "age": ("output", universe.age(1 / a - 1)),
        },
        attrs={"mass_definition": "200c", "gamma_definition": "dk14", "omega_matter": 1.0, "omega_lambda": 0.0, "hubble": 0.7},
    )


@pytest.mark.parametrize("quantity", ["relative_mass", "gamma"])
def test_histories_show_every_halo_and_the_median(histories, quantity):
    ax = plot_histories(histories, quantity)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 12]
    assert len(lines) == 5
    hubble_time = 9.778 / 0.7
    lookback = hubble_time * 2 / 3 * (1 - np.geomspace(0.2, 1.0, 12) ** 1.5)
    for line, values in zip(lines, histories[quantity].to_numpy(), strict=True):
        np.testing.assert_allclose(line.get_xdata(), lookback, rtol=1e-3, atol=1e-9)
        np.testing.assert_array_equal(line.get_ydata(), values)
    (median,) = [line for line in ax.lines if line.get_label() == "median"]
    np.testing.assert_allclose(median.get_xdata(), lookback[1:], rtol=1e-3, atol=1e-9)  # nothing is known at the first output
    assert median.get_ydata()[6] == pytest.approx(np.median(histories[quantity].to_numpy()[:, 7]))
    (mark,) = [line for line in ax.lines if line.get_label() == "one dynamical time"]
    assert mark.get_xdata()[0] == pytest.approx(0.2 * hubble_time, rel=1e-3)
    assert "200c" in ax.get_ylabel() and ax.get_xlim()[0] > ax.get_xlim()[1]


def test_histories_without_any_rate_can_be_shown(histories):
    histories["gamma"][:] = np.nan
    left, right = history_figure(histories).axes
    assert left.get_yscale() == "log" and "dk14" in right.get_ylabel()


def test_degrees_of_freedom_are_shown_beside_noise():
    ax = plot_degrees(np.array([30.0, 5.0, 1.0]))
    curve, noise = ax.lines
    assert curve.get_xydata().tolist() == [[1, 30], [2, 5], [3, 1]]
    assert list(noise.get_ydata()) == [1.0, 1.0] and noise.get_label() == "noise alone"
