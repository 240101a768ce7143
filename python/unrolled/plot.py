"""Pictures of readings and of training, with matplotlib (the extra ``plot``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.data.images import prepare_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.models.reading import CharacterSpan, Reading
    from unrolled.training import History

# Okabe and Ito's colours, which stay apart for colour-blind eyes; without their yellow.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_INK, _GREY = "#222222", "#8a8a8a"
_MOST_ROWS = 16  # of the heat map; beyond, only classes that matter are shown
_BLANK = "blank"

# Of the learning curve: panels with their columns, and a column's label, colour and scale.
_PANELS = {
    "loss": ("train_loss", "valid_loss"),
    "character error (%)": ("character_error_rate",),
}
_CURVES = {
    "train_loss": ("training", _COLORS[0], 1),
    "valid_loss": ("validation", _COLORS[1], 1),
    "character_error_rate": ("validation", _COLORS[1], 100),
}


def reading(
    image: ArrayLike,
    log_probs: ArrayLike,
    reading: Reading,
    path: str | os.PathLike[str] | None = None,
    *,
    charset: str,
    frame_pixels: float | None = None,
    truth: str | None = None,
) -> Figure:
    """Show a line image, the posterior over time, the alignment and the reading.

    Parameters
    ----------
    image : array-like (H, W)
        The line, as it was given to ``CRNN.read``.
    log_probs : array-like (T, C)
        Its emissions, ``CRNN.emissions``; class 0 is the blank.
    reading : Reading
        What was read.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    charset : str
        Names of the classes from 1 on.
    frame_pixels : float, optional
        Columns of the image that a frame covers; W / T when not given.
    truth : str, optional
        What stands in the line.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If shapes do not fit.
    OSError
        If the picture cannot be written.
    """
    pixels, scores = np.asarray(image), np.asarray(log_probs)
    if pixels.ndim != 2:
        raise ValueError(f"image must be (H, W), not {pixels.shape}")
    if scores.ndim != 2 or scores.shape[1] != len(charset) + 1:
        raise ValueError(f"log_probs must be (T, {len(charset) + 1}), not {scores.shape}")
    height, width = pixels.shape
    rows = min(scores.shape[1], _MOST_ROWS)
    line_inches = min(1.6, max(0.5, 8.6 * height / width))
    figure, (top, middle, bottom) = _figure(
        (10.0, 2 * line_inches + 0.21 * rows + 2.3), [line_inches, 0.21 * rows, line_inches]
    )
    _title(figure, reading, truth)
    _show_line(top, pixels)
    _name(top, "line image")
    classes = _classes_to_show(scores)
    end = width if frame_pixels is None else frame_pixels * len(scores)
    _show_posterior(figure, middle, scores[:, classes], end)
    names = [_BLANK if chosen == 0 else charset[chosen - 1] for chosen in classes]
    middle.set_yticks(np.arange(len(names)) + 0.5, [_shown(name) for name in names])
    _name(middle, "posterior: probability of each symbol over the line")
    _show_line(bottom, pixels, fade=True)
    _name(bottom, "alignment: where each symbol stands", pad=26)
    for position, span in enumerate(reading.spans):
        color = _COLORS[position % len(_COLORS)]
        _show_span(bottom, span, height, color)
        if span.text in names:
            _frame(middle, span, names.index(span.text), color)
    bottom.set_xlim(0, width)
    bottom.set_xlabel("column of the image (pixels)")
    return _written(figure, path)


def curves(history: History, path: str | os.PathLike[str] | None = None) -> Figure:
    """Show how loss, and error where it was measured, fell over the epochs.

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
    figure, axes = _figure((5.0 * len(shown) + 0.5, 3.6), [1.0] * len(shown), across=True)
    for axis, (title, columns) in zip(axes, shown.items(), strict=True):
        for column in columns:
            _show_curve(axis, history, column)
        _name(axis, title)
        axis.set_xlabel("epoch")
        axis.set_ylim(bottom=0)
        axis.locator_params(axis="x", integer=True)
        axis.legend(frameon=False)
    return _written(figure, path)


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


