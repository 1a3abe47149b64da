from __future__ import annotations

import numpy as np
import pytest

from tests.halos import gadget
from triptych.halos import read_snapshot


@pytest.fixture
def corner(tmp_path):
    """A halo of 3000 particles of unequal mass about the corner of a box of 1 Mpc/h, with 500 particles around."""
    rng = np.random.default_rng(5)
    halo = gadget.nfw_ball(3000, 20.0, 250.0, rng=rng)
    around = rng.uniform(0, 1000.0, (500, 3))
    path = tmp_path / "snapshot_007.hdf5"
    gadget.write_snapshot(path, np.concatenate([halo, around]) + 3.0, masses=rng.uniform(0.5, 1.5, 3500) * 0.01)
    return read_snapshot(path)
