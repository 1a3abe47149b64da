"""Strong ids: the same question asked twice is the same run.

In: a verb, its configuration and its input files. Out: a SHA-256 that resumes or returns what was already computed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from triptych import __version__
from triptych.errors import DataError
from triptych.runs.config import to_dict


def strong_id(verb: str, config: Any, digests: dict[str, str]) -> str:
    """The hexadecimal SHA-256 of the verb, the canonical configuration (defaults included), the inputs' digests and the version.

    Another version of Triptych may answer otherwise, so that its runs are other runs.
    """
    question = {"verb": verb, "config": to_dict(config), "inputs": digests, "version": __version__}
    canonical = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_files(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file by its name, or by its path where several have that name.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    digests = {}
    paths = list(paths)
    names = Counter(path.name for path in paths)
    for path in paths:
        try:
            with path.open("rb") as file:
                digests[path.name if names[path.name] == 1 else str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError("an input file cannot be read", got=f"{path}: {error.strerror}", fix="check the path") from None
    return digests
