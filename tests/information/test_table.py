"""Every pair of a table is the estimate of its own, whoever computes it and however often the work is interrupted."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from triptych.errors import ConfigError, DataError
from triptych.information import Settings, mutual_information, mutual_information_table, table
from triptych.runs import stream

QUICK = Settings(starts=2, bootstraps=10, permutations=20)
NUMBERS = ("value", "error", "p_value", "components")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 2))
    y = {
        "sum": x.sum(axis=1) + 0.5 * rng.normal(size=200),
        "square": x[:, 1] ** 2 + 0.5 * rng.normal(size=200),
        "constant": np.full(200, 3.0),
        "function": np.exp(x[:, 0]),
    }
    return x, y


def tabulated(data, seed=7, **options):
    return mutual_information_table(*data, rng=np.random.default_rng(seed), settings=options.pop("settings", QUICK), **options)


@pytest.fixture(scope="module")
def whole(data):
    return tabulated(data)


def test_an_entry_is_the_estimate_of_its_pair(data, whole):
    x, y = data
    assert whole["value"].dims == ("x", "y") and whole["x"].to_numpy().tolist() == ["x0", "x1"]
    assert whole.attrs["samples"] == 200 and Settings(**{key: whole.attrs[key] for key in QUICK.__slots__}) == QUICK
    for names in (("x0", "sum"), ("x1", "square"), ("x0", "function")):
        column = x[:, int(names[0][1])]
        alone = mutual_information(column, y[names[1]], rng=stream(whole.attrs["seed"], *names), settings=QUICK)
        entry = whole.sel(x=names[0], y=names[1])
        assert [entry[name].item() for name in NUMBERS] == [getattr(alone, name) for name in NUMBERS]
        assert entry["ksg"] == alone.cross_check.value and entry["ksg_error"] == alone.cross_check.error
        assert entry["margins"] == alone.margins and entry["reliable"] == alone.reliable
        assert entry["problems"] == "; ".join(alone.problems)


def test_the_interval_is_one_error_wide(whole):
    finite = np.isfinite(whole["value"].to_numpy())
    value, error, lower, upper = (whole[name].to_numpy()[finite] for name in ("value", "error", "lower", "upper"))
    assert finite.sum() == 7 and upper - value == pytest.approx(error) and value - lower == pytest.approx(error)


def test_a_constant_tells_nothing_and_a_function_everything(whole):
    for name, content in {"value": 0.0, "error": 0.0, "lower": 0.0, "upper": 0.0, "p_value": 1.0, "components": 0}.items():
        assert (whole[name].sel(y="constant") == content).all()
    assert whole["reliable"].sel(y="constant").all()
    function = whole.sel(x="x0", y="function")
    assert np.isinf(function["value"]) and not function["reliable"] and "function" in function["problems"].item()


def test_processes_give_the_same_table(data, whole, tmp_path):
    """To rounding: this process may be the one that has compiled the loops, and then it adds in another order."""
    found = tabulated(data, workers=2, checkpoint=tmp_path / "pairs.jsonl")
    xr.testing.assert_allclose(found, whole, rtol=1e-7, atol=1e-12)
    xr.testing.assert_identical(found[["components", "p_value", "problems"]], whole[["components", "p_value", "problems"]])
    assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == 9


def test_one_integer_is_drawn_from_the_generator(data):
    rng, other = np.random.default_rng(7), np.random.default_rng(7)
    found = mutual_information_table({"a": data[0][:, 0]}, {"c": data[1]["constant"]}, rng=rng)
    assert found.attrs["seed"] == other.integers(2**63) and rng.random() == other.random()


def test_order_and_company_change_nothing(data, whole):
    x = {"x1": data[0][:, 1]}
    few = tabulated((x, {name: data[1][name] for name in ("square", "sum")}))
    assert few["value"].sel(y="sum").item() == whole["value"].sel(x="x1", y="sum").item()
    assert tabulated((x, {"sum": data[1]["sum"]}), seed=8)["error"].item() != few["error"].sel(y="sum").item()


def test_an_interrupted_table_goes_on(data, whole, tmp_path, monkeypatch):
    """Stopped after three pairs and cut off inside a line, it computes what is missing and no more."""
    path = tmp_path / "pairs.jsonl"
    estimate, computed = table.mutual_information, []

    def stopping(x, y, **options):
        if len(computed) == 3:
            raise KeyboardInterrupt
        computed.append(1)
        return estimate(x, y, **options)

    with monkeypatch.context() as patch:
        patch.setattr(table, "mutual_information", stopping)
        patch.setattr(table.os, "cpu_count", lambda: 1)
        with pytest.raises(KeyboardInterrupt):
            tabulated(data, checkpoint=path)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    monkeypatch.setattr(table, "mutual_information", lambda *pair, **options: computed.append(1) or estimate(*pair, **options))
    xr.testing.assert_identical(tabulated(data, checkpoint=path), whole)
    assert len(computed) == 3 + 6
    assert [json.loads(line) for line in path.read_text().splitlines()][1:3] == [json.loads(line) for line in lines[1:3]]
    xr.testing.assert_identical(tabulated(data, checkpoint=path), whole)
    assert len(computed) == 9


def test_a_first_line_that_was_cut_off_begins_anew(data, whole, tmp_path):
    path = tmp_path / "pairs.jsonl"
    tabulated(data, checkpoint=path)
    head = path.read_bytes().splitlines(keepends=True)[0]
    for rest in (b"", head[:20]):
        path.write_bytes(rest)
        xr.testing.assert_identical(tabulated(data, checkpoint=path), whole)
        assert path.read_bytes().startswith(head)


def test_the_checkpoint_of_another_table_is_refused(data, whole, tmp_path):
    path = tmp_path / "pairs.jsonl"
    x, y = data
    tabulated(data, checkpoint=path)
    before = path.read_bytes()
    moved = x.copy()
    moved[5, 1] += 1e-9
    others = [
        ((x, y), {"seed": 8}),
        ((x, y), {"settings": Settings(starts=3, bootstraps=10, permutations=20)}),
        ((moved, y), {}),
        ((x, {**y, "more": y["sum"]}), {}),
        ((x, y), {"x_error": 0.1}),
        ((x, y), {"given": y["sum"]}),
    ]
    for question, options in others:
        with pytest.raises(ConfigError, match="another table"):
            tabulated(question, checkpoint=path, **options)
    path.write_text("name,value\n")
    with pytest.raises(ConfigError, match="another table"):
        tabulated(data, checkpoint=path)
    path.write_bytes(before + b"damaged\n")
    with pytest.raises(DataError, match="damaged"):
        tabulated(data, checkpoint=path)
    with pytest.raises(DataError, match="cannot be kept"):
        tabulated(data, checkpoint=tmp_path / "nowhere" / "pairs.jsonl")


def test_errors_and_conditions_reach_the_pairs(data):
    x, y = data
    named = {"a": x[:, 0], "b": x[:, 1]}
    some = {"sum": y["sum"]}
    blurred = tabulated((named, some), x_error={"a": 1.0})
    alone = mutual_information(x[:, 0], y["sum"], x_error=1.0, rng=stream(blurred.attrs["seed"], "a", "sum"), settings=QUICK)
    plain = tabulated((named, some))
    assert blurred["value"].sel(x="a").item() == alone.value < plain["value"].sel(x="a").item()
    assert blurred["value"].sel(x="b").item() == plain["value"].sel(x="b").item()
    xr.testing.assert_identical(tabulated((named, some), x_error=[[1.0, 0.0]]), blurred)
    known = tabulated((named, some), given=x[:, 1])
    assert known["value"].sel(x="b").item() == pytest.approx(0, abs=0.05)
    assert known["value"].attrs["long_name"] == "conditional mutual information"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"y": {"fine": 0.0, "gap": np.nan}}, DataError, "gap is not finite in 1 of 200"),
        ({"y": {"kind": None}}, DataError, "kind is discrete"),
        ({"y": {}}, DataError, "y holds no variables"),
        ({"y": {"short": slice(0, 150)}}, DataError, "short: 150"),
        ({"x": np.zeros(200)}, DataError, r"x has the wrong shape(.|\n)*\(200,\)"),
        ({"given": np.zeros(199)}, DataError, "given: 199"),
        ({"x_error": -1.0}, ConfigError, "x0: x_error is impossible"),
        ({"x_error": np.ones((200, 3))}, ConfigError, "x_error has another shape"),
        ({"x_error": {"x9": 1.0}}, ConfigError, "x_error names 'x9'"),
        ({"workers": 0}, ConfigError, "workers"),
    ],
)
def test_what_a_pair_would_refuse_is_refused_before_any_work(data, monkeypatch, change, error, words):
    """The variable is named."""
    x, y = data
    if change.get("y"):
        made = {}
        for name, what in change["y"].items():
            column = y["sum"].copy()
            if what is None:
                column = np.round(column)
            elif isinstance(what, slice):
                column = column[what]
            else:
                column[7] += what
            made[name] = column
        change = {"y": made}
    monkeypatch.setattr(table, "mutual_information", lambda *_, **__: pytest.fail("work began"))
    with pytest.raises(error, match=words):
        mutual_information_table(**{"x": x, "y": y, "rng": np.random.default_rng(1), **change})


def test_a_dataset_keeps_its_names(data, whole):
    x, y = data
    named = xr.Dataset({f"x{number}": ("halo", column) for number, column in enumerate(x.T)})
    xr.testing.assert_identical(tabulated((named, xr.Dataset({name: ("halo", column) for name, column in y.items()}))), whole)


def test_a_table_goes_through_a_file(whole, tmp_path):
    whole.to_netcdf(tmp_path / "table.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "table.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(back.load(), whole)
