"""Alignments as JSON: all that is known of each word and token."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unrolled.align.timeline import Path, as_alignments, finished
from unrolled.align.words import Word

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment
    from unrolled.ctc.spans import FrameScale, Span


def to_json(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    indent: int | None = 2,
) -> str:
    """Write JSON with everything that is known of each word and token.

    Parameters
    ----------
    alignment : Alignment, or sequence of them
        Several become a list.
    path : path, optional
        Where to write it, UTF-8, all or nothing.
    indent : int, optional
        Spaces a level; None for one line.

    Returns
    -------
    str
        An object with ``score``, ``frames``, ``words`` (if there are any) and ``tokens``. Each has
        ``start_frame`` and ``end_frame``; ``start`` and ``end`` in seconds where frames have some,
        to a microsecond, or ``left`` and ``right`` in pixels. What is not known is ``null``. A word
        names its tokens by ``first_token`` and ``last_token``, which is one beyond its last.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([1, 3], np.int32), -0.4, np.array([2, 3]), 0, np.array([-0.1, -0.3]),
    ...     labels="_ ab", separator=" ", seconds_per_frame=0.5,
    ... )
    >>> json.loads(to_json(alignment))["words"][0]["end"]
    1.0
    """
    objects = [_as_object(one) for one in as_alignments(alignment)]
    content = objects if isinstance(alignment, Sequence) else objects[0]
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=indent)
    return finished(text + "\n", path)


def _as_object(alignment: Alignment) -> dict[str, Any]:
    scale = alignment.scale
    known = {
        "seconds_per_frame": scale.seconds_per_frame,
        "stride": scale.stride,
        "offset": scale.offset,
        "extent": scale.extent,
    }
    result: dict[str, Any] = {"score": _number(alignment.score), "frames": alignment.states.size}
    if scale.seconds_per_frame is not None or scale.stride is not None:
        result |= {name: value for name, value in known.items() if value is not None}
    if alignment.words:
        result["words"] = _words(alignment.words, alignment.spans, scale)
    result["tokens"] = [
        {"token": span.token, "label": span.label, **_place(span, scale), **_measures(span)}
        for span in alignment.spans
    ]
    return result


def _words(words: list[Word], spans: list[Span], scale: FrameScale) -> list[dict[str, Any]]:
    order = {id(span): index for index, span in enumerate(spans)}
    rows, at = [], 0
    for word in words:
        first = order[id(word.spans[0])] if word.spans else at
        at = first + len(word.spans)
        row = {"text": word.text, **_place(word, scale), **_measures(word)}
        rows.append(row | {"first_token": first, "last_token": at})
    return rows


def _place(item: Word | Span, scale: FrameScale) -> dict[str, Any]:
    place: dict[str, Any] = {"start_frame": item.start, "end_frame": item.end}
    if scale.seconds_per_frame is not None:
        place |= {"start": round(item.start_seconds, 6), "end": round(item.end_seconds, 6)}
    if scale.stride is not None:
        place |= {"left": item.left, "right": item.right}
    return place


def _measures(item: Word | Span) -> dict[str, Any]:
    return {
        "score": _number(item.score),
        "min_score": _number(item.min_score),
        "posterior": _number(item.posterior),
        "estimated": item.estimated,
        "omitted": item.omitted,
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
