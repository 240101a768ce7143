"""Whole models, from data to readings: short compositions of `unrolled.nn`."""

from unrolled.models.cnn_classifier import CNNClassifier
from unrolled.models.crnn import CRNN
from unrolled.models.prediction import Evaluation, Prediction
from unrolled.models.reading import CharacterSpan, Reading
from unrolled.models.sequence_classifier import SequenceClassifier

__all__ = [
    "CRNN",
    "CNNClassifier",
    "CharacterSpan",
    "Evaluation",
    "Prediction",
    "Reading",
    "SequenceClassifier",
]
