"""What an answer took.

In: counts in the field's own unit, and seconds. Out: the price column of every table, and its ratio to a rival's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from triptych.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The price of an answer.

    Attributes
    ----------
    seconds : wall-clock time of the calculation, without compilation where that is counted apart.
    counts : work in the field's own unit, such as ``{"error_states": 676000}`` or ``{"force_evaluations": 40000}``.

    Raises
    ------
    ConfigError
        If a count or the time is negative or not a number.

    Examples
    --------
    >>> tree = Cost(seconds=2.0, counts={"error_states": 5000})
    >>> tree.against(Cost(seconds=400.0, counts={"shots": 10**6}))
    {'seconds': 200.0}
    >>> print(tree)
    5000 error states, 2 s
    """

    seconds: float
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, amount in {"seconds": self.seconds, **self.counts}.items():
            if not (math.isfinite(amount) and amount >= 0):
                raise ConfigError(f"a cost cannot be negative ({name})", got=amount, expected=">= 0")

    def against(self, rival: Cost) -> dict[str, float]:
        """The rival's price over ours for each unit that both count: above 1 where ours is cheaper."""
        ours, theirs = {**self.counts, "seconds": self.seconds}, {**rival.counts, "seconds": rival.seconds}
        return {unit: theirs[unit] / ours[unit] for unit in ours if unit in theirs and ours[unit] > 0}

    def to_json(self) -> dict[str, float | int]:
        """Counts and seconds as one flat object."""
        return {**self.counts, "seconds": self.seconds}

    @classmethod
    def from_json(cls, data: Mapping[str, float | int]) -> Cost:
        """The inverse of :meth:`to_json`."""
        return cls(seconds=data["seconds"], counts={key: int(count) for key, count in data.items() if key != "seconds"})

    def __str__(self) -> str:
        counts = [f"{_compact(amount)} {name.replace('_', ' ')}" for name, amount in self.counts.items() if amount]
        return ", ".join([*counts, f"{self.seconds:.2g} s"])


def _compact(count: int) -> str:
    return str(count) if count < 100_000 else f"{count:.3g}".replace("e+0", "e").replace("e+", "e")
