"""The command line: ``triptych PANEL VERB``.

In: arguments. Out: results on stdout, progress and errors on stderr, and an exit code: 0 ok, 2 usage, 3 invalid data, 4 not
converged, 130 interrupted (the same command resumes). Panels and `information` are imported only when one of their verbs is asked
for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App
from cyclopts.exceptions import CycloptsError, UnknownCommandError

from triptych import PANELS, STANDALONE, __version__, interrupts
from triptych.errors import TriptychError, did_you_mean

ABOUT = {
    "qec": "How often does a fault-tolerant protocol fail? Probability trees with a certificate.",
    "lattice": "How to get independent gauge configurations when topology freezes? Trained and classical samplers.",
    "halos": "Which physical histories shape a halo's density profile? Simulations to profiles.",
    "information": "How much does one variable tell about another? Mutual information with honest errors.",
}

app = App(
    name="triptych",
    help="Three papers, every claim re-run, and taken further.\n\nStart with: triptych tour",
    version=__version__,
    suppress_keyboard_interrupt=False,
)
for _room in PANELS + STANDALONE:
    app.command(f"triptych.cli.{_room}:app", name=_room, help=ABOUT[_room])
app.command("triptych.cli.tour:tour", name="tour", help="Run all panels at small scale and write an HTML report.")
app.command("triptych.cli.claims:claims", name="claims", help="What the papers claim, and what our runs say of it.")
app.command("triptych.cli.doctor:doctor", name="doctor", help="Versions, devices, extras, and a self-test of each panel.")
app.command("triptych.cli.show:show", name="show", help="Show what a run directory holds.")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    interrupts.install()
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except UnknownCommandError as error:
        word, known = (error.unused_tokens or [""])[0], [name for name in error.app or () if not name.startswith("-")]
        return _refuse(f"there is no command {word!r}", did_you_mean(word, known), 2)
    except CycloptsError as error:
        return _refuse(str(error), "see triptych --help", 2)
    except TriptychError as error:
        return _refuse(str(error), None, error.exit_code)
    except KeyboardInterrupt:
        return _refuse("interrupted; the same command resumes the run", None, 130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of stdout has gone: nobody is left to tell
        return 1
    return 0


def _refuse(message: str, fix: str | None, code: int) -> int:
    print(f"triptych: {message}" + (f"\n  fix:      {fix}" if fix else ""), file=sys.stderr)
    return code
