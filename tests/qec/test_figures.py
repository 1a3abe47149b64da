"""Figs. 3 to 6 at small scale: what is in the files is what the engines say, and is drawn."""

from __future__ import annotations

import math

import pytest
import xarray as xr

from triptych.errors import ConfigError
from triptych.qec import Noise, simulate, steane
from triptych.qec.figures import Fig3Config, Fig4Config, reproduce_fig3, reproduce_fig4
from triptych.qec.points import Point, solve
from triptych.qec.rivals import BATCHES, Draw, draw
from triptych.qec.scaling import ScalingConfig, reproduce_fig5, reproduce_fig6
from triptych.runs import Run

SMALL = ScalingConfig(logical_qubits=4, event_threshold=1e-5, merge_threshold=1e-10)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(path=tmp_path_factory.mktemp("run"), id="0" * 64)


@pytest.fixture(scope="module")
def fig3(run):
    config = Fig3Config(events=(1e-5, 1e-6), merges=(1e-8, 1e-10), widths=(1e-2, 1e-3))
    return reproduce_fig3(config, run), run.load("results.nc"), (run.path / "figures" / "fig3.png").stat().st_size


def test_a_lossy_tree_is_tallied_by_what_did_not_crash():
    """What it lost counts as a crash, so that it lies above the preserving tree, and the converged rate is between them."""
    kept, lost = (solve(Point(reduction="none", rule=rule, event=1e-6, merge=1e-10)) for rule in ("preservation", "lossy"))
    whole = simulate(
        steane.two_qubit(Noise.eshe()), criterion="paper22", merge="lossy", reduction="none", event_threshold=1e-6,
        merge_threshold=1e-10,
    )  # fmt: skip
    assert lost.crash_rate == pytest.approx(1 - whole.success, rel=1e-9) and lost.crash_rate > 1.05 * whole.crash_rate.value
    assert kept.crash_rate < solve(Point(relative_width=1e-2)).crash_rate < lost.crash_rate


def test_fig3_holds_the_grid_and_both_references(fig3):
    answer, data, size = fig3
    assert len(answer["points"]) == data["crash_rate"].size == 8 and size > 10_000
    smallest = Point(reduction="none", rule="preservation", event=1e-6, merge=1e-10)
    assert answer["baseline"] == data.attrs["baseline"] == solve(smallest).crash_rate
    point = answer["points"][-1]
    assert (point["merge_rule"], point["event_threshold"], point["merge_threshold"]) == ("lossy", 1e-6, 1e-10)
    assert point["crash_rate"] == float(data["crash_rate"].sel(rule="lossy", event=1e-6, merge=1e-10))
    assert point["bias"] == pytest.approx(point["crash_rate"] / answer["converged"] - 1)
    last = answer["certified"][-1]
    assert last["lower"] < answer["converged"] < last["upper"] < 1.0021 * last["lower"]


def test_fig3_reads_the_text_in_sixteen_ways_and_judges_its_own_grid_only(fig3):
    answer, _, _ = fig3
    rates = {(one["program"], one["preparation"], one["criterion"]): one["crash_rate"] for one in answer["readings"]}
    assert len(rates) == 16
    for program in ("two_qubit", "cnot_recovery"):
        for preparation in ("9+3", "8+1"):
            ordered = [rates[program, preparation, criterion] for criterion in ("readout", "css", "paper22", "strict")]
            assert ordered == sorted(ordered)
    assert {one["id"] for one in answer["claims"]} == {"chi2008/sec3-crash-criterion"}


