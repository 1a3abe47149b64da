"""The tour's report: one HTML file that needs no other.

In: the panels' finished runs. Out: a page with each panel's two sentences, figure (inlined) and table.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import triptych
from triptych.runs import COLUMNS, Comparison, Run, claims

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Triptych: a first run through all panels</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.55 system-ui, sans-serif; color: #1d2530; background: #fafaf8; }}
body {{ max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }}
h1 {{ font-size: 1.9rem; margin-bottom: .2rem; }} h2 {{ margin: 2.8rem 0 .3rem; }} .lead, footer {{ color: #58616d; }}
section {{ border-top: 1px solid #dcdcd4; }}
img {{ width: 100%; height: auto; background: white; border: 1px solid #e4e4dc; border-radius: 6px; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; font-size: .84rem; margin: 1rem 0; min-width: 46rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid #e4e4dc; }}
details {{ margin: .8rem 0; }} summary {{ cursor: pointer; }}
td {{ font-variant-numeric: tabular-nums; }} code {{ background: #eeeee8; padding: .1rem .3rem; border-radius: 3px; }}
</style></head><body>
<h1>Triptych</h1>
<p class="lead">Three papers, every claim re-run, and taken further. Below, each panel computes a real answer and puts it
beside an exact or independent one. <em>Pull</em>: (answer &minus; truth) in combined standard deviations, where there are any;
[a, b]: certified bounds.</p>
{panels}
<section id="claims"><h2>What the papers claim</h2>
<p>Every claim, number, table row and figure of the three papers, with the command that re-runs it. A verdict comes from
a run.</p>
{claims}</section>
<footer><p>Triptych {version}. Each section is a run directory below this file's folder, with its
configuration, versions, data and figures: <code>triptych show DIR</code>.</p></footer>
</body></html>
"""

_PANEL = """<section id="{panel}"><h2>{title}</h2>
<p>{story}</p>
<img alt="{title}" src="data:image/png;base64,{figure}">
<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>
<p class="lead">{seconds:.0f} s on {devices}; run <code>{run}</code></p></section>
"""


_CLAIMS = """<details><summary><b>{citation}</b><br>{counts}</summary>
<div class="wide"><table><thead><tr><th>where</th><th>claim</th><th>the paper</th><th>ours</th><th>verdict</th></tr></thead>
<tbody>{rows}</tbody></table></div></details>
"""


def write_report(path: Path, runs: Mapping[str, Run], missing: Mapping[str, str], *, known: Path) -> Path:
    """Write the report of `runs` (by panel) to `path`.

    `missing` says how to install the panels that are not there; the claims' verdicts come from the records and from the finished
    runs below `known`.
    """
    panels = [_panel(panel, run) for panel, run in runs.items()]
    panels += [
        f"<section><h2>{escape(panel)}</h2><p>Not installed: <code>{escape(fix)}</code></p></section>"
        for panel, fix in missing.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        _PAGE.format(panels="\n".join(panels), claims="\n".join(_claims(known)), version=escape(triptych.__version__)),
        encoding="utf-8",
    )
    return path


def _claims(known: Path) -> list[str]:
    """One folded table for each paper."""
    tables = []
    for key in claims.papers():
        rows = claims.claims(key, runs=known)
        cells = [
            (row.where, row.claim, row.paper_value, row.our_value, f"{row.verdict}. {row.note}".rstrip(". ")) for row in rows
        ]
        tables.append(
            _CLAIMS.format(
                citation=escape(claims.paper(key)["citation"]),
                counts=escape(", ".join(f"{number} {word}" for word, number in claims.counts(rows).items())),
                rows=_rows(cells),
            )
        )
    return tables


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)


def _panel(panel: str, run: Run) -> str:
    summary, manifest = run.summary, run.manifest
    return _PANEL.format(
        panel=panel,
        title=escape(summary["title"]),
        story=escape(summary["story"]),
        figure=base64.b64encode((run.path / "figures" / summary["figure"]).read_bytes()).decode(),
        head="".join(f"<th>{escape(column)}</th>" for column in COLUMNS),
        rows=_rows(Comparison.from_json(row).cells() for row in summary["comparisons"]),
        seconds=manifest["wall_seconds"],
        devices=escape(", ".join(manifest["devices"])),
        run=escape(str(run.path)),
    )
