"""Triptych: three papers, every claim re-run, and taken further.

Panels: :mod:`triptych.qec`, :mod:`triptych.lattice`, :mod:`triptych.halos`; and :mod:`triptych.information`, which stands alone.
Each is imported when it is first used, so that one works where the dependencies of the others are not installed.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from triptych.errors import MissingExtraError

__version__ = "0.1.0"
PANELS = ("qec", "lattice", "halos")
STANDALONE = ("information",)
__all__ = ["PANELS", "STANDALONE", "__version__", "halos", "information", "lattice", "qec"]


def __getattr__(name: str) -> ModuleType:
    if name not in PANELS + STANDALONE:
        raise AttributeError(f"module 'triptych' has no attribute {name!r}")
    try:
        return importlib.import_module(f"triptych.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("triptych"):
            raise
        raise MissingExtraError(
            f"triptych.{name} is not installed", got=f"no module {error.name!r}", fix=f"pip install 'triptych[{name}]'"
        ) from error
