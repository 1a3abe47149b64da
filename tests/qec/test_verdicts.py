"""A verdict must be able to fall either way."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from triptych.cli import app
from triptych.qec import Architecture, Noise, describe, simulate, steane
from triptych.qec.counted import block_verdicts, count_verdicts, recovery_verdict, size_verdicts, table_verdicts
from triptych.qec.prices import map_verdicts, rival_verdicts, scaling_verdict, seconds_for, time_verdicts
from triptych.qec.rivals import Drawn
from triptych.qec.verdicts import (
    EVENTS,
    MERGES,
    merges_bracket,
    models_agree,
    nonfailing_states,
    states_verdict,
    threshold_verdicts,
)
from triptych.runs import claims, stream
from triptych.statistics import Estimate, wilson

P = 1e-3
PROGRAM = steane.bit_flip_recovery(Noise.uniform(P), preparation="8+1")
HOLDS, OTHERWISE, FAILS = "holds", "holds with another convention", "does not hold"


@pytest.fixture(scope="module")
def tree():
    return simulate(PROGRAM, event_threshold=3e-7, merge_threshold=1e-10)


def test_the_models_agree_unless_one_is_wrong(tree):
    drawn = simulate(PROGRAM, engine="montecarlo", shots=200_000, rng=stream(1, "verdict"))
    found = models_agree({P: tree}, {P: drawn})
    assert found.verdict == HOLDS and found.our_value.endswith("p = 0.001")
    for hits in (0, round(2 * tree.crash_rate.upper * 10**6)):
        wrong = replace(drawn, crash_rate=wilson(hits, 10**6))
        assert models_agree({P: tree}, {P: wrong}).verdict == FAILS


def test_the_models_are_compared_only_where_both_are_sharp(tree):
    few = replace(tree, crash_rate=wilson(round(tree.crash_rate.value * 30_000), 30_000))  # seven crashes
    many = replace(tree, crash_rate=wilson(round(tree.crash_rate.value * 10**6), 10**6))
    wide = replace(tree, crash_rate=Estimate.certified(0.2, lower=0.0, upper=0.4))
    at_wide = replace(tree, crash_rate=wilson(200_000, 10**6))
    assert models_agree({P: tree}, {P: few}) is None
    assert models_agree({0.03: wide}, {0.03: at_wide}) is None
    assert models_agree({P: tree}, {0.03: at_wide}) is None, "they share no error rate"
    found = models_agree({1e-4: tree, P: tree, 0.03: wide}, {1e-4: few, P: many, 0.03: at_wide})
    assert found.verdict == HOLDS and found.our_value.endswith("p = 0.001")


def test_merges_bracket_the_converged_rate_and_no_other(tree):
    thresholds = {"event_threshold": 3e-7, "merge_threshold": 1e-7}
    assert merges_bracket(PROGRAM, tree, **thresholds).verdict == HOLDS
    wrong = replace(tree, crash_rate=Estimate.exact(0.5))
    assert merges_bracket(PROGRAM, wrong, **thresholds).verdict == FAILS


READINGS = {
    ("two_qubit", "9+3", "paper22"): 1.549e-5,
    ("two_qubit", "9+3", "strict"): 1e-3,
    ("cnot_recovery", "8+1", "css"): 1.2e-5,
}


def grid(change=lambda data: None):
    """A grid on which every claim of Sec. IV.A holds, but for what `change` does to it."""
    bias = np.array([0.03, 5e-4, 2e-5, 0.0])[None, None, :] * np.ones((2, 3, 1))  # by merge threshold
    rates = np.empty((2, 3, 4))
    rates[0], rates[1] = 1.55e-5 * (1 - bias[0]), 1.55e-5 * (1 + 2 * bias[1] + 1e-5)
    rates[:, 1] *= 1 + 1e-6  # the second event threshold is not quite the baseline
    rates[:, 0] = 1.55e-5 * np.array([0.85, 0.86, 0.87, 0.88])
    states = np.array([1e5, 1e6, 1e7, 1e8]) * np.ones((2, 3, 1))
    data = xr.Dataset(
        {name: (("rule", "event", "merge"), values) for name, values in (("crash_rate", rates), ("states", states))},
        coords={"rule": ["preservation", "lossy"], "event": list(EVENTS), "merge": list(MERGES)},
        attrs={"criterion": "paper22"},
    )
    data["seconds"] = data["states"] * xr.DataArray([1e-6, 5e-7], dims="rule")
    change(data)
    data.attrs |= {"baseline": float(data["crash_rate"][0, -1, -1]), "converged": 1.56e-5}
    return data


def judged(verdicts, claim):
    (found,) = [one for one in verdicts if one.id == f"chi2008/{claim}"]
    return found.verdict


def test_a_grid_on_which_every_claim_holds():
    found = threshold_verdicts(grid(), READINGS)
    words = {one.id: one.verdict for one in found}
    assert words.pop("chi2008/sec3-crash-criterion") == OTHERWISE
    assert len(words) == 9 and set(words.values()) == {HOLDS}
    assert [one.id for one in threshold_verdicts(grid().isel(merge=[0, 3]), READINGS)] == ["chi2008/sec3-crash-criterion"]


@pytest.mark.parametrize(
    ("claim", "variable", "where", "factor"),
    [
        ("sec4a-baseline-merge-modes-agree", "crash_rate", ("lossy", 1e-7, 1e-16), 1.0001),
        ("fig3-inaccuracy-against-time", "crash_rate", ("preservation", 1e-6, 1e-14), 1.01),
        ("fig3-inaccuracy-against-time", "states", ("lossy", 1e-7, 1e-14), 0.01),
        ("fig3-event-1e-5-too-large", "crash_rate", ("lossy", 1e-5, 1e-10), 1.1),
        ("fig3-merge-threshold-dominates", "crash_rate", ("preservation", 1e-6, slice(None)), 1.2),
        ("fig3-merge-threshold-dominates", "states", ("preservation", 1e-6, slice(None)), 1e5),
        ("fig3-merge-1e-12-accuracy", "crash_rate", ("preservation", 1e-7, 1e-12), 0.999),
        ("sec4a-lossy-less-accurate", "crash_rate", ("preservation", 1e-6, 1e-12), 0.99),
        ("sec4a-lossy-less-accurate", "crash_rate", ("lossy", 1e-7, 1e-14), 1.1),
        ("sec2e-preservation-over-lossy-under", "crash_rate", ("lossy", 1e-6, 1e-10), 0.9),
        ("sec2e-preservation-over-lossy-under", "crash_rate", ("preservation", 1e-6, 1e-10), 1.1),
    ],
)
def test_one_number_or_line_of_the_grid_is_enough_to_break_a_claim(claim, variable, where, factor):
    def change(data):
        data[variable].loc[dict(zip(("rule", "event", "merge"), where, strict=True))] *= factor

    assert judged(threshold_verdicts(grid(change), READINGS), claim) == FAILS


def test_lossy_merging_is_faster_or_not():
    def change(data):
        data["seconds"][:] = data["states"]

    assert judged(threshold_verdicts(grid(change), READINGS), "sec4a-lossy-faster") == FAILS


def test_the_baseline_is_found_among_other_readings():
    def change(data):
        data["crash_rate"] *= 1.1

    far = grid(change)
    assert judged(threshold_verdicts(far, READINGS), "sec4a-baseline-crash-rate") == OTHERWISE, "one reading gives 1.549e-5"
    lost = {reading: 1.1 * rate for reading, rate in READINGS.items()}
    assert judged(threshold_verdicts(far, lost), "sec4a-baseline-crash-rate") == FAILS


def test_the_crash_criterion_is_the_one_whose_rate_fits():
    def word(raw, classes):
        readings = READINGS | {("two_qubit", "9+3", "strict"): raw, ("two_qubit", "9+3", "paper22"): classes}
        return judged(threshold_verdicts(grid(), readings), "sec3-crash-criterion")

    assert (word(1.6e-5, 1e-6), word(1e-3, 2.6e-5), word(1e-3, 1e-4)) == (HOLDS, OTHERWISE, FAILS)


def race(**changes):
    """Trees that are far ahead of every sampler, at the paper's crash rate; `changes` by variable."""
    values = {
        "tree_inaccuracy": ("merge", [0.05, 5e-3]),
        "tree_seconds": ("merge", [0.1, 1.0]),
        "certified_inaccuracy": ("width", [1e-2, 1e-3]),
        "certified_seconds": ("width", [0.1, 1.0]),
        "quoted_inaccuracy": 2e-3,
        "quoted_seconds": 1.0,
        "shots": ("sampler", [1e6, 1e6]),
        "inaccuracy": ("sampler", [0.25, 0.25]),
        "seconds": ("sampler", [100.0, 1.0]),
    }
    attrs = {"converged": changes.pop("converged", 1.55e-5)}
    return xr.Dataset(values | changes, coords={"sampler": ["per location", "geometric"]}, attrs=attrs)


