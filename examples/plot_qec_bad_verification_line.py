r"""
Which line should verify the ancilla?
=====================================

The nine-CNOT encoder of :math:`|0\rangle_L` can be verified by the parity of one line: three qubits that carry a logical Z. There
are seven such lines. Two make the ancilla fault tolerant; with the other five a single fault passes the check and ruins the data.
The crash rate tells them apart by its order in the noise, and the malignant single faults say why.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from triptych import qec
from triptych.plotting import COLORS, style

# %%
# The lines are the weight-3 words of the Hamming code. Each gives a circuit of its own.

nine = qec.steane.PREPARATIONS["9+3"]
lines = [bits for bits in range(128) if bits.bit_count() == 3 and qec.criteria.syndrome(bits) == 0]
lines = [tuple(q for q in range(7) if bits >> q & 1) for bits in lines]

# %%
# A bit-flip recovery for each, over two decades of uniform noise, exactly.

rates = np.array([1e-5, 1e-4, 1e-3])


def program(line, p):
    """A recovery whose ancillas are verified by this line."""
    return qec.steane.bit_flip_recovery(qec.Noise.uniform(p), preparation=replace(nine, checks=(line,)))


crashes = {line: np.array([qec.simulate(program(line, p)).crash_rate.value for p in rates]) for line in lines}
ranking = sorted(lines, key=lambda line: crashes[line][1])
for line in ranking:
    print("line", *line, f"  crash rate at p = 1e-4: {crashes[line][1]:.6e}")

# %%
# Why? Each location is tried by itself, without the exact engine: which of its errors pass the check and crash the block? Their
# probability is the first-order coefficient of the crash rate.

print("line    malignant single faults  c1 / p  crash rate / p at p = 1e-5")
fatal = {}
for line in ranking:
    found = qec.pairs.malignant_pairs(program(line, 1e-4), qec.criteria.css)
    fatal[line] = np.count_nonzero(found.singles)
    print(*line, f"  {fatal[line]:24} {found.first_order / 1e-4:7.3f} {crashes[line][0] / 1e-5:8.3f}")

worst = qec.pairs.malignant_pairs(program(ranking[-1], 1e-4), qec.criteria.css)
for (gadget, source), share in list(worst.by_step().items())[:3]:
    print(f"line {ranking[-1]}: {share:.1%} in {gadget}, {source}")

# %%
# The two good lines have none, so that their crash rate falls as the square of p; a crash rate of first order over p is flat.

color = dict(zip(sorted(set(fatal.values())), (COLORS[0], COLORS[3], COLORS[2], COLORS[1]), strict=False))
with style():
    fig, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for i, line in reversed(list(enumerate(ranking))):
        label = f"{{{', '.join(map(str, line))}}}: {fatal[line] or 'no'} malignant locations"
        ax.plot(rates, crashes[line] / rates, ("s--", "x-")[i % 2], markersize=4, color=color[fatal[line]], label=label)
    ax.plot(rates, 180 * rates, ":", color=COLORS[5], label=r"crash rate $\propto p^2$")
    ax.set(xscale="log", yscale="log", xlabel="physical error rate $p$ of each operation", ylabel="crash rate / $p$")
    legend = ax.legend(title="verified line", loc="upper left", bbox_to_anchor=(0, 0.78))
