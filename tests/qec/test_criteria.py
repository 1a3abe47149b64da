"""Criteria of a crash against lists of all errors, and exact rates of independent errors on a block."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from tests.oracles import qec_codes as oracle
from tests.qec.test_codes import SMALL, SURFACE
from triptych.errors import ConfigError
from triptych.qec import Builder, Noise, Program, f2, simulate
from triptych.qec.codes import CODES, CSSCode
from triptych.qec.criteria import CRITERIA, NAMES, ClassCriterion, named
from triptych.qec.describe import nonfailing_states
from triptych.qec.program import PauliChannel
from triptych.qec.tree import score


@pytest.mark.parametrize(("code", "most"), [("steane", 1), ("hamming15", 1), ("bch21", 2), ("golay", 3)])
def test_how_many_errors_are_no_crash(code: str, most: int) -> None:
    n, checks = CODES[code].n, len(CODES[code].x_checks)
    light = sum(comb(n, weight) * 3**weight for weight in range(most + 1))
    found = nonfailing_states(code)
    assert (found["paper22"], found["strict"]) == (light, light)
    assert light == {"steane": 22, "hamming15": 46, "bch21": 1954, "golay": 50_164}[code]  # 22 and 1954: Sec. IV.D
    assert found["css"] == 4**checks, "one class for each pair of syndromes"
    assert found["readout"] == 2**checks * 2 ** (checks + CODES[code].k)


def survivors(code: CSSCode) -> dict[str, np.ndarray]:
    """For all errors, [x, z], whether they are no crash: by minimum weight over all stabilizers, and by decoding one by one."""
    words = np.arange(1 << code.n)
    most = (oracle.distance(code.n, code.x_checks, code.z_checks) - 1) // 2
    corrected = []
    for own, theirs, table in ((code.x_checks, code.z_checks, code.table("X")), (code.z_checks, code.x_checks, code.table("Z"))):
        syndromes = sum(
            (np.bitwise_count(words & row).astype(int) % 2 << i for i, row in enumerate(theirs)), np.zeros(len(words), int)
        )
        corrected.append(np.isin(words ^ np.array(table)[syndromes], oracle.span(own)))
    raw = np.bitwise_count(words[:, None] | words)
    reduced = raw.copy()
    for x in oracle.span(code.x_checks):
        for z in oracle.span(code.z_checks):
            np.minimum(reduced, np.bitwise_count(words[:, None] ^ x | words ^ z), out=reduced)
    return {
        "readout": np.repeat(corrected[0][:, None], len(words), axis=1),
        "css": corrected[0][:, None] & corrected[1],
        "paper22": reduced <= most,
        "strict": raw <= most,
    }


@pytest.mark.parametrize("code", [SURFACE, SMALL[1], SMALL[2], SMALL[4]], ids=str)
def test_criteria_against_all_errors(code: CSSCode) -> None:
    words = range(1 << code.n)
    wanted = survivors(code)
    for name in NAMES:
        crash = named(name, code)
        assert [[not crash(x, z) for z in words] for x in words] == wanted[name].tolist(), name
    for fewer, more in (("strict", "paper22"), ("paper22", "css"), ("css", "readout")):
        assert not (wanted[fewer] & ~wanted[more]).any(), "each criterion is harder than the next"


@pytest.mark.parametrize("name", ["css", "paper22", "readout"])
@pytest.mark.parametrize("code", ["hamming15", "golay"])
def test_the_tree_is_told_the_functionals(name: str, code: str) -> None:
    crash = named(name, code)
    n = CODES[code].n
    functionals, fails = score(crash, n)
    rng = np.random.default_rng(1)
    for x, z in rng.integers(0, 1 << n, size=(200, 2)).tolist() + [[1 << q, 1 << n - q - 1] for q in range(n)]:
        error = sum((x >> q & 1) << 2 * q | (z >> q & 1) << 2 * q + 1 for q in range(n))
        assert fails[sum(f2.parity(error & row) << i for i, row in enumerate(functionals))] == crash(x, z)


def hit(code: CSSCode, *errors: tuple[str, float]) -> Program:
    """A clean block, and an independent error on each qubit."""
    circuit = Builder(noise=Noise.uniform(0))
    block = circuit.block(code.n)
    return circuit.add(*(PauliChannel(qubits=(q,), errors=errors) for q in block)).program(blocks=[block])


def rate(program: Program, criterion: str, code: str | CSSCode) -> float:
    found = simulate(
        program, engine="tree", criterion=named(criterion, code), event_threshold=0.0, merge_threshold=0.0
    ).crash_rate
    assert found.upper - found.lower < 1e-11  # type: ignore[operator]
    return float(found.value)


@pytest.mark.parametrize("q", [1e-3, 0.05])
def test_independent_flips_of_a_perfect_code(q: float) -> None:
    assert rate(hit(CODES["golay"], ("X", q)), "readout", "golay") == pytest.approx(oracle.golay_failure(q), rel=1e-9)
    words = np.arange(1 << 15)  # what is left is a stabilizer where it is one of the sixteen words of the dual
    fixed = words ^ np.array(oracle.leaders(15, 0b10011, 1))[oracle.remainders(words, 0b10011)]
    hamming = CSSCode.cyclic(15, 0b10011)
    lost = oracle.weights(words[~np.isin(fixed, oracle.span(hamming.x_checks))])
    truth = sum(count * q**weight * (1 - q) ** (15 - weight) for weight, count in lost.items())
    assert rate(hit(hamming, ("X", q)), "readout", hamming) == pytest.approx(truth, rel=1e-9)
    assert rate(hit(CODES["hamming15"], ("X", q)), "css", "hamming15") == pytest.approx(truth, rel=1e-9), (
        "its qubits in another order"
    )


@pytest.mark.parametrize("q", [1e-3, 0.05])
def test_independent_flips_of_the_steane_code(q: float) -> None:
    good = {0: 1, 1: 7, 3: 28, 4: 7, 5: 21}  # stabilizers, and stabilizers with one flip
    truth = 1 - sum(count * q**weight * (1 - q) ** (7 - weight) for weight, count in good.items())
    for criterion in ("readout", "css"):
        assert rate(hit(CODES["steane"], ("X", q)), criterion, "steane") == pytest.approx(truth, rel=1e-9)
    assert truth == pytest.approx(21 * q**2, rel=10 * q)


@pytest.mark.parametrize("criterion", NAMES)
def test_independent_errors_of_a_surface_code(criterion: str) -> None:
    x, y, z = 0.01, 0.005, 0.02
    words = np.arange(512)
    both, onlyx, onlyz = (
        np.bitwise_count(part) for part in (words[:, None] & words, words[:, None] & ~words, ~words[:, None] & words)
    )
    chances = x**onlyx * y**both * z**onlyz * (1 - x - y - z) ** (9.0 - onlyx - both - onlyz)
    truth = float(chances[~survivors(SURFACE)[criterion]].sum())
    assert rate(hit(SURFACE, ("X", x), ("Y", y), ("Z", z)), criterion, SURFACE) == pytest.approx(truth, rel=1e-9)


def test_the_criteria_of_the_steane_code_have_names_of_their_own() -> None:
    assert set(CRITERIA) == set(NAMES)
    for name, crash in CRITERIA.items():
        again = named(name, "steane")
        assert all(crash(x, z) == again(x, z) for x in range(128) for z in range(0, 128, 5))


def test_criteria_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'css'"):
        named("cs", "golay")
    with pytest.raises(ConfigError, match="no such code"):
        named("css", "rotated")
    program = hit(SURFACE, ("X", 0.1))
    with pytest.raises(ConfigError, match="blocks of 7"):
        simulate(program, criterion="css")
    with pytest.raises(ConfigError, match="blocks of 23"):
        simulate(program, criterion=named("strict", "golay"))
    with pytest.raises(ConfigError, match="23 qubits"):
        simulate(hit(CODES["golay"], ("X", 0.1)), engine="tree", criterion=named("strict", "golay"))
    large = CSSCode(name="large", n=40, x_checks=(), z_checks=tuple(0b11 << q for q in range(0, 38, 2)))
    with pytest.raises(ConfigError, match="too many classes"):
        named("css", large)
    assert isinstance(named("css", "golay"), ClassCriterion)
