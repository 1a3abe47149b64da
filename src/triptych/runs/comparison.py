"""One row of every panel's table.

In: our answer with its price, and an independent answer with its own. Out: the same columns in all three panels: answer, truth,
pull, price, rival, rival's price.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from triptych.runs.cost import Cost
from triptych.statistics import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An answer beside an independent one.

    Attributes
    ----------
    what : the quantity, with its unit.
    answer, truth : ours and the independent value.
    price : what ours took.
    rival, rival_price : the name of the independent method and what it took; None where that was not measured.
    note : anything the reader must know to judge the row.
    """

    what: str
    answer: Estimate
    truth: Estimate
    price: Cost
    rival: str
    rival_price: Cost | None
    note: str = ""

    @property
    def pull(self) -> float | None:
        """(answer - truth) in combined standard deviations; None where neither has a statistical error."""
        return self.answer.pull(self.truth)

    def to_json(self) -> dict[str, Any]:
        """All columns as JSON; a pull that is not finite (a difference at zero error) becomes None."""
        pull = self.pull
        return {
            "what": self.what,
            "answer": self.answer.to_json(),
            "truth": self.truth.to_json(),
            "pull": pull if pull is not None and math.isfinite(pull) else None,
            "price": self.price.to_json(),
            "rival": self.rival,
            "rival_price": None if self.rival_price is None else self.rival_price.to_json(),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Comparison:
        """The inverse of :meth:`to_json` (the pull is computed again)."""
        return cls(
            what=data["what"],
            answer=Estimate.from_json(data["answer"]),
            truth=Estimate.from_json(data["truth"]),
            price=Cost.from_json(data["price"]),
            rival=data["rival"],
            rival_price=None if data["rival_price"] is None else Cost.from_json(data["rival_price"]),
            note=data["note"],
        )

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of :data:`COLUMNS`."""
        pull = self.pull
        return (
            self.what,
            str(self.answer),
            str(self.truth),
            "" if pull is None else f"{pull:+.1f}",
            str(self.price),
            self.rival,
            self._rival_price(),
            self.note,
        )

    def _rival_price(self) -> str:
        """The rival's price, and how often ours goes into it."""
        if self.rival_price is None:
            return "not measured"
        ratio = self.price.against(self.rival_price).get("seconds")
        return str(self.rival_price) + ("" if ratio is None else f" ({ratio:.2g} times ours)")


COLUMNS = ("quantity", "answer", "truth", "pull", "price", "rival", "rival's price", "note")
