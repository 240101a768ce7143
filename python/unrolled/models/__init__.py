"""Whole models, from data to readings: short compositions of `unrolled.nn`."""

from unrolled.generate import Generation
from unrolled.models.cnn_classifier import CNNClassifier
from unrolled.models.crnn import CRNN
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.language_model import LanguageModel
from unrolled.models.prediction import Evaluation, Prediction
from unrolled.models.reading import CharacterSpan, Reading
from unrolled.models.seq2seq import Seq2Seq
from unrolled.models.sequence_classifier import SequenceClassifier
from unrolled.models.sequence_generator import SequenceGenerator
from unrolled.models.sequence_tagger import SequenceTagger
from unrolled.models.tagging import Segment, Tagging
from unrolled.models.transcriber import SequenceTranscriber
from unrolled.models.transcription import TranscribedToken, Transcription

__all__ = [
    "CRNN",
    "CNNClassifier",
    "CharacterSpan",
    "EncoderDecoder",
    "Evaluation",
    "Generation",
    "LanguageModel",
    "Prediction",
    "Reading",
    "Segment",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceTagger",
    "SequenceTranscriber",
    "Tagging",
    "TranscribedToken",
    "Transcription",
    "WritingErrors",
]
