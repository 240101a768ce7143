"""Advanced SubStation Alpha subtitles with karaoke times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unrolled.align.cues import Cue, CueRules, make_cues
from unrolled.align.timeline import Path, finished

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment

_HEADER = """\
[Script Info]
ScriptType: v4.00+
WrapStyle: 0
PlayResX: 1280
PlayResY: 720

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Sans,48,&H00FFFFFF,&H00A0A0A0,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,2,0,2,\
40,40,40,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def to_ass(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    karaoke: bool = True,
    **rules: Any,
) -> str:
    r"""Write Advanced SubStation Alpha subtitles (``.ass``).

    Parameters
    ----------
    alignment, path, **rules
        As for `unrolled.align.to_srt`.
    karaoke : bool
        Fill each word with colour while it is said (``\kf``).

    Returns
    -------
    str
        The text of the file. Its times are hundredths of a second; those of words are differences
        of rounded times, so that they do not drift.

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
    >>> print(to_ass(alignment).splitlines()[-1])
    Dialogue: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,{\kf50}a {\k100}{\kf50}b
    """
    lines = [
        f"Dialogue: 0,{_clock(_hundredths(cue.start))},{_clock(_cue_end(cue))},"
        f"Default,,0,0,0,,{_cue_text(cue, karaoke)}\n"
        for cue in make_cues(alignment, CueRules(**rules))
    ]
    return finished(_HEADER + "".join(lines), path)


def _hundredths(time: int) -> int:
    return (time + 5) // 10


def _cue_end(cue: Cue) -> int:
    return max(_hundredths(cue.end), _hundredths(cue.start) + 1)


def _clock(time: int) -> str:
    seconds, hundredths = divmod(time, 100)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{hundredths:02}"


def _cue_text(cue: Cue, karaoke: bool) -> str:
    at = _hundredths(cue.start)
    lines = []
    for line in cue.lines:
        texts = []
        for word in line:
            text = _escaped(word.text)
            if karaoke:
                start, end = _hundredths(word.start), _hundredths(word.end)
                pause = f"{{\\k{start - at}}}" if start > at else ""
                text = f"{pause}{{\\kf{end - max(start, at)}}}{text}"
                at = end
            texts.append(text)
        lines.append(cue.joiner.join(texts))
    return "\\N".join(lines)


def _escaped(text: str) -> str:
    """Keep braces and backslashes from being taken for commands; a word joiner parts the latter."""
    return text.replace("\\", "\\\u2060").replace("{", "\\{").replace("}", "\\}")
