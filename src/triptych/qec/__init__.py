"""How often does a fault-tolerant protocol fail, to many digits and with a proof?

A program of gates, noise and error-correction tasks is followed as a probability tree over Pauli errors (E. Chi, S. A. Lyon,
M. Martonosi, Phys. Rev. A 77 (2008) 052315, Sec. II). Thresholds prune the tree, a ledger of everything that was pruned turns the
answer into a certified interval, and a Monte Carlo that shares nothing but the program checks it.

Examples
--------
>>> from triptych.qec import Noise, simulate, steane
>>> program = steane.bit_flip_recovery(Noise.uniform(1e-4), preparation="8+1")
>>> result = simulate(program, event_threshold=1e-6, merge_threshold=1e-12)
>>> result.crash_rate.lower < result.crash_rate.value < result.crash_rate.upper < 1e-4
True
"""

from triptych.qec import criteria, program, steane, tasks
from triptych.qec.noise import Noise
from triptych.qec.program import Program
from triptych.qec.reference import Thresholds
from triptych.qec.simulate import Result, simulate
from triptych.qec.tasks import QubitSet

__all__ = ["Noise", "Program", "QubitSet", "Result", "Thresholds", "criteria", "program", "simulate", "steane", "tasks"]
