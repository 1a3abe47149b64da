"""The entry point: what it refuses, how it chooses thresholds, and what its result carries."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.qec import Noise, Program, simulate, steane
from triptych.qec.program import Depolarize1, Prepare, Tally

ONE = Program(instructions=(Prepare(qubit=0), Depolarize1(qubit=0, rate=0.3)), blocks=((0,),))
TWO = Program(
    instructions=tuple(step for q in range(2) for step in (Prepare(qubit=q), Depolarize1(qubit=q, rate=0.3))), blocks=((0,), (1,))
)
REPLACED = Program(
    instructions=(
        Prepare(qubit=0),
        Depolarize1(qubit=0, rate=0.3),
        Tally(blocks=((0,),)),
        Prepare(qubit=0),
        Depolarize1(qubit=0, rate=0.3),
    ),
    blocks=((0,),),
)
RECOVERY = steane.bit_flip_recovery(Noise.uniform(1e-3), preparation="8+1")
ENGINES = [
    {"engine": "auto"},
    {"engine": "tree", "reduction": "none"},
    {"engine": "tree", "merge": "lossy"},
    {"engine": "reference", "merge": "preservation"},
    {"engine": "montecarlo", "shots": 200_000},
]


def flipped(x: int, z: int) -> bool:
    return x == 1


@pytest.mark.parametrize("arguments", ENGINES, ids=lambda arguments: "-".join(map(str, arguments.values())))
@pytest.mark.parametrize(
    ("program", "at_any_time", "truth"),
    [(TWO, False, 1 - 0.8**2), (REPLACED, True, 1 - 0.8**2), (REPLACED, False, 0.2)],
    ids=["two blocks", "at any time", "at the end"],
)
def test_a_crash_of_any_block_counts(program: Program, at_any_time: bool, truth: float, arguments: dict[str, object]) -> None:
    rng = np.random.default_rng(5)
    found = simulate(program, criterion=flipped, at_any_time=at_any_time, rng=rng, **arguments)  # type: ignore[arg-type]
    assert abs(found.crash_rate.value - truth) < max(1e-12, 4 * (found.crash_rate.error or 0))
    assert found.success == pytest.approx(1 - found.crash_rate.value)


def test_a_certified_and_a_statistical_result() -> None:
    tree = simulate(RECOVERY, event_threshold=1e-6, merge_threshold=1e-10)
    assert tree.crash_rate.kind == "certified" and tree.cost.counts["error_states"] > tree.states_peak > 0
    drawn = simulate(RECOVERY, engine="montecarlo", shots=70_000, rng=np.random.default_rng(6))
    assert drawn.crash_rate.kind == "statistical" and drawn.cost.counts["shots"] == 70_000
    assert (tree.engine, drawn.engine, drawn.event_threshold, drawn.merge_threshold) == ("tree", "montecarlo", None, None)
    assert simulate(ONE, criterion=lambda x, z: True).acceptance.value == 1


def test_the_interval_is_as_tight_as_asked() -> None:
    thresholds = []
    for width in (0.1, 1e-2, 1e-3):
        found = simulate(RECOVERY, engine="tree", relative_width=width)
        assert found.crash_rate.half_width <= width * found.crash_rate.value and found.stopped == ""
        thresholds.append(found.event_threshold)
    assert thresholds == sorted(thresholds, reverse=True) and len(set(thresholds)) == 3
    assert found.crash_rate == simulate(RECOVERY, engine="tree").crash_rate


def test_a_threshold_that_is_missing_follows_the_other() -> None:
    """The merge threshold is the event threshold times a hundredth of the strongest rate, and the other way round."""
    for engine, merge in (("tree", "bounded"), ("reference", "lossy")):
        by_event = simulate(RECOVERY, engine=engine, merge=merge, event_threshold=1e-4)  # type: ignore[arg-type]
        by_merge = simulate(RECOVERY, engine=engine, merge=merge, merge_threshold=1e-9)  # type: ignore[arg-type]
        assert by_event.merge_threshold == pytest.approx(1e-9) and by_merge.event_threshold == pytest.approx(1e-4)
        assert by_event.crash_rate.value == pytest.approx(by_merge.crash_rate.value)


def test_what_ran_out_is_named() -> None:
    """Certificates that cannot be had, because of memory or of what may be followed; both intervals hold."""
    truth = simulate(RECOVERY).crash_rate
    assert truth.lower is not None and truth.upper is not None
    for arguments, name in (({"max_memory_gb": 0.001, "reduction": "none"}, "max_memory_gb"), ({"max_faults": 1}, "max_faults")):
        found = simulate(RECOVERY, **arguments)  # type: ignore[arg-type]
        assert found.stopped == name
        assert found.crash_rate.lower < truth.lower < truth.upper < found.crash_rate.upper
        assert found.crash_rate.half_width > 1e-3 * found.crash_rate.value
    assert simulate(RECOVERY, max_faults=4, relative_width=0.01).stopped == ""


@pytest.mark.parametrize(
    ("program", "arguments", "reason"),
    [
        (ONE, {"criterion": "css"}, "blocks of 7"),
        (ONE, {"criterion": "cs"}, "did you mean"),
        (Program(instructions=ONE.instructions, blocks=()), {}, "scored"),
        (ONE, {"engine": "pauli"}, "engine"),
        (ONE, {"engine": "montecarlo"}, "generator"),
        (ONE, {"engine": "montecarlo", "rng": np.random.default_rng(1), "shots": 0}, "shots"),
        (ONE, {"event_threshold": 2.0}, "event_threshold"),
        (ONE, {"merge_threshold": -1e-9}, "merge_threshold"),
        (ONE, {"merge": "keep"}, "merge"),
        (ONE, {"engine": "reference", "merge": "bounded"}, "bounded"),
        (ONE, {"reduction": "some"}, "reduction"),
        (ONE, {"relative_width": 0.0}, "relative_width"),
        (ONE, {"relative_width": 0.1, "event_threshold": 0.0}, "relative_width"),
        (ONE, {"max_faults": -1}, "max_faults"),
        (ONE, {"max_memory_gb": 0.0}, "memory"),
    ],
)
def test_bad_arguments_are_refused(program: Program, arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        simulate(program, **({"criterion": flipped} | arguments))  # type: ignore[arg-type]
