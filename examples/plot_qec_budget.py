r"""
What should the next machine do better?
=======================================

The crash rate of a protocol depends on every error rate of the machine. Its derivative by each says where an improvement pays;
the malignant pairs of fault locations, those that can crash the protocol where both go wrong, say at which step. Here is the
error budget of a logical CNOT with recoveries of both blocks, at the error rates of Table I (without decay).
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from triptych.plotting import style
from triptych.qec.budget_command import BudgetConfig, report
from triptych.qec.plots import plot_budget, plot_steps
from triptych.qec.settings import NoiseConfig, ProgramConfig
from triptych.runs import execute

# %%
# The budget is one command,
#
# .. code-block:: console
#
#    $ triptych qec budget --program.kind cnot_recovery --noise.preset eshe_rates
#
# or, in Python, the same configuration.

config = BudgetConfig(program=ProgramConfig(kind="cnot_recovery"), noise=NoiseConfig(preset="eshe_rates"))
run = execute("qec-budget", config, report, out=Path(tempfile.mkdtemp()) / "budget")

# %%
# A share is rate times derivative, over the sum of all. The crash rate itself is close to its term of second order: no single
# fault is fatal, and three rarely meet.

print("crash rate {crash_rate:.6e}, of first order {first_order:g}, of second {orders[0]:.6e}".format(**run.summary))
for row in run.summary["classes"][:4]:
    print("{name:18} share {share:8.3%}   derivative {derivative:.3g}".format(**row))
print("malignant pairs:", run.summary["malignant_pairs"], "among", run.summary["locations"], "locations")

# %%
# Two-qubit gates are nearly all of it, and more than half of that are the CNOTs between block and ancilla. On the right the same
# gates by the step that they belong to: a fault counts there with half the weight of each malignant pair that it is part of.

with style():
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), width_ratios=(3, 2), layout="constrained")
    plot_budget(run.load("results.nc"), ax=left)
    plot_steps(run.load("results.nc"), ax=right)
