"""The command line in a process of its own, and what its answers have in common."""

import json
import subprocess
import sys

TRIPTYCH = [sys.executable, "-m", "triptych.cli"]


def triptych(*arguments, cwd, before=()):
    """Run the command line to its end; `before` is a command that runs it, such as ``unshare ...``."""
    return subprocess.run([*before, *TRIPTYCH, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300)


def refusal(done, code):
    """The first line of the one message that a failing command printed."""
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    messages = [line for line in done.stderr.splitlines() if line.startswith("triptych: ")]
    assert len(messages) == 1, done.stderr
    return messages[0].removeprefix("triptych: ")


def answer(done):
    """The JSON summary of a command that succeeded, without what a clock wrote."""
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return without_times(json.loads(done.stdout))


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key != "seconds"}
    return [without_times(item) for item in value] if isinstance(value, list) else value
