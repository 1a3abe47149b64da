"""The room must work in both of JAX's widths, whatever the other tests have switched on."""

import jax
import pytest


@pytest.fixture(params=[32, 64])
def bits(request):
    with jax.enable_x64(request.param == 64):
        yield request.param


@pytest.fixture
def wide():
    with jax.enable_x64(True):
        yield
