from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import DataError
from triptych.halos.degrees import degrees_of_freedom


def population(*, rng, halos=40_000):
    """Two degrees of freedom along known directions, with correlated noise."""
    root = np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.3, 0.7]])
    noise = rng.normal(size=(halos, 3)) @ root.T
    truth = rng.normal(size=(halos, 2)) @ np.array([[2.0, 2.0, 2.0], [1.0, 0.0, -1.0]])
    return truth, noise, root


def test_ratios_are_the_eigenvalues_of_whitened_profiles():
    truth, noise, root = population(rng=np.random.default_rng(3))
    found = degrees_of_freedom(truth + noise, noise)
    white = (truth + noise) @ np.linalg.inv(root).T  # the noise has unit covariance here
    np.testing.assert_allclose(found.ratio, np.linalg.eigvalsh(np.cov(white.T))[::-1], rtol=0.03)
    assert found.ratio[2] == pytest.approx(1.0, abs=0.03)


def test_modes_do_not_depend_on_a_mixing_of_shells():
    truth, noise, _ = population(rng=np.random.default_rng(4))
    mix = np.array([[1.0, 0.2, 0.0], [0.0, 1.0, 0.5], [0.1, 0.0, 1.0]])
    plain, mixed = degrees_of_freedom(truth + noise, noise), degrees_of_freedom((truth + noise) @ mix, noise @ mix)
    np.testing.assert_allclose(mixed.ratio, plain.ratio, rtol=1e-9)
    np.testing.assert_allclose(np.abs(mixed.modes), np.abs(plain.modes @ mix), rtol=1e-6, atol=1e-9)


def test_halos_with_an_empty_shell_are_left_out():
    truth, noise, _ = population(rng=np.random.default_rng(5), halos=500)
    holes = (truth + noise).copy()
    holes[:50, 1] = np.nan
    np.testing.assert_allclose(degrees_of_freedom(holes, noise).ratio, degrees_of_freedom(holes[50:], noise[50:]).ratio)


def test_too_few_halos_and_no_noise_are_refused():
    with pytest.raises(DataError, match="too few halos"):
        degrees_of_freedom(np.eye(3), np.eye(3))
    with pytest.raises(DataError, match="noise vanishes"):
        degrees_of_freedom(np.random.default_rng(1).normal(size=(50, 3)), np.zeros((50, 3)))
