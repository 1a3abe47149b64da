"""What every long job shares: configurations, run directories, resume, progress, prices, random streams, fan-out."""

from triptych.runs import claims, progress
from triptych.runs.claims import Verdict
from triptych.runs.comparison import COLUMNS, Comparison
from triptych.runs.config import load, options, to_toml
from triptych.runs.cost import Cost
from triptych.runs.directory import Run, execute, open_run
from triptych.runs.fanout import Failure, TasksFailedError, map
from triptych.runs.identity import strong_id
from triptych.runs.streams import stream, subseed

__all__ = [
    "COLUMNS",
    "Comparison",
    "Cost",
    "Failure",
    "Run",
    "TasksFailedError",
    "Verdict",
    "claims",
    "execute",
    "load",
    "map",
    "open_run",
    "options",
    "progress",
    "stream",
    "strong_id",
    "subseed",
    "to_toml",
]
