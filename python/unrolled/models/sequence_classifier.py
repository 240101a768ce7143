"""`SequenceClassifier`: a recurrent network tells of which class a whole sequence is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.autograd import Tensor
from unrolled.data.audio import LogMel
from unrolled.data.sequences import Floats
from unrolled.models.class_labels import as_labels, check_classes
from unrolled.models.frame_network import FrameNetwork
from unrolled.models.one_cycle import train_one_cycle
from unrolled.models.prediction import Evaluation, Prediction, make_evaluation, make_prediction
from unrolled.models.recurrent import last_hidden
from unrolled.models.sequence_batch import (
    Augmentation,
    SequenceBatch,
    Sequences,
    as_sequences,
    frame_statistics,
    sequence_loader,
)
from unrolled.models.sequence_prediction import in_padded_batches
from unrolled.models.step_weights import StepWeights, check_step_weights, weigh_steps
from unrolled.nn.checks import probability
from unrolled.nn.functional import cross_entropy

if TYPE_CHECKING:
    from unrolled.autograd.tensor import Operand
    from unrolled.data import Loader
    from unrolled.training import History


class SequenceClassifier(FrameNetwork):
    """A classifier of sequences of any length: recurrent layers and a linear layer (many to one).

    With ``step_weights="last"`` the scores are read once, from the state at the end of each
    sequence (of the backward direction, at its beginning). With weights w_t every step is read,
    ``scores = sum_t w_t scores(t)``, and in training every step must tell the class:
    ``loss = sum_t w_t KL(label, softmax(scores(t)))``.

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
        Whether to read each sequence from its end, too.
    dropout : float
        Share of what enters the linear layer, and passes between layers, that is dropped in
        training.
    step_weights : {"last", "equal", "rising"} or sequence of float
        Which steps count: the last one, all alike, later ones more, or step t as much as
        ``step_weights[t]``.
    audio : dict, optional
        What makes frames of recordings: the arguments of `unrolled.data.audio.LogMel`.

    Attributes
    ----------
    mean, std : ndarray of float32 (D)
        Of the training frames; what every sequence is normalised with.

    Raises
    ------
    TypeError, ValueError
        If `classes` are not at least two different strings, or a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> model = SequenceClassifier(["cat", "dog"], features=3, hidden=4)
    >>> model(np.zeros((2, 7, 3)), lengths=[4, 7]).shape
    (2, 2)
    >>> [p.label in ("cat", "dog") for p in model.predict([np.zeros((5, 3)), np.zeros((2, 3))])]
    [True, True]
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
        step_weights: StepWeights = "last",
        audio: Mapping[str, Any] | None = None,
    ) -> None:
        self.classes = check_classes(classes)
        super().__init__(features, len(self.classes), cell, hidden, layers, bidirectional, dropout)
        self.step_weights = check_step_weights(step_weights)
        self.audio = None if audio is None else dict(audio)

    def forward(self, x: Operand, lengths: ArrayLike | None = None) -> Tensor:
        """Map sequences (N, T, D) to scores (N, classes), whose softmax are the probabilities.

        Parameters
        ----------
        x : Tensor or array-like (N, T, D)
        lengths : array-like of int (N), optional
            Frames of each, at least 1; all T when not given. Padding is never read.
        """
        return self._scores(self.normalised(x), lengths)[0]

    def over_time(self, x: Operand, lengths: ArrayLike | None = None) -> Tensor:
        """Return what the model would say at each step: scores (N, T, classes)."""
        return self.read(self.run(self.normalised(x), lengths)[0])

    @property
    def log_mel(self) -> LogMel | None:
        """What makes frames of recordings; None of a model of other sequences."""
        return None if self.audio is None else LogMel(**self.audio)

    def _scores(
        self, frames: Tensor | NDArray[Any], lengths: ArrayLike | None
    ) -> tuple[Tensor, Tensor | None, NDArray[Any] | None]:
        """Return scores (N, C) and, unless only the last step counts, those of steps, weights."""
        count, longest, _ = frames.shape
        lengths = np.full(count, longest) if lengths is None else np.asarray(lengths)
        output, state = self.run(frames, lengths)
        if self.step_weights == "last":
            return self.read(last_hidden(state, self.layers)), None, None
        weights = weigh_steps(self.step_weights, lengths, longest, output.dtype)
        scores = self.read(output)
        return (scores * weights[:, :, None]).sum(axis=1), scores, weights

    def loss(self, batch: SequenceBatch, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean loss of normalised sequences: at the last step, or over all steps."""
        scores, of_steps, weights = self._scores(batch.frames, batch.lengths)
        if of_steps is None or weights is None:
            return cross_entropy(scores, batch.targets, label_smoothing=label_smoothing)
        count, longest, classes = of_steps.shape
        losses = cross_entropy(
            of_steps.reshape(count * longest, classes),
            np.repeat(batch.targets, longest),
            reduction="none",
            label_smoothing=label_smoothing,
        )
        return (losses * weights.reshape(-1)).sum() * (1 / count)

    def fit(
        self,
        sequences: Sequences,
        labels: ArrayLike,
        *,
        valid: tuple[Sequences, ArrayLike] | None = None,
        epochs: int = 60,
        batch_size: int = 16,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.01,
        label_smoothing: float = 0.1,
        augment: Augmentation | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on sequences and their labels.

        AdamW with a one-cycle learning rate and gradients clipped to norm 1. Afterwards the model
        is in evaluation mode and has, with `valid`, the weights of the best epoch.

        Parameters
        ----------
        sequences : list of array-like (T, D), or array-like (N, T, D)
            Each of its own length; (T) where there is one feature.
        labels : array-like of int or str (N)
            Positions in `classes`, or the names.
        valid : (sequences, labels), optional
            Sequences to measure after each epoch.
        epochs, batch_size : int
            Times that all sequences are seen, over which the learning rate falls to 0, and
            sequences of a step.
        learning_rate, weight_decay : float
            The highest of the cycle, and that of AdamW.
        label_smoothing : float
            Share of each label that is spread over all classes, in [0, 1].
        augment : callable, optional
            ``augment(sequence, rng)`` changes a normalised sequence (T, D) before each time it is
            learned from; `unrolled.data.sequence_augment.SequenceAugment` is one.
        directory, resume, seed, progress
            As for `CNNClassifier.fit`: where to write, whether to go on from there, the start of
            all randomness, and whether to show a bar.
        **options
            Further arguments of `unrolled.Trainer`: ``checkpoint_every``, ``patience``, ...

        Returns
        -------
        History
            With ``valid_loss`` and ``accuracy`` of the validation sequences.

        Raises
        ------
        TypeError, ValueError
            If a sequence or a label does not fit; names it. Nothing has been trained then.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        probability("label_smoothing", label_smoothing)
        learned = self._checked(sequences, labels)
        measured = None if valid is None else self._checked(*valid, name="valid ")
        self.mean[...], self.std[...] = frame_statistics(learned[0])
        train = self._loader(*learned, batch_size, shuffle=True, seed=seed, augment=augment)
        held = None if measured is None else self._loader(*measured, batch_size)

        def loss(model: SequenceClassifier, batch: SequenceBatch) -> Tensor:
            return model.loss(batch, label_smoothing)

        return train_one_cycle(
            self,
            loss,
            train,
            held,
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

    def predict(self, sequences: Sequences) -> list[Prediction]:
        """Tell the class of each sequence.

        The model predicts as after ``eval()`` and keeps its mode. A sequence gets the same
        prediction, bit for bit, alone and among others.

        Parameters
        ----------
        sequences : list of array-like (T, D), or array-like (N, T, D)

        Raises
        ------
        TypeError, ValueError
            If a sequence does not fit; names it.
        """
        return [make_prediction(row, self.classes) for row in self.probabilities(sequences)]

    def probabilities(self, sequences: Sequences) -> NDArray[Any]:
        """Compute the probabilities (N, classes) of sequences, as `predict` does."""
        checked = [self.normalise(s) for s in as_sequences(sequences, self.features)]
        rows = in_padded_batches(
            self, checked, lambda frames, lengths: self._scores(frames, lengths)[0].softmax().data
        )
        return np.array(rows) if rows else np.zeros((0, len(self.classes)), np.float32)

    def evaluate(self, sequences: Sequences, labels: ArrayLike) -> Evaluation:
        """Compare what `predict` says with labels, positions in `classes` or names (N).

        Raises
        ------
        TypeError, ValueError
            If a sequence or a label does not fit, or there is none.
        """
        checked, truths = self._checked(sequences, labels)
        return make_evaluation(self.probabilities(checked), truths, self.classes)

    def _checked(
        self, sequences: Sequences, labels: ArrayLike, *, name: str = ""
    ) -> tuple[list[Floats], NDArray[np.int64]]:
        checked = as_sequences(sequences, self.features, f"{name}sequences")
        truths = as_labels(labels, self.classes, len(checked), f"{name}labels", "sequence")
        if not checked:
            raise ValueError(f"{name}sequences is empty: give at least one")
        return checked, truths

    def _loader(
        self, sequences: list[Floats], labels: NDArray[np.int64], batch_size: int, **options: Any
    ) -> Loader:
        return sequence_loader(
            sequences, labels.tolist(), batch_size, normalise=self.normalise, **options
        )


def _accuracy(model: SequenceClassifier, sequences: Loader) -> dict[str, float]:
    """Return the share of a loader's sequences whose class is found, for the history."""
    right = count = 0
    for batch in sequences.batches(0):
        scores, _, _ = model._scores(batch.frames, batch.lengths)
        right += int((scores.data.argmax(axis=1) == batch.targets).sum())
        count += len(batch.targets)
    return {"accuracy": right / count}
