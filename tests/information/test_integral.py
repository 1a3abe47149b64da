"""Integrals over mixtures against closed forms, grids and plain Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.information import gaussian_information, mixture_information
from triptych.information import Mixture
from triptych.information.integral import Contrast, expectation, nodes


def one(covariance):
    covariance = np.array(covariance, dtype=float)
    return Mixture(weights=np.ones(1), means=np.zeros((1, len(covariance))), covariances=covariance[None])


def random_mixture(components, rng):
    roots = 0.6 * rng.normal(size=(components, 2, 2))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.05 * np.eye(2)
    return Mixture(
        weights=rng.dirichlet(np.ones(components)), means=1.5 * rng.normal(size=(components, 2)), covariances=covariances
    )


def gaussian_contrast(covariance, x, y, given=()):
    """ln det by NumPy: I(X; Y | Z) = 1/2 ln(det xz det yz / (det z det xyz))."""
    covariance = np.array(covariance, dtype=float)

    def log_det(*axes):
        return np.linalg.slogdet(covariance[np.ix_(axes, axes)])[1] if axes else 0.0

    return 0.5 * (log_det(*x, *given) + log_det(*y, *given) - log_det(*given) - log_det(*x, *y, *given))


@pytest.mark.parametrize("rho", [0.0, 0.1, -0.6, 0.9, 0.99, 0.9999])
def test_the_information_of_a_gaussian(rho):
    """Known without an integration."""
    value, error = Contrast.between(1, 1).mean(one([[1, rho], [rho, 1]]))
    assert value == pytest.approx(gaussian_information(rho), abs=1e-9)
    assert error < 1e-9


def test_scales_and_places_do_not_matter():
    mixture = Mixture(weights=np.ones(1), means=np.array([[1e3, -5.0]]), covariances=np.array([[[4.0, 0.06], [0.06, 1e-3]]]))
    rho = 0.06 / np.sqrt(4e-3)
    value, _ = Contrast.between(1, 1).mean(mixture)
    assert value == pytest.approx(gaussian_information(rho), abs=1e-9)


def test_the_information_of_mixtures_and_its_error():
    """Mixtures against a grid: each within five errors, and the errors neither too small nor idle."""
    rng = np.random.default_rng(1)
    pulls = []
    for _ in range(24):
        mixture = random_mixture(int(rng.integers(2, 6)), rng)
        truth = mixture_information(mixture.weights, mixture.means, mixture.covariances)
        value, error = Contrast.between(1, 1).mean(mixture)
        assert error < 0.01
        pulls.append((value - truth) / error)
    assert np.abs(pulls).max() < 6  # Student's t of 7 degrees of freedom
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 2.2  # 1.2 in the mean


def test_a_million_plain_samples_agree():
    mixture = random_mixture(4, np.random.default_rng(2))
    contrast = Contrast.between(1, 1)
    value, error = contrast.mean(mixture)
    plain = contrast.at(mixture.sample(1_000_000, rng=np.random.default_rng(3)), mixture)
    assert abs(value - plain.mean()) < 4 * np.hypot(error, plain.std() / 1e3)


THREE = [[1.0, 0.6, 0.5], [0.6, 1.5, -0.2], [0.5, -0.2, 0.8]]


@pytest.mark.parametrize(
    ("sizes", "blocks"),
    [((1, 1, 1), ((0,), (1,), (2,))), ((2, 1, 0), ((0, 1), (2,))), ((1, 2, 0), ((0,), (1, 2)))],
)
def test_conditional_and_joint_information_of_three_gaussian_variables(sizes, blocks):
    value, _ = Contrast.between(*sizes).mean(one(THREE))
    assert value == pytest.approx(gaussian_contrast(THREE, *blocks), abs=1e-9)


def test_the_order_of_the_axes_is_x_then_y_then_the_condition():
    contrast = Contrast.between(1, 2, 3)
    assert contrast.subsets.astype(int).tolist() == [[1] * 6, [1, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]]
    assert contrast.signs.tolist() == [1, -1, -1, 1]


def test_the_contrast_at_points_is_a_difference_of_log_densities():
    mixture = random_mixture(3, np.random.default_rng(4))
    points = np.random.default_rng(5).normal(size=(2, 20))
    expected = mixture.log_density(points) - mixture.marginal([0]).log_density(points[:1])
    expected -= mixture.marginal([1]).log_density(points[1:])
    assert Contrast.between(1, 1).at(points, mixture) == pytest.approx(expected, abs=1e-13)


def test_means_over_a_mixture():
    """E x, E x^2 and E xy, known from the parameters."""
    mixture = random_mixture(3, np.random.default_rng(6))
    moments = mixture.covariances + mixture.means[:, :, None] * mixture.means[:, None]
    expected = np.einsum("k,kij->ij", mixture.weights, moments)
    for i, j in [(0, 0), (0, 1), (1, 1)]:
        value, error = expectation(mixture, lambda p, i=i, j=j: p[i] * p[j])
        assert value == pytest.approx(expected[i, j], abs=5 * error + 1e-9)
    value, error = expectation(mixture, lambda p: p[0])
    assert value == pytest.approx(mixture.weights @ mixture.means[:, 0], abs=5 * error + 1e-9)


@pytest.mark.parametrize("axes", [1, 2, 5])
def test_nodes_are_standard_normal_and_batches_differ(axes):
    normal = nodes(axes)
    batches, rows, count = normal.shape
    assert rows == axes
    flat = normal.transpose(1, 0, 2).reshape(axes, -1)
    assert np.abs(flat.mean(axis=1)).max() < 0.01 and np.abs(np.cov(flat) - np.eye(axes)).max() < 0.03
    assert len(np.unique(normal)) == batches * axes * count
