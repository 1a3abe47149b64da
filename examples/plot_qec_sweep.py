r"""
When does encoding begin to pay?
================================

A recovery adds faults of its own. Below some error rate it mends more than it breaks: at the pseudothreshold the crash rate of
the encoded qubit equals :math:`p`, what a bare qubit suffers from one fault location. Here it is enclosed for six recoveries,
with two ancilla circuits and one to three syndromes in each vote.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from triptych.plotting import style
from triptych.qec.plots import plot_sweep
from triptych.qec.settings import EngineConfig
from triptych.qec.sweep import AxesConfig, SweepConfig, sweep
from triptych.runs import execute

# %%
# A sweep is one command,
#
# .. code-block:: console
#
#    $ triptych qec sweep --axes.preparations 9+3,8+1 --axes.extractions 1,2,3 --engine.relative-width 0.01
#
# or, in Python, the same configuration. A run directory holds the answer; asked again, it is read and not computed.

config = SweepConfig(
    axes=AxesConfig(p=(3e-4, 1e-3, 3e-3, 6e-3), preparations=("9+3", "8+1"), extractions=(1, 2, 3)),
    engine=EngineConfig(relative_width=1e-2),
)
run = execute("qec-sweep", config, sweep, out=Path(tempfile.mkdtemp()) / "sweep")

# %%
# At both ends of an interval the sign of (crash rate - p) is certified, so that a crossing lies inside.

for one in run.summary["pseudothresholds"]:
    print("{preparation}, extractions: {extractions}, pseudothreshold in [{lower:.4e}, {upper:.4e}]".format(**one))

# %%
# The vote of three is not the best in either. Most crashes come from the CNOTs between block and ancilla, of which each syndrome
# takes seven, and the third syndrome costs more than its vote gains. Two have to agree, or else nothing is corrected. (The block
# is clean at the start; what is left uncorrected, the next recovery has to mend.)

with style():
    fig, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    plot_sweep(run.load("results.nc"), ax=ax)
    ax.set_title("one recovery of the [[7,1,3]] code, uniform noise")
