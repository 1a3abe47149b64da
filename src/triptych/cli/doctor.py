"""``triptych doctor``: is this machine ready?

In: nothing. Out: versions, devices, cores, memory, the extras that are present or missing, and a self-test of each installed
panel and of what stands alone. Exit code 0 where all self-tests pass, 4 otherwise.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import time
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from typing import Annotated, Any

from cyclopts import Parameter

import triptych
from triptych.cli.verbs import report
from triptych.errors import ConvergenceError, MissingExtraError
from triptych.runs.surroundings import devices


def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show versions, devices and extras, and run a self-test of a few seconds in each installed panel.

    Example: triptych doctor --json

    Parameters
    ----------
    json
        print one JSON object on stdout and nothing else
    """
    checks = {room: _check(room) for room in triptych.PANELS + triptych.STANDALONE}
    ok = all(check["ok"] is not False for check in checks.values())
    answer = {
        "ok": ok,
        "version": triptych.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "devices": devices(),
        "versions": {name: version(name) for name in _requirements("triptych", None)},
        "extras": _extras(),
        "panels": {room: checks[room] for room in triptych.PANELS},
        "standalone": {room: checks[room] for room in triptych.STANDALONE},
    }
    report(answer, as_json=json)
    if not ok:
        failed = [room for room, check in checks.items() if check["ok"] is False]
        raise ConvergenceError(
            "a self-test failed", got=", ".join(failed), fix="report it with the output of triptych doctor --json"
        )


def _check(room: str) -> dict[str, Any]:
    """The self-test of a panel or of what stands alone; `ok` is None where it is not installed."""
    began = time.monotonic()
    try:
        getattr(triptych, room)
    except MissingExtraError as error:
        return {"ok": None, "detail": f"not installed: {error.fix}", "seconds": 0.0}
    try:
        ok, detail = importlib.import_module(f"triptych.{room}.check").check()
    except Exception as error:
        ok, detail = False, f"{type(error).__name__}: {error}"
    return {"ok": ok, "detail": detail, "seconds": round(time.monotonic() - began, 2)}


def _requirements(package: str, extra: str | None) -> list[str]:
    """Names of the packages that an extra (None: the base) of an installed package asks for, inner extras resolved."""
    names = []
    for line in requires(package) or []:
        requirement, _, marker = line.partition(";")
        found = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if (found.group(1) if found else None) != extra:
            continue
        named = re.match(r"([\w.-]+)\s*(?:\[([\w,\s-]+)\])?", requirement.strip())
        assert named is not None
        names += [] if named.group(1) == package else [named.group(1)]
        if named.group(2) and not _missing([named.group(1)]):
            names += [name for inner in named.group(2).split(",") for name in _requirements(named.group(1), inner.strip())]
    return sorted(set(names))


def _extras() -> dict[str, str]:
    """Each extra: "present", or the packages that it misses."""
    return {extra: _state(extra) for extra in sorted(distribution("triptych").metadata.get_all("Provides-Extra") or [])}


def _state(extra: str) -> str:
    missing = _missing(_requirements("triptych", extra))
    return f"missing {', '.join(missing)}" if missing else "present"


def _missing(names: list[str]) -> list[str]:
    missing = []
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing
