"""Monte Carlo results where sinter's tools find them.

In: a result of the Monte Carlo engine, and what was simulated. Out: a line of a CSV file in sinter's format, which
``sinter combine``, ``sinter plot`` and ``sinter.read_stats_from_csv_files`` read; sinter itself is not needed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triptych.errors import ConfigError
from triptych.qec.program import Program
from triptych.qec.simulate import Result

HEADER = "     shots,    errors,  discards, seconds,decoder,strong_id,json_metadata,custom_counts"
DECODER = "triptych"


def identity(program: Program, metadata: Mapping[str, Any]) -> str:
    """The SHA-256 of the program's text, the scored blocks and the metadata; sinter adds up the shots of equal ids."""
    task = {"program": str(program), "blocks": program.blocks, "decoder": DECODER, "metadata": metadata}
    return hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest()


def append(path: str | Path, result: Result, *, program: Program, metadata: Mapping[str, Any]) -> None:
    """Append a result to a CSV file, which is begun where it is missing.

    Parameters
    ----------
    path : the file.
    result : of the engine ``"montecarlo"``; its crashes are sinter's errors. Ancillas that were prepared again are no discards.
    program : what was simulated.
    metadata : JSON values that say what it was, such as ``{"p": 1e-3, "criterion": "css"}``. What the program's text does not
        tell, the criterion above all, has to be among them, so that different tasks have different ids.

    Raises
    ------
    ConfigError
        If the result is not one of the Monte Carlo.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from triptych.qec import Noise, simulate, steane
    >>> program = steane.recovery(Noise.uniform(1e-2))
    >>> result = simulate(program, engine="montecarlo", shots=1000, rng=np.random.default_rng(1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     append(f"{folder}/stats.csv", result, program=program, metadata={"p": 1e-2, "criterion": "css"})
    ...     print(Path(f"{folder}/stats.csv").read_text().splitlines()[1][:10])
          1000
    """
    if result.engine != "montecarlo":
        raise ConfigError("sinter counts shots", got=f"a result of the engine {result.engine!r}", expected="'montecarlo'")
    shots, seconds = result.cost.counts["shots"], result.cost.seconds
    errors = round(shots * result.crash_rate.value)
    text = io.StringIO()
    described = json.dumps(metadata, sort_keys=True, separators=(",", ":"))
    csv.writer(text, lineterminator="\n").writerow(
        [f"{shots:>10}", f"{errors:>10}", f"{0:>10}", f"{seconds:>8.3g}", DECODER, identity(program, metadata), described, ""]
    )
    begun = Path(path).exists()
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text.getvalue() if begun else f"{HEADER}\n{text.getvalue()}")
