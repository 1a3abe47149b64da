"""The tree against the Monte Carlo at equal accuracy, in one run.

In: nothing. Out: a table on stdout. Both solve one bit-flip recovery of the [[7,1,3]] code; the Monte Carlo is given the time for
a fixed number of shots, and its price is scaled to the number at which its standard deviation equals half the certified interval.
"""

from __future__ import annotations

import numpy as np

from triptych.qec import Noise, simulate, steane

SHOTS = 500_000


def main() -> None:
    titles = ("p", "tree", "half-width", "tree s", "states", "shots needed", "their s", "ratio")
    print(" ".join(f"{title:>12}" for title in titles))
    for p in (1e-5, 1e-4, 1e-3, 1e-2):
        program = steane.bit_flip_recovery(Noise.uniform(p), preparation="8+1")
        tree = simulate(program, event_threshold=2e-4 * p, merge_threshold=2e-4 * p * p)
        drawn = simulate(program, engine="montecarlo", shots=SHOTS, rng=np.random.default_rng(1))
        rate, lower, upper = tree.crash_rate.value, tree.crash_rate.lower, tree.crash_rate.upper
        assert lower is not None and upper is not None
        shots = rate * (1 - rate) / ((upper - lower) / 2) ** 2
        seconds = shots * drawn.cost.seconds / SHOTS
        row = (p, rate, (upper - lower) / 2, tree.cost.seconds, tree.cost.counts["error_states"], shots, seconds)
        print(" ".join(f"{number:12.3g}" for number in (*row, seconds / tree.cost.seconds)))


if __name__ == "__main__":
    main()
