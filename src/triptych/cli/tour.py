"""``triptych tour``: a first real run through all panels.

In: nothing. Out: one run directory per panel and a self-contained ``report.html``. A second tour finds the finished runs.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import triptych
from triptych.cli.report import write_report
from triptych.cli.verbs import report, warn_of_other_code
from triptych.errors import MissingExtraError
from triptych.runs import Run, execute, progress


def tour(*, json: Annotated[bool, Parameter(negative="")] = False, out: Path = Path("runs/tour"), workers: int = 1) -> None:
    """Run all installed panels at small scale and write an HTML report with figures.

    Example: triptych tour

    Parameters
    ----------
    json
        print one JSON object on stdout and nothing else
    out
        folder of the report; the panels' run directories lie in it
    workers
        processes for the parts that fan out
    """
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    for panel in triptych.PANELS:
        try:
            getattr(triptych, panel)
        except MissingExtraError as error:
            missing[panel] = error.fix
            continue
        stage = importlib.import_module(f"triptych.{panel}.tour")
        with nullcontext() if json else progress.showing():
            runs[panel] = execute(f"tour-{panel}", stage.TourConfig(), stage.tour, root=out, workers=workers)
    for run in runs.values():
        warn_of_other_code(run)
    page = write_report(out / "report.html", runs, missing, known=out)
    answer: dict[str, Any] = {"report": str(page), "panels": {panel: run.summary for panel, run in runs.items()}}
    if json:
        report(answer, as_json=True)
        return
    for panel, run in runs.items():
        summary = run.summary
        print(f"\n{panel}: {summary['title']}\n{summary['story']}")
        report({"comparisons": summary["comparisons"]}, as_json=False)
    for panel, fix in missing.items():
        print(f"\n{panel}: not installed ({fix})")
    print(f"\nreport: {page}", file=sys.stderr)
