"""The suite must catch wrong versions of central formulas (``make test-slow``)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations import MUTATIONS

ROOT = Path(__file__).parents[1]


def suite(source, tests):
    """Exit code of the fast tests at `tests` (paths, or path::name) against the package in the folder `source`."""
    command = [sys.executable, "-m", "pytest", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_suite_catches(mutation, tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "src" / "triptych" / mutation.file
    right = file.read_text(encoding="utf-8")
    assert right.count(mutation.right) == 1, f"{mutation.right!r} stands {right.count(mutation.right)} times in {mutation.file}"
    intact = suite(tmp_path / "src", mutation.tests)
    assert intact.returncode == 0, f"the tests fail without the mutation:\n{intact.stdout}"
    file.write_text(right.replace(mutation.right, mutation.wrong), encoding="utf-8")
    mutated = suite(tmp_path / "src", mutation.tests)
    assert mutated.returncode == 1, f"nobody noticed:\n{mutated.stdout}"
