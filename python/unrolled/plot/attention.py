"""Pictures of attention: where a model looked when it wrote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from unrolled.plot.figures import INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL, _LEAST, _MOST = 0.42, 2.0, 16.0  # inches


def attention(
    weights: ArrayLike,
    sources: Sequence[str],
    targets: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "attention",
) -> Figure:
    """Show a matrix of weights: a row for each token written, a column for each that was read.

    Parameters
    ----------
    weights : array-like (T, S)
        ``Generation.attention``: each row a distribution over the sources.
    sources, targets : sequence of str
        The S tokens read and the T tokens written.
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
        If the weights have another shape than the tokens say, none, or values outside [0, 1].
    OSError
        If the picture cannot be written.
    """
    matrix = np.asarray(weights, np.float64)
    if matrix.shape != (len(targets), len(sources)) or not matrix.size:
        raise ValueError(
            f"weights have shape {matrix.shape}, needed is ({len(targets)}, {len(sources)}): a row "
            "for each token written, a column for each that was read, at least one of either"
        )
    if not ((matrix >= 0) & (matrix <= 1 + 1e-4)).all():
        raise ValueError("weights must lie between 0 and 1: give what the softmax returned")
    inches = tuple(min(max(_CELL * n, _LEAST), _MOST) for n in reversed(matrix.shape))
    figure, (axis,) = make_figure((inches[0] + 1.6, inches[1] + 0.9), [1.0])
    shown = axis.imshow(matrix, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks(range(len(sources)), [plain_text(token) for token in sources])
    axis.set_yticks(range(len(targets)), [plain_text(token) for token in targets])
    axis.set_xlabel("read", color=INK)
    axis.set_ylabel("written", color=INK)
    name_panel(axis, title)
    bar = figure.colorbar(shown, ax=axis, shrink=0.8, ticks=[0, 0.5, 1])
    bar.ax.tick_params(colors=INK, labelsize=9)
    return written(figure, path)
