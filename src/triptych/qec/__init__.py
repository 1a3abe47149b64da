"""How often does a fault-tolerant protocol fail, to many digits and with a proof?

A program of gates, noise and error-correction tasks is followed as a probability tree over Pauli errors (E. Chi, S. A. Lyon,
M. Martonosi, Phys. Rev. A 77 (2008) 052315). States that no later step can tell apart are one state, thresholds prune the tree,
and a ledger of everything that was pruned turns the answer into a certified interval. Monte Carlo simulations that share nothing
but the program check it.

Examples
--------
>>> from triptych.qec import Noise, simulate, steane
>>> program = steane.tree_program(logical_qubits=4, noise=Noise.eshe())
>>> result = simulate(program, event_threshold=1e-8, merge_threshold=1e-14, merge="bounded")
>>> result.crash_rate.lower < 5.0185e-5 < result.crash_rate.upper
True
"""

from triptych.qec import criteria, program, protocols, steane, tasks
from triptych.qec.architecture import Architecture
from triptych.qec.budget import Budget, budget
from triptych.qec.builder import Builder
from triptych.qec.codes import CSSCode
from triptych.qec.describe import describe
from triptych.qec.detectors import logical_error_rates
from triptych.qec.model import ErrorModel
from triptych.qec.noise import Noise
from triptych.qec.preparations import NoisyAncilla
from triptych.qec.program import Program
from triptych.qec.pseudothreshold import pseudothreshold
from triptych.qec.reference import Thresholds
from triptych.qec.simulate import Result, simulate
from triptych.qec.stim_import import from_stim
from triptych.qec.stim_preparation import StimPreparation
from triptych.qec.tasks import QubitSet

__all__ = [
    "Architecture",
    "Budget",
    "Builder",
    "CSSCode",
    "ErrorModel",
    "Noise",
    "NoisyAncilla",
    "Program",
    "QubitSet",
    "Result",
    "StimPreparation",
    "Thresholds",
    "budget",
    "criteria",
    "describe",
    "from_stim",
    "logical_error_rates",
    "program",
    "protocols",
    "pseudothreshold",
    "simulate",
    "steane",
    "tasks",
]
