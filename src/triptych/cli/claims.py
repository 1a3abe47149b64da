"""``triptych claims``: the table of what the three papers claim.

In: a paper's key, or nothing for all. Out: each claim with the paper's value, ours, and the verdict of our runs.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from triptych.cli.verbs import report
from triptych.runs import claims as book
from triptych.runs.directory import RUNS


def claims(
    paper: str | None = None,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    runs: Path = RUNS,
    record: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show what the papers claim, and what our runs say of it.

    Example: triptych claims chi2008 --json

    Parameters
    ----------
    paper
        chi2008, foreman2021 or luciesmith2023; all three where it is not given
    json
        print one JSON object on stdout and nothing else
    runs
        folder whose finished runs give verdicts beside the recorded ones
    record
        keep these verdicts in papers/, for the maintainers
    """
    if record:
        book.record(runs)
    rows = book.claims(paper, runs=runs)
    if json:
        report({"claims": [asdict(row) for row in rows], "counts": book.counts(rows)}, as_json=True)
        return
    for key in dict.fromkeys(row.paper for row in rows):
        mine = [row for row in rows if row.paper == key]
        print(f"\n{key}: {book.paper(key)['citation']}")
        columns = ("id", "where", "paper_value", "our_value", "verdict", "command")
        report({"claims": [{column: getattr(row, column) for column in columns} for row in mine]}, as_json=False, most=len(mine))
        print(", ".join(f"{word}: {number}" for word, number in book.counts(mine).items()))
