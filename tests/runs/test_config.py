from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import ConfigError
from triptych.runs import load, options, to_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    name: Literal["hmc", "exact"] = "hmc"
    step_size: float = field(default=0.1, metadata={"help": "leapfrog step"})
    steps: int = 10

    def __post_init__(self):
        if self.step_size <= 0:
            raise ConfigError("sampler.step_size must be positive", got=self.step_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    shape: tuple[int, int] = (8, 8)
    beta: float = 4.0
    quiet: bool = False
    note: str = ""
    output: int | None = None
    couplings: tuple[float, ...] = (2.0, 3.0)
    sampler: Sampler = field(default_factory=Sampler)


@given(
    st.builds(
        Sample,
        shape=st.tuples(st.integers(1, 99), st.integers(1, 99)),
        beta=st.floats(0, 1e6),
        quiet=st.booleans(),
        note=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=20),
        output=st.none() | st.integers(-5, 5),
        couplings=st.lists(st.floats(0, 9), max_size=4).map(tuple),
        sampler=st.builds(Sampler, name=st.sampled_from(["hmc", "exact"]), step_size=st.floats(1e-9, 1)),
    )
)
def test_toml_round_trip(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("toml") / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert load(Sample, path) == config


def test_options_override_the_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("beta = 5\nshape = [4, 4]\n[sampler]\nsteps = 3\n")
    config = load(
        Sample, path, {"shape": "16,12", "sampler.step_size": "2e-1", "output": "7", "quiet": "true", "couplings": "1,2.5"}
    )
    assert config == Sample(
        beta=5.0, shape=(16, 12), sampler=Sampler(steps=3, step_size=0.2), output=7, quiet=True, couplings=(1.0, 2.5)
    )


def test_options_lists_every_leaf_with_its_help():
    leaves = {option.key: option for option in options(Sample)}
    assert list(leaves)[-3:] == ["sampler.name", "sampler.step_size", "sampler.steps"]
    assert leaves["sampler.step_size"].help == "leapfrog step"
    assert leaves["sampler.step_size"].default == 0.1


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("bta = 1", ["unknown key 'bta'", "did you mean 'beta'"]),
        ("[sampler]\nstep = 1\n", ["unknown key 'sampler.step'", "did you mean 'steps'"]),
        ("beta = 'four'", ["beta has the wrong type", "'four'", "number"]),
        ("beta = true", ["beta has the wrong type"]),
        ("shape = [8]", ["shape has the wrong shape", "integer,integer"]),
        ("shape = [8, 8.5]", ["shape[1]", "8.5"]),
        ("sampler = 3", ["sampler is a section"]),
        ("[sampler]\nname = 'hcm'\n", ["no such choice", "hmc|exact", "did you mean 'hmc'"]),
        ("[sampler]\nsteps = 1.5\n", ["sampler.steps has the wrong type"]),
        ("[sampler]\nstep_size = -1\n", ["must be positive", "-1"]),
        ("beta = ", ["no valid TOML"]),
    ],
)
def test_bad_files_are_refused_with_the_key_and_the_cure(tmp_path, toml, words):
    path = tmp_path / "bad.toml"
    path.write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load(Sample, path)
    for word in words:
        assert word in str(caught.value)


def test_bad_options_are_refused():
    for key, text, word in [
        ("bet", "1", "did you mean 'beta'"),
        ("beta", "one", "number"),
        ("quiet", "maybe", "true|false"),
        ("shape", "8", "integer,integer"),
        ("sampler.steps", "2.5", "integer"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(Sample, None, {key: text})
        assert word in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load(Sample, tmp_path / "none.toml")


def test_counts_may_be_written_as_powers_of_ten():
    assert load(Sample, None, {"sampler.steps": "1e3"}).sampler.steps == 1000
