"""Pictures of readings and of training, with matplotlib (the extra ``plot``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    _show_line(top, pixels, "line image")
    end = width if frame_pixels is None else frame_pixels * len(scores)
    _show_posterior(figure, middle, scores, charset, end)
    _show_line(bottom, pixels, "alignment", fade=True)
    for position, span in enumerate(reading.spans):
        _show_span(bottom, span, height, _COLORS[position % len(_COLORS)])
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
    losses = [(name, name.removesuffix("_loss")) for name in names if name.endswith("_loss")]
    errors = [(name, "validation") for name in names if name == "character_error_rate"]
    panels = [("loss", losses, 1.0), ("character error (%)", errors, 100.0)]
    shown = [panel for panel in panels if panel[1]]
    figure, axes = _figure((5.0 * len(shown) + 0.5, 3.6), [1.0] * len(shown), across=True)
    for axis, (title, columns, scale) in zip(axes, shown, strict=True):
        for color, (name, label) in zip(_COLORS, columns, strict=False):
            _show_curve(axis, history, name, label.replace("valid", "validation"), color, scale)
        axis.set_title(title, loc="left", fontsize=11, color=_INK)
        axis.set_xlabel("epoch")
        axis.set_ylim(bottom=0)
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
    text = f"read  {_shown(reading.text)}   with confidence {reading.confidence:.0%}"
    if truth is not None:
        verdict = "right" if truth == reading.text else f"the line says  {_shown(truth)}"
        text += f"   ({verdict})"
    figure.suptitle(text, fontsize=14, color=_INK, x=0.01, ha="left")


def _shown(text: str) -> str:
    return text.replace("$", r"\$") if text else "(nothing)"


def _show_line(axis: Axes, pixels: NDArray[Any], title: str, fade: bool = False) -> None:
    height, width = pixels.shape
    ink = pixels.astype(float)
    if np.median(ink) > (ink.min() + ink.max()) / 2:  # dark on light
        ink = -ink
    low, high = ink.min(), ink.max()
    axis.imshow(
        ink,
        cmap="gray_r",
        vmin=low,
        vmax=high + (high - low) * (1.0 if fade else 0.0),
        extent=(0, width, height, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.set_title(title, loc="left", fontsize=11, color=_INK)
    axis.set_yticks([0, height])
    axis.spines[["left", "bottom"]].set_color(_GREY)


def _show_posterior(
    figure: Figure, axis: Axes, scores: NDArray[Any], charset: str, end: float
) -> None:
    rows = _classes_to_show(scores)
    names = [_BLANK if row == 0 else charset[row - 1] for row in rows]
    shown = axis.imshow(
        np.exp(scores[:, rows]).T,
        cmap="Blues",
        vmin=0,
        vmax=1,
        extent=(0, end, len(rows), 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.set_yticks(np.arange(len(rows)) + 0.5, [_shown(name) for name in names])
    axis.tick_params(axis="y", length=0)
    axis.hlines(np.arange(1, len(rows)), 0, end, color="white", linewidth=0.8)
    axis.set_title("posterior: probability of each symbol, frame by frame", loc="left", fontsize=11)
    # Beside the panel and not taken from it, so that all panels have the same columns.
    figure.colorbar(shown, cax=axis.inset_axes((1.01, 0, 0.012, 1)), ticks=[0, 0.5, 1])


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


def _show_curve(
    axis: Axes, history: History, name: str, label: str, color: str, scale: float
) -> None:
    points = [
        (row["epoch"], scale * row[name]) for row in history.rows if row.get(name) is not None
    ]
    epochs, values = zip(*points, strict=True)
    axis.plot(epochs, values, color=color, label=label, linewidth=2, marker="o", markersize=4)


def _written(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    if path is not None:
        figure.savefig(path, dpi=130)
    return figure
