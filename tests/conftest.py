"""What all tests share, and the table of docs/reliability.md, which the fault tests write from what they saw."""

from pathlib import Path

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

TABLE = Path(__file__).parents[1] / "docs" / "generated" / "reliability.md"
HEAD = ["| fault | verb | what happens | exit code |", "|---|---|---|---|"]


def pytest_terminal_summary(terminalreporter, config):
    """Write the table, if all the fault tests were to run."""
    whole = not config.option.keyword and not any("::" in argument for argument in config.args)
    reports = terminalreporter.stats.get("passed", [])
    rows = sorted({tuple(value) for report in reports for name, value in report.user_properties if name == "fault"})
    if not whole or len({report.nodeid.partition("::")[0] for report in reports if "tests/faults/" in report.nodeid}) < 2:
        return
    lines = [f"| {fault} | `{verb}` | {outcome} | {code} |" for fault, verb, outcome, code in rows]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([*HEAD, *lines]) + "\n", encoding="utf-8")
    terminalreporter.write_line(f"wrote {TABLE} with {len(rows)} rows")
