"""SubRip subtitles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unrolled.align.cues import CueRules, make_cues
from unrolled.align.timeline import Path, clock, finished

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment


def to_srt(
    alignment: Alignment | Sequence[Alignment], path: Path | None = None, **rules: Any
) -> str:
    r"""Write SubRip subtitles (``.srt``).

    Parameters
    ----------
    alignment : Alignment, or sequence of them
        Several are parts of one recording, each with its ``offset``.
    path : path, optional
        Where to write it, UTF-8, all or nothing.
    **rules
        When a new cue begins: see `unrolled.align.CueRules`.

    Returns
    -------
    str
        The text of the file. Times are rounded to milliseconds once.

    Raises
    ------
    ValueError
        If the alignment has no ``seconds_per_frame``.
    TypeError
        If a rule is unknown.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([1, 3, 4, 5], np.int32), -0.4, np.array([2, 1, 3]), 0, np.full(4, -0.1),
    ...     labels=["", " ", "a", "b"], separator=" ", seconds_per_frame=0.5,
    ... )
    >>> print(to_srt(alignment))
    1
    00:00:00,000 --> 00:00:02,000
    a b
    <BLANKLINE>
    """
    cues = make_cues(alignment, CueRules(**rules))
    blocks = [
        f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n"
        + "".join(cue.joiner.join(word.text for word in line) + "\n" for line in cue.lines)
        for number, cue in enumerate(cues, start=1)
    ]
    return finished("\n".join(blocks), path)
