"""pyctcdecode's interface over ours: results, defaults and conventions of pyctcdecode's own."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest

from unrolled.align import forced_align
from unrolled.compat.pyctcdecode import (
    Alphabet,
    BeamSearchDecoderCTC,
    LanguageModel,
    OutputBeam,
    build_ctcdecoder,
)
from unrolled.lm import NGram
from unrolled.reference.softmax import log_softmax

LABELS = ["", " ", *"abcdeghinrst"]
WORDS = ["a", "an", "at", "bat", "best", "big", "cat", "chart", "dash", "her", "hid", "ride", "the"]
LOG_10 = math.log(10)
# Nothing is cut in tests that compare scores: both sides then know all paths.
WIDE = {"beam_width": 300, "beam_prune_logp": -40.0}
UNCUT = {"beam_width": 4000, "beam_prune_logp": -1e9, "token_min_logp": -1e9}


@pytest.fixture(autouse=True)
def quiet():
    for name in ("decoder", "alphabet", "language_model"):
        logging.getLogger(f"pyctcdecode.{name}").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    """Write a 2-gram of sentences of `WORDS`."""
    rng = np.random.default_rng(5)
    sentences = [list(rng.choice(WORDS, rng.integers(2, 6))) for _ in range(300)]
    path = tmp_path_factory.mktemp("lm") / "words.arpa"
    NGram.train(sentences, order=2, smoothing="witten-bell").save(path)
    return str(path)


def spoken(rng, text, labels=LABELS, boost=5.0, frames=2):
    """Make logits in which each character of a text has some frames, then a blank.

    Spaces are where they are written alone: pyctcdecode charges one at the end as a word.
    """
    path = [
        c for character in text for c in [labels.index(character)] * frames + [labels.index("")]
    ]
    logits = boost * np.eye(len(labels))[path] + rng.standard_normal((len(path), len(labels)))
    if " " in labels:
        space = labels.index(" ")
        logits[np.array(path) != space, space] = -30
    return logits


def theirs(*arguments, **options):
    peer = pytest.importorskip("pyctcdecode", reason="needs pyctcdecode")
    return peer.build_ctcdecoder(*arguments, **options)


def test_texts_are_pyctcdecodes(rng):
    peer, mine = theirs(LABELS), build_ctcdecoder(LABELS)
    for _ in range(20):
        logits = spoken(rng, " ".join(rng.choice(WORDS, 3)))
        assert mine.decode(logits) == peer.decode(logits)


def test_texts_with_a_language_model_are_pyctcdecodes(rng, arpa):
    peer, mine = theirs(LABELS, arpa), build_ctcdecoder(LABELS, arpa)
    for _ in range(20):
        logits = spoken(rng, " ".join(rng.choice(WORDS, 3)), boost=4.0)
        assert mine.decode(logits) == peer.decode(logits)


@pytest.mark.parametrize("offset", [-10.0, -3.0])
def test_scores_with_a_language_model_are_pyctcdecodes(rng, arpa, offset):
    """What the model adds to known and unknown words, in both; trap C9."""
    weights = {"alpha": 0.7, "beta": 0.9, "unk_score_offset": offset}
    ngram = NGram.load(arpa)
    logits = spoken(rng, "the cat her", frames=1, boost=3.0)
    for build in (build_ctcdecoder, theirs):
        found = shares(build(LABELS, arpa, **weights).decode_beams(logits, **WIDE))
        unknown = 0
        for text, share in found.items():
            words = text.split()
            strange = [word for word in words if word not in ngram]
            score = ngram.score(words) + len(strange) * offset * LOG_10
            assert share == pytest.approx(0.7 * score + 0.9 * len(words), abs=1e-4)
            unknown += bool(strange)
        assert unknown >= 2 and len(found) >= 5


def shares(beams):
    """Return what is not of the emissions; pyctcdecode charges spaces at the end: the most."""
    found = {}
    for text, _, _, logit_score, lm_score in beams:
        found[text] = max(found.get(text, -math.inf), lm_score - logit_score)
    return found


def test_a_prefix_is_one_hypothesis(rng):
    """Trap C2: the mass of all paths, which pyctcdecode has in two parts."""
    logits = rng.standard_normal((6, 4))
    labels = ["", "a", "b", " "]
    mine = build_ctcdecoder(labels).decode_beams(logits, **UNCUT)
    peer = theirs(labels).decode_beams(logits, **UNCUT)
    assert len({beam.text for beam in mine}) == len(mine)
    assert np.logaddexp.reduce([beam.logit_score for beam in mine]) == pytest.approx(0, abs=1e-6)
    expected = {}
    for text, _, _, score, _ in peer:
        expected[text] = np.logaddexp(expected.get(text, -np.inf), score)
    assert {beam.text for beam in mine} == expected.keys()
    for beam in mine:
        assert beam.logit_score == pytest.approx(expected[beam.text], abs=1e-6)


def test_defaults_are_pyctcdecodes(arpa):
    decoder = build_ctcdecoder(LABELS, arpa)
    searcher = decoder._searcher(100, -10.0, -5.0, None, 10.0)
    model = decoder._language_model
    assert (model.alpha, model.beta, model.unk_score_offset) == (0.5, 1.5, -10.0)
    assert model.decoder_arguments()["unk_score"] == pytest.approx(-10 * LOG_10)
    assert model.decoder_arguments()["lm_eos"] is True
    assert searcher.settings.beam_width == 100
    assert searcher.settings.token_min_logp == -5.0
    assert searcher.settings.beam_prune_logp == -10.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_log_probs_and_probabilities_are_told_apart(rng, dtype):
    logits = spoken(rng, "the cat").astype(dtype)
    decoder = build_ctcdecoder(LABELS)
    expected = decoder.decode_beams(logits)[0]
    log_probs = log_softmax(logits.astype(float)).astype(dtype)
    for emissions in (log_probs, np.exp(log_probs)):
        found = decoder.decode_beams(emissions)[0]
        assert found.text == expected.text
        assert found.lm_score == pytest.approx(expected.lm_score, abs=1e-4)


def test_a_class_that_cannot_be_counts_as_very_improbable(rng):
    probabilities = np.exp(log_softmax(spoken(rng, "the")))
    probabilities[:, 5] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert build_ctcdecoder(LABELS).decode(probabilities) == "the"


def test_beams_are_tuples_with_names(rng):
    logits = spoken(rng, "big cat")
    beams = build_ctcdecoder(LABELS).decode_beams(logits)
    text, state, frames, logit_score, lm_score = beams[0]
    assert isinstance(beams[0], OutputBeam)
    assert (text, state) == ("big cat", None) == (beams[0].text, beams[0].last_lm_state)
    assert logit_score == beams[0].logit_score == lm_score == beams[0].lm_score
    assert [beam.lm_score for beam in beams] == sorted(
        (beam.lm_score for beam in beams), reverse=True
    )
    tokens = [LABELS.index(character) for character in text]
    spans = forced_align(log_softmax(logits), tokens).spans
    assert frames == [
        ("big", (spans[0].start, spans[2].end)),
        ("cat", (spans[4].start, spans[6].end)),
    ]


def test_word_frames_are_near_pyctcdecodes(rng):
    logits = spoken(rng, "big cat her", frames=3)
    mine = build_ctcdecoder(LABELS).decode_beams(logits)[0]
    peer = theirs(LABELS).decode_beams(logits)[0]
    assert [word for word, _ in mine.text_frames] == [word for word, _ in peer[2]]
    for (_, a), (_, b) in zip(mine.text_frames, peer[2], strict=True):
        assert abs(a[0] - b[0]) <= 3 and abs(a[1] - b[1]) <= 3


def test_hotwords_have_pyctcdecodes_weights(rng):
    logits = spoken(rng, "the best cat", boost=2.0)
    options = {"hotwords": ["bat", "best dash", "öl"], "hotword_weight": 8.0, **WIDE}
    mine = build_ctcdecoder(LABELS).decode_beams(logits, **options)
    peer = theirs(LABELS).decode_beams(logits, **options)
    gains = {text: lm - logit for text, _, _, logit, lm in peer}
    common = [beam for beam in mine if beam.text in gains]
    assert len(common) >= 5
    assert any(gain > 0 for gain in gains.values())
    for beam in common:
        assert beam.lm_score - beam.logit_score == pytest.approx(gains[beam.text], abs=1e-4)


def test_batches_are_singles_with_or_without_a_pool(rng):
    items = [spoken(rng, text) for text in ("the cat", "a", "her big bat")]
    decoder = build_ctcdecoder(LABELS)
    assert decoder.decode_batch(None, items) == [decoder.decode(item) for item in items]
    found = decoder.decode_beams_batch(object(), items, beam_width=7)
    for item, beams in zip(items, found, strict=True):
        expected = decoder.decode_beams(item, beam_width=7)
        assert beams == [(text, *rest) for text, _, *rest in expected]
    assert decoder.decode_batch(None, []) == decoder.decode_beams_batch(None, []) == []


def test_a_beam_of_one_is_a_list_too(rng):
    (beam,) = build_ctcdecoder(LABELS).decode_beams(spoken(rng, "the"), beam_width=1)
    assert beam.text == "the"


def test_parameters_change_for_the_next_call(rng, arpa):
    logits = spoken(rng, "the cat", boost=4.0)
    decoder = build_ctcdecoder(LABELS, arpa)
    before = decoder.decode_beams(logits)[0]
    decoder.reset_params(alpha=0.0, beta=3.0)
    after = decoder.decode_beams(logits)[0]
    assert before.text == after.text == "the cat"
    assert after.lm_score - after.logit_score == pytest.approx(6.0, abs=1e-6)
    assert before.lm_score - before.logit_score != pytest.approx(6.0, abs=0.1)
    with pytest.raises(TypeError, match="no parameter 'gamma'"):
        decoder._language_model.reset_params(gamma=1)


def test_the_state_of_the_language_model_goes_on(rng, arpa):
    """Two calls, the second from the state after the first, score as pyctcdecode's do."""
    peer, mine = theirs(LABELS, arpa), build_ctcdecoder(LABELS, arpa)
    first, second = spoken(rng, "the cat"), spoken(rng, "hid her")
    state = mine.decode_beams(first)[0].last_lm_state
    found = mine.decode_beams(second, lm_start_state=state)[0]
    expected = peer.decode_beams(second, lm_start_state=peer.decode_beams(first)[0][1])[0]
    assert found.text == expected[0] == "hid her"
    share = expected[4] - expected[3]
    assert found.lm_score - found.logit_score == pytest.approx(share, abs=1e-4)
    alone = mine.decode_beams(second)[0]
    assert alone.lm_score - alone.logit_score != pytest.approx(share, abs=1e-3)
    assert mine.decode(second, lm_start_state=state) == "hid her"


