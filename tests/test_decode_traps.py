"""What went wrong in other CTC decoders, each once: C1 to C19.

Beside their code stand further tests of C7 (bases of logarithms: `test_compat_kenlm.py`,
`test_compat_pyctcdecode.py`, `test_compat_torchaudio_decoder.py`), C13 (`test_decode_streams.py`),
C14 (`test_decode_hotwords.py`), C16 (`test_decode_labels.py`), C17 (`test_decode_memory.py`).
"""

from __future__ import annotations

import gc
import math
import sys
from itertools import pairwise

import numpy as np
import pytest

from decode_problems import NOTHING_CUT, tiny_emissions
from fusion_problems import PlainNGram
from oracles import assert_same_bits, every_text
from unrolled import ctc
from unrolled.align import forced_align
from unrolled.decode import BeamSearchDecoder
from unrolled.reference import decode as reference
from unrolled.reference.softmax import log_softmax

LABELS = ["", " ", "a", "b", "c"]
SPEAKS = {"lm_weight": 1.0, "word_score": 0.0, "unk_score": -3.0}


def frames_of(path, labels=LABELS, sure=0.9):
    """Return log probabilities in which one label a frame has most of the mass."""
    rest = (1 - sure) / (len(labels) - 1)
    return np.log(
        np.eye(len(labels))[[labels.index(label) for label in path]] * (sure - rest) + rest
    )


def said(decoder, log_probs, **options):
    return decoder.decode(log_probs, **options).text


class Counting:
    """A model of words that remembers what it was asked, each state being the words so far."""

    def __init__(self):
        self.asked, self.finished = [], []

    def start(self):
        return ()

    def score(self, states, units):
        self.asked += [(state, unit) for state, unit in zip(states, units, strict=True)]
        scores = np.array([-1.0 - 0.1 * len(unit) for unit in units])
        return scores, [(*state, unit) for state, unit in zip(states, units, strict=True)]

    def finish(self, states):
        self.finished += states
        return np.array([-0.5 * len(state) for state in states], np.float64)


def test_c01_the_beam_finds_what_the_best_path_does_not():
    frames = np.array([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0]])
    with np.errstate(divide="ignore"):
        log_probs = np.log(frames)
    assert ctc.greedy(log_probs).tokens == []
    best, other = BeamSearchDecoder(["", "a", "b"]).decode(log_probs, nbest=2)
    assert (best.text, other.text) == ("a", "")
    assert math.exp(best.score) == pytest.approx(0.64) and math.exp(other.score) == pytest.approx(
        0.36
    )


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_c02_a_prefix_takes_one_place_of_the_beam(isa, width, rng):
    """Those that end in a blank and those that end in a symbol are one prefix, not two."""
    decoder = BeamSearchDecoder(["", "a", "b"], **NOTHING_CUT | {"beam_width": width})
    for _ in range(20):
        log_probs = log_softmax(rng.standard_normal((5, 3)))
        found = decoder.decode(log_probs, nbest=100)
        texts = [tuple(hypothesis.tokens) for hypothesis in found]
        assert len(texts) == len(set(texts)) <= width
        wanted = reference.beam_search(log_probs, **NOTHING_CUT | {"beam_width": width})
        assert texts == [hypothesis.tokens for hypothesis in wanted]


def test_c03_paths_are_added_up_unless_the_maximum_is_asked_for(isa, rng):
    log_probs = tiny_emissions(rng, 5, 4)
    labels = ["", "a", "b", "c"]
    for merge in ("sum", "max"):
        found = BeamSearchDecoder(labels, merge=merge, **NOTHING_CUT).decode(log_probs)
        wanted = every_text(log_probs, 0, merge=merge)[0]
        assert tuple(found.tokens) == wanted.tokens
        assert found.score == pytest.approx(wanted.score, abs=1e-12)
    added = BeamSearchDecoder(labels, **NOTHING_CUT).decode(log_probs)
    loss = ctc.loss(log_probs, added.tokens, reduction="sum")
    assert added.score == pytest.approx(-loss, abs=1e-12)
    best = BeamSearchDecoder(labels, merge="max", **NOTHING_CUT).decode(log_probs)
    assert best.score == pytest.approx(forced_align(log_probs, best.tokens).score, abs=1e-12)


