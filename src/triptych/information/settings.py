"""How mutual information is estimated.

In: what the caller changes. Out: one checked configuration, the same for Python, TOML and the command line.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal, get_args

from triptych.errors import ConfigError
from triptych.information.variables import FEWEST, Margins

Criterion = Literal["held_out", "aic", "bic"]
Unit = Literal["nats", "bits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The protocol of an estimate.

    Raises
    ------
    ConfigError
        If a choice is unknown, or a number is not what the method needs.
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
        known = {"margins": ("auto", *get_args(Margins)), "criterion": get_args(Criterion), "unit": get_args(Unit)}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is unknown", got=getattr(self, name), expected=", ".join(choices))
        allowed = {
            "folds": range(2, FEWEST + 1),
            "starts": range(1, sys.maxsize),
            "patience": range(1, sys.maxsize),
            "max_components": range(1, sys.maxsize),
            "bootstraps": range(10, sys.maxsize),
            "permutations": range(20, sys.maxsize),
            "neighbours": range(1, FEWEST),
        }
        for name, numbers in allowed.items():
            if getattr(self, name) not in numbers or isinstance(getattr(self, name), float):
                words = f"a whole number >= {numbers.start}" + (f" and < {numbers.stop}" if numbers.stop < sys.maxsize else "")
                raise ConfigError(f"{name} is impossible", got=getattr(self, name), expected=words)
        if not self.tolerance >= 0:
            raise ConfigError("tolerance is impossible", got=self.tolerance, expected=">= 0")
