"""Ancillas: blocks in a logical state, for the extraction of syndromes.

In: a circuit that prepares ``|0>_L``, or the noise that a block comes with; and a noise model. Out: the steps of a verified
``|0>_L`` or ``|+>_L``, checks included. Circuits in Stim's language are in :mod:`triptych.qec.stim_preparation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

from triptych.errors import ConfigError, did_you_mean
from triptych.qec import f2
from triptych.qec.builder import Builder
from triptych.qec.codes import STEANE, CSSCode, Sector
from triptych.qec.criteria import CHECKS
from triptych.qec.noise import Noise
from triptych.qec.program import Flip, Measure, PauliChannel, Prepare

Logical = Literal["0", "+"]


class Ancilla(Protocol):
    """What all ancillas can do."""

    @property
    def size(self) -> int:
        """Qubits of the block: 0, 1, ... of the circuit, in the order of the code."""

    @property
    def width(self) -> int:
        """Qubits of the circuit; those behind the block are its checks."""

    def circuit(self, noise: Noise, state: Logical) -> Builder:
        """The block and its checks, measured: 0 where the block is accepted."""

    def require(self, code: CSSCode) -> None:
        """Refuse a code that this is no ancilla for."""


def named(name: str | Ancilla) -> Ancilla:
    """The preparation of this name in :data:`PREPARATIONS`; an ancilla stands for itself.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if not isinstance(name, str):
        return name
    if name not in PREPARATIONS:
        fix = did_you_mean(name, list(PREPARATIONS))
        raise ConfigError("no such ancilla preparation", got=name, expected=" or ".join(PREPARATIONS), fix=fix)
    return PREPARATIONS[name]


def require_state(state: Logical) -> None:
    """Refuse another state than ``|0>_L`` and ``|+>_L``."""
    if state not in ("0", "+"):
        raise ConfigError("no such logical state", got=state, expected="'0' or '+'")


def require_size(size: int, code: CSSCode) -> None:
    """Refuse a code with another number of qubits."""
    if size != code.n:
        fix = f"take a circuit of this code (Preparation, StimPreparation), or NoisyAncilla(size={code.n}, ...)"
        raise ConfigError("the ancilla does not fit the code", got=f"{size} qubits for {code}", expected=f"{code.n}", fix=fix)


