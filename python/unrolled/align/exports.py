"""Methods that write an alignment to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrolled.align.ass import to_ass
from unrolled.align.ctm import to_ctm
from unrolled.align.json_file import to_json
from unrolled.align.srt import to_srt
from unrolled.align.tables import to_audacity, to_tsv
from unrolled.align.textgrid import to_textgrid
from unrolled.align.timeline import Path
from unrolled.align.vtt import to_vtt

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Exports:
    """The writers of `unrolled.align` as methods: each returns the text and writes a given path."""

    def to_srt(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write SubRip subtitles: see `unrolled.align.to_srt`."""
        return to_srt(self, path, **options)

    def to_vtt(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write WebVTT subtitles: see `unrolled.align.to_vtt`."""
        return to_vtt(self, path, **options)

    def to_ass(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write Advanced SubStation Alpha subtitles: see `unrolled.align.to_ass`."""
        return to_ass(self, path, **options)

    def to_textgrid(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write a TextGrid for Praat: see `unrolled.align.to_textgrid`."""
        return to_textgrid(self, path, **options)

    def to_ctm(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write a CTM file: see `unrolled.align.to_ctm`."""
        return to_ctm(self, path, **options)

    def to_json(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write JSON: see `unrolled.align.to_json`."""
        return to_json(self, path, **options)

    def to_tsv(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write a table with tabs: see `unrolled.align.to_tsv`."""
        return to_tsv(self, path, **options)

    def to_audacity(self: Any, path: Path | None = None, **options: Any) -> str:
        """Write a label track of Audacity: see `unrolled.align.to_audacity`."""
        return to_audacity(self, path, **options)

    def plot(self: Any, path: Path | None = None, **options: Any) -> Figure:
        """Make a picture: see `unrolled.plot.alignment`."""
        from unrolled import plot

        return plot.alignment(self, path=path, **options)
