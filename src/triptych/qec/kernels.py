"""How the panel compiles its inner loops.

In: a function of numbers and arrays. Out: its compiled version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call, and keep the result on disk; only for this process where no folder can be written."""
    try:
        return cast("Function", njit(cache=True)(function))
    except RuntimeError:  # no place for a cache
        return cast("Function", njit(function))
