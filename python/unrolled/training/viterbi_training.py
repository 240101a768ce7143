"""Training without alignments by guessing them, and guessing again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.align.best_path import path_classes
from unrolled.autograd import Tensor, as_tensor
from unrolled.ctc.batch import Batch
from unrolled.data import Loader
from unrolled.nn.functional import nll_loss, viterbi_loss
from unrolled.training.aligned_loader import AlignedBatch
from unrolled.training.alignment_round import padded_states, with_lengths
from unrolled.training.first_alignment import Start
from unrolled.training.interrupts import StopRequest
from unrolled.training.trainer import Trainer, require_count
from unrolled.training.viterbi_run import ViterbiRun

if TYPE_CHECKING:
    from unrolled.nn import Module
    from unrolled.optim import Optimizer

__all__ = ["ViterbiTraining"]

_STARTS = ("uniform", "random", "model")


class ViterbiTraining(Trainer):
    """Trains a model on alignments that it guesses, and guesses again after every round.

    A round: train a number of epochs on the alignments at hand, by the cross entropy of every
    frame with its class; then find the best path of every item under the new model. Rounds follow
    each other until the paths stay as they are, or the epochs are used up. The criterion of each
    half of a round, the log likelihood of the paths, cannot fall at the second one, and does not
    at the first when training gets to the best parameters for the paths. That is all that is
    promised: where it ends depends on where it began. `unrolled.nn.CTCLoss` commits to no
    alignment, and is called with the same four things.

    `fit` is the `Trainer`'s: interrupted and resumed alike, to the same bits. A class that has no
    frame gets no gradient as the class of any.

    Parameters
    ----------
    model : Module
    emissions : callable
        ``emissions(model, batch)`` returns what a loss would be called with, ``(log_probs (N, T,
        C), targets, input_lengths)``, and ``target_lengths`` after them where targets are padded.
    optimizer : Optimizer
    blank : int or None
        Class of the blank; None: every frame belongs to a symbol.
    start : {"uniform", "random", "model"} or sequence
        The first alignments: equal shares of the frames for all states, random ones, the best
        paths of the model as it comes, or one array of states, or `Alignment`, for each item.
    epochs_per_round : int
        Epochs between two guesses.
    redraw : bool, optional
        Whether every round has its items drawn anew by the loader's transform, which costs a
        second pass over them; else they are those of the first epoch throughout. When not given:
        if the loader has a transform.
    settled : float, optional
        End when at most this share of the frames changed state in a round; None: never.
    prior_scale : float
        Paths are guessed with ``log_probs - prior_scale * log_priors``, where the priors are the
        classes' shares of the frames before: against blanks that take over. Above 0 the log
        likelihood may fall.
    seed : int
        Of random first alignments.
    **options
        Further arguments of `Trainer`.

    Notes
    -----
    In the row of the last epoch of every round the history has ``round``;
    ``path_log_likelihood`` and ``best_log_likelihood``, the mean log probability a frame after
    training, along the paths trained on and along the new best ones; ``changed_frames`` and
    ``changed_share``; ``empty_states``, states of the trellises that no frame is in, which are
    blanks left out; and ``empty_classes``, classes that no frame has. ``train_loss`` and
    ``valid_loss`` are means a frame of minus the log probability, the latter along best paths.

    References
    ----------
    Juang, Rabiner: The segmental K-means algorithm for estimating parameters of hidden Markov
    models (1990). Bourlard, Morgan: Connectionist speech recognition (1994), for the priors.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled import data, nn, optim, random
    >>> random.manual_seed(0)
    >>> model = nn.Linear(1, 3)
    >>> def emissions(model, batch):
    ...     frames, targets = batch
    ...     return model(frames).log_softmax(), targets, None
    >>> waves = np.array([[-1, -1, -1, 1], [1, -1, -1, -1]], np.float32)[:, :, None]
    >>> items = list(zip(waves, np.array([[1, 2], [2, 1]])))
    >>> training = ViterbiTraining(
    ...     model, emissions, optim.Adam(model.parameters(), lr=0.1), blank=None,
    ...     epochs_per_round=20, progress=False)
    >>> history = training.fit(data.Loader(items, batch_size=2), epochs=200)
    >>> [states.tolist() for states in training.alignments]
    [[0, 0, 0, 1], [0, 1, 1, 1]]
    """

    def __init__(
        self,
        model: Module,
        emissions: Callable[[Any, Any], Sequence[Any]],
        optimizer: Optimizer,
        *,
        blank: int | None = 0,
        start: Start | Sequence[Any] = "uniform",
        epochs_per_round: int = 1,
        redraw: bool | None = None,
        settled: float | None = 0.005,
        prior_scale: float = 0.0,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if isinstance(start, str) and start not in _STARTS:
            raise ValueError(
                f"start must be one of {', '.join(_STARTS)}, or the alignments, got {start!r}"
            )
        require_count("epochs_per_round", epochs_per_round)
        if settled is not None and not 0 <= settled < 1:
            raise ValueError(f"settled must be a share of the frames below 1, got {settled}")
        if not prior_scale >= 0:
            raise ValueError(f"prior_scale must be at least 0, got {prior_scale}")
        if options.get("tbptt") is not None:
            raise ValueError("tbptt cuts sequences, and a path is found over all of one: leave it")
        super().__init__(model, self._loss, optimizer, **options)
        self.emissions = emissions
        self.blank = blank
        self.start = start
        self.epochs_per_round = epochs_per_round
        self.redraw = redraw
        self.settled = settled
        self.prior_scale = prior_scale
        self.seed = seed
        self.alignments: list[NDArray[np.int32]] = []

    def _new_run(
        self, train: Loader, valid: Loader | None, epochs: int, stop: StopRequest
    ) -> ViterbiRun:
        return ViterbiRun(self, train, valid, epochs, stop)

    def _loss(self, model: Module, batch: Any) -> Tensor:
        """Return the loss of the paths at hand, or of the best ones where there are none."""
        if not isinstance(batch, AlignedBatch):
            log_probs, *rest = self.emissions(model, batch)
            return viterbi_loss(log_probs, *rest, blank=self.blank, reduction="frame_mean")
        log_probs, *rest = self.emissions(model, batch.batch)
        log_probs = as_tensor(log_probs)
        items = Batch(log_probs.data, *with_lengths(rest), self.blank)
        classes = path_classes(items, padded_states(batch.states, items))
        count = log_probs.shape[-1]
        return nll_loss(log_probs.reshape(-1, count), classes.reshape(-1), ignore_index=-1)
