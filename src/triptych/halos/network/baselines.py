"""What a network is compared with: the same profiles in as many numbers, by other means.

In: a data set, the settings of a network, and the number of latents that it uses. Out: the profiles that an autoencoder of the
profile itself, principal components, and NFW and Einasto fits give of the same halos; and one table of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.dataset import DataSet
from triptych.halos.network.judge import accuracy
from triptych.halos.network.latents import active
from triptych.halos.network.settings import NetworkConfig
from triptych.halos.network.training import train
from triptych.halos.structure.einasto import einasto_shells
from triptych.halos.structure.nfw import nfw_shells
from triptych.runs import Run


class Prediction(NamedTuple):
    """Profiles of some halos, and how much they were made of.

    Attributes
    ----------
    log_density : (row, bin), log10(rho/rho_m); NaN where there is none.
    numbers : how many numbers of each halo they were made of, the radii apart.
    """

    log_density: NDArray[np.float64]
    numbers: int


def baselines(
    data: DataSet,
    config: NetworkConfig,
    rows: NDArray[np.intp],
    *,
    components: int,
    rng: np.random.Generator,
    run: Run | None = None,
) -> dict[str, Prediction]:
    """The profiles of some halos, without a look at their particles.

    All of these see the profile that they are to give, noise and all; a network does not.

    Parameters
    ----------
    data : a data set.
    config : of the network to compare with.
    rows : which halos.
    components : how many principal components: as many as the network has active latents.
    rng : draws of the autoencoder's latents.
    run : where the autoencoder's training goes, ``profile-autoencoder``. Without it nothing is written.

    Returns
    -------
    dict
        "profile autoencoder": one network with the same settings, which sees the profile itself. "pca": the mean of the training
        halos and the directions in which they differ most, fitted to the measured profile. "nfw" and "einasto": the data set's
        own fits inside r200m, mean densities of the shells; NaN beyond r200m, and where the fit failed.

    Raises
    ------
    ConfigError
        If there are fewer components than none, or more than bins.
    DataError
        If there are too few halos to train.

    Notes
    -----
    The training of the autoencoder takes nearly all of the time: half a minute for 5000 halos and 64 epochs on a core.
    """
    bins = data.table.sizes["shell"]
    if not 0 <= components <= bins:
        raise ConfigError("no such number of principal components", got=components, expected=f"0 to {bins}")
    return {
        "profile autoencoder": _autoencoder(data, config, rows, rng=rng, run=run),
        "pca": _principal(data, rows, components),
        "nfw": _nfw(data, rows),
        "einasto": _einasto(data, rows),
    }


def table_of_accuracy(
    judged: xr.Dataset, others: Mapping[str, Prediction], data: DataSet, rows: NDArray[np.intp]
) -> list[dict[str, Any]]:
    """Networks and baselines side by side, one record each.

    Parameters
    ----------
    judged : from :func:`triptych.halos.network.judge.judge`, of these halos.
    others : from :func:`baselines`, of these halos.
    data : which holds the measured profiles.
    rows : which halos.

    Returns
    -------
    list
        Of "name"; "rms" and "rms_true", dex, against measured and true profiles; "worst_bias", dex, the largest absolute mean
        residual of a bin; "halos" that were predicted; "numbers" of each halo that were used; "shared_rms" and
        "shared_rms_true", the same over those bins of those halos that all predict: a fit that fails for difficult halos gains
        nothing from that. What is not known is NaN.

    Raises
    ------
    DataError
        If the networks were judged by other halos.
    """
    held = np.isin(rows, judged["halo"].to_numpy())
    halos = rows[held]
    if not np.array_equal(halos, judged["halo"].to_numpy()):
        raise DataError(
            "the networks were judged by other halos", got=f"{judged.sizes['halo']} halos", expected=f"some of these {len(rows)}"
        )
    sides = {
        f"network {number}": Prediction(predicted, int(used))
        for number, predicted, used in zip(
            judged["network"].to_numpy(), judged["predicted"].to_numpy(), judged["active"].to_numpy(), strict=True
        )
    }
    sides |= {name: one._replace(log_density=one.log_density[held]) for name, one in others.items()}
    shared = np.all([np.isfinite(one.log_density) for one in sides.values()], axis=0)
    records = []
    for name, one in sides.items():
        seen = accuracy(one.log_density, data, halos)
        alike = accuracy(np.where(shared, one.log_density, np.nan), data, halos)
        records.append(
            {
                "name": name,
                "rms": seen.rms,
                "rms_true": seen.rms_true,
                "worst_bias": float(np.fmax.reduce(np.abs(seen.bias))),
                "halos": seen.halos,
                "numbers": one.numbers,
                "shared_rms": alike.rms,
                "shared_rms_true": alike.rms_true,
            }
        )
    return records


def _autoencoder(
    data: DataSet, config: NetworkConfig, rows: NDArray[np.intp], *, rng: np.random.Generator, run: Run | None
) -> Prediction:
    settings = replace(config, members=1, encoder=replace(config.encoder, sees="profile"))
    network = train(data, settings, run=run, name="profile-autoencoder").selected
    whole = np.isfinite(data.table["log_density"].to_numpy()[rows]).all(axis=1)
    posterior = network.encode(data, rows[whole])
    predicted = np.full((len(rows), data.table.sizes["shell"]), np.nan)
    predicted[whole] = network.predict(posterior, data.table["r"].to_numpy()[rows[whole]], rng=rng).mean(axis=0)
    return Prediction(predicted, len(active(posterior)))


def _principal(data: DataSet, rows: NDArray[np.intp], components: int) -> Prediction:
    measured = data.table["log_density"].to_numpy()
    training = measured[data.rows("training")]
    training = training[np.isfinite(training).all(axis=1)]
    mean = training.mean(axis=0)
    _, _, directions = np.linalg.svd(training - mean, full_matrices=False)
    kept = directions[:components]
    return Prediction(mean + (measured[rows] - mean) @ kept.T @ kept, components)


def _nfw(data: DataSet, rows: NDArray[np.intp]) -> Prediction:
    rs, rho_s = _fitted(data, rows, "rs", "rho_s")
    return _inside(data, rows, nfw_shells(data.table["r_edge"].to_numpy()[rows], rs, rho_s), 2)


def _einasto(data: DataSet, rows: NDArray[np.intp]) -> Prediction:
    rs, rho_s, alpha = _fitted(data, rows, "einasto_rs", "einasto_rho_s", "einasto_alpha")
    return _inside(data, rows, einasto_shells(data.table["r_edge"].to_numpy()[rows], rs, rho_s, alpha), 3)


def _fitted(data: DataSet, rows: NDArray[np.intp], *names: str) -> list[NDArray[np.float64]]:
    return [data.table[name].to_numpy()[rows] for name in names]


def _inside(data: DataSet, rows: NDArray[np.intp], density: NDArray[np.float64], numbers: int) -> Prediction:
    """Fits in units of the mean density, in the shells that they were made from: those inside r200m."""
    outer, radius = data.table["r_edge"].to_numpy()[rows, 1:], data.table["radius"].to_numpy()[rows, None]
    fitted = (outer <= radius * (1 + 1e-9)) & (density > 0)
    relative = density / data.attributes.cosmology.mean_density
    return Prediction(np.log10(relative, where=fitted, out=np.full(density.shape, np.nan)), numbers)
