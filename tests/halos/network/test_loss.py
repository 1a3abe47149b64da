"""Each term of the loss against integrals, closed formulas and finite differences."""

from __future__ import annotations

import math
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from tests.halos.network import curves
from triptych.errors import ConfigError
from triptych.halos.network import LossConfig, NetworkConfig, OptimiserConfig, Posterior, kl_of
from triptych.halos.network.examples import Batch
from triptych.halos.network.loss import divergence, penalty, sample
from triptych.halos.network.model import build, learn_scale
from triptych.halos.network.settings import EncoderConfig
from triptych.halos.network.training import Seen, _Task

GAUSSIANS = [(0.0, 1.0), (1.3, 0.4), (-0.7, 2.0), (0.2, 0.05)]


def nats(mean, sigma):
    """KL( N(mean, sigma) || N(0, 1) ) by quadrature."""
    own, prior = stats.norm(mean, sigma), stats.norm()
    return integrate.quad(lambda z: own.pdf(z) * (own.logpdf(z) - prior.logpdf(z)), mean - 12 * sigma, mean + 12 * sigma)[0]


@pytest.mark.parametrize(("mean", "sigma"), GAUSSIANS)
def test_divergence_against_quadrature(mean, sigma):
    exact = nats(mean, sigma)
    assert float(divergence(jnp.asarray(mean), jnp.asarray(2 * math.log(sigma)))) == pytest.approx(exact, abs=1e-6)
    assert kl_of(Posterior(np.array([[mean]]), np.array([[sigma]])))[0] == pytest.approx(exact, abs=1e-9)


def test_divergence_against_draws():
    """Monte Carlo with the draws that the training takes; 4 sigma."""
    mean, log_variance = jnp.asarray([[0.8, -0.3]]), jnp.asarray([[-1.5, 0.4]])
    many = jnp.repeat(mean, 200_000, axis=0), jnp.repeat(log_variance, 200_000, axis=0)
    z = np.asarray(sample(*many, jax.random.key(1)), float)
    sigma = np.exp(np.asarray(log_variance, float) / 2)
    np.testing.assert_allclose(z.mean(axis=0), mean[0], atol=4 * sigma.max() / 447)
    np.testing.assert_allclose(z.std(axis=0), sigma[0], rtol=0.01)
    surprise = stats.norm(mean, sigma).logpdf(z) - stats.norm().logpdf(z)
    error = surprise.std(axis=0) / math.sqrt(len(z))
    assert (abs(surprise.mean(axis=0) - np.asarray(divergence(mean, log_variance)[0], float)) < 4 * error).all()


def test_latents_of_halos_count_on_average():
    posterior = Posterior(np.array([[m] for m, _ in GAUSSIANS]), np.array([[s] for _, s in GAUSSIANS]))
    assert kl_of(posterior)[0] == pytest.approx(np.mean([nats(m, s) for m, s in GAUSSIANS]), abs=1e-8)


def test_no_penalty_costs_nothing():
    assert float(penalty("none", jnp.ones((4, 2)), jnp.ones((4, 2)), jnp.ones((4, 2)))) == 0.0


def test_covariance_is_that_of_numpy():
    mean = np.random.default_rng(1).normal(size=(40, 3)) @ np.random.default_rng(2).normal(size=(3, 3))
    covariance = np.cov(mean, rowvar=False)
    expected = (covariance[~np.eye(3, dtype=bool)] ** 2).sum()
    assert float(penalty("covariance", jnp.asarray(mean), jnp.asarray(mean), jnp.zeros((40, 3)))) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.8])