def _figure(
    inches: tuple[float, float], shares: Sequence[float], across: bool = False
) -> tuple[Figure, Sequence[Axes]]:
    """Make panels below each other, or `across`; no window and no global state are involved."""
    figure: Figure = _figure_class()(figsize=inches, layout="constrained", facecolor="white")
    if across:
        axes = figure.subplots(1, len(shares), squeeze=False)[0]
    else:
        axes = figure.subplots(len(shares), 1, sharex=True, height_ratios=list(shares))
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=_INK, labelsize=9)
    return figure, axes


def _title(figure: Figure, reading: Reading, truth: str | None) -> None:
    text = f"{_shown(reading.text)}   read with {reading.confidence:.0%} confidence"
    if truth is not None:
        is_right = truth == reading.text
        text += " (right)" if is_right else f" (the line says {_shown(truth)})"
    figure.suptitle(text, fontsize=15, color=_INK, x=0.01, ha="left")


def _name(axis: Axes, text: str, pad: float = 6) -> None:
    axis.set_title(text, loc="left", fontsize=11, color=_INK, pad=pad)


def _shown(text: str) -> str:
    return text.replace("$", r"\$") if text else "(nothing)"


def _show_line(axis: Axes, pixels: NDArray[Any], fade: bool = False) -> None:
    height, width = pixels.shape
    axis.imshow(
        prepare_line(pixels, height),
        cmap="gray_r",
        vmin=0,
        vmax=2 if fade else 1,
        extent=(0, width, height, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.set_yticks([0, height])
    axis.spines[["left", "bottom"]].set_color(_GREY)


def _show_posterior(figure: Figure, axis: Axes, scores: NDArray[Any], end: float) -> None:
    """Show log probabilities (T, rows) up to column `end`, the last row, the blank's, in grey."""
    rows = scores.shape[1]
    shown = axis.imshow(
        np.exp(scores[:, :-1]).T,
        cmap="Blues",
        vmin=0,
        vmax=1,
        extent=(0, end, rows - 1, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.imshow(
        np.exp(scores[:, -1:]).T,
        cmap="Greys",
        vmin=0,
        vmax=2,
        extent=(0, end, rows, rows - 1),
        interpolation="nearest",
        aspect="auto",
    )
    axis.set_ylim(rows, 0)
    axis.hlines(np.arange(1, rows), 0, end, color="white", linewidth=0.8)
    axis.tick_params(axis="y", length=0)
    # Beside the panel and not taken from it, so that all panels have the same columns.
    bar = figure.colorbar(shown, cax=axis.inset_axes((1.01, 0, 0.012, 1)), ticks=[0, 0.5, 1])
    bar.ax.tick_params(colors=_INK, labelsize=9)


def _classes_to_show(scores: NDArray[Any]) -> list[int]:
    """Return all classes, or the likeliest of many, in their order with the blank last."""
    classes = np.arange(1, scores.shape[1])
    peaks = scores[:, 1:].max(axis=0)
    likeliest = np.argsort(-peaks, kind="stable")[: _MOST_ROWS - 1]
    return [*np.sort(classes[likeliest]).tolist(), 0]


def _show_span(axis: Axes, span: CharacterSpan, height: int, color: str) -> None:
    axis.axvspan(span.start, span.end, color=color, alpha=0.22, linewidth=0)
    axis.vlines([span.start, span.end], 0, height, color=color, linewidth=1.2)
    axis.annotate(
        _shown(span.text),
        ((span.start + span.end) / 2, 0),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=14,
        fontweight="bold",
        color=color,
        annotation_clip=False,
    )


def _frame(axis: Axes, span: CharacterSpan, row: int, color: str) -> None:
    left, right = span.start, span.end
    x, y = [left, right, right, left, left], [row, row, row + 1, row + 1, row]
    axis.plot(x, y, color=color, linewidth=1.8, clip_on=False)


def _show_curve(axis: Axes, history: History, column: str) -> None:
    label, color, scale = _CURVES[column]
    points = [
        (row["epoch"], scale * row[column]) for row in history.rows if row.get(column) is not None
    ]
    epochs, values = zip(*points, strict=True)
    axis.plot(epochs, values, color=color, label=label, linewidth=2, marker="o", markersize=4)


def _written(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    if path is not None:
        figure.savefig(path, dpi=130)
    return figure
