"""torchaudio's beam decoder over ours: arguments, results and scores of flashlight's own."""

from __future__ import annotations

import math
from importlib.util import find_spec

import numpy as np
import pytest

from unrolled.align import forced_align
from unrolled.compat.torchaudio import (
    CTCDecoderLM,
    CTCDecoderLMState,
    CTCHypothesis,
    ctc_decoder,
)
from unrolled.lm import NGram
from unrolled.reference.softmax import log_softmax

TOKENS = ["-", "|", "a", "b", "c", "t"]
BLANK, SILENCE = 0, 1
WORDS = ["a", "at", "bat", "cab", "cat", "tab"]
SPELLINGS = {word: [[*word, "|"]] for word in WORDS}
# All prefixes of some frames are kept by both sides.
WIDE = {"beam_size": 5000, "beam_threshold": 1e9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write tokens, a lexicon, and 2-grams of its words and of tokens."""
    folder = tmp_path_factory.mktemp("decoder")
    write(folder / "tokens.txt", TOKENS)
    write(folder / "lexicon.txt", [f"{w}\t{' '.join(s)}" for w, (s,) in SPELLINGS.items()])
    rng = np.random.default_rng(7)
    sentences = [list(rng.choice(WORDS, rng.integers(2, 6))) for _ in range(200)]
    NGram.train(sentences, order=2, smoothing="witten-bell").save(folder / "words.arpa")
    spelt = [[*"|".join(sentence), "|"] for sentence in sentences]
    NGram.train(spelt, order=2, smoothing="witten-bell").save(folder / "tokens.arpa")
    return folder


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def emissions(rng, batch=1, frames=6, scale=1.5):
    scores = scale * rng.standard_normal((batch, frames, len(TOKENS)))
    return log_softmax(scores).astype(np.float32)


def spoken(rng, text, boost=6.0):
    path = [c for character in text for c in (TOKENS.index(character), BLANK)]
    scores = boost * np.eye(len(TOKENS))[path] + rng.standard_normal((len(path), len(TOKENS)))
    return log_softmax(scores)[None].astype(np.float32)


class Flashlight:
    """flashlight-text as torchaudio sets it up."""

    def __init__(self, folder, lm=None, lexicon=False, log_add=False, weight=2.0, **scores):
        self.fl = pytest.importorskip("flashlight.lib.text.decoder", reason="needs flashlight-text")
        dictionaries = pytest.importorskip("flashlight.lib.text.dictionary")
        tokens = dictionaries.Dictionary(TOKENS)
        common = (5000, len(TOKENS), 1e9, weight)
        kinds = scores.get("sil_score", 0), log_add, self.fl.CriterionType.CTC
        if not lexicon:
            self.lm = self.language_model(folder, lm, tokens)
            options = self.fl.LexiconFreeDecoderOptions(*common, *kinds)
            self.decoder = self.fl.LexiconFreeDecoder(options, self.lm, SILENCE, BLANK, [])
            return
        self.words = dictionaries.Dictionary([*WORDS, "<unk>"])
        self.lm = self.language_model(folder, lm, self.words)
        self.trie = self.fl.Trie(len(TOKENS), SILENCE)
        start = self.lm.start(False)
        for word, (spelling,) in SPELLINGS.items():
            number = self.words.get_index(word)
            classes = [TOKENS.index(token) for token in spelling]
            self.trie.insert(classes, number, self.lm.score(start, number)[1])
        self.trie.smear(self.fl.SmearingMode.MAX)
        options = self.fl.LexiconDecoderOptions(
            *common, scores.get("word_score", 0), -math.inf, *kinds
        )
        unknown = self.words.get_index("<unk>")
        self.decoder = self.fl.LexiconDecoder(
            options, self.trie, self.lm, SILENCE, BLANK, unknown, [], False
        )

    def language_model(self, folder, name, dictionary):
        if name is None:
            return self.fl.ZeroLM()
        kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm")
        return kenlm.KenLM(str(folder / name), dictionary)

    def __call__(self, log_probs):
        log_probs = np.ascontiguousarray(log_probs)
        return self.decoder.decode(log_probs.ctypes.data, *log_probs.shape)

    def best_scores(self, log_probs):
        """Return the best score of each sequence of tokens."""
        best = {}
        for found in self(log_probs):
            tokens = collapse(found.tokens)
            best[tokens] = max(best.get(tokens, -math.inf), found.score)
        return best


def collapse(path):
    path = np.asarray(path)
    firsts = path[np.append(True, path[1:] != path[:-1])]
    return tuple(int(token) for token in firsts if token != BLANK)


def test_best_paths_score_as_flashlights(rng, folder):
    """Every text of some frames: the best path of each, where no silence is at its edges.

    flashlight takes silence at the edges for its own, if there is no blank between.
    """
    decoder = ctc_decoder(None, TOKENS, nbest=1000, **WIDE)
    peer = Flashlight(folder)
    for log_probs in emissions(rng, 5, frames=4):
        expected = peer.best_scores(log_probs)
        found = decoder(log_probs[None])[0]
        compared = 0
        for hypothesis in found:
            inner = strip_silence(hypothesis, log_probs)
            if SILENCE in (*inner[:1], *inner[-1:]):
                continue
            key = (SILENCE, *inner, SILENCE)
            assert tuple(hypothesis.tokens.tolist()) == key or not inner
            if inner:
                assert hypothesis.score == pytest.approx(expected[key], abs=1e-4), key
                compared += 1
        assert compared > 100


def test_all_paths_add_up_as_flashlights_do(rng, folder):
    """flashlight has a text in two parts, ending in a blank or not: ours is their sum."""
    decoder = ctc_decoder(None, TOKENS, nbest=1000, log_add=True, **WIDE)
    peer = Flashlight(folder, log_add=True)
    for log_probs in emissions(rng, 5, frames=4):
        total = np.logaddexp.reduce([found.score for found in peer(log_probs)])
        found = decoder(log_probs[None])[0]
        assert total == pytest.approx(0, abs=1e-4)
        assert np.logaddexp.reduce([h.score for h in found]) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("sil_score", [0.0, -0.7])
def test_a_language_model_of_tokens_counts_to_base_10(rng, folder, sil_score):
    """Trap C7."""
    decoder = ctc_decoder(
        None, TOKENS, str(folder / "tokens.arpa"), nbest=50, sil_score=sil_score, **WIDE
    )
    ngram = NGram.load(folder / "tokens.arpa")
    for log_probs in emissions(rng, 3, frames=4):
        for hypothesis in decoder(log_probs[None])[0][:20]:
            inner = hypothesis.tokens.tolist()
            score = 2 * ngram.score([TOKENS[token] for token in inner]) / math.log(10)
            assert math.isfinite(score)
    best = decoder(log_probs[None])[0][0]
    plain = forced_align(log_probs, strip_silence(best, log_probs)).score
    units = [TOKENS[token] for token in strip_silence(best, log_probs)]
    expected = plain + 2 * ngram.score(units) / math.log(10) + sil_score * units.count("|")
    assert best.score == pytest.approx(expected, abs=1e-4)


def strip_silence(hypothesis, log_probs):
    """Return the tokens that the search found: those with frames of their own."""
    frames = len(log_probs)
    pairs = zip(hypothesis.tokens.tolist(), hypothesis.timesteps.tolist(), strict=True)
    return [token for token, step in pairs if 0 < step <= frames]


def test_words_and_scores_with_a_lexicon_and_a_language_model(rng, folder):
    options = {"nbest": 1, "lm_weight": 1.5, "word_score": 0.4}
    decoder = ctc_decoder(
        str(folder / "lexicon.txt"),
        str(folder / "tokens.txt"),
        str(folder / "words.arpa"),
        **options,
        **WIDE,
    )
    peer = Flashlight(folder, "words.arpa", lexicon=True, weight=1.5, word_score=0.4)
    for text in ("cat|a|bat|", "tab|cab|", "a|"):
        log_probs = spoken(rng, text)
        (best,) = decoder(log_probs)[0]
        expected = peer(log_probs[0])[0]
        assert best.words == text.strip("|").split("|")
        assert best.words == [peer.words.get_entry(n) for n in expected.words if n >= 0]
        assert best.score == pytest.approx(expected.score, abs=1e-3)


def test_defaults_are_torchaudios(folder):
    decoder = ctc_decoder(None, TOKENS, str(folder / "tokens.arpa"))
    settings = decoder._decoder.settings
    assert (settings.beam_width, settings.beam_prune_logp, settings.token_top_k) == (50, -50, None)
    assert settings.token_min_logp == -math.inf and settings.merge == "max"
    assert decoder.nbest == 1 and decoder.blank == 0
    assert decoder._decoder._parts.lm_weight == pytest.approx(2 / math.log(10))


def test_tokens_and_timesteps_are_flashlights(rng, folder):
    """Silence at both ends, and steps that count the one before as step 0."""
    log_probs = spoken(rng, "cat|a", boost=8.0)
    (best,) = ctc_decoder(None, TOKENS)(log_probs)[0]
    expected = Flashlight(folder)(log_probs[0])[0]
    path = np.asarray(expected.tokens)
    firsts = np.flatnonzero(np.append(True, path[1:] != path[:-1]) & (path != BLANK))
    assert best.tokens.tolist() == path[firsts].tolist()
    assert best.timesteps.tolist() == firsts.tolist()
    assert isinstance(best, CTCHypothesis) and best.words == []
    assert best.tokens.dtype == np.int64 and best.timesteps.dtype == np.int32


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
def test_tensors_give_tensors(rng):
    import torch

    log_probs = emissions(rng, 2)
    decoder = ctc_decoder(None, TOKENS)
    expected = decoder(log_probs)
    found = decoder(torch.from_numpy(log_probs), torch.tensor([6, 6]))
    for (a,), (b,) in zip(found, expected, strict=True):
        assert a.tokens.dtype == torch.int64 and a.timesteps.dtype == torch.int32
        assert a.tokens.tolist() == b.tokens.tolist() and a.score == b.score
    assert decoder.idxs_to_tokens(found[0][0].tokens)[0] == "|"


def test_emissions_need_not_be_normalised(rng, folder):
    """Trap C8: flashlight adds them up as they are."""
    log_probs = emissions(rng)[0] + rng.standard_normal((6, 1)).astype(np.float32) * 3
    (best,) = ctc_decoder(None, TOKENS, **WIDE)(log_probs[None])[0]
    assert best.score == pytest.approx(Flashlight(folder)(log_probs)[0].score, abs=1e-4)


def test_lengths_cut_items_of_a_batch(rng):
    log_probs = emissions(rng, 3)
    decoder = ctc_decoder(None, TOKENS, nbest=2)
    found = decoder(log_probs, np.array([6, 3, 0]))
    for item, length, hypotheses in zip(log_probs[:2], (6, 3), found[:2], strict=True):
        alone = decoder(item[None, :length])[0]
        assert [h.tokens.tolist() for h in hypotheses] == [h.tokens.tolist() for h in alone]
        assert [h.score for h in hypotheses] == [h.score for h in alone]
    assert found[2][0].tokens.tolist() == [SILENCE] and found[2][0].score == 0


@pytest.mark.parametrize("size", [1, 4])
def test_chunks_give_the_result_of_the_whole(rng, folder, size):
    log_probs = spoken(rng, "cat|a|bat")
    decoder = ctc_decoder(str(folder / "lexicon.txt"), TOKENS, str(folder / "words.arpa"), nbest=3)
    expected = decoder(log_probs)[0]
    decoder.decode_begin()
    for start in range(0, log_probs.shape[1], size):
        decoder.decode_step(log_probs[0, start : start + size])
    decoder.decode_end()
    found = decoder.get_final_hypothesis()
    assert [h.words for h in found] == [h.words for h in expected]
    assert [h.score for h in found] == pytest.approx([h.score for h in expected], abs=1e-4)
    assert found[0].timesteps.tolist() == expected[0].timesteps.tolist()
    with pytest.raises(RuntimeError, match="decode_begin"):
        decoder.decode_step(log_probs[0])


class Alternating(CTCDecoderLM):
    """Likes another unit after each; as torchaudio's tutorial keeps scores by state."""

    def __init__(self):
        super().__init__()
        self.last = {}

    def start(self, start_with_nothing):
        state = CTCDecoderLMState()
        self.last[state] = None
        return state

    def score(self, state, usr_token_idx):
        after = state.child(usr_token_idx)
        self.last[after] = usr_token_idx
        return after, 0.5 if self.last[state] != usr_token_idx else -3.0

    def finish(self, state):
        return state, -0.25


def test_models_of_ones_own(rng):
    log_probs = emissions(rng)
    decoder = ctc_decoder(None, TOKENS, Alternating(), lm_weight=2.0, **WIDE)
    (best,) = decoder(log_probs)[0]
    tokens = strip_silence(best, log_probs[0])
    pairs = zip([None, *tokens], tokens, strict=False)
    scores = [0.5 if a != b else -3.0 for a, b in pairs]
    expected = forced_align(log_probs[0], tokens).score + 2 * (sum(scores) - 0.25)
    assert best.score == pytest.approx(expected, abs=1e-4)


class Numbers(CTCDecoderLM):
    """Gives each word the number that it is asked by."""

    def start(self, start_with_nothing):
        return 0

    def score(self, state, usr_token_idx):
        return state, float(usr_token_idx)

    def finish(self, state):
        return state, 0.0


def test_words_have_the_numbers_of_lm_dict(rng, folder, tmp_path):
    write(tmp_path / "dict.txt", [*reversed(WORDS), "<unk>"])
    log_probs = spoken(rng, "cat|bat", boost=20.0)
    scores = []
    for dictionary in (None, str(tmp_path / "dict.txt")):
        (best,) = ctc_decoder(
            str(folder / "lexicon.txt"), TOKENS, Numbers(), dictionary, lm_weight=1.0
        )(log_probs)[0]
        assert best.words == ["cat", "bat"]
        scores.append(best.score)
    difference = sum(WORDS[::-1].index(w) - WORDS.index(w) for w in ("cat", "bat"))
    assert scores[1] - scores[0] == pytest.approx(difference, abs=1e-4)
    write(tmp_path / "short.txt", WORDS[:3])
    with pytest.raises(ValueError, match="lm_dict: has no"):
        ctc_decoder(str(folder / "lexicon.txt"), TOKENS, Numbers(), str(tmp_path / "short.txt"))


def test_spellings_that_are_not_the_word(rng, folder, tmp_path):
    """The language model scores words, whatever they are spelt with."""
    path = tmp_path / "lexicon.txt"
    write(path, ["cat c a t |", "cat c t |", "bat b |"])
    lm = str(folder / "words.arpa")
    (best,) = ctc_decoder(str(path), TOKENS, lm, lm_weight=1.0)(spoken(rng, "ct|b|", 12.0))[0]
    assert best.words == ["cat", "bat"]
    tokens = strip_silence(best, spoken(rng, "ct|b|", 12.0)[0])
    assert "".join(TOKENS[token] for token in tokens).strip("|") == "ct|b"
    share = NGram.load(lm).score(["cat", "bat"]) / math.log(10)
    assert best.score == pytest.approx(share, abs=0.2)


def test_word_score_without_a_language_model(rng, folder):
    log_probs = spoken(rng, "cat|bat", boost=20.0)
    scores = []
    for options in ({}, {"word_score": 1.5}, {"word_score": 1.0, "sil_score": 0.5}):
        decoder = ctc_decoder(str(folder / "lexicon.txt"), TOKENS, **options)
        (best,) = decoder(log_probs)[0]
        assert best.words == ["cat", "bat"]
        scores.append(best.score)
    assert np.diff(scores).tolist() == pytest.approx([3.0, 0.0], abs=1e-4)


def test_a_weight_of_0_leaves_a_model_out(rng, folder):
    log_probs = spoken(rng, "cat|bat")
    lexicon = str(folder / "lexicon.txt")
    expected = ctc_decoder(lexicon, TOKENS)(log_probs)[0][0]
    for lm in (Numbers(), str(folder / "words.arpa")):
        (best,) = ctc_decoder(lexicon, TOKENS, lm, lm_weight=0)(log_probs)[0]
        assert best.words == expected.words
        assert best.score == pytest.approx(expected.score, abs=1e-5)


def test_files_that_cannot_be(folder, tmp_path):
    cases = {
        "is no token": ["cat c a q |"],
        "has no spelling": ["cat"],
        "has no word": [""],
    }
    for message, lines in cases.items():
        write(tmp_path / "lexicon.txt", lines)
        with pytest.raises(ValueError, match=message):
            ctc_decoder(str(tmp_path / "lexicon.txt"), TOKENS)
    with pytest.raises(ValueError, match="'a' is there twice"):
        ctc_decoder(None, ["-", "|", "a", "a"])
    with pytest.raises(ValueError, match="'-' is none of the tokens"):
        ctc_decoder(None, ["|", "a"])
    with pytest.raises(ValueError, match="unk_score must be -inf"):
        ctc_decoder(str(folder / "lexicon.txt"), TOKENS, unk_score=-5.0)


def test_tokens_of_one_line_are_one_class(rng, tmp_path):
    write(tmp_path / "tokens.txt", ["-", "|", "a A", "b"])
    decoder = ctc_decoder(None, str(tmp_path / "tokens.txt"))
    assert decoder.idxs_to_tokens([2, 3]) == ["a", "b"]
    write(tmp_path / "lexicon.txt", ["AB A b |"])
    decoder = ctc_decoder(str(tmp_path / "lexicon.txt"), str(tmp_path / "tokens.txt"))
    log_probs = log_softmax(12 * np.eye(4)[[2, 3, 0]])[None].astype(np.float32)
    assert decoder(log_probs)[0][0].words == ["AB"]


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 7)])
def test_shapes_that_do_not_fit(shape):
    """Trap C16."""
    with pytest.raises(ValueError, match=r"B, T, N|7 classes"):
        ctc_decoder(None, TOKENS)(np.zeros(shape, np.float32))
