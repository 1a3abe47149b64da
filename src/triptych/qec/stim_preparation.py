"""Ancillas prepared by circuits in Stim's language.

In: circuits for ``|0>_L`` and ``|+>_L`` as text, and a noise model. Out: the steps of a verified block, as
:mod:`triptych.qec.preparations` has them. Stim's simulator checks that the state is the code's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import stim

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec.builder import Builder
from triptych.qec.codes import CSSCode
from triptych.qec.noise import Noise
from triptych.qec.preparations import Logical, require_size, require_state, stabilizers

Step = tuple[str, tuple[int, ...]]
"""An instruction of Stim (R, RX, H, CX, M or MX) and its qubits."""

_DUAL = {"R": "RX", "RX": "R", "H": "H", "M": "MX", "MX": "M"}
_SILENT = ("TICK", "QUBIT_COORDS", "SHIFT_COORDS", "DETECTOR", "OBSERVABLE_INCLUDE")


@dataclass(frozen=True, kw_only=True)
class StimPreparation:
    r"""Circuits for ``|0>_L`` and ``|+>_L`` in Stim's language.

    Attributes
    ----------
    zero : the text of the circuit for ``|0>_L``: resets (or none: qubits start in ``|0>``), H, CX, and measurements in the Z or
        the X basis. The first qubits are the block, in the order of the code; those behind it are measured once each, as checks.
        The noise model puts noise behind each of these steps, so that the circuit has none.
    plus : the circuit for ``|+>_L``; without it, the dual of `zero`, which is right where X checks and Z checks are the same.

    Raises
    ------
    ConfigError
        If Stim cannot read a circuit, or if it has other instructions, uses a qubit again after its measurement, or measures
        qubits that are not the last.

    Examples
    --------
    Eight CNOTs and one check for the [[7,1,3]] code (Goto, Sci. Rep. 6 (2016) 19578):

    >>> from triptych.qec.codes import STEANE
    >>> eight = StimPreparation(zero="H 0 2 5 \n CX 0 1 2 4 5 6 5 4 2 3 0 6 2 1 6 3 \n CX 4 7 1 7 6 7 \n MR 7")
    >>> eight.require(STEANE)
    >>> eight.size, eight.width
    (7, 8)

    For larger codes, mqt-qecc finds circuits, with their checks behind the block. They are Qiskit's, and come in by way of Stim::

        circuit = gate_optimal_verification_circuit(heuristic_prep_circuit(code, zero_state=True))
        ancilla = StimPreparation(zero=str(qiskit_to_stim_circuit(circuit)))
    """

    zero: str
    plus: str | None = None

    def __post_init__(self) -> None:
        sizes = {_block(steps) for steps in self._steps.values()}
        if len(sizes) > 1:
            raise ConfigError("the circuits for |0>_L and |+>_L differ in size", got=f"(block, checks) = {sorted(sizes)}")

    @cached_property
    def _steps(self) -> dict[Logical, tuple[Step, ...]]:
        zero = _parsed(self.zero)
        return {"0": zero, "+": _dual(zero) if self.plus is None else _parsed(self.plus)}

    @property
    def size(self) -> int:
        """Qubits of the block: those that are not measured."""
        return _block(self._steps["0"])[0]

    @property
    def width(self) -> int:
        """Qubits of the circuit: the block, and one for each check."""
        return sum(_block(self._steps["0"]))

    def circuit(self, noise: Noise, state: Logical) -> Builder:
        """The circuit, with our noise behind each step; gates with a check are in the place ``"check"``.

        Raises
        ------
        ConfigError
            If there is no such logical state.
        """
        require_state(state)
        build = Builder(noise=noise)
        for name, qubits in self._steps[state]:
            build.at("check" if max(qubits) >= self.size else "encoder")
            match name:
                case "R" | "RX":
                    build.prepare(*qubits, basis="X" if name == "RX" else "Z")
                case "H":
                    build.h(*qubits)
                case "CX":
                    build.cx(*qubits)
                case "M" | "MX":
                    build.measure(*qubits, basis="X" if name == "MX" else "Z")
        return build

    def require(self, code: CSSCode) -> None:
        """Refuse a code of which the circuits do not prepare ``|0>_L`` and ``|+>_L``, as Stim's simulator sees it.

        Raises
        ------
        ConfigError
            If an operator that should leave the state as it is does not, or if a check is not certain.
        """
        require_size(self.size, code)
        for state, steps in self._steps.items():
            simulator = stim.TableauSimulator()
            for name, qubits in steps:
                if name in ("M", "MX") and (simulator.peek_z if name == "M" else simulator.peek_x)(*qubits) != 1:
                    raise ConfigError("a check is not certain", got=f"{name} {qubits[0]} for |{state}>_L", expected="outcome 0")
                simulator.do(stim.CircuitInstruction(name, qubits))
            for letter, rows in stabilizers(code, state).items():
                for row in rows:
                    operator = stim.PauliString(self.width)
                    for q in f2.entries(row):
                        operator[q] = letter
                    if simulator.peek_observable_expectation(operator) != 1:
                        fix = "number the qubits as the code does; give both circuits where X checks and Z checks differ"
                        got = f"{letter} on {list(f2.entries(row))} is not 1"
                        raise ConfigError(f"the circuit does not prepare |{state}>_L of {code}", got=got, fix=fix)


def _parsed(text: str) -> tuple[Step, ...]:
    """The steps of a circuit in Stim's language, with a reset of each qubit where it is used first."""
    try:
        circuit = stim.Circuit(text).flattened()
    except ValueError as error:
        raise ConfigError("Stim cannot read the circuit", got=error) from None
    steps: list[Step] = []
    there: set[int] = set()
    measured: set[int] = set()
    for instruction in circuit:
        name = {"MR": "M", "MRX": "MX"}.get(instruction.name, instruction.name)
        if name in _SILENT:
            continue
        if name not in ("CX", *_DUAL) or instruction.gate_args_copy():
            expected = "resets, H, CX and measurements, without noise"
            raise ConfigError("not an instruction of a preparation", got=instruction, expected=expected)
        for group in instruction.target_groups():
            qubits = tuple(target.value for target in group)
            late = name in ("R", "RX") and there.intersection(qubits)
            if late or measured.intersection(qubits) or not all(target.is_qubit_target for target in group):
                expected = "qubits that are reset at most once, at the start, and not used after their measurement"
                raise ConfigError("the circuit uses a qubit again", got=instruction, expected=expected)
            if name not in ("R", "RX"):
                steps += [("R", (q,)) for q in qubits if q not in there]
            steps.append((name, qubits))
            there.update(qubits)
            measured.update(qubits if name in ("M", "MX") else ())
    size = len(there) - len(measured)
    if not measured or there != set(range(len(there))) or min(measured) < size:
        got = f"qubits {sorted(there)}, of which {sorted(measured)} are measured"
        raise ConfigError(
            "the checks are not behind the block", got=got, expected="qubits 0, 1, ..., of which the last are measured"
        )
    return tuple(steps)


def _dual(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Bases trade places, and CNOTs turn round."""
    return tuple(("CX", qubits[::-1]) if name == "CX" else (_DUAL[name], qubits) for name, qubits in steps)


def _block(steps: Iterable[Step]) -> tuple[int, int]:
    """Qubits of the block, and of the checks."""
    made = sum(name in ("R", "RX") for name, _ in steps)
    checks = sum(name in ("M", "MX") for name, _ in steps)
    return made - checks, checks
