"""Pictures of alignments: the path through its trellis, tokens and words, and how sure it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.plot.alignment_strip import DOUBT, View, add_boxes, make_strip, show_strip, text_of
from unrolled.plot.figures import COLORS, GREY, INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.align import Alignment

_INCHES = 12.0
_MOST_NAMES, _NAME_POINTS = 45, 8.0  # of tokens that are named at the side
_MOST_COLUMNS, _MOST_ROWS = 2400, 1200  # of the picture behind the path; beyond, some are joined
_MOST_JOINED = 16  # of its cells in one; of more, one is always likely and all would be dark

_NOTHING = np.zeros((1, 1))


def alignment(
    alignment: Alignment,
    log_probs: ArrayLike | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    posterior: ArrayLike | None = None,
    start: int | None = None,
    end: int | None = None,
) -> Figure:
    """Show an alignment: its path over the emissions, its words and tokens, and its probability.

    Parameters
    ----------
    alignment : Alignment
    log_probs : array-like (T, C), optional
        The emissions it was made from. The probability of each token of the target at each frame
        stands behind the path; without them there is no such panel.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    posterior : array-like (T, S), optional
        Probability of each state at each frame, as `unrolled.ctc.forward_backward` returns it, to
        stand behind the path in place of `log_probs`.
    start, end : int, optional
        Frames to show, [start, end); the whole alignment when not given. Names are written where
        they have room, so a cut-out shows more of them. Beyond some 4 minutes of speech the path
        alone is shown, since probabilities would run into each other.

    Returns
    -------
    Figure
        Below the path, words stand over their tokens: hatched where they are estimated, with a red
        name where they were left out or are suspicious. The last panel has the probability of the
        path at each frame, or the mean of several, in red where it is suspicious.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If shapes do not fit, or no frame is left to show.
    OSError
        If the picture cannot be written.
    """
    view = _make_view(alignment, start, end)
    tokens = _visible_tokens(alignment, view)
    picture = _picture(alignment, log_probs, posterior, tokens, view)
    strip = make_strip(alignment, view)
    shares = [strip.height, 1.0]
    if picture is not None:
        shares.insert(0, min(6.0, max(1.6, 0.16 * len(tokens))))
    figure, axes = make_figure((_INCHES, sum(shares) + 0.45 * len(shares) + 0.3), shares)
    if picture is not None:
        _show_trellis(figure, axes[0], alignment, picture, tokens, view)
    show_strip(axes[-2], strip, view)
    _show_probability(axes[-1], alignment, view)
    axes[-1].set_xlim(view.place(view.first), view.place(view.last))
    axes[-1].set_xlabel(view.unit_name, color=INK)
    return written(figure, path)


def _make_view(alignment: Alignment, start: int | None, end: int | None) -> View:
    frames = alignment.states.size
    first = 0 if start is None else max(start, 0)
    last = frames if end is None else min(end, frames)
    if first >= last:
        raise ValueError(f"start and end must leave one of {frames} frames, got {start} and {end}")
    scale = alignment.scale
    if scale.seconds_per_frame is not None:
        return View(first, last, scale.seconds_per_frame, scale.offset, "seconds")
    if scale.stride is not None:
        return View(first, last, scale.stride, scale.offset, "column of the image (pixels)")
    return View(first, last, 1.0, 0.0, "frame")


def _visible_tokens(alignment: Alignment, view: View) -> range:
    """Return the tokens between the first and the last state in view."""
    length = alignment.target.size
    if not alignment.is_feasible or not length:
        return range(length)
    first, last = alignment.states[[view.first, view.last - 1]].tolist()
    if alignment.blank is not None:  # a blank in view does not show the token before or after it
        first, last = first // 2, (last - 1) // 2
    first = min(first, length - 1)
    return range(first, max(last, first) + 1)


def _picture(
    alignment: Alignment,
    log_probs: ArrayLike | None,
    posterior: ArrayLike | None,
    tokens: range,
    view: View,
) -> NDArray[Any] | None:
    """Return the probability of each token in view, (tokens, frames), in a size for the eye."""
    frames, length = alignment.states.size, alignment.target.size
    shown = np.arange(tokens.start, tokens.stop)
    cells = len(tokens) * (view.last - view.first)
    is_too_long = cells > _MOST_JOINED * _MOST_COLUMNS * _MOST_ROWS
    if posterior is not None:
        chances = np.asarray(posterior)
        states = length if alignment.blank is None else 2 * length + 1
        if chances.shape != (frames, states):
            raise ValueError(f"posterior must be ({frames}, {states}), not {chances.shape}")
        if is_too_long:
            return _NOTHING
        columns = shown if alignment.blank is None else 2 * shown + 1
        pooled = _peaks(chances[view.first : view.last], _MOST_COLUMNS)
    elif log_probs is not None:
        scores = np.asarray(log_probs)
        if scores.ndim != 2 or len(scores) != frames:
            raise ValueError(f"log_probs must be ({frames}, C), not {scores.shape}")
        if is_too_long:
            return _NOTHING
        columns = alignment.target[shown]
        pooled = np.exp(_peaks(scores[view.first : view.last], _MOST_COLUMNS))
        nothing = np.zeros((len(pooled), 1), pooled.dtype)  # a wildcard has no column of its own
        pooled = np.concatenate([pooled, nothing], axis=1)
        columns = np.minimum(columns, scores.shape[1])
    else:
        return None
    return _peaks(pooled[:, columns].T, _MOST_ROWS)


def _peaks(values: NDArray[Any], most: int) -> NDArray[Any]:
    """Join rows to at most `most` by their highest values: a mean would hide narrow peaks."""
    if len(values) <= most:
        return values
    joined: NDArray[Any] = np.maximum.reduceat(values, np.arange(most) * len(values) // most)
    return joined


def _show_trellis(
    figure: Figure,
    axis: Axes,
    alignment: Alignment,
    picture: NDArray[Any],
    tokens: range,
    view: View,
) -> None:
    left, right = view.place(view.first), view.place(view.last)
    top, bottom = tokens.start, max(tokens.stop, tokens.start + 1)
    shown = axis.imshow(
        picture,
        cmap="Blues",
        vmin=0,
        vmax=1,
        extent=(left, right, bottom, top),
        interpolation="nearest" if picture.shape[1] < _MOST_COLUMNS else "antialiased",
        aspect="auto",
    )
    if alignment.is_feasible and len(tokens):
        states = alignment.states[view.first : view.last]
        shown_frames = np.arange(0, len(states), -(-len(states) // (2 * _MOST_COLUMNS)))
        heights = states[shown_frames] + 0.5
        if alignment.blank is not None:
            heights = states[shown_frames] / 2  # a blank lies between rows
        edges = view.places()[np.append(shown_frames, len(states))]
        axis.plot(
            np.repeat(edges, 2)[1:-1],
            np.repeat(heights, 2),
            color=COLORS[1],
            linewidth=1.4 if len(states) < 2000 else 0.8,
        )
    axis.set_ylim(bottom, top)
    _name_rows(axis, alignment, tokens)
    name = "probability of each token, and the path through them"
    name_panel(axis, "path through the tokens" if picture is _NOTHING else name)
    bar = figure.colorbar(shown, cax=axis.inset_axes((1.01, 0, 0.012, 1)), ticks=[0, 0.5, 1])
    bar.ax.tick_params(colors=INK, labelsize=9)


def _name_rows(axis: Axes, alignment: Alignment, tokens: range) -> None:
    """Name tokens at the side, or where they are too many the words that have room."""
    axis.tick_params(axis="y", length=0)
    if len(tokens) <= _MOST_NAMES:
        names = [plain_text(text_of(span)) for span in alignment.spans[tokens.start : tokens.stop]]
        axis.set_yticks(np.arange(tokens.start, tokens.stop) + 0.5, names, fontsize=_NAME_POINTS)
        return
    places, names, free = [], [], float(tokens.start)
    needed = len(tokens) / _MOST_NAMES
    for word, piece in zip(alignment.words, alignment.word_pieces, strict=True):
        middle = (piece.first + piece.last) / 2
        if piece.first < tokens.stop and piece.last > tokens.start and middle >= free:
            places.append(middle)
            names.append(plain_text(word.text))
            free = middle + needed
    axis.set_yticks(places, names, fontsize=_NAME_POINTS)


def _show_probability(axis: Axes, alignment: Alignment, view: View) -> None:
    name = "probability of the path at each frame"
    frames = view.last - view.first
    cuts = np.arange(min(frames, _MOST_COLUMNS)) * frames // min(frames, _MOST_COLUMNS)
    edges = view.places()[np.append(cuts, frames)]
    doubt = np.zeros(frames, bool)
    found = [item for item in alignment.suspicious() if view.shows(item)]
    for item in found:
        doubt[max(item.start - view.first, 0) : item.end - view.first] = True
    is_red = np.logical_or.reduceat(doubt, cuts)
    ones = np.ones(len(cuts))
    add_boxes(axis, edges[:-1], edges[1:], 0, 1.02 * ones[is_red], DOUBT, where=is_red, alpha=0.15)

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.add.reduceat(values[view.first : view.last], cuts)
        return sums / np.diff(np.append(cuts, frames))

    if alignment.is_feasible:
        chances = means(np.exp(alignment.frame_scores))
        for color, chosen in ((COLORS[4], ~is_red), (DOUBT, is_red)):
            add_boxes(axis, edges[:-1], edges[1:], 0, chances[chosen], color, where=chosen)
    if alignment.posterior is not None:
        posterior = means(alignment.posterior)
        axis.plot(np.repeat(edges, 2)[1:-1], np.repeat(posterior, 2), color=COLORS[0], linewidth=1)
        name += ", its posterior as a line"
    axis.set_ylim(0, 1.02)
    axis.set_yticks([0, 0.5, 1])
    axis.spines[["left", "bottom"]].set_color(GREY)
    name_panel(axis, name + ("; suspicious in red" if found else ""))
