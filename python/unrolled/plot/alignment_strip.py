"""Words over their tokens along time, and what of an alignment a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.plot.figures import COLORS, name_panel
from unrolled.plot.label_rows import ROW_INCHES, NamePlace, arrange, name_place, write_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from unrolled.align import Alignment, Span, Word
    from unrolled.ctc.spans import Placed

AXIS_INCHES = 10.9
DOUBT = "#D62728"  # of words that are suspicious
_WORD_POINTS, _TOKEN_POINTS = 9.0, 8.0
_WORD_ROWS, _TOKEN_ROWS = 3, 2


class View(NamedTuple):
    """What is shown: frames [first, last), and what a frame is on the axis."""

    first: int
    last: int
    unit: float
    offset: float
    unit_name: str

    def place(self, frame: float) -> float:
        """Return where a frame starts on the axis."""
        return self.offset + frame * self.unit

    def places(self) -> NDArray[Any]:
        """Return the edges of all frames."""
        return self.offset + np.arange(self.first, self.last + 1) * self.unit

    def shows(self, item: Placed) -> bool:
        """Whether a part of it is in view; what takes no time counts where it stands."""
        return item.start < self.last and max(item.end, item.start + 1) > self.first


class Strip(NamedTuple):
    """Words over tokens in view, with the rows of their names; heights in inches."""

    words: Sequence[Word]
    tokens: Sequence[Span]
    word_rows: list[list[NamePlace]]
    token_rows: list[list[NamePlace]]

    @property
    def base(self) -> float:
        """Where the band of tokens begins; their names are below it."""
        return ROW_INCHES * len(self.token_rows)

    @property
    def height(self) -> float:
        """Return the height of bands and names."""
        bands = 2 if self.words else 1
        return self.base + ROW_INCHES * (bands + len(self.word_rows))


def make_strip(alignment: Alignment, view: View) -> Strip:
    """Choose what is in view, and names that have room."""
    words = [word for word in alignment.words if view.shows(word)]
    tokens = [
        span
        for span in alignment.spans
        if view.shows(span) and not span.omitted and span.token != alignment.separator
    ]
    inches = AXIS_INCHES / (view.last - view.first)

    doubtful = {id(item) for found in alignment.suspicious() for item in found.items}

    def names(items: Sequence[Word | Span], size: float) -> list[NamePlace]:
        return [
            name_place(
                text_of(item),
                ((item.start + item.end) / 2 - view.first) * inches,
                size,
                DOUBT if id(item) in doubtful else color_of(index),
            )
            for index, item in enumerate(items)
        ]

    word_rows = arrange(names(words, _WORD_POINTS), AXIS_INCHES, _WORD_ROWS)
    token_rows = arrange(names(tokens, _TOKEN_POINTS), AXIS_INCHES, _TOKEN_ROWS)
    if 2 * sum(map(len, token_rows)) < len(tokens):
        token_rows = []  # a few letters here and there tell nothing
    return Strip(words, tokens, word_rows, token_rows)


def show_strip(axis: Axes, strip: Strip, view: View) -> None:
    """Draw words over their tokens."""
    axis.set_ylim(0, strip.height)
    axis.set_yticks([])
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.tick_params(axis="x", length=0)
    base, thick = strip.base, 0.8 * ROW_INCHES
    _show_boxes(axis, strip.tokens, view, base + 0.1 * ROW_INCHES, thick)
    write_rows(axis, strip.token_rows, AXIS_INCHES, base, _TOKEN_POINTS, upwards=False)
    title = "tokens"
    if strip.words:
        _show_boxes(axis, strip.words, view, base + 1.1 * ROW_INCHES, thick)
        edge = base + 2 * ROW_INCHES
        write_rows(axis, strip.word_rows, AXIS_INCHES, edge, _WORD_POINTS, upwards=True)
        title = "words over their tokens"
    name_panel(axis, title)


def _show_boxes(
    axis: Axes, items: Sequence[Word | Span], view: View, bottom: float, height: float
) -> None:
    edges = view.offset + view.unit * np.array([(item.start, item.end) for item in items])
    estimated = np.array([item.estimated for item in items], bool)
    turns = np.arange(len(items)) % 2
    for turn in (0, 1):
        for hatch in (None, "////"):
            chosen = (turns == turn) & (estimated == bool(hatch))
            if chosen.any():
                heights = np.full(chosen.sum(), height)
                lefts, rights = edges.T
                add_boxes(
                    axis, lefts, rights, bottom, heights, color_of(turn), where=chosen, hatch=hatch
                )


def add_boxes(
    axis: Axes,
    lefts: NDArray[Any],
    rights: NDArray[Any],
    bottom: float,
    heights: NDArray[Any],
    color: str,
    *,
    where: NDArray[np.bool_],
    hatch: str | None = None,
    alpha: float | None = None,
) -> None:
    """Draw boxes as one: matplotlib's bars are an object each, too many for thousands.

    `lefts` and `rights` are of all boxes, `heights` of those `where` they are drawn.
    """
    from matplotlib.collections import PolyCollection

    left, right = lefts[where], rights[where]
    low, high = np.full(len(left), bottom), bottom + heights
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1)
    axis.add_collection(
        PolyCollection(
            list(corners.reshape(-1, 4, 2)),
            facecolor="none" if hatch else color,
            edgecolor=color if hatch else "none",
            hatch=hatch,
            linewidth=0.5,
            alpha=alpha,
            antialiased=bool(hatch),  # seams between neighbours otherwise
        ),
        autolim=False,
    )


def color_of(index: int) -> str:
    """Return the colours of neighbours by turns."""
    return COLORS[2 * (index % 2)]  # blue and green, away from the red of doubt


def text_of(item: Word | Span) -> str:
    """Return the name of a word or token."""
    from unrolled.align import Word

    text = item.text if isinstance(item, Word) else item.label
    if text is None:
        assert not isinstance(item, Word)
        text = str(item.token)
    return "\u2423" if text == " " else text  # an open box, as a space cannot be seen
