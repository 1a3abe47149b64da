"""The entry point: what it refuses, and what its result carries."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.qec import Noise, Program, simulate, steane
from triptych.qec.program import Depolarize1, Prepare

ONE = Program(instructions=(Prepare(qubit=0), Depolarize1(qubit=0, rate=0.3)), blocks=((0,),))
TWO = Program(
    instructions=tuple(step for q in range(2) for step in (Prepare(qubit=q), Depolarize1(qubit=q, rate=0.3))), blocks=((0,), (1,))
)


@pytest.mark.parametrize("engine", ["reference", "montecarlo"])
def test_a_crash_of_any_block_counts(engine: str) -> None:
    found = simulate(TWO, engine=engine, criterion=lambda x, z: x == 1, shots=200_000, rng=np.random.default_rng(5))  # type: ignore[arg-type]
    truth = 1 - 0.8**2
    assert abs(found.crash_rate.value - truth) < max(1e-12, 4 * (found.crash_rate.error or 0))


def test_a_certified_and_a_statistical_result() -> None:
    program = steane.bit_flip_recovery(Noise.uniform(1e-3), preparation="8+1")
    tree = simulate(program, event_threshold=1e-6, merge_threshold=1e-10)
    assert tree.crash_rate.kind == "certified" and tree.cost.counts["error_states"] > tree.states_peak > 0
    drawn = simulate(program, engine="montecarlo", shots=70_000, rng=np.random.default_rng(6))
    assert drawn.crash_rate.kind == "statistical" and drawn.cost.counts["shots"] == 70_000
    assert simulate(ONE, criterion=lambda x, z: True).acceptance.value == 1


@pytest.mark.parametrize(
    ("program", "arguments", "reason"),
    [
        (ONE, {"criterion": "css"}, "blocks of 7"),
        (ONE, {"criterion": "cs"}, "did you mean"),
        (Program(instructions=ONE.instructions, blocks=()), {}, "scored"),
        (ONE, {"criterion": lambda x, z: True, "engine": "exact"}, "engine"),
        (ONE, {"criterion": lambda x, z: True, "event_threshold": 2.0}, "event_threshold"),
        (ONE, {"criterion": lambda x, z: True, "merge": "bounded"}, "merge"),
    ],
)
def test_bad_arguments_are_refused(program: Program, arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        simulate(program, **arguments)  # type: ignore[arg-type]
