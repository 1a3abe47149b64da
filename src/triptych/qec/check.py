"""Self-test of the panel.

In: nothing. Out: whether three short calculations agree with exact answers and with each other, in a few seconds.
"""

from __future__ import annotations

import numpy as np

from triptych.qec import steane
from triptych.qec.noise import Noise
from triptych.qec.program import Flip, Measure, Prepare, Program
from triptych.qec.simulate import simulate

ACCEPTANCE = 0.9978226256467
"""Of the 9+3 ancilla at p = 1e-4, exact to its last digit: the tests compute it by Walsh-Hadamard transform."""


def check() -> tuple[bool, str]:
    """Flips against the weight enumerator of the code, an acceptance, and a recovery: exact engine, tree and Monte Carlo."""
    q = 0.01
    # Uncorrectable patterns modulo stabilizers, by weight 2 to 7: 21, 7, 28, 0, 7, 1.
    exact = sum(n * q**w * (1 - q) ** (7 - w) for w, n in zip(range(2, 8), (21, 7, 28, 0, 7, 1), strict=True))
    steps = [step for bit in range(7) for step in (Prepare(qubit=bit), Measure(qubit=bit), Flip(bit=bit, rate=q))]
    flips = Program(instructions=tuple(steps), blocks=(tuple(range(7)),))
    found = simulate(flips, criterion="readout", event_threshold=0, merge_threshold=0).crash_rate.value
    accepted = simulate(steane.verified_ancilla(Noise.uniform(1e-4)), engine="tree").acceptance
    recovery = steane.recovery(Noise.uniform(1e-2))
    whole = simulate(recovery, engine="exact", criterion="readout").crash_rate
    tree = simulate(recovery, engine="tree", criterion="readout").crash_rate
    rng = np.random.default_rng(2008)
    drawn = simulate(recovery, engine="montecarlo", criterion="readout", shots=100_000, rng=rng).crash_rate
    assert accepted.lower is not None and accepted.upper is not None and drawn.error is not None
    assert tree.lower is not None and tree.upper is not None
    ok = abs(found / exact - 1) < 1e-12 and accepted.lower <= ACCEPTANCE <= accepted.upper
    ok = ok and tree.lower <= whole.value <= tree.upper and abs(whole.value - drawn.value) < 5 * drawn.error
    return ok, (
        f"logical flips {found:.10e} (exact {exact:.10e}); ancilla acceptance {accepted} (exact {ACCEPTANCE}); "
        f"recovery at p = 0.01 {whole} (tree {tree}, Monte Carlo {drawn})"
    )
