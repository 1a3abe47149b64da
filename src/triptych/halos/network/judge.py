"""What a trained network is worth, and what its latents mean.

In: networks of one ensemble, and halos that they have not seen. Out: how far their profiles are off, how many latents they use,
how much these tell about each other, and about mass, shape and history of the halos.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata

from triptych.errors import DataError
from triptych.halos.dataset import DataSet
from triptych.halos.histories.accretion import formation_redshift
from triptych.halos.network.latents import ACTIVE, active, kl_of, match
from triptych.halos.network.model import Posterior
from triptych.halos.network.network import Network
from triptych.information import Settings, mutual_information_table
from triptych.information.variables import FEWEST

TAILS = (5.0, 95.0)  # per cent of the halos
#: Mass, concentration and accretion rate: three numbers of a halo that a network may keep apart.
OWN = ("log_mass", "concentration", "gamma_dynamical")
_TRUTH = ("concentration", "truncation", "infall", "gamma")


class Accuracy(NamedTuple):
    """How far predicted profiles are from measured ones, in dex: log10(rho_predicted / rho_measured) in each bin of each halo.

    Attributes
    ----------
    rms : root mean square over halos and bins, noise of the measurement included.
    rms_true : the same against the smooth truth of a mock; NaN where it is not known.
    bias : (bin,), mean over halos; NaN, as the next two, where the bin is predicted of no halo.
    lower, upper : (bin,), 5 and 95 % of the halos lie below; over halos and draws, where several draws were given.
    halos : how many were predicted, in one bin at least.
    """

    rms: float
    rms_true: float
    bias: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    halos: int


class OwnLatents(NamedTuple):
    """Which latent knows most of each quantity.

    Attributes
    ----------
    quantities : their names.
    latent : (network, quantity), the latent with the largest mutual information; -1 where no latent is active.
    apart : (network,), whether these are different latents for all quantities.
    """

    quantities: tuple[str, ...]
    latent: NDArray[np.intp]
    apart: NDArray[np.bool_]


def quantities(data: DataSet, rows: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """What latents are compared with: (row,) each, NaN where a halo lacks it.

    Returns
    -------
    dict
        "log_mass", log10 of M200m in Msun/h, and "concentration", r200m / rs of the NFW fit. Where the data set has histories:
        "formation_redshift", at which half of the mass was there, and the accretion rates "gamma_dynamical" (over the last
        dynamical time) and "gamma_consecutive" (since the output before). Of a mock what its halos were drawn from:
        "true_concentration", "true_truncation" (radius over r200m), "true_infall" and "true_gamma".
    """
    table = data.table

    def column(name: str) -> NDArray[np.float64]:
        return np.asarray(table[name].to_numpy()[rows], np.float64)

    found = {"log_mass": np.log10(column("mass")), "concentration": column("concentration")}
    if "history/mass" in table:
        found["formation_redshift"] = formation_redshift(column("history/mass"), table["history/scale_factor"].to_numpy())
        found |= {f"gamma_{name}": column(f"history/gamma_{name}")[:, -1] for name in ("dynamical", "consecutive")}
    return found | {f"true_{name}": column(f"truth/{name}") for name in _TRUTH if f"truth/{name}" in table}


def accuracy(predicted: NDArray[np.float64], data: DataSet, rows: NDArray[np.intp]) -> Accuracy:
    """How far predicted profiles are off.

    Parameters
    ----------
    predicted : (row, bin), log10(rho/rho_m) of some halos, NaN where there is no prediction; or (draw, row, bin), of which
        the mean over draws is judged, and the scatter counts in `lower` and `upper`, as in Fig. S.1 of the Letter.
    data : which holds the measured profiles, and those of the truth.
    rows : which halos.

    Raises
    ------
    DataError
        If the shapes do not agree.
    """
    measured = data.table["log_density"].to_numpy()[rows]
    draws = predicted if predicted.ndim == 3 else predicted[None]
    if draws.shape[1:] != measured.shape:
        raise DataError("predicted and measured profiles differ in shape", got=predicted.shape, expected=str(measured.shape))
    off = draws - measured
    known = np.isfinite(off).all(axis=0)
    mean = off.mean(axis=0)
    truth = data.table["truth/log_density"].to_numpy()[rows] if "truth/log_density" in data.table else np.full_like(mean, np.nan)
    bands = np.full((3, measured.shape[1]), np.nan)
    for place in np.flatnonzero(known.any(axis=0)):
        some = known[:, place]
        bands[:, place] = mean[some, place].mean(), *np.percentile(off[:, some, place], TAILS)
    return Accuracy(
        rms=_rms(mean[known]),
        rms_true=_rms((draws.mean(axis=0) - truth)[known]),
        bias=bands[0],
        lower=bands[1],
        upper=bands[2],
        halos=int(known.any(axis=1).sum()),
    )


def judge(
    networks: Sequence[Network],
    data: DataSet,
    rows: NDArray[np.intp],
    *,
    rng: np.random.Generator,
    settings: Settings | None = None,
    width: bool = False,
) -> xr.Dataset:
    """All that is asked of the networks of an ensemble, in one table.

    Parameters
    ----------
    networks : of one ensemble.
    data : the data set that they were trained on, or another one like it.
    rows : halos to judge by; those with an empty bin are left out.
    rng : draws of the latents, starts and bootstraps of the mutual information.
    settings : of the mutual information.
    width : a latent is not its mean but its whole posterior: what the decoder is given. Its mutual information is then lower.

    Returns
    -------
    xarray.Dataset
        (network): `active`, the number of latents with more than 0.1 nats of KL; `rms`, `rms_true`, and over (network, bin)
        `bias`, `lower` and `upper`, of :class:`Accuracy`. (network, latent): `kl`, nats. (network, latent, other): `pair_mi`
        and `pair_mi_error` between active latents, nats, NaN elsewhere. (network, latent, quantity): `correlation` (Spearman's,
        of the means), `mi` and `mi_error` of active latents, nats; halos that lack a quantity do not count for it.
        (network, halo, bin): `predicted`, log10(rho/rho_m), mean over draws of the latents. (bin): `r`, the median over halos,
        comoving kpc/h. Coordinates: `network` (from 1), `latent` (from 0), `quantity`, `halo` (its row in the data set).

    Raises
    ------
    DataError
        If the networks are not of one ensemble, or were trained on other data.

    Notes
    -----
    A pass of the encoder and 32 of the decoder for each halo and network: a few seconds for 2000 halos. The mutual information
    takes longer: a pair of 2000 halos some 0.3 s on two cores, two or three times that with `width`; three active latents have 30
    pairs with each other and with the quantities of a mock.
    """
    if not networks or any(one.config != networks[0].config for one in networks):
        raise DataError("these networks cannot be compared", got=f"{len(networks)} networks", expected="networks of one ensemble")
    halos = rows[np.isfinite(data.table["log_density"].to_numpy()[rows]).all(axis=1)]
    examples = networks[0].examples(data)
    r = data.table["r"].to_numpy()[halos]
    known = quantities(data, halos)
    parts = []
    for network in networks:
        posterior = network.encode(examples, halos)
        draws = network.predict(posterior, r, rng=rng)
        seen = accuracy(draws, data, halos)
        pairs, pair_errors = pair_information(posterior, rng=rng, settings=settings, width=width)
        mi, mi_error = _information(posterior, known, rng=rng, settings=settings, width=width)
        parts.append(
            xr.Dataset(
                {
                    "kl": ("latent", kl_of(posterior), {"units": "nats"}),
                    "active": ((), len(active(posterior)), {"long_name": "active latents"}),
                    "pair_mi": (("latent", "other"), pairs, {"units": "nats"}),
                    "pair_mi_error": (("latent", "other"), pair_errors, {"units": "nats"}),
                    "correlation": (("latent", "quantity"), _rank_correlation(posterior.mean, known), {"units": "1"}),
                    "mi": (("latent", "quantity"), mi, {"units": "nats"}),
                    "mi_error": (("latent", "quantity"), mi_error, {"units": "nats"}),
                    "rms": ((), seen.rms, {"units": "dex", "long_name": "against measured profiles"}),
                    "rms_true": ((), seen.rms_true, {"units": "dex", "long_name": "against true profiles"}),
                    "bias": ("bin", seen.bias, {"units": "dex", "long_name": "mean of log10(predicted / measured)"}),
                    "lower": ("bin", seen.lower, {"units": "dex", "long_name": "5 % of it"}),
                    "upper": ("bin", seen.upper, {"units": "dex", "long_name": "95 % of it"}),
                    "predicted": (("halo", "bin"), draws.mean(axis=0), {"units": "1", "long_name": "log10 of rho/rho_m"}),
                }
            )
        )
    latents = np.arange(networks[0].config.latents)
    return (
        xr.concat(parts, dim="network")
        .assign_coords(
            network=np.arange(1, len(networks) + 1),
            latent=("latent", latents, {"long_name": "the first is 0 here, and 1 in summaries"}),
            other=latents,
            quantity=list(known),
            halo=halos,
            r=("bin", np.median(r, axis=0), {"units": "kpc/h (comoving)"}),
        )
        .assign_attrs(source=data.attributes.source, kind=data.attributes.kind, width=int(width))
    )


def pair_information(
    posterior: Posterior, *, rng: np.random.Generator, settings: Settings | None = None, width: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mutual information of active latents with each other, and its error: (latent, latent), nats; NaN elsewhere.

    With `width` both latents of a pair are blurred by their posteriors: one by its width, the other by one draw.
    """
    used = np.sort(active(posterior)) if len(posterior.mean) >= FEWEST else np.empty(0, np.intp)
    latents = posterior.mean.shape[1]
    value, error = np.full((2, latents, latents), np.nan)
    other = rng.normal(posterior.mean, posterior.sigma) if width else posterior.mean
    for place in range(1, len(used)):
        one, before = used[place], used[:place]
        found = mutual_information_table(
            {f"z{one}": posterior.mean[:, one]},
            {f"z{k}": other[:, k] for k in before},
            rng=rng,
            x_error={f"z{one}": posterior.sigma[:, one]} if width else None,
            settings=settings,
        )
        value[one, before] = value[before, one] = found["value"].to_numpy()[0]
        error[one, before] = error[before, one] = found["error"].to_numpy()[0]
    return value, error


