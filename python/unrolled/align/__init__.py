"""Forced alignment: where each token and word of a known text stands on the frames."""

from unrolled.align.alignment import Alignment
from unrolled.align.ass import to_ass
from unrolled.align.boundaries import BoundaryErrors, boundary_errors
from unrolled.align.ctm import CTMWord, read_ctm, to_ctm
from unrolled.align.cues import CueRules
from unrolled.align.json_file import to_json
from unrolled.align.spelling import Spelling, spell
from unrolled.align.srt import to_srt
from unrolled.align.suspicion import Suspicion, find_suspicious
from unrolled.align.tables import to_audacity, to_tsv
from unrolled.align.text_alignment import align_text
from unrolled.align.textgrid import Interval, Point, TextGrid, Tier, to_textgrid
from unrolled.align.textgrid_reader import read_textgrid
from unrolled.align.viterbi import forced_align
from unrolled.align.vtt import to_vtt
from unrolled.align.words import Word, WordSlice, slice_words
from unrolled.ctc.spans import FrameScale, Span

__all__ = [
    "Alignment",
    "BoundaryErrors",
    "CTMWord",
    "CueRules",
    "FrameScale",
    "Interval",
    "Point",
    "Span",
    "Spelling",
    "Suspicion",
    "TextGrid",
    "Tier",
    "Word",
    "WordSlice",
    "align_text",
    "boundary_errors",
    "find_suspicious",
    "forced_align",
    "read_ctm",
    "read_textgrid",
    "slice_words",
    "spell",
    "to_ass",
    "to_audacity",
    "to_ctm",
    "to_json",
    "to_srt",
    "to_textgrid",
    "to_tsv",
    "to_vtt",
]