def test_without_boundaries_sentences_have_no_ends(rng, arpa):
    logits = spoken(rng, "the cat")
    mine = build_ctcdecoder(LABELS, arpa, lm_score_boundary=False).decode_beams(logits)[0]
    peer = theirs(LABELS, arpa, lm_score_boundary=False).decode_beams(logits)[0]
    share = peer[4] - peer[3]
    assert mine.lm_score - mine.logit_score == pytest.approx(share, abs=1e-4)


def test_words_that_do_not_count_as_known(rng, arpa):
    logits = spoken(rng, "the cat")
    some = [word for word in WORDS if word != "cat"]
    offset = {"unk_score_offset": -1.0}
    mine = build_ctcdecoder(LABELS, arpa, some, **offset).decode_beams(logits)[0]
    peer = theirs(LABELS, arpa, some, **offset).decode_beams(logits)[0]
    assert mine.text == peer[0] == "the cat"
    share = peer[4] - peer[3]
    assert mine.lm_score - mine.logit_score == pytest.approx(share, abs=1e-4)


def test_a_list_of_all_words_changes_nothing(arpa):
    assert isinstance(LanguageModel(arpa, [*WORDS, "more"]).decoder_arguments()["lm"], NGram)
    assert not isinstance(LanguageModel(arpa, WORDS[1:]).decoder_arguments()["lm"], NGram)


