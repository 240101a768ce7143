"""How far readings are from the truth: error rates, what the errors are, lines and classes right.

Rates are of the whole corpus: all errors over all reference units, not a mean of each line's own
rate. Characters are Python's (code points); normalise both sides (NFC) beforehand.
"""

from unrolled.metrics.confusion import confusion_matrix, confusions
from unrolled.metrics.edit_distance import edit_distance, error_alignment
from unrolled.metrics.error_rates import (
    character_error_rate,
    line_accuracy,
    token_error_rate,
    word_error_rate,
)
from unrolled.metrics.error_report import (
    ErrorCounts,
    ErrorReport,
    LineErrors,
    error_report,
)
from unrolled.metrics.pronunciation_errors import PronunciationErrors, pronunciation_errors

__all__ = [
    "ErrorCounts",
    "ErrorReport",
    "LineErrors",
    "PronunciationErrors",
    "character_error_rate",
    "confusion_matrix",
    "confusions",
    "edit_distance",
    "error_alignment",
    "error_report",
    "line_accuracy",
    "pronunciation_errors",
    "token_error_rate",
    "word_error_rate",
]
