"""The verbs of ``triptych halos`` that train networks and use them.

In: a configuration and a run directory. Out: networks as ``model-1.eqx``, ..., ``results.nc``, figures and a JSON summary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.dataset import SPLITS, DataSet, Split, open_dataset
from triptych.halos.dataset_commands import InspectConfig
from triptych.halos.network import (
    ACTIVE,
    EncoderConfig,
    LossConfig,
    Network,
    NetworkConfig,
    OptimiserConfig,
    active,
    kl_of,
    load_network,
)
from triptych.halos.network import train as train_networks
from triptych.halos.network.baselines import baselines, table_of_accuracy
from triptych.halos.network.judge import OWN, accuracy, judge, own_latents, stability
from triptych.halos.network.network import SELECTED
from triptych.halos.network.plots import latents_figure, scan_figure, training_figure, traverse_figure
from triptych.halos.network.scan import BETAS, LATENTS, recommendation
from triptych.halos.network.scan import scan as scan_settings
from triptych.halos.network.verdicts import INDEPENDENT, count_verdict, independence_verdict
from triptych.runs import Run, stream
from triptych.statistics import Estimate

MODELS = "model"  # the networks of a training are model-1.eqx, ...
RADII = 24  # of a traversal where none are given
VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)  # of the latents in a traversal
BANDS = (5.0, 16.0, 84.0, 95.0)  # per cent: ends of the 90 % and the 68 % band
Rows = NDArray[np.intp]
Choice = Literal["training", "validation", "test"]

#: The fields of NetworkConfig. They stand in other configurations as well, so that their options are short: in no section.
_NETWORK: dict[str, Any] = {one.name: one for one in fields(NetworkConfig)}
_DATA: Mapping[str, Any] = {"positional": True, "help": "the data set, or the run directory that holds it"}
_MODEL: Mapping[str, Any] = {
    "positional": True,
    "help": "the network, *.eqx, or the run directory of a training, whose selected one is taken",
}
_SPLIT: Mapping[str, Any] = {"help": "which halos; none takes those to test on, or to validate where there are no others"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Train networks that put what they know of a profile into a few independent latents, and judge them."""

    data: str = field(default="", metadata=_DATA)
    latents: int = _NETWORK["latents"]
    members: int = _NETWORK["members"]
    decoder: int = _NETWORK["decoder"]
    seed: int = _NETWORK["seed"]
    symmetries: bool = _NETWORK["symmetries"]
    encoder: EncoderConfig = _NETWORK["encoder"]
    loss: LossConfig = _NETWORK["loss"]
    optimiser: OptimiserConfig = _NETWORK["optimiser"]

    def __post_init__(self) -> None:
        _refuse_nothing("halos train DATASET", self.data)
        self.network()

    def network(self) -> NetworkConfig:
        """Everything but the data."""
        return NetworkConfig(**{name: getattr(self, name) for name in _NETWORK})

    def inputs(self) -> list[Path]:
        """The data set but for its boxes, whose digests are a column."""
        return _files_of(self.data)


