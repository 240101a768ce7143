"""CTC prefix beam search, as people call it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from unrolled.ctc.spans import FrameScale
from unrolled.decode.emissions import EmissionBatch, batches_of
from unrolled.decode.fusion import build
from unrolled.decode.hotwords import Hotwords, as_hotwords
from unrolled.decode.hypothesis import make_hypotheses
from unrolled.decode.labels import Labels
from unrolled.decode.language_models import Unit
from unrolled.decode.lexicon import Lexicon, as_lexicon
from unrolled.decode.masks import AllowedClasses
from unrolled.decode.search_result import Emissions, Found, ScoreParts, SearchResult, ask_for
from unrolled.decode.settings import Merge, SearchSettings
from unrolled.decode.streams import Stream


class BeamSearchDecoder:
    """Find the most probable texts in the emissions of a CTC network.

    A prefix beam search (Graves and Jaitly 2014; Hannun et al. 2014): the masses of all paths that
    collapse to one prefix are added up, and the best prefixes are kept after each frame. It is
    exact where nothing is cut. What a language model, a lexicon and hotwords know is weighed in
    with each symbol. A decoder does not change, and threads may share it; results have the same
    bits in any batch and on any number of threads.

    Parameters
    ----------
    labels : sequence of str, mapping from str to int, or Labels
        Text of each of the C classes: see `Labels`, whose own `blank` and `word_delimiter` count.
    blank : int or str
        Class of the blank, negative counted from the end, or its label.
    beam_width : int or None
        Prefixes kept after each frame; None for all.
    token_min_logp : float
        Classes of a smaller log probability are not looked at in a frame; the best always is.
    beam_prune_logp : float
        Prefixes that are further below the best are dropped.
    token_top_k : int, optional
        Look only at so many of the best classes of a frame.
    lm : optional
        A language model: `unrolled.lm.NGram`, the path of one, or an object with batched ``start``,
        ``score`` and ``finish``.
    lm_unit : {"word", "token", "char"}
        What the model scores: words at their end, or each label or character.
    lm_weight : float
        What the model's log probabilities are multiplied by.
    word_score : float
        Added for each unit that the model scores; above 0 it favours long texts.
    unk_score : float
        Added for a unit that the model does not know.
    lm_eos : bool
        Whether the end of the text is scored.
    lexicon : optional
        The only words that may be found, with or without spellings.
    hotwords : optional
        Phrases to favour: a list, or their weights by phrase.
    hotword_weight : float
        Weight of phrases without one of their own.
    allowed : array of bool (C,), optional
        The only classes that may be found, beside the blank. Otherwise all that can be part of a
        text: ``<s>``, ``<unk>`` and the like cannot.
    merge : {"sum", "max"}
        Whether the paths of a prefix are added up, or the best stands for them.
    word_delimiter : str or None
        Label between words; None where there is none.
    seconds_per_frame, stride, offset
        What a frame stands for in spans: see `unrolled.align.FrameScale`.
    keep_emissions : bool
        Whether hypotheses keep a copy of their emissions for spans and confidence.

    Attributes
    ----------
    labels : Labels
    settings : SearchSettings
    lm, lexicon, hotwords
        What it knows, in full form; None where it does not.

    Raises
    ------
    ValueError
        Settings that cannot work; the message says what would.
    TypeError
        An argument is of a wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.log([[0.4, 0.6], [0.4, 0.6]])
    >>> decoder = BeamSearchDecoder(["", "a"])
    >>> decoder.decode(frames).text  # paths a-, -a and aa
    'a'
    >>> [(h.text, round(float(np.exp(h.score)), 2)) for h in decoder.decode(frames, nbest=2)]
    [('a', 0.84), ('', 0.16)]
    """

    labels: Labels
    settings: SearchSettings
    lm: Any
    lexicon: Lexicon | None
    hotwords: Hotwords | None

    def __init__(
        self,
        labels: Labels | Sequence[str] | Mapping[str, int],
        *,
        blank: int | str = 0,
        beam_width: int | None = 100,
        token_min_logp: float = -5.0,
        beam_prune_logp: float = -10.0,
        token_top_k: int | None = None,
        lm: Any = None,
        lm_unit: Unit = "word",
        lm_weight: float = 0.5,
        word_score: float = 1.5,
        unk_score: float = -10.0,
        lm_eos: bool = True,
        lexicon: Any = None,
        hotwords: Any = None,
        hotword_weight: float = 10.0,
        allowed: Any = None,
        merge: Merge = "sum",
        word_delimiter: str | None = " ",
        seconds_per_frame: float | None = None,
        stride: float | None = None,
        offset: float = 0.0,
        keep_emissions: bool = True,
    ) -> None:
        lm = _load(lm) if isinstance(lm, (str, os.PathLike)) else lm  # once for all `replace`
        lexicon = None if lexicon is None else as_lexicon(lexicon)
        hotwords = list(hotwords) if isinstance(hotwords, Iterator) else hotwords
        self._arguments = {name: value for name, value in locals().items() if name != "self"}
        self.settings = SearchSettings(
            beam_width, token_min_logp, beam_prune_logp, token_top_k, merge
        )
        self.labels = _as_labels(labels, blank, word_delimiter)
        self.lm, self.lexicon = lm, lexicon
        self.hotwords = None if hotwords is None else as_hotwords(hotwords, hotword_weight)
        self._scale = FrameScale(seconds_per_frame, stride, offset)
        self._parts = ScoreParts(lm_weight, word_score, list(self.hotwords or ()))
        self._keep_emissions = keep_emissions
        self._allowed = AllowedClasses(self.labels, allowed)
        fusion = build(
            self.labels,
            lm=lm,
            lm_unit=lm_unit,
            lm_weight=lm_weight,
            word_score=word_score,
            unk_score=unk_score,
            lm_eos=lm_eos,
            lexicon=lexicon,
            hotwords=self.hotwords,
            hotword_weight=hotword_weight,
        )
        self._search = self.settings.make_search(len(self.labels), self.labels.blank, fusion)
        # Without fusion a search is quicker than writing out texts that nobody may ask for.
        self._is_searched_again = keep_emissions and fusion is None

    def __repr__(self) -> str:
        names = ("lm", "lexicon", "hotwords")
        known = [name for name in names if getattr(self, name) is not None]
        extras = f", with {', '.join(known)}" if known else ""
        return f"BeamSearchDecoder({self.labels!r}, {self.settings!r}{extras})"

    def decode(
        self, log_probs: Any, lengths: Any = None, nbest: int = 1, *, allowed: Any = None
    ) -> Any:
        """Find the best texts.

        Parameters
        ----------
        log_probs : array (T, C), array (N, T, C), or list of arrays (T_i, C)
            Natural log probabilities of each class at each frame (log_softmax of what a network
            gives). float64 is searched in float64.
        lengths : array of int (N,), optional
            Frames of each item of (N, T, C); all T where not given.
        nbest : int
            How many texts of each item are wanted.
        allowed : array of bool, optional
            The only classes that may be found, of those of the decoder: (C,) for all frames, (T, C)
            for one item, (N, C) or (N, T, C) for a batch, a list of (C,) or (T_i, C) for a list.

        Returns
        -------
        Hypothesis for (T, C) and nbest 1, list of them for nbest above 1; a list of either for a
        batch, one entry an item. There are fewer than `nbest` where the beam holds fewer texts.

        Raises
        ------
        ValueError
            Shapes or lengths do not fit, emissions have another number of classes than there are
            labels, or they are no log probabilities; the message names item, frame and class.
        TypeError
            Emissions are not of real numbers, or `allowed` not of bools.

        Warns
        -----
        RuntimeWarning
            No text of the lexicon, or of a model that forbids unknown words, is left in the beam
            of an item: its hypothesis has no token and score -inf.

        Examples
        --------
        >>> import numpy as np
        >>> decoder = BeamSearchDecoder(["", "1", "7"])
        >>> frames = np.log([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1]])
        >>> decoder.decode(frames).text, decoder.decode(frames, allowed=np.arange(3) != 1).text
        ('1', '7')
        >>> [hypothesis.text for hypothesis in decoder.decode([frames, frames[:1]])]
        ['1', '1']
        """
        compared = ask_for(nbest)
        asked = nbest if self._is_searched_again else compared
        batches, batched = batches_of(
            log_probs, lengths, self.labels, self._allowed, allowed, self._keep_emissions
        )
        hypotheses: list[Any] = []
        for batch in batches:
            try:
                found = self._search.decode(
                    batch.scores, batch.lengths, batch.mask, asked, batch.copy
                )
            except ValueError as error:
                raise batch.locate(error) from None
            own = batch.decoded()
            for item, (one, frames) in enumerate(zip(found, own.lengths.tolist(), strict=True)):
                kept = own.scores[item, :frames] if self._keep_emissions else None
                result = self._make_result(one, kept, own.first + item)
                if self._is_searched_again:
                    again = partial(self._search_again, own.item(item), kept, compared)
                    result = result._replace(compared=again)
                best = make_hypotheses(result, nbest)
                hypotheses.append(best[0] if nbest == 1 else best)
        return hypotheses if batched else hypotheses[0]

    def start(self) -> Stream:
        """Begin to decode emissions that come in chunks.

        Returns
        -------
        Stream
            With ``push``, ``partial`` and ``finish``. The result does not depend on the chunks.

        Examples
        --------
        >>> import numpy as np
        >>> stream = BeamSearchDecoder(["", "a", "b"]).start()
        >>> stream.push(np.log([[0.1, 0.6, 0.3]]))
        >>> stream.push(np.log([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]))
        >>> stream.finish().text
        'ab'
        """
        search = self._search.start()
        return Stream(self.labels, search, self._allowed, self._make_result, self._keep_emissions)

    def replace(self, **changes: Any) -> BeamSearchDecoder:
        """Return a decoder with some arguments of the constructor changed.

        Examples
        --------
        >>> BeamSearchDecoder(["", "a"]).replace(beam_width=10).settings.beam_width
        10
        """
        arguments = {**self._arguments, **changes}
        if not {"labels", "blank", "word_delimiter"} & changes.keys():
            arguments.update(labels=self.labels, blank=0, word_delimiter=" ")  # read once
        return BeamSearchDecoder(**arguments)

    def _search_again(
        self, item: EmissionBatch, kept: Emissions | None, asked: int
    ) -> SearchResult:
        (found,) = self._search.decode(item.scores, item.lengths, item.mask, asked)
        return self._make_result(found, kept)

    def _make_result(
        self, found: Found, emissions: Emissions | None, item: int = 0
    ) -> SearchResult:
        result = SearchResult(*found, self.labels, self._scale, self._parts, emissions)
        if result.score.size:
            return result
        warnings.warn(
            f"item {item}: no text of the lexicon or the model is left in the beam; "
            "widen beam_width, beam_prune_logp and token_min_logp, or see that its words are known",
            RuntimeWarning,
            stacklevel=3,
        )
        return result.without_text()


def _as_labels(
    labels: Labels | Sequence[str] | Mapping[str, int], blank: int | str, delimiter: str | None
) -> Labels:
    if not isinstance(labels, Labels):
        return Labels(labels, blank, delimiter)
    if (blank, delimiter) != (0, " "):
        raise ValueError("Labels have their own blank and word_delimiter: leave both out")
    return labels


def _load(path: str | os.PathLike[str]) -> Any:
    from unrolled.lm import NGram  # searches without a model need none of it

    return NGram.load(path)
