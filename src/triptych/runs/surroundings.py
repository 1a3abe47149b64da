"""Where numbers come from.

In: nothing. Out: versions, machine, devices and the state of the source tree, as a manifest records them.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RECORDED_VERSIONS = ("triptych", "numpy", "scipy", "xarray", "h5py", "jax", "jaxlib", "matplotlib")


def surroundings() -> dict[str, Any]:
    """Versions of what computes, the machine, and the commit of the source tree."""
    versions = {}
    for name in RECORDED_VERSIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"versions": versions, "python": platform.python_version(), "platform": platform.platform(), "git": git_state()}


def devices() -> list[str]:
    """The devices of the accelerator library where something has loaded it (it is never imported for this), else the cores."""
    jax = sys.modules.get("jax")
    return [str(device) for device in jax.devices()] if jax is not None else [f"cpu x {os.cpu_count()}"]


def git_state() -> str | None:
    """Commit of the source tree, with ``-dirty`` where it was changed; None where the package does not run from its checkout."""
    root = Path(__file__).parents[3]
    if not (root / "pyproject.toml").exists():
        return None
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
