"""One look for all figures: style, error bands, saving.

In: nothing but a size. Out: matplotlib figures that need no display and touch no global state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

COLORS = ["#1b6ca8", "#d1495b", "#3f8f4f", "#e0a030", "#6c4f9e", "#4d4d4d"]

_STYLE: Any = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 150,
    "font.size": 9.5,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "lines.linewidth": 1.4,
    "savefig.dpi": 150,
}


@contextmanager
def style() -> Iterator[None]:
    """The house's look for everything drawn inside this block."""
    with mpl.rc_context(rc=_STYLE):
        yield


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 6.4, height: float = 4.0, **subplots: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure of `rows` x `columns` axes (inches), with constrained layout; the axes always come as a 2-D array.

    Further keywords go to :meth:`matplotlib.figure.Figure.subplots` (``sharex``, ``height_ratios``, ...).
    """
    with style():
        made = Figure(figsize=(width, height), layout="constrained")
        axes = made.subplots(rows, columns, squeeze=False, **subplots)
    return made, np.asarray(axes)


def new_axes() -> Axes:
    """Axes in a figure of their own: what ``plot_<thing>(..., ax=None)`` draws into."""
    return figure()[1][0, 0]  # type: ignore[no-any-return]


def band(ax: Axes, x: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, color: str, label: str | None = None) -> None:
    """A shaded band between `lower` and `upper`."""
    ax.fill_between(np.asarray(x), np.asarray(lower), np.asarray(upper), color=color, alpha=0.25, linewidth=0, label=label)


def save(fig: Figure, path: Path) -> None:
    """Write the figure in the format of the path's ending, with the house's look."""
    with style():
        fig.savefig(path)
