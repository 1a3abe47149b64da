"""The figures show the data they are given."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import xarray as xr

from triptych.lattice import sample, torus
from triptych.lattice.plots import (
    plot_along,
    plot_charge_history,
    plot_effective_coupling,
    plot_freezing,
    plot_run_lengths,
    plot_sectors,
    plot_times,
)


@pytest.fixture(scope="module")
def data():
    return sample(beta=2.0, shape=(4, 4), chains=3, trajectories=8, thermalization=8, key=jax.random.key(1))


def test_history(data):
    ax = plot_charge_history(data, chain=2)
    assert ax.lines[0].get_ydata().tolist() == data.charge.isel(chain=2).to_numpy().tolist()
    assert ax.get_xlabel() and ax.get_ylabel()


def test_freezing_stacks_the_couplings(data):
    figure = plot_freezing([data, data.assign_attrs(beta=7.0)])
    assert [ax.get_title(loc="left") for ax in figure.axes] == [r"$\beta = 2$", r"$\beta = 7$"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_sectors(data):
    ax = plot_sectors(data)
    assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(1)
    charges, exact = ax.lines[-1].get_data() if len(ax.lines[-1].get_xdata()) > 2 else ax.lines[0].get_data()
    assert np.asarray(exact)[np.asarray(charges) == 1] == pytest.approx(torus(2.0, (4, 4)).sectors[1])


@pytest.fixture
def race():
    """Two couplings, HMC with two N, a trained model with two seeds, and exact draws."""
    names = ["HMC, N = 4", "HMC, N = 8", "trained 0", "trained 1", "exact draws"]
    kinds = ["hmc", "hmc", "trained", "trained", "exact"]
    tau = np.array([[10.0, 5.0, 2.0, 3.0, 1.0], [100.0, np.nan, 4.0, 6.0, 1.0]])
    lines = ("beta", "sampler")
    return xr.Dataset(
        {
            "tau_Q_Z": (lines, tau),
            "tau_Q_Z_error": (lines, 0.1 * tau),
            "tau_Q_R": (lines, 0.9 * tau),
            "tau_Q_R_error": (lines, 0.1 * tau),
            "steps": (lines, np.array([[4.0, 8.0, 4.0, 4.0, 0.0]] * 2)),
            "paper_hmc": ("beta", [156.0, np.nan]),
            "paper_trained": ("beta", [4.2, 20.0]),
            "run_length": ((*lines, "length"), np.broadcast_to([40.0, 400.0, np.nan], (2, 5, 3))),
            "estimate": ((*lines, "length"), np.broadcast_to([8.0, 9.0, np.nan], (2, 5, 3))),
            "estimate_error": ((*lines, "length"), np.broadcast_to([4.0, 1.0, np.nan], (2, 5, 3))),
            "long_enough": ((*lines, "length"), np.broadcast_to([False, True, False], (2, 5, 3))),
        },
        coords={"beta": [2.0, 7.0], "sampler": names, "kind": ("sampler", kinds)},
        attrs={"shape": [8, 8]},
    )


def test_times_and_prices(race):
    for price in (False, True):
        ax = plot_times(race, price=price)
        drawn = [line.get_ydata().tolist() for line in ax.lines if len(line.get_ydata()) == 2]
        factor = 4 if price else 1
        assert [factor * 2.0, factor * 4.0] in drawn and ax.get_yscale() == "log"
        assert ([156.0, pytest.approx(np.nan, nan_ok=True)] in drawn) == price
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels.count("trained") == 1 and "HMC, N = 8" in labels and ("exact draws" in labels) != price
        assert ax.get_xlabel() and ax.get_ylabel() and "8 x 8" in ax.get_title()


def test_run_lengths(race):
    ax = plot_run_lengths(race.sel(beta=7.0, sampler=["HMC, N = 4", "trained 1"]))
    white = [line.get_xdata()[0] for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert white == [40.0, 40.0]  # the runs that are too short
    flat = [line.get_ydata().tolist() for line in ax.lines if line.get_linestyle() == "--"]
    assert flat == [[400.0, 400.0], [24.0, 24.0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["HMC, N = 4", "trained 1"]
    assert ax.get_title() == r"$\beta = 7$"


def seen(beta):
    """Three chains of two steps whose plaquette dips to that of beta = 2."""
    plaquettes = [torus(beta, (4, 4)).plaquette, torus(2.0, (4, 4)).plaquette, torus(beta, (4, 4)).plaquette]
    values = np.array([plaquettes] * 3)
    names = ("plaquette", "energy", "charge", "real_charge")
    attrs = {"beta": beta, "shape": [4, 4], "plaquette_exact": plaquettes[0]}
    return xr.Dataset(dict.fromkeys(names, (("chain", "step"), values)), {"step": [0, 1, 2]}, attrs)


def test_along():
    data = seen(4.0)
    for name in ("energy", "plaquette", "real_charge", "charge"):
        ax = plot_along(data, name)
        assert ax.lines[-1].get_ydata().tolist() == pytest.approx(data[name].mean("chain").values) and ax.get_ylabel()


def test_effective_coupling():
    ax = plot_effective_coupling([seen(3.0), seen(4.0)])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [rf"$\beta = {b}$ $\to 2.00$" for b in (3, 4)]
    dashed = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == [torus(beta, (4, 4)).plaquette for beta in (3.0, 4.0)]
    difference = plot_effective_coupling([seen(4.0)], difference=True).lines[0].get_ydata()
    assert difference[0] == pytest.approx(0, abs=1e-12) and difference[1] < 0
