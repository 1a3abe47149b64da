"""Programs for the [[7,1,3]] code.

In: a noise model and the choice of an ancilla preparation. Out: programs for a verified ancilla, for the bit-flip phase of error
recovery, and for a whole recovery (Sec. III: bit-flip phase, then phase-flip phase, each with three syndrome extractions).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from triptych.errors import ConfigError, did_you_mean
from triptych.qec.criteria import CHECKS
from triptych.qec.noise import Noise
from triptych.qec.program import (
    CX,
    Basis,
    Correct,
    Depolarize1,
    Depolarize2,
    Flip,
    Instruction,
    Measure,
    Prepare,
    Program,
    Split,
    Syndrome,
    Verify,
)

BLOCK = tuple(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A circuit for ``|0>_L`` with verification, in the qubit order of :data:`~triptych.qec.criteria.CHECKS`.

    Attributes
    ----------
    pivots : qubits that start in ``|+>``; the others start in ``|0>``.
    cnots : (control, target) in order.
    checks : qubits whose joint Z parity is copied onto one verification qubit each.
    """

    pivots: tuple[int, ...]
    cnots: tuple[tuple[int, int], ...]
    checks: tuple[tuple[int, ...], ...]


PREPARATIONS: MappingProxyType[str, Preparation] = MappingProxyType(
    {
        # Nine CNOTs in three steps (a Latin rectangle, as in Steane 2003); all three Z stabilizers are verified.
        "9+3": Preparation(
            pivots=(0, 1, 3),
            cnots=((0, 2), (1, 5), (3, 6), (0, 4), (1, 6), (3, 5), (0, 6), (1, 2), (3, 4)),
            checks=CHECKS,
        ),
        # Eight CNOTs and one logical Z of weight three (Goto, Sci. Rep. 6 (2016) 19578), renumbered to these stabilizers.
        "8+1": Preparation(
            pivots=(0, 2, 5),
            cnots=((0, 1), (2, 4), (5, 6), (5, 4), (2, 3), (0, 6), (2, 1), (6, 3)),
            checks=((4, 1, 6),),
        ),
    }
)

Logical = Literal["0", "+"]


def verified_ancilla(noise: Noise, *, preparation: str | Preparation = "9+3", state: Logical = "0") -> Program:
    """One verified ancilla block on qubits 0-6, scored as a block.

    Parameters
    ----------
    noise : rates behind every operation.
    preparation : ``"9+3"`` (nine CNOTs, three checks), ``"8+1"`` (eight CNOTs, one check), or a circuit of one's own.
    state : ``"0"`` for ``|0>_L``, ``"+"`` for ``|+>_L``.

    Raises
    ------
    ConfigError
        If the preparation or the state is not known.

    Examples
    --------
    >>> verified_ancilla(Noise.uniform(1e-3)).physical_qubits
    10
    """
    return Program(instructions=(_ancilla(noise, _preparation(preparation), state, first=0),), blocks=(BLOCK,))


def bit_flip_recovery(noise: Noise, *, preparation: str | Preparation = "9+3", extractions: int = 3) -> Program:
    """One block, clean at the start: the bit-flip phase of a recovery (Sec. III).

    Parameters
    ----------
    noise : rates behind every operation.
    preparation : the ancilla circuit: ``"9+3"``, ``"8+1"`` or one's own.
    extractions : syndromes taken; more than half of them must agree for a correction.

    Raises
    ------
    ConfigError
        If the preparation is not known or there are no extractions.

    Examples
    --------
    >>> bit_flip_recovery(Noise.uniform(1e-3)).physical_qubits
    37
    """
    phases = _phase(noise, _preparation(preparation), extractions, "X")
    return Program(instructions=(*_clean_block(), *phases), blocks=(BLOCK,))


def recovery(noise: Noise, *, preparation: str | Preparation = "9+3", extractions: int = 3) -> Program:
    """One block, clean at the start: a whole recovery, bit-flip phase and then phase-flip phase (Sec. III).

    Parameters and errors are those of :func:`bit_flip_recovery`.

    Examples
    --------
    >>> recovery(Noise.uniform(1e-3)).physical_qubits
    67
    """
    chosen = _preparation(preparation)
    phases = (*_phase(noise, chosen, extractions, "X"), *_phase(noise, chosen, extractions, "Z"))
    return Program(instructions=(*_clean_block(), *phases), blocks=(BLOCK,))


