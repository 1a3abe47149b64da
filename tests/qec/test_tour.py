"""The tour on a small scale, and the panel's self-test."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Noise, check, simulate, steane, tour
from triptych.qec.plots import plot_uncertainties
from triptych.runs import Run, execute

CONFIG = tour.TourConfig(relative_width=0.03, shots=20_000)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tour, "RATES", (1e-5, 1e-4, 1e-3, 1e-2))
        return execute("tour-qec", CONFIG, tour.tour, out=tmp_path_factory.mktemp("tour") / "run")


def test_the_tour_tells_its_story(small: Run) -> None:
    summary = small.summary
    assert (small.path / "figures" / summary["figure"]).stat().st_size > 10_000
    assert len(summary["comparisons"]) == 5 and json.dumps(summary, allow_nan=False)
    assert [claim["verdict"] for claim in summary["claims"]] == ["holds"] * 3
    assert "p = 1e-05 to 0.01" in summary["story"]


def test_the_answers_agree_with_their_rivals(small: Run) -> None:
    """Beyond the half-width of the interval at most four standard deviations."""
    *sampled, largest = small.summary["comparisons"]
    assert largest["truth"]["lower"] < largest["answer"]["value"] < largest["truth"]["upper"]
    for row in sampled:
        answer, truth = row["answer"], row["truth"]
        assert answer["kind"] == "certified" and truth["kind"] == "statistical"
        outside = max(answer["lower"] - truth["value"], truth["value"] - answer["upper"], 0.0)
        assert outside < 4 * truth["error"]
        assert row["price"]["seconds"] > 0 and row["rival_price"]["seconds"] > 0


def test_the_rival_of_equal_accuracy_pays_for_it(small: Run) -> None:
    """Shots are four times as many for half the standard deviation."""
    _, _, low, papers, _ = small.summary["comparisons"]
    rate, half = low["answer"]["value"], (low["answer"]["upper"] - low["answer"]["lower"]) / 2
    assert low["rival_price"]["shots"] == pytest.approx(rate / half**2, rel=1e-3)
    found, strata = papers["answer"], papers["truth"]
    more = (strata["error"] / (found["upper"] - found["lower"]) * 2) ** 2
    assert papers["rival_price"]["shots"] == pytest.approx(more * CONFIG.shots, rel=0.01)
    program = steane.two_qubit(Noise.eshe_rates())
    assert found["value"] == simulate(program, engine="tree", criterion="readout", relative_width=0.03).crash_rate.value


def test_the_monte_carlo_costs_the_same_at_every_rate(small: Run) -> None:
    data = small.load("results.nc")
    assert data is not None
    rate, error = data["drawn"].values, data["drawn_error"].values
    drawn = ~np.isnan(rate)
    assert data["p"].values[drawn].tolist() == [1e-4, 1e-3, 1e-2]
    shots = rate * (1 - rate) / error**2
    assert shots[drawn] == pytest.approx([2e6, 2e5, 2e4], rel=0.05)


def test_the_uncertainties_are_those_of_the_dataset(small: Run) -> None:
    data = small.load("results.nc")
    assert data is not None
    tree, sampled = (np.asarray(line.get_ydata()) for line in plot_uncertainties(data).lines)
    assert np.all(tree <= 0.03) and tree == pytest.approx((data.upper - data.lower) / 2 / data.crash_rate)
    assert np.isnan(sampled[0]) and sampled[1:] == pytest.approx((data.drawn_error / data.crash_rate)[1:])


def test_impossible_tours_are_refused() -> None:
    for wrong in ({"relative_width": 0.0}, {"shots": 0}):
        with pytest.raises(ConfigError):
            tour.TourConfig(**wrong)  # type: ignore[arg-type]


def test_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    ok, sentence = check.check()
    assert ok and f"(exact {check.ACCEPTANCE})" in sentence
    _, exact, _ = oracle.verified(steane.verified_ancilla(Noise.uniform(1e-4)).instructions[0])  # type: ignore[arg-type]
    assert pytest.approx(exact, abs=1e-13) == check.ACCEPTANCE
    monkeypatch.setattr(check, "ACCEPTANCE", 0.9979)
    assert not check.check()[0]
