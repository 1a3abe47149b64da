import gc
import signal
import sys
from dataclasses import replace

import pytest

from triptych import interrupts
from triptych.errors import ConfigError
from triptych.runs import Comparison, Cost, progress
from triptych.statistics import Estimate


def test_progress_is_silent_unless_asked_for_and_plain_off_a_terminal(capfd):
    with progress.task("sampling", 2) as shown:
        shown.advance(2)
    assert capfd.readouterr() == ("", "")
    with progress.showing(), progress.task("sampling", 2) as shown:
        shown.advance()
        shown.advance()
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "sampling: 2/2\n"


@pytest.fixture
def signals(monkeypatch):
    """Handlers and hooks are put back afterwards."""
    monkeypatch.setattr(interrupts, "_asked", False)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_interrupt_that_a_library_swallows_is_raised_at_the_next_progress_without_noise(signals, capfd):
    def callback(phase, info):
        signal.raise_signal(signal.SIGTERM)

    interrupts.install()
    with progress.task("sampling", 3) as shown:
        shown.advance()
        gc.callbacks.append(callback)
        try:
            gc.collect()  # what a callback raises is lost
        finally:
            gc.callbacks.remove(callback)
        with pytest.raises(KeyboardInterrupt):
            shown.advance()
    assert capfd.readouterr().err == ""


def test_other_lost_exceptions_are_still_shown(signals, capfd):
    class Careless:
        def __del__(self):
            raise ValueError("lost")

    interrupts.install()
    Careless()
    assert "ValueError: lost" in capfd.readouterr().err


def test_a_worker_heeds_only_the_first_signal(signals):
    interrupts.install(once=True)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)


def test_prices_compare_unit_by_unit():
    ours, theirs = Cost(seconds=2.0, counts={"shots": 10, "states": 5}), Cost(seconds=1.0, counts={"shots": 1000})
    assert ours.against(theirs) == {"shots": 100.0, "seconds": 0.5}
    assert Cost.from_json(ours.to_json()) == ours
    with pytest.raises(ConfigError, match="cannot be negative"):
        Cost(seconds=-1.0)
    with pytest.raises(ConfigError, match="shots"):
        Cost(seconds=1.0, counts={"shots": -1})


def test_a_comparison_row_survives_json_and_shows_an_infinite_pull():
    row = Comparison(
        what="<Q_Z^2>",
        answer=Estimate.statistical(0.0, 0.0),
        truth=Estimate.exact(0.2),
        price=Cost(seconds=1.0),
        rival="exact formula",
        rival_price=Cost(seconds=0.1),
        note="frozen",
    )
    assert row.to_json()["pull"] is None
    assert Comparison.from_json(row.to_json()) == row
    assert row.cells()[3] == "-inf"
    assert row.cells()[6] == "0.1 s (0.1 times ours)"
    unmeasured = replace(row, rival_price=None)
    assert Comparison.from_json(unmeasured.to_json()) == unmeasured
    assert unmeasured.cells()[6] == "not measured"
