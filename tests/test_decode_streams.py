"""Decoding in chunks: the same bits as at once, partial results that change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.align import forced_align
from unrolled.decode import BeamSearchDecoder

LABELS = ["", " ", "a", "b", "c"]


class Alternating:
    """A language model in Python: a unit after another one is likely, again the same is not."""

    def start(self):
        return None

    def score(self, states, units):
        scores = [0.1 if state == unit else 0.6 for state, unit in zip(states, units, strict=True)]
        return np.log(scores), list(units)

    def finish(self, states):
        return np.full(len(states), np.log(0.5))


DECODERS = {
    "plain": {},
    "narrow": {"beam_width": 3},
    "whole": {"beam_width": None, "token_min_logp": -2.0, "beam_prune_logp": -4.0},
    "max": {"merge": "max", "token_top_k": 3},
    "hotwords": {"hotwords": {"ab": 3.0, "a c": 4.0}},
    "lexicon": {"lexicon": ["a", "ab", "cab", "bb"]},
    "words": {"lm": Alternating(), "lm_unit": "word"},
    "characters": {"lm": Alternating(), "lm_unit": "char", "word_score": 0.3},
}


def emissions(rng, frames, dtype=np.float32, peakiness=2.0):
    logits = peakiness * rng.standard_normal((frames, len(LABELS)))
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(dtype)


def parts(hypothesis):
    return (
        hypothesis.tokens,
        hypothesis.score,
        hypothesis.acoustic_score,
        hypothesis.lm_score,
        hypothesis.units,
        hypothesis.hotword_score,
        hypothesis.hotwords,
    )


def chunks_of(log_probs, rng):
    """Chunk sizes 1, 7, all, and random ones, empty ones among them."""
    frames = len(log_probs)
    yield [1] * frames
    yield [7] * (frames // 7) + [frames % 7]
    yield [frames]
    cuts = np.sort(rng.integers(0, frames + 1, 5))
    yield np.diff(cuts, prepend=0, append=frames).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", DECODERS)
def test_any_chunks_give_the_same_bits(rng, name, dtype):
    """Trap C13, with partial results asked for on the way."""
    decoder = BeamSearchDecoder(LABELS, **DECODERS[name])
    log_probs = emissions(rng, 40, dtype)
    expected = decoder.decode(log_probs, nbest=5)
    for sizes in chunks_of(log_probs, rng):
        stream = decoder.start()
        for chunk in np.split(log_probs, np.cumsum(sizes)[:-1]):
            stream.push(chunk)
            if rng.random() < 0.5:
                stream.partial()
        assert stream.frames == 40
        found = stream.finish(nbest=5)
        assert [parts(h) for h in found] == [parts(h) for h in expected]
        assert found[0].spans == expected[0].spans


def test_partial_results_are_those_of_the_frames_so_far(rng):
    decoder = BeamSearchDecoder(LABELS, beam_width=5)
    log_probs = emissions(rng, 20)
    stream = decoder.start()
    assert (stream.frames, stream.partial().text, stream.partial().stable_text) == (0, "", "")
    partials = []
    for t, frame in enumerate(log_probs):
        stream.push(frame)
        one, again = stream.partial(), stream.partial()
        assert parts(one) == parts(again) == parts(decoder.decode(log_probs[: t + 1]))
        several, at_once = stream.partials(3), decoder.decode(log_probs[: t + 1], nbest=3)
        assert [parts(h) for h in several] == [parts(h) for h in at_once]
        partials.append(one)
    stream.finish()
    for t, one in enumerate(partials):  # spans asked for later are of the frames of that time
        assert one.spans == forced_align(log_probs[: t + 1], one.tokens).spans


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_stable_stays(rng, name):
    decoder = BeamSearchDecoder(LABELS, **{**DECODERS[name], "beam_width": 4})
    log_probs = emissions(rng, 60, peakiness=4.0)
    stream = decoder.start()
    partials = []
    for chunk in np.split(log_probs, 12):
        stream.push(chunk)
        partials.append(stream.partial())
    final = stream.finish()
    assert any(one.stable_tokens > (0 if name == "whole" else 3) for one in partials)
    before = 0
    for one in partials:
        assert before <= one.stable_tokens <= len(one.tokens)
        before = one.stable_tokens
        assert final.tokens[: one.stable_tokens] == one.tokens[: one.stable_tokens]
        assert final.text.startswith(one.stable_text)
        certain = [word for word, sure in zip(one.words, one.stable_words, strict=True) if sure]
        assert final.words[: len(certain)] == certain
        assert one.stable_words == sorted(one.stable_words, reverse=True)


def test_words_are_stable_when_their_end_is():
    sure = 0.999
    frames = np.log(np.eye(5)[[2, 1, 3]] * (sure - (1 - sure) / 4) + (1 - sure) / 4)
    stream = BeamSearchDecoder(LABELS).start()
    stream.push(frames[0])
    stream.push(frames[1])
    stream.push(frames[2])
    partial = stream.partial()
    assert (partial.words, partial.stable_words) == (["a", "b"], [True, False])
    pieces = BeamSearchDecoder(["", "▁a", "b", "▁c"]).start()
    pieces.push(np.log(np.eye(4)[[1, 2, 3]] * 0.9996 + 1e-4))
    assert pieces.partial().stable_words == [True, False]
    phonemes = BeamSearchDecoder(["", "HH", "AH"], token_min_logp=-1.0).start()
    phonemes.push(np.log(np.eye(3)[[1, 2]] * 0.97 + 0.01))
    assert phonemes.partial().stable_words == [True, True]  # a label is a whole word


def test_the_last_word_and_the_end_are_scored_when_it_is_finished(rng):
    """Trap C6: not before, for the word may go on."""
    stream = BeamSearchDecoder(LABELS, lm=Alternating(), lm_unit="word").start()
    stream.push(np.log(np.eye(5)[[2, 1, 3]] * 0.95 + 0.01))
    partial, final = stream.partial(), stream.finish()
    assert partial.text == final.text == "a b"
    assert (partial.units, final.units) == (1, 2)
    assert partial.lm_score == pytest.approx(np.log(0.6))
    assert final.lm_score == pytest.approx(np.log(0.6 * 0.6 * 0.5))
    assert final.score == pytest.approx(
        final.acoustic_score + 0.5 * final.lm_score + 1.5 * final.units
    )


def test_chunks_may_change_after_they_were_pushed(rng):
    log_probs = emissions(rng, 21)
    expected = BeamSearchDecoder(LABELS).decode(log_probs)
    stream = BeamSearchDecoder(LABELS).start()
    buffer = np.empty((7, 5), np.float32)
    for chunk in np.split(log_probs, 3):
        buffer[...] = chunk
        stream.push(buffer)
        buffer[...] = 0.0
    assert stream.finish().spans == expected.spans


def test_emissions_need_not_be_kept(rng):
    stream = BeamSearchDecoder(LABELS, keep_emissions=False).start()
    stream.push(emissions(rng, 9))
    for hypothesis in (stream.partial(), stream.finish()):
        assert isinstance(hypothesis.text, str)
        with pytest.raises(ValueError, match="keep_emissions=True"):
            _ = hypothesis.spans


def test_a_finished_stream_says_so(rng):
    decoder = BeamSearchDecoder(LABELS)
    stream = decoder.start()
    stream.push(emissions(rng, 3))
    with pytest.raises(ValueError, match="nbest must be at least 1"):
        stream.finish(nbest=0)  # which finishes nothing
    stream.finish()
    calls = {"push": emissions(rng, 1), "partial": None, "finish": None}
    for name, argument in calls.items():
        with pytest.raises(RuntimeError, match=rf"{name}: this stream is finished; .*start\(\)"):
            getattr(stream, name)(*([] if argument is None else [argument]))
    assert decoder.start().finish().text == ""


def test_a_chunk_that_is_refused_changes_nothing(rng):
    log_probs = emissions(rng, 12)
    expected = BeamSearchDecoder(LABELS).decode(log_probs)
    stream = BeamSearchDecoder(LABELS).start()
    stream.push(log_probs[:5])
    wrong = log_probs[5:].copy()
    wrong[3, 1] = np.nan
    for chunk in (wrong, wrong[:, :4], wrong[np.newaxis], log_probs[5:].astype(np.float64)):
        with pytest.raises(ValueError):
            stream.push(chunk)
    assert stream.frames == 5
    stream.push(log_probs[5:])
    found = stream.finish()
    assert parts(found) == parts(expected)
    assert found.spans == expected.spans


def test_masks_of_chunks(rng):
    decoder = BeamSearchDecoder(LABELS)
    log_probs = emissions(rng, 20)
    mask = rng.random((20, 5)) < 0.6
    expected = decoder.decode(log_probs, allowed=mask)
    stream = decoder.start()
    stream.push(log_probs[:8], allowed=mask[:8])
    for t in range(8, 20):
        stream.push(log_probs[t], allowed=mask[t])
    assert parts(stream.finish()) == parts(expected)
    with pytest.raises(ValueError, match="allowed must have the shape"):
        decoder.start().push(log_probs, allowed=mask[:3])


def test_streams_of_one_decoder_do_not_meet(rng):
    decoder = BeamSearchDecoder(LABELS)
    items = [emissions(rng, 15) for _ in range(4)]
    streams = [decoder.start() for _ in items]
    for t in range(15):
        for stream, item in zip(streams, items, strict=True):
            stream.push(item[t])
    for stream, item in zip(streams, items, strict=True):
        assert parts(stream.finish()) == parts(decoder.decode(item))
