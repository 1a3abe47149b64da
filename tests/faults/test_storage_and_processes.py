"""Full disks, read-only places, killed processes, two processes on one run."""

import json
import shutil
import subprocess
import time

import pytest

from tests.faults.command import TRIPTYCH, answer, refusal, triptych

SAMPLE = ["lattice", "sample", "--beta", "2", "--shape", "4,4", "--chains", "8", "--trajectories", "20000", "--json"]
FIG1 = ["lattice", "reproduce", "fig1", "--shape", "4,4", "--chains", "4", "--trajectories", "3000", "--json"]
MONTECARLO = ["qec", "run", "--engine.name", "montecarlo", "--noise.p", "1e-2", "--engine.shots", "2400000", "--json"]
TREE = ["qec", "run", "--program.kind", "bit_flip_recovery", "--program.preparation", "8+1", "--noise.p", "1e-3", "--json"]
EXACT = ["lattice", "exact", "--beta", "4", "--shape", "16,16", "--json"]
MEASURE = ["halos", "measure", "--json"]
VERBS = {" ".join(word for word in verb[:3] if word[0] != "-"): verb for verb in (SAMPLE, FIG1, TREE, EXACT, MEASURE)}
VERBS["qec run (Monte Carlo)"] = MONTECARLO


@pytest.mark.parametrize("verb", VERBS)
def test_sigkill_in_the_middle(verb, tmp_path, seen):
    """Killed where it hurts: as soon as the directory is there, when it is claimed, and when something has been saved."""
    whole = answer(triptych(*VERBS[verb], "--out", tmp_path / "whole", cwd=tmp_path))
    broken = tmp_path / "broken"
    for sign in ("*", "manifest.json", "checkpoints/*.nc", "metrics.jsonl"):
        with subprocess.Popen(
            [*TRIPTYCH, *VERBS[verb], "--out", str(broken)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            deadline = time.monotonic() + 20
            while not list(broken.glob(sign)) and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            running.kill()
    resumed = answer(triptych(*VERBS[verb], "--out", broken, cwd=tmp_path))
    assert resumed == whole
    assert json.loads((broken / "manifest.json").read_text())["status"] == "finished"
    assert not [path for path in broken.rglob(".*") if path.name != ".lock" and path.suffix in (".json", ".toml")]
    seen("SIGKILL in the middle of a run", f"triptych {verb}", "the same command resumes, with the identical result", 0)


def test_two_processes_on_one_run_directory(tmp_path, seen):
    long = [word if word != "20000" else "50000" for word in SAMPLE]  # the second starts while the first is at work
    whole = answer(triptych(*long, "--out", tmp_path / "whole", cwd=tmp_path))
    shared = tmp_path / "shared"
    with subprocess.Popen(
        [*TRIPTYCH, *long, "--out", str(shared)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        while not (shared / "manifest.json").exists() and first.poll() is None:
            time.sleep(0.005)
        message = refusal(triptych(*long, "--out", shared, cwd=tmp_path), 2)
        _, err = first.communicate()
    assert first.returncode == 0, err
    assert answer(triptych(*long, "--out", shared, cwd=tmp_path)) == whole
    assert "another process" in message
    seen("two processes on one run directory", "triptych lattice sample", f"the second stops: {message}; the first goes on", 2)


def in_a_small_disk(options, script, cwd):
    """Run a shell script in a mount namespace where /mnt is a small disk of its own, the command line as ``$TRIPTYCH``."""
    setup = f"mount -t tmpfs -o {options} tmpfs /mnt && export TRIPTYCH='{' '.join(TRIPTYCH)}' && "
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", setup + script],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


NO_NAMESPACES = (
    shutil.which("unshare") is None
    or subprocess.run(
        ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
    ).returncode
    != 0
)
needs_namespaces = pytest.mark.skipif(NO_NAMESPACES, reason="this machine lets nobody mount a small disk of its own")


@needs_namespaces
def test_full_disk_then_room_again(tmp_path, seen):
    whole = answer(triptych(*SAMPLE, "--out", tmp_path / "whole", cwd=tmp_path))
    command = "$TRIPTYCH " + " ".join(SAMPLE) + " --out /mnt/run"
    script = f"{command}; echo code $? >&2; mount -o remount,size=100m /mnt && {command}"
    done = in_a_small_disk("size=300k", script, tmp_path)
    assert "code 3" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("triptych: ")]
    assert answer(done) == whole
    seen(
        "full disk",
        "triptych lattice sample",
        f"{message.removeprefix('triptych: ')}; with room again, the same command resumes",
        3,
    )


@needs_namespaces
@pytest.mark.parametrize("verb", ["lattice sample", "lattice exact", "halos measure", "qec run"])
def test_read_only_directory(verb, tmp_path, seen):
    command = "$TRIPTYCH " + " ".join(VERBS[verb])
    done = in_a_small_disk("size=1m", f"cd /mnt && mount -o remount,ro /mnt && {command}", tmp_path)
    message = refusal(done, 3)
    assert "Read-only" in done.stderr
    seen("read-only directory", f"triptych {verb}", message, 3)


@needs_namespaces
def test_a_finished_run_is_read_from_a_read_only_place(tmp_path, seen):
    command = "$TRIPTYCH " + " ".join(EXACT) + " --out /mnt/run"
    done = in_a_small_disk("size=1m", f"{command} > first && mount -o remount,ro /mnt && {command} && rm first", tmp_path)
    assert answer(done) == answer(triptych(*EXACT, cwd=tmp_path))
    seen("a finished run in a read-only place", "triptych lattice exact", "its answer is printed", 0)
