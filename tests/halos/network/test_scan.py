"""How many latents: what is trained, what is judged, and what is recommended."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from tests.halos.network import universe
from triptych.errors import ConfigError, DataError
from triptych.halos.degrees import degrees_of_freedom
from triptych.halos.network import EncoderConfig, LossConfig, NetworkConfig, OptimiserConfig, kl_of, train
from triptych.halos.network import scan as scanning
from triptych.halos.network.scan import by_beta, by_latents, linear_count, recommendation, scan
from triptych.information import Settings
from triptych.runs import Run

CONFIG = NetworkConfig(
    members=2,
    decoder=16,
    encoder=EncoderConfig(sees="profile", width=16),
    loss=LossConfig(beta=0.001),
    optimiser=OptimiserConfig(epochs=60, batch=28),
)
QUICK = Settings(bootstraps=10, permutations=20, starts=1, max_components=3)
DEAR = 100.0  # a price of a nat that no latent is worth
VALIDATION = 32


def write(path, *, test=0.0, validation=VALIDATION):
    """A data set whose test halos are denser by so many dex than they were measured."""

    def change(table, boxes):
        number = len(boxes)
        table["split"][:] = np.repeat([0, 1, 2], (number - validation - 8, validation, 8))
        table["simulation"][:] = table["split"] > 0
        table["log_density"][-8:] += test

    return universe.write(path, change=change)


def scanned(data, latents=(1, 2), betas=(DEAR,), **options):
    return scan(data, CONFIG, latents=latents, betas=betas, rng=np.random.default_rng(1), settings=QUICK, **options)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("scan") / "x.zarr")


@pytest.fixture(scope="module")
def table(data):
    return scanned(data)


def test_every_number_at_one_beta_and_every_beta_at_the_largest_number(table):
    settings = list(zip(table["latents"].values.tolist(), table["beta"].values.tolist(), strict=True))
    assert settings == [(1, 0.001), (2, 0.001), (2, DEAR)]
    assert by_latents(table)["latents"].values.tolist() == [1, 2]
    assert by_beta(table)["beta"].values.tolist() == [0.001, DEAR]
    assert table.attrs == {"beta": 0.001, "kind": "virial", "source": "mock", "noise": "counting"}


def test_networks_are_judged_on_validation_halos(data, table):
    """The same training by hand; the rms is that of the posterior's means, but for the noise of 32 draws."""
    ensemble = train(data, replace(CONFIG, latents=1))
    row = table.isel(setting=0)
    np.testing.assert_array_equal(row["loss"], ensemble.loss)
    rows = data.rows("validation")
    for member, network in enumerate(ensemble.networks):
        posterior = network.encode(data, rows)
        assert row["kl"][member, 0].item() == pytest.approx(kl_of(posterior)[0], rel=1e-6)
        off = network.decode(posterior.mean, data.table["r"].to_numpy()[rows]) - data.table["log_density"].to_numpy()[rows]
        assert row["rms"][member].item() == pytest.approx(np.sqrt((off**2).mean()), rel=0.03)


def test_latents_that_are_too_dear_are_not_used(table):
    cheap, dear = by_beta(table).isel(setting=0), by_beta(table).isel(setting=1)
    assert (dear["active"] == 0).all() and (dear["pair_mi"] == 0).all() and dear["kl"].max() < 0.1
    assert (cheap["active"] > 0).all() and cheap["rms"].max() < dear["rms"].min()
    assert 0 < cheap["stability"] <= 1 and np.isnan(dear["stability"])
    np.testing.assert_array_equal(table["active"], (table["kl"] > 0.1).sum("latent"))
    assert by_latents(table)["kl"][0, :, 1:].isnull().all() and (table["kl"].diff("latent").fillna(0) <= 0).all()


def test_the_largest_information_of_two_latents_counts(data, monkeypatch):
    pairs = np.array([[np.nan, 0.3, 0.1], [0.3, np.nan, 0.2], [0.1, 0.2, np.nan]])
    monkeypatch.setattr(scanning, "pair_information", lambda *_, **__: (pairs, 0.1 * pairs))
    assert (scanned(data, latents=(1,), betas=())["pair_mi"] == 0.3).all()


def test_test_halos_are_not_looked_at(data, tmp_path):
    one = {"latents": (1,), "betas": ()}
    xr.testing.assert_identical(scanned(write(tmp_path / "x.zarr", test=1.0), **one), scanned(data, **one))


