"""Verbs of ``triptych lattice``."""

from __future__ import annotations

from cyclopts import App

from triptych import lattice  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.lattice import commands
from triptych.lattice import reproduce as figures
from triptych.lattice.train import TrainConfig

app = App(name="lattice", help=ABOUT["lattice"])
add_verb(
    app, "lattice-exact", commands.ExactConfig, commands.exact, example="triptych lattice exact --beta 4 --shape 16,16 --json"
)
add_verb(
    app,
    "lattice-sample",
    commands.SampleConfig,
    commands.sample,
    example="triptych lattice sample --sampler.name hmc --beta 4 --shape 8,8 --chains 64 --trajectories 1000 --json",
)
add_verb(
    app,
    "lattice-measure",
    commands.MeasureConfig,
    commands.measure,
    example="triptych lattice measure ENSEMBLE.nc --beta 4 --json",
)
add_verb(
    app,
    "lattice-train",
    TrainConfig,
    commands.train,
    example="triptych lattice train --config papers/foreman2021/train.toml --seed 1",
)
reproduce = App(name="reproduce", help="Re-run a figure of the paper.")
add_verb(
    reproduce,
    "lattice-reproduce-fig1",
    commands.Fig1Config,
    commands.reproduce_fig1,
    example="triptych lattice reproduce fig1 --config papers/foreman2021/fig1.toml --workers 2",
)
add_verb(
    reproduce,
    "lattice-reproduce-fig4",
    figures.Fig4Config,
    figures.reproduce_fig4,
    example="triptych lattice reproduce fig4 --config papers/foreman2021/fig4.toml --workers 2",
)
add_verb(
    reproduce,
    "lattice-reproduce-fig5",
    figures.Fig5Config,
    figures.reproduce_fig5,
    example="triptych lattice reproduce fig5 --config papers/foreman2021/fig5.toml --workers 2",
)
add_verb(
    reproduce,
    "lattice-reproduce-fig6",
    figures.AlongConfig,
    figures.reproduce_fig6,
    example="triptych lattice reproduce fig6 --config papers/foreman2021/fig6.toml --workers 2",
)
add_verb(
    reproduce,
    "lattice-reproduce-fig7",
    figures.AlongConfig,
    figures.reproduce_fig7,
    example="triptych lattice reproduce fig7 --config papers/foreman2021/fig7.toml --workers 2",
)
app.command(reproduce)
