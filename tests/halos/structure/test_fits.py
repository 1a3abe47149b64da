"""What NFW and Einasto fits share: many halos at once, shells left out, and the maximum of the likelihood."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from triptych.errors import ConfigError
from triptych.halos import fit_nfw, nfw_shells, sample_nfw
from triptych.halos.structure.einasto import einasto_density, einasto_shells, fit_einasto, sample_einasto

EDGES = np.geomspace(9.8, 150.0, 16)
VOLUME = 4 / 3 * np.pi * np.diff(EDGES**3)
FITS = pytest.mark.parametrize("fit", [fit_nfw, fit_einasto])


def profiles(counts):
    return 3.0 * counts / VOLUME, 3.0 * np.sqrt(np.maximum(counts, 1)) / VOLUME


def drawn(halos, number=3000, seed=3):
    """Counts (halo, shell) of NFW halos of different scale radii."""
    rng = np.random.default_rng(seed)
    return np.array([np.histogram(sample_nfw(number, rs, 150.0, rng=rng), EDGES)[0] for rs in rng.uniform(8, 40, halos)])


def adverse(kind, halos, rng):
    """Counts that no halo has: noise over many decades, nearly empty shells, or two power laws with a step between."""
    if kind == "noise":
        return rng.poisson(np.exp(rng.normal(3, 1.5, (halos, 15))))
    if kind == "sparse":
        return rng.poisson(rng.uniform(0, 1.5, (halos, 15)))
    x = np.linspace(0, 1, 15) * np.log(15) - rng.uniform(0, np.log(15), (halos, 1))
    rising, falling, step = (rng.uniform(low, high, (halos, 1)) for low, high in ((0, 3), (0, 3), (0.1, 10)))
    expected = np.where(x < 0, np.exp(rising * x), step * np.exp(-falling * x))
    return rng.poisson(3000 * expected / expected.sum(axis=1, keepdims=True))


def deviance(counts, mu):
    filled = np.maximum(counts, 1e-300)
    return 2 * (mu - counts + counts * np.log(filled / mu)).sum()


def columns(fit):
    return [np.asarray(column) for column in fit]


@FITS
def test_many_halos_at_once_are_each_halo_alone(fit):
    counts = drawn(6)
    together = fit(EDGES, *profiles(counts))
    for row in range(6):
        alone = fit(EDGES, *profiles(counts[row]))
        assert isinstance(alone.rs, float) and isinstance(alone.problem, str)
        assert alone == tuple(column[row] for column in together)


@FITS
def test_every_halo_has_its_own_edges(fit):
    """In units of another length and another density the same profile is the same fit."""
    counts, scale = drawn(4), np.array([0.01, 1.0, 3.0, 1000.0])
    density, error = profiles(counts)
    one, other = fit(EDGES, density, error), fit(scale[:, None] * EDGES, 7 * density, 7 * error)
    np.testing.assert_allclose(other.rs, scale * one.rs, rtol=1e-6)
    np.testing.assert_allclose(other.rho_s, 7 * one.rho_s, rtol=1e-5)
    np.testing.assert_allclose(other.rs_error, scale * one.rs_error, rtol=1e-5)
    np.testing.assert_allclose(other.rho_s_error, 7 * one.rho_s_error, rtol=1e-5)
    np.testing.assert_allclose(other.deviance, one.deviance, rtol=1e-9)


@FITS
def test_a_shell_left_out_does_not_exist(fit):
    density, error = profiles(drawn(5))
    used = np.ones((5, 15), dtype=bool)
    used[0, 9:], used[1, :3], used[2, :] = False, False, True
    density[~used], error[~used] = np.nan, -1.0
    fits = fit(EDGES, density, error, used)
    for row, shells in ((0, slice(0, 9)), (1, slice(3, 15)), (2, slice(0, 15))):
        alone = fit(EDGES[shells.start : shells.stop + 1], density[row, shells], error[row, shells])
        for ours, theirs in zip(columns(fits), columns(alone), strict=True):
            if ours.dtype == object:
                assert ours[row] == theirs
            else:
                np.testing.assert_allclose(ours[row], theirs, rtol=1e-6)


@FITS
def test_a_hole_in_the_profile_does_not_count(fit):
    """Noiseless, so that the truth comes back whatever is left out; what is there is wrong by far."""
    density = nfw_shells(EDGES, 25.0, 1e6) if fit is fit_nfw else einasto_shells(EDGES, 25.0, 1e6, 0.2)
    used = np.ones(15, dtype=bool)
    used[[4, 7, 8]] = False
    result = fit(EDGES, np.where(used, density, 100 * density), 0.1 * density, used)
    assert (result.rs, result.rho_s) == pytest.approx((25.0, 1e6), rel=1e-6)
    assert result.dof == (10 if fit is fit_nfw else 9)


@FITS
def test_one_failure_among_many_is_flagged_and_alone(fit):
    counts = drawn(4)
    counts[1], counts[2, 2:] = 0, 0
    fits = fit(EDGES, *profiles(counts))
    assert fits.problem.tolist() == ["", "only 0 shells with particles", "only 2 shells with particles", ""]
    assert np.isnan(fits.rs).tolist() == np.isnan(fits.deviance).tolist() == [False, True, True, False]
    assert not fits.resolved[1:3].any()


@FITS
def test_a_scale_radius_outside_the_shells_is_not_resolved(fit):
    shells = nfw_shells if fit is fit_nfw else einasto_shells
    density = shells(EDGES, np.array([5.0, 25.0, 200.0]), np.full(3, 1e6))
    assert fit(EDGES, density, 0.1 * density).resolved.tolist() == [False, True, False]
    for shells in (EDGES[:-1] > 30, EDGES[1:] < 20):
        assert fit(EDGES, density, 0.1 * density, np.tile(shells, (3, 1))).resolved.tolist() == [False, False, False]


@pytest.mark.parametrize("kind", ["noise", "sparse", "step"])
def test_the_highest_likelihood_is_found_for_any_counts(kind):
    """Against a grid over all scale radii in reach; it also tells whether there is a maximum at all."""
    counts = adverse(kind, 600, np.random.default_rng(5))
    grid = np.linspace(np.log(EDGES[0] / 30), np.log(EDGES[-1] * 30), 800)
    mass = nfw_shells(EDGES, np.exp(grid), np.ones(800)) * VOLUME
    likelihood = counts @ np.log(mass / mass.sum(axis=1, keepdims=True)).T
    best = likelihood.argmax(axis=1)
    inside = (best > 0) & (best < 799) & ((counts > 0).sum(axis=1) >= 3)
    fits = fit_nfw(EDGES, *profiles(counts))
    np.testing.assert_array_equal(fits.problem == "", inside)
    assert inside.sum() > 100
    assert np.abs(np.log(fits.rs) - grid[best])[inside].max() < grid[1] - grid[0]


@pytest.mark.parametrize("kind", ["noise", "sparse", "step"])
def test_the_highest_likelihood_over_alpha_is_found_for_any_counts(kind):
    """Against a ladder of fits with fixed alpha, which know nothing of the derivative by it."""
    density, error = profiles(adverse(kind, 300, np.random.default_rng(9)))
    ladder = np.array([fit_einasto(EDGES, density, error, alpha=alpha).deviance for alpha in np.geomspace(0.02, 0.7, 40)])
    free = fit_einasto(EDGES, density, error)
    steps, fitted = np.where(np.isnan(ladder), np.inf, ladder), free.problem == ""
    assert fitted.sum() > 60
    assert np.all(free.deviance[fitted] <= steps.min(axis=0)[fitted] + 1e-9)
    lowest = np.clip(steps.argmin(axis=0), 1, 38)  # a step of the ladder with higher ones on both sides
    below, at, above = (steps[lowest + shift, np.arange(300)] for shift in (-1, 0, 1))
    valley = (at < below) & (at < above) & np.isfinite(below) & np.isfinite(above)
    assert fitted[valley].all()


@pytest.mark.parametrize("model", ["nfw", "einasto"])
def test_a_general_minimiser_finds_the_same(model):
    """Expected counts by quadrature of the density, all parameters free at once, no derivative."""
    rng = np.random.default_rng(12)
    radii = sample_nfw(2000, 20.0, 150.0, rng=rng) if model == "nfw" else sample_einasto(2000, 30.0, 150.0, 0.2, rng=rng)
    counts = np.histogram(radii, EDGES)[0]

    def density(r, parameters):
        if model == "nfw":
            x = r / np.exp(parameters[0])
            return np.exp(parameters[1]) / (x * (1 + x) ** 2)
        return einasto_density(r, np.exp(parameters[0]), np.exp(parameters[1]), parameters[2])

    def misfit(parameters):
        mu = [quad(lambda u: np.exp(3 * u) * density(np.exp(u), parameters), *np.log(shell))[0] for shell in pairwise(EDGES)]
        return deviance(counts, 4 * np.pi * np.array(mu) / 3.0)

    start = [np.log(25.0), np.log(4.0)] if model == "nfw" else [np.log(25.0), np.log(0.2), 0.16]
    best = minimize(misfit, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8, "maxfev": 1000})
    assert best.success
    ours = fit_nfw(EDGES, *profiles(counts)) if model == "nfw" else fit_einasto(EDGES, *profiles(counts))
    expected = [ours.rs, ours.rho_s] if model == "nfw" else [ours.rs, ours.rho_s, ours.alpha]
    np.testing.assert_allclose([*np.exp(best.x[:2]), *best.x[2:]], expected, rtol=2e-4)
    assert ours.deviance == pytest.approx(best.fun, abs=1e-5)


@pytest.mark.parametrize("shape", [(16,), (4, 15), (2, 3, 15)])
def test_shells_used_that_do_not_fit_are_refused(shape):
    with pytest.raises(ConfigError, match="fit together"):
        fit_nfw(EDGES, *profiles(drawn(3)), used=np.ones(shape, dtype=bool))


def test_no_halos_are_no_fits_and_no_shells_are_refused():
    assert len(fit_nfw(EDGES, *profiles(np.zeros((0, 15)))).rs) == 0
    with pytest.raises(ConfigError, match="fit together"):
        fit_nfw([1.0], [], [])


@pytest.mark.parametrize(("row", "column", "value"), [(0, 3, np.nan), (1, 3, np.inf), (0, 4, -1.0)])
def test_numbers_that_are_none_are_refused_where_they_count(row, column, value):
    arrays = np.array(profiles(drawn(1)[0]))
    arrays[row, column] = value
    with pytest.raises(ConfigError, match="cannot be"):
        fit_nfw(EDGES, *arrays)
    used = np.arange(15) != column
    assert fit_nfw(EDGES, *arrays, used).problem == ""
