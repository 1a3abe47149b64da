from __future__ import annotations

import numpy as np
import pytest

from triptych.halos import measure, sample_data
from triptych.halos.plots import plot_concentrations, plot_profiles


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
