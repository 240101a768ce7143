"""Pictures of predictions: which classes are taken for which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.plot.figures import INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_WITH_PERCENT, _MOST_WITH_COUNTS = 14, 30  # classes whose cells have room for text
_DARK = 0.55  # share of a row from which on text is white


def confusion(
    matrix: ArrayLike,
    classes: Sequence[str],
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Show a confusion matrix: counts, per cent of each class, and the accuracy.

    Parameters
    ----------
    matrix : array-like of int (C, C)
        Items of the class of the row that were taken for that of the column:
        ``Evaluation.confusion``, or `unrolled.metrics.confusion_matrix`.
    classes : sequence of str
        Names of the C classes.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.

    Returns
    -------
    Figure
        Beyond 14 classes without per cent, beyond 30 without counts.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If the matrix has another shape, negative counts, or counts nothing.
    OSError
        If the picture cannot be written.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(
            f"matrix has shape {counts.shape}, the {len(classes)} classes need "
            f"({len(classes)}, {len(classes)})"
        )
    if not counts.size or counts.min() < 0 or counts.sum() == 0:
        raise ValueError("matrix must have counts of at least 0, and count something")
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = 2.4 + min(0.62 * len(classes), 14)
    figure, (axis,) = make_figure((side + 0.8, side), [1.0])
    shown = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    _name_classes(axis, [plain_text(name) for name in classes])
    if len(classes) <= _MOST_WITH_COUNTS:
        _write_cells(axis, counts, shares)
    right = int(np.trace(counts))
    name_panel(
        axis, f"{right / counts.sum():.2%} right ({right:,} of {int(counts.sum()):,})", pad=10
    )
    bar = figure.colorbar(shown, ax=axis, shrink=0.8, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"])
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.set_label("of the row's class", color=INK)
    return written(figure, path)


def _name_classes(axis: Axes, names: list[str]) -> None:
    places = np.arange(len(names))
    size = 9 if len(names) <= _MOST_WITH_COUNTS else 5
    axis.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    axis.set_yticks(places, names, fontsize=size)
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xlabel("taken for", color=INK)
    axis.set_ylabel("is", color=INK)


def _write_cells(axis: Axes, counts: NDArray[Any], shares: NDArray[Any]) -> None:
    for row, column in np.argwhere(counts > 0).tolist():
        count, share = int(counts[row, column]), float(shares[row, column])
        text = f"{count:,}"
        if len(counts) <= _MOST_WITH_PERCENT:
            text += f"\n{share:.1%}"
        axis.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=8 if len(counts) <= _MOST_WITH_PERCENT else 7,
            color="white" if share > _DARK else INK,
        )
