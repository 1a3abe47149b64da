"""What all tests share, and the table of docs/reliability.md, which the fault tests write from what they saw."""

from pathlib import Path

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

TABLE = Path(__file__).parents[1] / "docs" / "generated" / "reliability.md"
HEAD = ["| fault | verb | what happens | exit code |", "|---|---|---|---|"]


def pytest_terminal_summary(terminalreporter):
    """Bring the rows of the fault tests that passed into the table; rows of tests that did not run stay."""
    reports = terminalreporter.stats.get("passed", [])
    seen = [value for report in reports for name, value in report.user_properties if name == "fault"]
    if not seen:
        return
    rows = {}
    if TABLE.exists():
        for line in TABLE.read_text(encoding="utf-8").splitlines()[len(HEAD) :]:
            fault, verb = line.split(" | ")[:2]
            rows[fault.removeprefix("| "), verb] = line
    for fault, verb, outcome, code in seen:
        rows[fault, f"`{verb}`"] = f"| {fault} | `{verb}` | {outcome} | {code} |"
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([*HEAD, *(rows[key] for key in sorted(rows))]) + "\n", encoding="utf-8")
    terminalreporter.write_line(f"wrote {TABLE} with {len(rows)} rows")
