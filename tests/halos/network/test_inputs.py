"""What encoders see, against counts by hand and moments by NumPy."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from tests.halos.network import curves, universe
from triptych.halos.network.examples import of_halos
from triptych.halos.network.inputs import learn, value
from triptych.halos.network.model import learn_scale
from triptych.halos.network.settings import EncoderConfig
from triptych.halos.voxels.symmetries import apply_symmetry


@pytest.mark.parametrize("mean", [5.0, 30.0, 400.0])
def test_the_noise_of_counts_is_the_same_everywhere(mean):
    counts = np.random.default_rng(2).poisson(mean, 200_000)
    seen = np.asarray(value(jnp.asarray(counts, jnp.float32), jnp.ones(()), "counts", "counts"))
    np.testing.assert_allclose(seen, 2 * np.sqrt(counts + 0.375), rtol=1e-6)
    assert seen.std() == pytest.approx(1.0, abs=0.015 + 0.2 / mean**2)  # Anscombe: 1 + 1 / (16 mean^2)


def test_the_shift_of_three_eighths_is_the_best():
    """At a mean of 4, where other shifts are seen: the variance is 1.002 with 3/8, 1.08 with 1/8, 0.95 with 1/2."""
    counts = np.random.default_rng(3).poisson(4.0, 400_000).astype(np.float32)
    seen = np.asarray(value(jnp.asarray(counts), jnp.ones(()), "counts", "counts"), float)
    mean = counts.mean()
    exact = 4.0 * np.var(np.sqrt(counts.astype(float) + 0.375))
    assert seen.var() == pytest.approx(exact, rel=1e-5)
    assert abs(exact - 1.0) < abs(4.0 * np.var(np.sqrt(counts.astype(float) + 0.125)) - 1.0)
    assert mean == pytest.approx(4.0, abs=0.02)


def test_particles_are_counted_in_boxes_of_log_densities(data):
    """Whole numbers of particles, from log10(1 + rho/rho_m) in 32 bits."""
    examples = of_halos(data, EncoderConfig())
    for row in (0, 5, 90):
        offsets = universe.offsets_of(row, rng=np.random.default_rng([0, row]))
        stored = jnp.asarray(examples.read(np.array([row]))[0])
        seen = np.asarray(value(stored, jnp.asarray(examples.at_mean, jnp.float32), "log_density", "counts"))
        for level, side in enumerate(universe.BOX.sides):
            edges = [np.linspace(-side / 2, side / 2, universe.BOX.n + 1)] * 3
            np.testing.assert_allclose(seen[level] ** 2 / 4 - 0.375, np.histogramdd(offsets, edges)[0], atol=0.01)


def test_counts_become_densities(data):
    examples = of_halos(data, EncoderConfig(sees="sphere"))
    stored = examples.read(np.arange(3))
    edges = data.table["sphere/edge"].to_numpy()
    cell = 4 / 3 * np.pi * np.diff(edges**3) / 48
    density = stored * universe.PARTICLE / cell[:, None] / universe.MEAN
    seen = value(jnp.asarray(stored, jnp.float32), jnp.asarray(examples.at_mean, jnp.float32), "counts", "log_density")
    np.testing.assert_allclose(seen, np.log10(1 + density), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("sees", "axes"), [("boxes", (0, 2, 3, 4)), ("sphere", (0, 2))])
def test_log_densities_are_standardised_by_level(data, sees, axes):
    examples = of_halos(data, EncoderConfig(sees=sees))
    made = examples.input("log_density")
    seen = np.asarray(made(jnp.asarray(examples.read(data.rows("training")))), float)
    np.testing.assert_allclose(seen.mean(axis=axes), 0.0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=axes), 1.0, rtol=1e-5)


def test_counts_have_the_mean_of_their_distance(data):
    """The mean is that of the mean count over cells that symmetries carry into each other; nothing tells their direction."""
    examples = of_halos(data, EncoderConfig())
    mean = np.asarray(examples.input("counts").mean)
    for k in range(48):
        np.testing.assert_allclose(apply_symmetry(mean, k), mean, rtol=1e-6)
    total = sum(
        np.histogramdd(universe.offsets_of(row, rng=np.random.default_rng([0, row])), [np.linspace(-300, 300, 9)] * 3)[0]
        for row in data.rows("training")
    )
    corners = total[np.ix_([0, -1], [0, -1], [0, -1])].mean() / universe.HALOS[0]
    assert mean[0, 0, 0, 0] == pytest.approx(2 * np.sqrt(corners + 0.375), rel=1e-5)
    sphere = of_halos(data, EncoderConfig(sees="sphere"))
    counts = sphere.read(data.rows("training")).mean(axis=(0, 2))
    np.testing.assert_allclose(sphere.input("counts").mean[:, 0], 2 * np.sqrt(counts + 0.375), rtol=1e-6)


def test_plain_numbers_are_standardised_one_by_one():
    made = curves.examples()
    stored = made.read(made.rows["training"])
    seen = np.asarray(made.input("plain")(jnp.asarray(stored)))
    np.testing.assert_allclose(seen, (stored - stored.mean(axis=0)) / stored.std(axis=0), atol=1e-4)


@pytest.mark.parametrize(("number", "constant"), [(7, 0.3), (51, 0.1), (255, 5.7)])  # of the last two, moments round up
def test_what_never_changes_is_not_blown_up(number, constant):
    stored = np.stack([np.full(number, constant), np.linspace(-1, 1, number)], axis=1).astype(np.float32)
    made = learn([stored], np.ones(()), "plain", "plain")
    assert float(made.width[0]) == 1.0
    np.testing.assert_allclose(made(jnp.asarray([[constant + 0.1, 0.0]], jnp.float32)), [[0.1, 0.0]], atol=1e-6)


@pytest.mark.parametrize("form", ["counts", "log_density"])
def test_pieces_leave_no_trace(data, form):
    examples = of_halos(data, EncoderConfig())
    stored = examples.read(data.rows("training"))
    one, several = (
        learn(pieces, examples.at_mean, "log_density", form) for pieces in ([stored], [stored[:5], stored[5:6], stored[6:]])
    )
    for name in ("mean", "width"):
        np.testing.assert_allclose(getattr(one, name), getattr(several, name), rtol=1e-6)


@pytest.mark.parametrize("sees", ["boxes", "sphere", "profile"])
def test_only_training_halos_teach(data, sees):
    """Other validation and test halos: the same means, widths and scale, bit by bit."""
    examples = of_halos(data, EncoderConfig(sees=sees))
    first = universe.HALOS[0]

    def read(rows):
        stored = np.array(examples.read(rows), np.float32)
        stored[rows >= first] += 3.0
        return stored

    target = np.array(examples.profiles.target)
    target[first:] *= 2.0
    profiles = examples.profiles._replace(target=target)
    other = replace(examples, read=read, profiles=profiles)
    form = "plain" if sees == "profile" else "counts"
    here, there = examples.input(form), other.input(form)
    assert np.asarray(here.mean).tobytes() == np.asarray(there.mean).tobytes()
    assert np.asarray(here.width).tobytes() == np.asarray(there.width).tobytes()
    scales = [learn_scale(one.training_profiles()) for one in (examples, other)]
    assert np.asarray(scales[0].common).tobytes() == np.asarray(scales[1].common).tobytes()
    assert np.asarray(scales[0].scatter).tobytes() == np.asarray(scales[1].scatter).tobytes()
