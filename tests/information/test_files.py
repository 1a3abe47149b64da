"""What is saved comes back, and what is no table or no estimate is refused by name."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr

from triptych.errors import DataError
from triptych.information import MutualInformation, Settings, mutual_information
from triptych.information.files import read_columns
from triptych.statistics import Estimate

QUICK = Settings(starts=2, bootstraps=10, permutations=20, unit="bits")


def same(found, expected):
    """Equality field by field, arrays and fits included."""
    if dataclasses.is_dataclass(expected):
        return type(found) is type(expected) and all(
            same(getattr(found, field.name), getattr(expected, field.name)) for field in dataclasses.fields(expected)
        )
    if isinstance(expected, np.ndarray):
        return found.dtype == expected.dtype and np.array_equal(found, expected)
    return type(found) is type(expected) and found == expected


@pytest.fixture(scope="module")
def estimates():
    rng = np.random.default_rng(5)
    x, noise = rng.normal(size=(2, 200))
    y = {"usual": x + noise, "constant": np.ones(200), "function": x**3, "two": np.stack([x + noise, noise**2], axis=1)}
    found = {name: mutual_information(x, column, rng=rng, settings=QUICK) for name, column in y.items()}
    wide = dataclasses.replace(
        found["usual"],
        estimate=Estimate.statistical(0.5, 0.1, lower=0.42, upper=0.63),
        problems=("nearest neighbours find 3 nats", "200 samples are few"),
    )
    return {**found, "wide": wide, "given": mutual_information(x, x + noise, given=noise**2, rng=rng, settings=QUICK)}


@pytest.mark.parametrize("name", ["usual", "constant", "function", "two", "given", "wide"])
def test_an_estimate_comes_back_equal(estimates, tmp_path, name):
    expected = estimates[name]
    expected.save(tmp_path / "fit.nc")
    assert same(MutualInformation.load(tmp_path / "fit.nc"), expected)
    assert (name == "function") == math.isinf(expected.value) and (name == "constant") == (expected.mixture is None)


def test_a_file_without_an_estimate_is_refused(estimates, tmp_path):
    path = tmp_path / "other.nc"
    with pytest.raises(DataError, match=r"no estimate(.|\n)*other.nc"):
        MutualInformation.load(path)
    path.write_text("no HDF5")
    with pytest.raises(DataError, match="no estimate"):
        MutualInformation.load(path)
    estimates["usual"].mixture.save(path)
    with pytest.raises(DataError, match="no estimate"):
        MutualInformation.load(path)


A, B = np.array([1.5, -2.0, 3e-7]), np.array([4.0, 5.0, 6.0])


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1.5,4\n-2,5\n3e-7,6\n",
        "# made today\n\na,other,b\n# half way\n1.5,word,4\n-2,,5\n3e-7,nan,6\n",
        "\ufeffb;a\r\n4;1.5\r\n5;-2\r\n6;3e-7\r\n",
        '"b"\t"the a, or not"\ta\n4\t"x, y"\t 1.5\n5\tz\t-2\n6\tz\t3e-7',
    ],
)
def test_columns_of_a_text(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    found = read_columns(path, ("a", "b"))
    assert list(found) == ["a", "b"] and found["a"].tolist() == A.tolist() and found["b"].tolist() == B.tolist()


def test_columns_of_a_netcdf_file(tmp_path):
    path = tmp_path / "table.nc"
    data = xr.Dataset(
        {"a": ("row", A), "b": ("row", B.astype(int)), "c": ("bin", [1.0, 2.0]), "d": (("row", "bin"), np.ones((3, 2)))}
    )
    data["word"] = ("row", ["x", "y", "z"])
    data.to_netcdf(path, engine="h5netcdf")
    found = read_columns(path, ("b", "a"))
    assert list(found) == ["b", "a"] and found["a"].tolist() == A.tolist() and found["b"].tolist() == B.tolist()
    for names, words in {
        ("a", "c"): r"different dimensions(.|\n)*a\(row\), c\(bin\)",
        ("a", "d"): "no 1-D variable 'd'",
        ("bb",): "did you mean 'b'",
        ("word",): "'word' holds no numbers",
    }.items():
        with pytest.raises(DataError, match=words):
            read_columns(path, names)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_columns(path, ("a",))


@pytest.mark.parametrize("ending", ["csv", "nc"])
def test_missing_values_are_refused_or_their_rows_dropped(tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    if ending == "csv":
        path.write_text("a,b,c\n1,4,NaN\n,5,1\n3,NA,1\nn/a,7,1\n5,8,1\n")
    else:
        nan = np.nan
        columns = {"a": [1, nan, 3, nan, 5], "b": [4, 5, nan, 7, 8], "c": [nan, 1, 1, 1, 1]}
        xr.Dataset({name: ("row", column) for name, column in columns.items()}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(DataError, match=r"column 'a' lacks values(.|\n)*2 of 5 rows"):
        read_columns(path, ("a", "b"))
    with pytest.raises(DataError, match=r"column 'b' lacks values(.|\n)*1 of 5 rows"):
        read_columns(path, ("b",))
    kept = read_columns(path, ("a", "b"), missing="drop")
    assert kept["a"].tolist() == [1, 5] and kept["b"].tolist() == [4, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n", "empty"),
        ("", "empty"),
        ("a,bc\n1,2\n", "did you mean 'bc'"),
        ("x,y\n1,2\n", "known here: x, y"),
        ("b,b\n1,2\n", "'b' stands there 2 times"),
        ("# note\na,b\n1,2\n\n3\n", "line 5 has 1 cells"),
        ("a,b\n1,2\n3,high\n", r"column 'b'(.|\n)*'high' in line 3"),
        ("a,b\n1,\0\n", "column 'b'|cannot be read"),
    ],
)
def test_a_text_that_is_no_table_is_refused(tmp_path, text, words):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_columns(path, ("b",))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "table.csv").write_bytes(bytes(range(256)))
    for name in ("table.csv", "nowhere.csv"):
        with pytest.raises(DataError, match=f"cannot be read(.|\n)*{name}"):
            read_columns(tmp_path / name, ("b",))