def test_c04_times_are_those_of_the_best_alignment(rng):
    """Not of whichever path was merged last: never missing, in order, and `forced_align`'s own."""
    decoder = BeamSearchDecoder(LABELS, seconds_per_frame=0.02)
    for _ in range(10):
        log_probs = log_softmax(3 * rng.standard_normal((40, len(LABELS))))
        for found in decoder.decode(log_probs, nbest=5):
            aligned = forced_align(log_probs, found.tokens)
            assert [span.token for span in found.spans] == found.tokens
            places = [(span.start, span.end) for span in found.spans]
            assert places == [(span.start, span.end) for span in aligned.spans]
            assert all(0 <= start < end <= 40 for start, end in places)
            assert all(a[1] <= b[0] for a, b in pairwise(places))
            assert [word.text for word in found.word_spans] == found.words


def test_c05_pieces_of_words_are_flags_of_each_hypothesis(isa, rng):
    """A piece that ends its own word (▁⁇▁) says nothing of the other texts in the beam."""
    labels = ["<blk>", "▁⁇▁", "▁a", "b", "▁"]
    model = Counting()
    decoder = BeamSearchDecoder(labels, lm=model, **SPEAKS, **NOTHING_CUT)
    plain = BeamSearchDecoder(labels, **NOTHING_CUT)
    for _ in range(20):
        log_probs = log_softmax(2 * rng.standard_normal((4, 5)))
        acoustic = {h.text: h for h in plain.decode(log_probs, nbest=10_000)}
        for found in decoder.decode(log_probs, nbest=10_000):
            words = found.text.split()
            assert found.words == words
            wanted = sum(-1.0 - 0.1 * len(word) for word in words) - 0.5 * len(words)
            assert found.lm_score == pytest.approx(wanted, abs=1e-9), found
        assert acoustic.keys() >= {h.text for h in decoder.decode(log_probs, nbest=50)}
    assert decoder.decode(frames_of(["▁⁇▁", "b", "▁a", "b"], labels)).words == ["⁇", "b", "ab"]


def test_c06_each_word_is_scored_once_and_the_last_one_at_the_end():
    model = Counting()
    decoder = BeamSearchDecoder(LABELS, lm=model, beam_width=1, **SPEAKS)
    found = decoder.decode(frames_of(["a", "b", " ", "c", "a"]))
    assert found.text == "ab ca"
    assert found.lm_score == pytest.approx((-1.2 - 1.2) - 0.5 * 2)
    assert model.asked.count(((), "ab")) == 1
    assert (("ab",), "ca") in model.asked
    assert ("ab", "ca") in model.finished
    assert found.units == 2
    without = decoder.replace(lm_eos=False).decode(frames_of(["a", "b", " ", "c", "a"]))
    assert without.lm_score == pytest.approx(-1.2 - 1.2)  # the last word, but not the end
    space = decoder.decode(frames_of(["a", "b", " ", "c", "a", " "]))
    assert space.lm_score == pytest.approx(found.lm_score)  # nor twice behind a space


def test_c07_scores_are_natural_logarithms(tmp_path):
    """ARPA files hold logarithms to base 10; so do the scores of `unrolled.compat.kenlm` alone."""
    from unrolled.lm import NGram

    model = PlainNGram(np.random.default_rng(1), ["a", "b"], 2)
    path = tmp_path / "ab.arpa"
    path.write_text(model.arpa())
    loaded = NGram.load(path)
    tens = model.probs.get(("<s>", "a"), model.backoffs[("<s>",)] + model.probs[("a",)])
    assert loaded.score(["a"], eos=False) == pytest.approx(tens * math.log(10), rel=1e-6)
    found = BeamSearchDecoder(LABELS, lm=loaded, **SPEAKS).decode(frames_of(["a"]))
    assert found.lm_score == pytest.approx(loaded.score(["a"]), rel=1e-12)


@pytest.mark.parametrize("change", ["logits", "probabilities"])
def test_c08_scores_that_are_no_logarithms_of_probabilities_are_refused(change):
    log_probs = frames_of(["a", "b"])
    wrong = log_probs + 4 if change == "logits" else np.exp(log_probs)
    with pytest.raises(ValueError, match="log_softmax"):
        BeamSearchDecoder(LABELS).decode(wrong)


def test_c09_unknown_words_cost_what_is_written():
    """Once each, beside the probability of <unk>: -10 by default, and the weight multiplies it."""
    from unrolled.lm import NGram

    model = NGram.train([["a", "b"]] * 3 + [["b"]], order=2, smoothing="witten-bell")
    options = {"lm": model, "word_score": 0.0, "lm_eos": False}
    for unk_score, weight in ((-10.0, 0.5), (-3.0, 1.0), (0.0, 2.0)):
        decoder = BeamSearchDecoder(LABELS, unk_score=unk_score, lm_weight=weight, **options)
        found = decoder.decode(frames_of(["c", "c"], sure=1 - 1e-9))
        assert found.text == "c"
        unknown = model.score(["c"], eos=False)
        assert found.lm_score == pytest.approx(unknown + unk_score)
        assert found.score == pytest.approx(found.acoustic_score + weight * found.lm_score)
    strict = decoder.replace(unk_score=-math.inf, token_min_logp=-20.0, beam_prune_logp=-20.0)
    assert strict.decode(frames_of(["c", "c"], sure=0.99)).text in ("", "a", "b")


