"""Anyone's link angles: measured as by plain loops, and bad files refused for what they are."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import xarray as xr

from tests.oracles import lattice as oracle
from triptych.errors import DataError
from triptych.lattice import measure, sample
from triptych.lattice.files import read
from triptych.lattice.samplers import HMC

DIMS = ("chain", "draw", "mu", "t", "x")


def smooth(shape, rng):
    """Links of charge about 1 with noise, over several turns."""
    height, width = shape[-2:]
    links = rng.normal(0, 0.9, shape)
    for t in range(height):
        links[..., 1, t, :] += 2 * np.pi * t / (height * width)
    for x in range(width):
        links[..., 0, height - 1, x] -= 2 * np.pi * x / width
    return links + 2 * np.pi * rng.integers(-3, 4, shape)


@pytest.fixture
def ensemble():
    """Three chains of ten configurations, 3 x 5."""
    return xr.Dataset({"links": (DIMS, smooth((3, 10, 2, 3, 5), np.random.default_rng(1)), {"units": "radian"})})


def save(data, path):
    data.to_netcdf(path, engine="h5netcdf")
    return path


def test_foreign_links_against_loops(ensemble, tmp_path):
    found = read(save(ensemble, tmp_path / "theirs.nc"))
    assert found.attrs == {"shape": [3, 5]}
    for chain in range(3):
        for draw in range(10):
            links = ensemble.links.isel(chain=chain, draw=draw).to_numpy()
            seen, angles = found.isel(chain=chain, trajectory=draw), oracle.plaquettes(links)
            assert float(seen.plaquette) == pytest.approx(np.cos(angles).mean(), abs=1e-12)
            assert int(seen.charge) == round(oracle.raw_charge(links))
            assert float(seen.real_charge) == pytest.approx(np.sin(angles).sum() / (2 * np.pi), abs=1e-12)
    assert len(np.unique(found.charge)) > 1


def test_any_order_name_and_precision(ensemble, tmp_path):
    known = read(save(ensemble, tmp_path / "first.nc"))
    other = ensemble.rename(links="angles", draw="trajectory").transpose("x", "t", "trajectory", "mu", "chain")
    other["angles"] = other.angles.assign_attrs(units="rad")
    xr.testing.assert_allclose(read(save(other, tmp_path / "other.nc")), known, atol=1e-12)
    single = read(save(ensemble.astype(np.float32), tmp_path / "single.nc"))
    np.testing.assert_allclose(single.plaquette, known.plaquette, atol=1e-4)
    one = read(save(ensemble.isel(chain=1), tmp_path / "one.nc"))
    np.testing.assert_array_equal(one.charge[0], known.charge[1])


def test_kept_links_and_own_observables_agree(tmp_path):
    """A run of ours, handed on with its observables, with its links alone, and as its folder."""
    settings = {"beta": 2.0, "shape": (4, 6), "chains": 4, "trajectories": 12, "sampler": HMC(steps=3, step_size=0.2)}
    data = sample(**settings, start="hot", keep_links=3, key=jax.random.key(2))
    whole = read(save(data, tmp_path / "results.nc"))
    assert measure(whole) == measure(data)
    assert set(whole.data_vars) == {"plaquette", "charge", "real_charge", "acceptance", "delta_h"}
    xr.testing.assert_identical(read(tmp_path), whole)
    handed_on = read(save(data[["configurations"]], tmp_path / "links.nc"))
    every_third = data.isel(trajectory=slice(2, None, 3))
    np.testing.assert_array_equal(handed_on.charge, every_third.charge)
    np.testing.assert_allclose(handed_on.plaquette, every_third.plaquette, atol=1e-12)
    assert handed_on.attrs["beta"] == 2.0 and handed_on.attrs["start"] == "hot"
    assert measure(handed_on).cost is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data.rename(mu="direction"), "no link angles"),
        (lambda data: data.isel(draw=0), "no link angles"),
        (lambda data: data.assign(more=data.links).rename(links="these"), "several"),
        (lambda data: data.assign(links=data.links.assign_attrs(units="degree")), "radian"),
        (lambda data: data.assign(links=data.links.round().astype(int)), "floating-point"),
        (lambda data: data.isel(mu=[0]), "two dimensions"),
        (lambda data: data.isel(x=[0]), "two dimensions"),
        (lambda data: data.where(data.chain != 2), "no angles"),
        (lambda data: data.assign(links=1e9 * data.links), "no angles"),
    ],
)
def test_bad_files_are_refused(ensemble, tmp_path, spoil, words):
    with pytest.raises(DataError, match=words):
        read(save(spoil(ensemble.assign_coords(chain=range(3))), tmp_path / "bad.nc"))


def test_complex_links_are_refused(ensemble, tmp_path):
    path = tmp_path / "complex.h5"
    np.exp(1j * ensemble).to_netcdf(path, engine="h5netcdf", invalid_netcdf=True)
    with pytest.raises(DataError, match="complex"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"no netCDF", b"CDF\x01", b"\x89HDF\r\n\x1a\n" + b"0" * 100])
def test_what_is_no_netcdf_is_refused(tmp_path, content):
    path = tmp_path / "bad.nc"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read(path)


def test_a_truncated_file_is_refused(ensemble, tmp_path):
    path = save(ensemble, tmp_path / "cut.nc")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match="cannot be read"):
        read(path)
