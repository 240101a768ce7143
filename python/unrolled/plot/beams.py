"""Pictures of a beam: the prefixes that it follows, over the frames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_real
from unrolled.plot.figures import COLORS, INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.decode import BeamSearchDecoder, Labels

_INCHES = 0.24  # a prefix
_MOST_LETTERS = 28
_LEAST_SHARE = 0.003
Prefix = tuple[int, ...]


def beam(
    decoder: BeamSearchDecoder,
    log_probs: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    prefixes: int = 24,
) -> Figure:
    """Show which prefixes a beam search follows, how good each is, and the best of each frame.

    Parameters
    ----------
    decoder : BeamSearchDecoder
    log_probs : array (T, C)
        Emissions of one item.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    prefixes : int
        Rows at most: those that are ever the most probable, in the order in which they are it.
        Blue is a prefix's share among all that the beam holds at the frame, by their scores; the
        line goes along the best.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        The emissions have no frame or do not fit the decoder, or no prefix is to be shown.
    OSError
        If the picture cannot be written.
    """
    if prefixes < 1:
        raise ValueError(f"prefixes must be at least 1, got {prefixes}")
    shares = follow(decoder, log_probs)
    if not shares:
        raise ValueError("emissions without frames have nothing to show")
    rows = choose_rows(shares, prefixes)
    table = np.array([[frame.get(prefix, 0.0) for frame in shares] for prefix in rows])
    figure, (axis,) = make_figure((10.0, max(_INCHES * len(rows), 1.0) + 1.1), [1.0])
    _show_shares(figure, axis, table)
    _show_best(axis, [max(frame, key=frame.__getitem__) for frame in shares], rows)
    axis.set_yticks(np.arange(len(rows)) + 0.5, [_name_of(row, decoder.labels) for row in rows])
    axis.set_xlabel("frame, t")
    width = decoder.settings.beam_width
    name_panel(axis, f"share of each prefix in a beam of {'any' if width is None else width}")
    return written(figure, path)


def follow(decoder: BeamSearchDecoder, log_probs: Any) -> list[dict[Prefix, float]]:
    """Return the prefixes in the beam after each frame, each with its share of their mass."""
    stream = decoder.start()
    width = decoder.settings.beam_width
    shares = []
    for frame in as_real(log_probs, "log_probs"):
        stream.push(frame)
        found = stream.partials(1 << 30 if width is None else width)
        scores = np.array([hypothesis.score for hypothesis in found])
        mass = np.exp(scores - scores.max())
        tokens = [tuple(hypothesis.tokens) for hypothesis in found]
        shares.append(dict(zip(tokens, (mass / mass.sum()).tolist(), strict=True)))
    return shares


def choose_rows(shares: Sequence[dict[Prefix, float]], most: int) -> list[Prefix]:
    """Take the prefixes with the largest shares, in the order of the frames that have these."""
    peaks: dict[Prefix, tuple[float, int]] = {}
    for t, frame in enumerate(shares):
        for prefix, share in frame.items():
            if share > peaks.get(prefix, (_LEAST_SHARE, 0))[0]:
                peaks[prefix] = share, t
    largest = sorted(peaks, key=lambda prefix: -peaks[prefix][0])[:most]
    return sorted(largest, key=lambda prefix: (peaks[prefix][1], len(prefix), prefix))


def _show_shares(figure: Figure, axis: Axes, table: NDArray[np.float64]) -> None:
    from matplotlib.colors import PowerNorm

    rows, frames = table.shape
    shown = axis.imshow(
        table,
        cmap="Blues",
        norm=PowerNorm(0.5, 0, 1),  # where many prefixes are in the running, all have little
        extent=(0, frames, rows, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.set_ylim(rows, 0)
    axis.hlines(np.arange(1, rows), 0, frames, color="#e8e8e8", linewidth=0.6)
    axis.tick_params(axis="y", length=0)
    bar = figure.colorbar(shown, cax=axis.inset_axes((1.01, 0, 0.012, 1)), ticks=[0, 0.1, 0.5, 1])
    bar.ax.tick_params(colors=INK, labelsize=9)


def _show_best(axis: Axes, best: Sequence[Prefix], rows: Sequence[Prefix]) -> None:
    """Draw a line along the best prefixes, as far as they are shown."""
    place = {prefix: k + 0.5 for k, prefix in enumerate(rows)}
    heights = [place.get(prefix, np.nan) for prefix in best]
    axis.plot(np.arange(len(best)) + 0.5, heights, "o-", color=COLORS[1], lw=1.4, markersize=3.5)


def _name_of(prefix: Prefix, labels: Labels) -> str:
    text = "".join(labels.texts[token] for token in prefix).replace(" ", "␣")
    return plain_text(text if len(text) <= _MOST_LETTERS else "…" + text[1 - _MOST_LETTERS :])
