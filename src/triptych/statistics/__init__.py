"""Numbers with errors: the :class:`Estimate` that every panel returns, and how errors are estimated."""

from triptych.statistics.autocorrelation import Autocorrelation, autocorrelation, frozen_autocorrelation_time
from triptych.statistics.bootstrap import bootstrap
from triptych.statistics.chains import mean_over_chains
from triptych.statistics.estimate import Estimate
from triptych.statistics.intervals import clopper_pearson, wilson

__all__ = [
    "Autocorrelation",
    "Estimate",
    "autocorrelation",
    "bootstrap",
    "clopper_pearson",
    "frozen_autocorrelation_time",
    "mean_over_chains",
    "wilson",
]
