"""What measured halos say of the paper's claims.

In: the table of :func:`triptych.halos.measure`. Out: verdicts on the claims of luciesmith2023 that present-day profiles decide.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from triptych.halos.structure.nfw import nfw_shells
from triptych.runs import Verdict

EQ1 = "luciesmith2023/eq1-nfw"
#: 5 %, as "~5 % accuracy, comparable to the accuracy of NFW fits" in the Letter: its Fig. S.1 shows the mean log10 residual of
#: many halos in each radial bin. That is a standard for the average halo, not for a single one.
ACCURACY = 0.02
#: Each has to pass: over all radii at once the fit of a wrong shape also has a median near 0, that of an r^-2 sphere for one.
RANGES = ("inner", "middle", "outer")
LEAST_PARTICLES = 1000  # in each halo: the 15 shells inside r200m then have counting errors of some 10 %
#: The shells of the sample's halos scatter by 0.06 dex; even if those of one halo moved together, the median of 20 halos would be
#: known to 1.25 x 0.06 / sqrt(20) = 0.017 dex, better than ACCURACY.
LEAST_HALOS = 20
LEAST_FITTED = 0.9  # share of the halos with a fit at all; with fewer, NFW does not describe them
REJECTED = 0.01  # p-value below which chi-squared rejects a fit
ROUGH = 1.5  # median deviance/dof of 20 halos that counting errors alone (1.0 +- 0.1) do not reach


def profile_verdicts(halos: xr.Dataset) -> list[Verdict]:
    """Does NFW describe the average halo inside r200m? From the residuals log10(rho / rho_NFW) of the halos' own fits.

    Holds if the median residual is within :data:`ACCURACY` in the inner, middle and outer third of each halo's shells inside
    r200m; empty shells are left out. Fewer than :data:`LEAST_HALOS` halos, or another mass definition, give no verdict.
    """
    large = halos.isel(halo=np.flatnonzero(halos["particles"] >= LEAST_PARTICLES))
    if halos.attrs["mass_definition"] != "200m" or large.sizes["halo"] < LEAST_HALOS:
        return []
    fitted = large.isel(halo=np.flatnonzero(large["problem"] == ""))
    number = f"{fitted.sizes['halo']} of {large.sizes['halo']} halos"
    if fitted.sizes["halo"] < LEAST_FITTED * large.sizes["halo"]:
        return [Verdict(id=EQ1, verdict="does not hold", our_value=f"only {number} have an NFW fit at all")]
    thirds = [_residuals(fitted.isel(halo=row)) for row in range(fitted.sizes["halo"])]
    medians = [float(np.median(np.concatenate(third))) for third in zip(*thirds, strict=True)]
    reduced = float((fitted["deviance"] / fitted["dof"]).median())
    rejected = float(np.mean(stats.chi2.sf(fitted["deviance"], fitted["dof"]) < REJECTED))
    found = ", ".join(f"{median:+.3f} {name}" for median, name in zip(medians, RANGES, strict=True))
    return [
        Verdict(
            id=EQ1,
            verdict="holds" if max(map(abs, medians)) < ACCURACY else "does not hold",
            our_value=f"median log10(rho/rho_NFW) {found} third inside r200m (holds if all within {ACCURACY}, 5 %); "
            f"median deviance/dof {reduced:.1f}; {number} fitted",
            note="for the average halo, as the Letter's own accuracy is meant; single halos are "
            + ("no" if reduced > ROUGH else "not told from")
            + f" smooth NFW spheres: chi-squared rejects {rejected:.0%} of their fits at p < {REJECTED}",
        )
    ]


def _residuals(halo: xr.Dataset) -> list[NDArray[np.float64]]:
    """log10(rho / rho_NFW) of one halo in the inner, middle and outer third of its shells inside r200m."""
    edges = halo["r_edge"].to_numpy()
    within = np.flatnonzero(edges[1:] <= float(halo["halo_radius"]) * (1 + 1e-9))
    ratio = halo["density"].to_numpy() / nfw_shells(edges, float(halo["rs"]), float(halo["rho_s"]))
    return [np.log10(ratio[third][ratio[third] > 0]) for third in np.array_split(within, len(RANGES))]
