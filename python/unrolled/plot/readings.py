"""Pictures of readings: the line, the posterior over time and the alignment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.data.images import prepare_line
from unrolled.plot.figures import COLORS, GREY, INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.models.reading import CharacterSpan, Reading

_MOST_ROWS = 16  # of the heat map; beyond, only classes that matter are shown
_BLANK = "blank"


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
    figure, (top, middle, bottom) = make_figure(
        (10.0, 2 * line_inches + 0.21 * rows + 2.3), [line_inches, 0.21 * rows, line_inches]
    )
    _title(figure, reading, truth)
    _show_line(top, pixels)
    name_panel(top, "line image")
    classes = _classes_to_show(scores)
    end = width if frame_pixels is None else frame_pixels * len(scores)
    _show_posterior(figure, middle, scores[:, classes], end)
    names = [_BLANK if chosen == 0 else charset[chosen - 1] for chosen in classes]
    middle.set_yticks(np.arange(len(names)) + 0.5, [plain_text(name) for name in names])
    name_panel(middle, "posterior: probability of each symbol over the line")
    _show_line(bottom, pixels, fade=True)
    name_panel(bottom, "alignment: where each symbol stands", pad=26)
    for position, span in enumerate(reading.spans):
        color = COLORS[position % len(COLORS)]
        _show_span(bottom, span, height, color)
        if span.text in names:
            _frame(middle, span, names.index(span.text), color)
    bottom.set_xlim(0, width)
    bottom.set_xlabel("column of the image (pixels)")
    return written(figure, path)


def _title(figure: Figure, reading: Reading, truth: str | None) -> None:
    text = f"{plain_text(reading.text)}   read with {reading.confidence:.0%} confidence"
    if truth is not None:
        is_right = truth == reading.text
        text += " (right)" if is_right else f" (the line says {plain_text(truth)})"
    figure.suptitle(text, fontsize=15, color=INK, x=0.01, ha="left")


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
    axis.spines[["left", "bottom"]].set_color(GREY)


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
    bar.ax.tick_params(colors=INK, labelsize=9)


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
        plain_text(span.text),
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
