"""NFW fits against scipy's curve_fit and colossus, and Einasto fits against curve_fit, on the same profiles in one run.

In: nothing. Out: a table on stdout. Halos are drawn from NFW profiles and counted in 15 shells; the rivals fit the density at the
middle of the shells by least squares, the cheapest model there is, from the starting values of their own documentation; ours
integrates it over the shells, and fits the counts. One thread each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from colossus.cosmology import cosmology
from colossus.halo.profile_nfw import NFWProfile
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from triptych.halos import fit_nfw, nfw_density, sample_nfw
from triptych.halos.structure.einasto import einasto_density, fit_einasto

Floats = NDArray[np.float64]
HALOS, PARTICLES, TURNS = 2000, 20_000, 15
RIVALS = {"curve_fit": 30, "colossus": 5}  # fits in each turn


def main() -> None:
    rng = np.random.default_rng(1)
    edges = np.geomspace(9.8, 150.0, 16)
    middle, volume = np.sqrt(edges[1:] * edges[:-1]), 4 / 3 * np.pi * np.diff(edges**3)
    scales = rng.uniform(8.0, 40.0, HALOS)
    counts = np.array([np.histogram(sample_nfw(PARTICLES, rs, 150.0, rng=rng), edges)[0] for rs in scales])
    density, error = 8e7 * counts / volume, 8e7 * np.sqrt(np.maximum(counts, 1)) / volume
    cosmology.setCosmology("planck15")

    def least_squares(model: Callable[..., Floats], *start: float) -> Callable[[int], Any]:
        def fit(row: int) -> Any:
            sigma = error[row] / density[row]
            p0 = (np.log(20.0), np.log(density[row, 5]), *start)
            return curve_fit(model, middle, np.log(density[row]), p0=p0, sigma=sigma, method="lm")[0]

        return fit

    def log_nfw(r: Floats, log_rs: float, log_rho_s: float) -> Floats:
        return np.asarray(log_rho_s + np.log(nfw_density(r, np.exp(log_rs), 1.0)))

    def log_einasto(r: Floats, log_rs: float, log_rho_s: float, alpha: float) -> Floats:
        return np.asarray(log_rho_s + np.log(einasto_density(r, np.exp(log_rs), 1.0, alpha)))

    def colossus(row: int) -> Any:
        profile = NFWProfile(rhos=density[row, 5], rs=20.0)
        return np.log(profile.fit(middle, density[row], "rho", q_err=error[row], verbose=False)["x"][::-1])

    print(f"{'profile':>8} {'rival':>10} {'ours us':>8} {'rival us':>9} {'ratio':>6} {'median rs over theirs':>22}")
    for name, ours, rivals in (
        ("NFW", fit_nfw, {"curve_fit": least_squares(log_nfw), "colossus": colossus}),
        ("Einasto", fit_einasto, {"curve_fit": least_squares(log_einasto, 0.16)}),
    ):
        ours(edges, density[:2], error[:2])  # compiles
        times: dict[str, list[float]] = {"ours": [], **{rival: [] for rival in rivals}}
        theirs: dict[str, list[float]] = {rival: [] for rival in rivals}
        for turn in range(TURNS):  # one after the other, so that all see the same load
            began = time.perf_counter()
            fits: Any = ours(edges, density, error)
            times["ours"].append((time.perf_counter() - began) / HALOS)
            for rival, fit in rivals.items():
                rows = range(turn * RIVALS[rival], (turn + 1) * RIVALS[rival])
                began = time.perf_counter()
                theirs[rival] += [np.exp(fit(row)[0]) for row in rows]
                times[rival].append((time.perf_counter() - began) / len(rows))
        own = float(np.median(times["ours"]))
        for rival, scale in theirs.items():
            price, same = float(np.median(times[rival])), np.median(fits.rs[: len(scale)] / np.array(scale))
            print(f"{name:>8} {rival:>10} {own * 1e6:8.1f} {price * 1e6:9.1f} {price / own:6.0f} {same:22.4f}")


if __name__ == "__main__":
    main()
