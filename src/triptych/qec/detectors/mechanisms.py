"""What each error event does to detectors and observables.

In: a linear program with the bits that are looked at, or Stim's detector error model. Out: for each independent event the XOR
vectors of its errors and their probabilities. This is all that a decoder can know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import stim

from triptych.errors import ConfigError
from triptych.qec import f2
from triptych.qec import program as do
from triptych.qec.tree.observed import pulled

Event = dict[int, float]
"""XOR vector -> probability, for the disjoint errors of one event; none is 0. The lowest bits are the observables, then come the
detectors."""

LINEAR = do.Gate | do.Measure | do.Syndrome | do.Merge | do.Split | do.Tally


class Mechanisms(NamedTuple):
    """Independent events on so many detectors and observables."""

    events: tuple[Event, ...]
    detectors: int
    observables: int

    @property
    def bits(self) -> int:
        """Detectors and observables together."""
        return self.detectors + self.observables


def of_program(program: do.Program, *, detectors: Sequence[int], observables: Sequence[int]) -> Mechanisms:
    """Pull the measured qubits `detectors` and `observables` back through the program, to each of its error events.

    Raises
    ------
    ConfigError
        If what an instruction does depends on the error, as with Verify and Correct.

    Notes
    -----
    Cost: (instructions) x (bits) integer operations, about a microsecond each.

    Examples
    --------
    >>> from triptych.qec import Builder, Noise
    >>> circuit = Builder(noise=Noise.uniform(0.15)).add(do.Prepare(qubit=0), do.Prepare(qubit=1)).cx(0, 1).measure(0, 1)
    >>> of_program(circuit.program(blocks=[]), detectors=[1], observables=[0]).events[0]
    {2: 0.04, 1: 0.04, 3: 0.04}
    """
    rows = [1 << 2 * bit for bit in (*observables, *detectors)]
    events: list[Event] = []
    for step in reversed(program.instructions):
        if isinstance(step, do.Event):
            events.append(_event(step, rows))
        elif isinstance(step, do.Prepare):
            rows = [row & ~(3 << 2 * step.qubit) for row in rows]
        elif isinstance(step, LINEAR):
            rows = [pulled(step, row) for row in rows]
        else:
            expected = "preparations, gates, Pauli noise, measurements"
            raise ConfigError("the program is not linear", got=type(step).__name__, expected=expected, fix="simulate it")
    return Mechanisms(tuple(event for event in reversed(events) if event), len(detectors), len(observables))


def _event(step: do.Event, rows: list[int]) -> Event:
    qubits, errors = do.outcomes(step)
    event: Event = {}
    for string, p in errors:
        error = do.packed(qubits, string)
        vector = sum(f2.parity(row & error) << i for i, row in enumerate(rows))
        if vector and p > 0:
            event[vector] = event.get(vector, 0.0) + p
    return event


def of_model(model: stim.DetectorErrorModel) -> Mechanisms:
    """The mechanisms of a detector error model; suggested decompositions (``^``) make no difference.

    Examples
    --------
    >>> of_model(stim.DetectorErrorModel("error(0.1) D0 ^ D1 L0"))
    Mechanisms(events=({7: 0.1},), detectors=2, observables=1)
    """
    events = []
    for step in model.flattened():
        if step.type == "error":
            vector = 0
            for target in step.targets_copy():
                if target.is_logical_observable_id():
                    vector ^= 1 << target.val
                elif target.is_relative_detector_id():
                    vector ^= 1 << model.num_observables + target.val
            if vector and step.args_copy()[0] > 0:
                events.append({vector: step.args_copy()[0]})
    return Mechanisms(tuple(events), model.num_detectors, model.num_observables)
