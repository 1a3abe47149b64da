"""The figures draw what the dataset holds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from triptych.qec.plots import plot_crash_rates, plot_crash_rates_over_square

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
