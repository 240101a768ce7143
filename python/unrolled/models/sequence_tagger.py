"""`SequenceTagger`: a recurrent network that gives every frame a label."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.autograd import Tensor
from unrolled.data.sequences import Floats
from unrolled.models.class_labels import check_classes
from unrolled.models.frame_labels import FrameLabels, as_frame_labels, pad_targets, summed_loss
from unrolled.models.frame_network import FrameNetwork
from unrolled.models.one_cycle import train_one_cycle
from unrolled.models.prediction import Evaluation, make_evaluation
from unrolled.models.recurrent import is_frame
from unrolled.models.sequence_batch import (
    Augmentation,
    SequenceBatch,
    Sequences,
    as_sequences,
    frame_statistics,
    sequence_loader,
)
from unrolled.models.sequence_prediction import in_padded_batches
from unrolled.models.tagging import Tagging, make_tagging
from unrolled.nn.checks import one_of

if TYPE_CHECKING:
    from unrolled.autograd.tensor import Operand
    from unrolled.data import Loader
    from unrolled.training import History

DIVERGENCES = ("cross_entropy", "kl")


class SequenceTagger(FrameNetwork):
    """A labeller of frames: one output for every input (many to many, time-synchronous).

    The divergence of a sequence is the sum of those of its frames, ``sum_t Div(target(t), Y(t))``;
    that of a batch is the mean over its sequences.

    Parameters
    ----------
    classes : sequence of str
        Names of the classes, each once.
    features : int
        Features of a frame, D.
    cell : {"lstm", "gru", "rnn"}
    hidden : int
        Size of the state in each direction.
    layers : int
    bidirectional : bool
        Whether a frame's label may depend on what comes later.
    dropout : float
        Share of what enters the linear layer, and passes between layers, that is dropped in
        training.
    divergence : {"cross_entropy", "kl"}
        Both have the same gradient; the Kullback-Leibler divergence is 0 where probabilities to
        learn from are met exactly.

    Attributes
    ----------
    mean, std : ndarray of float32 (D)
        Of the training frames; what every sequence is normalised with.

    Raises
    ------
    TypeError, ValueError
        If `classes` are not at least two different strings, or an argument is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> model = SequenceTagger(["low", "high"], features=1, hidden=4)
    >>> model(np.zeros((2, 7, 1)), lengths=[4, 7]).shape
    (2, 7, 2)
    >>> [len(tagging.labels) for tagging in model.predict([np.zeros(5), np.zeros(2)])]
    [5, 2]
    """

    def __init__(
        self,
        classes: Sequence[str],
        features: int,
        *,
        cell: str = "lstm",
        hidden: int = 64,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.2,
        divergence: str = "cross_entropy",
    ) -> None:
        self.classes = check_classes(classes)
        super().__init__(features, len(self.classes), cell, hidden, layers, bidirectional, dropout)
        self.divergence = one_of("divergence", divergence, DIVERGENCES)

    def forward(self, x: Operand, lengths: ArrayLike | None = None) -> Tensor:
        """Map sequences (N, T, D) to scores (N, T, classes), 0 beyond `lengths` (N).

        The softmax of the scores of a frame are its probabilities. Padding is never read.
        """
        return self._scores(self.normalised(x), lengths)

    def _scores(self, frames: Operand, lengths: ArrayLike | None) -> Tensor:
        output, _ = self.run(frames, lengths)
        scores = self.read(output)
        if lengths is None:
            return scores
        return scores * is_frame(np.asarray(lengths), output.shape[1])[:, :, None]

    def loss(self, batch: SequenceBatch) -> Tensor:
        """Return the mean over normalised sequences of the divergence summed over time."""
        scores = self._scores(batch.frames, batch.lengths)
        return summed_loss(scores, batch.targets, batch.lengths, self.divergence)

    def fit(
        self,
        sequences: Sequences,
        labels: Sequence[FrameLabels],
        *,
        valid: tuple[Sequences, Sequence[FrameLabels]] | None = None,
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.01,
        augment: Augmentation | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on sequences and the labels of their frames.

        Parameters
        ----------
        sequences : list of array-like (T, D), or array-like (N, T, D)
        labels : sequence of array-like
            For each sequence (T) classes, as positions or names; or for each sequence (T, C)
            probabilities of all classes.
        valid : (sequences, labels), optional
            Measured after each epoch.
        epochs, batch_size, learning_rate, weight_decay, augment, directory, resume, seed, progress
            As for `SequenceClassifier.fit`; `augment` must keep the number of frames.
        **options
            Further arguments of `unrolled.Trainer`.

        Returns
        -------
        History
            With ``valid_loss`` and ``accuracy``, of frames, of the validation sequences.

        Raises
        ------
        TypeError, ValueError
            If a sequence or its labels do not fit; names it. Nothing has been trained then.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        learned = self._checked(sequences, labels)
        measured = None if valid is None else self._checked(*valid, name="valid ")
        self.mean[...], self.std[...] = frame_statistics(learned[0])
        return train_one_cycle(
            self,
            SequenceTagger.loss,
            self._loader(*learned, batch_size, shuffle=True, seed=seed, augment=augment),
            None if measured is None else self._loader(*measured, batch_size),
            evaluate=_accuracy,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def predict(self, sequences: Sequences) -> list[Tagging]:
        """Label the frames of each sequence.

        The model predicts as after ``eval()`` and keeps its mode. A sequence gets the same labels,
        bit for bit, alone and among others.

        Raises
        ------
        TypeError, ValueError
            If a sequence does not fit; names it.
        """
        return [make_tagging(rows, self.classes) for rows in self.probabilities(sequences)]

    def probabilities(self, sequences: Sequences) -> list[NDArray[Any]]:
        """Compute the probabilities (T, classes) of the frames of each sequence."""
        checked = [self.normalise(s) for s in as_sequences(sequences, self.features)]

        def compute(frames: NDArray[Any], lengths: NDArray[np.int64]) -> list[NDArray[Any]]:
            rows = self._scores(frames, lengths).softmax().data
            return [item[:length] for item, length in zip(rows, lengths, strict=True)]

        return in_padded_batches(self, checked, compute)

    def evaluate(self, sequences: Sequences, labels: Sequence[FrameLabels]) -> Evaluation:
        """Compare what `predict` says with the labels of all frames.

        Of probabilities (T, C) the likeliest class is taken as the right one.

        Raises
        ------
        TypeError, ValueError
            If a sequence or its labels do not fit, or there is none.
        """
        checked, truths = self._checked(sequences, labels)
        return make_evaluation(
            np.concatenate(self.probabilities(checked)),
            np.concatenate([_classes_of(truth) for truth in truths]),
            self.classes,
        )

    def _checked(
        self, sequences: Sequences, labels: Sequence[FrameLabels], *, name: str = ""
    ) -> tuple[list[Floats], list[NDArray[Any]]]:
        checked = as_sequences(sequences, self.features, f"{name}sequences")
        if not checked:
            raise ValueError(f"{name}sequences is empty: give at least one")
        frames = [len(sequence) for sequence in checked]
        return checked, as_frame_labels(labels, self.classes, frames, f"{name}labels")

    def _loader(
        self, sequences: list[Floats], labels: list[NDArray[Any]], batch_size: int, **options: Any
    ) -> Loader:
        return sequence_loader(
            sequences,
            labels,
            batch_size,
            normalise=self.normalise,
            collate_targets=pad_targets,
            **options,
        )


def _classes_of(truth: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes (T) of labels (T), or of probabilities (T, C)."""
    classes: NDArray[np.int64] = truth if truth.ndim == 1 else truth.argmax(axis=1)
    return classes


def _accuracy(model: SequenceTagger, sequences: Loader) -> dict[str, float]:
    """Return the share of a loader's frames whose class is found, for the history."""
    right = count = 0
    for batch in sequences.batches(0):
        best = model._scores(batch.frames, batch.lengths).data.argmax(axis=2)
        truths = batch.targets if batch.targets.ndim == 2 else batch.targets.argmax(axis=2)
        frames = is_frame(batch.lengths, best.shape[1])
        right += int(((best == truths) & frames).sum())
        count += int(batch.lengths.sum())
    return {"accuracy": right / count}
