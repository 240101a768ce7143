"""Decoding: from emissions to texts, by beam search with language models and word lists."""

from unrolled.decode.calibration import Calibration, calibrate, expected_calibration_error
from unrolled.decode.confidence import Confidence
from unrolled.decode.decoder import BeamSearchDecoder
from unrolled.decode.hotwords import Hotwords
from unrolled.decode.hypothesis import Hotword, Hypothesis
from unrolled.decode.labels import Labels
from unrolled.decode.language_models import LanguageModel
from unrolled.decode.lexicon import Lexicon
from unrolled.decode.streams import Partial, Stream
from unrolled.decode.tuning import Tuning, tune

__all__ = [
    "BeamSearchDecoder",
    "Calibration",
    "Confidence",
    "Hotword",
    "Hotwords",
    "Hypothesis",
    "Labels",
    "LanguageModel",
    "Lexicon",
    "Partial",
    "Stream",
    "Tuning",
    "calibrate",
    "expected_calibration_error",
    "tune",
]