def _preparation(name: str | Preparation) -> Preparation:
    if isinstance(name, Preparation):
        return name
    if name not in PREPARATIONS:
        raise ConfigError(
            "no such ancilla preparation", got=name, expected="9+3 or 8+1", fix=did_you_mean(name, list(PREPARATIONS))
        )
    return PREPARATIONS[name]


def _clean_block() -> tuple[Instruction, ...]:
    return tuple(Prepare(qubit=q) for q in BLOCK)


def _ancilla(noise: Noise, preparation: Preparation, state: Logical, *, first: int) -> Verify:
    """The verified block; ``|+>_L`` is the dual circuit: X and Z trade places in every step and its noise, CNOTs turn round."""
    if state not in ("0", "+"):
        raise ConfigError("no such logical state", got=state, expected="'0' or '+'")
    dual = state == "+"
    checks = range(len(BLOCK), len(BLOCK) + len(preparation.checks))
    body: list[Instruction] = []
    for qubit in BLOCK:
        pivot = qubit in preparation.pivots
        body += _prepared(noise, qubit, "X" if pivot != dual else "Z", pivot=pivot)
    for control, target in preparation.cnots:
        body += _cnot(noise, *((target, control) if dual else (control, target)))
    for check, qubits in zip(checks, preparation.checks, strict=True):
        body += _prepared(noise, check, "X" if dual else "Z", pivot=False)
        for qubit in qubits:
            body += _cnot(noise, *((check, qubit) if dual else (qubit, check)))
        body += _measured(noise, check, "X" if dual else "Z")
    return Verify(body=tuple(body), checks=tuple(checks), first=first)


def _phase(noise: Noise, preparation: Preparation, extractions: int, pauli: Literal["X", "Z"]) -> list[Instruction]:
    """Find and correct the errors of one type: ``|+>_L`` ancillas take up X errors, ``|0>_L`` ancillas take up Z errors."""
    if extractions < 1:
        raise ConfigError(
            "a recovery needs syndromes", got=f"{extractions} extractions", expected="extractions >= 1", fix="use 3"
        )
    width = len(BLOCK) + len(preparation.checks)
    steps: list[Instruction] = []
    syndromes = []
    for extraction in range(extractions):
        ancilla = tuple(range(len(BLOCK) + width * extraction, 2 * len(BLOCK) + width * extraction))
        steps.append(_ancilla(noise, preparation, "+" if pauli == "X" else "0", first=ancilla[0]))
        for data, helper in zip(BLOCK, ancilla, strict=True):
            steps += _cnot(noise, *((data, helper) if pauli == "X" else (helper, data)))
            steps += _measured(noise, helper, "Z" if pauli == "X" else "X")
        steps.append(Syndrome(bits=ancilla, checks=CHECKS))
        syndromes.append(ancilla[: len(CHECKS)])
    steps.append(Correct(syndromes=tuple(syndromes), table=((), *((q,) for q in BLOCK)), pauli=pauli))
    steps.append(Split(qubits=tuple(bit for syndrome in syndromes for bit in syndrome)))
    return steps


def _prepared(noise: Noise, qubit: int, basis: Basis, *, pivot: bool) -> list[Instruction]:
    steps: list[Instruction] = [Prepare(qubit=qubit, basis=basis), Depolarize1(qubit=qubit, rate=noise.reset)]
    if pivot:
        steps.append(Depolarize1(qubit=qubit, rate=noise.one_qubit))
    return _without_idle(steps)


def _cnot(noise: Noise, control: int, target: int) -> list[Instruction]:
    event = Depolarize2(first=control, second=target, rate=noise.two_qubit)
    return _without_idle([CX(control=control, target=target), event])


def _measured(noise: Noise, qubit: int, basis: Basis) -> list[Instruction]:
    return _without_idle([Measure(qubit=qubit, basis=basis), Flip(bit=qubit, rate=noise.measurement)])


def _without_idle(steps: list[Instruction]) -> list[Instruction]:
    """Events of rate 0 only cost time."""
    return [step for step in steps if getattr(step, "rate", 1.0) > 0]
