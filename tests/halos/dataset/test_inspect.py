from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import poisson

from tests.halos.dataset import stores
from triptych.errors import ConfigError, DataError
from triptych.halos import Cosmology
from triptych.halos.dataset import BoxSpec, Cuts, create, open_dataset
from triptych.halos.dataset.inspect import inspect
from triptych.halos.dataset.plots import dataset_figure, plot_histories, plot_mass_function, plot_profiles, plot_slice
from triptych.halos.dataset_commands import InspectConfig
from triptych.halos.dataset_commands import inspect as verb
from triptych.halos.mass_function import Power, tinker08
from triptych.runs import execute


def write(path, *, source="mock", cuts=None, mass=None, halos=12, histories=True):
    """A set whose masses, empty shells, failed fits and lost histories are known."""
    attributes = stores.attributes(halos, source=source, **({} if cuts is None else {"cuts": cuts}))
    variables = stores.variables()
    if not histories:
        variables = {name: one for name, one in variables.items() if not name.startswith("history/")}
    box = BoxSpec(n=4, sides=(400.0, 100.0), scheme="cic")
    store = create(path, attributes=attributes, variables=variables, box=box, halos=halos)
    table, boxes = stores.rows_of(store, slice(0, halos), rng=np.random.default_rng(1))
    if mass is not None:
        table["mass"] = mass
    table["r_edge"] = np.geomspace(10.0, 200.0, 6) * np.ones((halos, 1))
    table["r"] = np.sqrt(table["r_edge"][:, 1:] * table["r_edge"][:, :-1])
    table["radius"] = np.full(halos, 150.0)
    table["counts"] = np.full((halos, 5), 40)
    table["counts"][:, 0] = 0
    table["filled"] = table["counts"] > 0
    table["log_density"] = np.where(table["filled"], 3.0 - 2 * np.log10(table["r"] / 20.0), np.nan)
    table["problem"] = np.arange(halos) < 3
    table["einasto_problem"] = np.arange(halos) < 6
    table["einasto_alpha"] = np.full(halos, 0.2)
    if histories:
        table["history/mass"] = np.array([np.nan, 0.4, 1.0]) * np.ones((halos, 1)) * table["mass"][:, None]
    store.write(slice(0, halos), boxes=boxes, **table)
    return open_dataset(path)


def test_what_is_missing_is_counted(tmp_path):
    found = inspect(write(tmp_path / "x.zarr"), power=Power())
    assert found.empty_shells == pytest.approx(1 / 5)
    assert found.failed_fits == {"nfw": 3 / 12, "einasto": 6 / 12}
    assert found.lost_histories == pytest.approx(1 / 3)
    assert inspect(write(tmp_path / "y.zarr", histories=False), power=Power()).lost_histories is None


def test_the_mass_function_is_that_of_the_volume(tmp_path):
    """Masses drawn from Tinker et al. by another way: inverting the cumulative sum over a fine table, in 2 x (50 Mpc/h)^3."""
    cosmology = Cosmology(omega_matter=0.31, omega_lambda=0.69, hubble=0.68)
    log_mass = np.linspace(np.log(0.68e11), np.log(0.68e13), 4001)
    density = tinker08(np.exp(log_mass), cosmology=cosmology, power=Power())
    inside = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(log_mass))])
    rng = np.random.default_rng(7)
    halos = int(rng.poisson(2 * 5e4**3 * inside[-1]))
    mass = np.exp(np.interp(rng.uniform(0, inside[-1], halos), inside, log_mass))
    found = inspect(write(tmp_path / "x.zarr", halos=halos, mass=mass), power=Power())
    assert found.counts.sum() == halos > 1000
    low, high = poisson.interval(1 - 1e-6, found.expected)
    assert ((found.counts >= low) & (found.counts <= high)).all()
    assert found.expected.sum() == pytest.approx(2 * 5e4**3 * inside[-1], rel=1e-3)
    assert found.deviance < 30  # of 8 bins


def test_a_cut_on_the_radius_ends_the_mass_function(tmp_path):
    data = write(tmp_path / "x.zarr", cuts=Cuts(largest_radius=150.0))
    rho_m = data.attributes.cosmology.mean_density
    assert 10 ** inspect(data, power=Power()).log_mass[-1] == pytest.approx(4 / 3 * np.pi * 150.0**3 * 200 * rho_m)


def test_figures_show_the_data(tmp_path):
    data = write(tmp_path / "x.zarr")
    found = inspect(data, power=Power())
    mass = plot_mass_function(found)
    assert sum(mass.lines[0].get_ydata()) == 12
    assert "M_\\odot/h" in mass.get_xlabel()
    image = plot_slice(data, 3, 1).images[0]
    np.testing.assert_array_equal(image.get_array(), data.read([3])[0, 1, :, :, 2].T)
    assert image.get_extent() == [-50.0, 50.0, -50.0, 50.0]
    profiles = plot_profiles(data, np.array([1, 4]))
    assert profiles.containers[0].lines[0].get_xdata().size == 4  # the empty shell is left out
    assert len(profiles.containers) == 2
    shares = plot_histories(data, np.array([1, 4])).lines[-1].get_ydata()
    np.testing.assert_allclose(shares, [np.nan, 0.4, 1.0])


@pytest.mark.parametrize(("source", "title"), [("mock", "mock universe, virial data set"), ("simulation", "virial data set")])
def test_the_page_says_what_it_is_made_from(tmp_path, source, title):
    data = write(tmp_path / "x.zarr", source=source, histories=False)
    page = dataset_figure(data, inspect(data, power=Power()), shown=2, rng=np.random.default_rng(1))
    assert page.get_suptitle() == f"{title}: 12 halos of a, b"
    assert [text.get_text() for ax in page.axes for text in ax.texts] == ["no histories"]
    assert sum(bool(ax.images) for ax in page.axes) == 4  # two halos, two levels


def test_the_verb(tmp_path):
    write(tmp_path / "x.zarr")
    run = execute("halos-inspect", InspectConfig(path=str(tmp_path / "x.zarr")), verb, root=tmp_path / "runs")
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["splits"] == {"training": 8, "validation": 2, "test": 2}
    assert summary["simulations"][0]["lost"] == {"mass below": 3}
    assert summary["source"] == "mock"
    assert sum(row["halos"] for row in summary["mass_function"]) == 12
    assert summary["digest"] == open_dataset(tmp_path / "x.zarr").digest
    assert (run.path / "figures" / "dataset.png").stat().st_size > 10_000


def test_nothing_to_inspect(tmp_path):
    with pytest.raises(ConfigError, match="nothing to inspect"):
        InspectConfig()
    with pytest.raises(DataError, match="no Zarr store"):
        execute("halos-inspect", InspectConfig(path=str(tmp_path / "x.zarr")), verb, root=tmp_path / "runs")
