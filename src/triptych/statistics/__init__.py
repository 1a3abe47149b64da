"""Numbers with errors: the :class:`Estimate` that every panel returns, and how errors are estimated."""

from triptych.statistics.chains import mean_over_chains
from triptych.statistics.estimate import Estimate
from triptych.statistics.intervals import wilson

__all__ = ["Estimate", "mean_over_chains", "wilson"]
