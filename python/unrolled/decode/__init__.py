"""Decoding: from emissions to texts, by beam search with language models and word lists."""

from unrolled.decode.confidence import Confidence
from unrolled.decode.decoder import BeamSearchDecoder
from unrolled.decode.hypothesis import Hotword, Hypothesis
from unrolled.decode.labels import Labels
from unrolled.decode.streams import Partial, Stream

__all__ = [
    "BeamSearchDecoder",
    "Confidence",
    "Hotword",
    "Hypothesis",
    "Labels",
    "Partial",
    "Stream",
]
