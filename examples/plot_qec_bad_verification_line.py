r"""
Which line should verify the ancilla?
=====================================

The nine-CNOT encoder of :math:`|0\rangle_L` can be verified by the parity of one line: three qubits that carry a logical Z. There
are seven such lines. Two make the ancilla fault tolerant; with the other five a single fault passes the check and ruins the data.
The probability tree tells them apart by the order of the crash rate in the noise.
"""

import matplotlib.pyplot as plt
import numpy as np

from triptych import qec
from triptych.plotting import COLORS, band, style

# %%
# The lines are the weight-3 words of the Hamming code. Each gives a circuit of its own.

nine = qec.steane.PREPARATIONS["9+3"]
lines = [bits for bits in range(128) if bits.bit_count() == 3 and qec.criteria.syndrome(bits) == 0]
lines = [tuple(q for q in range(7) if bits >> q & 1) for bits in lines]

# %%
# A bit-flip recovery for each, over two decades of uniform noise; thresholds follow by themselves.

rates = np.array([1e-5, 1e-4, 1e-3])


def crash_rates(line):
    """The certified crash rate at each error rate."""
    circuit = qec.steane.Preparation(pivots=nine.pivots, cnots=nine.cnots, checks=(line,))
    found = []
    for p in rates:
        program = qec.steane.bit_flip_recovery(qec.Noise.uniform(p), preparation=circuit)
        found.append(qec.simulate(program, relative_width=1e-2).crash_rate)
    return found


ranking = sorted(((line, crash_rates(line)) for line in lines), key=lambda row: row[1][1].value)
for line, found in ranking:
    print("line", *line, "  crash rate at p = 1e-4:", found[1])

# %%
# N harmful faults of probability p/15 in each of three ancillas give a crash rate of N p/5. Over p that is a flat line, from
# which N can be read off: 24, 16 or 8. The two good lines have none, so that their crash rate falls as the square of p.

color = dict(zip((0, 8, 16, 24), (COLORS[0], COLORS[3], COLORS[2], COLORS[1]), strict=True))
with style():
    fig, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for i, (line, found) in reversed(list(enumerate(ranking))):
        value, lower, upper = (np.array([getattr(rate, key) for rate in found]) / rates for key in ("value", "lower", "upper"))
        count = round(5 * value[0])
        band(ax, rates, lower, upper, color=color[count])
        label = f"{{{', '.join(map(str, line))}}}: {count or 'no'} harmful faults"
        ax.plot(rates, value, ("s--", "x-")[i % 2], markersize=4, color=color[count], label=label)
    ax.plot(rates, 180 * rates, ":", color=COLORS[5], label=r"crash rate $\propto p^2$")
    ax.set(xscale="log", yscale="log", xlabel="physical error rate $p$ of each operation", ylabel="crash rate / $p$")
    legend = ax.legend(title="verified line", loc="upper left", bbox_to_anchor=(0, 0.78))
