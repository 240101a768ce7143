"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unrolled.align.cues import Cue, CueRules, make_cues
from unrolled.align.timeline import Path, clock, finished

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment


def to_vtt(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    word_times: bool = False,
    **rules: Any,
) -> str:
    """Write WebVTT subtitles (``.vtt``).

    Parameters
    ----------
    alignment, path, **rules
        As for `unrolled.align.to_srt`.
    word_times : bool
        Put the time at which each word begins before it, for players that show words as they are
        said.

    Returns
    -------
    str

    Raises
    ------
    ValueError, TypeError, OSError
        As for `unrolled.align.to_srt`.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([1, 3, 4, 5], np.int32), -0.4, np.array([2, 1, 3]), 0, np.full(4, -0.1),
    ...     labels=["", " ", "a", "b"], separator=" ", seconds_per_frame=0.5,
    ... )
    >>> print(to_vtt(alignment, word_times=True))
    WEBVTT
    <BLANKLINE>
    00:00:00.000 --> 00:00:02.000
    a <00:00:01.500>b
    <BLANKLINE>
    """
    blocks = [
        f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{_cue_text(cue, word_times)}"
        for cue in make_cues(alignment, CueRules(**rules))
    ]
    return finished("\n".join(["WEBVTT\n", *blocks]), path)


def _cue_text(cue: Cue, word_times: bool) -> str:
    latest = cue.start  # times within a cue must rise, and lie inside it
    lines = []
    for line in cue.lines:
        texts = []
        for word in line:
            text = _escaped(word.text)
            if word_times and latest < word.start < cue.end:
                latest = word.start
                text = f"<{clock(latest, '.')}>{text}"
            texts.append(text)
        lines.append(cue.joiner.join(texts) + "\n")
    return "".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
