"""Progress of long work, on stderr.

In: a label and a total. Out: a bar on a terminal, plain lines elsewhere, nothing where nobody asked for it (the default in
Python, and under ``--json``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from triptych import interrupts

SECONDS_BETWEEN_LINES = 5.0


@dataclass(slots=True, kw_only=True)
class Task:
    """Progress of one piece of work; call :meth:`advance` as it goes."""

    label: str
    total: int
    done: int = 0
    _bar: tuple[Progress, int] | None = None
    _plain: bool = False
    _last_line: float = field(default_factory=time.monotonic)

    def advance(self, n: int = 1) -> None:
        """Count `n` more units as done.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C or SIGTERM came, and nobody has heeded it yet.
        """
        interrupts.check()
        self.done += n
        if self._bar is not None:
            progress, bar = self._bar
            progress.update(bar, completed=self.done, description=self.label)  # type: ignore[arg-type]
        elif self._plain and (self.done >= self.total or time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES):
            self._last_line = time.monotonic()
            print(f"{self.label}: {self.done}/{self.total}", file=sys.stderr, flush=True)


_shown: ContextVar[Progress | bool] = ContextVar("shown", default=False)


@contextmanager
def showing() -> Iterator[None]:
    """Show the progress of all tasks inside this block."""
    console = Console(stderr=True)
    if not console.is_terminal:
        token = _shown.set(True)
        try:
            yield
        finally:
            _shown.reset(token)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        token = _shown.set(progress)
        try:
            yield
        finally:
            _shown.reset(token)


@contextmanager
def hidden() -> Iterator[None]:
    """Show no progress inside this block: of small steps in a task that is shown itself."""
    token = _shown.set(False)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def task(label: str, total: int) -> Iterator[Task]:
    """Progress of `total` units of work called `label`."""
    shown = _shown.get()
    if isinstance(shown, Progress):
        yield Task(label=label, total=total, _bar=(shown, shown.add_task(label, total=total)))
    else:
        yield Task(label=label, total=total, _plain=shown)
