"""How well a trained classifier does on labelled sequences."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from unrolled.cli.classifier_training import tell
from unrolled.cli.sequence_inputs import load_for

if TYPE_CHECKING:
    from unrolled.models import SequenceClassifier


def evaluate_sequences(model: SequenceClassifier, args: argparse.Namespace) -> int:
    """Classify the sequences of ``--data``, compare and print."""
    data = load_for(model, args.data)
    tell(model.evaluate(data.sequences, data.labels), "sequence", args.json)
    return 0
