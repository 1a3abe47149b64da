from __future__ import annotations

import numpy as np
import pytest

from triptych.halos.voxels.grids import deposit
from triptych.halos.voxels.symmetries import apply_symmetry, cube_symmetries

SYMMETRIES = cube_symmetries()


def test_the_48_symmetries_are_a_group_of_isometries():
    elements = {matrix.tobytes() for matrix in SYMMETRIES}
    assert len(elements) == len(SYMMETRIES) == 48
    assert {(a @ b).tobytes() for a in SYMMETRIES for b in SYMMETRIES} == elements
    np.testing.assert_array_equal(SYMMETRIES[0], np.eye(3))
    for matrix in SYMMETRIES:
        np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
        assert round(np.linalg.det(matrix)) in (1, -1)


def test_boxes_turn_as_the_matrices_multiply():
    box = np.random.default_rng(7).normal(size=(2, 3, 3, 3))
    number = {matrix.tobytes(): k for k, matrix in enumerate(SYMMETRIES)}
    for i, a in enumerate(SYMMETRIES):
        for j in (1, 9, 23, 40):
            both = apply_symmetry(apply_symmetry(box, i), j)
            np.testing.assert_array_equal(both, apply_symmetry(box, number[(SYMMETRIES[j] @ a).tobytes()]))


@pytest.mark.parametrize("n", [4, 5])
def test_each_voxel_goes_where_its_centre_goes(n):
    box = np.arange(n**3).reshape(n, n, n)
    places = np.stack(np.indices(box.shape), axis=-1).reshape(-1, 3)
    for k, matrix in enumerate(SYMMETRIES):
        moved = ((2 * places - (n - 1)) @ matrix.T + (n - 1)) // 2
        np.testing.assert_array_equal(apply_symmetry(box, k)[tuple(moved.T)], box[tuple(places.T)])


@pytest.mark.parametrize("scheme", ["ngp", "cic", "tsc", "sph"])
def test_turning_the_particles_turns_the_voxels(scheme):
    rng = np.random.default_rng(8)
    offsets, lengths, n = rng.uniform(-6, 6, (80, 3)), rng.uniform(0.2, 3.0, 80), 9

    def box(where):
        return deposit(where, 1.5, side=9.0, n=n, scheme=scheme, smoothing=lengths, out=np.empty((n, n, n)))

    for k, matrix in enumerate(SYMMETRIES):
        tolerance = 0.0 if scheme == "ngp" else 1e-11
        np.testing.assert_allclose(box(offsets @ matrix.T), apply_symmetry(box(offsets), k), rtol=tolerance, atol=tolerance)
