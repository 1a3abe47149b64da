"""The tour and its report, with the quickest panel; the panels' own tests run the others' stages."""

import json
import re
from functools import partial

import pytest

import triptych
from triptych.cli.tour import tour
from triptych.errors import MissingExtraError
from triptych.halos import tour as stage
from triptych.runs import Comparison


@pytest.fixture(autouse=True)
def only_halos(monkeypatch, tmp_path):
    monkeypatch.setattr(triptych, "PANELS", ("halos",))
    monkeypatch.setattr(stage, "TourConfig", partial(stage.TourConfig, mock_halos=100))
    monkeypatch.chdir(tmp_path)


def test_the_report_needs_no_other_file_and_a_second_tour_finds_the_run(tmp_path, capsys):
    tour(json=True)
    first = json.loads(capsys.readouterr().out)
    assert set(first["panels"]) == {"halos"}
    page = (tmp_path / first["report"]).read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert 'src="data:image/png;base64,' in page
    for row in first["panels"]["halos"]["comparisons"]:
        assert Comparison.from_json(row).cells()[0].replace("'", "&#x27;") in page
    assert "What the papers claim" in page
    (run,) = (tmp_path / "runs" / "tour" / "tour-halos").iterdir()
    written = (run / "summary.json").stat().st_mtime_ns
    tour(json=True)
    again = capsys.readouterr()
    assert json.loads(again.out) == first
    assert (run / "summary.json").stat().st_mtime_ns == written


def test_for_the_eye(capsys):
    tour()
    out, err = capsys.readouterr()
    assert "quantity" in out
    assert "SUBFIND" in out
    assert "report: runs/tour/report.html" in err


def test_a_panel_that_is_not_installed_is_named_and_the_others_run(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(triptych, "PANELS", ("atlantis", "halos"))

    def absent(name):
        raise MissingExtraError(f"the panel {name!r} is not installed", fix="pip install 'triptych[atlantis]'")

    monkeypatch.setattr(triptych, "__getattr__", absent)
    tour()
    assert "atlantis: not installed (pip install 'triptych[atlantis]')" in capsys.readouterr().out
    assert "pip install &#x27;triptych[atlantis]&#x27;" in (tmp_path / "runs" / "tour" / "report.html").read_text(
        encoding="utf-8"
    )
