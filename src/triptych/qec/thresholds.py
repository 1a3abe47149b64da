"""The two thresholds of Secs. II.D and II.E.

In: values for them. Out: a refusal of what is none.
"""

from __future__ import annotations

from triptych.errors import ConfigError


def require_thresholds(*, event: float | None, merge: float | None) -> None:
    """Refuse thresholds outside [0, 1); None is one that is chosen later.

    Raises
    ------
    ConfigError
        With the name and the value of the wrong one.
    """
    for name, value in (("event_threshold", event), ("merge_threshold", merge)):
        if value is not None and not 0 <= value < 1:
            raise ConfigError(f"{name} is out of range", got=value, expected="0 <= threshold < 1", fix="0 prunes nothing")
