"""The driver: exact distributions, and chains that depend on nothing but their own key."""

from __future__ import annotations

import ast
import importlib
import math
import os
import subprocess
import sys

import jax
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.oracles import lattice as oracle
from triptych.errors import ConfigError, DataError
from triptych.lattice import measure, sample, torus
from triptych.lattice.samplers import HMC
from triptych.statistics import mean_over_chains

KEY = jax.random.key(17)
SMALL = {
    "beta": 2.0,
    "shape": (4, 6),
    "chains": 4,
    "trajectories": 12,
    "thermalization": 12,
    "sampler": HMC(steps=3, step_size=0.2),
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
    monkeypatch.setattr(driver, "MOST_TIME_FOR_CHECKPOINTS", math.inf)
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


@pytest.mark.parametrize("chunk", [50, 4])
def test_kept_links_are_those_of_every_third_trajectory(reference, monkeypatch, chunk):
    """Their observables are the recorded ones, whatever the chunks; the trajectories are the same as without them."""
    monkeypatch.setattr(driver, "CHUNK", chunk)
    data = sample(**SMALL, keep_links=3)
    assert_identical(data, reference)
    assert data.draw.to_numpy().tolist() == [3, 6, 9, 12]
    assert data.configurations.dims == ("chain", "draw", "mu", "t", "x") and data.configurations.units == "radian"
    np.testing.assert_array_equal(data.configurations.sel(draw=12), data.links)
    for draw in data.draw:
        for chain in range(4):
            angles = oracle.plaquettes(data.configurations.sel(chain=chain, draw=draw).to_numpy())
            known = data.plaquette.sel(chain=chain, trajectory=draw.item())
            assert np.cos(angles).mean() == pytest.approx(float(known), abs=1e-12)


def test_kept_links_survive_an_interruption(monkeypatch):
    monkeypatch.setattr(driver, "CHUNK", 4)
    whole = sample(**SMALL, keep_links=3)
    shorter = sample(**{**SMALL, "trajectories": 6}, keep_links=3)
    xr.testing.assert_identical(sample(**SMALL, keep_links=3, resume=shorter).configurations, whole.configurations)


def test_single_precision():
    """Links, forces and what is kept of them are float32, energies float64, and the averages exact."""
    settings = {
        "shape": (4, 4),
        "chains": 300,
        "trajectories": 200,
        "thermalization": 100,
        "sampler": HMC(steps=6, step_size=0.17),
    }
    data = sample(beta=2.0, key=KEY, precision="float32", keep_links=100, **settings)
    assert data.links.dtype == data.force.dtype == data.configurations.dtype == np.float32
    assert data.action.dtype == data.delta_h.dtype == np.float64
    truth, answer = torus(2.0, (4, 4)), measure(data)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4 and answer.plaquette.error < 2e-3
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4


def test_the_number_of_devices_does_not_matter(tmp_path):
    """Four devices, in a process of their own, and one: the same bits in kept links, observables and state."""
    settings = "'beta': 3.0, 'shape': (4, 6), 'chains': 8, 'trajectories': 10, 'keep_links': 5, 'start': 'hot'"
    script = (
        "import sys, jax\n"
        "from triptych.lattice import sample\n"
        "assert jax.device_count() == 4\n"
        f"sample(key=jax.random.key(3), **{{{settings}}}).to_netcdf(sys.argv[1], engine='h5netcdf')\n"
    )
    path = tmp_path / "four.nc"
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=True, timeout=300)
    four, here = xr.load_dataset(path, engine="h5netcdf"), sample(key=jax.random.key(3), **ast.literal_eval(f"{{{settings}}}"))
    assert_identical(four, here)
    xr.testing.assert_equal(four.configurations, here.configurations)


def test_starts():
    cold, hot = (
        sample(**{**SMALL, "beta": 0.0, "sampler": HMC(steps=3, step_size=1e-9)}, start=start) for start in ("cold", "hot")
    )
    assert np.abs(cold.links).max() < 1e-6
    angles = hot.links.to_numpy().ravel()
    assert stats.kstest(angles, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-4


@pytest.fixture(scope="module", params=[1.0, 2.0, 3.0])
def equilibrium(request):
    sampler = HMC(steps=6, step_size=0.17)
    return sample(beta=request.param, shape=(4, 4), chains=600, trajectories=400, thermalization=150, key=KEY, sampler=sampler)


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
    settings = {"beta": 3.0, "chains": 100, "trajectories": 200, "thermalization": 100}
    data = sample(shape=(6, 6), key=KEY, sampler=HMC(steps=6, step_size=0.16), **settings)
    charges, acceptance = oracle.hmc(side=6, steps=6, step_size=0.16, rng=np.random.default_rng(9), **settings)
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
        {"start": "warm"},
        {"precision": "float16"},
        {"keep_links": -1},
    ],
)
def test_refusals(bad):
    with pytest.raises(ConfigError) as refused:
        sample(**{**SMALL, **bad})
    assert next(iter(bad)) in str(refused.value)
    assert str(next(iter(bad.values()))) in str(refused.value)


@pytest.mark.parametrize(
    "other",
    [
        {"beta": 2.5},
        {"shape": (6, 4)},
        {"sampler": HMC(steps=4)},
        {"precision": "float32"},
        {"keep_links": 2},
        {"key": jax.random.key(18)},
        {"trajectories": 6},
    ],
)
def test_another_run_is_not_resumed(reference, other):
    with pytest.raises(DataError, match="to resume"):
        sample(**{**SMALL, **other}, resume=reference)
