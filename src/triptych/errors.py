"""Every error that Triptych raises on purpose.

In: what went wrong, what was found, what was expected, how to mend it. Out: one readable message, and the exit code that the
command line returns for it. Anything else that reaches the user is a bug in Triptych.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import final


class TriptychError(Exception):
    """Base of all errors raised on purpose (abstract: raise one of its children).

    Parameters
    ----------
    what : the thing that is wrong, in the user's words.
    got : the offending value, shown as it is.
    expected : what would have been accepted.
    fix : what the user can do now.

    Examples
    --------
    >>> print(ConfigError("noise.p is no probability", got=1.5, expected="0 <= p <= 1", fix="give a rate, not a percentage"))
    noise.p is no probability
      got:      1.5
      expected: 0 <= p <= 1
      fix:      give a rate, not a percentage
    """

    exit_code: int = 1

    def __init__(self, what: str, *, got: object = None, expected: str = "", fix: str = "") -> None:
        self.what, self.got, self.expected, self.fix = what, got, expected, fix
        lines = [what]
        if got is not None:
            lines.append(f"  got:      {got}")
        if expected:
            lines.append(f"  expected: {expected}")
        if fix:
            lines.append(f"  fix:      {fix}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.got, self.expected, self.fix))


def _rebuild(kind: type[TriptychError], what: str, got: object, expected: str, fix: str) -> TriptychError:
    """Errors travel between processes; keyword-only arguments need this to survive pickling."""
    return kind(what, got=got, expected=expected, fix=fix)


@final
class ConfigError(TriptychError):
    """An option, a configuration file or an argument is not acceptable (exit code 2)."""

    exit_code = 2


@final
class MissingExtraError(TriptychError):
    """A panel or an optional feature is asked for whose dependencies are not installed (exit code 2)."""

    exit_code = 2


@final
class DataError(TriptychError):
    """Input data cannot be read, or cannot be what it claims to be (exit code 3)."""

    exit_code = 3


@final
class ConvergenceError(TriptychError):
    """A calculation stopped before it reached what was asked for; what it has is kept (exit code 4)."""

    exit_code = 4


@final
class RunBusyError(TriptychError):
    """Another process is at work in the run directory (exit code 2)."""

    exit_code = 2


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint that names the closest known word, or all of them where none is close.

    Examples
    --------
    >>> did_you_mean("preparaton", ["kind", "preparation"])
    "did you mean 'preparation'?"
    >>> did_you_mean("xyz", ["kind", "code"])
    'known here: code, kind'
    """
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"
