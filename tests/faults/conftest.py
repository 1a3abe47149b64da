"""Writes the table of docs/reliability.md from what the fault tests saw."""

from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "docs" / "generated" / "reliability.md"
HEAD = "| fault | verb | what happens | exit code |\n|---|---|---|---|\n"


@pytest.fixture
def seen(record_property):
    """Call it with the row that the documentation shows: fault, verb, what happens, exit code."""

    def record(fault, verb, outcome, code):
        record_property("fault", (fault, verb, outcome, code))

    return record


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.stats.get("passed", [])
    rows = sorted({tuple(value) for report in reports for name, value in report.user_properties if name == "fault"})
    if rows:
        TABLE.parent.mkdir(exist_ok=True)
        lines = [f"| {fault} | `{verb}` | {outcome} | {code} |\n" for fault, verb, outcome, code in rows]
        TABLE.write_text(HEAD + "".join(lines), encoding="utf-8")
        terminalreporter.write_line(f"wrote {TABLE} with {len(rows)} rows")
