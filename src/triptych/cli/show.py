"""``triptych show``: what a run directory holds.

In: the directory. Out: its state, configuration, surroundings and answer.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from triptych.cli.verbs import report
from triptych.runs import open_run


def show(run: Path, *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show what a run directory holds.

    Example: triptych show runs/lattice-sample/2026-11-20-1a2b3c4d

    Parameters
    ----------
    run
        the run directory
    json
        print one JSON object on stdout and nothing else
    """
    found = open_run(run)
    manifest = found.manifest
    answer = {
        "path": str(found.path),
        "verb": manifest["verb"],
        "status": manifest["status"],
        "id": found.id,
        "config": tomllib.loads((found.path / "config.toml").read_text(encoding="utf-8")),
        "manifest": manifest,
        "files": sorted(str(item.relative_to(run)) for item in run.rglob("*") if item.is_file() and item.name[0] != "."),
        "summary": found.summary if manifest["status"] == "finished" else None,
    }
    if json:
        report(answer, as_json=True)
        return
    report({key: answer[key] for key in ("path", "verb", "status", "config", "files")}, as_json=False)
    if answer["summary"] is not None:
        report(found.summary, as_json=False)
