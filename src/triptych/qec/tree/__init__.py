"""The probability tree of Sec. II on arrays, with lazy gates, observed functionals and a ledger.

In: a program. Out: what its crash rate is between.
"""

from triptych.qec.tree import f2
from triptych.qec.tree.engine import Attempt, Pruning, QubitSet, Rule, Tree, tries
from triptych.qec.tree.observed import of_block, score

__all__ = ["Attempt", "Pruning", "QubitSet", "Rule", "Tree", "f2", "of_block", "score", "tries"]
