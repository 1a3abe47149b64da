"""The probability tree of Sec. II on arrays, with lazy gates, observed functionals and a ledger.

In: a program. Out: what its crash rate is between.
"""

from triptych.qec.tree.engine import Attempt, Pruning, Rule, Tree, tries
from triptych.qec.tree.observed import of_block, score
from triptych.qec.tree.sets import QubitSet

__all__ = ["Attempt", "Pruning", "QubitSet", "Rule", "Tree", "of_block", "score", "tries"]
