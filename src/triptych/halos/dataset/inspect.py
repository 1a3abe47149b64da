"""Whether a data set is what it should be.

In: a data set. Out: its mass function beside the expected one, and what is missing in its profiles, fits and histories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.halos.dataset.store import DataSet
from triptych.halos.mass_function import Power, tinker08

STEPS = 16  # of ln M in a bin, where the expected mass function is summed up


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found.

    Attributes
    ----------
    log_mass : (edge,), log10 of M200m in Msun/h between the bins.
    counts : (bin,), halos in each.
    expected : (bin,), by Tinker et al. (2008), in the volume of all simulations.
    deviance : twice the Poisson log-likelihood lost by `counts` against `expected`.
    empty_shells : share of shells without particles.
    failed_fits : share of halos whose NFW or Einasto fit failed.
    lost_histories : share of (halo, output) without a mass; None where there are no histories.
    """

    log_mass: NDArray[np.float64]
    counts: NDArray[np.int64]
    expected: NDArray[np.float64]
    deviance: float
    empty_shells: float
    failed_fits: dict[str, float]
    lost_histories: float | None

    def to_json(self) -> dict[str, Any]:
        """For a summary; the error of an expected number is that of counting."""
        rows = zip(self.log_mass, self.log_mass[1:], self.counts, self.expected, strict=False)
        return {
            "mass_function": [
                {
                    "log10_mass_from": float(low),
                    "log10_mass_to": float(high),
                    "halos": int(count),
                    "tinker08": {"value": float(mean), "error": float(np.sqrt(mean))},
                }
                for low, high, count, mean in rows
            ],
            "mass_function_deviance": self.deviance,
            "empty_shells": self.empty_shells,
            "failed_fits": self.failed_fits,
            "lost_histories": self.lost_histories,
        }


def inspect(data: DataSet, *, power: Power, bins: int = 8) -> Inspection:
    """Compare the masses of a data set with those that its cosmology and volume should hold, and count what is missing.

    The bins are equal in ln M between the cuts; a cut on the radius is one on the mass. Of mock halos, whose true masses the cuts
    are for, the true ones are counted.

    Parameters
    ----------
    power : of the simulations.
    bins : of the mass function.

    Notes
    -----
    Reads no boxes; about 1 s for colossus.
    """
    attributes, table = data.attributes, data.table
    lowest, highest = attributes.cuts.mass_range(attributes.cosmology)
    edges = np.linspace(np.log10(lowest), np.log10(highest), bins + 1)
    counts, _ = np.histogram(np.log10(table["truth/mass" if "truth/mass" in table else "mass"]), edges)
    volume = sum(one.box_size**3 for one in attributes.simulations)
    fine = np.log(10.0) * np.linspace(edges[0], edges[-1], bins * STEPS + 1)
    middle, step = (fine[1:] + fine[:-1]) / 2, np.diff(fine)
    density = tinker08(np.exp(middle), cosmology=attributes.cosmology, power=power, redshift=attributes.redshift)
    expected = volume * (density * step).reshape(bins, STEPS).sum(axis=1)
    ratio = np.where(counts > 0, counts, 1) / expected
    lost = float(np.isnan(table["history/mass"]).mean()) if "history/mass" in table else None
    return Inspection(
        log_mass=edges,
        counts=counts,
        expected=expected,
        deviance=float(2.0 * (expected - counts + counts * np.log(ratio)).sum()),
        empty_shells=float(1.0 - table["filled"].mean()),
        failed_fits={"nfw": float(table["problem"].mean()), "einasto": float(table["einasto_problem"].mean())},
        lost_histories=lost,
    )
