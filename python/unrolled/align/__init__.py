"""Forced alignment: where each token and word of a known text stands on the frames."""

from unrolled.align.alignment import Alignment
from unrolled.align.suspicion import Suspicion, find_suspicious
from unrolled.align.words import Word, WordSlice, slice_words
from unrolled.ctc.spans import FrameScale, Span

__all__ = [
    "Alignment",
    "FrameScale",
    "Span",
    "Suspicion",
    "Word",
    "WordSlice",
    "find_suspicious",
    "slice_words",
]
