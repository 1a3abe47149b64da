"""Self-test of the panel.

In: nothing. Out: whether two short calculations agree with exact answers, in about a second.
"""

from __future__ import annotations

from triptych.qec import steane
from triptych.qec.noise import Noise
from triptych.qec.program import Flip, Measure, Prepare, Program
from triptych.qec.simulate import simulate

ACCEPTANCE = 0.9978226256467
"""Of the 9+3 ancilla at p = 1e-4, exact to its last digit: the tests compute it by Walsh-Hadamard transform."""


def check() -> tuple[bool, str]:
    """The tree against the weight enumerator of the code (iid flips), and against the exact acceptance of an ancilla."""
    q = 0.01
    # Uncorrectable patterns modulo stabilizers, by weight 2 to 7: 21, 7, 28, 0, 7, 1.
    exact = sum(n * q**w * (1 - q) ** (7 - w) for w, n in zip(range(2, 8), (21, 7, 28, 0, 7, 1), strict=True))
    steps = [step for bit in range(7) for step in (Prepare(qubit=bit), Measure(qubit=bit), Flip(bit=bit, rate=q))]
    flips = Program(instructions=tuple(steps), blocks=(tuple(range(7)),))
    found = simulate(flips, criterion="readout", event_threshold=0, merge_threshold=0).crash_rate.value
    accepted = simulate(steane.verified_ancilla(Noise.uniform(1e-4))).acceptance
    assert accepted.lower is not None and accepted.upper is not None
    ok = abs(found / exact - 1) < 1e-12 and accepted.lower <= ACCEPTANCE <= accepted.upper
    return ok, f"logical flips {found:.10e} (exact {exact:.10e}); ancilla acceptance {accepted} (exact {ACCEPTANCE})"
