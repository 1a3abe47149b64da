"""The self-test passes, and fails where the estimate is wrong."""

from __future__ import annotations

import dataclasses

from triptych.information import check
from triptych.statistics import Estimate


def test_the_self_test_passes_and_can_fail(monkeypatch):
    ok, sentence = check.check()
    assert ok and "exact 0.4133" in sentence
    estimate = check.mutual_information

    def halved(*data, **options):
        found = estimate(*data, **options)
        return dataclasses.replace(found, estimate=Estimate.statistical(found.value / 3, found.error))

    monkeypatch.setattr(check, "mutual_information", halved)
    assert not check.check()[0]
    monkeypatch.setattr(
        check, "mutual_information", lambda *data, **options: dataclasses.replace(estimate(*data, **options), p_value=0.5)
    )
    assert not check.check()[0]
