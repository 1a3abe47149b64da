from __future__ import annotations

import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus
from colossus.halo import accretion_history, mass_so
from scipy.signal import savgol_filter

from triptych.errors import ConfigError, DataError
from triptych.halos import Cosmology
from triptych.halos.histories.accretion import accretion_rate, dynamical_start, formation_redshift, output_times

PLANCK = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
DEFINITIONS = ["consecutive", "dk14", "dynamical", "instantaneous"]


@pytest.fixture
def theirs():
    """Colossus, with the same universe."""
    parameters = {"flat": True, "H0": 67.74, "Om0": 0.3089, "Ob0": 0.05, "sigma8": 0.8, "ns": 0.96}
    made = colossus.Cosmology("test", relspecies=False, persistence="", **parameters)
    colossus.setCurrent(made)
    return made


def rate(mass, a, definition, **options):
    return accretion_rate(mass, a, PLANCK, definition, **options)


def uneven(number, rng):
    return np.sort(np.append(rng.uniform(0.12, 0.99, number - 1), 1.0))


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_power_law_grows_at_its_exponent_at_any_time(definition):
    a = uneven(60, np.random.default_rng(1))
    exponents = np.array([-0.7, 0.0, 1.3, 6.0])
    found = rate(1e12 * a ** exponents[:, None], a, definition, bandwidth=0.3)
    there = np.isfinite(found.gamma)
    np.testing.assert_allclose(found.gamma[there], np.broadcast_to(exponents[:, None], there.shape)[there], atol=1e-7)
    begin = {"consecutive": np.append(-1, a)[:-1], "dk14": 1 / (1 / a + 0.5), "dynamical": dynamical_start(a, PLANCK)}
    expected = a > 0 if definition == "instantaneous" else begin[definition] >= a[0]
    np.testing.assert_array_equal(there, np.tile(expected, (4, 1)))
    assert there[:, -20:].all() and not found.bridged.any()


def test_exponential_growth_in_redshift():
    alpha, a = 0.8, output_times(400, 3.0)
    z = 1 / a - 1
    mass = 3e12 * np.exp(-alpha * z)[None]

    def mean(begin):
        return alpha * (1 / begin - 1 / a) / np.log(a / begin)

    np.testing.assert_allclose(rate(mass, a, "consecutive").gamma[0, 1:], mean(np.append(0.01, a[:-1]))[1:], rtol=1e-9)
    for definition, begin in (("dk14", 1 / (1.5 + z)), ("dynamical", dynamical_start(a, PLANCK))):
        gamma = rate(mass, a, definition).gamma[0]
        np.testing.assert_allclose(gamma[200:], mean(begin)[200:], rtol=1e-4)
    slope = rate(mass, a, "instantaneous", bandwidth=0.05).gamma[0]
    np.testing.assert_allclose(slope, alpha * (1 + z), rtol=1e-3)  # d(-alpha z) / d ln a


@pytest.mark.parametrize("redshift", [0.0, 0.5, 1.3])
@pytest.mark.parametrize("model", ["wechsler02", "vandenbosch14"])
def test_the_rate_over_a_dynamical_time_is_that_of_colossus(theirs, model, redshift):
    z = np.linspace(redshift, 5.0, 800)
    known = accretion_history.massAccretionHistory(1e12, z, z0=redshift, model=model)
    expected = accretion_history.massAccretionRate(1e12, redshift, model=model, delta_t="crossing")
    found = rate([np.ravel(known)[::-1]], 1 / (1 + z[::-1]), "dynamical")
    assert found.gamma[0, -1] == pytest.approx(float(np.squeeze(expected)), rel=3e-4)


def test_one_dynamical_time_earlier_in_colossus(theirs):
    a = np.array([0.08, 0.3, 0.6, 1.0])
    z = 1 / a - 1
    before = theirs.age(z) - mass_so.dynamicalTime(z, "200m")
    np.testing.assert_allclose(theirs.age(1 / dynamical_start(a, PLANCK) - 1), before, rtol=1e-4)  # their table of ages
    np.testing.assert_allclose(
        PLANCK.age(1 / dynamical_start(a, PLANCK) - 1), PLANCK.age(z) - PLANCK.dynamical_time(z), rtol=1e-8
    )