def own_latents(table: xr.Dataset, names: Sequence[str] = OWN) -> OwnLatents:
    """Whether each quantity has a latent of its own, the one that knows most of it.

    Parameters
    ----------
    table : from :func:`judge`.
    names : of quantities; mass, concentration and accretion rate.

    Raises
    ------
    DataError
        If the table lacks one.
    """
    held = table["quantity"].to_numpy().tolist()
    if missing := [name for name in names if name not in held]:
        raise DataError("latents were not compared with this", got=", ".join(missing), expected=", ".join(held))
    mi = table["mi"].sel(quantity=list(names)).transpose("network", "latent", "quantity").to_numpy()
    known = np.isfinite(mi).any(axis=1)
    latent = np.where(known, np.where(np.isfinite(mi), mi, -np.inf).argmax(axis=1), -1)
    apart = np.array([known[k].all() and len(set(row)) == len(names) for k, row in enumerate(latent.tolist())])
    return OwnLatents(tuple(names), latent, apart)


def stability(posteriors: Sequence[Posterior]) -> float:
    """How alike the latents of different seeds are: 1 where all networks have the same latents, up to order and sign.

    For each two networks, the absolute correlations of their active latents, matched to each other, add up; over the larger
    number of active latents that is at most 1. The mean over all pairs of networks; NaN for a single network, or where no latent
    is active.

    Parameters
    ----------
    posteriors : of the same halos, by several networks.

    Examples
    --------
    >>> z = np.random.default_rng(0).normal(size=(1000, 2))
    >>> one = Posterior(z, np.full(z.shape, 0.1))
    >>> other = Posterior(-z[:, ::-1], np.full(z.shape, 0.1))
    >>> round(stability([one, other]), 6)
    1.0
    """
    used = [kl_of(one) > ACTIVE for one in posteriors]
    means = [np.where(some, one.mean, 0.0) for one, some in zip(posteriors, used, strict=True)]
    alike = []
    for i, j in combinations(range(len(means)), 2):
        larger = max(used[i].sum(), used[j].sum())
        if larger:
            order, sign = match(means[i], means[j])
            both = np.flatnonzero(used[i] & used[j][order])
            pairs = [np.corrcoef(means[i][:, k], sign[k] * means[j][:, order[k]])[0, 1] for k in both]
            alike.append(sum(pairs) / larger)
    return float(np.mean(alike)) if alike else float("nan")


