"""Verbs of ``triptych qec``."""

from __future__ import annotations

from cyclopts import App

from triptych import qec  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.qec import captions, commands

app = App(name="qec", help=ABOUT["qec"])
add_verb(
    app,
    "qec-run",
    commands.RunConfig,
    commands.run,
    example="triptych qec run --program.kind recovery --noise.preset uniform --noise.p 1e-3 --json",
)
reproduce = App(name="reproduce", help="Re-run a figure of the paper.")
add_verb(
    reproduce, "qec-reproduce-fig1", captions.Fig1Config, captions.reproduce_fig1, example="triptych qec reproduce fig1 --json"
)
add_verb(
    reproduce, "qec-reproduce-fig2", captions.Fig2Config, captions.reproduce_fig2, example="triptych qec reproduce fig2 --json"
)
app.command(reproduce)
