import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from triptych.errors import ConfigError, DataError, RunBusyError
from triptych.runs import Run, execute, open_run, strong_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    to: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    path: str

    def inputs(self):
        return [Path(self.path)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def count(config, run):
    """Count to the end, one logged step at a time, going on where an earlier attempt stopped."""
    done = len(run.history())
    for step in range(done, config.to):
        run.log({"step": step})
        if step == 2 and done == 0:
            raise KeyboardInterrupt
    return {"steps": [record["step"] for record in run.history()]}


def test_a_run_leaves_everything_that_is_needed_to_do_it_again():
    run = execute("test-count", Count(to=2, seed=7), count)
    assert run.path.parent == Path("runs/test-count")
    assert run.path.name.endswith(run.id[:8])
    assert run.summary == {"steps": [0, 1]}
    manifest = run.manifest
    assert (manifest["status"], manifest["seed"], manifest["id"]) == ("finished", 7, run.id)
    assert {"numpy", "triptych"} <= set(manifest["versions"])
    assert manifest["devices"]
    assert "to = 2" in (run.path / "config.toml").read_text()
    assert open_run(run.path).summary == run.summary


def test_the_same_question_is_answered_once():
    calls = []

    def work(config, run):
        calls.append(config)
        return {"answer": 42}

    first, second = execute("test-once", Count(), work), execute("test-once", Count(), work)
    assert first.path == second.path
    assert len(calls) == 1
    assert execute("test-once", Count(to=6), work).path != first.path
    assert len(calls) == 2


def test_runs_may_lie_below_another_root(tmp_path):
    run = execute("test-count", Count(to=1), count, root=tmp_path / "elsewhere")
    assert run.path.parent == tmp_path / "elsewhere" / "test-count"
    assert execute("test-count", Count(to=1), count, root=tmp_path / "elsewhere").path == run.path


def test_an_interrupted_run_resumes_where_it_was():
    with pytest.raises(KeyboardInterrupt):
        execute("test-count", Count(), count)
    (folder,) = Path("runs/test-count").iterdir()
    assert json.loads((folder / "manifest.json").read_text())["status"] == "interrupted"
    with pytest.raises(DataError, match="has not finished"):
        _ = open_run(folder).summary
    run = execute("test-count", Count(), count)
    assert run.path == folder.relative_to(Path.cwd()) if folder.is_absolute() else run.path == folder
    assert run.summary == {"steps": [0, 1, 2, 3, 4]}
    assert run.manifest["attempts"] == 2


def test_a_failed_run_says_so_and_keeps_what_it_has():
    def fail(config, run):
        run.log({"kept": 1})
        raise DataError("no good")

    with pytest.raises(DataError, match="no good"):
        execute("test-fail", Count(), fail)
    (folder,) = Path("runs/test-fail").iterdir()
    assert open_run(folder).manifest["status"] == "failed"
    assert open_run(folder).history() == [{"kept": 1}]


def test_a_summary_that_is_no_json_is_no_finished_run():
    with pytest.raises(ValueError, match="JSON compliant"):
        execute("test-nan", Count(), lambda config, run: {"value": float("nan")})
    (folder,) = Path("runs/test-nan").iterdir()
    assert open_run(folder).manifest["status"] == "failed"
    assert not (folder / "summary.json").exists()


def test_the_id_depends_on_verb_configuration_and_inputs(tmp_path):
    data = tmp_path / "data.txt"
    ids = set()
    for text in ("1 2", "1 3"):
        data.write_text(text)
        ids.add(execute("test-sum", Sum(path=str(data)), lambda config, run: {"sum": 0}).id)
    assert len(ids) == 2
    assert strong_id("a", Count(), {}) != strong_id("b", Count(), {})
    with pytest.raises(DataError, match="cannot be read"):
        execute("test-sum", Sum(path="nowhere.txt"), lambda config, run: {})


def test_datasets_come_back_as_they_were_saved(tmp_path):
    run = Run(path=tmp_path, id="0" * 64)
    assert run.load("results.nc") is None
    data = xr.Dataset(
        {"charge": (("chain", "trajectory"), np.arange(6.0).reshape(2, 3), {"units": "1"})}, attrs={"beta": 2.0, "name": "x"}
    )
    run.save("results.nc", data)
    xr.testing.assert_identical(run.load("results.nc"), data)
    run.save("results.nc", data + 1)
    assert float(run.load("results.nc")["charge"][0, 0]) == 1.0
    assert [item.name for item in tmp_path.iterdir()] == ["results.nc"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    run = Run(path=tmp_path, id="0" * 64)
    run.save("results.nc", xr.Dataset({"a": 1}))
    with pytest.raises((TypeError, ValueError)):
        run.save("results.nc", xr.Dataset({"a": ("x", [object()])}))
    assert int(run.load("results.nc")["a"]) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["results.nc"]


def test_a_log_line_cut_off_by_a_crash_is_left_out(tmp_path):
    run = Run(path=tmp_path, id="0" * 64)
    run.log({"step": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": ')
    assert run.history() == [{"step": 1}]
    run.log({"step": 2})
    assert run.history() == [{"step": 1}, {"step": 2}]


def test_out_names_the_run_directory_itself(tmp_path):
    run = execute("test-count", Count(to=1), count, out=tmp_path / "here")
    assert run.path == tmp_path / "here"
    assert execute("test-count", Count(to=1), count, out=tmp_path / "here").summary == run.summary
    with pytest.raises(ConfigError, match="holds another run"):
        execute("test-count", Count(to=2), count, out=tmp_path / "here")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="neither empty nor a run directory"):
        execute("test-count", Count(to=1), count, out=tmp_path / "full")
    assert [item.name for item in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_run_killed_before_its_first_record_can_be_begun_again(tmp_path):
    place = tmp_path / "killed"
    for name in ("checkpoints", "figures"):
        (place / name).mkdir(parents=True)
    (place / ".lock").touch()
    (place / ".manifest.123.json").touch()
    assert execute("test-count", Count(to=1), count, out=place).summary == {"steps": [0]}


def test_another_version_is_another_question(monkeypatch):
    before = strong_id("a", Count(), {})
    monkeypatch.setattr("triptych.runs.identity.__version__", "99.0")
    assert strong_id("a", Count(), {}) != before


def test_two_processes_do_not_work_in_one_directory():
    program = (
        "import fcntl, sys, time\n"
        "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()\n"
    )
    with pytest.raises(KeyboardInterrupt):
        execute("test-count", Count(), count)
    (folder,) = Path("runs/test-count").iterdir()
    command = [sys.executable, "-c", program, str(folder / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError, match="another process"):
            execute("test-count", Count(), count)
        other.communicate()
    assert execute("test-count", Count(), count).summary == {"steps": [0, 1, 2, 3, 4]}


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="no run directory"):
        open_run(tmp_path)
