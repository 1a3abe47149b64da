"""The one number type that every panel returns.

In: a value and how well it is known. Out: something that prints, compares with a truth and writes itself to JSON the same way in
all three panels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Literal

from triptych.errors import ConfigError, MissingExtraError

Kind = Literal["exact", "certified", "statistical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with what is known about its error.

    Attributes
    ----------
    value : the central value.
    kind : ``"exact"`` (up to rounding), ``"certified"`` (the truth lies in [lower, upper], without probability attached) or
        ``"statistical"`` (one standard deviation in `error`; [lower, upper] may add a 68 % interval).
    error : one standard deviation; only for statistical values.
    lower, upper : bounds, in the unit of `value`.

    Raises
    ------
    ConfigError
        If the fields contradict the kind (a certified value without bounds, a negative error, bounds in the wrong order).

    Examples
    --------
    >>> print(Estimate.statistical(0.314978, 0.00072))
    0.31498(72)
    >>> print(Estimate.certified(1.4964e-5, lower=1.4960e-5, upper=1.4967e-5))
    1.4964e-5 [1.4960e-5, 1.4967e-5]
    >>> print(Estimate.exact(0.697774658))
    0.697774658
    """

    value: float
    kind: Kind
    error: float | None = None
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        if self.kind == "statistical":
            if self.error is None or not self.error >= 0:
                raise ConfigError("a statistical value needs an error", got=self.error, expected="error >= 0")
        elif self.error is not None:
            raise ConfigError(f"a value of kind {self.kind!r} has no statistical error", got=self.error)
        if self.kind == "certified" and (self.lower is None or self.upper is None):
            raise ConfigError("a certified value needs both bounds", got=(self.lower, self.upper), expected="lower and upper")
        if self.lower is not None and self.upper is not None and not self.lower <= self.upper:
            raise ConfigError("the bounds are in the wrong order", got=(self.lower, self.upper), expected="lower <= upper")

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A value known up to rounding."""
        return cls(value=float(value), kind="exact")

    @classmethod
    def certified(cls, value: float, *, lower: float, upper: float) -> Estimate:
        """A value whose truth provably lies in [lower, upper]."""
        return cls(value=float(value), kind="certified", lower=float(lower), upper=float(upper))

    @classmethod
    def statistical(cls, value: float, error: float, *, lower: float | None = None, upper: float | None = None) -> Estimate:
        """A value with one standard deviation `error`; `lower` and `upper` add a 68 % interval where it is not symmetric."""
        return cls(value=float(value), kind="statistical", error=float(error), lower=lower, upper=upper)

    @property
    def half_width(self) -> float:
        """Half the distance of the bounds; the error where there are none; 0 for an exact value.

        Examples
        --------
        >>> Estimate.certified(3.0, lower=1.0, upper=4.0).half_width
        1.5
        """
        if self.lower is None or self.upper is None:
            return self.error or 0.0
        return (self.upper - self.lower) / 2

    def pull(self, truth: float | Estimate) -> float | None:
        """(value - truth) over the combined standard deviation, or None where neither side has a statistical error.

        A difference at zero error is an infinite pull: it is never hidden.
        """
        errors = [e for e in (self.error, truth.error if isinstance(truth, Estimate) else None) if e is not None]
        if not errors:
            return None
        difference = self.value - (truth.value if isinstance(truth, Estimate) else truth)
        sigma = math.hypot(*errors)
        if sigma == 0:
            return 0.0 if difference == 0 else math.copysign(math.inf, difference)
        return difference / sigma

    def to_json(self) -> dict[str, float | str]:
        """The fields that are known, as JSON keys."""
        fields = {"value": self.value, "error": self.error, "lower": self.lower, "upper": self.upper}
        return {"kind": self.kind, **{key: value for key, value in fields.items() if value is not None}}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Estimate:
        """The inverse of :meth:`to_json`."""
        return cls(**data)  # type: ignore[arg-type]

    def to_pyerrors(self, name: str) -> Any:
        """A ``pyerrors.Obs`` of the ensemble `name` with this value and error, for further error propagation there.

        Raises
        ------
        MissingExtraError
            If pyerrors is not installed.
        ConfigError
            If the value is not statistical.
        """
        if self.error is None:
            raise ConfigError("pyerrors holds statistical values only", got=f"a value of kind {self.kind!r}")
        try:
            from pyerrors import pseudo_Obs
        except ModuleNotFoundError as error:
            raise MissingExtraError("pyerrors is not installed", fix="pip install pyerrors") from error
        return pseudo_Obs(self.value, self.error, name)

    def __str__(self) -> str:
        if self.kind == "statistical":
            assert self.error is not None
            return _with_error(self.value, self.error)
        if self.kind == "certified":
            assert self.lower is not None and self.upper is not None
            return _with_bounds(self.value, self.lower, self.upper)
        return f"{self.value:.9g}"


def _with_bounds(value: float, lower: float, upper: float) -> str:
    """As many digits as the width deserves; the bounds are rounded outwards, so that what is printed still holds."""
    width, scale = upper - lower, max(abs(value), abs(lower), abs(upper))
    digits = min(15, max(1, math.ceil(-math.log10(width / scale)))) if width > 0 else 9

    def rounded(number: float, direction: str) -> str:
        if number == 0:
            return "0"
        return f"{Context(prec=digits + 1, rounding=direction).create_decimal(Decimal(number)):.{digits}e}"

    return f"{rounded(value, ROUND_HALF_EVEN)} [{rounded(lower, ROUND_FLOOR)}, {rounded(upper, ROUND_CEILING)}]"


def _with_error(value: float, error: float) -> str:
    """Two digits of the error in brackets behind the value, as in 0.31498(72)."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{value:g}({error:g})"
    if error == 0:
        return f"{value:g}(0)"
    magnitude = max(abs(value), error)
    if magnitude < 1e-3 or magnitude >= 1e6:
        exponent = math.floor(math.log10(magnitude))
        return f"{_with_error(value / 10.0**exponent, error / 10.0**exponent)}e{exponent:+d}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if round(error, decimals) * 10**decimals >= 100 and decimals > 0:  # 0.0996 rounds up to three digits
        decimals -= 1
    if error >= 10:
        return f"{value:.0f}({error:.0f})"
    in_brackets = f"{error:.{decimals}f}" if error >= 1 else f"{round(error * 10**decimals):d}"
    return f"{value:.{decimals}f}({in_brackets})"
