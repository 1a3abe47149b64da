"""The names of the panel."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from triptych import halos


def test_every_name_is_there_and_explained():
    assert halos.__all__ == sorted(halos.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    for name in halos.__all__:
        found = getattr(halos, name)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert found.__doc__ and found.__module__.startswith("triptych.halos"), name


def test_importing_the_panel_is_light():
    """JAX, Numba, Zarr, colossus and Matplotlib come with the names that need them."""
    program = (
        "import sys, triptych.halos\n"
        "heavy = {'jax', 'numba', 'zarr', 'colossus', 'matplotlib', 'diffmah', 'pynbody', 'tangos'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "triptych.halos.voxelise\n"
        "assert 'numba' in sys.modules and 'colossus' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'spheres_of_influence'"):
        halos.spheres_of_influence  # noqa: B018


@pytest.mark.parametrize("package", ["zarr", "colossus", "diffmah"])
def test_without_an_extra_the_package_is_named(package):
    """In a process of its own, where the package cannot be found."""
    program = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)\n"
        "try:\n    import triptych.halos\n"
        f"except ModuleNotFoundError as error:\n    assert error.name == {package!r}, error.name\n"
        "else:\n    raise AssertionError('imported')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