SPEEDS = ("sec4b-speedup-3400", "fig4-1000x-at-one-percent", "abstract-speedup-1000")


def test_speed_ups_name_their_rival_and_can_fail():
    assert seconds_for(race(), "per location", 0.025) == pytest.approx(100 * 100.0)
    found = rival_verdicts(race())
    assert [judged(found, claim) for claim in SPEEDS] == [HOLDS] * 3
    assert all("geometric" in one.note and "every location" in one.note for one in found if one.id.partition("/")[2] in SPEEDS)
    slow = rival_verdicts(race(quoted_seconds=1e3, tree_seconds=("merge", [0.1, 1e3]), certified_seconds=("width", [1e3, 1e5])))
    assert [judged(slow, claim) for claim in SPEEDS] == [FAILS] * 3
    assert judged(rival_verdicts(race(quoted_inaccuracy=0.02)), "sec4b-speedup-3400") == FAILS, "fast, but less accurate"
    coarse = rival_verdicts(race(tree_inaccuracy=("merge", [0.5, 0.2]), certified_inaccuracy=("width", [0.5, 0.2])))
    assert {one.id.partition("/")[2] for one in coarse}.isdisjoint(SPEEDS[1:]), "no tree is accurate enough to compare"


def test_the_accuracy_of_a_billion_shots_follows_from_the_rate():
    words = [judged(rival_verdicts(race(converged=rate)), "sec4b-monte-carlo-accuracy") for rate in (1e-3, 1.55e-5, 1e-6)]
    assert words == [HOLDS, OTHERWISE, FAILS]


