"""The driver: exact distributions, and chains that depend on nothing but their own key."""

from __future__ import annotations

import importlib
import math

import jax
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.oracles import lattice as oracle
from triptych.errors import ConfigError, DataError
from triptych.lattice import measure, sample, torus
from triptych.statistics import mean_over_chains

KEY = jax.random.key(17)
SMALL = {
    "beta": 2.0,
    "shape": (4, 6),
    "chains": 4,
    "trajectories": 12,
    "thermalization": 12,
    "steps": 3,
    "step_size": 0.2,
    "key": KEY,
}
ARRAYS = ["plaquette", "charge", "real_charge", "acceptance", "delta_h", "links", "action", "force"]
driver = importlib.import_module("triptych.lattice.sample")


def assert_identical(one: xr.Dataset, two: xr.Dataset) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert one.trajectory.to_numpy().tolist() == two.trajectory.to_numpy().tolist()


@pytest.fixture(scope="module")
def reference():
    return sample(**SMALL)


def test_chains_do_not_see_each_other():
    few, many = sample(**SMALL, start="hot"), sample(**{**SMALL, "chains": 101}, start="hot")
    assert_identical(few, many.isel(chain=slice(4)))
    assert len(np.unique(many.real_charge.isel(trajectory=-1))) == 101


@pytest.mark.parametrize("chunk", [1, 4])
def test_chunks_do_not_matter(reference, monkeypatch, chunk):
    monkeypatch.setattr(driver, "CHUNK", chunk)
    assert_identical(sample(**SMALL), reference)


def test_a_shorter_run_goes_on(reference, monkeypatch):
    monkeypatch.setattr(driver, "CHUNK", 4)
    shorter = sample(**{**SMALL, "trajectories": 4})
    longer = sample(**SMALL, resume=shorter)
    assert_identical(longer, reference)
    assert longer.attrs["force_evaluations"] == reference.attrs["force_evaluations"] == 4 * (1 + 24 * 3)
    assert longer.attrs["seconds"] > shorter.attrs["seconds"]


def test_every_checkpoint_resumes_through_a_file(reference, monkeypatch, tmp_path):
    monkeypatch.setattr(driver, "CHUNK", 4)
    monkeypatch.setattr(driver, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    kept: list[xr.Dataset] = []
    sample(**SMALL, checkpoint=kept.append)
    assert [int(state.attrs["trajectories_done"]) for state in kept] == [4, 8, 12, 16, 20]
    for number, state in enumerate(kept):
        path = tmp_path / f"{number}.nc"
        state.to_netcdf(path, engine="h5netcdf")
        assert_identical(sample(**SMALL, resume=xr.load_dataset(path, engine="h5netcdf")), reference)


def test_an_interrupt_before_the_first_trajectory(reference, monkeypatch):
    """While the start is compiled there is nothing to keep: no checkpoint, the interrupt goes on, and the next run is whole."""
    kept = []

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(driver, "_begin", interrupted)
        for resume in (None, reference):
            with pytest.raises(KeyboardInterrupt):
                sample(**SMALL, resume=resume, checkpoint=kept.append)
    assert kept == []
    assert_identical(sample(**SMALL), reference)


def test_recorded_observables_are_those_of_the_links(reference):
    for chain in range(4):
        links = reference.links.isel(chain=chain).to_numpy()
        assert links.shape == (2, 4, 6) and links.min() >= -np.pi and links.max() < np.pi
        last = reference.isel(chain=chain, trajectory=-1)
        assert float(last.plaquette) == pytest.approx(np.cos(oracle.plaquettes(links)).mean(), abs=1e-12)
        assert float(last.real_charge) == pytest.approx(np.sin(oracle.plaquettes(links)).sum() / (2 * np.pi), abs=1e-12)
        assert int(last.charge) == round(oracle.raw_charge(links))
        assert float(last.action) == pytest.approx(oracle.action(links, 2.0), abs=1e-11)


def test_starts():
    cold, hot = (sample(**{**SMALL, "beta": 0.0, "step_size": 1e-9}, start=start) for start in ("cold", "hot"))
    assert np.abs(cold.links).max() < 1e-6
    angles = hot.links.to_numpy().ravel()
    assert stats.kstest(angles, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-4


@pytest.fixture(scope="module", params=[1.0, 2.0, 3.0])
def equilibrium(request):
    steps = {"steps": 6, "step_size": 0.17}
    return sample(beta=request.param, shape=(4, 4), chains=600, trajectories=400, thermalization=150, key=KEY, **steps)


def test_averages_are_exact(equilibrium):
    truth, answer = torus(equilibrium.beta, (4, 4)), measure(equilibrium)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4
    assert answer.plaquette.error < 1e-3


def test_sectors_are_distributed_exactly(equilibrium):
    """Chi-squared over sectors, on samples 100 trajectories apart (a few autocorrelation times at beta = 3)."""
    charges = equilibrium.charge.isel(trajectory=slice(99, None, 100)).to_numpy().ravel()
    exact = torus(equilibrium.beta, (4, 4)).sectors
    inner = [q for q in range(-8, 9) if charges.size * exact.get(abs(q), 0) > 20]
    seen = np.array([*((charges == q).sum() for q in inner), (~np.isin(charges, inner)).sum()])
    expected = np.array([exact[abs(q)] for q in inner])
    expected = charges.size * np.append(expected, 1 - expected.sum())
    assert stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(inner)) > 1e-4


def test_hops_and_acceptance_against_numpy():
    """A frozen observable that only the dynamics fixes: an independent HMC with the same settings must hop as often."""
    settings = {"beta": 3.0, "chains": 100, "trajectories": 200, "thermalization": 100, "steps": 6, "step_size": 0.16}
    data = sample(shape=(6, 6), key=KEY, **settings)
    charges, acceptance = oracle.hmc(side=6, rng=np.random.default_rng(9), **settings)
    ours, theirs = measure(data).tunnelling_rate, mean_over_chains(np.abs(np.diff(charges, axis=1)))
    assert abs(ours.pull(theirs)) < 4 and ours.error < 0.05 * ours.value
    assert abs(measure(data).acceptance.pull(mean_over_chains(acceptance))) < 4


@pytest.mark.parametrize(
    "bad",
    [
        {"beta": -1.0},
        {"beta": math.nan},
        {"shape": (1, 4)},
        {"chains": 1},
        {"chains": 2.5},
        {"trajectories": 1},
        {"thermalization": -1},
        {"steps": 0},
        {"step_size": 0.0},
        {"step_size": -0.1},
        {"step_size": math.inf},
        {"start": "warm"},
    ],
)
def test_refusals(bad):
    with pytest.raises(ConfigError) as refused:
        sample(**{**SMALL, **bad})
    assert next(iter(bad)) in str(refused.value)
    assert str(next(iter(bad.values()))) in str(refused.value)


@pytest.mark.parametrize(
    "other", [{"beta": 2.5}, {"shape": (6, 4)}, {"steps": 4}, {"key": jax.random.key(18)}, {"trajectories": 6}]
)
def test_another_run_is_not_resumed(reference, other):
    with pytest.raises(DataError, match="to resume"):
        sample(**{**SMALL, **other}, resume=reference)
