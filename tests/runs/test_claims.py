import json
from dataclasses import dataclass

import pytest

from triptych.errors import ConfigError
from triptych.runs import Verdict, claims, execute


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    seed: int = 0


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book of claims of its own."""
    folder = tmp_path / "papers" / "smith2020"
    folder.mkdir(parents=True)
    (folder / "claims.toml").write_text(
        """
        [paper]
        key = "smith2020"
        panel = "qec"
        title = "On things"
        citation = "A. Smith (2020)"

        [[claim]]
        id = "fig1-rate"
        where = "Fig. 1"
        claim = "The rate is two."
        paper_value = "2"
        command = "triptych qec run"

        [[claim]]
        id = "speed"
        where = "Sec. 2"
        claim = "It takes a day on an old machine."
        paper_value = "1 day"
        command = "triptych qec run"
        untestable = "the machine is gone"
        """
    )
    monkeypatch.setattr(claims, "PAPERS", tmp_path / "papers")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_claim_gets_its_verdict_from_a_finished_run_and_it_can_be_recorded(book):
    assert [row.verdict for row in claims.claims("smith2020")] == ["not run", "not testable here"]
    verdict = Verdict(id="smith2020/fig1-rate", verdict="holds", our_value="2.01(2)")
    run = execute("test-claim", Nothing(), lambda config, run: {"claims": [verdict.to_json()]})
    first, second = claims.claims()
    assert (first.verdict, first.our_value) == ("holds", "2.01(2)")
    assert first.run.startswith(run.id[:8])
    assert first.command == "triptych test claim"
    assert second.note == "the machine is gone"
    assert claims.counts([first, second]) == {"holds": 1, "not testable here": 1}
    assert claims.claims(runs=None)[0].verdict == "not run"
    assert claims.record() == [book / "verdicts.json"]
    assert claims.claims(runs=None)[0] == first


def test_a_run_that_failed_gives_no_verdict(book):
    def fail(config, run):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        execute("test-claim", Nothing(), fail)
    assert claims.claims()[0].verdict == "not run"


def test_a_damaged_run_is_left_out_and_named(book):
    verdict = Verdict(id="smith2020/fig1-rate", verdict="holds", our_value="2")
    execute("test-claim", Nothing(), lambda config, run: {"claims": [verdict.to_json()]})
    damaged = execute("test-claim", Nothing(seed=1), lambda config, run: {})
    (damaged.path / "manifest.json").write_text("{")
    with pytest.warns(UserWarning, match="left out"):
        assert claims.claims()[0].verdict == "holds"


def test_an_unknown_paper_is_refused(book):
    with pytest.raises(ConfigError, match="did you mean 'smith2020'"):
        claims.claims("smith2002")


def test_the_three_books_are_complete():
    assert claims.papers() == ["chi2008", "foreman2021", "luciesmith2023"]
    for key in claims.papers():
        rows = claims.claims(key, runs=None)
        assert 20 <= len(rows) <= 60
        assert len({row.id for row in rows}) == len(rows)
        for row in rows:
            assert all((row.id, row.where, row.claim, row.paper_value)), row
            assert row.command.startswith("triptych "), row
            assert row.verdict in claims.WORDS
            if row.verdict == "not testable here":
                assert row.note, row


def test_every_recorded_verdict_belongs_to_a_claim_and_names_its_run():
    known = {f"{row.paper}/{row.id}" for row in claims.claims(runs=None)}
    for name, verdict in claims.recorded().items():
        assert name in known
        assert verdict["run"]
        assert verdict["verdict"] in claims.WORDS
        json.dumps(verdict)
