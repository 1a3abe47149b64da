"""Bias, errors and reliability over many data sets whose truth is known.

What is called reliable must be right: its bias small, its 68 % intervals true in 57 to 79 % of data sets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from tests.oracles.information import TASKS, gaussian
from triptych import runs
from triptych.information import mutual_information

FAMILY = tuple(gaussian(rho) for rho in (0.0, 0.1, 0.3, 0.6, 0.9, 0.99))
NAMED = {task.name: task for task in (*TASKS, *FAMILY)}
MANY, FEW = 400, 8  # data sets of 1000 and of 10 000 samples


class Ensemble(NamedTuple):
    """Estimates (data set,) of one task."""

    truth: float
    values: np.ndarray
    errors: np.ndarray
    reliable: np.ndarray

    @property
    def trusted(self):
        return bool(self.reliable.mean() > 0.5)

    @property
    def bias(self):
        return float(self.values.mean() - self.truth)

    @property
    def coverage(self):
        with np.errstate(invalid="ignore"):
            return float(np.mean(np.abs(self.values - self.truth) < self.errors))


def once(job):
    """Value, error and whether they are reliable, for the data set `number` of `n` samples of a task."""
    name, n, number = job
    rng = np.random.default_rng((n, number, *name.encode()))
    found = mutual_information(*NAMED[name].draw(n, rng), rng=rng, threads=1)
    return found.value, found.error, found.reliable


def ensembles(names, n, sets):
    """An :class:`Ensemble` for each task."""
    found = runs.map(once, [(name, n, number) for name in names for number in range(sets)], workers=2)
    columns = np.array(found).reshape(len(names), sets, 3).transpose(0, 2, 1)
    return {
        name: Ensemble(NAMED[name].truth, values, errors, reliable == 1)
        for name, (values, errors, reliable) in zip(names, columns, strict=True)
    }


@pytest.fixture(scope="module")
def thousand():
    return ensembles(NAMED, 1000, MANY)


@pytest.fixture(scope="module")
def ten_thousand():
    return ensembles(NAMED, 10_000, FEW)


def biased(found):
    """Tasks that most data sets call reliable, and are not."""
    limits = {name: max(0.02, 0.03 * one.truth) for name, one in found.items()}
    return {name: one.bias for name, one in found.items() if one.trusted and not abs(one.bias) < limits[name]}


@pytest.mark.slow
def test_a_thousand_samples(thousand):
    assert biased(thousand) == {}
    assert sum(thousand[task.name].trusted for task in TASKS) >= 6
    assert all(thousand[task.name].trusted for task in FAMILY)


@pytest.mark.slow
def test_ten_thousand_samples(ten_thousand):
    assert biased(ten_thousand) == {}
    assert sum(ten_thousand[task.name].trusted for task in TASKS) >= 7
    assert all(ten_thousand[task.name].trusted for task in FAMILY)


@pytest.mark.slow
def test_intervals_cover_the_truth(thousand):
    """At independence the information is no linear function of anything, and intervals cover more."""
    covered = {name: one.coverage for name, one in thousand.items() if one.trusted and one.truth > 0}
    assert {name: share for name, share in covered.items() if not 0.57 < share < 0.79} == {}
    assert thousand["normal 0.0"].coverage > 0.57
