"""How sure a hypothesis is, by measures with a name each."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.align.alignment import Alignment
from unrolled.align.words import Word
from unrolled.ctc.losses import loss
from unrolled.ctc.spans import Span
from unrolled.metrics import error_alignment

if TYPE_CHECKING:
    from unrolled.decode.hypothesis import Hypothesis


class Confidence:
    """Measures of how sure a hypothesis is. None is the chance of being right: see `calibrate`.

    Attributes
    ----------
    posterior : float
        The network's probability of the text, exactly: all its paths through the emissions, also
        those that the beam has lost, over all paths of any text. Neither language model nor
        restrictions of the search count.
    nbest_posterior : float
        Share of ``exp(score)`` among the best hypotheses of the beam, ten of them, or one more than
        ``nbest`` where that is more: the language model counts.
    min_probability, mean_probability : float
        The least and the mean over the tokens of their probability a frame, ``exp(span.score)``;
        over the blanks of the frames for a text without tokens, and 1 without frames.
    margin : float
        Score less that of the next hypothesis; infinite where there is no next.
    token_posteriors, word_posteriors : list of float
        For each token or word, the share of ``exp(score)`` of the hypotheses in the list that have
        it too, at its place by the cheapest alignment of the two texts: the language model counts.
    tokens : list of Span
        The spans of the tokens with their ``posterior``: the probability, given the text, that the
        path stands at the token in these frames. It sums over all paths: of long recordings it
        takes far longer than all else.
    words : list of Word
        The words with the same.

    Raises
    ------
    ValueError
        Those that are read off the emissions, where the decoder did not keep them: `posterior`,
        the probabilities, `tokens` and `words`.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.decode import BeamSearchDecoder
    >>> sure = BeamSearchDecoder(["", "a"]).decode(np.log([[0.4, 0.6], [0.4, 0.6]])).confidence
    >>> round(sure.posterior, 2), round(sure.min_probability, 2)
    (0.84, 0.6)
    >>> round(sure.margin, 4)  # log(0.84 / 0.16)
    1.6582
    """

    def __init__(self, hypothesis: Hypothesis) -> None:
        self._hypothesis = hypothesis

    def __repr__(self) -> str:
        measures: tuple[str, ...] = ("nbest_posterior", "margin")
        if self._hypothesis._result.emissions is not None:
            measures = ("posterior", "min_probability", "mean_probability", *measures)
        shown = ", ".join(f"{name}={getattr(self, name):.4g}" for name in measures)
        return f"Confidence({shown})"

    @cached_property
    def posterior(self) -> float:
        """The network's probability of the text, over all its paths."""
        result = self._hypothesis._result
        scores = result.require_emissions()
        log_p = -loss(scores, self._hypothesis.tokens, blank=result.labels.blank, reduction="sum")
        return min(1.0, math.exp(log_p - _log_total(scores)))

    @property
    def nbest_posterior(self) -> float:
        """Share of ``exp(score)`` among the best hypotheses of the beam."""
        return float(self._shares[self._hypothesis.rank])

    @cached_property
    def token_posteriors(self) -> list[float]:
        """For each token the share of the list that has it too."""
        return self._agreement([other.tokens for other in self._hypothesis.nbest_list()])

    @cached_property
    def word_posteriors(self) -> list[float]:
        """For each word the share of the list that has it too."""
        return self._agreement([other.words for other in self._hypothesis.nbest_list()])

    @property
    def min_probability(self) -> float:
        """The least probability of a token."""
        return float(self._probabilities.min(initial=1.0))

    @property
    def mean_probability(self) -> float:
        """The mean of the probabilities of the tokens."""
        return float(self._probabilities.mean()) if self._probabilities.size else 1.0

    @property
    def margin(self) -> float:
        """Score less that of the next hypothesis."""
        scores, rank = self._hypothesis.compared.score, self._hypothesis.rank
        if rank + 1 == scores.size:
            return math.inf
        return float(scores[rank] - scores[rank + 1])

    @property
    def tokens(self) -> list[Span]:
        """The spans of the tokens, with the probability of their place."""
        return self._aligned.spans

    @property
    def words(self) -> list[Word]:
        """The words, with the probability of their place."""
        return self._aligned.words

    @cached_property
    def _aligned(self) -> Alignment:
        return self._hypothesis.align(posterior=True)

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        scores = self._hypothesis.compared.score
        if not math.isfinite(scores[0]):
            return np.zeros(scores.size)
        shares = np.exp(scores - scores[0])
        return np.asarray(shares / shares.sum())

    def _agreement(self, lists: list[Any]) -> list[float]:
        """Add up, for each entry of our own list, the shares of the lists that have it."""
        own = lists[self._hypothesis.rank]
        agreed = np.zeros(len(own))
        for share, other in zip(self._shares.tolist(), lists, strict=True):
            paired = [a == b for a, b in error_alignment(own, other) if a is not None]
            agreed += share * np.array(paired, np.float64)
        return np.minimum(agreed, 1.0).tolist()

    @cached_property
    def _probabilities(self) -> NDArray[np.float64]:
        alignment = self._hypothesis.alignment
        if not alignment.target.size:
            return np.exp(alignment.frame_scores)
        return np.exp([span.score for span in alignment.spans])


def _log_total(scores: NDArray[Any]) -> float:
    """Return the log of the mass of all paths: 0 for emissions that are normalised."""
    if not len(scores):
        return 0.0
    exact = scores.astype(np.float64)
    best = exact.max(axis=1, keepdims=True)
    return float((np.log(np.exp(exact - best).sum(axis=1)) + best[:, 0]).sum())