def _information(
    posterior: Posterior,
    known: dict[str, NDArray[np.float64]],
    *,
    rng: np.random.Generator,
    settings: Settings | None,
    width: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mutual information of active latents with quantities, and its error, (latent, quantity); NaN elsewhere."""
    used = np.sort(active(posterior))
    value, error = np.full((2, posterior.mean.shape[1], len(known)), np.nan)
    finite = {name: np.isfinite(values) for name, values in known.items()}
    groups: dict[bytes, list[str]] = {}
    for name, some in finite.items():
        groups.setdefault(some.tobytes(), []).append(name)
    place = {name: k for k, name in enumerate(known)}
    for names in groups.values():
        some = finite[names[0]]
        if not len(used) or some.sum() < FEWEST:
            continue
        found = mutual_information_table(
            {f"z{k}": posterior.mean[some, k] for k in used},
            {name: known[name][some] for name in names},
            rng=rng,
            x_error={f"z{k}": posterior.sigma[some, k] for k in used} if width else None,
            settings=settings,
        )
        where = np.ix_(used, np.array([place[name] for name in names]))
        value[where], error[where] = found["value"].to_numpy(), found["error"].to_numpy()
    return value, error


def _rank_correlation(means: NDArray[np.float64], known: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Spearman's, (latent, quantity); NaN where one of the two does not change."""
    found = np.full((means.shape[1], len(known)), np.nan)
    for place, values in enumerate(known.values()):
        some = np.isfinite(values)
        if not some.any():
            continue
        ranks = rankdata(np.column_stack([values[some], means[some]]), axis=0)
        ranks -= ranks.mean(axis=0)
        norm = np.linalg.norm(ranks, axis=0)
        np.divide(ranks[:, 0] @ ranks[:, 1:], norm[0] * norm[1:], where=norm[0] * norm[1:] > 0, out=found[:, place])
    return found


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