def test_an_interrupted_scan_goes_on(data, table, tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    run, calls = Run(path=tmp_path, id="a scan"), []

    def dies(*args, **options):
        calls.append(options["name"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **options)

    monkeypatch.setattr(scanning, "train", dies)
    with pytest.raises(KeyboardInterrupt):
        scanned(data, run=run)
    monkeypatch.setattr(scanning, "train", train)
    before = len(run.history())
    xr.testing.assert_identical(scanned(data, run=run), table)
    assert {record.get("training", record.get("validation")) for record in run.history()[before:]} == {calls[2]}
    run.save("results.nc", table)
    xr.testing.assert_identical(run.load("results.nc"), table)


def test_what_cannot_be_scanned_is_refused(data, tmp_path):
    with pytest.raises(ConfigError, match="no number of latents"):
        scanned(data, latents=())
    with pytest.raises(ConfigError, match="latents cannot be"):
        scanned(data, latents=(0, 2))
    with pytest.raises(ConfigError, match="beta cannot be"):
        scanned(data, betas=(-1.0,))
    with pytest.raises(DataError, match="too few halos to judge by"):
        scanned(write(tmp_path / "x.zarr", validation=29))


def profiles(*, rng, halos=6000, shells=4):
    """Halos that differ along one direction, and are counted; the second half is not for training."""
    true = 3.0 + rng.normal(size=(halos, 1)) * np.linspace(0.1, 0.2, shells)
    per_density = 1e3 / 10**3.0
    counts = rng.poisson(10**true * per_density)
    measured = np.log10(counts / per_density)
    measured[halos // 2 :] = 0.0
    both = ("halo", "shell")
    table = xr.Dataset({"counts": (both, counts), "log_density": (both, measured), "truth/log_density": (both, true)})
    return table, lambda split: np.arange(halos // 2) if split == "training" else np.arange(halos // 2, halos)


def test_noise_is_measured_minus_true_or_that_of_counting():
    table, rows = profiles(rng=np.random.default_rng(2))
    known, told = linear_count(SimpleNamespace(table=table, rows=rows), rng=np.random.default_rng(3))
    first = slice(len(table["halo"]) // 2)
    measured, true = (table[name].to_numpy()[first] for name in ("log_density", "truth/log_density"))
    np.testing.assert_array_equal(known, degrees_of_freedom(measured, measured - true).ratio)
    unknown = table.drop_vars("truth/log_density")
    counted, says = linear_count(SimpleNamespace(table=unknown, rows=rows), rng=np.random.default_rng(3))
    np.testing.assert_allclose(counted, known, rtol=0.15)
    assert (told, says) == ("measured minus true", "counting")
    assert counted[0] > 50 and np.all(abs(counted[1:] - 1) < 0.15)


def made(rms, active, *, betas=(), degrees=(90.0, 4.0, 1.6, 1.2)):
    """The table of a scan: rms and active latents of the seeds for 1, 2, ... latents, and those at other betas."""
    numbers = [*range(1, len(rms) + 1), *[len(rms)] * len(betas)]
    used = [*active, *(count for _, count in betas)]
    rows = [*rms, *[rms[-1]] * len(betas)]
    members = len(active[0])
    return xr.Dataset(
        {
            "latents": ("setting", numbers),
            "beta": ("setting", [*[0.02] * len(rms), *(beta for beta, _ in betas)]),
            "rms": (("setting", "member"), np.repeat(np.array(rows)[:, None], members, axis=1)),
            "active": (("setting", "member"), np.array(used)),
            "degrees": ("degree", list(degrees)),
        },
        attrs={"beta": 0.02, "kind": "infall", "source": "mock", "noise": "counting"},
    )


def test_the_smallest_accurate_number_that_most_seeds_use():
    table = made(
        [0.10, 0.072, 0.0651, 0.0650, 0.0645],
        [[1, 1, 1], [2, 2, 2], [3, 3, 2], [3, 3, 3], [3, 3, 4]],
        betas=[(0.01, [4, 3, 4]), (0.04, [3, 3, 2]), (0.08, [2, 2, 2])],
    )
    number, reason = recommendation(table)
    assert number == 3
    assert "With 3 latents the rms is 0.0651 dex, within 2 % of the lowest, 0.0645 with 5" in reason
    assert "with 2 it is 0.0720" in reason and "in 2 of 3 seeds" in reason
    assert "Of 5 latents most seeds use 3 at beta 0.02, 0.04 (tried: 0.01, 0.02, 0.04, 0.08)" in reason
    assert "finds 3 directions" in reason


def test_the_median_seed_decides_and_a_number_that_is_not_used_is_passed_over():
    table = made([0.10, 0.0650, 0.0651], [[1, 1, 1], [2, 1, 1], [3, 3, 3]])
    assert recommendation(table).latents == 3
    table["rms"][2, 0] = 9.0
    assert recommendation(table).latents == 3
    table["rms"][2, 1] = 9.0
    assert recommendation(table).latents == 2


def test_where_no_number_is_used_by_most_seeds_the_reason_says_so():
    number, reason = recommendation(made([0.10, 0.066, 0.065], [[0, 0, 0], [1, 1, 2], [2, 2, 2]], degrees=(2.0, 1.0)))
    assert number == 2
    assert "but all are active" in reason and "1 in the median seed" in reason and "finds 1 direction " in reason
    dear = made([0.1], [[0, 0, 0]])
    assert recommendation(dear).latents == 1
    assert "use 1 at no beta" in recommendation(dear).reason
