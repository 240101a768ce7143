"""How likely it is that a text begins with given tokens, for decoders that go token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_real
from unrolled.ctc.batch import as_class, require_scores

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PrefixState:
    """The paths that say the tokens so far, after every number of frames.

    Attributes
    ----------
    tokens : tuple of int
    log_prob : float
        Natural logarithm of the probability that the text begins with the tokens.
    log_symbol, log_blank : array of float64, shape (T + 1,)
        Mass of the paths over the first 0 to T frames that say the tokens and nothing else: those
        that end in the last token, those that end in a blank.
    """

    tokens: tuple[int, ...]
    log_prob: float
    log_symbol: Array
    log_blank: Array


class PrefixScorer:
    """Score the next token of a text by the emissions of a CTC model, all paths summed.

    A decoder with attention proposes one token after the other. The probability that the text of
    the emissions begins with ``h + c``, over the same for ``h``, is what CTC has to say about
    token c (Watanabe et al., "Hybrid CTC/attention architecture for end-to-end speech
    recognition", 2017, algorithm 2). The scores of all next tokens and of the end are a
    distribution: their probabilities sum to 1. The methods are those of a language model.

    Parameters
    ----------
    log_probs : array, shape (T, C)
        Natural log probabilities of each class at each frame; every row is a distribution.
    blank : int
        Class of the blank; negative counts from the end.

    Raises
    ------
    ValueError
        `log_probs` has another shape or holds NaN or +inf, or `blank` is no class.

    Examples
    --------
    >>> import numpy as np
    >>> scorer = PrefixScorer(np.log([[0.6, 0.4], [0.6, 0.4]]))
    >>> start = scorer.start()
    >>> np.exp(scorer.score_all([start])).round(2)  # never the blank; the text begins with token 1
    array([[0.  , 0.64]])
    >>> np.exp(scorer.finish([start])).round(2)  # the text is empty
    array([0.36])
    >>> log_probs, states = scorer.score([start], [1])
    >>> np.exp(log_probs + scorer.finish(states)).round(2)  # it is token 1 and nothing else
    array([0.64])
    """

    def __init__(self, log_probs: Any, *, blank: int = 0) -> None:
        scores = as_real(log_probs, "log_probs")
        if scores.ndim != 2 or scores.shape[1] == 0:
            raise ValueError(f"log_probs must have the axes (T, C) of one item, got {scores.shape}")
        require_scores(scores, "PrefixScorer")
        self.log_probs: Array = scores.astype(np.float64)
        self.blank = as_class(blank, scores.shape[1])

    def start(self) -> PrefixState:
        """Return the state of no tokens."""
        nothing = np.full(len(self.log_probs) + 1, -np.inf)
        blanks = np.concatenate([[0.0], np.cumsum(self.log_probs[:, self.blank])])
        return PrefixState((), 0.0, nothing, blanks)

    def score(
        self, states: Sequence[PrefixState], tokens: Sequence[int]
    ) -> tuple[Array, list[PrefixState]]:
        """Add one token to each state.

        Parameters
        ----------
        states : sequence of n PrefixState
        tokens : sequence of n int
            Classes.

        Returns
        -------
        log_probs : array of float64, shape (n,)
            Of each token, given those before it; minus infinity for the blank, and where nothing
            can begin like that.
        states : list of n PrefixState

        Raises
        ------
        ValueError
            There are not as many tokens as states, or one is no class.
        """
        classes = self._classes(tokens, len(states))
        if not len(states):
            return np.zeros(0), []
        arriving = self._arriving(states, classes)
        said = self.log_probs[:, classes]  # (T, n), as all below
        said[:, classes == self.blank] = -np.inf
        silent = self.log_probs[:, self.blank]
        symbol, blank = (np.full((len(silent) + 1, len(states)), -np.inf) for _ in range(2))
        begun = np.full(len(states), -np.inf)
        for t, emission in enumerate(said):
            symbol[t + 1] = np.logaddexp(symbol[t], arriving[t]) + emission
            blank[t + 1] = np.logaddexp(blank[t], symbol[t]) + silent[t]
            begun = np.logaddexp(begun, arriving[t] + emission)
        grown = [
            PrefixState((*state.tokens, int(c)), float(begun[k]), symbol[:, k], blank[:, k])
            for k, (state, c) in enumerate(zip(states, classes, strict=True))
        ]
        return _given(begun, states), grown

    def score_all(self, states: Sequence[PrefixState]) -> Array:
        """Score every class as the next token of each state, without the states behind them.

        Parameters
        ----------
        states : sequence of n PrefixState

        Returns
        -------
        array of float64, shape (n, C)
            What `score` gives for each; minus infinity for the blank.
        """
        scores = np.full((len(states), self.log_probs.shape[1]), -np.inf)
        for row, state in zip(scores, states, strict=True):
            row[:] = _given(self._begin_with_each(state), [state])
        return scores

    def finish(self, states: Sequence[PrefixState]) -> Array:
        """Score the end of the text behind each state.

        Parameters
        ----------
        states : sequence of n PrefixState

        Returns
        -------
        array of float64, shape (n,)
            Log probability that the text is the tokens, given that it begins with them.
        """
        whole = [np.logaddexp(state.log_symbol[-1], state.log_blank[-1]) for state in states]
        return _given(np.array(whole, np.float64), states)

    def _begin_with_each(self, state: PrefixState) -> Array:
        """Return the log probability (C,) that the text begins with the state and each class."""
        either = np.logaddexp(state.log_symbol[:-1], state.log_blank[:-1])
        terms = either[:, np.newaxis] + self.log_probs
        if state.tokens:  # the same token once more needs a blank between
            last = state.tokens[-1]
            terms[:, last] = state.log_blank[:-1] + self.log_probs[:, last]
        terms[:, self.blank] = -np.inf
        high = terms.max(axis=0, initial=-np.inf)
        shares = np.exp(terms - np.where(high == -np.inf, 0.0, high))
        with np.errstate(divide="ignore"):
            begun: Array = high + np.log(shares.sum(axis=0))
        return begun

    def _arriving(self, states: Sequence[PrefixState], classes: NDArray[np.int64]) -> Array:
        """Return the mass (T, n) of paths to which each frame may add a state's new token."""
        columns = [
            state.log_blank[:-1]
            if state.tokens and state.tokens[-1] == c
            else np.logaddexp(state.log_symbol[:-1], state.log_blank[:-1])
            for state, c in zip(states, classes, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _classes(self, tokens: Sequence[int], count: int) -> NDArray[np.int64]:
        if len(tokens) != count:
            raise ValueError(f"tokens must hold one class for each of {count} states: {tokens!r}")
        number = self.log_probs.shape[1]
        for token in tokens:
            if not 0 <= token < number:
                raise ValueError(f"tokens must be classes in 0 .. {number - 1}, got {token!r}")
        return np.array(tokens, np.int64)


def _given(begun: Array, states: Sequence[PrefixState]) -> Array:
    """Divide probabilities by those of what came before; 0 where that is impossible."""
    before = np.array([state.log_prob for state in states], np.float64)
    impossible = before == -np.inf
    given: Array = begun - np.where(impossible, 0.0, before)
    return np.where(impossible, -np.inf, given)
