"""Figures of networks show what they are given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from triptych.halos.network import plots

BETAS = [0.01, 0.02, 0.04]


@pytest.fixture
def scan():
    """Three numbers of latents at one beta and three betas at the largest number, two seeds."""
    kl = np.full((5, 2, 3), np.nan)
    for row, values in enumerate(([2.0], [2.0, 1.2], [3.0, 2.0, 1.0], [2.0, 1.2, 0.05], [1.5, 0.7, 0.0])):
        kl[row, :, : len(values)] = values
    seeds = ("setting", "member")
    return xr.Dataset(
        {
            "latents": ("setting", [1, 2, 3, 3, 3]),
            "beta": ("setting", [0.02, 0.02, 0.01, 0.02, 0.04]),
            "rms": (seeds, [[0.10, 0.11], [0.07, 0.07], [0.06, 0.06], [0.07, 0.071], [0.08, 0.08]]),
            "rms_true": (seeds, np.full((5, 2), np.nan)),
            "active": (seeds, (kl > 0.1).sum(axis=2)),
            "pair_mi": (seeds, [[0.0, 0.0], [0.02, 0.03], [0.4, np.inf], [0.05, 0.01], [0.0, 0.0]]),
            "kl": ((*seeds, "latent"), kl),
            "degrees": ("degree", [90.0, 4.0, 1.1]),
        },
        attrs={"beta": 0.02, "kind": "virial", "source": "mock", "noise": "counting"},
    )


def line(ax, label):
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return found


def test_rms_against_the_number_of_latents(scan):
    ax = plots.plot_rms(scan)
    np.testing.assert_allclose(line(ax, "against measured profiles").get_xydata(), [[1, 0.105], [2, 0.07], [3, 0.0705]])
    assert line(ax, "recommended").get_xdata()[0] == 2
    assert "against true profiles" not in [one.get_label() for one in ax.lines]
    scan["rms_true"] = scan["rms"] / 2
    assert line(plots.plot_rms(scan), "against true profiles").get_ydata()[2] == pytest.approx(0.03525)


def test_kl_against_beta(scan):
    ax = plots.plot_kl(scan)
    assert line(ax, "2nd").get_xydata().tolist() == [[0.01, 2.0], [0.02, 1.2], [0.04, 0.7]]
    assert line(ax, "active above").get_ydata()[0] == 0.1
    assert line(ax, "3rd").get_ydata()[-1] == pytest.approx(ax.get_ylim()[0])  # zero lies at the edge


def test_active_latents_and_their_information_against_beta(scan):
    ax = plots.plot_active(scan)
    (right,) = [one for one in ax.figure.axes if one is not ax]
    medians = [next(one for one in side.lines if one.get_linestyle() == "-").get_ydata() for side in (ax, right)]
    np.testing.assert_allclose(medians, [[3, 2, 2], [np.inf, 0.03, 0.0]])
    assert 0.4 < right.get_ylim()[1] < 0.5


def test_the_figure_of_a_scan_has_all_and_says_what_is_a_mock(scan):
    made = plots.scan_figure(scan)
    assert len(made.axes) == 5
    assert made.get_suptitle() == "mock universe: virial profiles: 2 latents recommended"
    scan.attrs["source"] = "simulation"
    assert plots.scan_figure(scan).get_suptitle() == "virial profiles: 2 latents recommended"


def test_a_scan_of_one_setting_with_nothing_active_can_be_shown(scan):
    one = scan.isel(setting=[3])
    one["kl"][:], one["active"][:] = 0.0, 0
    assert len(plots.scan_figure(one).axes) == 5


@pytest.fixture
def traverses():
    r, values = np.geomspace(10, 300, 5), np.array([-2.0, 0.0, 2.0])
    slopes = np.array([[1, 1, 1, 1, 1], [1, 0.5, 0, -0.5, -1]])
    return xr.Dataset(
        {"log_density": (("latent", "value", "bin"), 3.0 + 0.1 * slopes[:, None] * values[:, None] - np.log10(r))},
        coords={"latent": [0, 3], "value": values, "r": ("bin", r)},
        attrs={"source": "mock"},
    )


def test_traverses_show_every_value(traverses):
    ax = plots.plot_traverse(traverses, latent=1)
    assert [one.get_label() for one in ax.lines] == ["-2", "0", "+2"]
    for one, curve in zip(ax.lines, traverses["log_density"][1].values, strict=True):
        np.testing.assert_array_equal(one.get_ydata(), curve)
    change = plots.plot_traverse(traverses, latent=1, change=True)
    np.testing.assert_allclose(change.lines[2].get_ydata(), [0.2, 0.1, 0, -0.1, -0.2], atol=1e-12)
    assert "kpc/h" in ax.get_xlabel() and change.get_ylabel().startswith("change")


def test_the_figure_of_traverses_names_the_latents(traverses):
    made = plots.traverse_figure(traverses)
    assert [ax.get_title() for ax in made.axes] == ["latent 1", "latent 4", "", ""]
    assert made.get_suptitle().startswith("mock universe")


def history():
    """Two epochs of two steps each, two seeds; the second epoch was interrupted and validated twice. Another training besides."""
    records = []
    for step in (1, 2, 3, 4):
        if step % 2 == 0:
            kept = {"validation": "training", "epoch": step // 2, "kl": [1.0, 0.2]}
            judged = [{**kept, "member": member, "loss": 0.5 / step, "rms": 0.1 / step + member} for member in (0, 1)]
            records += judged if step == 2 else judged[:1] + judged
        records.append(
            {"training": "training", "step": step, "rms": 0.2 / step, "loss": 1 / step, "beta": 0.0, "kl_1": 2.0, "kl_2": 1.0}
        )
    return [*records, {"training": "other", "step": 9, "rms": 9.0}, {"validation": "other", "epoch": 1, "member": 0, "rms": 9.0}]


def test_the_log_of_a_training():
    ax = plots.plot_training(history(), "rms")
    assert line(ax, "training, mean over seeds").get_xydata().tolist() == [[1, 0.2], [2, 0.1], [3, 0.2 / 3], [4, 0.05]]
    first, second = ax.lines[1:]
    assert first.get_xydata().tolist() == [[2, 0.05], [4, 0.025]] and second.get_xydata().tolist() == [[2, 1.05], [4, 1.025]]
    kl = plots.plot_training(history(), "kl")
    assert [(one.get_label(), one.get_ydata()[0]) for one in kl.lines] == [("1st", 2.0), ("2nd", 1.0)]
    assert plots.plot_training(history(), "rms", name="other").lines[0].get_xydata().tolist() == [[9, 9.0]]
    made = plots.training_figure(history(), source="mock")
    assert len(made.axes) == 4 and made.get_suptitle() == "mock universe: training"


@pytest.fixture
def judged():
    """Two networks; latent 3 is active in none, latent 2 in one, and one quantity is not known."""
    mi = np.array([[[1.9, 0.1, np.nan], [0.1, 0.9, np.nan], [np.nan] * 3], [[1.7, 0.3, np.nan], [np.nan] * 3, [np.nan] * 3]])
    return xr.Dataset(
        {
            "mi": (("network", "latent", "quantity"), mi),
            "bias": (("network", "bin"), [[0.01, -0.01], [0.0, 0.02]]),
            "lower": (("network", "bin"), [[-0.1, -0.2], [0.0, 0.0]]),
            "upper": (("network", "bin"), [[0.1, 0.2], [0.0, 0.0]]),
        },
        coords={"quantity": ["log_mass", "concentration", "true_gamma"], "r": ("bin", [10.0, 100.0])},
        attrs={"source": "mock"},
    )


def test_information_of_latents_with_quantities(judged):
    ax = plots.plot_information(judged)
    assert [text.get_text() for text in ax.texts] == ["1.80", "0.20", "0.10", "0.90"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["latent 1", "latent 2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["log mass", "concentration"]
    assert ax.get_title(loc="left") == "mutual information, median over 2 networks"


def test_residuals_in_each_bin(judged):
    ax = plots.plot_bias(judged)
    assert ax.lines[0].get_xydata().tolist() == [[10, 0.01], [100, -0.01]] and ax.lines[1].get_ydata().tolist() == [0, 0.02]
    corners = ax.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (-0.2, 0.2)


def test_the_figure_of_latents(judged):
    assert len(plots.latents_figure(judged).axes) == 3  # with the colour bar
    judged["mi"][:] = np.nan
    assert len(plots.latents_figure(judged).axes) == 2  # no latent is active