def test_monte_carlo_scales_or_not():
    rng = np.random.default_rng(3)

    def drawn(seconds=1.0, shots=1000, locations=100, crashes=None):
        counts = rng.poisson(20.0, size=100) if crashes is None else crashes
        return Drawn(1e-3, shots, shots, seconds, tuple(int(one) for one in counts), locations)

    even = {
        "full": drawn(), "fewer": drawn(0.25, 250), "larger": drawn(3.0, 1000, 300), "sparse": drawn(), "larger_sparse": drawn(),
    }  # fmt: skip
    assert scaling_verdict(**even).verdict == HOLDS
    assert scaling_verdict(**even | {"larger": drawn(9.0, 1000, 300)}).verdict == FAILS
    assert scaling_verdict(**even | {"fewer": drawn(1.0, 250)}).verdict == FAILS
    assert scaling_verdict(**even | {"larger_sparse": drawn(crashes=[20] * 100)}).verdict == FAILS, "no scatter at all"
    assert scaling_verdict(**even | {"sparse": drawn(crashes=[0, 40] * 50)}).verdict == FAILS


def scaled(largest=13, *, bends=True, power=1.5, each=100.0):
    """Trees whose price grows smoothly with the square, with or without more of it from 4 and 8 on."""
    sizes = np.arange(2, largest + 1)
    kinks = bends * 1e4 * sum(np.maximum(sizes - size, 0) for size in (4, 8))
    states = 1e5 * sizes**2.0 + kinks
    one = xr.Dataset(
        {
            name: (("series", "logical_qubits"), values[None])
            for name, values in (
                ("states", states), ("seconds", states * 1e-6), ("states_peak", 1e4 * sizes**power), ("bias", -0.01 * sizes)
            )
        },
        coords={"series": ["strings"], "logical_qubits": sizes},
    )  # fmt: skip
    traced = [2, 4]
    peak = each * one["states_peak"].sel(series="strings", logical_qubits=traced).values
    return one.assign(bytes=("traced", peak)).assign_coords(traced=traced)


