"""The figures show the estimates they are given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from triptych.errors import ConfigError
from triptych.information import Mixture, Settings, mutual_information
from triptych.information.plots import ENCLOSED, fits_figure, plot_fit, plot_table, table_figure

QUICK = Settings(starts=2, bootstraps=10, permutations=20)


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(2, 300))
    return mutual_information(x, x + noise, rng=rng, settings=QUICK)


def contours(ax):
    """The polygons of each level, the lowest level first."""
    (drawn,) = ax.collections
    return [path.to_polygons(closed_only=False) for path in drawn.get_paths()]


def test_contours_enclose_their_share_of_a_gaussian(found):
    """Of a Gaussian they are ellipses of Mahalanobis radius 3, 2 and 1."""
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    one = Mixture(weights=np.ones(1), means=np.array([[0.3, -0.2]]), covariances=covariance[None])
    values = one.sample(4000, rng=np.random.default_rng(0))
    ax = plot_fit(dataclasses.replace(found, mixture=one, values=values))
    for radius, polygons in zip((3.0, 2.0, 1.0), contours(ax), strict=True):
        places = np.concatenate(polygons) - one.means[0]
        far = np.sqrt(np.einsum("pi,ij,pj->p", places, np.linalg.inv(covariance), places))
        assert far == pytest.approx(radius, rel=0.02)


def test_contours_enclose_their_share_of_a_mixture(found):
    """Of many samples, that share lies above each level."""
    two = Mixture(
        weights=np.array([0.3, 0.7]),
        means=np.array([[-1.5, 0.0], [1.0, 0.5]]),
        covariances=np.array([[[0.1, 0.0], [0.0, 0.9]], [[0.8, -0.3], [-0.3, 0.4]]]),
    )
    values = two.sample(20000, rng=np.random.default_rng(0))
    (drawn,) = plot_fit(dataclasses.replace(found, mixture=two, values=values)).collections
    logs = two.log_density(values)
    for share, level in zip(ENCLOSED, drawn.levels[::-1], strict=True):
        assert np.mean(logs > level) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 20000) + 0.002)


def test_a_fit_is_labelled(found):
    ax = found.plot(x="mass", y="spin")
    assert ax.get_xlabel() == "mass (normal score)" and ax.get_ylabel() == "spin (normal score)"
    assert ax.get_title() == f"{found.estimate} nats"
    assert np.array_equal(np.stack(ax.lines[0].get_data()), found.values)
    raw = dataclasses.replace(found, margins="raw", problems=("few samples",))
    ax = plot_fit(raw, ax=ax)
    assert ax.get_xlabel() == "x (standardised)" and ax.get_title().endswith("nats, not reliable")


def test_many_samples_are_thinned(found):
    many = dataclasses.replace(found, values=np.tile(found.values, 30))
    assert 1000 < plot_fit(many).lines[0].get_xdata().size <= 2000


def test_a_ridge_between_the_points_of_the_grid_does_no_harm(found):
    x = np.random.default_rng(0).normal(size=300)
    sharp = mutual_information(x, np.sin(x), rng=np.random.default_rng(0), settings=QUICK)
    assert "inf" in plot_fit(sharp).get_title()
    narrow = Mixture(weights=np.ones(1), means=np.array([[0.123, 0.0456]]), covariances=1e-12 * np.eye(2)[None])
    assert not plot_fit(dataclasses.replace(found, mixture=narrow)).collections


def test_fits_without_a_picture_are_refused(found):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(100, 2))
    with pytest.raises(ConfigError, match="a fit on 3 axes"):
        plot_fit(mutual_information(x, x[:, 0] + rng.normal(size=100), rng=rng, settings=QUICK))
    with pytest.raises(ConfigError, match="a constant"):
        plot_fit(mutual_information(x[:, 0], np.ones(100), rng=rng, settings=QUICK))


def test_a_panel_for_each_pair(found):
    for number, shape in {1: (1, 1), 2: (1, 2), 4: (2, 3), 9: (3, 3)}.items():
        made = fits_figure({("x", f"y{k}"): found for k in range(number)})
        assert made.axes[0].get_subplotspec().get_gridspec().get_geometry() == shape
        assert [ax.get_ylabel().split()[0] for ax in made.axes[:number]] == [f"y{k}" for k in range(number)]
        assert not any(ax.axison for ax in made.axes[number:])


def table(rows, columns):
    values = np.linspace(-0.004, 0.8, rows * columns).reshape(rows, columns)
    values[-1, -1] = np.inf
    reliable = np.isfinite(values)
    reliable[0, 0] = False
    return xr.Dataset(
        {"value": (("x", "y"), values, {"long_name": "mutual information"}), "reliable": (("x", "y"), reliable)},
        coords={"x": [f"latent {row}" for row in range(rows)], "y": [f"r{column}" for column in range(columns)]},
        attrs={"unit": "nats"},
    )


@pytest.mark.parametrize("shape", [(1, 3), (3, 13), (13, 3), (30, 30)])
def test_a_table_of_any_size(shape):
    data = table(*shape)
    ax = plot_table(data)
    (image,) = ax.images
    shown = np.ma.masked_invalid(image.get_array())
    assert np.array_equal(shown.mask, np.isinf(data["value"])) and shown[0, 1] == data["value"][0, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == data["x"].to_numpy().tolist()
    assert [label.get_text() for label in ax.get_xticklabels()] == data["y"].to_numpy().tolist()
    hatched = {tuple(patch.get_xy()) for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch()}
    assert hatched == {(-0.5, -0.5), (shape[1] - 1.5, shape[0] - 1.5)} and "not reliable" in ax.get_xlabel()
    words = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(words) == (shape[0] * shape[1] if max(shape) < 20 else 0)
    if words:
        assert words[0, 0] == "0.00" and words[shape[1] - 1, shape[0] - 1] == "\N{INFINITY}"
    assert ax.figure.axes[1].get_ylabel() == "nats" and ax.get_title(loc="left") == "mutual information"


def test_colours_follow_the_values():
    """Darker is more, white ink is on dark, and where nothing is known the scale has a range all the same."""
    ax = plot_table(table(2, 3))
    (image,) = ax.images
    shades = [sum(image.to_rgba(value)[:3]) for value in (0.0, 0.3, 0.6)]
    assert shades == sorted(shades, reverse=True) and same_color(ax.texts[4].get_color(), "white")
    assert same_color(ax.texts[0].get_color(), "black")
    nothing = table(2, 2).assign(value=lambda data: 0 * data["value"].fillna(0).clip(max=1))
    nothing["value"].attrs["long_name"] = "mutual information"
    assert plot_table(nothing).images[0].get_clim() == (0.0, 0.01)


def test_figures_are_written(found, tmp_path):
    for name, made in {"table": table_figure(table(3, 13)), "fits": fits_figure({("x", "y"): found})}.items():
        made.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
