"""Reading TextGrid files of both text forms, by Praat's own rule for what counts in them."""

from __future__ import annotations

import codecs
import re
from pathlib import Path as FilePath

from unrolled.align.textgrid import Interval, Point, TextGrid, Tier
from unrolled.align.timeline import Path

# Praat reads numbers and flags that stand free, and texts in quotes; all else explains. The long
# form and the short one are the same to it.
_PIECES = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)"
    r"|(?<!\S)<(?P<flag>\w+)>(?!\S)"
    r"|(?<!\S)!.*"
)
_HEADER = re.compile(r'[^"]*"ooTextFile(?: short)?"[^"]*"TextGrid"')
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_textgrid(path: Path) -> TextGrid:
    r"""Read a TextGrid file, long or short form, UTF-8 or UTF-16.

    Parameters
    ----------
    path : path
        The file; UTF-16 is told by its byte order mark.

    Returns
    -------
    TextGrid

    Raises
    ------
    ValueError
        If it is not a TextGrid in text form, is cut off, or a tier is of an unknown class. The
        message names the line.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> with open("yes.TextGrid", "w") as file:
    ...     _ = file.write('"ooTextFile"\n"TextGrid"\n0 1 <exists> 1 '
    ...                    '"IntervalTier" "words" 0 1 1  0 1 "a ""yes"" b"')
    >>> read_textgrid("yes.TextGrid").tiers[0].intervals
    [Interval(start=0.0, end=1.0, text='a "yes" b')]
    """
    content = _decoded(path)
    if not _HEADER.match(content):
        raise ValueError(f'{path}: is not a TextGrid; it must begin with "ooTextFile", "TextGrid"')
    pieces = _Pieces(content, str(path))
    _ = pieces.text(), pieces.text()
    start, end = pieces.number(), pieces.number()
    tiers = [_read_tier(pieces) for _ in range(pieces.count())] if pieces.exists() else []
    return TextGrid(start, end, tiers)


def _read_tier(pieces: _Pieces) -> Tier:
    kind, name = pieces.text(), pieces.text()
    start, end = pieces.number(), pieces.number()
    tier = Tier(name, start, end)
    count = pieces.count()
    if kind == "IntervalTier":
        for _ in range(count):
            tier.intervals.append(Interval(pieces.number(), pieces.number(), pieces.text()))
    elif kind == "TextTier":
        for _ in range(count):
            tier.points.append(Point(pieces.number(), pieces.text()))
    else:
        raise pieces.fault(f'tier {name!r} must be an "IntervalTier" or "TextTier", not {kind!r}')
    return tier


def _decoded(path: Path) -> str:
    data = FilePath(path).read_bytes()
    if data.startswith(b"ooBinaryFile"):
        raise ValueError(f"{path}: is in binary form; save it as a text file in Praat")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: byte {error.start} is not {encoding}; save it as UTF-8"
        ) from None


class _Pieces:
    """The numbers, flags and texts of a file, one after the other."""

    def __init__(self, text: str, path: str) -> None:
        self.content, self.path, self.at = text, path, 0
        self.found = (piece for piece in _PIECES.finditer(text) if piece.lastgroup)

    def text(self) -> str:
        return self._next("text", "a text in quotes").replace('""', '"')

    def number(self) -> float:
        return float(self._next("number", "a number"))

    def count(self) -> int:
        value = self.number()
        if value != int(value) or value < 0:
            raise self.fault(f"a number of items must be whole, not {value}")
        return int(value)

    def exists(self) -> bool:
        return self._next("flag", "<exists>") == "exists"

    def fault(self, message: str) -> ValueError:
        line = self.content.count("\n", 0, self.at) + 1
        return ValueError(f"{self.path}:{line}: {message}")

    def _next(self, kind: str, wanted: str) -> str:
        piece = next(self.found, None)
        if piece is None:
            self.at = len(self.content)
            raise self.fault(f"the file ends where {wanted} should stand; it is cut off")
        self.at = piece.start()
        if piece.lastgroup != kind:
            raise self.fault(f"{wanted} should stand here, not {piece.group()[:40]}")
        return piece.group(kind)
