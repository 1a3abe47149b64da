"""Imported circuits against Stim's own sampler: the frequency of every syndrome class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import stim
from scipy.stats import chi2

from triptych.errors import DataError
from triptych.qec import simulate
from triptych.qec.detectors import Distribution, follow, of_program, transform
from triptych.qec.stim_import import from_stim, read

FOUR_SIGMA = 6.3e-5  # two-sided


def distribution(circuit: stim.Circuit) -> Distribution:
    program, detectors, observables = from_stim(circuit)
    mechanisms = of_program(program, detectors=detectors, observables=observables)
    assert (mechanisms.detectors, mechanisms.observables) == (circuit.num_detectors, circuit.num_observables)
    return transform(mechanisms) if mechanisms.bits < 20 else follow(mechanisms, threshold=1e-7)


def check(circuit: stim.Circuit, *, shots: int = 200_000) -> None:
    """A chi-square test over all outcomes that are expected ten times, the rest as one class."""
    exact = distribution(circuit)
    detections, flips = circuit.compile_detector_sampler(seed=1).sample(shots, separate_observables=True)
    drawn = np.concatenate([flips, detections], axis=1) @ (1 << np.arange(flips.shape[1] + detections.shape[1]))
    keys = exact.keys[:, 0].astype(np.int64)
    seen = dict(zip(*(column.tolist() for column in np.unique(drawn, return_counts=True)), strict=True))
    counts = np.array([seen.get(key, 0) for key in keys.tolist()])
    often = shots * exact.p >= 10
    expected = np.append(shots * exact.p[often], shots * (1 - exact.p[often].sum()))
    found = np.append(counts[often], shots - counts[often].sum())
    if expected[-1] < 1e-6 * shots:
        assert found[-1] <= 10
        expected, found = expected[:-1], found[:-1]
    statistic = float(((found - expected) ** 2 / expected).sum())
    assert chi2.sf(statistic, max(1, expected.size - 1)) > FOUR_SIGMA


def memory(kind: str, *, distance: int, rounds: int, p: float) -> stim.Circuit:
    return stim.Circuit.generated(
        kind,
        distance=distance,
        rounds=rounds,
        after_clifford_depolarization=p,
        before_measure_flip_probability=p,
        after_reset_flip_probability=p,
        before_round_data_depolarization=p,
    )


@pytest.mark.parametrize(
    ("kind", "distance", "rounds"),
    [
        ("surface_code:rotated_memory_z", 3, 1),
        ("surface_code:rotated_memory_x", 3, 2),
        ("surface_code:rotated_memory_z", 3, 3),
        ("repetition_code:memory", 3, 4),
        ("repetition_code:memory", 5, 2),
        ("color_code:memory_xyz", 3, 2),
    ],
)
def test_memory_experiments(kind: str, distance: int, rounds: int) -> None:
    check(memory(kind, distance=distance, rounds=rounds, p=2e-3))


CIRCUITS = {
    "feedback": """
        R 0 1 2
        X_ERROR(0.2) 0
        M(0.1) 0
        CX rec[-1] 1
        Z_ERROR(0.15) 1
        H 2
        CZ rec[-1] 2 1 2
        XCZ 0 rec[-1]
        CY rec[-1] 0
        DEPOLARIZE1(0.1) 2
        H 2
        M 1 2 0
        DETECTOR rec[-1] rec[-4]
        DETECTOR rec[-2] rec[-3]
        OBSERVABLE_INCLUDE(0) rec[-3]
        DETECTOR rec[-4] rec[-3]
    """,
    "sweep bits": """
        X_ERROR(0.2) 0
        CX sweep[0] 0 0 1
        CZ sweep[1] 1
        M 0 1
        DETECTOR rec[-1]
        OBSERVABLE_INCLUDE(0) rec[-2]
    """,
    "repeat": """
        R 0 1 2
        REPEAT 3 {
            DEPOLARIZE2(0.1) 0 2
            REPEAT 2 {
                CX 0 1 2 1
                X_ERROR(0.05) 1
            }
            CX 0 1 2 1
            MR(0.07) 1
            DETECTOR(0, 0) rec[-1]
            SHIFT_COORDS(0, 1)
        }
        M 0 2
        DETECTOR rec[-1] rec[-2] rec[-3]
        OBSERVABLE_INCLUDE(0) rec[-1]
    """,
    "channels": """
        H 2
        CX 2 0 2 1
        PAULI_CHANNEL_2(0.01,0.02,0.03,0.04,0.05,0.06,0.07,0.01,0.02,0.03,0.04,0.05,0.06,0.07,0.01) 0 1
        PAULI_CHANNEL_1(0.1, 0.2, 0.05) 2
        Y_ERROR(0.1) 0
        DEPOLARIZE1(0.7) 1
        CX 2 0 2 1
        H 2
        M 0 1 2
        DETECTOR rec[-1]
        DETECTOR rec[-2]
        DETECTOR rec[-3]
    """,
    "chains": """
        CORRELATED_ERROR(0.2) X0 Y1
        ELSE_CORRELATED_ERROR(0.3) X1 Z2 X2
        ELSE_CORRELATED_ERROR(0.5) X0
        ELSE_CORRELATED_ERROR(0.4) Z0
        ELSE_CORRELATED_ERROR(0.6) X2
        E(0.25) X1
        H 0
        H 0
        E(0.1) X0 X1 X2
        M 0 1 2
        DETECTOR rec[-1]
        DETECTOR rec[-2]
        DETECTOR rec[-3]
        OBSERVABLE_INCLUDE(2) rec[-1]
    """,
    "heralds": """
        H 1
        CX 1 0
        HERALDED_ERASE(0.3) 0
        HERALDED_PAULI_CHANNEL_1(0.05, 0.1, 0.15, 0.2) 1
        I_ERROR[leak](0.1) 0
        CX 1 0
        H 1
        MPAD(0.2) 1 0
        M !0 1
        DETECTOR rec[-1]
        DETECTOR rec[-2]
        DETECTOR rec[-4]
        DETECTOR rec[-5]
        DETECTOR rec[-6]
    """,
    "measurements": """
        RX 0
        RY 1
        R 2
        MX(0.1) !0
        DETECTOR rec[-1]
        MRY(0.1) !1 1
        DETECTOR rec[-1] rec[-2]
        DEPOLARIZE1(0.1) 0 1 2
        MRX 0 0
        DETECTOR rec[-1]
        DETECTOR rec[-2]
        MPP(0.1) !X0*Y1*Z2 Z2
        DETECTOR rec[-2]
        DETECTOR rec[-1]
        MXX(0.05) 0 1
        Z_ERROR(0.2) 0
        MXX(0.15) 0 1
        DETECTOR rec[-1] rec[-2]
        MZZ 0 1
        MYY 0 1
        DETECTOR rec[-1] rec[-2] rec[-3]
    """,
    "observables of Pauli operators": """
        RX 0
        RY 1
        R 2
        OBSERVABLE_INCLUDE(0) X0
        DEPOLARIZE1(0.3) 0 1 2
        OBSERVABLE_INCLUDE(0) X0
        OBSERVABLE_INCLUDE(1) Y1 Z2
        MX 0
        DETECTOR rec[-1]
    """,
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_kind_of_instruction(name: str) -> None:
    check(stim.Circuit(CIRCUITS[name]))


UNITARY = sorted({data.name for data in stim.gate_data().values() if data.is_unitary and not data.name.startswith("SPP")})


@pytest.mark.parametrize("name", UNITARY)
def test_every_gate(name: str) -> None:
    """Noise between a gate and its inverse, as two Bell pairs see it."""
    data = stim.gate_data(name)
    inverse = data.inverse.name
    pairs = "H 2 3\nCX 2 0 3 1"
    channel = "0.002,0.1,0.004,0.006,0.05,0.01,0.02,0.03,0.06,0.012,0.07,0.08,0.014,0.016,0.018"
    undone = "CX 3 1 2 0\nH 2 3\nM 0 1 2 3\n" + "\n".join(f"DETECTOR rec[-{i}]" for i in (1, 2, 3, 4))
    check(stim.Circuit(f"{pairs}\n{name} 0 1\nPAULI_CHANNEL_2({channel}) 0 1\n{inverse} 0 1\n{undone}"), shots=20_000)


def test_products_of_pauli_operators() -> None:
    noise = "Z_ERROR(0.2) 0\nX_ERROR(0.1) 1"
    read = "MX 0 1\nDETECTOR rec[-1]\nDETECTOR rec[-2]"
    check(stim.Circuit(f"RX 0 1\nSPP X0*Z1 Y0\n{noise}\nSPP_DAG Y0 X0*Z1\n{read}"))


def test_the_engines_run_an_imported_program() -> None:
    """Without a decoder, an observable is lost where it is flipped."""
    circuit = memory("repetition_code:memory", distance=3, rounds=2, p=1e-2)
    experiment, exact = from_stim(circuit), distribution(circuit)
    flipped = float(exact.p[exact.flips == 1].sum())
    tree = simulate(experiment.program, criterion=lambda x, z: x == 1, relative_width=1e-4).crash_rate
    assert tree.lower - exact.absolute <= flipped <= tree.upper + exact.absolute  # type: ignore[operator]
    drawn = simulate(
        experiment.program, criterion=lambda x, z: x == 1, engine="montecarlo", shots=50_000, rng=np.random.default_rng(1)
    )
    assert abs(drawn.crash_rate.pull(flipped)) < 4  # type: ignore[arg-type]


def test_what_no_error_can_be_read_from_is_refused() -> None:
    for text in ("H 0\nM 0\nDETECTOR rec[-1]", "OBSERVABLE_INCLUDE(0) X0", "M 0\nDETECTOR rec[-2]"):
        with pytest.raises(DataError, match="certain without noise"):
            from_stim(stim.Circuit(text))
    for between in ("H 1", "TICK"):
        with pytest.raises(DataError, match="without a beginning"):
            from_stim(stim.Circuit(f"E(0.1) X0\n{between}\nELSE_CORRELATED_ERROR(0.1) X1\nM 0"))


def test_files(tmp_path: Path) -> None:
    circuit = memory("repetition_code:memory", distance=3, rounds=2, p=1e-2)
    circuit.to_file(tmp_path / "a.stim")
    circuit.detector_error_model().to_file(tmp_path / "a.dem")
    assert read(tmp_path / "a.stim") == circuit and read(tmp_path / "a.dem") == circuit.detector_error_model()
    (tmp_path / "b.stim").write_text("HADAMARD 0")
    with pytest.raises(DataError, match="HADAMARD"):
        read(tmp_path / "b.stim")
    (tmp_path / "c.dem").write_text("error(2) D0")
    with pytest.raises(DataError, match=r"c\.dem"):
        read(tmp_path / "c.dem")
    with pytest.raises(DataError, match="ends in"):
        read(tmp_path / "a.qasm")
