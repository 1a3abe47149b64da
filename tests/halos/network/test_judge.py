"""What networks are judged by: residuals counted by hand, and latents whose information is known in closed form."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.halos.network import curves
from triptych.errors import DataError
from triptych.halos.network import Posterior
from triptych.halos.network.judge import accuracy, judge, own_latents, pair_information, quantities, stability
from triptych.information import Settings

HALOS, BINS = 600, 4
QUICK = Settings(bootstraps=10, permutations=20, starts=2, max_components=4)
SCALE_FACTOR = np.geomspace(0.125, 1.0, 30)
ROWS = np.arange(HALOS)


def known(**columns):
    """A data set of halos whose masses grew as a^2 or a^3; the measured profile is 1, the true one 2."""
    rng = np.random.default_rng(0)
    growth = rng.choice([2.0, 3.0], HALOS)
    table = {
        "mass": ("halo", 10 ** rng.normal(12.0, 0.3, HALOS)),
        "concentration": ("halo", rng.normal(10.0, 1.0, HALOS)),
        "history/scale_factor": ("output", SCALE_FACTOR),
        "history/mass": (("halo", "output"), 1e12 * SCALE_FACTOR ** growth[:, None]),
        "history/gamma_dynamical": (("halo", "output"), np.repeat(growth[:, None], 30, axis=1) + np.arange(30.0)),
        "history/gamma_consecutive": (("halo", "output"), rng.normal(size=(HALOS, 30))),
        "truth/truncation": ("halo", rng.normal(size=HALOS)),
        "truth/log_density": (("halo", "shell"), np.full((HALOS, BINS), 2.0)),
        "log_density": (("halo", "shell"), np.full((HALOS, BINS), 1.0)),
        "r": (("halo", "shell"), np.tile(np.geomspace(10.0, 80.0, BINS), (HALOS, 1))),
        **columns,
    }
    left = xr.Dataset({name: values for name, values in table.items() if values is not None})
    return SimpleNamespace(table=left, attributes=SimpleNamespace(source="mock", kind="infall"), growth=growth)


def posterior(*means, sigma=0.1):
    """Latents with these means, and one more that is at the prior."""
    mean = np.column_stack([*means, np.zeros(len(means[0]))])
    width = np.full(mean.shape, sigma)
    width[:, -1] = 1.0
    return Posterior(mean, width)


def network(seen, config="the same"):
    """It knows its latents by heart, and predicts 0.1 dex too much."""
    return SimpleNamespace(
        config=SimpleNamespace(latents=seen.mean.shape[1], name=config),
        examples=lambda data: data,
        encode=lambda _, rows: Posterior(seen.mean[rows], seen.sigma[rows]),
        predict=lambda posterior, r, rng: np.full((3, *r.shape), 1.1),
    )


def pair(rho, number=HALOS, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=number)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=number)


def information(rho):
    """Of two normal variables, nats."""
    return -0.5 * np.log(1 - rho**2)


def test_quantities_are_those_of_the_last_output():
    data = known()
    rows = np.arange(100, 400)
    found = quantities(data, rows)
    assert list(found) == [
        *("log_mass", "concentration", "formation_redshift", "gamma_dynamical", "gamma_consecutive", "true_truncation")
    ]
    np.testing.assert_allclose(10 ** found["log_mass"], data.table["mass"][rows])
    np.testing.assert_allclose(found["formation_redshift"], 2 ** (1 / data.growth[rows]) - 1)  # M(a) = a^growth is 1/2
    np.testing.assert_array_equal(found["gamma_dynamical"], data.growth[rows] + 29)


def test_without_a_past_there_are_mass_and_concentration():
    data = known(**{name: None for name in known().table if name.startswith(("history", "truth"))})
    assert list(quantities(data, ROWS)) == ["log_mass", "concentration"]


def test_accuracy_counted_by_hand():
    rng = np.random.default_rng(2)
    measured, off = rng.normal(size=(2, HALOS, BINS))
    truth = measured + 0.3
    data = known(**{"log_density": (("halo", "shell"), measured), "truth/log_density": (("halo", "shell"), truth)})
    off[10:20] = np.nan  # a fit that failed
    off[30, 1] = np.nan  # a bin beyond its reach
    seen = accuracy(measured + off, data, ROWS)
    left = off[np.isfinite(off)]
    assert seen.halos == HALOS - 10
    assert seen.rms == pytest.approx(np.sqrt((left**2).sum() / left.size))
    assert seen.rms_true == pytest.approx(np.sqrt(((left - 0.3) ** 2).mean()))
    for k in range(BINS):
        column = np.sort([one for one in off[:, k] if one == one])
        assert seen.bias[k] == pytest.approx(column.sum() / len(column))
        assert (column < seen.lower[k]).mean() == pytest.approx(0.05, abs=0.002)
        assert (column > seen.upper[k]).mean() == pytest.approx(0.05, abs=0.002)


def test_draws_widen_the_band_and_are_averaged():
    """Draws of width 0.3 about profiles that scatter by 0.4: a band of width 0.5, and an rms of the mean alone."""
    rng = np.random.default_rng(3)
    centre = 1.0 + 0.02 + 0.4 * rng.normal(size=(HALOS, BINS))
    noise = 0.3 * rng.normal(size=(64, HALOS, BINS))
    draws = centre + noise - noise.mean(axis=0)
    many, one = accuracy(draws, known(), ROWS), accuracy(centre, known(), ROWS)
    assert (many.rms, many.rms_true) == pytest.approx((one.rms, one.rms_true))
    np.testing.assert_allclose(many.bias, one.bias, atol=1e-12)
    z = stats.norm.ppf(0.95)
    error = 4 * 0.5 * np.sqrt(0.05 * 0.95 / HALOS) / stats.norm.pdf(z)
    np.testing.assert_allclose(many.upper - many.bias, 0.5 * z, atol=error)
    np.testing.assert_allclose(many.lower - many.bias, -0.5 * z, atol=error)


def test_bins_that_nothing_predicts_are_left_out():
    off = np.zeros((HALOS, BINS))
    off[:, -1] = np.nan
    seen = accuracy(1.0 + off, known(), ROWS)
    assert (seen.rms, seen.rms_true, seen.halos) == (0.0, 1.0, HALOS)
    np.testing.assert_array_equal(np.isnan(seen.bias), [False, False, False, True])


def test_without_truth_there_is_no_rms_to_it():
    seen = accuracy(np.ones((HALOS, BINS)), known(**{"truth/log_density": None}), ROWS)
    assert seen.rms == 0.0 and np.isnan(seen.rms_true)


def test_accuracy_of_nothing_is_not_known_and_other_shapes_are_refused():
    nothing = accuracy(np.full((HALOS, BINS), np.nan), known(), ROWS)
    assert nothing.halos == 0 and np.isnan([nothing.rms, nothing.rms_true, *nothing.bias]).all()
    with pytest.raises(DataError, match="differ in shape"):
        accuracy(np.ones((HALOS, BINS + 1)), known(), ROWS)


def test_information_of_two_latents_is_that_of_normal_variables():
    value, error = pair_information(posterior(*pair(0.6)), rng=np.random.default_rng(1), settings=QUICK)
    assert abs(value[0, 1] - information(0.6)) < 4 * error[0, 1] < 0.4
    np.testing.assert_array_equal(value, value.T)
    np.testing.assert_array_equal(np.isnan(value), ~np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool))


def test_width_blurs_both_latents():
    """Variances 1 + 1/4 each, so that the correlation falls from 0.9 to 0.9 / 1.25."""
    value, error = pair_information(
        posterior(*pair(0.9, 1500), sigma=0.5), rng=np.random.default_rng(1), settings=QUICK, width=True
    )
    assert abs(value[0, 1] - information(0.9 / 1.25)) < 4 * error[0, 1] < 0.4


@pytest.fixture(scope="module")
def judged():
    """Mass is half hidden in the first latent, concentration in the second; some halos have no concentration."""
    mass, first = pair(0.8, seed=1)
    shape, second = pair(0.7, seed=2)
    shape[:50] = np.nan
    profiles = np.ones((HALOS, BINS))
    profiles[-7:, 0] = np.nan
    data = known(
        mass=("halo", 10**mass),
        concentration=("halo", shape),
        log_density=(("halo", "shell"), profiles),
        **{name: None for name in known().table if name.startswith(("history", "truth"))},
    )
    networks = [network(posterior(first, second)), network(posterior(-second, first))]
    table = judge(networks, data, ROWS, rng=np.random.default_rng(5), settings=QUICK)
    return table, {"log_mass": mass, "concentration": shape}, [first, second]


def test_the_table_knows_what_the_latents_know(judged):
    table, _, _ = judged
    assert dict(table.sizes) == {"network": 2, "latent": 3, "other": 3, "quantity": 2, "bin": BINS, "halo": HALOS - 7}
    assert table["active"].to_numpy().tolist() == [2, 2]
    for number, latent, quantity, rho in [(1, 0, "log_mass", 0.8), (1, 1, "concentration", 0.7), (2, 0, "concentration", 0.7)]:
        one = table.sel(network=number, latent=latent, quantity=quantity)
        assert abs(one["mi"].item() - information(rho)) < 4 * one["mi_error"].item() < 0.5
    assert abs(table["mi"].sel(network=1, latent=0, quantity="concentration").item()) < 0.03
    assert np.isnan(table["mi"].sel(latent=2)).all()  # at the prior


def test_correlations_are_spearmans(judged):
    table, values, latents = judged
    for quantity, held in values.items():
        some = np.isfinite(held) & (ROWS < HALOS - 7)
        for latent in (0, 1):
            expected = stats.spearmanr(latents[latent][some], held[some]).statistic
            assert table["correlation"].sel(network=1, latent=latent, quantity=quantity).item() == pytest.approx(expected)
    assert np.isnan(table["correlation"].sel(latent=2)).all()  # it does not change


def test_residuals_in_the_table(judged):
    table, _, _ = judged
    np.testing.assert_allclose(table["rms"], 0.1)
    np.testing.assert_allclose(table["bias"], 0.1)
    np.testing.assert_allclose(table["predicted"], 1.1)
    assert np.isnan(table["rms_true"]).all()


def test_mass_and_concentration_have_their_own_latents(judged):
    found = own_latents(judged[0], ("log_mass", "concentration"))
    assert found.latent.tolist() == [[0, 1], [1, 0]] and found.apart.all()


def test_a_latent_that_two_share_is_nobodys():
    mi = np.full((3, 3, 3), np.nan)
    mi[0] = np.diag([2.0, 1.0, 0.1]) + 0.01
    mi[1, :2] = [[2.0, 0.1, 0.3], [0.1, 1.0, 0.2]]  # the last latent is not active
    table = xr.Dataset({"mi": (("network", "latent", "quantity"), mi)}).assign_coords(
        quantity=["log_mass", "concentration", "gamma_dynamical"]
    )
    found = own_latents(table)
    assert found.latent.tolist() == [[0, 1, 2], [0, 1, 0], [-1, -1, -1]]
    assert found.apart.tolist() == [True, False, False]
    assert own_latents(table, ("log_mass",)).apart.tolist() == [True, True, False]
    with pytest.raises(DataError, match=r"(?s)not compared with this.*got: *gamma_dynamical"):
        own_latents(table.isel(quantity=[0, 1]))


def test_networks_of_several_ensembles_are_refused():
    one, other = network(posterior(*pair(0.0))), network(posterior(*pair(0.0)), config="another")
    for networks in ([], [one, other]):
        with pytest.raises(DataError, match="cannot be compared"):
            judge(networks, known(), ROWS, rng=np.random.default_rng(0))


def test_stability_of_networks():
    a, b, c = np.random.default_rng(4).normal(size=(3, HALOS))
    assert stability([posterior(a, b), posterior(-b, a), posterior(b, -a)]) == pytest.approx(1.0)
    assert stability([posterior(a, b), posterior(a + b, a - b)]) == pytest.approx(0.5**0.5, abs=0.05)
    together = posterior(a, b, c)
    assert stability([together, posterior(c, a, 1e-9 * b, sigma=1.0)]) == pytest.approx(2 / 3)  # the third is not active
    assert stability([posterior(a), posterior(b)]) < 0.2
    assert np.isnan(stability([together]))
    assert np.isnan(stability([posterior(1e-9 * a, sigma=1.0)] * 2))


def test_an_inactive_copy_does_not_take_the_place_of_the_active_one():
    a, b = np.random.default_rng(4).normal(size=(2, HALOS))
    mean = np.column_stack([0.05 * a, a, b])
    copy = Posterior(mean, np.column_stack([np.ones(HALOS), np.full((HALOS, 2), 0.1)]))
    assert stability([Posterior(mean[:, [1, 0, 2]], copy.sigma[:, [1, 0, 2]]), copy]) == pytest.approx(1.0)


def test_trained_networks_and_a_file(data, stems, tmp_path):
    rows = data.rows("training")
    table = judge(stems.networks, data, rows, rng=np.random.default_rng(0), settings=QUICK)
    for number, one in enumerate(stems.networks, 1):
        seen = one.encode(data, rows)
        expected = accuracy(one.decode(seen.mean, data.table["r"].to_numpy()[rows]), data, rows)
        assert table["rms"].sel(network=number).item() == pytest.approx(expected.rms, rel=0.1)  # nearly the mean over draws
    assert table.sizes["latent"] == curves.settings().latents
    table.to_netcdf(tmp_path / "results.nc")
    with xr.open_dataset(tmp_path / "results.nc") as again:
        xr.testing.assert_identical(again.load(), table)
