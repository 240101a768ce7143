"""The whole trellis of one target, to look at: alpha, beta, posteriors, divergence, best path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray
from unrolled.ctc.batch import NO_BLANK, Batch, require_scores
from unrolled.ctc.losses import loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ForwardBackward:
    """All sums over the alignments of one target: T frames, S states, C classes.

    Attributes
    ----------
    states : array of int64, shape (S,)
        The class of each state: blank, first token, blank, second token, ..., blank; without
        blanks the tokens themselves.
    log_alpha : array of float64, shape (T, S)
        Log probability of all paths that lead to a state at a frame, its own emission included.
    log_beta_hat : array of float64, shape (T, S)
        Of all paths from there to the end, its own emission included.
    log_beta : array of float64, shape (T, S)
        The same without that emission: at every frame ``log_alpha + log_beta`` of all states sum
        to the log probability of the target.
    posterior : array of float64, shape (T, S)
        The probability that a frame belongs to a state, given the target; rows sum to 1.
    occupation : array of float64, shape (T, C)
        The posterior of each class: that of all its states together. Minus the gradient of the
        loss by the log probabilities.
    loss : float
        Minus the log probability of the target, summed over all alignments.
    expected_divergence : float
        The cross-entropy weighted by the posterior, ``-sum(occupation * log_probs)``. It is the
        loss plus the entropy of the distribution over alignments, hence 0 apart only where one
        alignment has all the probability; with the posterior held constant it has the same
        gradient.
    best_states : array of int32, shape (T,)
        The most probable single alignment: its state at each frame.
    best_score : float
        Its log probability, at most ``-loss``.
    log_probs : array, shape (T, C)
        The emissions.
    blank : int or None
        Class of the blank.
    """

    states: NDArray[np.int64]
    log_alpha: Array
    log_beta_hat: Array
    log_beta: Array
    posterior: Array
    occupation: Array
    loss: float
    expected_divergence: float
    best_states: NDArray[np.int32]
    best_score: float
    log_probs: RealArray
    blank: int | None

    @property
    def path(self) -> NDArray[np.int64]:
        """The most probable single alignment: its class at each frame, (T,)."""
        classes: NDArray[np.int64] = self.states[self.best_states]
        return classes

    @property
    def path_entropy(self) -> float:
        """Entropy of the distribution over alignments, in nats: the divergence minus the loss."""
        return max(self.expected_divergence - self.loss, 0.0)

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        labels: Sequence[str] | None = None,
    ) -> Figure:
        """Show the posterior of every state over time, with the best path upon it.

        Parameters, result and errors are those of `unrolled.plot.posterior`.
        """
        from unrolled.plot.posteriors import posterior

        return posterior(self, path, labels=labels)


def forward_backward(log_probs: Any, target: Any, *, blank: int | None = 0) -> ForwardBackward:
    """Add up all alignments of one target, and keep everything on the way.

    Parameters
    ----------
    log_probs : array, shape (T, C)
        Natural log probabilities of each class at each frame.
    target : array of int, shape (L,)
        Class indices without blanks.
    blank : int, optional
        Class of the blank; negative counts from the end. None where there are no blanks: a path
        then stays or advances, begins with the first token and ends with the last.

    Returns
    -------
    ForwardBackward
        Everything in float64. Its arrays are T S numbers each: for looking at, `loss_and_grad` is
        for training.

    Raises
    ------
    ValueError
        Shapes or classes do not fit, or the target has no alignment; the message says why.

    Examples
    --------
    >>> import numpy as np
    >>> uniform = np.full((3, 2), np.log(0.5))
    >>> trellis = forward_backward(uniform, [1])
    >>> trellis.states
    array([0, 1, 0])
    >>> trellis.posterior.round(3)  # six paths: 110 100 111 010 011 001
    array([[0.5  , 0.5  , 0.   ],
           [0.167, 0.667, 0.167],
           [0.   , 0.5  , 0.5  ]])
    >>> round(trellis.loss, 6), round(trellis.expected_divergence, 6)  # log(4/3), 3 log 2
    (0.287682, 2.079442)
    """
    batch = Batch(log_probs, target, None, None, blank)
    if batch.batched:
        shape = batch.scores.shape
        raise ValueError(f"log_probs must have the axes (T, C) of one item, got shape {shape}")
    # Of wrong classes and targets without a path, the loss says what is wrong.
    loss(log_probs, target, blank=blank, reduction="sum")
    scores = batch.scores[0]
    require_scores(scores, "forward_backward")
    log_alpha, log_beta_hat, log_beta = _core.ctc_states(scores, batch.targets, batch.blank)
    ends = 1 if blank is None else 2
    log_p = float(np.logaddexp.reduce(log_alpha[-1, -ends:])) if len(scores) else 0.0
    states = _states(batch)
    posterior = np.exp(log_alpha + log_beta - log_p)
    occupation = _occupation(posterior, states, scores.shape[1])
    read = np.where(occupation > 0, scores, 0.0)  # not 0 times minus infinity
    best, score = _core.align(
        batch.scores, batch.targets, batch.offsets, batch.input_lengths, batch.blank, np.inf, 0, 0
    )
    return ForwardBackward(
        states=states,
        log_alpha=log_alpha,
        log_beta_hat=log_beta_hat,
        log_beta=log_beta,
        posterior=posterior,
        occupation=occupation,
        loss=0.0 - log_p,
        expected_divergence=0.0 - float(np.sum(occupation * read)),
        best_states=best[0],
        best_score=float(score[0]),
        log_probs=scores,
        blank=None if blank is None else batch.blank,
    )


def _states(batch: Batch) -> NDArray[np.int64]:
    """Return the class of every state."""
    if batch.blank == NO_BLANK:
        return batch.targets.copy()
    states = np.full(2 * batch.targets.size + 1, batch.blank)
    states[1::2] = batch.targets
    return states


def _occupation(posterior: Array, states: NDArray[np.int64], classes: int) -> Array:
    """Add up the columns of all states of one class: (T, S) to (T, C)."""
    occupation = np.zeros((len(posterior), classes))
    if states.size:
        order = np.argsort(states, kind="stable")
        occupied, first = np.unique(states[order], return_index=True)
        occupation[:, occupied] = np.add.reduceat(posterior[:, order], first, axis=1)
    return occupation
