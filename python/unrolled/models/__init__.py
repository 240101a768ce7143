"""Whole models, from data to readings: short compositions of `unrolled.nn`."""

from unrolled.models.cnn_classifier import CNNClassifier
from unrolled.models.crnn import CRNN
from unrolled.models.prediction import Evaluation, Prediction
from unrolled.models.reading import CharacterSpan, Reading

__all__ = ["CRNN", "CNNClassifier", "CharacterSpan", "Evaluation", "Prediction", "Reading"]