def test_models_of_all_kinds_are_taken(arpa):
    kenlm = pytest.importorskip("kenlm", reason="needs kenlm")
    alphabet = Alphabet.build_alphabet(LABELS)
    for model in (arpa, NGram.load(arpa), kenlm.Model(arpa)):
        made = LanguageModel(model)
        assert made.order == 2
        BeamSearchDecoderCTC(alphabet, made).cleanup()
    with pytest.raises(TypeError, match="kenlm_model must be"):
        LanguageModel(3)


def test_chunks_give_the_text_of_the_whole(rng, arpa):
    logits = spoken(rng, "the big cat hid")
    decoder = build_ctcdecoder(LABELS, arpa)
    expected = decoder.decode_beams(logits)
    for size in (1, 7, len(logits)):
        beams, *caches = decoder.get_starting_state()
        for start in range(0, len(logits), size):
            chunk = logits[start : start + size]
            beams = decoder.partial_decode_beams(chunk, *caches, beams, start)
            assert len(beams) == 1
        beams = decoder.partial_decode_beams(logits[:0], *caches, beams, len(logits), is_end=True)
        assert [beam.text for beam in beams] == [beam.text for beam in expected]
        assert [beam.lm_score for beam in beams] == pytest.approx(
            [beam.lm_score for beam in expected], abs=1e-5
        )
        assert beams[0].text_frames == [frames for _, frames in expected[0].text_frames]