def test_inflections_are_seen_where_they_are():
    (found,) = time_verdicts(scaled())
    assert found.verdict == HOLDS and "bends at 4, 8" in found.our_value
    (smooth,) = time_verdicts(scaled(bends=False))
    assert smooth.verdict == FAILS and "none of 4 and 8" in smooth.our_value
    assert time_verdicts(scaled(9)) == []


@pytest.mark.parametrize(("power", "word"), [(1.5, HOLDS), (0.9, FAILS), (2.5, FAILS)])
def test_the_map_grows_faster_than_the_program_and_slower_than_the_time(power, word):
    assert judged(map_verdicts(scaled(power=power)), "fig6-map-size-superlinear") == word


def test_a_dozen_logical_qubits_fill_the_memory_or_not():
    assert judged(map_verdicts(scaled()), "abstract-dozen-logical-qubits") == FAILS
    assert judged(map_verdicts(scaled(each=16_000.0)), "abstract-dozen-logical-qubits") == HOLDS
    assert map_verdicts(scaled(12)) == []


def test_what_counting_decides_of_the_programs_as_they_are():
    words = {one.id.partition("/")[2]: one.verdict for one in count_verdicts()}
    assert words.pop("sec4c-34-cycles") == OTHERWISE, "six of them are fitted"
    assert len(words) == 8 and set(words.values()) == {HOLDS}


def test_counts_can_fail():
    machine = Architecture.eshe()
    for claim, fields in (
        ("table1-times", {"two_qubit_time": 1e-6}),
        ("table1-decay-constants", {"memory_decay": 1e4}),
        ("table1-error-rates", {"reset_error": 1e-4}),
    ):
        found = {one.id: one.verdict for one in table_verdicts(replace(machine, **fields))}
        assert found.pop(f"chi2008/{claim}") == FAILS and set(found.values()) == {HOLDS}
    noise = Noise.eshe()
    assert recovery_verdict(steane.recovery(noise, extractions=1)).verdict == FAILS
    assert recovery_verdict(steane.bit_flip_recovery(noise)).verdict == FAILS
    trees = {size: describe(steane.tree_program(noise, logical_qubits=size)) for size in (2, 4, 8, 10)}
    ten = trees[10]
    for claim, wrong in (
        ("sec4c-1150-physical-qubits", replace(ten, physical_qubits=1151)),
        ("sec4c-34-cycles", replace(ten, cycles=35)),
        ("sec4c-tree-program", replace(ten, cycles=35)),
        ("sec4c-tree-program", replace(ten, tasks=ten.tasks | {"Correct": 40})),
    ):
        assert judged(size_verdicts(trees | {10: wrong}), claim) == FAILS


def test_nonfailing_states():
    assert nonfailing_states() == states_verdict({"css": 64, "paper22": 22, "strict": 22, "readout": 128})
    other = {"css": 64, "paper22": 22, "strict": 21}
    assert states_verdict(other).verdict == judged(block_verdicts(other), "sec4d-1954-states") == FAILS


def test_all_names_are_in_the_book():
    known = {f"{row.paper}/{row.id}" for row in claims.claims("chi2008", runs=None)}
    found = [*threshold_verdicts(grid(), READINGS), *rival_verdicts(race()), *time_verdicts(scaled()), *map_verdicts(scaled())]
    found += [*count_verdicts(), nonfailing_states()]
    assert {one.id for one in found} | {"chi2008/sec3-models-agree", "chi2008/sec4b-monte-carlo-scaling"} <= known


COMMANDS = {
    claim["id"]: claim["command"]
    for claim in tomllib.loads((claims.PAPERS / "chi2008" / "claims.toml").read_text(encoding="utf-8"))["claim"]
}


class ParsedError(Exception):
    """The command line was understood; nothing is run."""


@pytest.mark.parametrize("claim", COMMANDS)
def test_the_command_of_every_claim_is_understood(claim, monkeypatch):
    def stop(*question, **options):
        raise ParsedError

    monkeypatch.setattr("triptych.cli.verbs.execute", stop)
    name, *words = shlex.split(COMMANDS[claim])
    assert name == "triptych"
    if words == ["doctor", "--json"]:
        app.parse_args(words, exit_on_error=False, print_error=False)
        return
    with pytest.raises(ParsedError):
        app(words, exit_on_error=False, print_error=False)
