"""What all pictures share: matplotlib, loaded when the first is made, panels, colours, files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which stay apart for colour-blind eyes; without their yellow.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
INK, GREY = "#222222", "#8a8a8a"


def require() -> None:
    """Make sure that pictures can be made, before work that ends in one.

    Raises
    ------
    ImportError
        Without matplotlib; says how to install it.
    """
    _figure_class()


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "pictures are made with matplotlib, which is not installed; install it with: "
            "pip install 'unrolled[plot]'"
        ) from None
    return Figure


def make_figure(
    inches: tuple[float, float], shares: Sequence[float], across: bool = False
) -> tuple[Figure, Sequence[Axes]]:
    """Make panels below each other, or `across`; no window and no global state are involved."""
    figure: Figure = _figure_class()(figsize=inches, layout="constrained", facecolor="white")
    if across:
        axes = figure.subplots(1, len(shares), squeeze=False)[0]
    else:
        axes = figure.subplots(
            len(shares), 1, sharex=True, squeeze=False, height_ratios=list(shares)
        )[:, 0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=INK, labelsize=9)
    return figure, axes


def name_panel(axis: Axes, text: str, pad: float = 6) -> None:
    """Write a panel's name above it."""
    axis.set_title(text, loc="left", fontsize=11, color=INK, pad=pad)


def plain_text(text: str) -> str:
    """Keep matplotlib from taking dollars for mathematics; name an empty text."""
    return text.replace("$", r"\$") if text else "(nothing)"


def written(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Write the picture if there is a path, and return it."""
    if path is not None:
        figure.savefig(path, dpi=130)
    return figure
