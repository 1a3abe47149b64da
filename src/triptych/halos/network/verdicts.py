"""What trained networks say of the paper's claims.

In: the table of judged networks, or of a scan. Out: verdicts on the claims of luciesmith2023 that they decide; where there are
too few halos or networks for one, none.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from triptych.halos.verdicts import PAPER
from triptych.runs import Verdict

#: nats. The Letter calls its latents independent and names no threshold; the latents that its authors published share 0.09 nats.
INDEPENDENT = 0.1
LEAST_HALOS = 500  # an MI of two independent latents is then known to some 0.02 nats
LEAST_NETWORKS = 5
MOST = 0.8  # share of the networks that must agree
LETTER_LATENTS = 3
MOCK = "on a mock universe, which tests the method and not the physics of the Letter"


def independence_verdict(table: xr.Dataset, *, halos: int, source: str) -> list[Verdict]:
    """Are the latents of networks independent: MI of at most :data:`INDEPENDENT` between any two, in most of the networks?

    Parameters
    ----------
    table : of :func:`triptych.halos.network.judge.judge`.
    halos : that the networks were judged on.
    source : of the data set.
    """
    several = table["active"].to_numpy() >= 2
    if halos < LEAST_HALOS or several.sum() < LEAST_NETWORKS:
        return []
    worst = table["pair_mi"].max(["latent", "other"]).to_numpy()[several]
    share = np.mean(worst <= INDEPENDENT)
    return [
        Verdict(
            id=f"{PAPER}/model-latents-independent",
            verdict="holds" if share >= MOST else "does not hold",
            our_value=f"largest MI of two latents {np.median(worst):.3f} nats in the median of {len(worst)} networks, at most "
            f"{INDEPENDENT:g} in {(worst <= INDEPENDENT).sum()} of them, by {halos} halos (holds if in {MOST:.0%})",
            note=_of(source),
        )
    ]


def count_verdict(number: int, reason: str, *, kind: str, halos: int, members: int, source: str) -> list[Verdict]:
    """Are as many latents recommended as the Letter has: three, for profiles that go on beyond the virial radius?

    Parameters
    ----------
    number, reason : what :func:`triptych.halos.network.scan.recommendation` gives.
    kind : of the profiles.
    halos : that validated.
    members : networks of each setting.
    source : of the data set.
    """
    if kind != "infall" or halos < LEAST_HALOS or members < LEAST_NETWORKS:
        return []
    return [
        Verdict(
            id=f"{PAPER}/intro-three-latents",
            verdict="holds" if number == LETTER_LATENTS else "does not hold",
            our_value=f"{number} latents: {reason}",
            note=_of(source),
        )
    ]


def _of(source: str) -> str:
    return MOCK if source == "mock" else ""