def test_the_slope_of_the_parabola_is_that_of_a_savitzky_golay_filter():
    rng = np.random.default_rng(3)
    a = output_times(50, 6.0)
    step = np.log(a[1] / a[0])
    mass = np.exp(np.cumsum(rng.normal(0.05, 0.1, (3, 50)), axis=1))
    gamma = rate(mass, a, "instantaneous", bandwidth=3 * step).gamma
    np.testing.assert_allclose(gamma[:, 3:-3], savgol_filter(np.log(mass), 7, 2, deriv=1, delta=step)[:, 3:-3], rtol=1e-8)
    for halo in range(3):  # at the end the window has one side
        end = np.polyfit(np.log(a[-4:]), np.log(mass[halo, -4:]), 2)
        assert gamma[halo, -1] == pytest.approx(end[1], rel=1e-6)  # the slope at ln a = 0
    assert np.isnan(rate(mass, a, "instantaneous", bandwidth=0.9 * step).gamma).all()  # a single point


def brute_force(a, log_mass, definition):
    """Gamma and whether a gap is bridged, one halo and one output at a time."""
    x, filled, made = np.log(a), log_mass.copy(), np.zeros(len(a), dtype=bool)
    for i in range(1, len(a) - 1):
        if np.isnan(log_mass[i]) and np.isfinite(log_mass[[i - 1, i + 1]]).all():
            filled[i] = np.interp(x[i], x[[i - 1, i + 1]], log_mass[[i - 1, i + 1]])
            made[i] = True

    def at(where):
        for i in range(len(x)):
            if abs(x[i] - where) < 1e-9:
                return filled[i], made[i]
        for i in range(len(x) - 1):
            if x[i] < where < x[i + 1]:
                return np.interp(where, x[i : i + 2], filled[i : i + 2]), made[i] or made[i + 1]
        return np.nan, False

    crossing = np.log(dynamical_start(a, PLANCK))
    gamma, bridged = np.full(len(a), np.nan), np.zeros(len(a), dtype=bool)
    for i in range(len(a)):
        begin = {
            "consecutive": x[max(i - 1, 0)] - (i == 0),
            "dk14": -np.log(1 / a[i] + 0.5),
            "dynamical": crossing[i],
        }[definition]
        (end, late), (start, early) = at(x[i]), at(begin)
        gamma[i] = (end - start) / (x[i] - begin)
        bridged[i] = np.isfinite(gamma[i]) and (late or early)
    return gamma, bridged


@pytest.mark.parametrize("definition", DEFINITIONS[:3])
def test_lost_outputs_are_bridged_one_at_a_time(definition):
    rng = np.random.default_rng(4)
    a = uneven(30, rng)
    log_mass = np.cumsum(rng.normal(0.1, 0.1, (12, 30)), axis=1)
    log_mass[rng.random((12, 30)) < np.linspace(0, 0.5, 12)[:, None]] = np.nan
    log_mass[0], log_mass[1, 1:] = np.nan, np.nan
    found = rate(np.exp(log_mass), a, definition)
    expected = [brute_force(a, halo, definition) for halo in log_mass]
    np.testing.assert_allclose(found.gamma, [gamma for gamma, _ in expected], atol=1e-9)
    np.testing.assert_array_equal(found.bridged, [bridged for _, bridged in expected])
    assert found.bridged.sum() > 20


