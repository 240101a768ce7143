"""Pictures of attention: where a model looked when it wrote each token."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unrolled._arrays import as_real
from unrolled.plot.figures import INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMES = 60  # tokens along an axis that can still be read


def attention(
    weights: Any,
    sources: Sequence[str],
    targets: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "attention",
) -> Figure:
    """Show the weights of the source's positions for each token that was written.

    Parameters
    ----------
    weights : array (targets, S)
        S at least as many as there are sources; what lies beyond them is left out.
    sources, targets : sequence of str
        Tokens that were read, along the top, and written, down the side.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    title : str

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If the tokens are not as many as the weights, or there are none.
    OSError
        If the picture cannot be written.
    """
    array = as_real(weights, "weights")
    rows, columns = len(targets), len(sources)
    if array.ndim != 2 or len(array) != rows or array.shape[1] < columns:
        raise ValueError(
            f"weights must have the shape (targets, sources), here ({rows}, {columns}), "
            f"got {array.shape}"
        )
    if rows == 0 or columns == 0:
        raise ValueError(f"there is nothing to show: {rows} targets, {columns} sources")
    size = (1.6 + 0.28 * min(columns, _MOST_NAMES), 1.1 + 0.24 * min(rows, _MOST_NAMES))
    figure, (axis,) = make_figure((max(size[0], 3.0), max(size[1], 2.0)), [1.0])
    image = axis.imshow(array[:, :columns], cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    axis.xaxis.tick_top()
    _name_ticks(axis.set_xticks, sources)
    _name_ticks(axis.set_yticks, targets)
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
    name_panel(axis, plain_text(title), pad=12)
    bar = figure.colorbar(image, ax=axis, pad=0.02)
    bar.set_label("weight", color=INK)
    return written(figure, path)


def _name_ticks(set_ticks: Any, tokens: Sequence[str]) -> None:
    """Write the tokens at their places; of too many, some at even distances."""
    every = -(-len(tokens) // _MOST_NAMES)
    places = range(0, len(tokens), every)
    set_ticks(places, [plain_text(tokens[place]) for place in places])
