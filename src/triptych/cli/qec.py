"""Verbs of ``triptych qec``."""

from __future__ import annotations

from cyclopts import App

from triptych import qec  # noqa: F401 (first of all: it names the extra where one is missing)
from triptych.cli import ABOUT
from triptych.cli.verbs import add_verb
from triptych.qec import captions, commands, figures, scaling, settings

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
