"""How the house compiles its inner loops.

In: a function of numbers and arrays. Out: its compiled version, without Python's lock, so that threads run it side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call, and keep the result on disk; only for this process where no folder can be written."""
    return _compiled(function, fastmath=False)


def compiled_sums(function: Function) -> Function:
    """The same for loops whose sums may be taken in any order, so that the processor adds several numbers at once."""
    return _compiled(function, fastmath={"reassoc", "contract", "nsz", "arcp"})


def _compiled(function: Function, fastmath: bool | set[str]) -> Function:
    try:
        return cast("Function", njit(cache=True, nogil=True, fastmath=fastmath)(function))
    except RuntimeError:  # no place for a cache
        return cast("Function", njit(nogil=True, fastmath=fastmath)(function))
