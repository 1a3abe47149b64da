"""Table I, row by row, and what files of other machines may say."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from triptych.errors import ConfigError
from triptych.qec.architecture import DECAYS, ESHE, Architecture, Assumed, decayed


def test_the_ten_rows_of_table_1() -> None:
    rows = asdict(Architecture.eshe())
    assert rows.pop("assumed") == {"two_qubit_distance": 100.0, "measurement_time": 1e-3}
    assert rows == {
        "movement_speed": 100.0,
        "one_qubit_time": 1e-6,
        "two_qubit_time": 1e-3,
        "memory_decay": 1e5,
        "operation_decay": 5e3,
        "transport_decay": 2.5e4,
        "one_qubit_error": 1e-6,
        "two_qubit_error": 1e-4,
        "measurement_error": 1e-4,
        "reset_error": 1e-6,
    }


def test_times() -> None:
    machine = Architecture.eshe()
    assert machine.transport_time == pytest.approx(1e-6, rel=1e-12)
    assert replace(machine, assumed=Assumed(two_qubit_distance=0.0)).transport_time == 0
    assert replace(machine, two_qubit_time=2e-3, assumed=Assumed()).measurement_time == 2e-3
    assert replace(machine, assumed=Assumed(measurement_time=0.0)).measurement_time == 0


def survival(name: str, time: float) -> float:
    """The eigenvalue of the depolarizing channel: what is left of a Bloch vector, for a decay constant of 1."""
    return 1 - 4 / 3 * decayed(time, 1.0, name)


def test_conventions_of_decay() -> None:
    assert survival("mixing", 0.7) == pytest.approx(math.exp(-0.7), rel=1e-14)
    assert survival("composable", 0.3) * survival("composable", 0.4) == pytest.approx(survival("composable", 0.7), rel=1e-14)
    assert survival("exponential", 0.3) * survival("exponential", 0.4) != pytest.approx(survival("exponential", 0.7), rel=1e-3)
    assert decayed(0.7, 1.0) == decayed(0.7, 1.0, "exponential") == pytest.approx(1 - math.exp(-0.7), rel=1e-14)
    slopes = {name: decayed(1e-9, 1.0, name) / 1e-9 for name in DECAYS}
    assert slopes == pytest.approx({"exponential": 1.0, "composable": 1.0, "mixing": 0.75}, rel=1e-8)
    assert all(decayed(1.0, math.inf, name) == 0 for name in DECAYS)


def test_a_copy_describes_another_machine(tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text(ESHE.read_text().replace("memory_decay = 1e5", "memory_decay = inf"))
    assert Architecture.load(copy) == replace(Architecture.eshe(), memory_decay=math.inf)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("memory_decay", "memory_dekay", "did you mean 'memory_decay'"),
        ("reset_error = 1e-6", "", "reset_error is not given"),
        ("reset_error = 1e-6", "reset_error = 2", "reset_error is no probability"),
        ("memory_decay = 1e5", "memory_decay = 0", "memory_decay is impossible"),
        ("movement_speed = 100.0", "movement_speed = nan", "movement_speed is impossible"),
        ("two_qubit_distance = 100.0", "two_qubit_distance = -1", "two_qubit_distance is impossible"),
        ("measurement_time = 1e-3", "measurement_time = -1", "measurement_time is impossible"),
        ("two_qubit_distance", "two_qubit_distanse", "did you mean 'two_qubit_distance'"),
    ],
)
def test_bad_machines_are_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = ESHE.read_text()
    assert text.count(old) == 1
    copy = tmp_path / "mine.toml"
    copy.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=reason):
        Architecture.load(copy)


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mixing'"):
        decayed(1.0, 1.0, "mixin")
