"""Named random streams.

In: the one seed of a run and a name for each use. Out: independent generators that depend on nothing else, so that adding a
consumer, a worker or a resume never changes the numbers of the others.
"""

from __future__ import annotations

import hashlib

import numpy as np


def subseed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream called `names` (the SHA-256 of seed and names), for generators of any kind.

    Examples
    --------
    >>> subseed(7, "momenta") == subseed(7, "momenta"), subseed(7, "momenta") == subseed(7, "accept")
    (True, False)
    """
    text = "\x1f".join(f"{type(name).__name__}:{name}" for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for the stream called `names`."""
    return np.random.default_rng(subseed(seed, *names))
