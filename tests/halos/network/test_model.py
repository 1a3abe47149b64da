"""The decoder and its scale, against plain NumPy."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from tests.halos.network import curves
from triptych.halos.network.model import Profiles, learn_scale


@pytest.fixture(scope="module")
def ive(ensemble):
    return ensemble.selected.ive


@pytest.fixture(scope="module")
def scale():
    return learn_scale(curves.examples().training_profiles())


def test_the_scale_is_that_of_training_curves(scale):
    x, _, noisy = curves.curves()
    train = noisy[: curves.TRAINING]
    assert float(scale.centre - scale.reach) == pytest.approx(0.5) and float(scale.centre + scale.reach) == pytest.approx(3.0)
    np.testing.assert_allclose(scale.position(jnp.asarray(x[0])), np.linspace(-1, 1, 7), atol=1e-6)
    common = train.mean(axis=0)  # seven numbers carry seven points
    residual = np.asarray(scale.residual(jnp.asarray(x), jnp.asarray(noisy)), float)
    spread = (train - common).std()
    assert float(scale.spread) == pytest.approx(spread, rel=1e-5)
    np.testing.assert_allclose(scale.scatter, (train - common).std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(residual, (noisy - common) / spread, atol=1e-4)
    np.testing.assert_allclose(scale.target(jnp.asarray(x), jnp.asarray(residual)), noisy, atol=1e-5)


def test_a_smooth_common_profile_leaves_nothing():
    query = np.sort(np.random.default_rng(1).uniform(1.0, 2.5, (50, 12)), axis=1).astype(np.float32)
    scale = learn_scale(Profiles(query, (3.0 - 2.0 * query + 0.5 * query**3).astype(np.float32)))
    assert len(scale.common) == 8
    assert float(scale.spread) < 1e-5


def test_a_bin_that_never_changes_counts_like_the_others():
    """Such as a mass that is measured in units of the last one."""
    x, _, noisy = curves.curves()
    noisy[:, 3] = 1.0
    weights = np.asarray(learn_scale(Profiles(x, noisy)).weights(0.0), float)
    assert weights[3] == pytest.approx(1.0, rel=1e-5) and np.isfinite(weights).all()


def test_beyond_the_training_the_common_profile_goes_on_straight(scale):
    x, common = np.array([-1.5, -1.0, 0.3, 1.0, 1.4]), np.asarray(scale.common, float)
    inside = np.clip(x, -1, 1)
    expected = np.polyval(common, inside) + np.polyval(np.polyder(common), inside) * (x - inside)
    query = jnp.asarray(float(scale.centre) + float(scale.reach) * x)
    np.testing.assert_allclose(scale.profile(query), expected, rtol=1e-4, atol=1e-4)


def test_the_decoder_against_numpy(ive):
    """Latents and four times the place of log r, through two layers of x sigmoid(x)."""
    rng = np.random.default_rng(2)
    z, query = rng.normal(size=(4, 3)).astype(np.float32), rng.uniform(0.5, 3.0, (4, 5)).astype(np.float32)
    weights = [[np.asarray(array, float) for array in pair] for pair in zip(ive.decoder.weights, ive.decoder.biases, strict=True)]
    place = (query - float(ive.scale.centre)) / float(ive.scale.reach)
    y = np.concatenate([np.repeat(z[:, None], 5, axis=1), 4.0 * place[..., None]], axis=-1)
    for number, (weight, bias) in enumerate(weights):
        y = (y / (1 + np.exp(-y)) if number else y) @ weight + bias
    expected = np.polyval(np.asarray(ive.scale.common, float), place) + float(ive.scale.spread) * y[..., 0]
    np.testing.assert_allclose(ive.log_density(jnp.asarray(z), jnp.asarray(query)), expected, rtol=1e-4, atol=1e-5)


def test_radii_do_not_see_each_other(ive):
    z, query = jnp.ones((2, 3)), jnp.asarray(np.linspace(0.5, 3.0, 8)[None].repeat(2, axis=0), jnp.float32)
    whole = ive.log_density(z, query)
    order = np.random.default_rng(3).permutation(8)
    np.testing.assert_allclose(ive.log_density(z, query[:, order]), whole[:, order], rtol=1e-5)
    np.testing.assert_allclose(ive.log_density(z, query[:, 2:3]), whole[:, 2:3], rtol=1e-5)
