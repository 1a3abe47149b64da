"""CSS codes against lists of all their words, polynomials, and textbook enumerators."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest

from tests.oracles import qec_codes as oracle
from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec.codes import CODES, CSSCode, errors_by_weight

SURFACE = CSSCode(
    name="surface",
    n=9,
    x_checks=(0b000011011, 0b110110000, 0b000100100, 0b001001000),
    z_checks=(0b000110110, 0b011011000, 0b000000011, 0b110000000),
)


def shor(rows: int, columns: int) -> CSSCode:
    """X on neighbouring rows of a grid; Z on neighbouring qubits of a row."""
    n = rows * columns
    row = (1 << columns) - 1
    x = tuple((row | row << columns) << columns * i for i in range(rows - 1))
    z = tuple(0b11 << q for q in range(n) if q % columns < columns - 1)
    return CSSCode(name="shor", n=n, x_checks=x, z_checks=z)


def some_code(seed: int) -> CSSCode:
    """Random X checks on 9 qubits, and Z checks out of those that commute with them."""
    rng = np.random.default_rng(seed)
    x = f2.basis(rng.integers(1, 512, size=2).tolist())
    z = f2.basis(rng.choice(oracle.even(x, 9)[1:], size=4).tolist())
    return CSSCode(name=f"random {seed}", n=9, x_checks=tuple(x), z_checks=tuple(z))


SMALL = [SURFACE, shor(2, 4), shor(3, 2), CODES["steane"], *(some_code(seed) for seed in range(6))]


@pytest.mark.parametrize(
    ("name", "n", "k", "distance"), [("steane", 7, 1, 3), ("hamming15", 15, 7, 3), ("bch21", 21, 3, 5), ("golay", 23, 1, 7)]
)
def test_the_codes_that_come_along(name: str, n: int, k: int, distance: int) -> None:
    code = CODES[name]
    assert (code.n, code.k, code.distance) == (n, k, distance)
    assert oracle.distance(n, code.x_checks, code.z_checks) == distance
    assert code.x_checks == code.z_checks


HALVES = {
    "hamming15": ({0: 1, 8: 15}, None),
    "bch21": (
        {0: 1, 8: 210, 12: 280, 16: 21},
        {0: 1, 5: 21, 6: 168, 7: 360, 8: 210, 9: 280, 10: 1008, 11: 1008, 12: 280, 13: 210, 14: 360, 15: 168, 16: 21, 21: 1},
    ),
    "golay": ({0: 1, 8: 506, 12: 1288, 16: 253}, {0: 1, 7: 253, 8: 506, 11: 1288, 12: 1288, 15: 506, 16: 253, 23: 1}),
    "steane": ({0: 1, 4: 7}, {0: 1, 3: 7, 4: 7, 7: 1}),
}


@pytest.mark.parametrize("name", HALVES)
def test_weight_enumerators(name: str) -> None:
    code = CODES[name]
    dual, whole = HALVES[name]
    assert oracle.weights(oracle.span(code.z_checks)) == dual
    words = oracle.even(code.z_checks, code.n)
    assert whole is None or oracle.weights(words) == whole
    assert np.array_equal(words, oracle.span(code.x_checks + code.logical_x)), (
        "stabilizers and logical operators are all there is"
    )


@pytest.mark.parametrize(
    ("n", "generator", "distance"),
    [(21, 0x337, 5), (21, 0x3B3, 5), (23, 0xAE3, 7), (23, 0xC75, 7), (7, 0b1011, 3), (15, 0b10011, 3)],
)
def test_the_undetected_words_of_a_cyclic_code_are_multiples_of_its_generator(n: int, generator: int, distance: int) -> None:
    code = CSSCode.cyclic(n, generator)
    words = np.arange(1 << n)
    assert np.array_equal(oracle.even(code.z_checks, n), words[oracle.remainders(words, generator) == 0])
    assert code.distance == distance


@pytest.mark.parametrize("generator", [1 << 9 | 1 << 6 | 1, 1 << 9 | 1 << 3 | 1])
def test_other_cyclic_codes_of_length_21_contain_their_dual_but_have_distance_3(generator: int) -> None:
    code = CSSCode.cyclic(21, generator)
    assert (code.k, code.distance) == (3, 3)


@pytest.mark.parametrize("code", [*SMALL, *CODES.values()], ids=str)
def test_logical_operators_come_in_pairs(code: CSSCode) -> None:
    assert len(code.logical_x) == len(code.logical_z) == code.k
    for i, x in enumerate(code.logical_x):
        assert [f2.parity(x & z) for z in code.logical_z] == [i == j for j in range(code.k)]
        assert not any(f2.parity(x & check) for check in code.z_checks)
    assert not any(f2.parity(z & check) for z in code.logical_z for check in code.x_checks)


@pytest.mark.parametrize("code", SMALL, ids=str)
def test_distances_and_tables_against_all_words(code: CSSCode) -> None:
    assert code.distance == oracle.distance(code.n, code.x_checks, code.z_checks)
    words = np.arange(1 << code.n)
    for errors, checks in (("X", code.z_checks), ("Z", code.x_checks)):
        table = code.table(errors)  # type: ignore[arg-type]
        assert len(table) == 2 ** len(checks)
        syndromes = sum(
            (np.bitwise_count(words & row).astype(int) % 2 << i for i, row in enumerate(checks)), np.zeros(len(words), int)
        )
        for value, correction in enumerate(table):
            alike = words[syndromes == value]
            assert correction == min(alike.tolist(), key=lambda word: (word.bit_count(), word))


def test_the_golay_code_is_perfect_and_the_bch_code_is_not() -> None:
    weights = [error.bit_count() for error in CODES["golay"].table("X")]
    assert [weights.count(w) for w in range(4)] == [comb(23, w) for w in range(4)] and len(weights) == 2048
    weights = [error.bit_count() for error in CODES["bch21"].table("Z")]
    assert [weights.count(w) for w in range(3)] == [1, 21, 210] and len(weights) == 512


def test_errors_are_listed_once_each_by_weight() -> None:
    choices = [(1, 2, 3), (4, 8, 12), (16, 32, 48), (64, 128, 192)]
    for weight, found in enumerate(errors_by_weight(choices)):
        qubits = [sum(1 << q for q in some) for some in combinations(range(4), weight)]
        assert sorted(set(found[:, 1].tolist())) == sorted(qubits)
        assert len(found) == len({*found[:, 0].tolist()}) == comb(4, weight) * 3**weight


def test_matrices() -> None:
    rows = [[q + 1 >> i & 1 for q in range(7)] for i in range(3)]
    code = CSSCode.from_matrices(rows, [*rows, np.bitwise_xor(rows[0], rows[1])], name="steane")
    assert code == CODES["steane"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"x_checks": (0b111,), "z_checks": (0b11, 0b110, 0b100)}, "commute"),
        ({"x_checks": (0b1111, 0b0011, 0b1100)}, "depend"),
        ({"x_checks": (0b10000,)}, "act on qubits"),
        ({"z_checks": (0,)}, "act on qubits"),
        ({"n": 65}, "block of qubits"),
        ({"x_checks": (0b1111, 0b0011), "z_checks": (0b1111, 0b1100)}, "no logical qubit"),
    ],
)
def test_what_is_no_code_is_refused(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        CSSCode(**({"name": "four", "n": 4, "x_checks": (0b1111,), "z_checks": (0b1111,)} | arguments))  # type: ignore[arg-type]


def test_bad_matrices_polynomials_and_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="check matrices"):
        CSSCode.from_matrices([[1, 2]], [[1, 1]])
    with pytest.raises(ConfigError, match="check matrices"):
        CSSCode.from_matrices([[1, 1, 0]], [[1, 1]])
    for generator in (0b1111, 0, -3):
        with pytest.raises(ConfigError, match="cyclic"):
            CSSCode.cyclic(7, generator)
    with pytest.raises(ConfigError, match="commute"):
        CSSCode.cyclic(7, 0b11101)  # the words of even weight
    with pytest.raises(ConfigError, match="did you mean 'golay'"):
        CSSCode.named("goly")


def test_searches_that_would_be_too_long_are_refused() -> None:
    code = shor(7, 7)
    with pytest.raises(ConfigError, match="errors of weight 6"):
        _ = code.distance
    with pytest.raises(ConfigError, match="42 checks"):
        code.table("X")
    assert shor(1, 40).distance == 1, "one sector is enough"
