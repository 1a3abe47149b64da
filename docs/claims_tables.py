"""A Sphinx extension: writes the claims page's tables from ``papers/`` before the sources are read.

In: the three books of claims with the recorded verdicts. Out: ``docs/generated/claims-<key>.md``, included by ``claims.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from triptych.runs import claims

COLUMNS = ("claim", "the paper", "ours", "verdict")


def write_tables(app: Sphinx) -> None:
    """One Markdown table for each paper."""
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    for key in claims.papers():
        rows = claims.claims(key, runs=None)
        lines = [", ".join(f"**{number}** {word}" for word, number in claims.counts(rows).items()) + ".", ""]
        lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        for row in rows:
            claim = f"**{row.where}.** {row.claim}<br>`{row.command}`"
            verdict = f"**{row.verdict}**" + (f" (run {row.run})" if row.run else "") + (f"<br>{row.note}" if row.note else "")
            cells = (claim, row.paper_value, row.our_value, verdict)
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
        (folder / f"claims-{key}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_tables)
    return {"parallel_read_safe": True}
