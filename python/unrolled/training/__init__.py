"""Training that can be stopped at any moment and goes on with the same bits."""

from unrolled.checkpoint import CheckpointError, NonFiniteError
from unrolled.training.callback import Callback
from unrolled.training.history import History
from unrolled.training.run import TrainingInterrupted
from unrolled.training.tbptt import TBPTT
from unrolled.training.trainer import Trainer
from unrolled.training.viterbi_training import ViterbiTraining

__all__ = [
    "TBPTT",
    "Callback",
    "CheckpointError",
    "History",
    "NonFiniteError",
    "Trainer",
    "TrainingInterrupted",
    "ViterbiTraining",
]
