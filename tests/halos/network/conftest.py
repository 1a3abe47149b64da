from __future__ import annotations

import pytest

from tests.halos.network import curves, universe
from triptych.halos.network import train


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A small data set of NFW halos."""
    return universe.write(tmp_path_factory.mktemp("universe") / "x.zarr")


@pytest.fixture(scope="session")
def ensemble():
    """Two networks of the curves."""
    return train(curves.examples(), curves.settings())


@pytest.fixture(scope="session")
def stems(data):
    """Two networks that see the halos in spherical cells."""
    return train(data, curves.settings("sphere"))


@pytest.fixture(scope="session")
def convolutions(data):
    """Two networks that see the halos in boxes, for long enough that they know that directions tell nothing."""
    return train(data, curves.settings("boxes", epochs=60, filters=4))