def test_fig4_races_trees_and_samplers(run):
    config = Fig4Config(
        merges=(1e-8, 1e-10), widths=(3e-2, 1e-2), per_location=2000, geometric=400_000, stim=2000, stratified=20_000
    )
    answer = reproduce_fig4(config, run)
    data = run.load("results.nc")
    rate = answer["converged"]
    first = {one["sampler"]: one for one in answer["samplers"][:4]}
    for sampler, one in first.items():
        level = float(data["inaccuracy"].sel(sampler=sampler))
        assert abs(one["crash_rate"] - rate) < 4 * level * rate + 5 / one["worth"]
    assert float(data["inaccuracy"].sel(sampler="geometric")) == pytest.approx((400_000 * rate) ** -0.5)
    by_level = answer["seconds_for"][0]
    assert by_level["0.10%"] == pytest.approx(100 * by_level["1.00%"])
    decided = {one["id"].removeprefix("chi2008/") for one in answer["claims"]}
    assert {"sec4b-monte-carlo-accuracy", "sec4b-speedup-3400", "sec4b-monte-carlo-scaling"} <= decided
    assert (run.path / "figures" / "fig4.png").stat().st_size > 10_000


@pytest.mark.parametrize("sampler", ["per location", "geometric", "Stim", "stratified"])
def test_each_sampler_agrees_with_the_tree_and_knows_its_own_worth(sampler):
    point = Point(program="cnot_recovery", criterion="strict", relative_width=1e-2)  # a rate of 1e-3: few shots will do
    drawn = draw(Draw(point=point, sampler=sampler, size=300, batches=40, seed=5))
    truth = solve(point).crash_rate
    assert drawn.shots == 12_000 and drawn.worth > 0.9 * 12_000
    assert drawn.crash_rate == pytest.approx(truth, abs=4 * math.sqrt(truth / drawn.worth))
    if sampler != "stratified":
        assert sum(drawn.crashes) == pytest.approx(drawn.crash_rate * drawn.worth) and len(drawn.crashes) == 40
        assert (drawn.worth < 12_000) == (sampler == "Stim"), "only Stim's shots are rejected"


def test_fig5_compares_with_the_certified_series(run):
    answer = reproduce_fig5(SMALL, run)
    rows = {(one["series"], one["logical_qubits"]): one for one in answer["points"]}
    assert len(rows) == 9 and answer["claims"] == []
    for size in (2, 3, 4):
        best = rows["certified", size]
        assert best["bias"] == 0 and best["lower"] < best["crash_rate"] < best["upper"]
        assert rows["strings", size]["states"] > rows["observed", size]["states"]
        assert rows["strings", size]["crash_rate"] / best["crash_rate"] - 1 == pytest.approx(rows["strings", size]["bias"])
    plain = simulate(
        steane.tree_program(Noise.eshe(), logical_qubits=4), criterion="readout", merge="preservation", event_threshold=1e-5,
        merge_threshold=1e-10,
    )  # fmt: skip
    assert rows["observed", 4]["crash_rate"] == plain.crash_rate.value
    assert (run.path / "figures" / "fig5.png").stat().st_size > 10_000


def test_fig6_traces_memory(run):
    answer = reproduce_fig6(SMALL, run)
    assert [one["logical_qubits"] for one in answer["memory"]] == [2, 4]
    for one in answer["memory"]:
        assert 24 < one["bytes_per_state"] < 1000, "at least two words and a probability for each state"
    assert isinstance(run.load("results.nc"), xr.Dataset)
    assert (run.path / "figures" / "fig6.png").stat().st_size > 10_000
    assert {"chi2008/sec4c-1150-physical-qubits", "chi2008/table1-times"} <= {one["id"] for one in answer["claims"]}


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        (Fig3Config, {"events": (1e-5,)}),
        (Fig3Config, {"merges": (1e-12, 1e-10)}),
        (Fig3Config, {"widths": (2.0, 1e-2)}),
        (Fig4Config, {"merges": ()}),
        (Fig4Config, {"stim": BATCHES - 1}),
        (ScalingConfig, {"logical_qubits": 2}),
        (ScalingConfig, {"tighter": 1.0}),
        (ScalingConfig, {"event_threshold": 0.0}),
    ],
)
def test_impossible_settings_are_refused(config, fields):
    with pytest.raises(ConfigError):
        config(**fields)
