"""A self-test of the halos panel.

In: the small sample of the package. Out: whether masses agree with SUBFIND's and a known profile comes back, in one sentence.
"""

from __future__ import annotations

import numpy as np

from triptych.halos.measure import measure
from triptych.halos.sample import sample_data
from triptych.halos.simulation.catalogue import read_catalogue
from triptych.halos.structure.nfw import fit_nfw, nfw_shells


def check() -> tuple[bool, str]:
    """Measure the coarse sample; about 0.2 s."""
    groups = read_catalogue(sample_data("tiny32"))
    halos = measure(sample_data("tiny32"), groups)
    worst = float(np.abs(halos["mass"].to_numpy() / groups.m200m[halos["id"].to_numpy()] - 1).max())
    edges = np.geomspace(10.0, 200.0, 16)
    density = nfw_shells(edges, rs=25.0, rho_s=1e6)
    rs = float(fit_nfw(edges, density, 0.1 * density).rs)
    sentence = (
        f"M200m of {halos.sizes['halo']} real halos is within {worst:.1e} of SUBFIND's (at most 1e-2), "
        f"and a fitted NFW scale radius is {rs:.6f} kpc/h (25)."
    )
    return worst < 0.01 and abs(rs - 25.0) < 1e-6, sentence
