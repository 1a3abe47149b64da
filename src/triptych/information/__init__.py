"""How much does one variable tell about another? Mutual information with Gaussian mixtures.

Examples
--------
>>> import numpy as np
>>> from triptych.information import mutual_information
>>> rng = np.random.default_rng(0)
>>> x = rng.normal(size=1000)
>>> mi = mutual_information(x, x**2 + rng.normal(size=1000), rng=rng)
>>> mi.reliable, mi.p_value < 0.01
(True, True)
"""

from triptych.information.categorical import mutual_information_categorical
from triptych.information.divergence import Divergence, kl_divergence
from triptych.information.estimate import MutualInformation, mutual_information
from triptych.information.mixture import Mixture
from triptych.information.settings import Settings
from triptych.information.table import mutual_information_table

__all__ = [
    "Divergence",
    "Mixture",
    "MutualInformation",
    "Settings",
    "kl_divergence",
    "mutual_information",
    "mutual_information_categorical",
    "mutual_information_table",
]
