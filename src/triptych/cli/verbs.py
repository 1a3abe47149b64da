"""A verb for every question of a panel, all made in the same way.

In: a configuration class and a work function. Out: a command with an option for each field, ``--config``, ``--json``, ``--out``
and ``--workers``, that runs in a run directory and prints its summary.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triptych.runs import COLUMNS, Comparison, Run, execute, load, options, progress
from triptych.runs.config import Option, describe_type
from triptych.runs.surroundings import git_state
from triptych.statistics import Estimate

_COMMON = {
    "config": (Path | None, None, "TOML file; options given here override it"),
    "json": (bool, False, "print one JSON object on stdout and nothing else"),
    "out": (Path | None, None, "run directory (default: below runs/)"),
    "workers": (int, 1, "processes for the parts that fan out"),
    "dask": (str | None, None, "address of a Dask scheduler for these parts, or 'local'"),
}


def add_verb(app: App, verb: str, config: type[Any], work: Callable[[Any, Run], dict[str, Any]], *, example: str) -> None:
    """Add to `app` the command whose words are those of `verb` (``"lattice-sample"``), and which answers with `work`."""
    leaves = list(options(config))
    parameters = [_parameter(leaf) for leaf in leaves]
    parameters += [
        inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, Parameter(name=f"--{key}", help=text, negative="", show_default=key == "workers")],
        )
        for key, (kind, default, text) in _COMMON.items()
    ]
    parameters.sort(key=lambda parameter: parameter.kind)
    signature = inspect.Signature(parameters)

    def command(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        common = {key: given.arguments[key] for key in _COMMON}
        texts = {leaf.key: given.arguments[_identifier(leaf)] for leaf in leaves}
        settings = load(config, common["config"], {key: text for key, text in texts.items() if text is not None})
        with nullcontext() if common["json"] else progress.showing():
            run = execute(verb, settings, work, out=common["out"], workers=common["workers"], dask=common["dask"])
        warn_of_other_code(run)
        report(run.summary, as_json=common["json"])
        if not common["json"]:
            print(f"run: {run.path}", file=sys.stderr)

    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = f"{inspect.cleandoc(config.__doc__ or '')}\n\nExample: {example}"
    app.command(command, name=verb.rpartition("-")[2])


def warn_of_other_code(run: Run) -> None:
    """Say so where a finished run comes from another state of the source than the one that runs now."""
    then, now = run.manifest["git"], git_state()
    if then != now:
        print(f"triptych: this run was made by {then}, the code is now {now}; delete {run.path} to run it again", file=sys.stderr)


def report(summary: dict[str, Any], *, as_json: bool, most: int = 12) -> None:
    """Print a summary on stdout: as one JSON object, or for the eye, with at most `most` rows of each list of records."""
    if as_json:
        print(json.dumps(summary, allow_nan=False))
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    for key, value in summary.items():
        if key == "comparisons":
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(_table(value, title=f"{key} ({len(value)})", most=most))
        elif isinstance(value, dict) and value and all(isinstance(item, dict) and "kind" not in item for item in value.values()):
            for name, item in value.items():
                console.print(f"{key}, {name}: {escape(_text(item))}", highlight=False, soft_wrap=True)
        else:
            console.print(f"{key}: {escape(_text(value))}", highlight=False, soft_wrap=True)
    if "comparisons" in summary:
        table = Table(*COLUMNS)
        for row in summary["comparisons"]:
            table.add_row(*map(escape, Comparison.from_json(row).cells()))
        console.print(table)


def _parameter(leaf: Option) -> inspect.Parameter:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if leaf.positional else inspect.Parameter.KEYWORD_ONLY
    default = "" if leaf.default is None else f" [default: {_text(leaf.default) or 'none'}]"
    name = "--" + leaf.key.replace("_", "-")
    about = Parameter(
        name=name,
        help=f"{leaf.help}{default}".lstrip(),
        metavar=describe_type(leaf.type),
        show_default=False,
        allow_leading_hyphen=True,
    )
    return inspect.Parameter(_identifier(leaf), kind, default=None, annotation=Annotated[str | None, about])


def _identifier(leaf: Option) -> str:
    return leaf.key.replace(".", "__")


def _text(value: Any) -> str:
    if isinstance(value, dict) and "kind" in value and "value" in value:
        return str(Estimate.from_json(value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(_text(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(rows: list[dict[str, Any]], *, title: str, most: int) -> Table:
    """The first rows of a list of records; scalar columns only."""
    columns = [key for key, value in rows[0].items() if not isinstance(value, list)]
    table = Table(
        *columns, title=title, title_justify="left", caption=f"first {most} of {len(rows)}" if len(rows) > most else None
    )
    for row in rows[:most]:
        table.add_row(*(escape(_text(row[key])) for key in columns))
    return table