def test_the_word_under_way_is_apart(rng):
    logits = spoken(rng, "the bi")
    decoder = build_ctcdecoder(LABELS)
    beams, *caches = decoder.get_starting_state()
    (beam,) = decoder.partial_decode_beams(logits, *caches, beams, 100)
    assert (beam.text, beam.partial_word, beam.last_char) == ("the", "bi", "i")
    assert beam.text_frames[0][0] == 100 and beam.partial_frames[0] > beam.text_frames[0][1]
    beams, *caches = decoder.get_starting_state()
    (beam,) = decoder.partial_decode_beams(logits, *caches, beams, 0, force_next_word=True)
    assert (beam.text, beam.partial_word, beam.partial_frames) == ("the bi", "", (-1, -1))


def test_beams_of_an_earlier_call_are_refused(rng):
    logits = spoken(rng, "the")
    decoder = build_ctcdecoder(LABELS)
    first, *caches = decoder.get_starting_state()
    second = decoder.partial_decode_beams(logits, *caches, first, 0)
    decoder.partial_decode_beams(logits, *caches, second, len(logits))
    with pytest.raises(ValueError, match="the call before this one"):
        decoder.partial_decode_beams(logits, *caches, second, len(logits))
    with pytest.raises(ValueError, match="settings must stay the same"):
        decoder.partial_decode_beams(logits, *caches, second, 0, beam_width=5)


def test_word_boundaries_belong_to_their_hypothesis(rng):
    """Trap C5: pyctcdecode has one flag for all beams."""
    labels = ["<unk>", "▁the", "▁cat", "s", "<pad>"]
    decoder = build_ctcdecoder(labels)
    path = [1, 4, 0, 4, 2, 4, 3]
    logits = 9 * np.eye(5)[path]
    assert decoder.decode(logits) == "the ⁇ cats"
    blurred = logits.copy()
    blurred[2, 1] = 8.9  # "the" and "⁇" are both followed
    assert {beam.text for beam in decoder.decode_beams(blurred)[:2]} == {
        "the ⁇ cats",
        "the the cats",
    }


@pytest.mark.parametrize(
    ("shape", "message"),
    [((5, len(LABELS) + 1), "logits has"), ((5,), "axes"), ((1, 5, len(LABELS)), "axes")],
)
def test_shapes_that_do_not_fit(shape, message):
    """Trap C16."""
    with pytest.raises(ValueError, match=message):
        build_ctcdecoder(LABELS).decode(np.zeros(shape))


def test_no_frames_have_no_text():
    assert build_ctcdecoder(LABELS).decode(np.zeros((0, len(LABELS)))) == ""
