"""What the decoder takes and returns: shapes, scores, spans that are true, errors with advice."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import unrolled as ur
from unrolled.align import forced_align
from unrolled.decode import BeamSearchDecoder, Hypothesis, Labels

LABELS = ["", " ", "a", "b", "c"]


def emissions(rng, *shape, dtype=np.float32):
    logits = 2 * rng.standard_normal(shape)
    return (logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)).astype(dtype)


def same(one, other):
    return (one.tokens, one.score, one.acoustic_score) == (
        other.tokens,
        other.score,
        other.acoustic_score,
    )


def test_the_two_frames_of_the_chapter():
    """Greedy reads nothing; the three paths of "a" have more mass together (trap C1)."""
    frames = np.log([[0.4, 0.6], [0.4, 0.6]])
    assert ur.ctc.greedy(frames, blank=1).tokens == []
    found = BeamSearchDecoder(["a", ""], blank="").decode(frames, nbest=5)
    assert [h.text for h in found] == ["a", ""]
    np.testing.assert_allclose(np.exp([h.score for h in found]), [0.64, 0.36])


def test_shapes_of_what_comes_back(rng):
    decoder = BeamSearchDecoder(LABELS)
    batch = emissions(rng, 3, 12, 5)
    assert isinstance(decoder.decode(batch[0]), Hypothesis)
    assert [type(h) for h in decoder.decode(batch)] == [Hypothesis] * 3
    assert [len(item) for item in decoder.decode(batch, nbest=4)] == [4] * 3
    assert [h.rank for h in decoder.decode(batch[0], nbest=4)] == [0, 1, 2, 3]
    assert decoder.decode(batch[:0]) == decoder.decode([]) == []
    assert decoder.decode(batch[:, :0])[2].text == ""
    whole, huge = (decoder.replace(beam_width=width).decode(batch[0]) for width in (None, 2**70))
    assert huge.tokens == whole.tokens and huge.score == pytest.approx(whole.score, abs=1e-5)
    assert len(decoder.decode(batch[0, :1], nbest=100)) <= 5  # the empty text and four letters


def test_an_item_alone_in_a_batch_and_in_a_list_is_the_same(rng, threads):
    decoder = BeamSearchDecoder(LABELS, beam_width=8)
    batch, lengths = emissions(rng, 6, 20, 5), [20, 1, 0, 7, 19, 12]
    alone = [decoder.decode(item[:t]) for item, t in zip(batch, lengths, strict=True)]
    batch[2] = np.nan  # frames beyond a length are never read
    ragged = [item[:t] for item, t in zip(batch, lengths, strict=True)]
    for found in (decoder.decode(batch, lengths), decoder.decode(ragged)):
        assert all(same(one, other) for one, other in zip(found, alone, strict=True))
        assert [h.spans for h in found] == [h.spans for h in alone]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_array_of_real_numbers(rng, dtype):
    torch = pytest.importorskip("torch", reason="tensors are taken as arrays")
    log_probs = np.minimum(emissions(rng, 15, 5, dtype=dtype), 0)
    decoder = BeamSearchDecoder(LABELS)
    expected = decoder.decode(log_probs)
    strided = np.repeat(log_probs, 2, axis=1)[:, ::2]
    for same_numbers in (strided, np.asfortranarray(log_probs), torch.from_numpy(log_probs)):
        assert same(decoder.decode(same_numbers), expected)
    assert same(decoder.decode(log_probs.tolist()), decoder.decode(log_probs.astype(np.float64)))


def test_scores_are_sums_of_their_parts_and_fall(rng):
    """Trap C15: higher is better, best first."""
    found = BeamSearchDecoder(LABELS).decode(emissions(rng, 20, 5), nbest=50)
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)
    assert all(h.score == h.acoustic_score and h.lm_score == h.units == 0 for h in found)
    assert len({tuple(h.tokens) for h in found}) == 50


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spans_are_those_of_forced_align(rng, dtype):
    """For 200 random items: never missing, ordered, equal to the alignment of the output."""
    for _ in range(200):
        frames, classes = int(rng.integers(0, 30)), int(rng.integers(2, 6))
        blank = int(rng.integers(0, classes))
        labels = Labels([*"abcdefg"[: classes - 1], " "], blank, kind="characters")
        log_probs = emissions(rng, frames, classes, dtype=dtype)
        decoder = BeamSearchDecoder(labels, beam_width=int(rng.integers(1, 20)))
        hypothesis = decoder.decode(log_probs)
        spans = hypothesis.spans
        assert spans == forced_align(log_probs, hypothesis.tokens, blank=blank).spans
        assert [span.token for span in spans] == hypothesis.tokens
        edges = [edge for span in spans for edge in (span.start, span.end)]
        assert edges == sorted(edges) and all(span.start < span.end for span in spans)
        assert [word.text for word in hypothesis.word_spans] == hypothesis.words
        for word in hypothesis.word_spans:
            assert (word.start, word.end) == (word.spans[0].start, word.spans[-1].end)


def test_long_lists_are_decoded_in_groups(rng, monkeypatch):
    """Of any size, with masks of their own, and errors that name the item."""
    monkeypatch.setattr("unrolled.decode.emissions._ITEMS", 3)
    monkeypatch.setattr("unrolled.decode.emissions._NUMBERS", 150)
    decoder = BeamSearchDecoder(LABELS, beam_width=5)
    items = [emissions(rng, int(rng.integers(0, 25)), 5) for _ in range(40)]
    masks = [rng.random((len(item), 5)) < 0.7 for item in items]
    for allowed in (None, masks):
        found = decoder.decode(items, allowed=allowed)
        for item, mask, hypothesis in zip(items, allowed or [None] * 40, found, strict=True):
            assert same(hypothesis, decoder.decode(item, allowed=mask))
            assert hypothesis.spans == forced_align(item, hypothesis.tokens).spans
    wrong = [*items[:33], np.full((2, 5), np.nan), *items[34:]]
    with pytest.raises(ValueError, match=r"log_probs\[(\d+):\]:.* item (\d+)") as error:
        decoder.decode(wrong)
    first, item = map(int, re.search(r"\[(\d+):\]:.* item (\d+)", str(error.value)).groups())
    assert first + item == 33
    with pytest.raises(ValueError, match=r"allowed\[39\] must have the shape"):
        decoder.decode(items, allowed=[*masks[:39], masks[39][:, 1:]])
    with pytest.raises(ValueError, match="one mask an item: 40, got 39"):
        decoder.decode(items, allowed=masks[:39])


@pytest.mark.parametrize("frames", [0, 1, 7])
def test_a_text_without_tokens_has_no_spans(frames):
    silent = np.log(np.tile([0.96, 0.01, 0.01, 0.01, 0.01], (frames, 1)))
    hypothesis = BeamSearchDecoder(LABELS, seconds_per_frame=0.02).decode(silent)
    assert (hypothesis.text, hypothesis.tokens, hypothesis.words) == ("", [], [])
    assert hypothesis.spans == hypothesis.word_spans == []
    assert hypothesis.alignment.path.tolist() == [0] * frames
    assert hypothesis.confidence.posterior == pytest.approx(0.96**frames, rel=1e-6)
    assert hypothesis.confidence.tokens == hypothesis.confidence.word_posteriors == []


def test_places_cost_an_alignment_and_no_posterior(rng, monkeypatch):
    """Sums over all paths, of an hour of frames minutes, are for confidence alone."""
    hypothesis = BeamSearchDecoder(LABELS).decode(emissions(rng, 20, 5))

    def refuse(*arguments):
        raise AssertionError("a posterior was computed")

    monkeypatch.setattr("unrolled._core.ctc_path_posterior", refuse)
    _ = hypothesis.spans, hypothesis.word_spans, hypothesis.alignment.to_json()
    _ = hypothesis.confidence.min_probability, hypothesis.confidence.word_posteriors
    assert pickle.loads(pickle.dumps(hypothesis)).spans == hypothesis.spans
    with pytest.raises(AssertionError):
        _ = hypothesis.confidence.tokens


def test_spans_know_seconds_pixels_and_labels(rng):
    log_probs = emissions(rng, 25, 5)
    spoken = BeamSearchDecoder(LABELS, seconds_per_frame=0.02, offset=1.0).decode(log_probs)
    assert spoken.spans[-1].end_seconds == pytest.approx(1 + 0.02 * spoken.spans[-1].end)
    assert [span.label for span in spoken.spans] == [LABELS[token] for token in spoken.tokens]
    assert "-->" in spoken.alignment.to_srt()
    written = BeamSearchDecoder(LABELS, stride=4).decode(log_probs)
    assert written.spans[0].right == 4 * written.spans[0].end


@pytest.mark.parametrize("as_batch", [False, True])
def test_spans_are_of_the_emissions_as_they_were(rng, as_batch):
    log_probs = emissions(rng, 3, 25, 5)
    given = log_probs.copy() if as_batch else log_probs[0].copy()
    decoder = BeamSearchDecoder(LABELS)
    hypothesis = decoder.decode(given)[0] if as_batch else decoder.decode(given)
    given[...] = np.log(0.2)
    margin = decoder.decode(log_probs[0]).confidence.margin
    assert hypothesis.confidence.margin == margin  # of a search that comes only now
    expected = forced_align(log_probs[0], hypothesis.tokens)
    assert hypothesis.spans == expected.spans
    assert hypothesis.alignment.score == expected.score


def test_emissions_that_are_not_kept(rng):
    hypothesis = BeamSearchDecoder(LABELS, keep_emissions=False).decode(emissions(rng, 9, 5))
    assert isinstance(hypothesis.text, str)
    for name in ("spans", "word_spans", "alignment"):
        with pytest.raises(ValueError, match="keep_emissions=True"):
            getattr(hypothesis, name)


def test_a_hypothesis_is_a_reading_that_can_be_copied(rng):
    hypothesis = BeamSearchDecoder(LABELS).decode(emissions(rng, 20, 5))
    assert isinstance(hypothesis, ur.ctc.Hypothesis)
    assert repr(hypothesis) == f"Hypothesis({hypothesis.text!r}, score={hypothesis.score:.6g})"
    for other in (copy.deepcopy(hypothesis), pickle.loads(pickle.dumps(hypothesis))):
        assert other.text == hypothesis.text
        assert other.spans == hypothesis.spans
    with pytest.raises(AttributeError):
        hypothesis.score = 0.0


def test_masks_for_all_frames_an_item_and_each_frame(rng):
    decoder = BeamSearchDecoder(LABELS)
    batch = emissions(rng, 2, 20, 5)
    only_a = np.array([False, False, True, False, False])  # the blank is always allowed
    only_b = np.array([False, False, False, True, False])
    one = decoder.decode(batch[0], allowed=only_a)
    assert set(one.text) == {"a"}
    both = decoder.decode(batch, allowed=np.stack([only_a, only_b]))
    assert same(both[0], one) and set(both[1].text) == {"b"}
    first_half = np.where(np.arange(20)[:, None] < 10, only_a, only_b)
    halves = decoder.decode(batch[0], allowed=first_half)
    assert halves.text.startswith("a") and halves.text.endswith("b")
    assert all((span.end <= 10) == (span.label == "a") for span in halves.spans)
    whole = np.stack([first_half, first_half])
    assert same(decoder.decode(batch, allowed=whole)[0], halves)
    ragged = decoder.decode([batch[0], batch[1, :5]], allowed=[first_half, only_b])
    assert same(ragged[0], halves) and set(ragged[1].text) <= {"b"}
    always = BeamSearchDecoder(LABELS, allowed=only_a)
    assert same(always.decode(batch[0]), one)
    assert same(always.decode(batch[0], allowed=only_a | only_b), one)  # no more than always


def test_signs_that_are_no_text_are_found_only_where_they_are_allowed():
    labels = ["<pad>", "<s>", "<unk>", "|", "a"]
    frames = np.log(np.array([0.06, 0.01, 0.01, 0.01, 0.01]) + 0.9 * np.eye(5)[[1, 2, 4]])
    assert BeamSearchDecoder(labels).decode(frames).tokens == [4]
    everything = BeamSearchDecoder(labels, allowed=np.ones(5, bool)).decode(frames)
    assert everything.tokens == [1, 2, 4]
    assert everything.text == "a"


def test_a_batch_of_wrong_emissions_names_item_frame_and_class(rng):
    batch = emissions(rng, 2, 6, 5)
    decoder = BeamSearchDecoder(LABELS)
    for value in (np.nan, np.inf, 0.5):
        wrong = batch.copy()
        wrong[1, 3, 2] = value
        with pytest.raises(ValueError, match=r"item 1.*frame 3.*class 2"):
            decoder.decode(wrong)
        with pytest.raises(ValueError, match=r"item 1.*frame 3.*class 2"):
            decoder.decode(list(wrong))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_probs": np.zeros((3, 4))}, "4 classes, and there are 5 labels"),
        ({"log_probs": [np.zeros((3, 5)), np.zeros((3, 4))]}, r"log_probs\[1\] has 4 classes"),
        ({"log_probs": [np.zeros((3, 5)), np.zeros(5)]}, r"log_probs\[1\] must have the axes"),
        ({"log_probs": np.zeros(5)}, r"must have the axes \(N, T, C\) or \(T, C\)"),
        ({"log_probs": np.zeros((2, 3, 5)), "lengths": [3, 4]}, "lengths of item 1 is 4"),
        ({"log_probs": [np.zeros((3, 5))], "lengths": [3]}, "leave lengths out"),
        ({"nbest": 0}, "nbest must be at least 1"),
        ({"allowed": np.ones(4, bool)}, r"must have the shape \(5,\) or \(3, 5\), got \(4,\)"),
        ({"allowed": np.ones((2, 5), bool)}, r"\(3, 5\), got \(2, 5\)"),
        ({"allowed": True}, r"must have the shape \(5,\)"),
    ],
)
def test_arguments_of_decode_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        BeamSearchDecoder(LABELS).decode(**{"log_probs": np.full((3, 5), np.log(0.2)), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nbest": 1.5}, "nbest must be a whole number"),
        ({"nbest": True}, "nbest must be a whole number"),
        ({"allowed": np.ones(5)}, "allowed must be a mask of bools"),
        ({"log_probs": "text"}, "real numbers"),
        (
            {"log_probs": [np.zeros((3, 5)), None]},
            r"log_probs\[1\] must be an array of real numbers",
        ),
    ],
)
def test_arguments_of_decode_of_a_wrong_type(arguments, message):
    with pytest.raises(TypeError, match=message):
        BeamSearchDecoder(LABELS).decode(**{"log_probs": np.full((3, 5), np.log(0.2)), **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"beam_width": 0}, ValueError, "beam_width must be a whole number of at least 1, or None"),
        ({"beam_width": 10.0}, TypeError, "beam_width must be a whole number"),
        ({"beam_width": True}, TypeError, "beam_width must be a whole number"),
        ({"token_top_k": -1}, ValueError, "token_top_k must be a whole number of at least 1"),
        ({"token_min_logp": 0.01}, ValueError, r"token_min_logp must be a natural log.*log\(p\)"),
        ({"beam_prune_logp": 10}, ValueError, "beam_prune_logp must be a natural logarithm"),
        ({"beam_prune_logp": np.nan}, ValueError, "beam_prune_logp must be a natural logarithm"),
        ({"token_min_logp": None}, TypeError, "-inf to cut nothing, got None"),
        ({"merge": "mean"}, ValueError, "merge must be one of sum, max"),
        ({"seconds_per_frame": 0.02, "stride": 4}, ValueError, "not both"),
        ({"offset": 1.0}, ValueError, "need seconds_per_frame or stride"),
        (
            {"allowed": np.ones((3, 5), bool)},
            ValueError,
            "pass masks of items and frames to decode",
        ),
        ({"blank": 7}, ValueError, "blank must be one of the 5 classes"),
        ({"word_delimiter": "_"}, ValueError, "word_delimiter '_'"),
        ({"labels": Labels(LABELS), "blank": 1}, ValueError, "leave both out"),
    ],
)
def test_settings_that_cannot_work(arguments, error, message):
    with pytest.raises(error, match=message):
        BeamSearchDecoder(**{"labels": LABELS, **arguments})


def test_replace_changes_what_is_named_alone():
    decoder = BeamSearchDecoder(LABELS, beam_width=7, token_top_k=3, keep_emissions=False)
    other = decoder.replace(beam_width=9)
    assert (other.settings.beam_width, other.settings.token_top_k) == (9, 3)
    assert decoder.settings.beam_width == 7
    assert decoder.replace(blank=" ").labels.blank == 1
    last = BeamSearchDecoder(["a", "_", ""], blank=-1, word_delimiter="_").replace(beam_width=3)
    assert (last.labels.blank, last.labels.delimiter, last.settings.beam_width) == (2, 1, 3)
    assert "beam_width=9" in repr(other)
    with pytest.raises(TypeError, match="beams"):
        decoder.replace(beams=3)


def test_parts_of_a_score_with_a_lexicon_and_hotwords(rng):
    log_probs = emissions(rng, 30, 5)
    decoder = BeamSearchDecoder(
        LABELS, lexicon=["ab", "ca", "b"], hotwords={"ab": 2.0, "ca b": 3.0}, beam_width=50
    )
    found = decoder.decode(log_probs, nbest=20)
    assert any(h.hotwords for h in found)
    for h in found:
        assert set(h.words) <= {"ab", "ca", "b"}
        assert h.score == pytest.approx(h.acoustic_score + h.hotword_score, abs=1e-9)
        weights = {"ab": 2.0, "ca b": 3.0}
        assert h.hotword_score == pytest.approx(sum(weights[w.phrase] for w in h.hotwords))
        for phrase, first, end in h.hotwords:
            assert decoder.labels.text(h.tokens[first:end]) == phrase
            assert f"{phrase!r} at tokens {first} to {end}" in h.report()
        assert h.spans == forced_align(log_probs, h.tokens).spans


def test_an_item_that_no_text_of_the_lexicon_fits_is_warned_of(rng):
    decoder = BeamSearchDecoder(
        ["", "a", "b"], lexicon=["ab"], word_delimiter=None, beam_width=1, token_min_logp=-1.0
    )
    frames = np.log([[0.01, 0.98, 0.01], [0.01, 0.98, 0.01]])
    with pytest.warns(RuntimeWarning, match="item 1: no text of the lexicon or the model is left"):
        found = decoder.decode([np.log([[0.98, 0.01, 0.01]]), frames])
    assert (found[0].text, found[1].text, found[1].score) == ("", "", -np.inf)
    assert found[1].spans == []
    assert found[1].confidence.nbest_posterior == 0.0
    assert decoder.replace(beam_width=50, token_min_logp=-9).decode(frames[:1]).score > -np.inf


def test_reports_show_the_parts_of_the_score(rng):
    hypothesis = BeamSearchDecoder(LABELS).decode(emissions(rng, 9, 5))
    lines = hypothesis.report().splitlines()
    assert lines[0].startswith(repr(hypothesis.text))
    assert lines[1].split() == ["emissions", f"{hypothesis.acoustic_score:.4f}"]
    assert len(lines) == 2
