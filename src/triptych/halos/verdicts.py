"""What measured halos say of the paper's claims.

In: the table of :func:`triptych.halos.measure`. Out: verdicts on the claims of luciesmith2023 that present-day profiles decide.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from triptych.halos.nfw import nfw_shells
from triptych.runs import Verdict


def profile_verdicts(halos: xr.Dataset, *, least: int = 1000) -> list[Verdict]:
    """Does NFW fit inside r200m, and fail outside? From the residuals log10(rho / rho_NFW) of halos with `least` particles.

    Shells count as inside where they end within r200m; empty shells are left out.
    """
    chosen = halos.isel(halo=np.flatnonzero((halos["particles"] >= least) & (halos["problem"] == "")))
    inside, outside = [], []
    for row in range(chosen.sizes["halo"]):
        one = chosen.isel(halo=row)
        edges = one["r_edge"].to_numpy()
        model = nfw_shells(edges, float(one["rs"]), float(one["rho_s"]))
        filled = one["filled"].to_numpy()
        residual = np.log10(one["density"].to_numpy()[filled] / model[filled])
        within = edges[1:][filled] <= float(one["radius200"]) * (1 + 1e-9)
        inside.append(residual[within])
        outside.append(residual[~within])
    near, far = np.concatenate(inside), np.concatenate(outside)
    scatter = [float(np.subtract(*np.quantile(values, [0.84, 0.16])) / 2) for values in (near, far)]
    sample = f"{chosen.sizes['halo']} halos"
    fits = abs(float(np.median(near))) < 0.02 and scatter[0] < 0.1
    return [
        Verdict(
            id="luciesmith2023/eq1-nfw",
            verdict="holds" if fits else "does not hold",
            our_value=f"log10(rho/rho_NFW) inside r200m: median {np.median(near):+.3f}, "
            f"68 % within {scatter[0]:.2f} dex ({sample})",
        ),
        Verdict(
            id="luciesmith2023/background-outskirts-not-nfw",
            verdict="holds with another convention" if scatter[1] > 2 * scatter[0] else "does not hold",
            our_value=f"68 % within {scatter[0]:.2f} dex inside r200m, within {scatter[1]:.2f} dex from there to the last radius",
            note=f"for single halos against their own fits; the median beyond r200m is {np.median(far):+.3f} dex",
        ),
    ]
