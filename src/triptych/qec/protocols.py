"""Programs for a CSS code.

In: a noise model, and how a block is recovered. Out: programs for a verified ancilla, for one recovery (Sec. III: bit-flip phase,
then phase-flip phase, each with three syndrome extractions and a majority vote), and for logical CNOTs on several blocks.

Data blocks of n qubits start without error, at their first use: block i lies on qubits n i to n i + n - 1. A logical CNOT is
transversal, on all logical qubits of two blocks at once. It takes one cycle and each syndrome extraction another; blocks that
wait meanwhile suffer idle errors, and ancillas are prepared off-line beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal, TypedDict, Unpack

from triptych.errors import ConfigError
from triptych.qec import f2, preparations
from triptych.qec.builder import Builder
from triptych.qec.codes import CSSCode, Sector
from triptych.qec.noise import Noise
from triptych.qec.preparations import Ancilla, Logical
from triptych.qec.program import Correct, Program, Split, Syndrome, Tally

Otherwise = Literal["abort", "skip", "use"]


class Options(TypedDict, total=False):
    """How blocks are recovered: the keyword arguments that all programs with a recovery share.

    Attributes
    ----------
    code : a :class:`~triptych.qec.codes.CSSCode`, or the name of one; by default ``"steane"``, the [[7,1,3]] code.
    preparation : the ancillas: ``"9+3"`` (nine CNOTs, three checks; the default) or ``"8+1"`` (eight CNOTs, one check), both for
        the [[7,1,3]] code; or a circuit of one's own (:class:`~triptych.qec.preparations.Preparation`,
        :class:`~triptych.qec.stim_preparation.StimPreparation`), or the noise that ancillas come with
        (:class:`~triptych.qec.preparations.NoisyAncilla`).
    extractions : syndromes taken in each phase, by default 3; more than half of them must agree for a correction.
    supply, otherwise : how many ancilla blocks there are to try for each extraction (None, the default, is without limit), and
        what happens where all are rejected; see :class:`~triptych.qec.program.Verify`.
    """

    code: str | CSSCode
    preparation: str | Ancilla
    extractions: int
    supply: int | None
    otherwise: Otherwise


def verified_ancilla(
    noise: Noise, *, code: str | CSSCode = "steane", preparation: str | Ancilla = "9+3", state: Logical = "0"
) -> Program:
    """One verified ancilla block on qubits 0, 1, ..., scored as a block.

    Parameters
    ----------
    noise : rates behind every operation.
    code, preparation : see :class:`Options`.
    state : ``"0"`` for ``|0>_L``, ``"+"`` for ``|+>_L``.

    Raises
    ------
    ConfigError
        If the code, the preparation or the state is not known, or if the preparation does not fit the code.

    Examples
    --------
    >>> verified_ancilla(Noise.uniform(1e-3)).physical_qubits
    10
    """
    chosen = preparations.named(preparation)
    chosen.require(CSSCode.named(code))
    circuit = Builder(noise=noise)
    block = circuit.verify(chosen.circuit(noise, state), checks=range(chosen.size, chosen.width))
    return circuit.program(blocks=[block])


def bit_flip_recovery(noise: Noise, **options: Unpack[Options]) -> Program:
    """One block, clean at the start: the bit-flip phase of a recovery (Sec. III).

    Parameters
    ----------
    noise : rates behind every operation.
    options : see :class:`Options`.

    Raises
    ------
    ConfigError
        If the code or the preparation is not known, if they do not fit together, or if there are no extractions.

    Examples
    --------
    >>> bit_flip_recovery(Noise.uniform(1e-3)).physical_qubits
    37

    The Golay code, with ancillas whose qubits have depolarizing errors:

    >>> ancilla = preparations.NoisyAncilla.depolarizing(1e-3, size=23)
    >>> golay = bit_flip_recovery(Noise.uniform(1e-3), code="golay", preparation=ancilla)
    >>> len(golay.blocks[0]), golay.physical_qubits
    (23, 95)
    """
    machine = _Machine(noise, 1, **options)
    machine.use(0)
    machine.phase(0, "X")
    return machine.program()


def recovery(noise: Noise, **options: Unpack[Options]) -> Program:
    """One block, clean at the start: a whole recovery, bit-flip phase and then phase-flip phase (Sec. III).

    Parameters and errors are those of :func:`bit_flip_recovery`.

    Examples
    --------
    >>> recovery(Noise.uniform(1e-3)).physical_qubits
    67
    """
    machine = _Machine(noise, 1, **options)
    machine.use(0)
    machine.phase(0, "X")
    machine.phase(0, "Z")
    return machine.program()


def cnot_recovery(noise: Noise, **options: Unpack[Options]) -> Program:
    """Two blocks: a logical CNOT 0 -> 1, recovery of both, measurement.

    Parameters and errors are those of :func:`bit_flip_recovery`.

    Examples
    --------
    >>> cnot_recovery(Noise.uniform(1e-3)).physical_qubits
    134
    """
    return _phases(noise, 2, [[(0, 1)]], options)


def two_qubit(noise: Noise, **options: Unpack[Options]) -> Program:
    """Two blocks: a logical CNOT 0 -> 1, recovery of both, a second such CNOT, measurement (Sec. IV.A).

    Parameters and errors are those of :func:`bit_flip_recovery`.

    Examples
    --------
    >>> two_qubit(Noise.uniform(1e-3)).physical_qubits
    134
    """
    machine = _Machine(noise, 2, **options)
    machine.cnots([(0, 1)])
    machine.cnot(0, 1)
    machine.measure()
    return machine.program()


def tree_program(noise: Noise, *, logical_qubits: int = 2, **options: Unpack[Options]) -> Program:
    """Logical CNOTs in a tree (Sec. IV.C), each followed by recovery of both blocks; measurement of all blocks at the end.

    In phase k = 0, 1, ... block i < 2^k is the control of a CNOT onto block i + 2^k, as far as there is one. Two blocks are
    :func:`cnot_recovery`.

    Parameters and errors are those of :func:`bit_flip_recovery`; fewer than two logical qubits are refused.

    Examples
    --------
    >>> tree_program(Noise.uniform(1e-3), logical_qubits=10).physical_qubits  # as many as in Sec. IV.C
    1150
    """
    phases = [
        [(i, i + 2**k) for i in range(min(2**k, logical_qubits - 2**k))] for k in range(max(logical_qubits - 1, 0).bit_length())
    ]
    return _phases(noise, logical_qubits, phases, options)


def ring_program(noise: Noise, *, logical_qubits: int = 2, **options: Unpack[Options]) -> Program:
    """Two rounds of logical CNOTs i -> i + 1 (modulo their number), one by one, each followed by recovery of both blocks.

    Errors can run round the ring, so that no order of the blocks separates them. Measurement of all blocks at the end.

    Parameters and errors are those of :func:`bit_flip_recovery`; fewer than two logical qubits are refused.

    Examples
    --------
    >>> ring_program(Noise.uniform(1e-3), logical_qubits=3).physical_qubits
    741
    """
    ring = [[(i, (i + 1) % logical_qubits)] for i in range(logical_qubits)]
    return _phases(noise, logical_qubits, ring + ring, options)


PROGRAMS: MappingProxyType[str, Callable[..., Program]] = MappingProxyType(
    {
        "recovery": recovery,
        "bit_flip_recovery": bit_flip_recovery,
        "cnot_recovery": cnot_recovery,
        "two_qubit": two_qubit,
        "tree": tree_program,
        "ring": ring_program,
    }
)
"""The programs by name; ``tree`` and ``ring`` take the number of logical qubits."""


def _phases(noise: Noise, logical_qubits: int, phases: list[list[tuple[int, int]]], options: Options) -> Program:
    """Phases of simultaneous logical CNOTs, each with its recoveries; measurement."""
    if logical_qubits < 2:
        raise ConfigError("a logical CNOT needs two blocks", got=f"{logical_qubits} logical qubits", expected=">= 2")
    machine = _Machine(noise, logical_qubits, **options)
    for pairs in phases:
        machine.cnots(pairs)
    machine.measure()
    return machine.program()


class _Machine:
    """A program on several blocks, while it is written."""

    def __init__(
        self,
        noise: Noise,
        logical_qubits: int,
        *,
        code: str | CSSCode = "steane",
        preparation: str | Ancilla = "9+3",
        extractions: int = 3,
        supply: int | None = None,
        otherwise: Otherwise = "abort",
    ) -> None:
        if extractions < 1:
            raise ConfigError(
                "a recovery needs syndromes", got=f"{extractions} extractions", expected="extractions >= 1", fix="use 3"
            )
        self.code, self.preparation = CSSCode.named(code), preparations.named(preparation)
        self.preparation.require(self.code)
        self.circuit = Builder(noise=noise)
        self.ancillas = {"X": self.preparation.circuit(noise, "+"), "Z": self.preparation.circuit(noise, "0")}
        self.extractions, self.supply, self.otherwise = extractions, supply, otherwise
        n = self.code.n
        self.blocks = [tuple(range(n * i, n * (i + 1))) for i in range(logical_qubits)]
        self.used: set[int] = set()

    def program(self) -> Program:
        return self.circuit.program(blocks=self.blocks)

    def use(self, *blocks: int) -> None:
        """Blocks appear, without error, where they are used for the first time."""
        for i in blocks:
            if i not in self.used:
                self.circuit.block(self.code.n, first=self.blocks[i][0])
                self.used.add(i)

    def cnots(self, pairs: list[tuple[int, int]]) -> None:
        """One phase: simultaneous logical CNOTs on different blocks, and recovery of these while the others wait."""
        busy = [i for pair in pairs for i in pair]
        for control, target in pairs:
            self.cnot(control, target)
            for i in (control, target):
                self.phase(i, "X")
                self.phase(i, "Z")
                self.circuit.add(Tally(blocks=(self.blocks[i],)))
        for i in sorted(self.used.difference(busy)):
            self.circuit.at("data").idle(*self.blocks[i], cycles=1 + 2 * self.extractions)

    def cnot(self, control: int, target: int) -> None:
        self.use(control, target)
        self.circuit.at("logical")
        for a, b in zip(self.blocks[control], self.blocks[target], strict=True):
            self.circuit.cx(a, b)

    def phase(self, block: int, errors: Sector) -> None:
        """Find and correct the errors of one type: ``|+>_L`` ancillas take up X errors, ``|0>_L`` ancillas take up Z errors."""
        data, width = self.blocks[block], self.preparation.width
        checks = range(self.code.n, width)
        parities = tuple(tuple(f2.entries(row)) for row in self.code.checks(errors))
        syndromes, marks = [], []
        for extraction in range(self.extractions):
            ancilla = self.circuit.verify(
                self.ancillas[errors],
                checks=checks,
                first=self.code.n * len(self.blocks) + width * extraction,
                supply=self.supply,
                otherwise=self.otherwise,
            )
            if self.supply is not None and self.otherwise == "skip":
                marks.append(ancilla[0] + checks[0])
            self.circuit.at("extraction")
            for qubit, helper in zip(data, ancilla, strict=True):
                self.circuit.cx(*((qubit, helper) if errors == "X" else (helper, qubit)))
                self.circuit.measure(helper, basis="Z" if errors == "X" else "X")
            self.circuit.add(Syndrome(bits=ancilla, checks=parities))
            syndromes.append(ancilla[: len(parities)])
        table = tuple(tuple(data[q] for q in f2.entries(error)) for error in self.code.table(errors))
        self.circuit.add(
            Correct(syndromes=tuple(syndromes), table=table, pauli=errors, absent=tuple(marks)),
            Split(qubits=(*(bit for syndrome in syndromes for bit in syndrome), *marks)),
        )

    def measure(self) -> None:
        """The final readout of all blocks."""
        for block in self.blocks:
            self.circuit.at("data").read(*block)
