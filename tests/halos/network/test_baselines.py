"""Baselines: the same profiles by quadrature and by least squares."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad

from tests.halos.network import curves
from triptych.errors import ConfigError, DataError
from triptych.halos import einasto_density, nfw_density
from triptych.halos.network.baselines import Prediction, baselines, table_of_accuracy
from triptych.runs import Run

COMPONENTS = 2
RADIUS = 160.0  # of all halos; the last shells end beyond it


@pytest.fixture(scope="module")
def fitted(data):
    """The small data set with fits of known parameters, some of which failed."""
    number = len(data.table["mass"])
    rng = np.random.default_rng(0)
    edges = np.broadcast_to(np.geomspace(15.0, 250.0, 7), (number, 7))
    numbers = {
        "rs": rng.uniform(10.0, 60.0, number),
        "rho_s": rng.uniform(1e5, 1e7, number),
        "einasto_rs": rng.uniform(10.0, 60.0, number),
        "einasto_rho_s": rng.uniform(1e5, 1e7, number),
        "einasto_alpha": rng.uniform(0.1, 0.3, number),
    }
    numbers["rs"][3], numbers["einasto_alpha"][4] = np.nan, np.nan
    table = data.table.assign({name: ("halo", values) for name, values in numbers.items()})
    table = table.assign(r_edge=(("halo", "edge"), edges), radius=("halo", np.full(number, RADIUS)))
    copy = replace(data)
    copy.__dict__["table"] = table  # in place of what is read from the file
    return copy


@pytest.fixture(scope="module")
def found(fitted, tmp_path_factory):
    run = Run(path=tmp_path_factory.mktemp("run"), id="test")
    settings = curves.settings()
    made = baselines(fitted, settings, np.arange(10), components=COMPONENTS, rng=np.random.default_rng(0), run=run)
    return made, run


@pytest.mark.parametrize(("name", "failed", "numbers"), [("nfw", 3, 2), ("einasto", 4, 3)])
def test_fits_are_means_over_shells(fitted, found, name, failed, numbers):
    table, (made, _) = fitted.table, found
    assert made[name].numbers == numbers
    mean = fitted.attributes.cosmology.mean_density
    for row in range(10):
        one = table.isel(halo=row)
        for bin, (inner, outer) in enumerate(zip(one["r_edge"].values[:-1], one["r_edge"].values[1:], strict=True)):
            if row == failed or outer > RADIUS:
                assert np.isnan(made[name].log_density[row, bin])
                continue

            def density(r, one=one):
                if name == "nfw":
                    return nfw_density(r, one["rs"].item(), one["rho_s"].item())
                parameters = (one[f"einasto_{which}"].item() for which in ("rs", "rho_s", "alpha"))
                return einasto_density(r, *parameters)

            mass, _ = quad(lambda r: 4 * np.pi * r**2 * density(r), inner, outer)
            volume = 4 / 3 * np.pi * (outer**3 - inner**3)
            assert made[name].log_density[row, bin] == pytest.approx(np.log10(mass / volume / mean), abs=1e-8)


def test_principal_components_leave_the_small_eigenvalues(fitted):
    """In the training halos the mean square of what is left is the sum of the other eigenvalues of their covariance."""
    rows = fitted.rows("training")
    measured = fitted.table["log_density"].to_numpy()[rows]
    eigenvalues = np.linalg.eigvalsh(np.cov(measured.T, bias=True))[::-1]
    for components in (0, 1, 3, measured.shape[1]):
        made = only_components(fitted, rows, components)
        left = ((made.log_density - measured) ** 2).mean(axis=0).sum()
        assert left == pytest.approx(eigenvalues[components:].sum(), abs=1e-12)
        assert made.numbers == components


def test_principal_components_are_those_of_training_halos(fitted):
    """Test halos are projected by least squares on directions that they do not change."""
    rows = fitted.rows("test")
    measured = fitted.table["log_density"].to_numpy()
    training = measured[fitted.rows("training")]
    vectors = np.linalg.eigh(np.cov(training.T))[1][:, -COMPONENTS:]
    beyond = measured[rows] - training.mean(axis=0)
    weights = np.linalg.lstsq(vectors, beyond.T, rcond=None)[0]
    np.testing.assert_allclose(
        only_components(fitted, rows, COMPONENTS).log_density, training.mean(axis=0) + (vectors @ weights).T, atol=1e-10
    )


def test_a_number_of_components_that_cannot_be(fitted):
    for components in (-1, 7):
        with pytest.raises(ConfigError, match="principal components"):
            baselines(fitted, curves.settings(), np.arange(3), components=components, rng=np.random.default_rng(0))


def test_the_autoencoder_sees_the_profile_alone(data, fitted, found):
    """It is trained in its own name, and a data set without particles gives the same."""
    made, run = found
    assert (run.path / "profile-autoencoder-1.eqx").exists() and not (run.path / "profile-autoencoder-2.eqx").exists()
    one = made["profile autoencoder"]
    assert np.isfinite(one.log_density).all() and 0 <= one.numbers <= 3
    blind = replace(fitted)
    blind.__dict__["table"] = fitted.table.drop_vars(["sphere/counts", "sphere/edge"])
    again = baselines(blind, curves.settings(), np.arange(10), components=0, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again["profile autoencoder"].log_density, one.log_density)


@pytest.fixture
def sides():
    """Two networks, and a fit that knows one bin of half of the halos."""
    number, bins = 40, 3
    rng = np.random.default_rng(1)
    data = SimpleNamespace(table=xr.Dataset({"log_density": (("halo", "shell"), rng.normal(size=(number, bins)))}))
    rows = np.arange(5, 35)
    halos = rows[2:]  # as if two had an empty bin
    predicted = data.table["log_density"].to_numpy()[halos] + rng.normal(size=(2, len(halos), bins))
    judged = xr.Dataset(
        {"predicted": (("network", "halo", "bin"), predicted), "active": ("network", [3, 2])},
        coords={"network": [1, 2], "halo": halos},
    )
    fit = np.full((len(rows), bins), np.nan)
    fit[::2, 0] = data.table["log_density"].to_numpy()[rows][::2, 0] + 0.5
    return judged, {"fit": Prediction(fit, 2)}, data, rows


def test_networks_and_baselines_stand_side_by_side(sides):
    judged, others, data, rows = sides
    records = {record["name"]: record for record in table_of_accuracy(judged, others, data, rows)}
    assert list(records) == ["network 1", "network 2", "fit"]
    off = judged["predicted"].to_numpy() - data.table["log_density"].to_numpy()[rows[2:]]
    for k in (0, 1):
        one = records[f"network {k + 1}"]
        assert (one["halos"], one["numbers"]) == (28, [3, 2][k])
        assert one["rms"] == pytest.approx(np.sqrt((off[k] ** 2).mean()))
        assert one["worst_bias"] == pytest.approx(np.abs(off[k].mean(axis=0)).max())
        assert one["shared_rms"] == pytest.approx(np.sqrt((off[k, ::2, 0] ** 2).mean()))
    fit = records["fit"]
    assert (fit["rms"], fit["worst_bias"], fit["shared_rms"]) == pytest.approx((0.5, 0.5, 0.5))
    assert (fit["halos"], fit["numbers"]) == (14, 2) and np.isnan(fit["rms_true"])


def test_other_halos_are_refused(sides):
    judged, others, data, rows = sides
    with pytest.raises(DataError, match="judged by other halos"):
        table_of_accuracy(judged, {"fit": Prediction(others["fit"].log_density[:20], 2)}, data, rows[:20])


def only_components(data, rows, components):
    return baselines(data, curves.settings(), rows, components=components, rng=np.random.default_rng(0))["pca"]
