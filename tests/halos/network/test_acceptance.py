"""What an encoder must find in a mock universe whose truth is known; and what it must not find without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.halos.dataset.columns import BoxSpec
from triptych.halos.dataset.gather import Recipe
from triptych.halos.dataset.selection import Cuts
from triptych.halos.mock.build import Realisation, build_mock
from triptych.halos.network import EncoderConfig, NetworkConfig, active, of_halos, train

pytestmark = pytest.mark.slow

RECIPE = Recipe(
    kind="infall",
    outer=2.0,
    bins=13,
    cuts=Cuts(largest_radius=150.0),
    box=BoxSpec(n=2, sides=(600.0,), scheme="ngp"),  # spherical cells alone are looked at
    min_particles=1,
)
SPLITS = (Realisation("a", 911, "training", 3000), Realisation("b", 912, "validation", 500), Realisation("c", 913, "test", 500))
SETTINGS = NetworkConfig(members=3, encoder=EncoderConfig(sees="sphere"))
EXPLAINED = 0.5  # of the variance among halos, at least


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return build_mock(tmp_path_factory.mktemp("mock") / "x.zarr", SPLITS, RECIPE, workers=2)


@pytest.fixture(scope="module")
def examples(data):
    return of_halos(data, SETTINGS.encoder)


@pytest.fixture(scope="module")
def ensemble(examples):
    return train(examples, SETTINGS)


def residuals(network, data, examples):
    """Predicted less true log density (halo, bin) of the test halos, and the true one."""
    rows = examples.rows["test"]
    posterior = network.encode(examples, rows)
    predicted = network.predict(posterior, data.table["r"].to_numpy()[rows], rng=np.random.default_rng(1)).mean(axis=0)
    truth = data.table["truth/log_density"].to_numpy()[rows]
    return predicted - truth, truth


def explained(network, data, examples):
    """The part of the variance among test halos that the network knows, over all bins."""
    off, truth = residuals(network, data, examples)
    return 1.0 - (off**2).sum() / ((truth - truth.mean(axis=0)) ** 2).sum()


def test_three_latents_are_used(ensemble, examples):
    numbers = [len(active(one.encode(examples, examples.rows["test"]))) for one in ensemble.networks]
    assert numbers.count(3) >= 2, numbers


def test_profiles_are_right_on_average(ensemble, data, examples):
    rows = examples.rows["test"]
    posterior = ensemble.selected.encode(examples, rows)
    predicted = ensemble.selected.predict(posterior, data.table["r"].to_numpy()[rows], rng=np.random.default_rng(1)).mean(axis=0)
    off = predicted - data.table["log_density"].to_numpy()[rows]
    assert (abs(off.mean(axis=0)) < 0.03).all(), off.mean(axis=0)


def test_most_of_what_makes_halos_different_is_known(ensemble, data, examples):
    assert explained(ensemble.selected, data, examples) > EXPLAINED


def test_profiles_of_other_halos_teach_nothing(data, examples):
    """Each halo is given the profile of another one: the test that the true profiles pass must fail."""
    target = np.array(examples.profiles.target)
    query = np.array(examples.profiles.query)
    for split in ("training", "validation"):
        rows = examples.rows[split]
        shuffled = np.random.default_rng(2).permutation(rows)
        target[rows], query[rows] = examples.profiles.target[shuffled], examples.profiles.query[shuffled]
    lied = replace(examples, profiles=examples.profiles._replace(target=target, query=query), digest="shuffled")
    network = train(lied, replace(SETTINGS, members=1)).selected
    assert explained(network, data, examples) < 0.1 < EXPLAINED
