"""Beam search by ours and by four peers, with the same settings."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from bench.peers.decode_cases import (
    CTCBD,
    FAST,
    FLASHLIGHT,
    LM_WEIGHT,
    PYCTC,
    UNK_SCORE,
    WORD_SCORE,
    DecodeCase,
)
from bench.peers.decode_text import BLANK, LABELS, arpa_path, vocabulary
from bench.peers.sides import OURS

PASS = "decode"
LOG_10 = math.log(10)
NEVER = -1e30  # a threshold under which nothing falls, finite for the peers


class Found(NamedTuple):
    """The best text of a search, and the score that the search gave it where it tells."""

    text: str
    score: float | None


Decode = Callable[[], Found]


def ours(case: DecodeCase) -> Decode:
    decoder, log_probs = our_decoder(case), case.log_probs()

    def decode() -> Found:
        found = decoder.decode(log_probs)
        return Found(found.text, found.score)

    return decode


def our_decoder(case: DecodeCase):
    from unrolled.decode import BeamSearchDecoder

    setting = case.setting
    return BeamSearchDecoder(
        case.labels(),
        blank=BLANK,
        beam_width=case.beam,
        token_min_logp=setting.token_min_logp,
        beam_prune_logp=setting.beam_prune_logp,
        token_top_k=setting.token_top_k,
        lexicon=vocabulary() if setting.lexicon else None,
        **(_language() if setting.lm else {}),
    )


def _language() -> dict[str, object]:
    from unrolled.lm import NGram

    return {
        "lm": NGram.load(arpa_path()),
        "lm_weight": LM_WEIGHT,
        "word_score": WORD_SCORE,
        "unk_score": UNK_SCORE * LOG_10,
    }


def fast_ctc_decode(case: DecodeCase) -> Decode:
    import fast_ctc_decode as fast

    probabilities = np.exp(case.log_probs())
    cut = math.exp(case.setting.token_min_logp)

    def decode() -> Found:
        text, _ = fast.beam_search(probabilities, case.labels(), case.beam, cut)
        return Found(text, None)

    return decode


def ctc_beam_decoder(case: DecodeCase) -> Decode:
    from ctc_beam_decoder import build_ctcdecoder

    return _pyctcdecode_like(case, build_ctcdecoder)


def pyctcdecode(case: DecodeCase) -> Decode:
    for name in ("pyctcdecode.decoder", "pyctcdecode.alphabet", "pyctcdecode.language_model"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from pyctcdecode import build_ctcdecoder

    return _pyctcdecode_like(case, build_ctcdecoder)


def _pyctcdecode_like(case: DecodeCase, build: Callable) -> Decode:
    """The n-best list, since `decode` alone prunes by history, as ours and the others do not."""
    setting, log_probs = case.setting, case.log_probs()
    model = str(arpa_path()) if setting.lm else None
    with silent_stderr():
        decoder = build(list(case.labels()), model, None, LM_WEIGHT, WORD_SCORE, UNK_SCORE)
    limits = [max(limit, NEVER) for limit in (setting.beam_prune_logp, setting.token_min_logp)]

    def decode() -> Found:
        text, *_, score = decoder.decode_beams(log_probs, case.beam, *limits)[0]
        return Found(text, score)

    return decode


def flashlight_text(case: DecodeCase) -> Decode:
    log_probs, labels = np.ascontiguousarray(case.log_probs()), case.labels()
    decoder, kept = _flashlight_lexicon(case) if case.setting.lexicon else _flashlight_free(case)

    def decode() -> Found:
        best = decoder.decode(log_probs.ctypes.data, *log_probs.shape)[0]
        path = np.asarray(best.tokens)[1:-1]  # without the silences that it puts around
        firsts = path[np.append(True, path[1:] != path[:-1])]
        return Found("".join(labels[token] for token in firsts if token != BLANK), best.score)

    decode.kept = kept  # it does not keep its language model alive itself
    return decode


def _flashlight_free(case: DecodeCase) -> tuple:
    from flashlight.lib.text import decoder as flashlight

    setting = case.setting
    options = flashlight.LexiconFreeDecoderOptions(
        beam_size=case.beam,
        beam_size_token=setting.token_top_k or case.classes,
        beam_threshold=-max(setting.beam_prune_logp, NEVER),
        lm_weight=0,
        sil_score=0,
        log_add=True,
        criterion_type=flashlight.CriterionType.CTC,
    )
    silence, lm = LABELS.index(" "), flashlight.ZeroLM()
    return flashlight.LexiconFreeDecoder(options, lm, silence, BLANK, []), lm


def _flashlight_lexicon(case: DecodeCase) -> tuple:
    from flashlight.lib.text import decoder as flashlight
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    setting, silence = case.setting, LABELS.index(" ")
    lexicon = vocabulary()
    words = Dictionary([*lexicon, "<unk>"])
    with silent_stderr():
        lm = KenLM(str(arpa_path()), words)
    trie = flashlight.Trie(case.classes, silence)
    start = lm.start(False)
    for word in lexicon:
        number = words.get_index(word)
        spelling = [LABELS.index(character) for character in (*word, " ")]
        trie.insert(spelling, number, lm.score(start, number)[1])
    trie.smear(flashlight.SmearingMode.MAX)
    options = flashlight.LexiconDecoderOptions(
        beam_size=case.beam,
        beam_size_token=setting.token_top_k or case.classes,
        beam_threshold=-max(setting.beam_prune_logp, NEVER),
        lm_weight=LM_WEIGHT * LOG_10,  # it takes the logarithms to base 10 as they come
        word_score=WORD_SCORE,
        unk_score=-math.inf,
        sil_score=0,
        log_add=True,
        criterion_type=flashlight.CriterionType.CTC,
    )
    unknown = words.get_index("<unk>")
    decoder = flashlight.LexiconDecoder(options, trie, lm, silence, BLANK, unknown, [], False)
    return decoder, (lm, trie)


@contextmanager
def silent_stderr() -> Iterator[None]:
    """KenLM draws a bar each time that it reads a model."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


SIDES: dict[str, Callable[[DecodeCase], Decode]] = {
    OURS: ours,
    FAST: fast_ctc_decode,
    CTCBD: ctc_beam_decoder,
    FLASHLIGHT: flashlight_text,
    PYCTC: pyctcdecode,
}
