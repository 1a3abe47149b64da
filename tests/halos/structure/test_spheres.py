from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import halos as oracle
from triptych.errors import DataError
from triptych.halos import index


@pytest.mark.parametrize("centre", [(3.0, 3.0, 3.0), (-5.0, 999.0, 500.0), (500.0, 500.0, 500.0)])
def test_a_sphere_holds_the_nearest_images(corner, centre):
    sphere = index(corner).around(centre, 400.0)
    every = oracle.distances(corner.positions, corner.box_size, np.mod(centre, 1000.0))
    np.testing.assert_allclose(sphere.radii, np.sort(every[every <= 400.0]), rtol=1e-12)
    np.testing.assert_array_equal(sphere.masses, corner.masses[np.argsort(every)[: len(sphere.radii)]])


@pytest.mark.parametrize("reach", [500.01, 0.0, -1.0, float("nan")])
def test_a_sphere_must_fit_into_the_box(corner, reach):
    with pytest.raises(DataError, match="does not fit"):
        index(corner).around((0, 0, 0), reach)
