"""The fixture with which a fault test tells the documentation what it saw."""

import pytest


@pytest.fixture
def seen(record_property):
    """Call it with the row that docs/reliability.md shows: fault, verb, what happens, exit code."""

    def record(fault, verb, outcome, code):
        record_property("fault", (fault, verb, outcome, code))

    return record