def train(config: TrainConfig, run: Run) -> dict[str, Any]:
    """Train, or go on with a training that was interrupted; then judge on halos that did not teach."""
    data, settings = open_dataset(config.data), config.network()
    source = data.attributes.source
    ensemble = train_networks(data, settings, run=run, name=MODELS)
    ensemble.selected.save(run.path / SELECTED)
    split, rows = _rows(data, None)
    table = judge(ensemble.networks, data, rows, rng=stream(settings.seed, "judge"))
    run.save("results.nc", table)
    selected = int(np.argmin(ensemble.loss))
    used = active(ensemble.selected.encode(data, _rows(data, "validation")[1]))
    predicted = baselines(data, settings, rows, components=max(len(used), 1), rng=stream(settings.seed, "baselines"), run=run)
    run.save_figure("training.png", training_figure(run.history(), name=MODELS, source=source))
    run.save_figure("latents.png", latents_figure(table))
    shown = traversal(ensemble.selected, values=VALUES, latents=used if len(used) else None)
    run.save_figure("traverse.png", traverse_figure(shown.assign_attrs(source=source)))
    return {
        "dataset": str(data.path),
        "source": source,
        "kind": data.attributes.kind,
        "halos": {one: len(data.rows(one)) for one in SPLITS},
        "seconds": ensemble.seconds,
        "seconds_per_network": ensemble.seconds / settings.members,
        "encoder_passes": ensemble.passes,
        "times_fewer_than_one_for_each_radius": data.table.sizes["shell"],
        "selected": f"{MODELS}-{selected + 1}.eqx",
        "judged_on": split,
        "networks": _networks(table, ensemble.loss),
        "accuracy": [_plain(record) for record in table_of_accuracy(table, predicted, data, rows)],
        "claims": [one.to_json() for one in independence_verdict(table, halos=len(rows), source=source)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanConfig:
    """How many latents do the profiles need? Trains several numbers of latents, and prices of a nat (beta), over seeds."""

    data: str = field(default="", metadata=_DATA)
    latents: tuple[int, ...] = field(default=LATENTS, metadata={"help": "numbers of latents, each at loss.beta"})
    betas: tuple[float, ...] = field(default=BETAS, metadata={"help": "prices of a nat, each with the most latents"})
    members: int = _NETWORK["members"]
    decoder: int = _NETWORK["decoder"]
    seed: int = _NETWORK["seed"]
    symmetries: bool = _NETWORK["symmetries"]
    encoder: EncoderConfig = _NETWORK["encoder"]
    loss: LossConfig = _NETWORK["loss"]
    optimiser: OptimiserConfig = _NETWORK["optimiser"]

    def __post_init__(self) -> None:
        _refuse_nothing("halos scan DATASET", self.data)
        if not self.latents or min(self.latents) < 1 or not all(0 <= beta < math.inf for beta in self.betas):
            raise ConfigError(
                "the scan cannot be",
                got=f"latents {self.latents}, betas {self.betas}",
                expected="at least one number of latents, all >= 1, and betas >= 0",
                fix="give --latents 1,2,3,4,5 and --betas 0.01,0.02,0.04",
            )
        self.network()

    def network(self) -> NetworkConfig:
        """What is not scanned."""
        return NetworkConfig(latents=max(self.latents), **{name: getattr(self, name) for name in _NETWORK if name != "latents"})

    def inputs(self) -> list[Path]:
        """The data set but for its boxes, whose digests are a column."""
        return _files_of(self.data)


def scan(config: ScanConfig, run: Run) -> dict[str, Any]:
    """Train every setting, or go on with a scan that was interrupted; judge on validation halos, and recommend."""
    data, settings = open_dataset(config.data), config.network()
    table = scan_settings(data, settings, latents=config.latents, betas=config.betas, run=run, rng=stream(settings.seed, "scan"))
    number, reason = recommendation(table)
    run.save("results.nc", table)
    run.save_figure("scan.png", scan_figure(table))
    halos = len(data.rows("validation"))
    verdicts = count_verdict(
        number,
        reason,
        kind=data.attributes.kind,
        halos=halos,
        members=settings.members,
        source=data.attributes.source,
    )
    return {
        "dataset": str(data.path),
        "source": data.attributes.source,
        "kind": data.attributes.kind,
        "judged_on": "validation",
        "halos": halos,
        "recommended": number,
        "reason": reason,
        "degrees": table["degrees"].to_numpy().tolist(),
        "settings": [_setting(table.isel(setting=place)) for place in range(table.sizes["setting"])],
        "claims": [one.to_json() for one in verdicts],
    }


def _setting(one: xr.Dataset) -> dict[str, Any]:
    """A setting of a scan: medians over the seeds, and the number of active latents of each."""
    middle = one[["rms", "rms_true", "pair_mi", "kl"]].median("member")
    active = one["active"].to_numpy().astype(int)
    return {
        "latents": int(one["latents"]),
        "beta": float(one["beta"]),
        "rms": _number(middle["rms"]),
        "rms_true": _number(middle["rms_true"]),
        "active": float(np.median(active)),
        "pair_mi": _number(middle["pair_mi"]),
        "stability": _number(one["stability"]),
        "active_of_seeds": active.tolist(),
        "kl": [float(nats) for nats in middle["kl"].to_numpy() if math.isfinite(nats)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeConfig:
    """The latents of halos."""

    model: str = field(default="", metadata=_MODEL)
    data: str = field(default="", metadata=_DATA)
    split: Choice | None = field(default=None, metadata=_SPLIT)

    def __post_init__(self) -> None:
        _refuse_nothing("halos encode MODEL DATASET", self.model, self.data)

    def inputs(self) -> list[Path]:
        """The network and the data set."""
        return [_model_file(self.model), *_files_of(self.data)]


def encode(config: EncodeConfig, run: Run) -> dict[str, Any]:
    """Means and widths of the latents of all halos of a split that have a whole profile, in ``results.nc``."""
    network, data = load_network(config.model), open_dataset(config.data)
    split, rows = _rows(data, config.split)
    posterior = network.encode(data, rows)
    found = xr.Dataset(
        {
            "mean": (("halo", "latent"), posterior.mean, {"units": "standard deviations of the prior"}),
            "sigma": (("halo", "latent"), posterior.sigma, {"units": "standard deviations of the prior"}),
        },
        coords=_names(data, rows),
        attrs={"split": split, "digest": data.digest},
    )
    run.save("results.nc", found)
    kl = kl_of(posterior)
    return {
        "dataset": str(data.path),
        "split": split,
        "halos": len(rows),
        "active": len(active(posterior)),
        "latents": [
            {"latent": place + 1, "kl": float(nats), "mean": float(mean), "scatter": float(scatter), "sigma": float(sigma)}
            for place, (nats, mean, scatter, sigma) in enumerate(
                zip(kl, posterior.mean.mean(axis=0), posterior.mean.std(axis=0), posterior.sigma.mean(axis=0), strict=True)
            )
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictConfig:
    """The density profiles of halos, with bands of what the network does not know."""

    model: str = field(default="", metadata=_MODEL)
    data: str = field(default="", metadata=_DATA)
    split: Choice | None = field(default=None, metadata=_SPLIT)
    draws: int = field(default=100, metadata={"help": "of the latents of each halo, for mean and bands"})
    seed: int = field(default=0, metadata={"help": "of these draws"})

    def __post_init__(self) -> None:
        _refuse_nothing("halos predict MODEL DATASET", self.model, self.data)
        if self.draws < 2 or self.seed < 0:
            raise ConfigError(
                "nothing to draw", got=(self.draws, self.seed), expected="draws >= 2, seed >= 0", fix="give --draws"
            )

    def inputs(self) -> list[Path]:
        """The network and the data set."""
        return [_model_file(self.model), *_files_of(self.data)]


def predict(config: PredictConfig, run: Run) -> dict[str, Any]:
    """Predicted and measured profiles in ``results.nc``; the summary says how accurate they are."""
    network, data = load_network(config.model), open_dataset(config.data)
    split, rows = _rows(data, config.split)
    r = data.table["r"].to_numpy()[rows]
    drawn = network.predict(network.encode(data, rows), r, rng=stream(config.seed, "predict"), draws=config.draws)
    bands = np.percentile(drawn, BANDS, axis=0)
    about = {"units": "log10(rho/rho_m)"}
    measured = data.table["log_density"].to_numpy()[rows]
    found = xr.Dataset(
        {
            "r": (("halo", "bin"), r, {"units": "comoving kpc/h"}),
            "predicted": (("halo", "bin"), drawn.mean(axis=0), about),
            "lower_90": (("halo", "bin"), bands[0], about),
            "lower_68": (("halo", "bin"), bands[1], about),
            "upper_68": (("halo", "bin"), bands[2], about),
            "upper_90": (("halo", "bin"), bands[3], about),
            "measured": (("halo", "bin"), measured, about),
        },
        coords=_names(data, rows),
        attrs={"split": split, "digest": data.digest, "draws": config.draws},
    )
    run.save("results.nc", found)
    seen = accuracy(drawn, data, rows)
    return {
        "dataset": str(data.path),
        "split": split,
        "halos": seen.halos,
        "rms": seen.rms,
        "rms_true": _number(seen.rms_true),
        "worst_bias": float(np.abs(seen.bias).max()),
        "units": {"r": "comoving kpc/h", "rms": "dex"},
        "bins": [
            {"r": float(x), "bias": float(bias), "lower_90": float(lower), "upper_90": float(upper)}
            for x, bias, lower, upper in zip(np.median(r, axis=0), seen.bias, seen.lower, seen.upper, strict=True)
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeConfig:
    """The density profile that stands for given latents."""

    model: str = field(default="", metadata=_MODEL)
    latents: tuple[float, ...] = field(default=(), metadata={"help": "value of each latent; none takes 0, the average halo"})
    r: tuple[float, ...] = field(
        default=(), metadata={"help": "radii in comoving kpc/h; none takes 24 over those of the training"}
    )

    def __post_init__(self) -> None:
        _refuse_nothing("halos decode MODEL --latents 0,1,-1 --r 10,20,50", self.model)
        _refuse_numbers(latents=self.latents)
        _refuse_radii(self.r)

    def inputs(self) -> list[Path]:
        """The network."""
        return [_model_file(self.model)]


def decode(config: DecodeConfig, run: Run) -> dict[str, Any]:
    """log10(rho/rho_m) at the radii, also in ``results.nc``."""
    network = load_network(config.model)
    if config.latents and len(config.latents) != network.config.latents:
        raise ConfigError(
            "these are not the latents of the network",
            got=f"{len(config.latents)} numbers",
            expected=f"{network.config.latents}, one for each latent",
            fix="give --latents " + ",".join(["0"] * network.config.latents),
        )
    latents = config.latents or (0.0,) * network.config.latents
    r = _radii(network, config.r)
    profile = network.decode(latents, r)[0]
    found = xr.Dataset(
        {"log_density": ("bin", profile, {"units": "log10(rho/rho_m)"}), "latents": ("latent", np.array(latents))},
        coords={"r": ("bin", r, {"units": "comoving kpc/h"})},
    )
    run.save("results.nc", found)
    return {
        "latents": list(latents),
        "units": {"r": "comoving kpc/h", "log_density": "log10(rho/rho_m)"},
        "profile": [{"r": float(x), "log_density": float(y)} for x, y in zip(r, profile, strict=True)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TraverseConfig:
    """What each latent does to a profile: it takes some values, while the others are 0."""

    model: str = field(default="", metadata=_MODEL)
    values: tuple[float, ...] = field(default=VALUES, metadata={"help": "that a latent takes"})
    r: tuple[float, ...] = field(
        default=(), metadata={"help": "radii in comoving kpc/h; none takes 24 over those of the training"}
    )

    def __post_init__(self) -> None:
        _refuse_nothing("halos traverse MODEL", self.model)
        _refuse_numbers(values=self.values)
        if len(self.values) < 2:
            raise ConfigError("no range to traverse", got=self.values, expected="two values or more", fix="give --values -2,0,2")
        _refuse_radii(self.r)

    def inputs(self) -> list[Path]:
        """The network."""
        return [_model_file(self.model)]


def traverse(config: TraverseConfig, run: Run) -> dict[str, Any]:
    """Profiles of every latent and value in ``results.nc`` and ``figures/traverse.png``."""
    found = traversal(load_network(config.model), values=config.values, r=config.r)
    run.save("results.nc", found)
    run.save_figure("traverse.png", traverse_figure(found))
    curves, radii = found["log_density"].to_numpy(), found["r"].to_numpy()
    swing = np.ptp(curves, axis=1)
    return {
        "values": list(config.values),
        "r": radii.tolist(),
        "units": {"r": "comoving kpc/h", "log_density": "log10(rho/rho_m)", "largest_change": "dex"},
        "latents": [
            {
                "latent": place + 1,
                "largest_change": float(swing[place].max()),
                "at_r": float(radii[swing[place].argmax()]),
                "log_density": curves[place].tolist(),
            }
            for place in range(len(curves))
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpretConfig:
    """What the latents know: their mutual information with mass, concentration, formation time, accretion rate and the like."""

    model: str = field(
        default="",
        metadata={"positional": True, "help": "run directory of a training, for all its networks, or one network, *.eqx"},
    )
    data: str = field(default="", metadata=_DATA)
    split: Choice | None = field(default=None, metadata=_SPLIT)
    width: bool = field(default=False, metadata={"help": "take the widths of the posteriors as errors of the latents"})
    seed: int = field(default=0, metadata={"help": "of the estimates of mutual information"})

    def __post_init__(self) -> None:
        _refuse_nothing("halos interpret RUN DATASET", self.model, self.data)
        if self.seed < 0:
            raise ConfigError("seed cannot be", got=self.seed, expected=">= 0")

    def models(self) -> list[Path]:
        """The files of the networks, in the order of the seeds."""
        path = Path(self.model)
        if not path.is_dir():
            return [path]
        found = sorted(path.glob(f"{MODELS}-*.eqx"), key=lambda file: (len(file.name), file.name))
        if not found:
            raise DataError(
                "no networks to interpret",
                got=path,
                expected=f"a run directory with {MODELS}-1.eqx, ...",
                fix="train with triptych halos train, and wait for its end",
            )
        return found

    def inputs(self) -> list[Path]:
        """The networks and the data set."""
        return [*self.models(), *_files_of(self.data)]


def interpret(config: InterpretConfig, run: Run) -> dict[str, Any]:
    """Correlation and mutual information of all latents with all quantities, in ``results.nc`` and ``figures/latents.png``."""
    networks, data = [load_network(path) for path in config.models()], open_dataset(config.data)
    split, rows = _rows(data, config.split)
    table = judge(networks, data, rows, rng=stream(config.seed, "judge"), width=config.width)
    run.save("results.nc", table)
    run.save_figure("latents.png", latents_figure(table))
    examples = networks[0].examples(data)  # the boxes are read once for all networks
    own = own_latents(table, [name for name in OWN if name in table["quantity"]])
    return {
        "dataset": str(data.path),
        "source": data.attributes.source,
        "split": split,
        "halos": len(rows),
        "networks": _networks(table, [network.about["validation_loss"] for network in networks]),
        "stability": _number(stability([network.encode(examples, rows) for network in networks])),
        "strongest": [
            {
                "network": place + 1,
                **{name: int(latent) + 1 if latent >= 0 else None for name, latent in zip(own.quantities, latents, strict=True)},
                "apart": bool(apart),
            }
            for place, (latents, apart) in enumerate(zip(own.latent, own.apart, strict=True))
        ],
        "units": {"information": "nats", "correlation": "Spearman"},
        "information": _relations(table, lambda one: _estimate(one["mi"], one["mi_error"])),
        "correlation": _relations(table, lambda one: _number(one["correlation"])),
    }


def traversal(
    network: Network, *, values: Iterable[float], r: Iterable[float] = (), latents: Iterable[int] | None = None
) -> xr.Dataset:
    """Profiles `log_density` (latent, value, bin), where one latent takes these values and the others are 0.

    Parameters
    ----------
    network : a trained one.
    values : of the latent.
    r : comoving kpc/h; none takes 24 radii over those of the training.
    latents : numbers of the latents, the first 0; None takes all.
    """
    chosen = range(network.config.latents) if latents is None else latents
    numbers, steps, radii = list(chosen), list(values), _radii(network, r)
    curves = np.array([network.traverse(latent, steps, radii) for latent in numbers])
    return xr.Dataset(
        {"log_density": (("latent", "value", "bin"), curves, {"units": "log10(rho/rho_m)"})},
        coords={"latent": numbers, "value": steps, "r": ("bin", radii, {"units": "comoving kpc/h"})},
        attrs={"kind": network.about["data"].get("kind", ""), "source": network.about.get("source", "")},
    )


def _radii(network: Network, given: Iterable[float]) -> NDArray[np.float64]:
    """The given radii, or some over the range that the network was trained on; comoving kpc/h."""
    asked = np.array(list(given), np.float64)
    if len(asked):
        return asked
    return np.geomspace(*network.radii, RADII)


def _rows(data: DataSet, wanted: Split | None) -> tuple[Split, Rows]:
    """The split that is meant, and its halos without an empty shell.

    Raises
    ------
    DataError
        If there are none.
    """
    split: Split = wanted or ("test" if len(data.rows("test")) else "validation")
    rows = data.rows(split)
    whole = rows[np.isfinite(data.table["log_density"].to_numpy()[rows]).all(axis=1)]
    if not len(whole):
        raise DataError(
            f"there are no halos of the split {split!r}",
            got=data.path,
            expected="halos without an empty shell",
            fix="give another --split, or build the data set with one",
        )
    return split, whole


def _files_of(data: str) -> list[Path]:
    """All files of a data set but the boxes, whose digests are a column."""
    return InspectConfig(path=data).inputs()


def _model_file(model: str) -> Path:
    path = Path(model)
    return path / SELECTED if path.is_dir() else path


def _names(data: DataSet, rows: Rows) -> dict[str, Any]:
    """Number and simulation of each halo."""
    simulations = np.array([one.name for one in data.attributes.simulations])
    return {
        "id": ("halo", data.table["id"].to_numpy()[rows]),
        "simulation": ("halo", simulations[data.table["simulation"].to_numpy()[rows]]),
    }


def _networks(table: xr.Dataset, losses: Iterable[float]) -> list[dict[str, Any]]:
    """What was found of each network, for a summary; the MI of its two most dependent latents is null where it is infinite."""
    found = []
    for place, loss in enumerate(losses):
        one = table.isel(network=place)
        pairs = one["pair_mi"].fillna(-np.inf).to_numpy()
        worst = np.unravel_index(pairs.argmax(), pairs.shape)
        found.append(
            {
                "network": place + 1,
                "validation_loss": float(loss),
                "active": int(one["active"]),
                "pair_mi": _estimate(pairs[worst], one["pair_mi_error"].to_numpy()[worst]),
                "independent": None
                if np.isneginf(pairs[worst]) and int(one["active"]) > 1
                else bool(pairs[worst] <= INDEPENDENT),
                "rms": _number(one["rms"]),
                "rms_true": _number(one["rms_true"]),
                "worst_bias": float(np.abs(one["bias"]).max()),
                "kl": one["kl"].to_numpy().tolist(),
            }
        )
    return found


def _relations(table: xr.Dataset, value: Callable[[xr.Dataset], Any]) -> list[dict[str, Any]]:
    """A row for each active latent of each network, a column for each quantity."""
    rows = []
    for network, latent in np.argwhere(table["kl"].transpose("network", "latent").to_numpy() > ACTIVE).tolist():
        one = table.isel(network=network, latent=latent)
        columns = {str(name): value(one.sel(quantity=name)) for name in table["quantity"].to_numpy()}
        rows.append({"network": network + 1, "latent": latent + 1, **columns})
    return rows


def _number(value: Any) -> float | None:
    """A number for JSON, which has no NaN."""
    number = float(value)
    return number if math.isfinite(number) else None


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _number(value) if isinstance(value, float) else value for key, value in record.items()}


def _estimate(value: Any, error: Any) -> dict[str, Any] | None:
    return Estimate.statistical(float(value), float(error)).to_json() if math.isfinite(float(value)) else None


def _refuse_nothing(how: str, *given: str) -> None:
    """Refuse arguments that were left out."""
    if not all(given):
        raise ConfigError("an argument is missing", got=given, expected="all of them", fix=f"triptych {how}")


def _refuse_numbers(**numbers: tuple[float, ...]) -> None:
    for name, some in numbers.items():
        if not all(map(math.isfinite, some)):
            raise ConfigError(f"{name} cannot be", got=some, expected="finite numbers", fix=f"give another --{name}")


def _refuse_radii(r: tuple[float, ...]) -> None:
    if not all(0 < one < math.inf for one in r):
        raise ConfigError("r cannot be", got=r, expected="radii > 0 in comoving kpc/h", fix="give another --r")
