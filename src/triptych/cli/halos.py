"""Verbs of ``triptych halos``."""

from __future__ import annotations

from cyclopts import App

from triptych import halos  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.halos import commands, dataset_commands, history_commands, mock_commands

app = App(name="halos", help=ABOUT["halos"])
add_verb(
    app,
    "halos-measure",
    commands.MeasureConfig,
    commands.measure,
    example="triptych halos measure output/snapshot_023.hdf5 --mass-definition 200m --json",
)
add_verb(
    app,
    "halos-histories",
    history_commands.HistoriesConfig,
    history_commands.histories,
    example="triptych halos histories output --gamma dynamical --json",
)
add_verb(
    app,
    "halos-mock",
    mock_commands.MockConfig,
    mock_commands.mock,
    example="triptych halos mock --kind virial --training 3000 --workers 2 --out mock",
)
add_verb(
    app,
    "halos-build",
    dataset_commands.BuildConfig,
    dataset_commands.build,
    example="triptych halos build --training run_1/output --validation run_2/output --test run_2/output --kind infall",
)
add_verb(app, "halos-inspect", dataset_commands.InspectConfig, dataset_commands.inspect, example="triptych halos inspect mock")
