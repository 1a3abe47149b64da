"""Run directories: what every long job leaves behind, and how it goes on after a crash.

In: a verb, a configuration and a work function. Out: ``runs/<verb>/<date>-<id8>/`` with ``config.toml`` (resolved),
``manifest.json``, ``metrics.jsonl``, ``results.nc``, ``summary.json``, ``checkpoints/`` and ``figures/``. Asking the same
question again returns the finished run, or resumes the one that was interrupted.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from triptych.errors import ConfigError, DataError, RunBusyError
from triptych.runs import fanout
from triptych.runs.config import to_dict, to_toml
from triptych.runs.identity import digest_files, strong_id
from triptych.runs.surroundings import devices, surroundings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")
R = TypeVar("R")

RUNS = Path("runs")
OWN = ("checkpoints", "figures", "config.toml")  # what a run that was killed at once may have left
STORAGE_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run directory, as a verb's work function sees it.

    Attributes
    ----------
    path : the directory.
    id : strong id of the question (SHA-256, hexadecimal).
    workers, dask : where :meth:`map` computes; never part of the id.
    """

    path: Path
    id: str
    workers: int = 1
    dask: str | None = None

    @property
    def manifest(self) -> dict[str, Any]:
        """Versions, seeds, inputs, status ("running", "finished", "failed" or "interrupted") and wall time."""
        return dict(read_json(self.path / "manifest.json"))

    @property
    def summary(self) -> dict[str, Any]:
        """The answer: what ``--json`` prints.

        Raises
        ------
        DataError
            If the run has not finished.
        """
        return dict(read_json(self.path / "summary.json"))

    def map(self, function: Callable[[T], R], tasks: Iterable[T], *, label: str = "") -> list[R]:
        """:func:`triptych.runs.map` on this run's workers."""
        return fanout.map(function, tasks, workers=self.workers, dask=self.dask, label=label)

    def save(self, name: str, data: xr.Dataset) -> None:
        """Write a dataset as netCDF under `name`, in one step: a reader never sees half of it.

        The file is made in memory first, since the HDF5 library does not survive a disk that fills up under it.
        """
        content = data.to_netcdf(engine="h5netcdf")
        with replacing(self.path / name) as temporary:
            temporary.write_bytes(content)

    def load(self, name: str) -> xr.Dataset | None:
        """The dataset saved under `name`, or None where there is none yet."""
        path = self.path / name
        return xr.load_dataset(path, engine="h5netcdf") if path.exists() else None

    def log(self, record: dict[str, Any]) -> None:
        """Append one record to ``metrics.jsonl``; a line that a crash cut off is closed first."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with _storing(self.path), (self.path / "metrics.jsonl").open("a+b") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)

    def history(self) -> list[dict[str, Any]]:
        """The records logged so far; a line cut off by a crash is left out."""
        path = self.path / "metrics.jsonl"
        records = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return records

    def save_figure(self, name: str, figure: Figure) -> Path:
        """Write a figure as ``figures/<name>`` (PNG, PDF or SVG by the ending) and return its path."""
        from triptych.plotting import save

        path = self.path / "figures" / name
        with replacing(path) as temporary:
            save(figure, temporary)
        return path


Work = Callable[[Any, Run], dict[str, Any]]


def execute(
    verb: str,
    config: Any,
    work: Work,
    *,
    out: Path | None = None,
    root: Path = RUNS,
    workers: int = 1,
    dask: str | None = None,
) -> Run:
    """Answer a question once.

    Looks for a run of the same strong id. If it has finished, it is returned as it is; otherwise `work(config, run)` is called
    in its directory, and the dictionary that it returns becomes ``summary.json``.

    Parameters
    ----------
    verb : such as ``"lattice-sample"``; names the folder and enters the id.
    config : the configuration; where it has a method ``inputs() -> list[Path]``, the digests of these files enter the id.
    work : the calculation. It may keep its state with `run.save`, `run.log` and find it again when it is called a second time.
    out : the run directory itself, instead of one below ``<root>/<verb>/``.
    root : folder of all runs.
    workers, dask : as in :func:`triptych.runs.map`, for the parts of the work that fan out.

    Raises
    ------
    RunBusyError
        If another process is at work in the directory.
    ConfigError
        If `out` holds something else.
    DataError
        If an input file cannot be read, or the directory cannot be written.
    """
    inputs = digest_files(config.inputs()) if hasattr(config, "inputs") else {}
    identity = strong_id(verb, config, inputs)
    try:
        path = _claim(verb, identity, out, root)
    except OSError as error:
        raise DataError(
            "the run directory cannot be made", got=f"{error.filename}: {error.strerror}", fix="give another --out"
        ) from None
    run = Run(path=path, id=identity, workers=workers, dask=dask)
    if _finished(path):  # also where the directory can only be read
        return run
    with _locked(path / ".lock"):
        if not _finished(path):
            _work(run, verb, config, inputs, work)
    return run


def _work(run: Run, verb: str, config: Any, inputs: dict[str, str], work: Work) -> None:
    """Call the work, and keep the manifest true whatever happens."""
    before = read_json(run.path / "manifest.json") if (run.path / "manifest.json").exists() else {}
    manifest = {
        "id": run.id,
        "verb": verb,
        "status": "running",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "attempts": before.get("attempts", 0) + 1,
        "seed": to_dict(config).get("seed"),
        "inputs": inputs,
        "wall_seconds": before.get("wall_seconds", 0.0),
        **surroundings(),
    }
    with replacing(run.path / "config.toml") as temporary:
        temporary.write_text(to_toml(config), encoding="utf-8")
    write_json(run.path / "manifest.json", manifest)
    began = time.monotonic()
    status = "failed"
    try:
        summary = work(config, run)
        write_json(run.path / "summary.json", summary)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        manifest.update(status=status, wall_seconds=round(manifest["wall_seconds"] + time.monotonic() - began, 3))
        manifest["devices"] = devices()  # only now: the work may have brought its library
        write_json(run.path / "manifest.json", manifest)


def _finished(path: Path) -> bool:
    return (path / "manifest.json").exists() and read_json(path / "manifest.json")["status"] == "finished"


def open_run(path: Path) -> Run:
    """The run in the directory `path`.

    Raises
    ------
    DataError
        If the directory holds no run.
    """
    if not (path / "manifest.json").exists():
        raise DataError(
            "this is no run directory", got=path, expected="a folder with manifest.json", fix="see below runs/ for others"
        )
    return Run(path=path, id=read_json(path / "manifest.json")["id"])


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises
    ------
    DataError
        If it does not exist or is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            "a file of the run is missing", got=path, fix="the run has not finished: run it again to resume"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            "a file of the run is damaged", got=f"{path}: {error}", fix="delete the run directory and run again"
        ) from None


def _claim(verb: str, identity: str, out: Path | None, root: Path) -> Path:
    """The directory of this id: the given one, an existing one, or a new one."""
    if out is not None:
        if (out / "manifest.json").exists():
            found = read_json(out / "manifest.json")["id"]
            if found != identity:
                raise ConfigError(
                    "the run directory holds another run",
                    got=f"{out} with id {found[:8]}",
                    expected=f"id {identity[:8]}",
                    fix="give another --out, or the configuration in its config.toml",
                )
        elif out.exists() and (not out.is_dir() or any(item.name not in OWN and item.name[0] != "." for item in out.iterdir())):
            raise ConfigError("--out is neither empty nor a run directory", got=out, fix="give a new or empty folder")
        path = out
    else:
        folder = root / verb
        folder.mkdir(parents=True, exist_ok=True)
        same = [item for item in sorted(folder.glob(f"*-{identity[:8]}")) if item.is_dir()]
        path = same[0] if same else folder / f"{datetime.now(UTC).date().isoformat()}-{identity[:8]}"
    for part in ("checkpoints", "figures"):
        (path / part).mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the directory's lock; the system frees it however the process ends."""
    with _storing(path.parent):
        file = path.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunBusyError(
                "another process is at work in this run directory", got=path.parent, fix="wait for it, or give another --out"
            ) from None
        yield


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` once it is complete."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with _storing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _storing(place: Path) -> Iterator[None]:
    """Say what to do where a disk is full or may not be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE_TROUBLE:
            raise
        raise DataError(
            "the run directory cannot be written",
            got=f"{place}: {error.strerror or error}",
            fix="make room or give another --out; what was saved is kept, and the same command resumes",
        ) from error


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file in one step; NaN and infinity are refused, since JSON has none.

    Raises
    ------
    ValueError
        If `data` holds something that is no JSON.
    """
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
