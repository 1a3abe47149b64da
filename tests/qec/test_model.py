"""The error model that is driven from outside, against whole programs and the paper's first example."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracles import qec as oracle
from tests.qec.strategies import programs
from triptych.errors import ConfigError
from triptych.qec import ErrorModel
from triptych.qec.program import CX, Depolarize1, Flip, H, Measure, Prepare

STEADY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(STEADY, max_examples=200)
@given(case=programs())
def test_step_by_step_it_is_the_program(case):
    model = ErrorModel(event_threshold=0.0, merge_threshold=0.0)
    for step in case.program.instructions:
        model.apply(step)
    found = model.crash_rate(case.program.blocks, case.crash)
    assert found.value == pytest.approx(oracle.crash_rate(case.program, case.crash), abs=1e-13)
    assert found == model.crash_rate(case.program.blocks, case.crash)  # reading changes nothing


def test_the_first_example_of_the_paper():
    model = ErrorModel(event_threshold=0.05, merge_threshold=0.0, merge="preservation")
    model.apply(*(Prepare(qubit=q) for q in range(3)), Depolarize1(qubit=0, rate=0.3))
    assert model.sets == ((1,), (2,), (0,))
    model.apply(Depolarize1(qubit=0, rate=0.3), CX(control=0, target=1), CX(control=1, target=2))
    assert model.sets == ((0, 1, 2),)
    # 0.7 branches, 0.1 each branch, too: II to itself 0.49 + 3 x 0.01, each error 0.07 + 0.07 + 2 x 0.01
    assert model.error_map((0,)) == pytest.approx({"I": 0.52, "X": 0.16, "Z": 0.16, "Y": 0.16})
    assert model.error_map((2, 0)) == pytest.approx({"II": 0.52, "XX": 0.16, "IZ": 0.16, "XY": 0.16})


def test_a_measured_qubit_shows_whether_its_outcome_is_flipped():
    model = ErrorModel(event_threshold=0.0, merge_threshold=0.0)
    model.apply(Prepare(qubit=4), H(qubit=4), Measure(qubit=4), Flip(bit=4, rate=0.25))
    assert model.error_map((4,)) == {"I": 0.75, "X": 0.25}


def test_what_cannot_come_next_is_refused_and_the_model_goes_on():
    model = ErrorModel(event_threshold=0.0, merge_threshold=0.0).apply(Prepare(qubit=0))
    with pytest.raises(ConfigError, match="not prepared"):
        model.apply(H(qubit=0), CX(control=0, target=1))
    with pytest.raises(ConfigError, match="Flip"):
        model.apply(Flip(bit=0, rate=2.0))
    assert model.error_map((0,)) == {"I": 1.0}
