"""Self-test of the lattice panel.

In: nothing. Out: whether short HMC chains and two exact routes agree, and the numbers.
"""

from __future__ import annotations

import jax

from triptych.lattice.exact import torus
from triptych.lattice.measure import measure
from triptych.lattice.sample import sample
from triptych.lattice.samplers import HMC


def check() -> tuple[bool, str]:
    """Compare HMC on 4 x 4 at beta = 2 with the exact plaquette (5 sigma), and the two exact routes with each other (1e-10)."""
    truth, other = torus(2.0, (4, 4)), torus(2.0, (4, 4), route="convolution")
    data = sample(
        beta=2.0,
        shape=(4, 4),
        chains=32,
        trajectories=100,
        thermalization=50,
        sampler=HMC(steps=8, step_size=0.15),
        key=jax.random.key(0),
    )
    answer = measure(data).plaquette
    pull = answer.pull(truth.plaquette)
    ok = pull is not None and abs(pull) < 5 and abs(truth.plaquette - other.plaquette) < 1e-10
    return ok, f"HMC plaquette {answer} against {truth.plaquette:.9f} (characters) and {other.plaquette:.9f} (convolution)"
