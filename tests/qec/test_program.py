"""Every way in which a program can be wrong is refused, with the reason; right ones are values."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import ConfigError
from triptych.qec import Program
from triptych.qec.program import (
    CX,
    Channel,
    Correct,
    Custom,
    Depolarize1,
    Depolarize2,
    Event,
    Flip,
    H,
    Hidden,
    Instruction,
    Measure,
    Merge,
    PauliChannel,
    Prepare,
    S,
    Split,
    Swap,
    Switch,
    Syndrome,
    Tally,
    Verify,
    When,
    X,
    outcomes,
)

BIT = (Prepare(qubit=0), Measure(qubit=0))
OTHER_BIT = (Prepare(qubit=1), Measure(qubit=1))
TWO = (Prepare(qubit=0), Prepare(qubit=1))


def compiled(
    qubits: tuple[int, ...] = (0,), looks: tuple[int, ...] = (1,), errors: tuple[int, ...] = (1,), size: int = 2, p: float = 0.5
) -> Channel:
    return Channel(qubits=qubits, looks=looks, errors=errors, matrix=np.full((size, size), p))


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((H(qubit=0),), "not prepared"),
        ((*BIT, H(qubit=0)), "measured already"),
        ((*BIT, Measure(qubit=0)), "measured already"),
        ((Prepare(qubit=0), Flip(bit=0, rate=0.1)), "not measured"),
        ((Prepare(qubit=-1),), "qubit number"),
        ((Prepare(qubit=0, basis="Y"),), "basis"),  # type: ignore[arg-type]
        ((Prepare(qubit=0), Measure(qubit=0, basis="Y")), "basis"),  # type: ignore[arg-type]
        ((*TWO, CX(control=1, target=1)), "two different qubits"),
        ((*TWO, CX(control=0, target=2)), "not prepared"),
        ((Prepare(qubit=0), Depolarize1(qubit=0, rate=1.5)), "0 <= rate <= 1"),
        ((*TWO, Depolarize2(first=0, second=1, rate=-0.1)), "0 <= rate <= 1"),
        ((*BIT, Flip(bit=0, rate=float("nan"))), "0 <= rate <= 1"),
        ((Verify(body=BIT, checks=()),), "at least one check"),
        ((Verify(body=(Prepare(qubit=0),), checks=(0,)),), "not measured"),
        ((Prepare(qubit=0), Verify(body=(H(qubit=0), *BIT), checks=(0,))), "not prepared"),
        ((Verify(body=(Verify(body=BIT, checks=(0,)), *BIT), checks=(0,)),), "only gates"),
        ((Verify(body=BIT, checks=(0,)), Flip(bit=0, rate=0.1)), "not prepared"),
        ((*BIT, Syndrome(bits=(0,), checks=((1,),))), "positions within bits"),
        ((*BIT, Syndrome(bits=(0,), checks=((0,), (0,)))), "no more checks"),
        ((Prepare(qubit=0), Syndrome(bits=(0,), checks=())), "not measured"),
        ((*BIT, Correct(syndromes=((0,),), table=((),), pauli="X")), "2^r rows"),
        ((*BIT, Correct(syndromes=(), table=((),), pauli="X")), "2^r rows"),
        ((*BIT, Correct(syndromes=((0,),), table=((), (0,)), pauli="X")), "measured already"),
        ((*BIT, Prepare(qubit=1), Correct(syndromes=((0,),), table=((), (1,)), pauli="Y")), "pauli"),  # type: ignore[arg-type]
        ((Prepare(qubit=0), Merge(qubits=(0, 1))), "not prepared"),
        ((*TWO, Split(qubits=(0,)), H(qubit=0)), "not prepared"),
        ((*BIT, Syndrome(bits=(0,), checks=((0, 0),))), "different positions"),
        ((*BIT, Syndrome(bits=(0, 0), checks=())), "different bits"),
        ((*BIT, Correct(syndromes=((),), table=((),), pauli="X")), "2^r rows"),
        ((*BIT, Prepare(qubit=1), Correct(syndromes=((0,),), table=((), (1, 1)), pauli="X")), "no qubit twice"),
        ((Verify(body=BIT, checks=(0, 0)),), "none twice"),
        ((*TWO, Merge(qubits=())), "one qubit or more"),
        ((*TWO, Split(qubits=(0, 0))), "none twice"),
        (("CX 0 1",), "an instruction"),
        ((*BIT, S(qubit=0)), "measured already"),
        ((X(qubit=0),), "not prepared"),
        ((*TWO, Swap(first=0, second=0)), "two different qubits"),
        ((*BIT, Prepare(qubit=1), Swap(first=0, second=1)), "measured already"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("X", 0.7), ("Z", 0.7)))), "0 <= rate <= 1"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("X", -0.1), ("Z", 0.7)))), "one letter of IXYZ"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("X", float("nan")),))), "0 <= rate <= 1"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("XZ", 0.1),))), "one letter of IXYZ"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("x", 0.1),))), "one letter of IXYZ"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("I", 0.1),))), "one letter of IXYZ"),
        ((Prepare(qubit=0), PauliChannel(qubits=(0,), errors=(("X", 0.1), ("X", 0.1)))), "one letter of IXYZ"),
        ((*TWO, PauliChannel(qubits=(0, 0), errors=(("XX", 0.1),))), "different qubits"),
        ((*BIT, PauliChannel(qubits=(0,), errors=(("X", 0.1),))), "measured already"),
        ((Verify(body=BIT, checks=(0,), supply=0),), "supply >= 1"),
        ((Verify(body=BIT, checks=(0,), supply=2, otherwise="stop"),), "abort, skip or use"),  # type: ignore[arg-type]
        ((Verify(body=BIT, checks=(0,), supply=2), Flip(bit=0, rate=0.1)), "not prepared"),
        ((Verify(body=(*BIT, *OTHER_BIT), checks=(0, 1), supply=2, otherwise="skip"), Flip(bit=1, rate=0.1)), "not prepared"),
        ((Verify(body=BIT, checks=(0,), otherwise="skip"), Flip(bit=0, rate=0.1)), "not prepared"),
        ((Verify(body=(Custom(qubits=(0,), change=dict), *BIT), checks=(0,)),), "only gates"),
        ((*BIT, Correct(syndromes=((0,),), table=((), ()), pauli="X", absent=(0, 0))), "a marker bit for each"),
        ((*BIT, Prepare(qubit=1), Correct(syndromes=((0,),), table=((), ()), pauli="X", absent=(1,))), "not measured"),
        ((*TWO, Custom(qubits=(0, 0), change=dict)), "none twice"),
        ((Custom(qubits=(0,), change=dict),), "not prepared"),
        ((Hidden(bit=-1),), "a number >= 0"),
        ((Hidden(bit=0, probability=1.1),), "0 <= probability <= 1"),
        ((Hidden(bit=0), H(qubit=0)), "measured already"),
        ((Switch(bit=0, on=0.1, off=0.1),), "not prepared"),
        ((Prepare(qubit=0), Switch(bit=0, on=0.1, off=0.1)), "not measured"),
        ((Hidden(bit=0), Switch(bit=0, on=0.1, off=-0.1)), "0 <= off <= 1"),
        ((*TWO, When(bit=0, event=Depolarize1(qubit=1, rate=0.1))), "not measured"),
        ((Hidden(bit=0), When(bit=0, event=Depolarize1(qubit=1, rate=0.1))), "not prepared"),
        ((Hidden(bit=0), When(bit=0, event=Flip(bit=0, rate=2.0))), "0 <= rate <= 1"),
        ((Hidden(bit=0), When(bit=0, event=Switch(bit=0, on=0.1, off=0.1))), "an error event"),  # type: ignore[arg-type]
        ((Hidden(bit=0), Split(qubits=(0,)), Switch(bit=0, on=0.1, off=0.1)), "not prepared"),
        ((*TWO, compiled(qubits=(0, 0))), "none twice"),
        ((compiled(),), "not prepared"),
        ((*TWO, compiled(looks=(4,), errors=(4,))), "coordinates of these qubits"),
        ((*BIT, compiled(looks=(2,), errors=(2,))), "coordinates of these qubits"),
        ((*TWO, compiled(looks=(), errors=(), size=1)), "one look or more"),
        ((*TWO, compiled(errors=(2,))), "flips this look alone"),
        ((*TWO, compiled(looks=(1, 3), errors=(1, 2), size=4, p=0.25)), "flips this look alone"),
        ((*TWO, compiled(errors=(1, 2))), "flips this look alone"),
        ((*TWO, compiled(size=4)), "rows sum to at most 1"),
        ((*TWO, compiled(p=0.6)), "rows sum to at most 1"),
        ((*TWO, compiled(p=-0.1)), "rows sum to at most 1"),
        ((*TWO, compiled(p=float("nan"))), "rows sum to at most 1"),
        ((Verify(body=(compiled(), *BIT), checks=(0,)),), "only gates"),
        ((*TWO, Tally(blocks=())), "blocks of different qubits"),
        ((*TWO, Tally(blocks=((0, 0),))), "blocks of different qubits"),
        ((*TWO, Tally(blocks=((0, 2),))), "not prepared"),
    ],
)
def test_impossible_programs_are_refused(steps: tuple[Instruction, ...], reason: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Program(instructions=steps, blocks=())
    assert reason in str(refusal.value)


def test_a_block_must_be_there_at_the_end() -> None:
    with pytest.raises(ConfigError, match="scored block"):
        Program(instructions=(*TWO, Split(qubits=(1,))), blocks=((0, 1),))
    for block in ((), (0, 0)):
        with pytest.raises(ConfigError, match="different qubits"):
            Program(instructions=TWO, blocks=(block,))


def test_programs_are_values() -> None:
    one, other = (Program(instructions=(*TWO, CX(control=0, target=1)), blocks=((0, 1),)) for _ in range(2))
    assert one == other and len({one, other}) == 1
    assert str(one).splitlines()[-1] == "CX(control=0, target=1)"
    assert H(qubit=0) != Prepare(qubit=0), "equal fields do not make equal instructions"


def test_a_measured_qubit_can_be_prepared_again() -> None:
    assert Program(instructions=(*BIT, Prepare(qubit=0), H(qubit=0)), blocks=((0,),)).physical_qubits == 2


def test_the_marker_of_a_skipped_block_stays() -> None:
    verified = Verify(body=(*BIT, *OTHER_BIT), checks=(1, 0), first=4, supply=3, otherwise="skip")
    assert verified.released == (4,)
    Program(instructions=(verified, Flip(bit=5, rate=0.1)), blocks=((5,),))


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (Depolarize1(qubit=4, rate=0.3), 3),
        (Depolarize2(first=4, second=2, rate=0.3), 15),
        (PauliChannel(qubits=(4, 2, 7), errors=(("XIZ", 0.1), ("YYY", 0.2))), 2),
        (Flip(bit=4, rate=0.3), 1),
    ],
)
def test_the_errors_of_an_event_have_its_rate(event: Event, count: int) -> None:
    qubits, errors = outcomes(event)
    assert qubits[0] == 4 and len({pauli for pauli, _ in errors}) == len(errors) == count
    assert all(len(pauli) == len(qubits) and set(pauli) != {"I"} for pauli, _ in errors)
    assert sum(p for _, p in errors) == pytest.approx(event.rate) == pytest.approx(0.3)
