"""The figures show the data they are given."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from triptych.lattice import sample, torus
from triptych.lattice.plots import plot_charge_history, plot_freezing, plot_sectors


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
