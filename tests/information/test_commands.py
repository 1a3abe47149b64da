"""The verb: keys as promised, tables that are refused, and a run that resumes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from triptych.errors import ConfigError, DataError
from triptych.information import Settings, commands, mutual_information_table
from triptych.runs import execute, load, to_toml

QUICK = Settings(starts=2, bootstraps=10, permutations=20)
CONTRACT = {"x", "y", "value", "error", "lower", "upper", "p_value", "components", "samples", "reliable"}


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(2, 150))
    return {"a": a, "b": b, "c": a + 0.5 * rng.normal(size=150), "d": a**3, "e": a + b}


@pytest.fixture
def written(columns, tmp_path):
    path = tmp_path / "table.csv"
    np.savetxt(path, np.stack(list(columns.values()), axis=1), fmt="%.17g", delimiter=",", header=",".join(columns), comments="")
    return path


def asked(path, **options):
    return commands.EstimateConfig(**{"table": str(path), "settings": QUICK, **options})


def test_the_answer(columns, written, tmp_path):
    config = asked(written, x=("a", "b"), y=("c", "d"), seed=5)
    run = execute("information-estimate", config, commands.estimate, out=tmp_path / "run")
    expected = mutual_information_table(
        {name: columns[name] for name in "ab"},
        {name: columns[name] for name in "cd"},
        rng=np.random.default_rng(5),
        settings=QUICK,
    )
    assert [(pair["x"], pair["y"]) for pair in run.summary["pairs"]] == [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]
    for pair in run.summary["pairs"]:
        entry = expected.sel(x=pair["x"], y=pair["y"])
        assert set(pair) >= CONTRACT and pair["samples"] == 150 == run.summary["samples"]
        if (pair["x"], pair["y"]) == ("a", "d"):  # a function: JSON has no infinity
            assert [pair[key] for key in ("value", "error", "upper")] == [None, None, None] and not pair["reliable"]
            assert "function" in pair["problems"] and np.isinf(entry["value"])
        else:
            assert all(pair[key] == entry[key].item() for key in CONTRACT - {"x", "y", "samples"})
    json.dumps(run.summary, allow_nan=False)
    assert run.load("results.nc")["value"].equals(expected["value"])
    assert run.summary["figures"] == ["table.png", "fits.png"] and run.summary["unit"] == "nats"
    for name in run.summary["figures"]:
        assert (run.path / "figures" / name).stat().st_size > 5000


def test_the_fits_of_a_figure_are_those_of_the_table(columns, written, tmp_path, monkeypatch):
    """The same estimates, of at most as many pairs as there is room for, those with the most information."""
    drawn = []
    figure = commands.fits_figure
    monkeypatch.setattr(commands, "fits_figure", lambda fits: drawn.append(fits) or figure(fits))
    monkeypatch.setattr(commands, "MOST_FITS", 2)
    config = asked(written, x=("a", "b"), y=("c", "e"))
    pairs = execute("information-estimate", config, commands.estimate, out=tmp_path / "run").summary["pairs"]
    values = {(pair["x"], pair["y"]): pair["value"] for pair in pairs}
    best = sorted(values, key=values.__getitem__)[2:]
    assert {names: fit.value for names, fit in drawn[0].items()} == {names: values[names] for names in best}


def test_a_condition(written, tmp_path):
    """Given b, what a and e = a + b share has no end, and no mixture fits; there is no plane to draw it in."""
    config = asked(written, x=("a",), y=("e",), given=("b",))
    summary = execute("information-estimate", config, commands.estimate, out=tmp_path / "run").summary
    assert summary["given"] == ["b"] and summary["figures"] == ["table.png"]
    assert summary["pairs"][0]["value"] > 1 and not summary["pairs"][0]["reliable"]


def test_rows_that_lack_values(written, tmp_path):
    lines = written.read_text().splitlines()
    lines[3] = "nan" + lines[3][lines[3].index(",") :]
    written.write_text("\n".join(lines))
    config = asked(written, x=("a",), y=("c",))
    with pytest.raises(DataError, match=r"column 'a' lacks values(.|\n)*1 of 150"):
        execute("information-estimate", config, commands.estimate, out=tmp_path / "refused")
    config = asked(written, x=("a",), y=("c",), missing="drop")
    summary = execute("information-estimate", config, commands.estimate, out=tmp_path / "dropped").summary
    assert summary["samples"] == summary["pairs"][0]["samples"] == 149


def test_a_constant_column_has_an_answer_and_no_picture(written, tmp_path):
    lines = written.read_text().splitlines()
    written.write_text("\n".join([lines[0] + ",one", *(line + ",1" for line in lines[1:])]))
    config = asked(written, x=("a",), y=("one",))
    summary = execute("information-estimate", config, commands.estimate, out=tmp_path / "run").summary
    assert summary["pairs"][0]["value"] == 0 and summary["pairs"][0]["reliable"] and summary["figures"] == ["table.png"]


def test_a_run_that_was_interrupted_goes_on(written, tmp_path, monkeypatch):
    config = asked(written, x=("a", "b"), y=("c", "e"))
    whole = execute("information-estimate", config, commands.estimate, out=tmp_path / "whole").summary

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commands, "table_figure", interrupt)
        with pytest.raises(KeyboardInterrupt):
            execute("information-estimate", config, commands.estimate, out=tmp_path / "broken")
    pairs = tmp_path / "broken" / "checkpoints" / "pairs.jsonl"
    assert len(pairs.read_text().splitlines()) == 5
    assert execute("information-estimate", config, commands.estimate, out=tmp_path / "broken").summary == whole


def test_the_file_is_part_of_the_question(written, tmp_path):
    config = asked(written, x=("a",), y=("c",))
    first = execute("information-estimate", config, commands.estimate, root=tmp_path)
    written.write_text(written.read_text().replace("a,b", "a,bb"))
    assert execute("information-estimate", config, commands.estimate, root=tmp_path).id != first.id


def test_a_configuration_goes_through_toml(written, tmp_path):
    config = asked(written, x=("a", "b"), y=("c",), given=("d",), missing="drop", seed=3)
    (tmp_path / "c.toml").write_text(to_toml(config))
    assert load(commands.EstimateConfig, tmp_path / "c.toml") == config
    assert load(commands.EstimateConfig, tmp_path / "c.toml", {"settings.bootstraps": "11"}).settings.bootstraps == 11


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"table": ""}, "table is not given"),
        ({"x": ()}, "x is not given"),
        ({"y": ()}, r"y is not given(.|\n)*--y"),
        ({"x": ("a", "a")}, "x names a column twice"),
        ({"given": ("c",)}, "cannot tell anything(.|\n)*c"),
        ({"seed": -1}, "seed is impossible"),
    ],
)
def test_configurations_that_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        asked("table.csv", **{"x": ("a",), "y": ("c",), **options})
