"""pyctcdecode's decoder over ours."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from unrolled.compat.pyctcdecode.alphabet import Alphabet
from unrolled.compat.pyctcdecode.beams import (
    OutputBeam,
    OutputBeamMPSafe,
    output_beam,
    texts_of,
)
from unrolled.compat.pyctcdecode.emissions import as_log_probs
from unrolled.compat.pyctcdecode.language_model import LanguageModel
from unrolled.compat.pyctcdecode.partial import UtteranceBeams, starting_state
from unrolled.decode.decoder import BeamSearchDecoder
from unrolled.decode.hypothesis import Hypothesis
from unrolled.decode.letters import LabelLetters

_KEPT_SEARCHERS = 8  # settings that are kept ready


class BeamSearchDecoderCTC:
    """A beam search over an alphabet, with a language model of words or without one.

    Emissions (T, V) may be logits, their log probabilities, or probabilities: what sums to 1 in the
    mean over the frames is taken for probabilities.

    Parameters
    ----------
    alphabet : Alphabet
    language_model : LanguageModel, optional

    Examples
    --------
    >>> import numpy as np
    >>> decoder = build_ctcdecoder(["", " ", "h", "i"])
    >>> logits = 9 * np.eye(4)[[2, 3, 0, 1, 2]]
    >>> decoder.decode(logits)
    'hi h'
    >>> decoder.decode_beams(logits)[0].text_frames
    [('hi', (0, 2)), ('h', (4, 5))]
    """

    def __init__(self, alphabet: Alphabet, language_model: LanguageModel | None = None) -> None:
        self._alphabet = alphabet
        self._labels = alphabet.to_labels()
        self._language_model = language_model
        self._searchers: dict[tuple[Any, ...], BeamSearchDecoder] = {}

    def reset_params(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
    ) -> None:
        """Change weights of the language model; None leaves one as it is."""
        if self._language_model is not None:
            self._language_model.reset_params(
                alpha=alpha,
                beta=beta,
                unk_score_offset=unk_score_offset,
                score_boundary=lm_score_boundary,
            )
            self._searchers.clear()

    def cleanup(self) -> None:
        """Do nothing: the language model goes with the decoder."""

    def decode(
        self,
        logits: Any,
        beam_width: int = 100,
        beam_prune_logp: float = -10.0,
        token_min_logp: float = -5.0,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = 10.0,
        lm_start_state: Any = None,
    ) -> str:
        """Return the best text of logits (T, V).

        Parameters
        ----------
        logits : array (T, V)
        beam_width : int
            Prefixes kept after each frame.
        beam_prune_logp : float
            Prefixes that are further below the best are dropped.
        token_min_logp : float
            Labels below it are not looked at, but for the best of a frame.
        hotwords : iterable of str, optional
            Words that are favoured, each word of a phrase by itself.
        hotword_weight : float
            Added for each occurrence of a hotword.
        lm_start_state : optional
            State of the language model at the beginning: ``last_lm_state`` of an `OutputBeam`.

        Raises
        ------
        ValueError
            The emissions have another number of classes than there are labels, or no numbers.
        """
        searcher = self._searcher(
            beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight, lm_start_state
        )
        found = searcher.decode(as_log_probs(logits, self._labels), nbest=beam_width)
        return texts_of(found)[0].text

    def decode_beams(
        self,
        logits: Any,
        beam_width: int = 100,
        beam_prune_logp: float = -10.0,
        token_min_logp: float = -5.0,
        prune_history: bool = False,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = 10.0,
        lm_start_state: Any = None,
    ) -> list[OutputBeam]:
        """Return all texts of the last beam, best first; arguments as of `decode`."""
        searcher = self._searcher(
            beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight, lm_start_state
        )
        found = searcher.decode(as_log_probs(logits, self._labels), nbest=beam_width)
        return self._output_beams(found, lm_start_state)

    def decode_batch(
        self,
        pool: Any,
        logits_list: Sequence[Any],
        beam_width: int = 100,
        beam_prune_logp: float = -10.0,
        token_min_logp: float = -5.0,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = 10.0,
    ) -> list[str]:
        """Return the best text of each item, on all threads; `pool` is ignored."""
        searcher = self._searcher(
            beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight
        )
        batch = [as_log_probs(logits, self._labels) for logits in logits_list]
        found = searcher.decode(batch, nbest=beam_width) if batch else []
        return [texts_of(item)[0].text for item in found]

    def decode_beams_batch(
        self,
        pool: Any,
        logits_list: Sequence[Any],
        beam_width: int = 100,
        beam_prune_logp: float = -10.0,
        token_min_logp: float = -5.0,
        prune_history: bool = False,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = 10.0,
    ) -> list[list[OutputBeamMPSafe]]:
        """Return the texts of the last beam of each item, on all threads; `pool` is ignored."""
        searcher = self._searcher(
            beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight
        )
        batch = [as_log_probs(logits, self._labels) for logits in logits_list]
        found = searcher.decode(batch, nbest=beam_width) if batch else []
        return [
            [OutputBeamMPSafe(beam.text, *beam[2:]) for beam in self._output_beams(item)]
            for item in found
        ]

    def get_starting_state(self) -> tuple[UtteranceBeams, dict[str, Any], dict[str, Any]]:
        """Return beams and two caches for the first call of `partial_decode_beams`."""
        return starting_state()

    def partial_decode_beams(
        self,
        logits: Any,
        cached_lm_scores: dict[str, Any],
        cached_p_lm_scores: dict[str, Any],
        beams: UtteranceBeams,
        processed_frames: int,
        beam_width: int = 100,
        beam_prune_logp: float = -10.0,
        token_min_logp: float = -5.0,
        prune_history: bool = False,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = 10.0,
        force_next_word: bool = False,
        is_end: bool = False,
    ) -> UtteranceBeams:
        """Decode the next chunk of an utterance: any cut into chunks has the same result.

        Parameters
        ----------
        logits : array (t, V)
            The next frames; none at all is fine at the end.
        cached_lm_scores, cached_p_lm_scores : dict
            Not used.
        beams : list of LMBeam
            What `get_starting_state` or the call before this one returned.
        processed_frames : int
            Number of the first frame of the utterance, from the first call.
        force_next_word : bool
            Show the word under way as complete; the search goes on as it would without.
        is_end : bool
            The utterance ends with this chunk.

        Returns
        -------
        list of LMBeam
            The best text under way; at the end all texts of the beam.

        Raises
        ------
        ValueError
            As of `decode`; `beams` are not the latest, or settings changed.
        """
        searcher = self._searcher(
            beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight
        )
        result = beams.pushed(searcher, as_log_probs(logits, self._labels), processed_frames)
        assert result.stream is not None
        found = result.stream.finish(beam_width) if is_end else result.stream.partial()
        result.fill(found, is_complete=is_end or force_next_word)
        return result

    def _searcher(
        self,
        beam_width: int,
        beam_prune_logp: float,
        token_min_logp: float,
        hotwords: Iterable[str] | None,
        hotword_weight: float,
        lm_start_state: Any = None,
    ) -> BeamSearchDecoder:
        """Return a decoder with these settings; the latest are kept."""
        words = tuple(dict.fromkeys(word for phrase in hotwords or () for word in phrase.split()))
        settings = (beam_width, beam_prune_logp, token_min_logp, words, hotword_weight)
        if lm_start_state is None and settings in self._searchers:
            return self._searchers[settings]
        model = self._language_model
        searcher = BeamSearchDecoder(
            self._labels,
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            hotwords=(words and self._spellable(words)) or None,
            hotword_weight=hotword_weight,
            **({} if model is None else model.decoder_arguments(lm_start_state)),
        )
        if lm_start_state is None:
            if len(self._searchers) == _KEPT_SEARCHERS:
                self._searchers.pop(next(iter(self._searchers)))
            self._searchers[settings] = searcher
        return searcher

    def _spellable(self, words: Iterable[str]) -> list[str]:
        """Leave out what the labels cannot write, which pyctcdecode takes and never finds."""
        letters = LabelLetters(self._labels)
        return [word for word in words if letters.can_spell(word)]

    def _output_beams(
        self, found: Hypothesis | list[Hypothesis], start_state: Any = None
    ) -> list[OutputBeam]:
        model = self._language_model
        beams = []
        for text in texts_of(found):
            words = text.text.split()
            state = None if model is None else model.state_after(words, start_state)
            beams.append(output_beam(text, state))
        return beams


def build_ctcdecoder(
    labels: Sequence[str],
    kenlm_model_path: str | os.PathLike[str] | None = None,
    unigrams: Collection[str] | None = None,
    alpha: float = 0.5,
    beta: float = 1.5,
    unk_score_offset: float = -10.0,
    lm_score_boundary: bool = True,
) -> BeamSearchDecoderCTC:
    """Make a decoder.

    Parameters
    ----------
    labels : sequence of str
        By class; see `Alphabet.build_alphabet`.
    kenlm_model_path : path, optional
        An n-gram model of words: ARPA, KenLM's binaries, or ours.
    unigrams : collection of str, optional
        The words that count as known. Without it, all that the model knows: of a binary too.
    alpha, beta, unk_score_offset, lm_score_boundary
        See `LanguageModel`.
    """
    alphabet = Alphabet.build_alphabet(labels)
    if kenlm_model_path is None:
        return BeamSearchDecoderCTC(alphabet)
    model = LanguageModel(
        kenlm_model_path, unigrams, alpha, beta, unk_score_offset, lm_score_boundary
    )
    return BeamSearchDecoderCTC(alphabet, model)
