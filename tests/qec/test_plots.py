"""The figures draw what the dataset holds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from triptych.qec.plots import (
    plot_biases,
    plot_budget,
    plot_crash_rates,
    plot_crash_rates_over_square,
    plot_largest_maps,
    plot_memory,
    plot_rivals,
    plot_run_times,
    plot_steps,
    plot_sweep,
    plot_thresholds,
)

RESULTS = xr.Dataset(
    {
        "crash_rate": ("p", [2e-6, 2e-4]),
        "lower": ("p", [1e-6, 0.0]),
        "upper": ("p", [3e-6, 5e-4]),
        "drawn": ("p", [np.nan, 3e-4]),
        "drawn_error": ("p", [np.nan, 1e-4]),
    },
    coords={"p": [1e-4, 1e-3]},
)


def test_crash_rates() -> None:
    ax = plot_crash_rates(RESULTS)
    guide, tree = ax.lines[0].get_ydata(), ax.lines[1].get_ydata()
    assert np.asarray(guide) == pytest.approx([2e-6, 2e-4]) and np.asarray(tree) == pytest.approx([2e-6, 2e-4])
    assert ax.get_xscale() == ax.get_yscale() == "log" and ax.get_ylabel() == "crash rate"


def test_crash_rates_over_square() -> None:
    ax = plot_crash_rates_over_square(RESULTS)
    assert np.asarray(ax.lines[1].get_ydata()) == pytest.approx([200.0, 200.0])
    assert "$p$" in ax.get_xlabel()


def drawn(ax, label):
    """The (x, y) of the line with this label."""
    (line,) = [line for line in ax.lines if str(line.get_label()).startswith(label)]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_thresholds_show_deviations_from_either_reference() -> None:
    results = xr.Dataset(
        {
            "crash_rate": (("rule", "event", "merge"), [[[0.9, 1.0]], [[1.2, 1.05]]]),
            "seconds": (("rule", "event", "merge"), [[[1.0, 2.0]], [[3.0, 4.0]]]),
            "certified_crash_rate": ("width", [2.0, 2.0]),
            "certified_lower": ("width", [1.8, 1.98]),
            "certified_upper": ("width", [2.2, 2.02]),
            "certified_seconds": ("width", [0.1, 0.2]),
        },
        coords={"rule": ["preservation", "lossy"], "event": [1e-5], "merge": [1e-10, 1e-12]},
        attrs={"baseline": 1.0, "converged": 2.0},
    )
    ax = plot_thresholds(results, against="baseline")
    x, y = drawn(ax, "event $10^{-5}$, preservation")
    assert x == pytest.approx([1.0]) and y == pytest.approx([10.0]), "the baseline itself has no place on a logarithmic axis"
    assert drawn(ax, "event $10^{-5}$, lossy")[1] == pytest.approx([20.0, 5.0])
    ax = plot_thresholds(results, against="converged")
    assert drawn(ax, "event $10^{-5}$, preservation")[1] == pytest.approx([55.0, 50.0])
    x, y = drawn(ax, "certified")
    assert x == pytest.approx([0.1, 0.2]) and y == pytest.approx([10.0, 1.0])


def test_rivals_go_on_as_the_square_root_of_the_shots() -> None:
    results = xr.Dataset(
        {
            "tree_inaccuracy": ("merge", [0.05]), "tree_seconds": ("merge", [0.2]),
            "certified_inaccuracy": ("width", [0.01]), "certified_seconds": ("width", [0.1]),
            "inaccuracy": ("sampler", [0.3]), "seconds": ("sampler", [10.0]),
        },
        coords={"sampler": ["geometric"]},
    )  # fmt: skip
    paper = {"tree": {"seconds": 200.0, "inaccuracy": 0.001}, "monte_carlo": {"seconds": 7e5, "inaccuracy": 0.0022}}
    ax = plot_rivals(results, paper=paper)
    assert [value.item() for value in drawn(ax, "Monte Carlo, geometric")] == pytest.approx([10.0, 30.0])
    (dotted,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    x, y = np.asarray(dotted.get_xdata()), np.asarray(dotted.get_ydata())
    assert y * np.sqrt(x) == pytest.approx([30 * np.sqrt(10.0)] * 2) and x[1] > 10 * x[0]
    assert [value.item() for value in drawn(ax, "Monte Carlo of the paper")] == pytest.approx([7e5, 0.22])


SIZES = xr.Dataset(
    {
        name: (("series", "logical_qubits"), np.array(values))
        for name, values in {
            "seconds": [[1.0, 2.0, 3.0], [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]],
            "states_peak": [[10, 20, 40], [1, 2, 4], [5, 6, 7]],
            "bias": [[-0.01, -0.02, -0.03], [-0.001, -0.002, -0.003], [0.0, 0.0, 0.0]],
            "crash_rate": [[1.0, 1.0, 1.0]] * 3,
            "lower": [[0.99, 0.98, 0.97]] * 3,
            "upper": [[1.01, 1.02, 1.03]] * 3,
        }.items()
    },
    coords={"series": ["strings", "observed", "certified"], "logical_qubits": [2, 3, 5]},
)


def test_sizes() -> None:
    ax = plot_run_times(SIZES)
    assert drawn(ax, "Pauli strings")[1] == pytest.approx([1.0, 2.0, 3.0])
    assert drawn(ax, "inflections")[0] == pytest.approx([4, 4]), "the second, at eight, is outside"
    assert drawn(plot_largest_maps(SIZES), "observed")[1] == pytest.approx([1, 2, 4])
    ax = plot_biases(SIZES)
    assert drawn(ax, "Pauli strings")[1] == pytest.approx([-1.0, -2.0, -3.0])
    corners = ax.collections[0].get_paths()[0].get_extents()
    assert (corners.ymin, corners.ymax) == pytest.approx((-3.0, 3.0))


def test_memory_goes_on_by_bytes_a_state() -> None:
    traced = SIZES.assign(bytes=("traced", [1e9, 4e9])).assign_coords(traced=[2, 3])  # 1e8 and 2e8 bytes a state
    ax = plot_memory(traced)
    assert drawn(ax, "traced")[1] == pytest.approx([1.0, 4.0])
    assert drawn(ax, "states x")[1] == pytest.approx([1.5, 3.0, 6.0])
    assert drawn(ax, "the paper")[1] == pytest.approx([1, 8])


BUDGET = xr.Dataset(
    {"share": (("class", "place"), [[0.5, 0.25], [0.0, 0.25]]), "step_share": ("step", [0.7, 0.2, 0.1])},
    coords={"class": ["two_qubit", "reset"], "place": ["check", ""], "step": ["a", "b", "c"]},
)


def test_budget_stacks_the_places_of_a_class() -> None:
    ax = plot_budget(BUDGET)
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert bars == [(0, 50), (0, 0), (50, 25), (0, 25)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["two qubit", "reset"]
    assert [text.get_text() for text in ax.texts] == ["75 %", "25 %"]
    legend = ax.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["check", "elsewhere"]


def test_steps_are_the_largest() -> None:
    ax = plot_steps(BUDGET, most=2)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([70, 20]) and ax.yaxis_inverted()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_sweeps_mark_where_encoding_begins_to_pay() -> None:
    """One line has a crossing; of the other, a rate of zero and a lower bound of zero have no place on the axis."""
    dims = ("preparation", "extractions", "p")
    results = xr.Dataset(
        {
            "crash_rate": (dims, [[[1e-5, 1e-3]], [[0.0, 4e-5]]]),
            "lower": (dims, [[[0.9e-5, 0.9e-3]], [[0.0, 0.0]]]),
            "upper": (dims, [[[1.1e-5, 1.1e-3]], [[1e-5, 5e-5]]]),
            "pseudothreshold": (dims[:2], [[8e-4], [np.nan]]),
        },
        coords={"preparation": ["9+3", "8+1"], "extractions": [3], "p": [1e-4, 9e-4]},
    )
    ax = plot_sweep(results)
    assert drawn(ax, "bare qubit")[1] == pytest.approx([1e-4, 9e-4])
    assert drawn(ax, "9+3, 3 extractions: pseudothreshold 0.0008")[1] == pytest.approx([1e-5, 1e-3])
    (star,) = [line for line in ax.lines if line.get_marker() == "*"]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (8e-4, 8e-4)  # type: ignore[index]
    bands = [collection.get_paths()[0].get_extents() for collection in ax.collections]
    assert [(one.ymin, one.ymax) for one in bands] == [pytest.approx((0.9e-5, 1.1e-3)), pytest.approx((2e-6, 5e-5))]
    assert ax.get_xscale() == ax.get_yscale() == "log" and "$p$" in ax.get_xlabel()
