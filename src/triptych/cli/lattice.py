"""Verbs of ``triptych lattice``."""

from __future__ import annotations

from cyclopts import App

from triptych import lattice  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.lattice import commands

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
reproduce = App(name="reproduce", help="Re-run a figure of the paper.")
add_verb(
    reproduce,
    "lattice-reproduce-fig1",
    commands.Fig1Config,
    commands.reproduce_fig1,
    example="triptych lattice reproduce fig1 --config papers/foreman2021/fig1.toml --workers 2",
)
app.command(reproduce)
