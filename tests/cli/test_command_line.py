"""The command line as its users meet it: in processes of its own."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from triptych import PANELS, STANDALONE
from triptych.cli import app, main

ROOT = Path(__file__).parents[2]
TRIPTYCH = [sys.executable, "-m", "triptych.cli"]


def triptych(*arguments, cwd, code=0):
    done = subprocess.run([*TRIPTYCH, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Run the command line in this process, in an empty folder: exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with pytest.raises(SystemExit) as left:
            main(arguments)
        for number, handler in before.items():
            signal.signal(number, handler)
        return left.value.code, *capsys.readouterr()

    run.tmp_path = tmp_path
    return run


def test_help_imports_neither_jax_nor_numba_nor_a_panel(tmp_path):
    program = (
        "import sys\n"
        "from triptych.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as leave:\n    assert leave.code == 0, leave.code\n"
        "panels = {'triptych.qec', 'triptych.lattice', 'triptych.halos', 'triptych.information'}\n"
        "heavy = ({'jax', 'numba', 'matplotlib', 'xarray'} | panels) & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "qec" in done.stdout
    assert "lattice" in done.stdout
    assert "information" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("qec", "run"),
        ("qec", "describe"),
        ("lattice", "sample"),
        ("lattice", "exact"),
        ("lattice", "reproduce", "fig1"),
        ("halos", "measure"),
        ("information", "estimate"),
    ],
)
def test_every_verb_has_help_with_an_example(here, words):
    code, text, _ = here(*words, "--help")
    assert code == 0
    assert f"Example: triptych {' '.join(words)}" in text
    for option in ("--config", "--json", "--out", "--workers"):
        assert option in text


def examples(app):
    """The example in the help of every verb below `app`."""
    for name in app:
        if not name.startswith("-"):
            yield from examples(app[name])
            yield from re.findall(r"Example: triptych (.+)", app[name].help)


def test_the_examples_of_all_panel_verbs_are_accepted(here, monkeypatch):
    """Each example is run up to the point where the work would begin."""
    begun = []

    def execute(verb, config, work, **options):
        begun.append(verb)
        raise KeyboardInterrupt

    monkeypatch.setattr("triptych.cli.verbs.execute", execute)
    (here.tmp_path / "papers").symlink_to(ROOT / "papers")
    (here.tmp_path / "surface_code.stim").touch()
    shown = [example for room in PANELS + STANDALONE for example in examples(app[room])]
    assert len(shown) >= 8
    for example in shown:
        assert here(*example.split())[0] == 130, example
    assert sorted(begun) == sorted(set(begun))
    for verb, example in zip(begun, shown, strict=True):
        assert example.startswith(verb.replace("-", " ")), (verb, example)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["latice"], ["no command 'latice'", "did you mean 'lattice'"]),
        (["lattice", "exat"], ["no command 'exat'", "did you mean 'exact'"]),
        (["lattice", "exact", "--bta", "1"], ["--bta", "--beta"]),
        (["lattice", "exact", "--beta", "two"], ["beta has the wrong type", "'two'", "number"]),
        (["lattice", "exact", "--beta", "-1"], ["-1"]),
        (["lattice", "exact", "--shape", "8"], ["shape has the wrong shape", "integer,integer"]),
        (["lattice", "exact", "--shape", "0,8"], ["0"]),
        (["lattice", "sample", "--chains", "-4"], ["-4"]),
        (["lattice", "sample", "--sampler.step-size", "0"], ["step"]),
        (["qec", "run", "--noise.p", "1.5"], ["1.5"]),
        (["qec", "run", "--noise.p", "-0.1"], ["-0.1"]),
        (["qec", "run", "--program.criterion", "cs"], ["no such choice", "did you mean 'css'"]),
        (["qec", "run", "--config", "nowhere.toml"], ["does not exist", "nowhere.toml"]),
        (["qec", "run", "--noise.file", "nowhere.toml"], ["noise.file does not exist", "nowhere.toml"]),
        (["qec", "run", "--noise.overrides", "check/reset"], ["noise.overrides", "place/class=rate"]),
        (["qec", "run", "--engine.resolution", "1e-4"], ["--engine.resolution", "--engine.reduction"]),
        (
            ["qec", "run", "--engine.name", "reference", "--engine.merge", "bounded"],
            ["reference has no bounded merges", "preservation or lossy"],
        ),
        (["qec", "describe", "--program.kind", "ring", "--program.logical-qubits", "1"], ["two blocks"]),
        (["information", "estimate", "table.csv", "--x", "a"], ["y is not given", "--y c"]),
        (["information", "estimate", "table.csv", "--x", "a", "--y", "b", "--settings.folds", "1"], ["folds", "1", ">= 2"]),
    ],
)
def test_usage_errors_end_with_code_2_and_one_clear_message(here, tmp_path, arguments, words):
    code, out, err = here(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("triptych: ")
    for word in words:
        assert word in err
    assert list(tmp_path.iterdir()) == []


def test_invalid_data_ends_with_code_3(tmp_path):
    for name in ("snapshot_000.hdf5", "fof_subhalo_tab_000.hdf5"):
        (tmp_path / name).write_text("this is no HDF5 file")
    done = triptych("halos", "measure", "snapshot_000.hdf5", cwd=tmp_path, code=3)
    assert "snapshot_000.hdf5" in done.stderr
    assert "Traceback" not in done.stderr
    assert "no run directory" in triptych("show", str(tmp_path), cwd=tmp_path, code=3).stderr


def test_json_mode_prints_one_object_and_the_second_call_finds_the_run(tmp_path):
    (tmp_path / "c.toml").write_text("beta = 2.0\nshape = [4, 4]\n")
    first = triptych("lattice", "exact", "--config", "c.toml", "--json", cwd=tmp_path)
    assert first.stderr == ""
    answer = json.loads(first.stdout)
    assert {"plaquette", "charge_squared", "sectors"} <= set(answer)
    assert triptych("lattice", "exact", "--beta", "2", "--shape", "4,4", "--json", cwd=tmp_path).stdout == first.stdout
    (run,) = (tmp_path / "runs" / "lattice-exact").iterdir()
    assert json.loads((run / "summary.json").read_text()) == answer
    shown = json.loads(triptych("show", str(run), "--json", cwd=tmp_path).stdout)
    assert shown["summary"] == answer
    assert shown["config"] == {"beta": 2.0, "shape": [4, 4]}
    assert shown["status"] == "finished"
    assert "lattice-exact" in triptych("show", str(run), cwd=tmp_path).stdout


SAMPLE = ["lattice", "sample", "--beta", "2", "--shape", "4,4", "--chains", "8", "--trajectories", "20000", "--json"]
MONTECARLO = ["qec", "run", "--engine.name", "montecarlo", "--noise.p", "1e-2", "--engine.shots", "2400000", "--json"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The answers of the two verbs when nothing disturbs them."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        verb[0]: json.loads(triptych(*verb, "--out", str(folder / verb[0]), cwd=folder).stdout) for verb in (SAMPLE, MONTECARLO)
    }


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda stop: stop.name)
@pytest.mark.parametrize(
    ("arguments", "begun"), [(SAMPLE, "manifest.json"), (MONTECARLO, "metrics.jsonl")], ids=["lattice-sample", "qec-run"]
)
def test_an_interrupted_run_resumes_with_the_identical_result(tmp_path, uninterrupted, arguments, begun, stop):
    broken = tmp_path / "broken"
    with subprocess.Popen(
        [*TRIPTYCH, *arguments, "--out", str(broken)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 120
        while not (broken / begun).exists() and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        running.send_signal(stop)
        out, err = running.communicate()
    assert running.returncode == 130, err
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert json.loads((broken / "manifest.json").read_text())["status"] == "interrupted"
    resumed = json.loads(triptych(*arguments, "--out", str(broken), cwd=tmp_path).stdout)
    assert without_times(resumed) == without_times(uninterrupted[arguments[0]])
    assert json.loads((broken / "manifest.json").read_text())["attempts"] == 2


def test_workers_and_a_dask_cluster_give_the_same_answer(tmp_path):
    question = ["qec", "run", "--engine.name", "montecarlo", "--noise.p", "1e-3", "--engine.shots", "1200000", "--json"]
    fan_outs = {"serial": (), "workers": ("--workers", "2"), "dask": ("--dask", "local", "--workers", "2")}
    answers = [triptych(*question, *options, "--out", str(tmp_path / name), cwd=tmp_path) for name, options in fan_outs.items()]
    assert all(without_times(json.loads(done.stdout)) == without_times(json.loads(answers[0].stdout)) for done in answers)


def test_the_answers_of_the_exact_engine_and_the_tree(here):
    """The paper's program at the rates of Table I, asked in a file and on the command line."""
    from triptych.qec import Noise, simulate, steane

    truth = simulate(steane.two_qubit(Noise.eshe_rates()), criterion="readout").crash_rate
    (here.tmp_path / "c.toml").write_text(
        '[program]\nkind = "two_qubit"\ncriterion = "readout"\n[noise]\npreset = "eshe_rates"\n'
    )
    code, out, err = here("qec", "run", "--config", "c.toml", "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert (answer["engine"], answer["crash_rate"], answer["upper"]) == ("exact", truth.value, truth.upper)
    answer = json.loads(here("qec", "run", "--config", "c.toml", "--engine.name", "tree", "--json")[1])
    assert answer["lower"] < truth.lower < truth.upper < answer["upper"] < 1.0021 * answer["lower"]
    assert (answer["engine"], answer["logical_qubits"], answer["physical_qubits"]) == ("tree", 2, 134)
    code, out, _ = here("qec", "run", "--config", "c.toml", "--engine.event-threshold", "1e-7", "--engine.reduction", "none")
    assert code == 0
    assert "reduction: none" in out
    assert "event_threshold: 1e-07" in out


def test_describe_for_the_eye_and_for_scripts(here):
    words = ["qec", "describe", "--program.kind", "tree", "--program.logical-qubits", "10", "--noise.preset", "eshe"]
    code, out, _ = here(*words)
    assert code == 0
    assert "physical_qubits: 1150" in out
    assert "nonfailing_states: css: 64, paper22: 22" in out
    answer = json.loads(here(*words, "--json")[1])
    assert {"physical_qubits": 1150, "cycles": 34, "logical_qubits": 10}.items() <= answer.items()
    assert {"gates", "tasks", "noise", "noise_classes", "nonfailing_states"} <= set(answer)


def without_times(value):
    """The summary without what a clock wrote."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key != "seconds"}
    return value


def test_doctor_knows_this_machine_and_tests_each_panel(tmp_path):
    answer = json.loads(triptych("doctor", "--json", cwd=tmp_path).stdout)
    assert answer["ok"] is True
    assert {panel: check["ok"] for panel, check in answer["panels"].items()} == {"qec": True, "lattice": True, "halos": True}
    assert {room: check["ok"] for room, check in answer["standalone"].items()} == {"information": True}
    assert answer["extras"]["lattice"] == "present"
    accelerated = importlib.util.find_spec("jax_plugins") is not None
    assert (answer["extras"]["cuda"] == "present") == accelerated
    assert answer["cores"] == os.cpu_count()
    assert answer["devices"]
    assert answer["memory_gb"] > 0


@pytest.mark.parametrize(
    ("module", "words"),
    [("jax", ("lattice", "exact")), ("numba", ("information", "estimate")), ("numba", ("information", "--help"))],
)
def test_a_missing_extra_is_named_with_its_cure(tmp_path, module, words):
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([*TRIPTYCH, *words], cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'triptych[{words[0]}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_unreadable_places_are_refused(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    done = triptych("lattice", "exact", cwd=tmp_path, code=3)
    assert "run directory cannot be made" in done.stderr
    assert Path(tmp_path / "runs").read_text().startswith("a file")


def test_information_in_a_table_of_anybody(tmp_path):
    """From a file with a header to the answer of the contract; a function of a column has no number in JSON."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    table = np.stack([a, 0.6 * a + 0.8 * rng.normal(size=200), np.exp(a)], axis=1)
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="mass,spin,size", comments="")
    words = ["information", "estimate", "t.csv", "--x", "mass", "--y", "spin,size", "--settings.bootstraps", "20", "--json"]
    done = triptych(*words, cwd=tmp_path)
    spin, size = json.loads(done.stdout)["pairs"]
    contract = {"x", "y", "value", "error", "lower", "upper", "p_value", "components", "samples", "reliable"}
    assert contract <= set(spin) and (spin["x"], spin["y"], spin["samples"]) == ("mass", "spin", 200)
    assert abs(spin["value"] - 0.2231) < 4 * spin["error"] and spin["reliable"] and spin["p_value"] < 0.01
    assert (size["value"], size["reliable"]) == (None, False) and "function" in size["problems"]
    (run,) = (tmp_path / "runs" / "information-estimate").iterdir()
    assert {path.name for path in (run / "figures").iterdir()} == {"table.png", "fits.png"}
    refused = triptych("information", "estimate", "t.csv", "--x", "mas", "--y", "spin", cwd=tmp_path, code=3)
    assert "did you mean 'mass'" in refused.stderr
