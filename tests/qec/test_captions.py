"""The figures of the captions, as verbs; the formulas behind them are tested in test_reference.py."""

import pytest

from triptych.errors import ConfigError
from triptych.qec.captions import Fig1Config, Fig2Config, reproduce_fig1, reproduce_fig2
from triptych.runs import Run


@pytest.fixture
def run(tmp_path):
    return Run(path=tmp_path, id="0" * 64)


def test_fig1(run):
    answer = reproduce_fig1(Fig1Config(), run)
    assert set(answer["after"]) == {"III", "IIX", "IIY", "IIZ", "IXX"}
    assert answer["after"]["IXX"] == answer["before"]["IXX"] == 0.05
    assert answer["after"]["IIY"] == pytest.approx(0.1 * (0.6 + 0.35))
    assert sum(answer["after"].values()) == pytest.approx(1)
    assert answer["neglected"] == pytest.approx(0.3 * 0.05)
    claims = {claim["id"]: (claim["verdict"], claim["our_value"]) for claim in answer["claims"]}
    assert claims["chi2008/fig1-event-threshold"][0] == "holds"
    assert claims["chi2008/sec2d-event-branching"] == (
        "holds", "I 0.7, X 0.1, Y 0.1, Z 0.1 at f = 0.3; 15 two-qubit errors of 0.02",
    )  # fmt: skip
    assert claims["chi2008/sec2d-gates-move-errors"] == (
        "holds",
        "H: X to Z, H: Z to X, CNOT (control right): IX to XX, CNOT (control right): XI to XI, "
        "CNOT (control right): IZ to IZ, CNOT (control right): ZI to ZZ",
    )


def test_fig2(run):
    answer = reproduce_fig2(Fig2Config(), run)
    assert sum(answer["preservation"].values()) == pytest.approx(1)
    assert sum(answer["lossy"].values()) == pytest.approx(1 - 0.005)
    assert answer["preservation"]["IIIYI"] == pytest.approx(0.1)
    assert answer["lossy"]["IIIYI"] == pytest.approx(0.095)
    claims = {claim["id"]: (claim["verdict"], claim["our_value"]) for claim in answer["claims"]}
    assert claims["chi2008/fig2-merge"][0] == "holds"
    assert claims["chi2008/sec2e-merge-is-cross-product"] == ("holds", "2 x 2 states: 4 at threshold 0, 3 at 0.01")
    assert claims["chi2008/sec2e-split-never-grows"] == ("holds", "3 to 3 to 2 to 2 to 1 to 1 states")


@pytest.mark.parametrize("fields", [{"single": 0.05}, {"double": 0.1}, {"single": 0.85, "double": 0.06}])
def test_numbers_against_the_caption_of_fig1_are_refused(fields):
    with pytest.raises(ConfigError, match="caption"):
        Fig1Config(**fields)


@pytest.mark.parametrize("left", [0.005, 0.08])
def test_numbers_against_the_caption_of_fig2_are_refused(left):
    with pytest.raises(ConfigError, match="caption"):
        Fig2Config(left=left)
