"""Which error events belong to an operation, and how likely they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.oracles import qec as oracle
from triptych.errors import ConfigError
from triptych.qec import Noise, steane
from triptych.qec import program as do
from triptych.qec.architecture import Architecture
from triptych.qec.noise import CLASSES, PLACES

RATES = {name: 0.01 * (i + 1) for i, name in enumerate(CLASSES)}
EVERYTHING = Noise(**RATES)


def test_the_error_rates_of_table_1() -> None:
    assert Noise.eshe_rates() == Noise(reset=1e-6, one_qubit=1e-6, two_qubit=1e-4, measurement=1e-4)


def test_the_decays_of_table_1() -> None:
    # one_qubit_decay: 1 us / 5e3 s; the others: 1 ms / 1e5 s, 1 ms / 5e3 s twice, 1 us / 2.5e4 s
    decays = {"idle": 1e-8, "one_qubit_decay": 2e-10, "two_qubit_decay": 2e-7, "measurement_decay": 2e-7, "transport": 4e-11}
    rates = {name: getattr(Noise.eshe(), name) for name in decays}
    assert rates == pytest.approx(decays, rel=1e-6)
    assert replace(Noise.eshe(), **dict.fromkeys(decays, 0.0)) == Noise.eshe_rates()
    mixing = Noise.of(Architecture.eshe(), decay="mixing")
    assert {name: getattr(mixing, name) for name in decays} == pytest.approx({k: 0.75 * v for k, v in decays.items()}, rel=1e-6)


@pytest.mark.parametrize("name", CLASSES)
def test_events(name: str) -> None:
    rate = RATES[name]
    if name == "two_qubit":
        expected: tuple[do.Event, ...] = (do.Depolarize2(first=4, second=2, rate=rate),)
    elif name == "measurement":
        expected = (do.Flip(bit=4, rate=rate), do.Flip(bit=2, rate=rate))
    else:
        expected = (do.Depolarize1(qubit=4, rate=rate), do.Depolarize1(qubit=2, rate=rate))
    assert EVERYTHING.events(name, 4, 2) == expected
    silent = EVERYTHING.only(next(other for other in CLASSES if other != name))
    assert silent.events(name, 4, 2) == ()


@pytest.mark.parametrize("bias", [0.0, 0.5, 3.0, 1000.0])
def test_biased_channels(bias: float) -> None:
    noise = Noise.biased(0.3, bias=bias)
    (one,), (two,) = noise.events("reset", 5), noise.events("two_qubit", 5, 6)
    assert one.rate == pytest.approx(0.3, rel=1e-14) and two.rate == pytest.approx(0.3, rel=1e-14)
    assert isinstance(one, do.PauliChannel) and isinstance(two, do.PauliChannel)
    assert (one.qubits, two.qubits) == ((5,), (5, 6))
    single, double = dict(one.errors), dict(two.errors)
    assert single.get("Z", 0) == pytest.approx(bias * single["X"]) and single["X"] == single["Y"]
    phases = [double.get(string, 0.0) for string in ("IZ", "ZI", "ZZ")]
    others = [p for string, p in double.items() if set(string) - set("IZ")]
    assert len(others) == 12 and phases == pytest.approx([bias * others[0]] * 3) and len(set(others)) == 1
    assert noise.events("measurement", 5) == (do.Flip(bit=5, rate=0.3),)


def test_without_bias_the_noise_is_depolarizing() -> None:
    assert Noise.biased(0.3, bias=1) == Noise.uniform(0.3)
    nearly = Noise.biased(0.3, bias=1 + 1e-12)
    for name, qubits in (("reset", (5,)), ("two_qubit", (5, 6))):
        (channel,), (event,) = nearly.events(name, *qubits), Noise.uniform(0.3).events(name, *qubits)
        assert isinstance(channel, do.PauliChannel) and not isinstance(event, do.PauliChannel)
        assert do.outcomes(channel)[0] == do.outcomes(event)[0]
        assert dict(do.outcomes(channel)[1]) == pytest.approx(dict(do.outcomes(event)[1]), rel=1e-11)


def test_strong_bias_leaves_no_bit_flips_and_weak_bias_changes_little() -> None:
    noise = replace(Noise.biased(1e-3, bias=1e15), measurement=0.0)
    rates = oracle.recovery_rates(steane.recovery(noise))
    assert rates["readout"] < 1e-12 < 1e-7 < rates["css"]
    even = oracle.recovery_rates(steane.recovery(replace(noise, bias=1 + 1e-9)))
    depolarizing = oracle.recovery_rates(steane.recovery(replace(noise, bias=1.0)))
    assert even == pytest.approx(depolarizing, rel=1e-6)


def where(step: do.Instruction, inside: bool, data: int) -> str:
    """The place of an event or gate, from its qubits: those of data blocks, of an ancilla block, of its checks."""
    if isinstance(step, do.Flip):
        qubits: tuple[int, ...] = (step.bit,)
    elif isinstance(step, do.PauliChannel):
        qubits = step.qubits
    else:
        qubits = tuple(getattr(step, name) for name in ("qubit", "first", "second") if hasattr(step, name))
    if inside:
        return "check" if any(q >= 7 for q in qubits) else "encoder"
    if all(q < data for q in qubits):
        return "logical" if isinstance(step, do.Depolarize2) else "data"
    return "extraction"


def events(noise: Noise) -> list[tuple[str, do.Event]]:
    """All events of a program with their places."""
    program = steane.tree_program(noise, logical_qubits=3)
    found: list[tuple[str, do.Event]] = []
    for step in program.instructions:
        if isinstance(step, do.Verify):
            found += [(where(inner, True, 21), inner) for inner in step.body if isinstance(inner, do.Event)]
        elif isinstance(step, do.Event):
            found.append((where(step, False, 21), step))
    return found


@pytest.mark.parametrize(
    ("location", "count"),
    [
        ("encoder/two_qubit", 24 * 9),
        ("encoder/reset", 24 * 7),
        ("encoder/one_qubit", 24 * 3),
        ("check/two_qubit", 24 * 12),
        ("check/reset", 24 * 3),
        ("check/measurement", 24 * 3),
        ("extraction/two_qubit", 24 * 7),
        ("extraction/measurement", 24 * 7),
        ("logical/two_qubit", 2 * 7),
        ("data/measurement", 3 * 7),
        ("data/idle", 7 * 7),
    ],
)
def test_an_override_changes_its_location_alone(location: str, count: int) -> None:
    noise = Noise(reset=0.01, one_qubit=0.02, two_qubit=0.03, measurement=0.04, idle=0.05)
    before, after = events(noise), events(noise.override({location: 0.5}))
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == count
    assert {place for place, _ in changed} == {location.split("/")[0]}
    assert {event.rate for _, event in changed} == {getattr(noise, location.split("/")[1])}
    assert len(events(noise.override({location: 0.0}))) == len(before) - count


def test_decays_and_movement_are_everywhere() -> None:
    found = events(EVERYTHING)
    counts = Counter(event.rate for _, event in found)
    cnots, measured, pivots = 2 * 7 + 24 * (9 + 12 + 7), 3 * 7 + 24 * (3 + 7), 24 * 3
    expected = {"two_qubit": cnots, "two_qubit_decay": 2 * cnots, "transport": cnots}
    expected |= {"measurement": measured, "measurement_decay": measured, "one_qubit": pivots, "one_qubit_decay": pivots}
    expected |= {"reset": 24 * 10, "idle": 7 * 7}
    assert counts == {RATES[name]: count for name, count in expected.items()}


def test_overrides_add_up_and_the_last_one_counts() -> None:
    noise = Noise.uniform(0.1).override({"data/idle": 0.2}).override({"check/reset": 0.3, "data/idle": 0.4})
    assert noise.rate("idle", place="data") == 0.4 and noise.rate("reset", place="check") == 0.3
    assert noise.rate("idle", place="extraction") == 0 and noise.rate("reset") == 0.1
    assert noise.only("idle").rate("reset", place="check") == 0 and noise.only("idle").rate("idle", place="data") == 0.4
    assert hash(noise) == hash(Noise.uniform(0.1).override({"check/reset": 0.3, "data/idle": 0.4}))


def test_bad_noise_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"noise\.reset"):
        Noise.uniform(1.5)
    with pytest.raises(ConfigError, match=r"noise\.idle"):
        replace(EVERYTHING, idle=float("nan"))
    with pytest.raises(ConfigError, match="did you mean 'extraction/two_qubit'"):
        EVERYTHING.override({"extraction/two_qubits": 0.1})
    with pytest.raises(ConfigError, match="check/reset is no probability"):
        EVERYTHING.override({"check/reset": -0.1})
    for bias in (-1.0, np.inf, np.nan):
        with pytest.raises(ConfigError, match=r"noise\.bias"):
            Noise.biased(0.1, bias=bias)
    assert all(EVERYTHING.override({f"{place}/{name}": 0.0}) for place in PLACES for name in CLASSES)