def test_the_parabola_leaves_lost_outputs_out():
    a = output_times(40, 5.0)
    x = np.log(a)
    mass = np.exp(0.5 * x + 0.3 * x**2)
    mass[[10, 20, 21, 22]] = np.nan
    found = rate([mass], a, "instantaneous")
    expected = 0.5 + 0.6 * x
    expected[[20, 21, 22]] = np.nan  # 10 lies between two that are known
    np.testing.assert_allclose(found.gamma[0], expected, atol=1e-9)
    assert np.flatnonzero(found.bridged[0]).tolist() == [10]


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_errors_are_the_scatter_of_masses_with_independent_noise(definition):
    rng = np.random.default_rng(6)
    a = output_times(24)
    mean = 2e4 * a**2
    mean[7] = np.nan
    drawn = mean * np.exp(rng.normal(size=(4000, 24)) / np.sqrt(mean))
    counts = np.tile(np.where(np.isfinite(mean), mean, 0.0), (4000, 1))
    found = rate(drawn, a, definition, particles=counts)
    there = np.isfinite(found.gamma[0])
    np.testing.assert_array_equal(np.isfinite(found.error), np.tile(there, (4000, 1)))
    scatter = found.gamma[:, there].std(axis=0) / found.error[0, there]
    assert there.sum() > 15 and np.all(np.abs(scatter - 1) < 4 / np.sqrt(2 * 4000))
    if definition == "consecutive":
        expected = np.sqrt(1 / mean[-1] + 1 / mean[-2]) / np.log(a[-1] / a[-2])
        assert found.error[0, -1] == pytest.approx(expected)
        latest = rate(1e4 + rng.normal(size=(4000, 24)), a, "consecutive").gamma[:, 1:]
        assert np.corrcoef(latest[:, -2:].T)[0, 1] == pytest.approx(-0.5, abs=4 / np.sqrt(4000))
    assert np.isnan(rate(drawn[:2], a, definition).error).all()


def test_no_halos_have_no_rates():
    assert rate(np.empty((0, 5)), output_times(5), "dynamical", particles=np.empty((0, 5))).gamma.shape == (0, 5)
    assert formation_redshift(np.empty((0, 5)), output_times(5)).shape == (0,)


def test_formation_is_the_first_time_above_the_share():
    a = output_times(200)
    np.testing.assert_allclose(formation_redshift([a**2], a, share=0.25), 1.0, rtol=1e-9)
    a = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
    histories = np.array(
        [
            [0.1, 0.8, 0.3, 0.9, 1.0],  # up, down and up again: the first time counts
            [0.6, 0.7, 0.8, 0.9, 1.0],  # above from the beginning
            [0.1, np.nan, 0.9, 0.9, 1.0],  # across one lost output
            [0.1, np.nan, np.nan, 0.9, 1.0],  # not across two
            [np.nan, 0.2, 0.4, 0.5, 1.0],
            [0.1, 0.2, 0.4, 0.7, np.nan],
        ]
    )
    at = [np.log(0.5 / 0.1) / np.log(0.8 / 0.1), np.log(0.5 / 0.1) / np.log(0.9 / 0.1), 1.0]
    begin, end = np.array([0.2, 0.2, 0.6]), np.array([0.4, 0.6, 0.8])
    expected = np.full(6, np.nan)
    expected[[0, 2, 4]] = 1 / (begin * (end / begin) ** np.array(at)) - 1
    np.testing.assert_allclose(formation_redshift(histories, a), expected, rtol=1e-9)


def test_the_outputs_are_equal_steps():
    a = output_times()
    assert len(a) == 91 and a[0] == pytest.approx(1 / 8) and a[-1] == 1.0
    np.testing.assert_allclose(np.diff(np.log(a)), np.log(8) / 90)


def test_impossible_histories_are_refused():
    a, mass = output_times(4), np.ones((2, 4))
    for wrong, message in (
        ((mass[:, :3], a), "do not belong together"),
        ((mass[0], a), "do not belong together"),
        ((mass, a[::-1]), "order of time"),
        ((mass - 1, a), "a mass cannot be"),
        ((mass * np.inf, a), "a mass cannot be"),
    ):
        with pytest.raises(DataError, match=message):
            rate(*wrong, "consecutive")
        with pytest.raises(DataError, match=message):
            formation_redshift(*wrong)
    with pytest.raises(DataError, match="without particles"):
        rate(mass, a, "dk14", particles=np.zeros((2, 4)))
    with pytest.raises(DataError, match="differ in shape"):
        rate(mass, a, "dk14", particles=np.ones((1, 4)))
    with pytest.raises(ConfigError, match="unknown definition"):
        rate(mass, a, "recent")
    with pytest.raises(ConfigError, match="bandwidth"):
        rate(mass, a, "instantaneous", bandwidth=0.0)
    with pytest.raises(ConfigError, match="share"):
        formation_redshift(mass, a, share=1.0)
