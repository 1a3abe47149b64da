"""The independent check: Pauli errors drawn at random.

In: a program, a criterion, a number of shots, a generator. Out: how many shots crash. Nothing is shared with the tree but the
program and the criterion, and a rejected ancilla is really prepared again. From plain to fast:

- :func:`frames.sample <triptych.qec.montecarlo.frames.sample>`: every instruction, on columns of bits over the shots.
  With ``per_location=True`` it is the model that the paper races against.
- :func:`geometric.sample <triptych.qec.montecarlo.geometric.sample>`: jumps from fault to fault; most shots are never run.
- :func:`stratified.estimate <triptych.qec.montecarlo.stratified.estimate>`: shots with exactly k faults, weighed by how often k
  faults happen.

The last two need Numba, and are imported by name.
"""

from triptych.qec.montecarlo.frames import Counts, sample

__all__ = ["Counts", "sample"]
