"""How mutual information is estimated.

In: what the caller changes. Out: one checked configuration, the same for Python, TOML and the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from triptych.errors import ConfigError

Criterion = Literal["held_out", "aic", "bic"]
Unit = Literal["nats", "bits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The protocol of an estimate.

    Raises
    ------
    ConfigError
        If a number is below what the method needs.
    """

    margins: Literal["auto", "raw", "normal_scores"] = field(
        default="auto", metadata={"help": "fit the variables as they are, their normal scores, or what predicts held-out data"}
    )
    criterion: Criterion = field(default="held_out", metadata={"help": "what chooses the number of components"})
    folds: int = field(default=3, metadata={"help": "parts of the data that are held out in turn"})
    starts: int = field(default=5, metadata={"help": "starts of each fit"})
    tolerance: float = field(default=1e-5, metadata={"help": "gain of the criterion [nats a sample] that counts as one"})
    patience: int = field(default=2, metadata={"help": "numbers of components without a gain before the search ends"})
    max_components: int = field(default=30, metadata={"help": "the search ends here; then the estimate is not reliable"})
    bootstraps: int = field(default=100, metadata={"help": "resampled data sets, for bias and error"})
    permutations: int = field(default=500, metadata={"help": "shuffled data sets, for the p-value of independence"})
    neighbours: int = field(default=3, metadata={"help": "neighbours of the cross-check (KSG)"})
    unit: Unit = field(default="nats", metadata={"help": "nats or bits"})

    def __post_init__(self) -> None:
        least = {
            "folds": 2,
            "starts": 1,
            "patience": 1,
            "max_components": 1,
            "bootstraps": 10,
            "permutations": 20,
            "neighbours": 1,
        }
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"{name} is too small", got=getattr(self, name), expected=f">= {lowest}")
        if not self.tolerance >= 0:
            raise ConfigError("tolerance is impossible", got=self.tolerance, expected=">= 0")