def test_c10_no_threshold_drops_every_symbol(isa):
    flat = np.log(np.full((4, 200), 1 / 200))  # all below exp(-5)
    labels = ["", *map(chr, range(0x4E00, 0x4E00 + 199))]
    found = BeamSearchDecoder(labels).decode(flat)
    assert found.text == "" and found.score == pytest.approx(4 * math.log(1 / 200))
    flat[:, 7] += 1e-3
    assert BeamSearchDecoder(labels).decode(flat - 1e-4).text == labels[7]


def test_c11_texts_are_merged_only_where_they_are_equal(rng):
    """Two histories with the same state of the model stay two texts of the n-best list."""

    class Forgets:
        def start(self):
            return None

        def score(self, states, units):
            return np.full(len(units), -1.0), [None] * len(units)

        def finish(self, states):
            return np.zeros(len(states))

    labels = ["", "a", "b", "c"]
    log_probs = tiny_emissions(rng, 4, 4)
    fused = BeamSearchDecoder(labels, lm=Forgets(), lm_unit="token", **SPEAKS, **NOTHING_CUT)
    found = fused.decode(log_probs, nbest=1000)
    wanted = every_text(log_probs, 0, bonus=lambda tokens: -1.0 * len(tokens))
    assert {tuple(h.tokens) for h in found} == {text.tokens for text in wanted}
    assert len({h.text for h in found}) == len(found)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (["a", " ", ""], "a", ["a"]),
        (["a", " ", "", " ", "b"], "a  b", ["a", "b"]),
        ([" ", "a"], "a", ["a"]),
        ([" ", "", " "], "", []),
        (["", ""], "", []),
        ([], "", []),
    ],
)
def test_c12_spaces_at_the_ends_and_side_by_side(path, text, words):
    model = Counting()
    frames = frames_of(path, sure=0.99) if path else np.zeros((0, len(LABELS)))
    for options in ({}, {"lm": model, **SPEAKS}, {"lexicon": ["a", "b"]}, {"hotwords": ["a b"]}):
        found = BeamSearchDecoder(LABELS, **options).decode(frames)
        assert (found.text, found.words) == (text, words), options
        assert [word.text for word in found.word_spans] == words
    assert found.hotwords == ([("a b", 0, len(found.tokens))] if words == ["a", "b"] else [])
    assert all(unit for _, unit in model.asked)  # nothing between two spaces is no word


@pytest.mark.parametrize("size", [1, 7, 60])
def test_c13_chunks_change_nothing(isa, size, rng):
    log_probs = log_softmax(2 * rng.standard_normal((60, len(LABELS)))).astype(np.float32)
    for options in ({}, {"lm": Counting(), **SPEAKS}, {"lexicon": ["ab", "c"]}):
        decoder = BeamSearchDecoder(LABELS, beam_width=20, **options)
        stream = decoder.start()
        for start in range(0, 60, size):
            stream.push(log_probs[start : start + size])
            before = stream.partial()
            assert stream.partial().tokens == before.tokens
        whole, parts = decoder.decode(log_probs, nbest=5), stream.finish(nbest=5)
        assert [h.tokens for h in parts] == [h.tokens for h in whole]
        assert_same_bits([h.score for h in parts], [h.score for h in whole])


def test_c14_a_phrase_that_breaks_off_costs_nothing_and_no_weight_writes_over_others(isa, rng):
    log_probs = log_softmax(3 * rng.standard_normal((30, len(LABELS))))
    plain = BeamSearchDecoder(LABELS, beam_width=None, token_min_logp=-1.5, beam_prune_logp=-8)
    before = {h.text: h.score for h in plain.decode(log_probs, nbest=100_000)}
    hot = plain.replace(hotwords={"cacbabc": 8.0}, beam_prune_logp=-30)
    for found in hot.decode(log_probs, nbest=100_000):
        if not found.hotwords:
            assert found.hotword_score == 0  # to the last bit
            if found.text in before:
                assert found.score == found.acoustic_score
    favoured = BeamSearchDecoder(LABELS, hotwords={"abb": 1e6, "cab": 1e6})
    for sure, options in ((0.999, {}), (1 - 1e-9, {"token_min_logp": -math.inf})):
        clear = frames_of(["a", "", "b", "", "c", " ", "c", "a"], sure=sure)
        assert said(favoured.replace(**options), clear) == "abc ca"
    unsure = frames_of(["a", "", "b", "", "c", " ", "c", "a"], sure=0.9)
    assert said(favoured, unsure) == "abb ca"  # where it may be, it is: its letters alone change


