"""Programs for codes other than the [[7,1,3]] code: every correctable error, Monte Carlo, and sampled words of the Golay code."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import qec_codes as oracle
from tests.qec.test_codes import SURFACE, shor
from tests.qec.test_preparations import PLUS, ZERO
from triptych.errors import ConfigError
from triptych.qec import Noise, Program, f2, protocols, simulate
from triptych.qec import program as do
from triptych.qec.codes import CODES, CSSCode
from triptych.qec.criteria import Criterion, named
from triptych.qec.preparations import NoisyAncilla
from triptych.qec.settings import ProgramConfig
from triptych.qec.stim_preparation import StimPreparation

PERFECT = {name: NoisyAncilla.depolarizing(0, size=code.n) for name, code in CODES.items()}
SURFACE_ANCILLA = StimPreparation(zero=ZERO, plus=PLUS)


def with_error(program: Program, qubits: tuple[int, ...], paulis: str) -> Program:
    """The program with this error on its clean data."""
    start = len(program.blocks[0])
    channel = do.PauliChannel(qubits=qubits, errors=((paulis, 1.0),))
    return Program(instructions=(*program.instructions[:start], channel, *program.instructions[start:]), blocks=program.blocks)


@pytest.mark.parametrize("code", [*CODES.values(), SURFACE, shor(3, 4)], ids=str)
def test_a_recovery_removes_what_the_distance_promises(code: CSSCode) -> None:
    perfect = NoisyAncilla.depolarizing(0, size=code.n)
    program = protocols.recovery(Noise.uniform(0), code=code, preparation=perfect)
    stabilizers = [set(oracle.span(checks).tolist()) for checks in (code.x_checks, code.z_checks)]
    rng = np.random.default_rng(1)

    def ends(qubits: tuple[int, ...], paulis: str, criterion: Criterion) -> float:
        hit = with_error(program, qubits, paulis)
        return simulate(hit, engine="montecarlo", criterion=criterion, shots=1, rng=rng).crash_rate.value

    for _ in range(20):
        qubits = tuple(rng.choice(code.n, size=code.correctable, replace=False).tolist())
        paulis = "".join(rng.choice([*"XYZ"], size=len(qubits)))
        assert ends(qubits, paulis, lambda x, z: x not in stabilizers[0] or z not in stabilizers[1]) == 0
    for letter, logical in (("X", code.logical_x[0]), ("Z", code.logical_z[0])):
        qubits = tuple(f2.entries(logical))
        assert ends(qubits, letter * len(qubits), named("css", code)) == 1


@pytest.mark.parametrize("criterion", ["css", "readout", "paper22"])
@pytest.mark.parametrize("kind", ["recovery", "cnot_recovery"])
@pytest.mark.parametrize(
    ("code", "ancilla", "p"),
    [(CODES["hamming15"], NoisyAncilla.depolarizing(3e-3, size=15), 3e-3), (SURFACE, SURFACE_ANCILLA, 6e-3)],
    ids=["hamming15", "surface"],
)
def test_the_tree_contains_the_monte_carlo(
    code: CSSCode, ancilla: protocols.Ancilla, p: float, kind: str, criterion: str
) -> None:
    program = protocols.PROGRAMS[kind](Noise.uniform(p), code=code, preparation=ancilla)
    crash = named(criterion, code)
    drawn = simulate(program, engine="montecarlo", criterion=crash, shots=20_000, rng=np.random.default_rng(1)).crash_rate
    tree = simulate(program, engine="tree", criterion=crash, event_threshold=3e-6, merge_threshold=1e-9).crash_rate
    assert tree.lower - 4 * drawn.error < drawn.value < tree.upper + 4 * drawn.error  # type: ignore[operator]
    assert tree.upper - tree.lower < 1.2 * drawn.value  # type: ignore[operator]


def test_a_bit_flip_phase_of_the_golay_code_against_sampled_words() -> None:
    q, r, shots = 0.02, 0.01, 400_000
    rng = np.random.default_rng(1)
    bits = 1 << np.arange(23)
    data, ancilla = ((rng.random((shots, 23)) < rate) @ bits for rate in (q, r))
    seen = oracle.remainders(data ^ ancilla, 0xAE3)
    crashes = oracle.golay_fails(data ^ oracle.leaders(23, 0xAE3, 3)[seen]).mean()

    noisy = NoisyAncilla(size=23, x=r, y=0, z=0)
    program = protocols.bit_flip_recovery(Noise.uniform(0), code="golay", preparation=noisy, extractions=1)
    flips = tuple(do.PauliChannel(qubits=(qubit,), errors=(("X", q),)) for qubit in range(23))
    program = Program(instructions=(*program.instructions[:23], *flips, *program.instructions[23:]), blocks=program.blocks)
    tree = simulate(program, engine="tree", criterion=named("readout", "golay"), event_threshold=1e-9, merge_threshold=1e-11)
    error = 4 * np.sqrt(crashes / shots)
    assert tree.crash_rate.lower - error < crashes < tree.crash_rate.upper + error  # type: ignore[operator]
    assert tree.crash_rate.upper - tree.crash_rate.lower < 0.1 * crashes  # type: ignore[operator]


def test_majority_votes_of_large_codes_get_more_precise_as_thresholds_shrink() -> None:
    for name in ("bch21", "golay"):
        noisy = NoisyAncilla.depolarizing(1e-3, size=CODES[name].n)
        program = protocols.bit_flip_recovery(Noise.uniform(1e-3), code=name, preparation=noisy)
        crash = named("readout", name)
        loose, tight = (
            simulate(program, engine="tree", criterion=crash, event_threshold=event, merge_threshold=1e-5 * event).crash_rate
            for event in (1e-5, 1e-6)
        )
        assert loose.lower <= tight.lower < tight.upper <= loose.upper < 1e-3  # type: ignore[operator]


@pytest.mark.parametrize("name", ["hamming15", "bch21", "golay"])
def test_every_program_exists_for_every_code(name: str) -> None:
    n = CODES[name].n
    for kind, build in protocols.PROGRAMS.items():
        size = {"logical_qubits": 3} if kind in ("tree", "ring") else {}
        program = build(Noise.uniform(1e-3), code=name, preparation=PERFECT[name], extractions=1, **size)
        assert {len(block) for block in program.blocks} == {n}
        starts = {block[0] for block in program.blocks}
        transversal = [(step.control, step.target) for step in program.instructions if isinstance(step, do.CX)]
        logical = [(c, t) for c, t in transversal if max(c, t) < n * len(starts)]
        assert all((t - c) % n == 0 for c, t in logical) and len(logical) % n == 0
        for step in program.instructions:
            if isinstance(step, do.Correct):
                assert len(step.table) == 2 ** len(CODES[name].x_checks)


def test_codes_and_ancillas_by_name() -> None:
    noise = Noise.uniform(1e-3)
    assert (
        protocols.recovery(noise, code="steane") == protocols.recovery(noise, code=CODES["steane"]) == protocols.recovery(noise)
    )
    config = ProgramConfig(kind="cnot_recovery", code="bch21", ancilla_rate=2e-3, extractions=1, criterion="paper22")
    ancilla = NoisyAncilla.depolarizing(2e-3, size=21)
    assert config.build(noise) == protocols.cnot_recovery(noise, code="bch21", preparation=ancilla, extractions=1)
    assert config.crash() is named("paper22", "bch21")


def test_codes_without_an_ancilla_are_refused() -> None:
    with pytest.raises(ConfigError, match="no such code"):
        protocols.recovery(Noise.uniform(0), code="rotated")
    with pytest.raises(ConfigError, match="does not fit"):
        protocols.recovery(Noise.uniform(0), code="golay")
    with pytest.raises(ConfigError, match="no ancilla circuit"):
        ProgramConfig(code="golay")
    with pytest.raises(ConfigError, match="no probability"):
        ProgramConfig(code="golay", ancilla_rate=1.5)
