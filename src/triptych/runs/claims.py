"""What the three papers claim, and what our runs say of it.

In: ``papers/<key>/claims.toml`` (each claim, the paper's value, the command that re-runs it), and the verdicts that finished runs
give in their summaries. Out: one table, the same on the command line, in the tour's report, in the README's counts and in the
documentation. A verdict comes from a run, never by hand; :func:`record` keeps it in ``papers/<key>/verdicts.json`` with the run's
id, version and date.
"""

from __future__ import annotations

import tomllib
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from triptych.errors import ConfigError, DataError, did_you_mean
from triptych.runs.directory import RUNS, read_json, write_json

Word = Literal["holds", "holds with another convention", "does not hold", "not testable here"]
NOT_RUN = "not run"
WORDS: tuple[str, ...] = (*get_args(Word), NOT_RUN)
_PACKAGED = Path(__file__).parents[1] / "papers"
PAPERS = _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[3] / "papers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run says of one claim; a verb returns these under ``"claims"`` in its summary.

    Attributes
    ----------
    id : ``paper/claim``, such as ``foreman2021/fig1-freezing``.
    verdict : one of the four words.
    our_value : our number, as text.
    note : the convention, or why it does not hold.
    """

    id: str
    verdict: Word
    our_value: str
    note: str = ""

    def to_json(self) -> dict[str, str]:
        """All fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One row of the table: a claim with the verdict that is known of it.

    Attributes
    ----------
    id, paper, where : the claim's name, the paper's key, the section, figure or table.
    claim, paper_value, command : what is claimed, the paper's number, the command that re-runs it (the one that gave the verdict,
        or that will; not every command of an open claim exists yet).
    verdict, our_value, note : as in :class:`Verdict`; ``"not run"`` and empty where no run has given one.
    run : id and date of the run that gave the verdict.
    """

    id: str
    paper: str
    where: str
    claim: str
    paper_value: str
    command: str
    verdict: str = NOT_RUN
    our_value: str = ""
    note: str = ""
    run: str = ""


def papers() -> list[str]:
    """Keys of the papers."""
    return sorted(path.parent.name for path in PAPERS.glob("*/claims.toml"))


def paper(key: str) -> dict[str, str]:
    """Title, citation and panel of a paper.

    Raises
    ------
    ConfigError
        If there is no such paper.
    """
    return dict(_read(key)["paper"])


def claims(key: str | None = None, *, runs: Path | None = RUNS) -> list[Claim]:
    """The claims of one paper or of all, with the recorded verdicts and those of the finished runs below `runs`.

    Raises
    ------
    ConfigError
        If there is no paper of that key.
    DataError
        If a claims file is damaged.
    """
    known = {**recorded(), **(dict(_from_runs(runs)) if runs is not None else {})}
    return [
        _judged(_row(name, entry), known.get(f"{name}/{entry['id']}", {}))
        for name in ([key] if key is not None else papers())
        for entry in _read(name)["claim"]
    ]


def counts(rows: Iterable[Claim]) -> dict[str, int]:
    """Number of claims by verdict, in the order of :data:`WORDS`; words without a claim are left out."""
    found = Counter(row.verdict for row in rows)
    return {word: found[word] for word in WORDS if found[word]}


def recorded() -> dict[str, dict[str, str]]:
    """The verdicts kept in ``papers/<key>/verdicts.json``, by ``paper/claim``."""
    known: dict[str, dict[str, str]] = {}
    for path in sorted(PAPERS.glob("*/verdicts.json")):
        known.update({f"{path.parent.name}/{name}": verdict for name, verdict in read_json(path).items()})
    return known


def record(runs: Path = RUNS) -> list[Path]:
    """Keep the verdicts of the finished runs below `runs` in ``papers/<key>/verdicts.json``; return the files written."""
    fresh, written = dict(_from_runs(runs)), []
    for key in papers():
        mine = {
            name.partition("/")[2]: verdict for name, verdict in {**recorded(), **fresh}.items() if name.startswith(f"{key}/")
        }
        if mine:
            write_json(PAPERS / key / "verdicts.json", dict(sorted(mine.items())))
            written.append(PAPERS / key / "verdicts.json")
    return written


def _from_runs(root: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Verdicts in the summaries of finished runs, oldest first."""
    manifests = []
    for path in root.glob("**/manifest.json"):
        try:
            manifests.append((read_json(path), path.parent))
        except DataError as error:
            warnings.warn(f"a run is left out of the claims: {error.got}", stacklevel=2)
    for manifest, folder in sorted(manifests, key=lambda one: str(one[0].get("started"))):
        if manifest.get("status") != "finished":
            continue
        for verdict in read_json(folder / "summary.json").get("claims", []):
            fields = {field: verdict[field] for field in ("verdict", "our_value", "note")}
            source = f"{manifest['id'][:8]} ({manifest['versions'].get('triptych')}, {manifest['started'][:10]})"
            yield verdict["id"], {**fields, "run": source, "command": _command(manifest["verb"])}


def _command(verb: str) -> str:
    """The command of a verb's runs: its words, but for the tour, which is one command for all panels."""
    return "triptych tour" if verb.startswith("tour-") else f"triptych {verb.replace('-', ' ')}"


def _row(key: str, entry: dict[str, Any]) -> dict[str, str]:
    row = {field: entry[field] for field in ("id", "where", "claim", "paper_value", "command")}
    if "untestable" in entry:
        row |= {"verdict": "not testable here", "note": entry["untestable"]}
    elif "note" in entry:
        row["note"] = entry["note"]
    return {**row, "paper": key}


def _judged(row: dict[str, str], verdict: dict[str, str]) -> Claim:
    """The claim with its verdict; what the book and the run note stand together."""
    notes = " ".join(note for note in (row.get("note", ""), verdict.get("note", "")) if note)
    return Claim(**{**row, **verdict, "note": notes})


def _read(key: str) -> dict[str, Any]:
    path = PAPERS / key / "claims.toml"
    if not path.exists():
        raise ConfigError("there is no such paper", got=key, fix=did_you_mean(key, papers()))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataError("the claims file is damaged", got=f"{path}: {error}") from None
