"""Pictures of training: figures over the epochs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from unrolled.plot.figures import COLORS, make_figure, name_panel, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.training import History

# Of the learning curve: panels with their columns, and a column's label, colour and scale.
_PANELS = {
    "loss": ("train_loss", "valid_loss"),
    "character error (%)": ("character_error_rate",),
    "error (%)": ("token_error", "sequence_error"),
    "accuracy (%)": ("accuracy",),
    "log likelihood a frame": ("path_log_likelihood", "best_log_likelihood"),
    "frames that changed state (%)": ("changed_share",),
}
_CURVES = {
    "train_loss": ("training", COLORS[0], 1),
    "valid_loss": ("validation", COLORS[1], 1),
    "character_error_rate": ("validation", COLORS[1], 100),
    "token_error": ("validation, symbols", COLORS[0], 100),
    "sequence_error": ("validation, whole sequences", COLORS[1], 100),
    "accuracy": ("validation", COLORS[1], 100),
    "path_log_likelihood": ("paths trained on", COLORS[0], 1),
    "best_log_likelihood": ("best paths after", COLORS[1], 1),
    "changed_share": ("training", COLORS[0], 100),
}
# Accuracy differs in its last per cent.
_FROM_ZERO = ("loss", "character error (%)", "error (%)", "frames that changed state (%)")


def curves(history: History, path: str | os.PathLike[str] | None = None) -> Figure:
    """Show how loss, and what else was measured, changed over the epochs.

    That is error or accuracy, and of `unrolled.training.ViterbiTraining` the log likelihood of the
    paths and the share of frames that changed state.

    Parameters
    ----------
    history : History
        What ``fit`` returned, or ``History.from_csv`` read.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If the history is empty.
    OSError
        If the picture cannot be written.
    """
    if not len(history):
        raise ValueError("history is empty: there is nothing to show before the first epoch")
    names = history.columns
    panels = {
        title: [column for column in columns if column in names]
        for title, columns in _PANELS.items()
    }
    shown = {title: columns for title, columns in panels.items() if columns}
    figure, axes = make_figure((5.0 * len(shown) + 0.5, 3.6), [1.0] * len(shown), across=True)
    for axis, (title, columns) in zip(axes, shown.items(), strict=True):
        for column in columns:
            _show_curve(axis, history, column)
        name_panel(axis, title)
        axis.set_xlabel("epoch")
        if title in _FROM_ZERO:
            axis.set_ylim(bottom=0)
        axis.locator_params(axis="x", integer=True)
        axis.legend(frameon=False)
    return written(figure, path)


def _show_curve(axis: Axes, history: History, column: str) -> None:
    label, color, scale = _CURVES[column]
    points = [
        (row["epoch"], scale * row[column]) for row in history.rows if row.get(column) is not None
    ]
    epochs, values = zip(*points, strict=True)
    axis.plot(epochs, values, color=color, label=label, linewidth=2, marker="o", markersize=4)
