r"""
A simulator of a machine drives the error model
===============================================

A block of the [[7,1,3]] code waits in memory. Waiting brings errors, and so does a recovery: when should the block be refreshed?
A toy simulator of the machine decides while it runs. It knows times, distances and which qubit is busy; of errors it knows
nothing. It tells an :class:`~triptych.qec.ErrorModel` what happens, one event after another, and asks it how the block is.
"""

import matplotlib.pyplot as plt
import numpy as np

from triptych import qec
from triptych.plotting import COLORS, band, style
from triptych.qec import program as do
from triptych.qec.architecture import decayed
from triptych.qec.criteria import CHECKS, LOCATION, css

# %%
# The machine has the times and rates of Table I. A qubit that is not touched decays; for how long is settled when it is needed.


class Machine:
    """A clock (s), and for each qubit the moment up to which its decay is settled."""

    def __init__(self, table):
        self.table = table
        self.clock = 0.0
        self.settled = {}
        self.model = qec.ErrorModel(event_threshold=1e-7, merge_threshold=1e-12)

    def settle(self, qubits):
        """These qubits have waited until now."""
        for q in qubits:
            rate = decayed(self.clock - self.settled[q], self.table.memory_decay)
            self.model.apply(do.Depolarize1(qubit=q, rate=rate))
            self.settled[q] = self.clock

    def spend(self, seconds, constant, qubits):
        """These qubits are busy for so long, and decay with this constant; all others wait."""
        self.settle(qubits)
        self.clock += seconds
        for q in qubits:
            self.model.apply(do.Depolarize1(qubit=q, rate=decayed(seconds, constant)))
            self.settled[q] = self.clock

    def move(self, distance, qubits):
        """Bring these qubits over a distance (um)."""
        self.spend(1e-6 * distance / self.table.movement_speed, self.table.transport_decay, qubits)

    def cnots(self, pairs):
        """Simultaneous CNOTs (control, target)."""
        self.settle([q for pair in pairs for q in pair])
        for control, target in pairs:
            self.model.apply(do.CX(control=control, target=target))
            self.model.apply(do.Depolarize2(first=control, second=target, rate=self.table.two_qubit_error))
        self.spend(self.table.two_qubit_time, self.table.operation_decay, [q for pair in pairs for q in pair])

    def measure(self, qubits, basis):
        """Turn these qubits into bits."""
        self.spend(self.table.measurement_time, self.table.operation_decay, qubits)
        for q in qubits:
            self.model.apply(do.Measure(qubit=q, basis=basis), do.Flip(bit=q, rate=self.table.measurement_error))


# %%
# A refresh is a recovery. In each phase three verified ancillas come from a millimetre away, take up the errors of one type, and
# are measured; a vote decides on the correction.


def refresh(machine, block):
    """The bit-flip phase and the phase-flip phase of a recovery."""
    encoder, noise = qec.steane.PREPARATIONS["9+3"], qec.Noise.of(machine.table)
    for pauli, state in (("X", "+"), ("Z", "0")):
        body = tuple(encoder.circuit(noise, state).instructions)
        syndromes = []
        for first in (10, 20, 30):
            ancilla = tuple(range(first, first + 7))
            machine.model.apply(do.Verify(body=body, checks=(7, 8, 9), first=first))
            machine.settled.update(dict.fromkeys(ancilla, machine.clock))
            machine.move(1000.0, ancilla)
            pairs = list(zip(block, ancilla, strict=True))
            machine.cnots(pairs if pauli == "X" else [(helper, data) for data, helper in pairs])
            machine.measure(ancilla, "Z" if pauli == "X" else "X")
            machine.model.apply(do.Syndrome(bits=ancilla, checks=CHECKS))
            syndromes.append(ancilla[:3])
        table = ((), *((q,) for q in block))
        machine.model.apply(do.Correct(syndromes=tuple(syndromes), table=table, pauli=pauli))
        machine.model.apply(do.Split(qubits=tuple(bit for bits in syndromes for bit in bits)))


# %%
# The scheduler looks at the block every twenty seconds: how likely is any error, correctable or not? Above a limit it refreshes.


def in_error(x, z):
    """The block differs from a code state."""
    return LOCATION[x] != 0 or LOCATION[z] != 0


def watch(limit):
    """Times (s), the crash rate if the block were decoded then, and the times of the refreshes."""
    machine, block = Machine(qec.Architecture.eshe()), tuple(range(7))
    machine.model.apply(*(do.Prepare(qubit=q) for q in block))
    machine.settled.update(dict.fromkeys(block, 0.0))
    times, rates, refreshed = [], [], []
    while machine.clock < 600:
        machine.clock += 20
        machine.settle(block)
        if machine.model.crash_rate([block], in_error).value > limit:
            refresh(machine, block)
            refreshed.append(machine.clock)
        times.append(machine.clock)
        rates.append(machine.model.crash_rate([block], css))
    return np.array(times), rates, np.array(refreshed)


runs = {limit: watch(limit) for limit in (1.0, 2e-2, 1e-2, 3e-3)}
for limit, (_, rates, refreshed) in runs.items():
    print(f"limit {limit:g}: {len(refreshed)} refreshes, crash rate after ten minutes {rates[-1]}")

# %%
# Without a refresh the crash rate grows as the square of time. A late refresh is expensive, since the errors that wait there meet
# those of the recovery; a frequent one pays for faults that memory would not have made in that time.

with style():
    fig, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for color, (limit, (times, rates, refreshed)) in zip(COLORS, runs.items(), strict=False):
        values = np.array([rate.value for rate in rates])
        label = "never" if limit == 1 else f"limit {limit:g}: {len(refreshed)} refreshes"
        ax.plot(times, values, color=color, label=label)
        ax.plot(refreshed, np.interp(refreshed, times, values), "o", markersize=3, color=color)
        band(ax, times, [rate.lower for rate in rates], [rate.upper for rate in rates], color=color)
    ax.set(xlabel="time in memory (s)", ylabel="crash rate, if decoded then", ylim=(0, 6e-4))
    ax.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    ax.legend(title="refreshed above a probability of errors")
