"""Ancillas: circuits from Stim against those written as CNOTs, noise specifications against their channels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import stim

from tests.oracles import qec as oracle
from tests.qec.test_codes import SURFACE
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, protocols, simulate
from triptych.qec import program as do
from triptych.qec.codes import CODES, CSSCode
from triptych.qec.criteria import WeightCriterion, named
from triptych.qec.describe import noise_classes
from triptych.qec.preparations import PREPARATIONS, NoisyAncilla, Preparation
from triptych.qec.stim_preparation import StimPreparation

STEANE = CODES["steane"]
EIGHT = "H 0 2 5\nCX 0 1 2 4 5 6 5 4 2 3 0 6 2 1 6 3\nTICK\nCX 4 7 1 7 6 7\nMR 7"
NINE = "R 0 2 4 5 6 7 8 9\nRX 1 3\nH 0\nCX 0 2 1 5 3 6 0 4 1 6 3 5 0 6 1 2 3 4\n" + "".join(
    f"CX {' '.join(f'{q} {check}' for q in row)}\nM {check}\n"
    for check, row in ((7, (0, 2, 4, 6)), (8, (1, 2, 5, 6)), (9, (3, 4, 5, 6)))
)
ZERO = "H 0 7 2 6\nCX 0 1 0 3 0 4 7 4 7 5 7 8 2 5 6 3\nCX 0 9 1 9\nM 9"
PLUS = "H 1 4 5 6 7\nCX 1 0 7 8 1 2 4 2 5 2 4 3 6 3 7 3\nRX 9\nCX 9 2 9 5\nMX 9"  # of each Z check a qubit takes up the rest


def rates(program: Program) -> tuple[float, float]:
    found = simulate(program, engine="tree", event_threshold=0.0, merge_threshold=0.0)
    return found.crash_rate.value, found.acceptance.value


@pytest.mark.parametrize("state", ["0", "+"])
@pytest.mark.parametrize(("text", "name"), [(EIGHT, "8+1"), (NINE, "9+3")])
def test_a_circuit_from_stim_is_as_good_as_its_cnots(text: str, name: str, state: protocols.Logical) -> None:
    noise = Noise(reset=0.01, one_qubit=0.015 if name == "8+1" else 0.0, two_qubit=0.02, measurement=0.03)
    ours, theirs = (
        protocols.verified_ancilla(noise, preparation=one, state=state)
        for one in (PREPARATIONS[name], StimPreparation(zero=text))
    )
    assert rates(theirs) == pytest.approx(rates(ours), rel=1e-10)
    assert theirs.physical_qubits == ours.physical_qubits


def test_each_step_of_a_circuit_from_stim_has_its_noise() -> None:
    noise = Noise(reset=0.1, one_qubit=0.2, two_qubit=0.3, measurement=0.4).override({"check/two_qubit": 0.5})
    program = protocols.verified_ancilla(noise, preparation=StimPreparation(zero=EIGHT))
    found = [getattr(step, "rate", None) for step in program.flat()]
    assert [found.count(rate) for rate in (0.1, 0.2, 0.3, 0.5, 0.4)] == [8, 3, 8, 3, 1]


def test_codes_whose_checks_differ_need_both_circuits() -> None:
    both = StimPreparation(zero=ZERO, plus=PLUS)
    both.require(SURFACE)
    assert (both.size, both.width) == (9, 10)
    for state, letter in (("0", "Z"), ("+", "X")):
        (verify,) = protocols.verified_ancilla(Noise.uniform(0), code=SURFACE, preparation=both, state=state).instructions  # type: ignore[arg-type]
        simulator = stim.TableauSimulator()
        simulator.do_circuit(oracle.stim_circuit(verify.body))  # type: ignore[union-attr]
        logical = SURFACE.logical_z[0] if letter == "Z" else SURFACE.logical_x[0]
        operator = stim.PauliString("".join(letter if logical >> q & 1 else "_" for q in range(10)))
        assert simulator.peek_observable_expectation(operator) == 1
    with pytest.raises(ConfigError, match=r"\|\+>_L of surface"):
        StimPreparation(zero=ZERO).require(SURFACE)
    with pytest.raises(ConfigError, match="differ in size"):
        StimPreparation(zero=ZERO, plus=EIGHT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("H 0 2", "checks are not behind"),
        ("M 0\nH 1", "checks are not behind"),
        ("H 0\nCX 0 2\nM 2", "checks are not behind"),
        ("H 0\nCX 0 1\nMR 1\nCX 0 1\nM 1", "uses a qubit again"),
        ("H 0\nR 0\nM 1", "uses a qubit again"),
        ("CX 0 1\nM 1\nCX rec[-1] 0", "uses a qubit again"),
        ("H 0\nS 0\nM 1", "not an instruction"),
        ("H 0\nDEPOLARIZE1(0.1) 0\nM 1", "not an instruction"),
        ("H 0\nM(0.1) 1", "not an instruction"),
        ("T 0", "cannot read"),
    ],
)
def test_circuits_that_are_no_preparation_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        StimPreparation(zero=text)


@pytest.mark.parametrize(
    ("ancilla", "code", "reason"),
    [
        (StimPreparation(zero=EIGHT.replace("H 0 2 5", "H 0 2")), STEANE, "does not prepare"),
        (StimPreparation(zero=EIGHT.replace("CX 4 7 1 7 6 7", "CX 4 7 1 7")), STEANE, "not certain"),
        (StimPreparation(zero=EIGHT), CODES["hamming15"], "does not fit"),
        (PREPARATIONS["9+3"], CODES["golay"], "does not fit"),
        (PREPARATIONS["9+3"], CSSCode.cyclic(7, 0b1011), "does not prepare"),
        (replace(PREPARATIONS["9+3"], cnots=PREPARATIONS["9+3"].cnots[1:]), STEANE, "does not prepare"),
        (replace(PREPARATIONS["9+3"], checks=((0, 1),)), STEANE, "does not prepare"),
        (NoisyAncilla(size=7, x=0, y=0, z=0), SURFACE, "does not fit"),
        (
            Preparation(
                size=9,
                pivots=(0, 7, 2, 6),
                cnots=((0, 1), (0, 3), (0, 4), (7, 4), (7, 5), (7, 8), (2, 5), (6, 3)),
                checks=((0, 1),),
            ),
            SURFACE,
            "dual circuit",
        ),
    ],
)
def test_ancillas_of_another_code_are_refused(ancilla: protocols.Ancilla, code: CSSCode, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        protocols.recovery(Noise.uniform(0), code=code, preparation=ancilla)


@pytest.mark.parametrize("state", ["0", "+"])
def test_the_noise_of_a_noisy_ancilla(state: protocols.Logical) -> None:
    ancilla = NoisyAncilla(size=9, x=0.01, y=0.02, z=0.03, acceptance=0.7)
    program = protocols.verified_ancilla(Noise.uniform(0.5), code=SURFACE, preparation=ancilla, state=state)
    wrong = [0.01 + 0.02, 0.02 + 0.03, 0.06]
    crashes = [lambda x, z: x.bit_count() > 1, lambda x, z: z.bit_count() > 1, WeightCriterion(qubits=9, most=1)]
    for q, crash in zip(wrong, crashes, strict=True):
        found = simulate(program, engine="tree", criterion=crash, event_threshold=0.0, merge_threshold=0.0)
        assert found.crash_rate.value == pytest.approx(1 - (1 - q) ** 9 - 9 * q * (1 - q) ** 8, rel=1e-9)
        assert found.acceptance.value == pytest.approx(0.7, rel=1e-12)


def test_a_block_that_is_never_accepted_in_time() -> None:
    ancilla = NoisyAncilla(size=23, x=0, y=0, z=0, acceptance=0.9)
    program = protocols.bit_flip_recovery(Noise.uniform(0), code="golay", preparation=ancilla, supply=2)
    found = simulate(program, engine="tree", criterion=named("readout", "golay"), event_threshold=0.0, merge_threshold=0.0)
    assert found.crash_rate.value == pytest.approx(1 - (1 - 0.1**2) ** 3, rel=1e-9)


def test_a_noisy_ancilla_without_noise_has_no_events() -> None:
    program = protocols.recovery(Noise.uniform(0), code="bch21", preparation=NoisyAncilla.depolarizing(0, size=21))
    assert not [step for step in program.flat() if isinstance(step, do.Event)]
    ancilla = NoisyAncilla.depolarizing(0.3, size=5, acceptance=0.5)
    assert (ancilla.x, ancilla.y, ancilla.z, ancilla.acceptance) == (pytest.approx(0.1), ancilla.x, ancilla.x, 0.5)


def test_the_noise_of_an_ancilla_is_in_no_class() -> None:
    ancilla = NoisyAncilla.depolarizing(0.1, size=15, acceptance=0.9)
    found = noise_classes(lambda noise: protocols.recovery(noise, code="hamming15", preparation=ancilla), Noise.uniform(1e-3))
    assert found == {"two_qubit": 6 * 15, "measurement": 6 * 15, "other": 6 * (15 + 1)}


@pytest.mark.parametrize(
    "wrong", [{"x": -0.1}, {"x": 0.5, "y": 0.6}, {"z": float("nan")}, {"acceptance": 0}, {"acceptance": 1.1}]
)
def test_impossible_noise_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"no probability|impossible"):
        NoisyAncilla(**({"size": 7, "x": 0.0, "y": 0.0, "z": 0.0} | wrong))  # type: ignore[arg-type]
