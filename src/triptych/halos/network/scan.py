"""How many latents do the profiles need?

In: a data set and settings. Out: networks of many numbers of latents and prices of a nat, judged on validation halos, beside the
number of directions that linear algebra alone finds, and a recommendation with its reason.

The number of latents that are used depends on beta, the price of a nat: a latent is used where it lowers the loss by more than
its nats cost. So the recommendation always says at which beta its number holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.dataset import DataSet
from triptych.halos.degrees import degrees_of_freedom
from triptych.halos.network.examples import Examples, of_halos
from triptych.halos.network.judge import accuracy, pair_information, stability
from triptych.halos.network.latents import ACTIVE, active, kl_of
from triptych.halos.network.settings import NetworkConfig
from triptych.halos.network.training import train
from triptych.information import Settings
from triptych.information.variables import FEWEST
from triptych.runs import Run

LATENTS = (1, 2, 3, 4, 5)
BETAS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
CLOSE = 1.02  # rms over the best that still counts as the best
CLEAR = 1.5  # total over noise variance of a direction that counts as a degree of freedom


class Recommendation(NamedTuple):
    """What a scan says.

    Attributes
    ----------
    latents : how many to take.
    reason : why, and at which beta that holds, in words.
    """

    latents: int
    reason: str


def scan(
    data: DataSet,
    config: NetworkConfig,
    *,
    latents: Sequence[int] = LATENTS,
    betas: Sequence[float] = BETAS,
    run: Run | None = None,
    rng: np.random.Generator,
    settings: Settings | None = None,
) -> xr.Dataset:
    """Train every number of latents at the configuration's beta, and every beta with the largest number of latents.

    Parameters
    ----------
    data : a data set; training halos teach, all results are of validation halos, test halos are not looked at.
    config : all that is not scanned; `config.members` seeds are trained at each setting.
    latents : numbers of latents.
    betas : prices of a nat; that of `config` is always among them.
    run : where the trainings ``latents-<number>-beta-<beta>`` go, so that an interrupted scan goes on. Without it nothing is
        written.
    rng : draws of the latents, bootstraps, and noise where the truth is not known.
    settings : of the mutual information.

    Returns
    -------
    xarray.Dataset
        (setting): `latents`, `beta`, and `stability`, how alike the latents of two seeds are, at most 1. (setting, member):
        `loss`; `rms` and `rms_true` [dex], against measured and true profiles (NaN where the truth is not known); `active`, the
        number of latents with KL > 0.1 nats; `pair_mi` [nats], the largest mutual information of two active latents, 0 where
        there are no two. (setting, member, latent): `kl` [nats], the largest first, NaN beyond the number of latents. (degree):
        `degrees`, total over noise variance along each linear degree of freedom of the training profiles
        (:func:`triptych.halos.degrees_of_freedom`). Attributes: `beta`, `kind`, `source`, and `noise`, where that comes from.

    Raises
    ------
    ConfigError
        If nothing is scanned, or a number cannot be.
    DataError
        If there are too few halos to train on, or fewer than 30 to validate.

    Notes
    -----
    Trains len(latents) + len(betas) - 1 ensembles, one more where the configuration's beta is not among `betas`.
    """
    asked = _settings(config, latents, betas)
    examples = of_halos(data, config.encoder)
    if len(examples.rows["validation"]) < FEWEST:
        raise DataError(
            "too few halos to judge by",
            got=f"{len(examples.rows['validation'])} to validate",
            expected=f"at least {FEWEST}, for mutual information",
            fix="build a larger data set",
        )
    columns = [_judged(data, examples, one, run=run, rng=rng, settings=settings) for one in asked]
    table = xr.concat([column.reindex(latent=np.arange(max(latents))) for column in columns], dim="setting")
    table["latents"] = ("setting", [one.latents for one in asked])
    table["beta"] = ("setting", [one.loss.beta for one in asked])
    ratio, noise = linear_count(data, rng=rng)
    table["degrees"] = ("degree", ratio)
    for name, units in (("rms", "dex"), ("rms_true", "dex"), ("kl", "nats"), ("pair_mi", "nats")):
        table[name].attrs["units"] = units
    table.attrs = {"beta": config.loss.beta, "kind": data.attributes.kind, "source": data.attributes.source, "noise": noise}
    return table.drop_vars("latent")


def by_latents(table: xr.Dataset) -> xr.Dataset:
    """The settings at the configuration's beta, by their number of latents."""
    return table.isel(setting=np.flatnonzero(table["beta"] == table.attrs["beta"])).sortby("latents")


def by_beta(table: xr.Dataset) -> xr.Dataset:
    """The settings with the largest number of latents, by beta."""
    return table.isel(setting=np.flatnonzero(table["latents"] == table["latents"].max())).sortby("beta")


def linear_count(data: DataSet, *, rng: np.random.Generator) -> tuple[NDArray[np.float64], str]:
    """Total over noise variance along each linear degree of freedom of the training profiles, and where the noise comes from.

    The noise is measured minus true densities where the truth is known. Elsewhere it is that of counting alone, normal with
    1 / (ln 10 sqrt(n)) dex for n particles in a shell; what substructure and shape add then counts as signal.

    Raises
    ------
    DataError
        If there are fewer training halos than shells.
    """
    table = data.table.isel(halo=data.rows("training"))
    measured = table["log_density"].to_numpy()
    if "truth/log_density" in table:
        return degrees_of_freedom(measured, measured - table["truth/log_density"].to_numpy()).ratio, "measured minus true"
    counts = np.maximum(table["counts"].to_numpy(), 1)  # halos with an empty shell are left out: it has no log density
    noise = rng.normal(size=counts.shape) / (math.log(10.0) * np.sqrt(counts))
    return degrees_of_freedom(measured, noise).ratio, "counting"