def test_total_correlation_of_gaussians(rho):
    """The aggregate posterior of many halos is a Gaussian of correlation rho: -ln(1 - rho^2) / 2 nats."""
    number, sigma = 2000, 0.3
    rng = np.random.default_rng(6)
    inner = np.array([[1.0, rho], [rho, 1.0]]) - sigma**2 * np.eye(2)
    mean = rng.multivariate_normal(np.zeros(2), inner, number)
    z = mean + sigma * rng.normal(size=mean.shape)
    arrays = (jnp.asarray(array, jnp.float32) for array in (z, mean, np.full(mean.shape, 2 * math.log(sigma))))
    found = float(penalty("total_correlation", *arrays))
    exact = -0.5 * math.log(1 - rho**2)
    scatter = math.sqrt(rho**2 / number)  # of the log density ratio of Gaussians, whose variance is rho^2
    assert found == pytest.approx(exact, abs=4 * scatter + 0.03)  # the bandwidth, and the halo's own kernel


def test_weights_fall_with_radius_and_with_the_scatter_of_a_bin():
    x, _, noisy = curves.curves()
    made = curves.examples()
    scale = learn_scale(made.training_profiles())
    train = noisy[: curves.TRAINING]
    weights, flat = np.asarray(scale.weights(0.35), float), np.asarray(scale.weights(0.0), float)
    scatter = train.std(axis=0)
    tilted = 10.0 ** (-0.35 * x[0])
    np.testing.assert_allclose(weights / weights[0], tilted / tilted[0] * (scatter[0] / scatter) ** 2, rtol=1e-4)
    np.testing.assert_allclose(flat / flat[0], (scatter[0] / scatter) ** 2, rtol=1e-4)
    for found in (weights, flat):  # the common profile is through the means: 7 numbers for 7 radii
        assert (found * ((train - train.mean(axis=0)) / float(scale.spread)) ** 2).mean() == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(("kl", "expected"), [("sum", 2.0 + 0.1 * 0.9 + 0.5 * 4.0), ("mean", 2.0 + 0.1 * 0.3 + 0.5 * 4.0)])
def test_terms_add_up(kl, expected):
    config = NetworkConfig(latents=3, loss=LossConfig(kl=kl, strength=0.5))
    task = _Task(input=None, scale=None, config=config, steps=1, alone=False)
    seen = Seen(error=jnp.asarray(2.0), rms=jnp.asarray(9.0), kl=jnp.asarray([0.5, 0.3, 0.1]), penalty=jnp.asarray(4.0))
    assert float(task.loss(seen, 0.1)) == pytest.approx(expected, rel=1e-6)


def shapes(sees):
    return {"boxes": (2, 8, 8, 8), "sphere": (24, 48), "profile": (7,)}[sees]


@pytest.mark.parametrize(
    ("sees", "kind", "kl"), [("boxes", "none", "sum"), ("sphere", "covariance", "mean"), ("profile", "total_correlation", "sum")]
)
def test_slopes_against_finite_differences(sees, kind, kl):
    """The whole loss of a member, in 64 bits, along random directions in its weights."""
    loss = LossConfig(penalty=kind, kl=kl, strength=0.7, tilt=0.35)
    config = curves.settings(sees, loss=loss, members=1)
    rng, (x, _, noisy) = np.random.default_rng(8), curves.curves()
    stored = rng.normal(size=(12, *shapes(sees)))
    task = _Task(
        config=config,
        input=lambda stored: stored,
        scale=learn_scale(curves.examples().training_profiles()),
        steps=1,
        alone=False,
    )
    form = eqx.filter_eval_shape(build, config, shapes(sees), jax.random.key(3))
    leaves, tree = jax.tree.flatten(form)

    def drawn():
        """Numbers for all weights, of a size that no layer saturates."""
        return jax.tree.unflatten(
            tree, [jnp.asarray(rng.normal(size=leaf.shape) / math.sqrt(max(leaf.size / leaf.shape[-1], 1))) for leaf in leaves]
        )

    with jax.enable_x64(True):
        batch = Batch(*(jnp.asarray(array) for array in (stored, x[:12], noisy[:12])))

        @jax.jit
        @jax.value_and_grad
        def price(step, weights, way):
            moved = jax.tree.map(lambda leaf, along: leaf + step * along, weights, way)
            return task.loss(task.look(moved, batch, jax.random.key(4)), 0.3)

        for _ in range(3):
            weights, way, step = drawn(), drawn(), 1e-3
            before, here, after = (price(times * step, weights, way) for times in (-1, 0, 1))
            wide = [price(times * step, weights, way)[0] for times in (-2, 2)]
            found = (8 * (after[0] - before[0]) - (wide[1] - wide[0])) / (12 * step)
            assert float(found) == pytest.approx(float(here[1]), rel=1e-6, abs=1e-9)


