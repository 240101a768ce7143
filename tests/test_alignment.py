"""What is read off a best path: classes, spans, words, seconds and pixels."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from alignment_problems import LABELS, random_alignment, words_at
from unrolled.align import Alignment, FrameScale, Span, Word, WordSlice, slice_words


def expected_path(alignment):
    path = []
    for state in alignment.states.tolist():
        if alignment.blank is None:
            path.append(alignment.target[state])
        else:
            path.append(alignment.target[state // 2] if state % 2 else alignment.blank)
    return path


def frames_of(alignment, token):
    own = token if alignment.blank is None else 2 * token + 1
    return [frame for frame, state in enumerate(alignment.states.tolist()) if state == own]


def test_300_random_paths_are_read_as_a_loop_over_their_frames_reads_them(rng):
    for case in range(300):
        alignment, log_probs = random_alignment(rng)
        path = expected_path(alignment)
        assert alignment.path.tolist() == path, case
        expected = [log_probs[frame, token] for frame, token in enumerate(path)]
        np.testing.assert_array_equal(alignment.frame_scores, expected)
        assert len(alignment.spans) == alignment.target.size
        at = 0
        for index, span in enumerate(alignment.spans):
            frames = frames_of(alignment, index)
            assert span.token == alignment.target[index] and not span.estimated
            assert span.omitted == (not frames)
            assert at <= span.start <= span.end <= len(path), case
            at = span.end
            if frames:
                assert (span.start, span.end) == (frames[0], frames[-1] + 1)
                scores = alignment.frame_scores[frames]
                np.testing.assert_allclose(span.score, scores.mean(), rtol=1e-14)
                assert span.min_score == scores.min()
            else:
                assert span.start == span.end and math.isnan(span.score)


def test_100_random_targets_have_the_words_between_their_separators(rng):
    for _ in range(100):
        labels = ["_", *LABELS[1:]]
        alignment, _ = random_alignment(rng, separator=1, labels=labels)
        text = "".join(labels[token] for token in alignment.target)
        words = alignment.words
        assert [word.text for word in words] == [word for word in text.split("|") if word]
        assert [span for word in words for span in word.spans] == [
            span for span in alignment.spans if span.token != 1
        ]
        for word in words:
            heard = [span for span in word.spans if not span.omitted]
            assert word.omitted == (not heard)
            if not heard:
                assert word.start == word.end and math.isnan(word.score)
                continue
            assert (word.start, word.end) == (heard[0].start, heard[-1].end)
            counts = [span.end - span.start for span in heard]
            mean = np.average([span.score for span in heard], weights=counts)
            np.testing.assert_allclose(word.score, mean, rtol=1e-13)
            assert word.min_score == min(span.min_score for span in heard)


def test_equal_neighbours_keep_spans_of_their_own():
    """A merge of equal classes would make one of the two, beside each other or not."""
    labels = ["-", "h", "e", "l", "o"]
    with_blank = Alignment(
        np.array([1, 3, 5, 6, 7, 7, 9], np.int32), 0.0, np.array([1, 2, 3, 3, 4]), 0, np.zeros(7),
        labels=labels,
    )  # fmt: skip
    assert [(span.label, span.start, span.end) for span in with_blank.spans] == [
        ("h", 0, 1), ("e", 1, 2), ("l", 2, 3), ("l", 4, 6), ("o", 6, 7)
    ]  # fmt: skip
    without = Alignment(
        np.array([0, 1, 1, 2], np.int32), 0.0, np.array([3, 3, 4]), None, np.zeros(4)
    )
    assert [(span.token, span.start, span.end) for span in without.spans] == [
        (3, 0, 1), (3, 1, 3), (4, 3, 4)
    ]  # fmt: skip


def test_a_word_before_a_long_pause_ends_with_its_last_token():
    """Trap B13."""
    states = np.array([1, 3, 4, 4, 4, 4, 5, 7, 8, 8, 8, 8], np.int32)
    alignment = Alignment(states, 0.0, np.array([2, 3, 1, 4]), 0, np.zeros(12), separator=1)
    assert [(word.start, word.end) for word in alignment.words] == [(0, 2), (7, 8)]


def test_a_token_that_was_left_out_has_its_place_and_a_flag():
    states = np.array([0, 1, 2, 4, 5, 6], np.int32)
    alignment = Alignment(states, 0.0, np.array([5, 6, 7]), 0, np.full(6, -0.5))
    left_out = alignment.spans[1]
    assert (left_out.start, left_out.end, left_out.omitted) == (3, 3, True)
    assert math.isnan(left_out.score) and math.isnan(left_out.min_score)
    assert [span.omitted for span in alignment.spans] == [False, True, False]
    word = alignment.replace(word_slices=slice_words(["a", "b", "c"], [1, 1, 1])).words[1]
    assert word.omitted and (word.start, word.end) == (3, 3) and math.isnan(word.score)
    whole = alignment.replace(word_slices=slice_words(["abc"], [3])).words[0]
    assert not whole.omitted and (whole.start, whole.end) == (1, 5) and whole.score == -0.5


def test_wildcards_are_estimated_and_so_are_their_words():
    target = np.array([2, 28, 1, 3, 1, 28])
    states = np.arange(12, dtype=np.int32)
    alignment = Alignment(
        states, 0.0, target, 0, np.zeros(12), star=28, labels=LABELS, separator="|"
    )
    assert [span.estimated for span in alignment.spans] == [False, True, False, False, False, True]
    assert alignment.spans[1].label == "<star>"
    assert [(word.text, word.estimated) for word in alignment.words] == [
        ("a<star>", True), ("b", False), ("<star>", True)
    ]  # fmt: skip


def test_words_without_tokens_share_the_room_between_their_neighbours():
    states = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 3, 4, 4], np.int32)
    slices = [
        WordSlice("12", 0, 0, "interpolated"),
        WordSlice("a", 0, 1),
        WordSlice("1", 1, 1, "interpolated"),
        WordSlice("-", 1, 1, "silent"),
        WordSlice("200", 1, 1, "interpolated"),
        WordSlice("b", 1, 2),
        WordSlice("!", 2, 2, "silent"),
        WordSlice("3", 2, 2, "interpolated"),
    ]
    alignment = Alignment(states, 0.0, np.array([2, 3]), 0, np.zeros(14), word_slices=slices)
    assert [(word.text, word.start, word.end) for word in alignment.words] == [
        ("12", 0, 4), ("a", 4, 5), ("1", 5, 6), ("-", 6, 6), ("200", 6, 11), ("b", 11, 12),
        ("!", 12, 12), ("3", 12, 14),
    ]  # fmt: skip
    assert [word.estimated for word in alignment.words] == [
        True,
        False,
        *[True] * 3,
        False,
        True,
        True,
    ]
    assert not any(word.omitted for word in alignment.words)
    only = Alignment(
        states[:3], 0.0, np.array([], np.int64), 0, np.zeros(3), word_slices=slices[:1]
    )
    assert [(word.start, word.end) for word in only.words] == [(0, 3)]


def test_posteriors_are_means_over_the_frames_of_tokens_and_words():
    states = np.array([0, 1, 1, 2, 3, 4], np.int32)
    posterior = np.array([1.0, 0.5, 0.7, 0.1, 0.9, 1.0])
    alignment = Alignment(
        states, 0.0, np.array([2, 3]), 0, np.zeros(6), posterior=lambda: posterior,
        word_slices=slice_words(["ab"], [2]),
    )  # fmt: skip
    assert [span.posterior for span in alignment.spans] == pytest.approx([0.6, 0.9])
    assert alignment.words[0].posterior == pytest.approx(2.1 / 3)
    assert Alignment(states, 0.0, np.array([2, 3]), 0, np.zeros(6)).spans[0].posterior is None


def test_scores_are_read_when_asked_for_and_once():
    calls = []

    def scores():
        calls.append(1)
        return np.full(2, -1.0)

    alignment = Alignment(np.array([0, 1], np.int32), -2.0, np.array([1]), 0, scores)
    assert alignment.path.tolist() == [0, 1] and not calls
    assert alignment.spans[0].score == -1.0 and alignment.frame_scores.tolist() == [-1.0, -1.0]
    assert alignment.replace(seconds_per_frame=1.0).spans[0].score == -1.0
    assert len(calls) == 1


def test_what_has_no_path_says_so():
    alignment = Alignment(
        np.full(4, -1, np.int32), -np.inf, np.array([1, 2]), 0, np.log(np.full((4, 3), 1 / 3)),
        word_slices=slice_words(["ab"], [2]),
    )  # fmt: skip
    assert not alignment.is_feasible and alignment.path.tolist() == [-1] * 4
    assert all(span.omitted and span.start == span.end for span in alignment.spans)
    assert alignment.words[0].omitted
    assert not np.isnan(alignment.score)


def test_seconds_end_where_the_next_frame_starts_and_never_beyond_the_recording():
    """Trap B9."""
    alignment = words_at(("a", 3, 7), ("b", 7, 50), seconds_per_frame=0.02, extent=0.99)
    first, last = alignment.words
    assert (first.start_seconds, first.end_seconds) == (3 * 0.02, 7 * 0.02)
    assert last.start_seconds == first.end_seconds and last.end_seconds == 0.99
    for frames in range(1, 2000, 7):  # no drift: each time is one product
        scale = FrameScale(seconds_per_frame=10 / frames, extent=10.0)
        assert scale.seconds(frames) <= 10.0
        assert scale.seconds(frames) == pytest.approx(10.0, abs=1e-12)
    shifted = alignment.replace(offset=100.0, extent=None).words[0]
    assert shifted.start_seconds == pytest.approx(100.06)


def test_pixels_are_rounded_once_and_stay_in_the_image():
    alignment = words_at(("a", 1, 2), ("b", 2, 10), seconds_per_frame=None, stride=2.5, extent=24.0)
    first, last = alignment.words
    assert (first.left, first.right, last.left, last.right) == (3, 5, 5, 24)
    assert alignment.replace(offset=-4.0).words[0].left == 0


def test_units_that_are_not_there_name_the_remedy():
    span = words_at(("a", 0, 1), seconds_per_frame=None).spans[0]
    with pytest.raises(ValueError, match="pass seconds_per_frame"):
        _ = span.start_seconds
    with pytest.raises(ValueError, match="pass stride"):
        _ = span.left
    with pytest.raises(ValueError, match="not both"):
        words_at(("a", 0, 1), seconds_per_frame=0.1, stride=4)
    for wrong in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="seconds_per_frame must be finite and above 0"):
            words_at(("a", 0, 1), seconds_per_frame=wrong)
    for alone in ({"offset": 1.0}, {"extent": 3.0}):
        with pytest.raises(ValueError, match="need seconds_per_frame or stride"):
            words_at(("a", 0, 1), seconds_per_frame=None, **alone)
    with pytest.raises(ValueError, match="offset must be finite"):
        words_at(("a", 0, 1), offset=math.nan)


def test_an_alignment_does_not_change_but_can_be_replaced():
    alignment = words_at(("a", 0, 1))
    with pytest.raises(AttributeError, match="replace"):
        alignment.score = 0.0
    other = alignment.replace(seconds_per_frame=0.5)
    assert other.words[0].end_seconds == 0.5 and alignment.words[0].end_seconds == 0.001
    with pytest.raises(TypeError, match="colour"):
        alignment.replace(colour=1)


def test_separators_are_classes_or_labels():
    arguments = (np.array([0, 1, 2], np.int32), 0.0, np.array([2, 1, 3]), None, np.zeros(3))
    assert [w.text for w in Alignment(*arguments, separator=1).words] == ["2", "3"]
    assert [w.text for w in Alignment(*arguments, separator="|", labels=LABELS).words] == ["a", "b"]
    assert Alignment(*arguments).words == []
    with pytest.raises(ValueError, match="needs labels"):
        Alignment(*arguments, separator="|")
    with pytest.raises(ValueError, match="not one of the 28 labels"):
        Alignment(*arguments, separator="~", labels=LABELS)


@pytest.mark.parametrize("lengths", [[1], [1, -1], [1, 1, 1]])
def test_word_lengths_must_fit_the_words(lengths):
    with pytest.raises(ValueError, match="length"):
        slice_words(["a", "b"], lengths)


def test_words_far_below_the_rest_are_suspicious():
    scores = [-0.1, -0.3, -0.2, -5.0, -4.0, -0.2, -0.1, -3.5, -0.2, -0.3]
    words = [
        Word(str(index), 2 * index, 2 * index + 1, score) for index, score in enumerate(scores)
    ]
    alignment = words_at(("a", 0, 1))
    alignment.__dict__["words"] = words
    found = alignment.suspicious()
    assert [(item.start, item.end, item.score) for item in found] == [(6, 9, -5.0), (14, 15, -3.5)]
    assert [word.text for word in found[0].items] == ["3", "4"]
    assert alignment.suspicious(threshold=40) == []
    assert len(alignment.suspicious(threshold=40, below=-4.5)) == 1


def test_words_that_were_left_out_are_suspicious_and_guesses_are_not():
    good = [Word("good", index, index + 1, -0.1) for index in range(5)]
    left_out = Word("out", 5, 5, math.nan, omitted=True)
    guess = Word("12", 5, 9, -9.0, estimated=True)
    alignment = words_at(("a", 0, 1))
    alignment.__dict__["words"] = [*good, left_out, guess]
    (found,) = alignment.suspicious()
    assert found.items == (left_out,) and math.isnan(found.score)


def test_words_that_hardly_differ_are_not_suspicious():
    alignment = words_at(("a", 0, 1))
    scores = [-0.001] * 8 + [-1.0]
    alignment.__dict__["words"] = [Word("w", i, i + 1, score) for i, score in enumerate(scores)]
    assert alignment.suspicious() == []


def test_spans_compare_by_what_they_say():
    assert Span(1, 0, 2, -0.5) == Span(1, 0, 2, -0.5, scale=FrameScale(seconds_per_frame=1.0))
    assert Span(1, 0, 2, -0.5) != Span(1, 0, 2, -0.5, estimated=True)
    assert {Span(1, 0, 2, -0.5), Span(1, 0, 2, -0.5)} == {Span(1, 0, 2, -0.5)}


def test_words_must_follow_each_other_within_the_target():
    alignment = words_at(("a", 0, 1), ("b", 1, 2))
    for wrong in ([("a", 0, 2), ("b", 1, 2)], [("a", 0, 3)], [("a", 1, 0)], [("a", -1, 1)]):
        with pytest.raises(ValueError, match="word_slices: word"):
            _ = alignment.replace(word_slices=[WordSlice(*word) for word in wrong]).words


def test_copies_carry_scores_and_not_emissions():
    emissions = np.log(np.full((1000, 50), 0.02))
    states = np.repeat(np.arange(5, dtype=np.int32), 200)
    alignment = Alignment(
        states, -1.0, np.array([3, 4]), 0, emissions, posterior=lambda: np.ones(1000)
    )
    data = pickle.dumps(alignment)
    assert len(data) < 40_000
    for other in (pickle.loads(data), copy.deepcopy(alignment)):
        assert other.spans == alignment.spans and other.words == []
        with pytest.raises(AttributeError):
            other.score = 0.0
