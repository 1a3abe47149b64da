"""Verbs of ``triptych halos``."""

from __future__ import annotations

from cyclopts import App

from triptych import halos  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.halos import commands, dataset_commands, history_commands, mock_commands, network_commands

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
add_verb(
    app,
    "halos-train",
    network_commands.TrainConfig,
    network_commands.train,
    example="triptych halos train mock --encoder.sees sphere --out trained",
)
add_verb(
    app,
    "halos-scan",
    network_commands.ScanConfig,
    network_commands.scan,
    example="triptych halos scan mock --encoder.sees sphere --latents 1,2,3,4,5 --json",
)
add_verb(
    app,
    "halos-encode",
    network_commands.EncodeConfig,
    network_commands.encode,
    example="triptych halos encode trained mock --split test",
)
add_verb(
    app,
    "halos-decode",
    network_commands.DecodeConfig,
    network_commands.decode,
    example="triptych halos decode trained --latents 0,1,-1,0,0 --r 10,20,50 --json",
)
add_verb(
    app,
    "halos-predict",
    network_commands.PredictConfig,
    network_commands.predict,
    example="triptych halos predict trained mock --split test",
)
add_verb(
    app,
    "halos-traverse",
    network_commands.TraverseConfig,
    network_commands.traverse,
    example="triptych halos traverse trained --values -2,0,2",
)
add_verb(
    app,
    "halos-interpret",
    network_commands.InterpretConfig,
    network_commands.interpret,
    example="triptych halos interpret trained mock --json",
)