def recommendation(table: xr.Dataset) -> Recommendation:
    """The smallest number of latents that is as accurate as the best, and whose latents most seeds use all.

    As accurate: the median over seeds of the rms against measured profiles is within 2 % of the best. Where no number is, the
    smallest accurate one counts, and the reason says how many are used.

    Parameters
    ----------
    table : from :func:`scan`.

    Examples
    --------
    One seed; at beta = 0.02 a third latent stays unused and changes nothing:

    >>> table = xr.Dataset(
    ...     {
    ...         "latents": ("setting", [1, 2, 3]),
    ...         "beta": ("setting", [0.02, 0.02, 0.02]),
    ...         "rms": (("setting", "member"), [[0.11], [0.070], [0.070]]),
    ...         "active": (("setting", "member"), [[1], [2], [2]]),
    ...         "degrees": ("degree", [90.0, 5.0, 1.1]),
    ...     },
    ...     attrs={"beta": 0.02, "noise": "counting"},
    ... )
    >>> recommendation(table).latents
    2
    """
    rows = by_latents(table)
    numbers = [int(number) for number in rows["latents"].to_numpy()]
    rms = rows["rms"].median("member").to_numpy()
    used = rows["active"].to_numpy()
    members = used.shape[1]
    full = (used == np.array(numbers)[:, None]).sum(axis=1)
    accurate = rms <= CLOSE * rms.min()
    both = np.flatnonzero(accurate & (2 * full > members))
    row = int(both[0] if len(both) else np.flatnonzero(accurate)[0])
    number = numbers[row]
    best = int(np.argmin(rms))
    against = "the lowest" if row == best else f"within 2 % of the lowest, {rms[best]:.4f} with {numbers[best]}"
    words = [f"With {_latents(number)} the rms is {rms[row]:.4f} dex, {against}"]
    if row > 0:
        words.append(f"with {numbers[row - 1]} it is {rms[row - 1]:.4f}")
    share = f"all are active (KL > {ACTIVE:g} nats) in {full[row]} of {members} seeds"
    words.append(share if len(both) else f"but {share}, and {np.median(used[row]):g} in the median seed")
    linear = int((table["degrees"] > CLEAR).sum())
    return Recommendation(
        number,
        f"{'; '.join(words)}. {_range(by_beta(table), number)} Linear algebra alone finds {linear} "
        f"{'direction' if linear == 1 else 'directions'} with more than {CLEAR:g} times the variance of the noise "
        f"({table.attrs['noise']}).",
    )


def _settings(config: NetworkConfig, latents: Sequence[int], betas: Sequence[float]) -> list[NetworkConfig]:
    """What is trained, in order and each once."""
    if not latents:
        raise ConfigError("no number of latents to scan", got=list(latents), expected="at least one")
    largest, beta = max(latents), config.loss.beta
    pairs = {(number, beta) for number in latents} | {(largest, float(one)) for one in betas}
    return [replace(config, latents=number, loss=replace(config.loss, beta=one)) for number, one in sorted(pairs)]


def _judged(
    data: DataSet,
    examples: Examples,
    config: NetworkConfig,
    *,
    run: Run | None,
    rng: np.random.Generator,
    settings: Settings | None,
) -> xr.Dataset:
    """One setting: an ensemble, trained and judged on validation halos."""
    ensemble = train(examples, config, run=run, name=f"latents-{config.latents}-beta-{config.loss.beta:g}")
    rows = examples.rows["validation"]
    r = data.table["r"].to_numpy()[rows]
    posteriors = [network.encode(examples, rows) for network in ensemble.networks]
    seen = [
        accuracy(network.predict(posterior, r, rng=rng), data, rows)
        for network, posterior in zip(ensemble.networks, posteriors, strict=True)
    ]
    pairs = [pair_information(posterior, rng=rng, settings=settings)[0] for posterior in posteriors]
    each = {
        "loss": ensemble.loss,
        "rms": [one.rms for one in seen],
        "rms_true": [one.rms_true for one in seen],
        "active": [len(active(posterior)) for posterior in posteriors],
        "pair_mi": [np.max(pair, initial=0.0, where=~np.isnan(pair)) for pair in pairs],
    }
    kl = -np.sort([-kl_of(posterior) for posterior in posteriors], axis=1)
    return xr.Dataset(
        {name: ("member", np.asarray(values)) for name, values in each.items()}
        | {"kl": (("member", "latent"), kl), "stability": ((), stability(posteriors))},
        coords={"latent": np.arange(config.latents)},
    )


def _range(rows: xr.Dataset, number: int) -> str:
    """At which beta most seeds use so many latents, in words."""
    largest, betas, used = int(rows["latents"].max()), rows["beta"].to_numpy(), rows["active"].to_numpy()
    holds = 2 * (used == number).sum(axis=1) > used.shape[1]
    tried = f"(tried: {_listed(betas)})"
    if not holds.any():
        return f"Of {_latents(largest)} most seeds use {number} at no beta {tried}."
    return f"Of {_latents(largest)} most seeds use {number} at beta {_listed(betas[holds])} {tried}."


def _latents(number: int) -> str:
    return f"{number} latent" if number == 1 else f"{number} latents"


def _listed(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
