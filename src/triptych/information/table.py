"""Mutual information of every pair of two sets of variables.

In: variables x and variables y over the same samples. Out: one table of values, errors, p-values and verdicts. The pairs run side
by side, in threads, processes or on a Dask cluster; what is finished is kept in a file from which an interrupted table goes on.

Every pair has a random stream of its own, from one integer and the two names, so that the table does not depend on who computes
what when (but for rounding: the process that compiles the loops may add in another order than those that find them compiled).
With the `seed` among its attributes, `mutual_information(x, y, rng=triptych.runs.stream(seed, "name of x", "name of y"))` gives
any entry again, with its fit.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from triptych import runs
from triptych.errors import ConfigError, DataError, did_you_mean
from triptych.information.estimate import mutual_information
from triptych.information.settings import Settings
from triptych.information.variables import Points, columns

Variables = Mapping[Any, ArrayLike] | ArrayLike
Names = tuple[str, str]
Record = dict[str, Any]

NUMBERS = ("value", "error", "lower", "upper", "p_value", "ksg", "ksg_error")
IN_UNITS = ("value", "error", "lower", "upper", "ksg", "ksg_error")


def mutual_information_table(
    x: Variables,
    y: Variables,
    *,
    rng: np.random.Generator,
    given: ArrayLike | None = None,
    x_error: Variables | None = None,
    settings: Settings | None = None,
    workers: int = 1,
    dask: str | None = None,
    checkpoint: Path | None = None,
) -> xr.Dataset:
    """I(X; Y), or I(X; Y | Z) with `given`, of every variable in `x` with every one in `y`.

    Parameters
    ----------
    x, y : an `xarray.Dataset` of 1-D variables, a pandas `DataFrame`, a mapping of names to what :func:`mutual_information`
        takes, or an array (sample, variable), whose variables are called x0, x1, ... and y0, y1, ...
    rng : gives one integer; see the module on what comes of it. The same generator in the same state gives the same table.
    given : (sample,) or (sample, axis), the condition of all pairs.
    x_error : standard deviations of x: a mapping of some of its names, or what broadcasts to (sample, variable).
    settings : the protocol; None takes the defaults of :class:`Settings`.
    workers : 1 takes one thread for each core, with a pair in each; more take that many processes.
    dask : address of a Dask scheduler, or ``"local"``, as in :func:`triptych.runs.map`.
    checkpoint : a file of JSON lines, one for each finished pair. If it exists, the table goes on from there; then data, settings
        and the state of `rng` must be those that it was begun with. Workers of a cluster must see it under the same path.

    Returns
    -------
    xarray.Dataset
        With dimensions (x, y), coordinates the names: `value`, `error`, `lower` and `upper` (a 68 % interval), `p_value`,
        `components`, `reliable`, `problems` (why not, in words), `ksg` and `ksg_error` (the cross-check), `margins`. Attributes:
        `samples`, `seed` and the settings. Where it diverges, the value is infinite; for a constant it is exactly 0.

    Raises
    ------
    DataError
        Before any work, if a variable is refused, as in :func:`mutual_information`; it is named.
    ConfigError
        If `x_error` does not fit to `x`, or the checkpoint is that of another table.
    TasksFailedError
        After all pairs have ended, if some failed; the others are in the checkpoint.

    Notes
    -----
    On two cores 700 pairs of 4332 samples with 5 starts, 3 folds and 100 bootstraps take minutes to a quarter of an hour, by the
    number of components, and 0.3 GB.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> latent = rng.normal(size=(300, 2))
    >>> profile = {"inner": latent[:, 0] + 0.5 * rng.normal(size=300), "outer": np.ones(300)}
    >>> table = mutual_information_table(latent, profile, rng=rng)
    >>> table["value"].dims, table["p_value"].sel(y="inner").to_numpy() < 0.01
    (('x', 'y'), array([ True, False]))
    >>> table["value"].sel(x="x0", y="outer").item()
    0.0
    """
    settings = settings or Settings()
    named = _named(x, "x")
    condition = None if given is None else np.asarray(given)
    data = _Data(x=named, y=_named(y, "y"), x_error=_errors(x_error, named), given=condition)
    samples = data.samples()
    seed = int(rng.integers(2**63))
    done = {} if checkpoint is None else _begin(checkpoint, data.identity(settings, seed))
    todo = [
        _Pair(
            names=(a, b),
            x=data.x[a],
            y=data.y[b],
            given=condition,
            x_error=data.x_error.get(a),
            settings=settings,
            seed=seed,
            checkpoint=checkpoint,
        )
        for a in data.x
        for b in data.y
        if (a, b) not in done
    ]
    if workers == 1 and dask is None:
        found = _in_threads(todo)
    else:
        found = runs.map(_solve, todo, workers=workers, dask=dask, label="pairs")
    done |= {pair.names: record for pair, record in zip(todo, found, strict=True)}
    return _dataset(data, done, {"samples": samples, "seed": seed, **asdict(settings)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Data:
    """The variables by name, those errors of x that are given, and the condition."""

    x: dict[str, NDArray[Any]]
    y: dict[str, NDArray[Any]]
    x_error: dict[str, NDArray[np.float64]]
    given: NDArray[Any] | None

    def samples(self) -> int:
        """The number of samples, unless some pair would be refused: then that refusal, now."""
        variables = [*self.x.items(), *self.y.items(), *([] if self.given is None else [("given", self.given)])]
        found: dict[str, int] = {}
        for number, (name, values) in enumerate(variables):
            table, spread = columns(values, self.x_error.get(name) if number < len(self.x) else None, name)
            found[name] = int(table.shape[1])
            try:
                Points.of(table, spread, rng=np.random.default_rng(0))
            except ConfigError as refusal:
                raise ConfigError(f"{name}: {refusal.what}", got=refusal.got, expected=refusal.expected) from None
        if len(set(found.values())) > 1:
            shown = ", ".join(f"{name}: {number}" for name, number in found.items())
            raise DataError("the variables differ in length", got=shown, expected="one sample a row")
        return next(iter(found.values()))

    def identity(self, settings: Settings, seed: int) -> str:
        """The strong id of data, settings and random stream."""
        groups = {"x": self.x, "y": self.y, "x_error": self.x_error, "given": {} if self.given is None else {"": self.given}}
        digests = {
            f"{group} {name}": hashlib.sha256(f"{array.shape}".encode() + array.astype(np.float64).tobytes()).hexdigest()
            for group, arrays in groups.items()
            for name, array in arrays.items()
        }
        return runs.strong_id("information-table", settings, {**digests, "seed": str(seed)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """One entry of a table: the variables, how to compare them, and the file that gets the answer."""

    names: Names
    x: NDArray[Any]
    y: NDArray[Any]
    given: NDArray[Any] | None
    x_error: NDArray[np.float64] | None
    settings: Settings
    seed: int
    checkpoint: Path | None

    def __repr__(self) -> str:
        return " and ".join(self.names)


def _solve(pair: _Pair) -> Record:
    """The entry of a pair, also as a line of the checkpoint."""
    found = mutual_information(
        pair.x,
        pair.y,
        rng=runs.stream(pair.seed, *pair.names),
        given=pair.given,
        x_error=pair.x_error,
        settings=pair.settings,
        threads=1,
    )
    record = {
        "x": pair.names[0],
        "y": pair.names[1],
        "value": found.value,
        "error": found.error,
        "lower": found.value - found.error,
        "upper": found.value + found.error,
        "p_value": found.p_value,
        "components": found.components,
        "problems": "; ".join(found.problems),
        "ksg": found.cross_check.value,
        "ksg_error": found.cross_check.half_width,
        "margins": found.margins,
    }
    if pair.checkpoint is not None:
        _append(pair.checkpoint, record)
    return record


def _in_threads(todo: list[_Pair]) -> list[Record]:
    """The entries, with one pair on each core at a time; an interrupt ends it after these."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        futures = {pair.names: pool.submit(_solve, pair) for pair in todo}
        return runs.map(lambda pair: futures[pair.names].result(), todo, label="pairs")
    finally:
        pool.shutdown(cancel_futures=True)


