"""Verbs of ``triptych qec``."""

from __future__ import annotations

from cyclopts import App

from triptych import qec  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.qec import budget_command, captions, commands, figures, scaling, settings, stim_command, sweep

app = App(name="qec", help=ABOUT["qec"])
add_verb(
    app,
    "qec-run",
    settings.RunConfig,
    commands.run,
    example="triptych qec run --program.kind two_qubit --noise.preset eshe --program.criterion readout --json",
)
add_verb(
    app,
    "qec-describe",
    settings.DescribeConfig,
    commands.describe,
    example="triptych qec describe --program.kind tree --program.logical-qubits 10 --json",
)
add_verb(
    app,
    "qec-sweep",
    sweep.SweepConfig,
    sweep.sweep,
    example="triptych qec sweep --axes.p 1e-4,3e-4,1e-3,3e-3 --axes.extractions 1,3 --workers 2 --json",
)
add_verb(
    app,
    "qec-stim",
    stim_command.StimConfig,
    stim_command.stim,
    example="triptych qec stim surface_code.stim --decoder pymatching --json",
)
add_verb(
    app,
    "qec-budget",
    budget_command.BudgetConfig,
    budget_command.report,
    example="triptych qec budget --program.kind two_qubit --noise.preset eshe --json",
)
reproduce = App(name="reproduce", help="Re-run a figure of the paper.")
for config, work in (
    (captions.Fig1Config, captions.reproduce_fig1),
    (captions.Fig2Config, captions.reproduce_fig2),
    (figures.Fig3Config, figures.reproduce_fig3),
    (figures.Fig4Config, figures.reproduce_fig4),
    (scaling.ScalingConfig, scaling.reproduce_fig5),
    (scaling.ScalingConfig, scaling.reproduce_fig6),
):
    name = work.__name__.removeprefix("reproduce_")
    add_verb(reproduce, f"qec-reproduce-{name}", config, work, example=f"triptych qec reproduce {name} --json")
app.command(reproduce)
