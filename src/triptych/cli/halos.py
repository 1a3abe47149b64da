"""Verbs of ``triptych halos``."""

from __future__ import annotations

from cyclopts import App

from triptych import halos  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.halos import commands

app = App(name="halos", help=ABOUT["halos"])
add_verb(
    app,
    "halos-measure",
    commands.MeasureConfig,
    commands.measure,
    example="triptych halos measure output/snapshot_023.hdf5 --mass-definition 200m --json",
)
