"""Tuned samplers have the acceptance that was asked for, measured anew with the driver."""

from __future__ import annotations

import math
from functools import partial

import jax
import pytest

from triptych.errors import ConfigError, ConvergenceError
from triptych.lattice.measure import measure
from triptych.lattice.sample import sample
from triptych.lattice.samplers.hmc import HMC, Omelyan
from triptych.lattice.samplers.tempered import Tempered
from triptych.lattice.tuning import tune_step_size, tune_steps

WHERE = {"beta": 3.0, "shape": (4, 4), "key": jax.random.key(8)}
TUNED_TO = 0.3 / math.sqrt(1024)  # the trials' own error


def acceptance(sampler):
    """By chains that find their own equilibrium, from hot starts."""
    data = sample(
        beta=3.0,
        shape=(4, 4),
        chains=400,
        trajectories=50,
        thermalization=100,
        start="hot",
        sampler=sampler,
        key=jax.random.key(9),
    )
    return measure(data).acceptance


@pytest.mark.parametrize(
    ("build", "target"),
    [(partial(Omelyan, steps=3), 0.8), (partial(Tempered, steps=8, heat=0.2), 0.5)],
    ids=["omelyan", "tempered"],
)
def test_step_size_meets_the_target(build, target):
    found = acceptance(tune_step_size(build, target=target, **WHERE))
    assert abs(found.value - target) < 4 * math.hypot(found.error, TUNED_TO)
    assert found.error < 0.01


def test_fewest_steps_meet_the_target():
    tuned = tune_steps(HMC, length=1.5, target=0.9, **WHERE)
    assert tuned.step_size == 1.5 / tuned.steps
    fewer = HMC(steps=tuned.steps - 1, step_size=1.5 / (tuned.steps - 1))
    enough, too_few = acceptance(tuned), acceptance(fewer)
    assert enough.value > 0.9 - 4 * math.hypot(enough.error, TUNED_TO)
    assert too_few.value < 0.9 + 4 * math.hypot(too_few.error, TUNED_TO)
    assert 0.01 < enough.value - too_few.value < 0.1


def test_the_same_key_gives_the_same_answer():
    build = partial(HMC, steps=6)
    assert tune_step_size(build, **WHERE).step_size == tune_step_size(build, **WHERE).step_size


def test_step_sizes_of_one_number_of_steps_are_compiled_once(monkeypatch):
    traced = []
    move = HMC.move
    monkeypatch.setattr(HMC, "move", lambda self, start, theory: traced.append(self) or move(self, start, theory))
    tune_step_size(partial(HMC, steps=11), **WHERE)
    assert len(traced) == 1


def test_impossible_targets():
    with pytest.raises(ConvergenceError, match="no step size"):
        tune_step_size(partial(HMC, steps=6), **{**WHERE, "beta": 0.0})
    with pytest.raises(ConvergenceError, match="no number of steps"):
        tune_steps(lambda *, steps, step_size: Tempered(steps=16, step_size=step_size, heat=2.0), length=3.0, **WHERE)


@pytest.mark.parametrize("bad", [{"target": 0.0}, {"target": 1.0}, {"draws": 1}, {"beta": -1.0}, {"shape": (1, 4)}])
def test_refusals(bad):
    ((name, value),) = bad.items()
    for tune in (partial(tune_steps, HMC, length=1.0), partial(tune_step_size, HMC)):
        with pytest.raises(ConfigError, match=name) as refused:
            tune(**{**WHERE, **bad})
        assert str(value) in str(refused.value)


def test_a_length_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="length"):
        tune_steps(HMC, length=0.0, **WHERE)
