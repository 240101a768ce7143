"""What a search found, for people: a text with its scores, places and confidence."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from unrolled.align.alignment import Alignment
from unrolled.align.viterbi import forced_align
from unrolled.align.words import Word, WordSlice
from unrolled.ctc.reading import Hypothesis as Reading
from unrolled.ctc.spans import Span
from unrolled.decode.confidence import Confidence
from unrolled.decode.search_result import SearchResult


class Hotword(NamedTuple):
    """A phrase that was found, at the tokens [first, end) of the text."""

    phrase: str
    first: int
    end: int


class Hypothesis(Reading):
    """A text that was found in emissions, with its score, places and confidence.

    `BeamSearchDecoder.decode` makes it. Nothing is computed before it is asked for. For
    `alignment`, `spans`, `word_spans` and `confidence` the emissions are kept as they were when
    they were decoded: a copy that lives as long as the hypothesis, of a batch the copy of all.

    Attributes
    ----------
    tokens : list of int
        Classes, without blanks.
    text : str
    words : list of str
    score : float
        ``acoustic_score + lm_weight * lm_score + word_score * units + hotword_score``: natural
        logarithms, higher is better.
    acoustic_score : float
        Log probability of the tokens by the emissions, over the paths that the beam has kept.
    lm_score : float
        Log probability of the text by the language model, unweighted; 0 without a model.
    units : int
        What ``word_score`` was added for: words, or symbols of the language model.
    hotword_score : float
    hotwords : list of Hotword
        The phrases that fired.
    alignment : Alignment
        The best path of the tokens through the emissions: `unrolled.align.forced_align` of them.
        It writes subtitles and tables: ``hypothesis.alignment.to_srt(path)``.
    spans : list of Span
        One a token, in order, from `alignment`.
    word_spans : list of Word
        One a word, in order, from `alignment`.
    confidence : Confidence
    rank : int
        Place in the list of hypotheses, from 0.

    Raises
    ------
    ValueError
        What needs emissions, where the decoder did not keep them.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.decode import BeamSearchDecoder
    >>> best = [2, 2, 0, 3, 1, 2, 0]
    >>> decoder = BeamSearchDecoder(["", " ", "h", "i"], seconds_per_frame=0.02)
    >>> hypothesis = decoder.decode(np.log(np.eye(4)[best] * 0.9 + 0.025))
    >>> hypothesis.text, hypothesis.words, hypothesis.tokens
    ('hi h', ['hi', 'h'], [2, 3, 1, 2])
    >>> [(word.text, word.start_seconds, word.end_seconds) for word in hypothesis.word_spans]
    [('hi', 0.0, 0.08), ('h', 0.1, 0.12)]
    """

    _result: SearchResult
    rank: int

    def __init__(self, result: SearchResult, rank: int) -> None:
        self.__dict__.update(_result=result, rank=rank)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r}, score={self.score:.6g})"

    def __getstate__(self) -> dict[str, Any]:
        """Give copies all that was found: no search goes with them."""
        return {**self.__dict__, "_result": self.compared}

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @cached_property
    def tokens(self) -> list[int]:
        """Classes, without blanks."""
        first, end = self._result.offsets[self.rank : self.rank + 2].tolist()
        tokens: list[int] = self._result.tokens[first:end].tolist()
        return tokens

    @cached_property
    def text(self) -> str:
        """What the tokens stand for, see `Labels.text`."""
        return self._result.labels.text(self.tokens)

    @property
    def words(self) -> list[str]:
        """The words of the text."""
        return [piece.text for piece in self._word_slices]

    @property
    def score(self) -> float:
        """The whole score, by which hypotheses are ranked."""
        return float(self._result.score[self.rank])

    @property
    def acoustic_score(self) -> float:
        """Log probability of the tokens by the emissions, over the paths that the beam has kept."""
        return float(self._result.acoustic[self.rank])

    @property
    def lm_score(self) -> float:
        """Log probability of the text by the language model, unweighted."""
        return float(self._result.lm[self.rank])

    @property
    def units(self) -> int:
        """What ``word_score`` was added for."""
        return int(self._result.units[self.rank])

    @property
    def hotword_score(self) -> float:
        """What the phrases in the text added to the score."""
        return float(self._result.hotwords[self.rank])

    @property
    def hotwords(self) -> list[Hotword]:
        """The phrases that fired, in the order of the text."""
        phrases = self._result.parts.phrases
        fired = self._result.fired[self.rank]
        return [Hotword(phrases[phrase], first, end) for phrase, first, end in fired]

    @cached_property
    def alignment(self) -> Alignment:
        """The best path of the tokens through the emissions."""
        return self.align()

    @property
    def spans(self) -> list[Span]:
        """One span a token."""
        return self.alignment.spans

    @property
    def word_spans(self) -> list[Word]:
        """One word with its place for each of `words`."""
        return self.alignment.words

    @cached_property
    def confidence(self) -> Confidence:
        """How sure it is, by several measures."""
        return Confidence(self)

    def align(self, posterior: bool = False) -> Alignment:
        """Align the tokens with the emissions.

        Parameters
        ----------
        posterior : bool
            Whether spans and words have the probability of their place, which takes far longer.
        """
        result = self._result
        alignment: Alignment = forced_align(
            result.require_emissions(),
            self.tokens,
            blank=result.labels.blank,
            posterior=posterior,
            labels=result.labels.texts,
            seconds_per_frame=result.scale.seconds_per_frame,
            stride=result.scale.stride,
            offset=result.scale.offset,
        )
        return alignment.replace(word_slices=self._word_slices)

    @cached_property
    def compared(self) -> SearchResult:
        """What was found, with all the hypotheses that confidence compares."""
        return self._result.compared() if self._result.compared else self._result

    def nbest_list(self) -> list[Hypothesis]:
        """Return the list that this one is of, it included, best first: some ten, or more."""
        return make_hypotheses(self.compared, self.compared.score.size)

    @cached_property
    def _word_slices(self) -> list[WordSlice]:
        return [WordSlice(*word) for word in self._result.labels.words(self.tokens)]

    def report(self) -> str:
        """Return how the score came about, part by part, and which phrases fired.

        Examples
        --------
        >>> import numpy as np
        >>> from unrolled.decode import BeamSearchDecoder
        >>> frames = np.log([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1]])
        >>> print(BeamSearchDecoder(["", "a", "b"]).decode(frames).report())
        'a': score -0.5978
          emissions  -0.5978
        """
        result = self._result
        lines = [f"{self.text!r}: score {self.score:.4f}"]
        lines.append(f"  emissions  {self.acoustic_score:.4f}")
        if self.lm_score or self.units:
            weight, bonus = result.parts.lm_weight, result.parts.word_score
            lines.append(
                f"  language   {weight * self.lm_score:.4f} = {weight:g} * {self.lm_score:.4f}"
            )
            lines.append(f"  units      {bonus * self.units:.4f} = {bonus:g} * {self.units}")
        if self.hotword_score or self.hotwords:
            lines.append(f"  hotwords   {self.hotword_score:.4f}")
        lines += [
            f"    {phrase!r} at tokens {first} to {end}" for phrase, first, end in self.hotwords
        ]
        return "\n".join(lines)


def make_hypotheses(result: SearchResult, nbest: int) -> list[Hypothesis]:
    """Make the first `nbest` hypotheses of a result, or as many as there are."""
    return [Hypothesis(result, rank) for rank in range(min(nbest, result.score.size))]
