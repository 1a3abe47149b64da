"""Files that sinter reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sinter

from triptych.errors import ConfigError
from triptych.qec import Noise, Result, simulate, sinter_csv, steane

PROGRAM = steane.bit_flip_recovery(Noise.uniform(2e-2))
ABOUT = {"p": 2e-2, "criterion": "css", "note": 'a "quoted", text'}


def drawn(seed: int, shots: int) -> Result:
    return simulate(PROGRAM, engine="montecarlo", shots=shots, rng=np.random.default_rng(seed))


def test_sinter_reads_what_was_written(tmp_path: Path) -> None:
    file, results = tmp_path / "stats.csv", [drawn(1, 2000), drawn(2, 3001)]
    for result in results:
        sinter_csv.append(file, result, program=PROGRAM, metadata=ABOUT)
    sinter_csv.append(file, results[0], program=PROGRAM, metadata=ABOUT | {"criterion": "strict"})
    same, other = sorted(sinter.read_stats_from_csv_files(file), key=lambda stats: -stats.shots)
    errors = [2000 * results[0].crash_rate.value, 3001 * results[1].crash_rate.value]
    assert (same.shots, same.errors, same.discards) == (5001, pytest.approx(sum(errors)), 0) and min(errors) > 0
    assert same.json_metadata == ABOUT and same.decoder == "triptych"
    assert same.seconds == pytest.approx(sum(result.cost.seconds for result in results), rel=0.02)
    assert other.shots == 2000 and other.strong_id != same.strong_id


def test_the_header_is_that_of_sinter() -> None:
    assert sinter_csv.HEADER == sinter.CSV_HEADER


def test_tasks_are_told_apart() -> None:
    other = steane.bit_flip_recovery(Noise.uniform(1e-2))
    ids = {sinter_csv.identity(program, about) for program in (PROGRAM, other) for about in (ABOUT, {})}
    assert len(ids) == 4 and sinter_csv.identity(PROGRAM, dict(reversed(ABOUT.items()))) in ids


def test_other_engines_have_no_shots(tmp_path: Path) -> None:
    result = simulate(PROGRAM, event_threshold=1e-4)
    with pytest.raises(ConfigError, match="shots"):
        sinter_csv.append(tmp_path / "stats.csv", result, program=PROGRAM, metadata=ABOUT)
