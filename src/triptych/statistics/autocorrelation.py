"""How many samples of a Markov chain are worth one independent sample.

In: one observable along several chains, (chain, time). Out: its mean with an honest error, and its integrated autocorrelation
time. Two conventions are in use: ``tau = 1 + 2 sum rho`` (1 for independent samples: Foreman et al. 2021, Sokal, emcee), which
is the one of every number here, and Wolff's ``tau / 2 = 1/2 + sum rho``, under the name `tau_wolff`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import ConfigError, ConvergenceError
from triptych.statistics.chains import as_chains, mean_over_chains
from triptych.statistics.estimate import Estimate

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Autocorrelation:
    """What the Gamma method finds.

    Attributes
    ----------
    mean : the observable's mean; its error contains the autocorrelation.
    tau : integrated autocorrelation time 1 + 2 sum rho, in samples.
    window : lag at which the sum was cut off.
    rho : normalised autocorrelation function at lags 0 ... window.
    samples : number of samples in all chains together.
    long_enough : whether a chain is at least 5 tau long; where not, tau is only a lower bound.
    """

    mean: Estimate
    tau: Estimate
    window: int
    rho: Series
    samples: int
    long_enough: bool

    @property
    def tau_wolff(self) -> Estimate:
        """The same time as 1/2 + sum rho."""
        assert self.tau.error is not None
        return Estimate.statistical(self.tau.value / 2, self.tau.error / 2)


def autocorrelation(series: ArrayLike, *, mean: float | None = None, s: float = 2.0) -> Autocorrelation:
    """Mean and integrated autocorrelation time by the Gamma method (U. Wolff, hep-lat/0306017).

    The sum is cut where the estimated systematic error falls below the statistical one (eqs. 50-52), the mean's own fluctuation
    is corrected for (eq. 49) unless the mean is known, and the error of tau is eq. 42. Cost: one FFT per chain, O(n log n) time
    and O(n) memory in the number of samples n.

    Parameters
    ----------
    series : (chain, time); one chain may be given as (time,).
    mean : the exact mean where it is known, such as 0 for a topological charge. The estimate is then also right for chains that
        were too short to find the mean by themselves.
    s : assumed ratio of the exponential to the integrated autocorrelation time (1 to 2 is usual).

    Raises
    ------
    ConfigError
        If the series is too short (fewer than 8 samples a chain), not finite, or constant.

    Examples
    --------
    >>> import numpy as np
    >>> found = autocorrelation(np.random.default_rng(1).normal(size=(4, 5000)))
    >>> abs(found.tau.value - 1) < 4 * found.tau.error
    True
    """
    values = as_chains(series, shortest=8)
    samples = values.size
    centre = float(values.mean()) if mean is None else mean
    gamma = _autocovariance(values - centre)
    if gamma[0] <= 0:
        raise ConfigError("the series is constant: its autocorrelation time is not defined", got=f"value {values.flat[0]:g}")
    rho = gamma / gamma[0]
    window = _window(rho, samples, s)
    tau = float(rho[: window + 1].sum() - 0.5)
    if tau <= 0:  # short anticorrelated series: taken as independent, which overestimates the error
        window, tau = 0, 0.5
    if mean is None:
        tau *= 1 + (2 * window + 1) / samples
    tau_error = 2 * tau * np.sqrt(max(window + 0.5 - tau, 0.0) / samples)
    variance = gamma[0] * (1 + (2 * tau / samples if mean is None else 0.0))
    return Autocorrelation(
        mean=Estimate.statistical(float(values.mean()), float(np.sqrt(2 * tau * variance / samples))),
        tau=Estimate.statistical(2 * tau, 2 * float(tau_error)),
        window=window,
        rho=rho[: window + 1],
        samples=samples,
        long_enough=bool(values.shape[1] >= 5 * 2 * tau),
    )


def frozen_autocorrelation_time(series: ArrayLike, variance: float, *, lag: int | None = None) -> Estimate:
    """Integrated autocorrelation time of a quantity that hardly moves, from its exact variance.

    Chains that start in equilibrium and are shorter than tau cannot know their variance, and any window then underestimates tau.
    With the variance known, rho(t) = 1 - <(O(i + t) - O(i))^2> / (2 variance) is unbiased at any lag t, and with one dominant
    exponential tau = 1 + 2 sum rho = coth(-ln rho(t) / (2 t)), about -2 t / ln rho(t). The error comes from the chains' spread
    (jackknife over chains).

    Parameters
    ----------
    series : (chain, time), at least 8 chains, each started in equilibrium.
    variance : exact variance of the observable, such as <Q_Z^2> on the torus.
    lag : t; by default the first lag where rho has fallen to 1/e, at most half the run.

    Raises
    ------
    ConfigError
        If `variance` is not positive, the lag lies outside the run, or there are too few chains.
    ConvergenceError
        If nothing moved at all (only a lower bound exists), if the chains have lost all memory at the lag, or if they are not in
        equilibrium: their own spread lies more than 5 standard errors from `variance`, as after a cold start.
    """
    values = as_chains(series, shortest=2)
    chains, length = values.shape
    if chains < 8:
        raise ConfigError("an error over chains needs them", got=f"{chains} chains", expected=">= 8")
    if not variance > 0:
        raise ConfigError("the exact variance must be positive", got=variance)
    if lag is None:
        lag = next((t for t in range(1, length // 2) if _rho(values, t, variance).mean() < np.exp(-1)), max(1, length // 2))
    if not 1 <= lag < length:
        raise ConfigError("the lag lies outside the run", got=lag, expected=f"1 <= lag < {length}")
    spread = mean_over_chains((values - values.mean()) ** 2)
    assert spread.error is not None
    if abs(spread.value - variance) > 5 * np.hypot(spread.error, variance * np.sqrt(2 / chains)):
        raise ConvergenceError(
            "the chains are not in equilibrium",
            got=f"their variance is {spread}",
            expected=f"{variance:g}",
            fix="start them there",
        )
    rho = _rho(values, lag, variance)
    left_out = (rho.sum() - rho) / (chains - 1)
    if rho.mean() >= 1 or left_out.max() >= 1:
        raise ConvergenceError(
            "fewer than two chains moved: there is no autocorrelation time to see", got=f"{chains} chains of {length}"
        )
    if rho.mean() <= 0 or left_out.min() <= 0:
        raise ConvergenceError(
            "the chains have lost all memory at this lag", got=f"rho = {rho.mean():.3g}", fix="give a smaller lag"
        )
    times = 1 / np.tanh(-np.log(left_out) / (2 * lag))
    error = np.sqrt((chains - 1) * np.mean((times - times.mean()) ** 2))
    return Estimate.statistical(float(1 / np.tanh(-np.log(rho.mean()) / (2 * lag))), float(error))


def _rho(values: Series, lag: int, variance: float) -> Series:
    """Autocorrelation of each chain at one lag from the mean squared change."""
    return np.asarray(1 - np.mean((values[:, lag:] - values[:, :-lag]) ** 2, axis=1) / (2 * variance))


def _autocovariance(deviations: Series) -> Series:
    """Autocovariance averaged over chains at lags 0 ... n/2 - 1, by zero-padded FFT; (chain, time) -> (lag,)."""
    length = deviations.shape[1]
    spectrum = np.fft.rfft(deviations, n=2 * length, axis=1)
    sums = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=0))[: length // 2]
    return np.asarray(sums / (deviations.shape[0] * (length - np.arange(length // 2))))


def _window(rho: Series, samples: int, s: float) -> int:
    """The first lag where cutting the sum costs less than going on (Wolff, eqs. 50-52).

    Where the samples are anticorrelated (tau below 1) the sum says nothing about the decay; the sum of |rho| then does.
    """
    lags = np.arange(1, len(rho))
    tau = np.cumsum(rho)[1:] - 0.5
    tau = np.where(tau > 0.5, tau, np.maximum(np.cumsum(np.abs(rho))[1:] - 0.5, 0.5 + 1e-12))
    decay = s / np.log((2 * tau + 1) / (2 * tau - 1))
    enough = np.exp(-lags / decay) - decay / np.sqrt(lags * samples) < 0
    return int(lags[np.argmax(enough)] if enough.any() else lags[-1])
