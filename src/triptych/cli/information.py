"""The verb of ``triptych information``."""

from __future__ import annotations

from cyclopts import App

from triptych import information  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.information import commands

app = App(name="information", help=ABOUT["information"])
add_verb(
    app,
    "information-estimate",
    commands.EstimateConfig,
    commands.estimate,
    example="triptych information estimate TABLE.csv --x a,b --y c,d --json",
)