def test_beta_is_held_and_rises():
    beta = LossConfig(beta=0.4, hold=0.3, ramp=0.2).schedule(10)
    t = np.linspace(0, 1, 21)
    np.testing.assert_allclose(beta(jnp.asarray(t)), np.interp(t, [0, 0.3, 0.5, 1], [0, 0, 0.4, 0.4]), atol=1e-6)
    assert LossConfig(hold=0.3, ramp=0.2).settled(64) == pytest.approx(0.5)


@pytest.mark.parametrize("b0", [2e-4, 1e-3, 0.02])
def test_the_published_schedule(b0):
    """b0 [1 + 1 / (b0 / 2e-4 + exp(9 - e / 3.2))]: from b0 it rises by 2e-4, half of it where exp(9 - e / 3.2) = b0 / 2e-4."""
    with jax.enable_x64(True):
        beta = LossConfig(beta=b0, annealing="published").schedule(64)
        for epoch in (0, 10, 29, 64):
            expected = b0 * (1 + 1 / (b0 / 2e-4 + math.exp(9 - epoch / 3.2)))
            assert float(beta(epoch / 64)) == pytest.approx(expected, rel=1e-12)
        half = 3.2 * (9 - math.log(b0 / 2e-4))
        assert float(beta(half / 64)) - b0 == pytest.approx(1e-4, rel=1e-9)
        assert float(beta(1e3)) - b0 == pytest.approx(2e-4, rel=1e-9)
        assert float(beta(0.0)) == pytest.approx(b0, rel=2e-4)


@pytest.mark.parametrize("b0", [2e-4, 0.02])
def test_the_published_schedule_has_settled_when_nine_tenths_of_the_rise_are_done(b0):
    loss = LossConfig(beta=b0, annealing="published")
    with jax.enable_x64(True):
        beta = loss.schedule(64)
        done = (beta(loss.settled(64)) - b0) / 2e-4
    assert float(done) == pytest.approx(1 / 1.1, rel=1e-6)
    assert loss.settled(5) == 1.0
    assert replace(loss, beta=0.0).settled(64) == 0.0


def test_a_constant_beta():
    beta = LossConfig(beta=0.1, annealing="constant")
    np.testing.assert_allclose(beta.schedule(7)(jnp.asarray([0.0, 0.5, 1.0])), 0.1, rtol=1e-6)
    assert beta.settled(7) == 0.0


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        (LossConfig, {"beta": -1.0}),
        (LossConfig, {"beta": math.nan}),
        (LossConfig, {"hold": 0.9, "ramp": 0.2}),
        (LossConfig, {"ramp": 0.0}),
        (LossConfig, {"strength": -0.1}),
        (EncoderConfig, {"filters": 0}),
        (EncoderConfig, {"width": -3}),
        (OptimiserConfig, {"epochs": 0}),
        (OptimiserConfig, {"learning_rate": math.nan}),
        (OptimiserConfig, {"patience": -1}),
        (OptimiserConfig, {"warmup": 1.0}),
        (NetworkConfig, {"latents": 0}),
        (NetworkConfig, {"members": 0}),
        (NetworkConfig, {"seed": -1}),
    ],
)
def test_settings_that_are_refused(settings, bad):
    with pytest.raises(ConfigError):
        replace(settings(), **bad)
