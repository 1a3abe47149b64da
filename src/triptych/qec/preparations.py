"""Verified ancillas of the [[7,1,3]] code.

In: a circuit that prepares ``|0>_L``, and a noise model. Out: the steps of a verified ``|0>_L`` or ``|+>_L``, checks included.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from triptych.errors import ConfigError, did_you_mean
from triptych.qec.builder import Builder
from triptych.qec.criteria import CHECKS
from triptych.qec.noise import Noise

SIZE = 7
"""Qubits of a code block."""

Logical = Literal["0", "+"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A circuit for ``|0>_L`` with verification, in the qubit order of :data:`~triptych.qec.criteria.CHECKS`.

    Attributes
    ----------
    pivots : qubits that start in ``|+>``; the others start in ``|0>``.
    cnots : (control, target) in order.
    checks : qubits whose joint Z parity is copied onto one verification qubit each.

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

    @property
    def width(self) -> int:
        """Qubits of the circuit: the block, and one for each check."""
        return SIZE + len(self.checks)

    @classmethod
    def named(cls, name: str | Preparation) -> Preparation:
        """The preparation of this name in :data:`PREPARATIONS`; a preparation stands for itself.

        Raises
        ------
        ConfigError
            If there is none of this name.
        """
        if isinstance(name, Preparation):
            return name
        if name not in PREPARATIONS:
            fix = did_you_mean(name, list(PREPARATIONS))
            raise ConfigError("no such ancilla preparation", got=name, expected=" or ".join(PREPARATIONS), fix=fix)
        return PREPARATIONS[name]

    def circuit(self, noise: Noise, state: Logical) -> Builder:
        """The block on qubits 0-6 and its checks behind, measured.

        ``|+>_L`` is the dual circuit: bases trade places and CNOTs turn round. Behind each step stands the noise of that step, so
        that biased noise acts differently on the two; the event of the basis change stays with the pivots.

        Raises
        ------
        ConfigError
            If there is no such logical state.
        """
        if state not in ("0", "+"):
            raise ConfigError("no such logical state", got=state, expected="'0' or '+'")
        dual = state == "+"
        build = Builder(noise=noise, place="encoder")
        for qubit in range(SIZE):
            pivot = qubit in self.pivots
            build.prepare(qubit, basis="X" if pivot != dual else "Z")
            if pivot:
                build.strike("one_qubit", qubit).strike("one_qubit_decay", qubit)
        for control, target in self.cnots:
            build.cx(*((target, control) if dual else (control, target)))
        build.at("check")
        for check, qubits in enumerate(self.checks, start=SIZE):
            build.prepare(check, basis="X" if dual else "Z")
            for qubit in qubits:
                build.cx(*((check, qubit) if dual else (qubit, check)))
            build.measure(check, basis="X" if dual else "Z")
        return build


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
