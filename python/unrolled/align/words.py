"""Words: runs of tokens with a text, each with its place whether it could be spelt or not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.align.token_spans import TokenFrames, label_of_each
from unrolled.ctc.spans import FrameScale, Placed, Span

Kind = Literal["spelt", "star", "interpolated", "silent"]

_SCALE = FrameScale()


class WordSlice(NamedTuple):
    """Which tokens of a target are a word: [first, last), none where it was not spelt.

    `kind` is "spelt", "star" (a wildcard stands for it), "interpolated" (it has no token and gets
    the room between its neighbours) or "silent" (it has no sound, such as a dash by itself).
    """

    text: str
    first: int
    last: int
    kind: Kind = "spelt"


@dataclass(frozen=True, slots=True)
class Word(Placed):
    """A word over the frames [start, end), from its first token to its last.

    Attributes
    ----------
    text : str
        As it stands in the text.
    start, end : int
        Frames, ``0 <= start <= end <= T``.
    score : float
        Mean log probability a frame, over the frames of its tokens; nan where it has none.
    min_score : float
        The least log probability of these frames.
    posterior : float, optional
        Mean over these frames of the probability that the path is right there.
    estimated : bool
        Whether a part of it could not be spelt, so that its place is a guess.
    omitted : bool
        Whether the path leaves all of its tokens out.
    spans : tuple of Span
        Its tokens.
    """

    text: str
    start: int
    end: int
    score: float
    min_score: float = math.nan
    posterior: float | None = None
    estimated: bool = False
    omitted: bool = False
    spans: tuple[Span, ...] = field(default=(), repr=False)
    scale: FrameScale = field(default=_SCALE, repr=False, compare=False)


def group_tokens(
    target: NDArray[np.int64], separator: int, labels: Sequence[str] | None, star: int | None
) -> list[WordSlice]:
    """Return what stands between separators, however many of them.

    Examples
    --------
    >>> group_tokens(np.array([9, 1, 2, 9, 9, 3]), 9, "abcdefghi|", None)
    [WordSlice(text='bc', first=1, last=3, kind='spelt'),
     WordSlice(text='d', first=5, last=6, kind='spelt')]
    """
    edges = np.flatnonzero(np.diff(target != separator, prepend=False, append=False))
    runs = edges.reshape(-1, 2).tolist()
    if labels is None:
        return [WordSlice(" ".join(map(str, target[a:b].tolist())), a, b) for a, b in runs]
    texts = label_of_each(target, labels, star)
    return [WordSlice("".join(map(str, texts[a:b])), a, b) for a, b in runs]


def slice_words(texts: Sequence[str], lengths: Iterable[int]) -> list[WordSlice]:
    """Return the words of a target that has no separators, of `lengths` tokens each.

    Raises
    ------
    ValueError
        If there is not one length a text, or one is negative.

    Examples
    --------
    >>> slice_words(["to", "be"], [2, 1])
    [WordSlice(text='to', first=0, last=2, kind='spelt'),
     WordSlice(text='be', first=2, last=3, kind='spelt')]
    """
    sizes = list(lengths)
    if len(sizes) != len(texts):
        raise ValueError(f"there must be one length a word: {len(texts)}, got {len(sizes)}")
    if any(size < 0 for size in sizes):
        raise ValueError(f"lengths must not be negative, got {min(sizes)}")
    lasts = np.cumsum(sizes, dtype=np.int64).tolist()
    return [
        WordSlice(text, last - size, last, "spelt" if size else "interpolated")
        for text, size, last in zip(texts, sizes, lasts, strict=True)
    ]


def require_order(slices: Sequence[WordSlice], length: int) -> None:
    """Raise ValueError unless the words follow each other within `length` tokens."""
    at = 0
    for number, piece in enumerate(slices):
        if not at <= piece.first <= piece.last <= length:
            raise ValueError(
                f"word_slices: word {number}, {piece.text!r}, has the tokens [{piece.first}, "
                f"{piece.last}), they must lie in {at} .. {length}"
            )
        at = piece.last


def make_words(
    slices: Sequence[WordSlice],
    frames: TokenFrames,
    spans: Sequence[Span],
    end: int,
    scale: FrameScale,
) -> list[Word]:
    """Make one word a slice; those without tokens share the room between their neighbours."""
    words: list[Word] = []
    runs = groupby(slices, lambda piece: piece.first < piece.last)
    groups = [(has_tokens, list(run)) for has_tokens, run in runs]
    for index, (has_tokens, run) in enumerate(groups):
        if has_tokens:
            words += [_make_word(piece, frames, spans, scale) for piece in run]
            continue
        after = groups[index + 1][1][0].first if index + 1 < len(groups) else None
        stop = end if after is None else int(frames.starts[after])
        words += _fill(run, words[-1].end if words else 0, stop, scale)
    return words


def _make_word(
    piece: WordSlice, frames: TokenFrames, spans: Sequence[Span], scale: FrameScale
) -> Word:
    first, last = piece.first, piece.last
    own = tuple(spans[first:last])
    count = sum(span.end - span.start for span in own)
    posterior = None
    if frames.posteriors is not None:
        posterior = float(frames.posteriors[first:last].sum()) / count if count else math.nan
    heard = [span for span in own if not span.omitted]
    return Word(
        piece.text,
        heard[0].start if heard else own[0].start,
        heard[-1].end if heard else own[0].start,
        float(frames.sums[first:last].sum()) / count if count else math.nan,
        min((span.min_score for span in heard), default=math.nan),
        posterior,
        piece.kind != "spelt" or any(span.estimated for span in own),
        not heard,
        own,
        scale,
    )


def _fill(run: Sequence[WordSlice], start: int, end: int, scale: FrameScale) -> Iterator[Word]:
    """Share the frames [start, end) by the lengths of the texts; silent words get none."""
    weights = [0 if piece.kind == "silent" else max(len(piece.text), 1) for piece in run]
    total, before = max(sum(weights), 1), 0
    for piece, weight in zip(run, weights, strict=True):
        left = start + (end - start) * before // total
        before += weight
        right = start + (end - start) * before // total
        yield Word(piece.text, left, right, math.nan, estimated=True, scale=scale)
