"""Ctrl-C and SIGTERM, in a way that no library can swallow.

In: a signal. Out: KeyboardInterrupt at once; and where that is lost (in a callback of the garbage collector, for instance), once
more at the next sign of progress.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

_asked = False


def install(*, once: bool = False) -> None:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt from now on.

    With `once`, later signals do nothing: a worker process gets one from the terminal and one from its parent, and the second
    must not disturb what the first made it save.
    """
    global _asked
    _asked = False

    def ask(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a signal handler)
        global _asked
        if once and _asked:
            return
        _asked = True
        raise KeyboardInterrupt

    def keep_quiet(lost: sys.UnraisableHookArgs) -> None:
        """An interrupt that a callback swallowed is raised again by :func:`check`; its traceback would tell users nothing."""
        if not (_asked and isinstance(lost.exc_value, KeyboardInterrupt)):
            sys.__unraisablehook__(lost)

    sys.unraisablehook = keep_quiet
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)


def check() -> None:
    """Raise KeyboardInterrupt if a signal has come."""
    if _asked:
        raise KeyboardInterrupt
