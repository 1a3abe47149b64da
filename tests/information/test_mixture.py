"""Mixtures against SciPy's integrals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from triptych.errors import ConfigError, DataError
from triptych.information import Mixture
from triptych.information.mixture import fit_mixture, refit

MIXTURE = Mixture(
    weights=np.array([0.5, 0.3, 0.2]),
    means=np.array([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5], [-1.0, -2.0, 1.0]]),
    covariances=np.array(
        [
            [[1.0, 0.5, 0.2], [0.5, 0.8, -0.1], [0.2, -0.1, 0.6]],
            [[0.5, -0.3, 0.1], [-0.3, 1.2, 0.4], [0.1, 0.4, 0.9]],
            [[0.3, 0.0, 0.0], [0.0, 0.4, 0.2], [0.0, 0.2, 0.7]],
        ]
    ),
)


def density(mixture, *point):
    return float(np.exp(mixture.log_density(np.array(point, dtype=float)[:, None]))[0])


def integral(function, low=-12.0, high=12.0):
    return quad(function, low, high, epsabs=1e-12, limit=400)[0]


def test_a_mixture_knows_its_size():
    assert MIXTURE.components == 3
    assert MIXTURE.parameters == 2 + 9 + 18  # free weights, means, covariances
    assert MIXTURE.marginal([1]).parameters == 2 + 3 + 3


@pytest.mark.parametrize(("axes", "point"), [([2, 0], (0.3, -0.4)), ([1, 2], (-1.5, 0.7))])
def test_a_marginal_is_an_integral_over_the_other_axis(axes, point):
    (other,) = {0, 1, 2} - set(axes)

    def joint(value):
        full = np.empty(3)
        full[axes], full[other] = point, value
        return density(MIXTURE, *full)

    assert density(MIXTURE.marginal(axes), *point) == pytest.approx(integral(joint), rel=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_cumulative_distribution_is_an_integral(axis):
    margin = MIXTURE.marginal([axis])
    values = np.array([-2.0, 0.1, 1.7])
    expected = [integral(lambda v: density(margin, v), high=value) for value in values]
    assert MIXTURE.cumulative(axis, values) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("axis", "given_axes"), [(0, [2]), (1, [0, 2]), (2, [1, 0])])
def test_with_a_condition_it_is_an_integral_of_the_joint_density(axis, given_axes):
    joint = MIXTURE.marginal([axis, *given_axes])
    given = np.array([[0.4, -1.0], [-0.3, 1.5]])[: len(given_axes)]
    values = np.array([0.6, -0.8])
    expected = []
    for value, where in zip(values, given.T, strict=True):
        inside = integral(lambda v, where=where: density(joint, v, *where), high=value)
        expected.append(inside / density(MIXTURE.marginal(given_axes), *where))
    assert MIXTURE.cumulative(axis, values, given=given, given_axes=given_axes) == pytest.approx(expected, abs=1e-9)


def test_a_condition_far_from_all_components_leaves_a_probability():
    found = MIXTURE.cumulative(0, np.array([-1e6, 1e6]), given=np.array([[500.0, 500.0]]), given_axes=[1])
    assert found == pytest.approx([0.0, 1.0])


def test_a_component_without_weight_has_no_say_given_a_condition():
    dead = Mixture(
        weights=np.array([1.0, 0.0]), means=np.array([[0.0, 0.0], [9.0, 5.0]]), covariances=np.tile(np.eye(2), (2, 1, 1))
    )
    assert dead.cumulative(0, np.zeros(1), given=np.full((1, 1), 5.0), given_axes=[1]) == pytest.approx([0.5])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_quantiles_are_the_inverse(axis):
    probabilities = np.array([1e-3, 0.05, 0.3, 0.5, 0.77, 0.999])
    found = MIXTURE.cumulative(axis, MIXTURE.quantile(axis, probabilities))
    assert found == pytest.approx(probabilities, abs=1e-5)


def test_samples_have_the_moments_and_the_distribution_of_the_mixture():
    n = 10_000
    points = MIXTURE.sample(n, rng=np.random.default_rng(1))
    mean, covariance = MIXTURE.moments()
    assert np.abs((points.mean(axis=1) - mean) / np.sqrt(np.diag(covariance) / n)).max() < 4
    products = (points - mean[:, None])[:, None] * (points - mean[:, None])[None]
    assert np.abs((products.mean(axis=2) - covariance) / (products.std(axis=2) / np.sqrt(n))).max() < 4
    for axis in range(3):
        assert stats.kstest(MIXTURE.cumulative(axis, points[axis]), "uniform").pvalue > 1e-4


def test_a_file_gives_the_same_mixture_back(tmp_path):
    MIXTURE.save(tmp_path / "mixture.nc")
    again = Mixture.load(tmp_path / "mixture.nc")
    for name in ("weights", "means", "covariances"):
        assert (getattr(again, name) == getattr(MIXTURE, name)).all()
    point = np.array([[0.1], [0.2], [0.3]])
    assert again.log_density(point) == MIXTURE.log_density(point)


def test_a_file_without_a_mixture_is_refused(tmp_path):
    (tmp_path / "noise.nc").write_bytes(b"no mixture")
    with pytest.raises(DataError, match="holds no mixture"):
        Mixture.load(tmp_path / "noise.nc")
    MIXTURE.to_dataset().drop_vars("means").to_netcdf(tmp_path / "part.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="means"):
        Mixture.load(tmp_path / "part.nc")
    with pytest.raises(DataError, match="holds no mixture"):
        Mixture.load(tmp_path / "none.nc")


@pytest.mark.parametrize(
    ("weights", "means", "covariances"),
    [
        ((2,), (3, 2), (3, 2, 2)),
        ((3,), (3, 2), (3, 2)),
        ((3,), (3,), (3, 1, 1)),
        ((3,), (3, 2), (3, 3, 3)),
        ((0,), (0, 2), (0, 2, 2)),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(weights, means, covariances):
    with pytest.raises(ConfigError, match="these arrays are no mixture"):
        Mixture(weights=np.ones(weights), means=np.ones(means), covariances=np.ones(covariances))


def test_a_fit_finds_the_mixture_that_was_sampled():
    """Its log density is at least that of the truth at the same samples, and on new ones nearly so."""
    rng = np.random.default_rng(2)
    points, fresh = MIXTURE.sample(2000, rng=rng), MIXTURE.sample(2000, rng=rng)
    value, found = fit_mixture(points, np.ones(2000), rng.random((5, 3, 2)))
    assert value == pytest.approx(found.log_density(points).mean(), abs=1e-6)
    assert value > MIXTURE.log_density(points).mean()
    loss = MIXTURE.log_density(fresh) - found.log_density(fresh)
    # half a parameter over the samples is expected, with the scatter of a chi-squared variable
    expected = (0.5 * MIXTURE.parameters + 4 * np.sqrt(0.5 * MIXTURE.parameters)) / 2000
    assert loss.mean() < expected + 4 * loss.std() / np.sqrt(2000)


def test_a_refit_leaves_its_start_alone():
    rng = np.random.default_rng(3)
    points = MIXTURE.sample(500, rng=rng)
    before = MIXTURE.means.copy()
    value, found = refit(points, np.ones(500), MIXTURE)
    assert (MIXTURE.means == before).all() and not (found.means == before).any()
    assert value > MIXTURE.log_density(points).mean()


def test_fits_leave_out_components_that_died():
    rng = np.random.default_rng(4)
    points = MIXTURE.sample(300, rng=rng)
    far = Mixture(
        weights=np.append(0.5 * MIXTURE.weights, 0.5),
        means=np.append(MIXTURE.means, np.full((1, 3), 1e3), axis=0),
        covariances=np.append(MIXTURE.covariances, np.eye(3)[None], axis=0),
    )
    _, found = refit(points, np.ones(300), far)
    assert found.components == 3 and found.weights.sum() == pytest.approx(1.0)
    _, few = fit_mixture(points[:, :30], np.ones(30), rng.random((2, 8, 2)))
    assert few.weights.min() * 30 > 9  # as many samples as the mean and covariance of a component have numbers


def test_quantiles_of_a_narrow_core_in_wide_tails():
    core = Mixture(weights=np.array([0.9, 0.1]), means=np.zeros((2, 1)), covariances=np.array([[[1e-5]], [[10.0]]]))
    probabilities = np.array([0.01, 0.3, 0.6, 0.8, 0.97])
    assert core.cumulative(0, core.quantile(0, probabilities)) == pytest.approx(probabilities, abs=3e-5)