def _named(variables: Variables, letter: str) -> dict[str, NDArray[Any]]:
    """The variables by name, in their order."""
    items = getattr(variables, "items", None)  # of a mapping, a Dataset, a DataFrame
    if items is not None:
        pairs = [(str(name), np.asanyarray(values)) for name, values in items()]
        named = dict(pairs)
        if len(named) < len(pairs):
            raise DataError(f"{letter} has two variables of one name", got=", ".join(name for name, _ in pairs))
    else:
        table = np.asanyarray(variables)
        if table.ndim != 2:
            raise DataError(f"{letter} has the wrong shape", got=table.shape, expected="(sample, variable), or names with arrays")
        named = {f"{letter}{number}": column for number, column in enumerate(table.T)}
    if not named:
        raise DataError(f"{letter} holds no variables", fix="give one at least")
    return named


def _errors(x_error: Variables | None, x: dict[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
    """The errors of those variables that have some."""
    if x_error is None:
        return {}
    if isinstance(x_error, Mapping):
        for name in x_error:
            if str(name) not in x:
                raise ConfigError(f"x_error names {str(name)!r}, which is not in x", fix=did_you_mean(str(name), list(x)))
        return {str(name): np.asarray(x_error[name], dtype=np.float64) for name in x_error}
    given, shape = np.asarray(x_error, dtype=np.float64), (len(next(iter(x.values()))), len(x))
    try:
        return dict(zip(x, np.broadcast_to(given, shape).T, strict=True))
    except ValueError:
        raise ConfigError("x_error has another shape", got=given.shape, expected=f"that of x, {shape}") from None


def _begin(path: Path, identity: str) -> dict[Names, Record]:
    """What a checkpoint holds; a new one gets its first line, and a last line that was cut off is removed."""
    head = json.dumps({"table": identity}).encode() + b"\n"
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole[: len(head)] != head and not head.startswith(content):
            raise ConfigError(
                "the checkpoint is that of another table",
                got=path,
                fix="give another file, or the data, the settings and the generator that it was begun with",
            )
        with path.open("r+b" if content else "wb") as file:
            if not whole:
                file.write(head)
            file.truncate(max(len(whole), len(head)))
    except OSError as error:
        raise DataError("the checkpoint cannot be kept", got=f"{path}: {error.strerror}", fix="give another path") from None
    try:
        records = [json.loads(line) for line in whole.splitlines()[1:]]
        return {(record["x"], record["y"]): record for record in records}
    except (ValueError, KeyError) as error:
        raise DataError("the checkpoint is damaged", got=f"{path}: {error}", fix="delete it") from None


def _append(path: Path, record: Record) -> None:
    """Add a line in one step, so that threads and processes do not disturb each other; JSON has no infinity: it is a word."""
    line = {
        name: str(content) if isinstance(content, float) and not math.isfinite(content) else content
        for name, content in record.items()
    }
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, json.dumps(line, allow_nan=False).encode() + b"\n")
    finally:
        os.close(file)


def _dataset(data: _Data, records: Mapping[Names, Record], attrs: dict[str, Any]) -> xr.Dataset:
    """The records as a table."""

    def laid_out(name: str, kind: type) -> tuple[Names, NDArray[Any]]:
        return ("x", "y"), np.array([[kind(records[x, y][name]) for y in data.y] for x in data.x])

    kinds = dict.fromkeys(NUMBERS, float) | {"components": int, "problems": str, "margins": str}
    table = xr.Dataset(
        {name: laid_out(name, kind) for name, kind in kinds.items()}, coords={"x": list(data.x), "y": list(data.y)}, attrs=attrs
    )
    table["reliable"] = table["problems"] == ""
    for name in IN_UNITS:
        table[name].attrs["units"] = attrs["unit"]
    table["value"].attrs["long_name"] = "mutual information" if data.given is None else "conditional mutual information"
    return table