def stabilizers(code: CSSCode, state: Logical) -> dict[Sector, tuple[int, ...]]:
    """X and Z operators that leave the logical state as it is."""
    zero = state == "0"
    return {
        "X": code.x_checks + (() if zero else code.logical_x),
        "Z": code.z_checks + (code.logical_z if zero else ()),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A circuit for ``|0>_L`` with verification, in the qubit order of the code.

    Attributes
    ----------
    pivots : qubits that start in ``|+>``; the others start in ``|0>``.
    cnots : (control, target) in order.
    checks : qubits whose joint Z parity is copied onto one verification qubit each.
    size : qubits of the block, by default those of the [[7,1,3]] code.

    Examples
    --------
    The circuit "9+3" with a single check, of the logical Z on qubits 2, 3 and 6:

    >>> from dataclasses import replace
    >>> one_check = replace(PREPARATIONS["9+3"], checks=((2, 3, 6),))
    >>> one_check.width
    8
    """

    pivots: tuple[int, ...]
    cnots: tuple[tuple[int, int], ...]
    checks: tuple[tuple[int, ...], ...]
    size: int = STEANE.n

    @property
    def width(self) -> int:
        """Qubits of the circuit: the block, and one for each check."""
        return self.size + len(self.checks)

    def circuit(self, noise: Noise, state: Logical) -> Builder:
        """The block on qubits 0, 1, ... and its checks behind, measured.

        ``|+>_L`` is the dual circuit: bases trade places and CNOTs turn round. Behind each step stands the noise of that step, so
        that biased noise acts differently on the two; the event of the basis change stays with the pivots.

        Raises
        ------
        ConfigError
            If there is no such logical state.
        """
        require_state(state)
        dual = state == "+"
        build = Builder(noise=noise, place="encoder")
        for qubit in range(self.size):
            pivot = qubit in self.pivots
            build.prepare(qubit, basis="X" if pivot != dual else "Z")
            if pivot:
                build.strike("one_qubit", qubit).strike("one_qubit_decay", qubit)
        for control, target in self.cnots:
            build.cx(*((target, control) if dual else (control, target)))
        build.at("check")
        for check, qubits in enumerate(self.checks, start=self.size):
            build.prepare(check, basis="X" if dual else "Z")
            for qubit in qubits:
                build.cx(*((check, qubit) if dual else (qubit, check)))
            build.measure(check, basis="X" if dual else "Z")
        return build

    def require(self, code: CSSCode) -> None:
        """Refuse a code of which the circuit does not prepare ``|0>_L``, or the dual circuit ``|+>_L``.

        Raises
        ------
        ConfigError
            If it does not: another number of qubits, other stabilizers, a check that is not certain, or X checks and Z checks
            that differ, so that the dual circuit prepares something else.
        """
        require_size(self.size, code)
        xs = [1 << q for q in self.pivots]
        zs = [1 << q for q in range(self.size) if q not in self.pivots]
        for control, target in self.cnots:
            xs = [row ^ (row >> control & 1) << target for row in xs]
            zs = [row ^ (row >> target & 1) << control for row in zs]
        checked = [*zs, *(sum(1 << q for q in qubits) for qubits in self.checks)]
        wanted = stabilizers(code, "0")
        if not (_same_span(xs, wanted["X"]) and _same_span(zs, wanted["Z"]) and _same_span(zs, checked)):
            expected = "|0>_L, and checks that are certain"
            raise ConfigError(
                f"the circuit does not prepare {code}", got=self, expected=expected, fix="number the qubits as the code does"
            )
        if not _same_span(code.x_checks, code.z_checks):
            fix = "take a StimPreparation with a circuit for each state, or a NoisyAncilla"
            raise ConfigError(f"the dual circuit does not prepare |+>_L of {code}", got="X checks unlike its Z checks", fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyAncilla:
    """A block whose circuit is not known, with the noise that it comes with: each qubit on its own is in error.

    Attributes
    ----------
    size : qubits of the block.
    x, y, z : probabilities of the errors, for each qubit, in either logical state.
    acceptance : of the block's verification, whatever its errors; one qubit behind the block stands for the verdict.

    Raises
    ------
    ConfigError
        If they are no probabilities.

    Examples
    --------
    >>> NoisyAncilla.depolarizing(1.5e-3, size=23)
    NoisyAncilla(size=23, x=0.0005, y=0.0005, z=0.0005, acceptance=1.0)
    """

    size: int
    x: float
    y: float
    z: float
    acceptance: float = 1.0

    def __post_init__(self) -> None:
        rates = (self.x, self.y, self.z)
        if not all(rate >= 0 for rate in rates) or not sum(rates) <= 1:
            raise ConfigError("the noise of an ancilla is no probability", got=rates, expected="x, y, z >= 0 and x + y + z <= 1")
        if not 0 < self.acceptance <= 1:
            raise ConfigError("acceptance is impossible", got=self.acceptance, expected="0 < acceptance <= 1")

    @classmethod
    def depolarizing(cls, rate: float, *, size: int, acceptance: float = 1.0) -> NoisyAncilla:
        """Each qubit has an error with this probability: X, Y or Z alike."""
        return cls(size=size, x=rate / 3, y=rate / 3, z=rate / 3, acceptance=acceptance)

    @property
    def width(self) -> int:
        """Qubits of the block, and one for the verdict."""
        return self.size + 1

    def circuit(self, noise: Noise, state: Logical) -> Builder:
        """The block on qubits 0, 1, ... and the verdict behind, measured.

        Raises
        ------
        ConfigError
            If there is no such logical state.
        """
        require_state(state)
        build = Builder(noise=noise)
        errors = tuple((letter, p) for letter, p in (("X", self.x), ("Y", self.y), ("Z", self.z)) if p > 0)
        for qubit in range(self.size):
            build.add(Prepare(qubit=qubit))
            if errors:
                build.add(PauliChannel(qubits=(qubit,), errors=errors, source="ancilla"))
        build.add(Prepare(qubit=self.size), Measure(qubit=self.size))
        if self.acceptance < 1:
            build.add(Flip(bit=self.size, rate=1 - self.acceptance, source="ancilla"))
        return build

    def require(self, code: CSSCode) -> None:
        """Refuse a code with another number of qubits."""
        require_size(self.size, code)


def _same_span(rows: Iterable[int], others: Iterable[int]) -> bool:
    return set(f2.basis(rows)) == set(f2.basis(others))


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
"""Circuits for the [[7,1,3]] code."""