def test_c15_higher_is_better_and_the_best_comes_first(rng):
    log_probs = tiny_emissions(rng, 5, 4)
    found = BeamSearchDecoder(["", "a", "b", "c"], **NOTHING_CUT).decode(log_probs, nbest=50)
    scores = [hypothesis.score for hypothesis in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == max(scores) < 0
    assert [hypothesis.rank for hypothesis in found] == list(range(len(found)))


def test_c16_labels_of_another_number_are_refused():
    with pytest.raises(ValueError, match="has 5 classes, and there are 4 labels"):
        BeamSearchDecoder(LABELS[:-1]).decode(frames_of(["a"]))
    with pytest.raises(ValueError, match="blank"):
        BeamSearchDecoder(["a", "b", "<blank>"]).decode(np.log(np.full((2, 3), 1 / 3)))


def test_c17_memory_stays_where_it_is():
    """100,000 decodes in `test_decode_memory.py`; here that nothing outlives its result."""
    decoder = BeamSearchDecoder(LABELS, lm=Counting(), hotwords=["ab"], **SPEAKS)
    log_probs = frames_of(["a", "b", " ", "c"])

    def blocks():
        gc.collect()
        return sys.getallocatedblocks()

    for _ in range(5):
        decoder.decode(log_probs)
        decoder.lm.asked.clear(), decoder.lm.finished.clear()
    before = blocks()
    for _ in range(200):
        decoder.decode(log_probs, nbest=3)
        decoder.lm.asked.clear(), decoder.lm.finished.clear()
    assert blocks() - before < 200


def test_c18_a_model_lives_as_long_as_its_decoder(rng):
    from unrolled.lm import NGram

    log_probs = log_softmax(2 * rng.standard_normal((30, len(LABELS))))

    def make():
        model = NGram.train([["a", "b"], ["b", "a", "c"]] * 3, order=2, smoothing="witten-bell")
        return BeamSearchDecoder(LABELS, lm=model), BeamSearchDecoder(LABELS, lm=Counting())

    decoders = make()
    wanted = [said(decoder, log_probs) for decoder in decoders]
    streams = [decoder.start() for decoder in decoders]
    for stream in streams:
        stream.push(log_probs[:15])
    del decoders, stream
    gc.collect()
    for stream, text in zip(streams, wanted, strict=True):
        stream.push(log_probs[15:])
        assert stream.finish().text == text


def test_c19_a_prefix_is_never_followed_by_the_blank(rng):
    """The score of joint decoding behind any prefix; a batch of them has the bits of each alone."""
    log_probs = log_softmax(2 * rng.standard_normal((25, 6)))
    scorer = ctc.PrefixScorer(log_probs, blank=2)
    tokens = [0, 0, 5, 1, 2]
    states = [scorer.start()]
    for token in tokens[:-1]:
        states.append(scorer.score(states[-1:], [token])[1][0])
    together, after = scorer.score(states, tokens)
    assert together[-1] == -np.inf
    assert np.isneginf(scorer.finish(after[-1:])).all()
    assert np.isneginf(scorer.score_all(states)[:, 2]).all()
    for place, (state, token) in enumerate(zip(states, tokens, strict=True)):
        alone, (one,) = scorer.score([state], [token])
        assert_same_bits(together[place], alone[0])
        assert_same_bits(
            (after[place].log_symbol, after[place].log_blank), (one.log_symbol, one.log_blank)
        )
        assert_same_bits(scorer.finish(after)[place], scorer.finish([one])[0])
        assert_same_bits(scorer.score_all(states)[place], scorer.score_all([state])[0])


@pytest.mark.parametrize("word", ["hello", "bookkeeper", "1100", "semantically"])
def test_repeats_are_merged_once(isa, word):
    """A double letter needs its blank between, and is then two letters."""
    labels = ["", *sorted(set(word))]
    path = [symbol for letter in word for symbol in (letter, letter, "")]
    log_probs = frames_of(path, labels)
    assert said(BeamSearchDecoder(labels), log_probs) == word
    held = [letter for letter in word for _ in range(3)]
    once = "".join(a for a, b in zip(word, " " + word, strict=False) if a != b)
    assert said(BeamSearchDecoder(labels), frames_of(held, labels, sure=0.999)) == once
