"""``torchaudio.models.decoder.ctc_decoder`` over ours, on the CPU, with PyTorch or without.

Arguments, defaults, logarithms to base 10 of n-gram models and the form of results are torchaudio's
and flashlight's. The search is ours, and differs in this:

- A text is one hypothesis, where flashlight keeps one for each last symbol of its paths, blank or
  not. ``log_add=True`` adds up all paths of a text; ``False``, the default, takes the best path.
- With a lexicon, words have ``sil_token`` between them. The last one needs none behind it, and
  ``sil_score`` counts once a word. Words outside are never found: ``unk_score`` is -inf.
- A word is scored when it is complete, where flashlight guesses ahead within the lexicon.
- Timesteps are those of the best path of the final tokens.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from unrolled._arrays import RealArray, as_lengths, as_real
from unrolled.compat._tensors import as_array, is_tensor
from unrolled.compat.torchaudio_files import (
    by_word,
    read_lexicon,
    read_tokens,
    read_words,
    words_by_spelling,
)
from unrolled.compat.torchaudio_lm import Units, lm_arguments
from unrolled.decode.decoder import BeamSearchDecoder
from unrolled.decode.hypothesis import Hypothesis
from unrolled.decode.labels import Labels
from unrolled.decode.streams import Stream
from unrolled.ops.softmax import log_softmax


class CTCHypothesis(NamedTuple):
    """A text that was found.

    Attributes
    ----------
    tokens : tensor or array of int64 (L,)
        Silence before and after the text included, as flashlight puts it there.
    words : list of str
        Words of the lexicon; empty without one.
    score : float
        The whole score.
    timesteps : tensor or array of int32 (L,)
        Where each token begins. As in torchaudio the silence before the first frame is step 0, so
        frame t is step t + 1.
    """

    tokens: Any
    words: list[str]
    score: float
    timesteps: Any


class CTCDecoder:
    """What `ctc_decoder` makes; see there."""

    def __init__(
        self,
        decoder: BeamSearchDecoder,
        silence: int,
        nbest: int,
        words_by_spelling: dict[tuple[int, ...], str] | None,
        *,
        log_add: bool,
    ) -> None:
        self.nbest = nbest
        self.blank = decoder.labels.blank
        self._decoder = decoder
        self._silence = silence
        self._words_by_spelling = words_by_spelling
        self._log_add = log_add
        self._stream: Stream | None = None
        self._offset = 0.0
        self._makes_tensors = False
        self._final: list[Hypothesis] = []

    def __call__(self, emissions: Any, lengths: Any = None) -> list[list[CTCHypothesis]]:
        """Decode a batch.

        Parameters
        ----------
        emissions : tensor or array (B, T, N)
            Log probabilities, or scores of any size: flashlight adds them up as they are.
        lengths : tensor or array of int (B,), optional
            Frames of each item; all T where not given.

        Returns
        -------
        list of lists of CTCHypothesis
            For each item the best texts, at most ``nbest``. Tensors for a tensor, else arrays.

        Raises
        ------
        ValueError
            Shapes or lengths do not fit, or emissions hold NaN.
        """
        scores = as_real(as_array(emissions, "emissions"), "emissions")
        if scores.ndim != 3:
            raise ValueError(f"emissions must be (B, T, N), got the shape {scores.shape}")
        frames = as_lengths(as_array(lengths, "lengths"), "lengths", *scores.shape[:2])
        rows = [_normalise(item[:length]) for item, length in zip(scores, frames, strict=True)]
        found = self._decoder.decode([log_probs for log_probs, _ in rows], nbest=self._enough)
        return [
            self._make(item, offset, is_tensor(emissions))
            for item, (_, offset) in zip(found, rows, strict=True)
        ]

    def decode_begin(self) -> None:
        """Begin an utterance that comes in chunks."""
        self._stream = self._decoder.start()
        self._offset = 0.0
        self._final = []

    def decode_step(self, emissions: Any) -> None:
        """Decode the next frames (t, N)."""
        scores = as_real(as_array(emissions, "emissions"), "emissions")
        if scores.ndim != 2:
            raise ValueError(f"emissions must be (t, N), got the shape {scores.shape}")
        log_probs, offset = _normalise(scores)
        self._require_stream("decode_step").push(log_probs)
        self._offset += offset
        self._makes_tensors = is_tensor(emissions)

    def decode_end(self) -> None:
        """End the utterance."""
        self._final = self._require_stream("decode_end").finish(self._enough)
        self._stream = None

    def get_final_hypothesis(self) -> list[CTCHypothesis]:
        """Return the best texts of the utterance that `decode_end` ended."""
        return self._make(self._final, self._offset, self._makes_tensors)

    def idxs_to_tokens(self, idxs: Any) -> list[str]:
        """Return the token of each number."""
        return [self._decoder.labels.texts[int(number)] for number in idxs]

    @property
    def _enough(self) -> int:
        """Texts that differ in silence at the edges alone are one for flashlight."""
        return 4 * self.nbest + 4

    def _require_stream(self, what: str) -> Stream:
        if self._stream is None:
            raise RuntimeError(f"{what}: call decode_begin first")
        return self._stream

    def _make(
        self, found: Sequence[Hypothesis], offset: float, makes_tensors: bool
    ) -> list[CTCHypothesis]:
        by_tokens: dict[bytes, CTCHypothesis] = {}
        for hypothesis in found:
            made = self._hypothesis(hypothesis, offset)
            key = made.tokens.tobytes()
            if key not in by_tokens:
                by_tokens[key] = made
            elif self._log_add:
                score = float(np.logaddexp(by_tokens[key].score, made.score))
                by_tokens[key] = by_tokens[key]._replace(score=score)
        best = sorted(by_tokens.values(), key=lambda made: -made.score)[: self.nbest]
        return [_as_tensors(made) for made in best] if makes_tensors else best

    def _hypothesis(self, hypothesis: Hypothesis, offset: float) -> CTCHypothesis:
        path = np.concatenate([[self._silence], hypothesis.alignment.path, [self._silence]])
        begins = np.append(True, path[1:] != path[:-1]) & (path != self.blank)
        words = self._words(hypothesis.tokens)
        steps = np.flatnonzero(begins)
        tokens = path[steps].astype(np.int64)
        return CTCHypothesis(tokens, words, hypothesis.score + offset, steps.astype(np.int32))

    def _words(self, tokens: list[int]) -> list[str]:
        if self._words_by_spelling is None:
            return []
        spelt = [tuple(tokens[a:b]) for _, a, b in self._decoder.labels.words(tokens)]
        return [self._words_by_spelling[spelling] for spelling in spelt]


def ctc_decoder(
    lexicon: str | os.PathLike[str] | None,
    tokens: str | os.PathLike[str] | Sequence[str],
    lm: Any = None,
    lm_dict: str | os.PathLike[str] | None = None,
    nbest: int = 1,
    beam_size: int = 50,
    beam_size_token: int | None = None,
    beam_threshold: float = 50,
    lm_weight: float = 2,
    word_score: float = 0,
    unk_score: float = -math.inf,
    sil_score: float = 0,
    log_add: bool = False,
    blank_token: str = "-",
    sil_token: str = "|",
    unk_word: str = "<unk>",
) -> CTCDecoder:
    """Make a decoder.

    Parameters
    ----------
    lexicon : path or None
        A file of words with their spellings, ``word token token ... |``. Without it tokens come in
        any order, and a language model is one of tokens.
    tokens : path, or list of str
        The token of each class; a file has a class a line.
    lm : path, NGram, CTCDecoderLM or None
        An n-gram model, or an object of one's own. Of words with a lexicon, else of tokens.
    lm_dict : path, optional
        The words of `lm`, by number, for an object of one's own; otherwise numbers are the places
        of words in the lexicon, or of tokens.
    nbest : int
        How many texts are returned.
    beam_size : int
        Prefixes kept after each frame.
    beam_size_token : int, optional
        How many tokens of a frame are looked at; all where not given.
    beam_threshold : float
        Prefixes that are further below the best are dropped.
    lm_weight : float
        Of the language model; n-gram models count with their logarithms to base 10.
    word_score : float
        Added for each word of a lexicon.
    unk_score : float
        -inf with a lexicon; without one it is not used.
    sil_score : float
        Added for each silence, with a lexicon for each word.
    log_add : bool
        Whether all paths of a text count, or the best.
    blank_token, sil_token : str
    unk_word : str
        Not used.

    Raises
    ------
    ValueError
        A token is missing, a file is faulty, or `unk_score` lets in words outside the lexicon.

    Examples
    --------
    >>> import numpy as np
    >>> decoder = ctc_decoder(lexicon=None, tokens=["-", "|", "a", "b"])
    >>> emissions = np.log(np.full((1, 3, 4), 0.1) + 0.6 * np.eye(4)[[2, 0, 3]])
    >>> best = decoder(emissions)[0][0]
    >>> decoder.idxs_to_tokens(best.tokens), best.timesteps
    (['|', 'a', 'b', '|'], array([0, 1, 3, 4], dtype=int32))
    """
    if lexicon is not None and unk_score != -math.inf:
        raise ValueError(
            f"unk_score must be -inf, got {unk_score}: with a lexicon only its words are found; "
            "without one any are"
        )
    texts, classes = read_tokens(tokens)
    blank, silence = (_class_of(token, classes) for token in (blank_token, sil_token))
    labels = Labels(texts, texts[blank], word_delimiter=texts[silence])
    if lexicon is None:
        spellings = None
        units = Units.of_tokens(texts, texts[silence], sil_score)
    else:
        spellings = words_by_spelling(read_lexicon(lexicon, classes), silence)
        written = {labels.text(spelling): word for spelling, word in spellings.items()}
        units = Units.of_words(written, word_score + sil_score)
    if lm_dict is not None:
        units = units._replace(dictionary=read_words(lm_dict))
    decoder = BeamSearchDecoder(
        labels,
        beam_width=beam_size,
        token_min_logp=-math.inf,
        beam_prune_logp=-beam_threshold,
        token_top_k=beam_size_token,
        merge="sum" if log_add else "max",
        lexicon=None if spellings is None else by_word(spellings, texts),
        **lm_arguments(lm, lm_weight, units),
    )
    return CTCDecoder(decoder, silence, nbest, spellings, log_add=log_add)


def _class_of(token: str, classes: dict[str, int]) -> int:
    if token not in classes:
        raise ValueError(f"{token!r} is none of the tokens; pass blank_token and sil_token")
    return classes[token]


def _normalise(scores: RealArray) -> tuple[RealArray, float]:
    """Return log probabilities (T, N), and what the sums along all paths have lost by it."""
    log_probs = log_softmax(scores)
    with np.errstate(invalid="ignore"):
        shifts = np.nanmax(scores - log_probs, axis=1, initial=-np.inf)
    return log_probs, float(shifts.sum(dtype=np.float64))


def _as_tensors(made: CTCHypothesis) -> CTCHypothesis:
    import torch

    tokens, steps = torch.from_numpy(made.tokens), torch.from_numpy(made.timesteps)
    return made._replace(tokens=tokens, timesteps=steps)
