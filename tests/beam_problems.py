"""Emissions for the prefix beam search, the search as the tests call it, and what it must find."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled import _core
from unrolled.reference import decode as reference
from unrolled.reference.softmax import log_softmax

EVERYTHING = -np.inf  # a cut that cuts nothing


class Found(NamedTuple):
    """The hypotheses of one utterance, best first."""

    tokens: list
    scores: np.ndarray

    def by_tokens(self):
        return dict(zip(self.tokens, self.scores.tolist(), strict=True))


def normal_emissions(rng, frames, classes, scale=1.0, dtype=np.float64, impossible=0.0):
    """Log-probabilities of normal scores, some of them -inf."""
    scores = scale * rng.standard_normal((frames, classes))
    mask = rng.random((frames, classes)) < impossible
    mask[np.arange(frames), rng.integers(0, classes, frames)] = False
    return log_softmax(np.where(mask, -np.inf, scores)).astype(dtype)


def counted_emissions(rng, frames, classes, share=0.6, dtype=np.float64):
    """Zeros and -inf: masses are numbers of paths, exact in any precision, and most of them tie."""
    possible = rng.random((frames, classes)) < share
    possible[np.arange(frames), rng.integers(0, classes, frames)] = True
    return np.where(possible, 0.0, -np.inf).astype(dtype)


def peaky_emissions(rng, frames, classes, dtype=np.float32):
    """Mostly the blank, here and there a symbol: what trained models give."""
    scores = 1.5 * rng.standard_normal((frames, classes))
    symbol = np.where(rng.random(frames) < 0.25, rng.integers(1, classes, frames), 0)
    scores[np.arange(frames), symbol] += 8.0
    return log_softmax(scores).astype(dtype)


def make_search(
    classes,
    *,
    blank=0,
    beam_width=100,
    token_min_logp=EVERYTHING,
    beam_prune_logp=EVERYTHING,
    token_top_k=None,
    merge="sum",
):
    return _core.BeamSearch(
        classes,
        blank,
        beam_width or 0,
        token_min_logp,
        beam_prune_logp,
        token_top_k or 0,
        merge == "max",
    )


def unpack(result):
    """Return what one item's arrays say, after a look at their shapes."""
    tokens, offsets, scores, acoustic, lm, units, hotwords, fired = result
    assert tokens.dtype == np.int32 and offsets[0] == 0 and offsets[-1] == tokens.size
    assert len(offsets) - 1 == scores.size == acoustic.size == lm.size == units.size
    np.testing.assert_array_equal(acoustic, scores)
    assert not lm.any() and not units.any() and not hotwords.any()
    assert fired == [[] for _ in scores]
    assert (np.diff(scores) <= 0).all()
    ends = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    texts = [tuple(tokens[a:b].tolist()) for a, b in ends]
    assert len(set(texts)) == len(texts)
    return Found(texts, scores)


def search(log_probs, *, allowed=None, nbest=1 << 30, **settings):
    """Search one utterance (T, C)."""
    log_probs = np.ascontiguousarray(log_probs)
    lengths = np.array([len(log_probs)])
    if allowed is not None and allowed.ndim == 2:
        allowed = allowed[None]
    engine = make_search(log_probs.shape[1], **settings)
    return unpack(engine.decode(log_probs[None], lengths, allowed, nbest)[0])


def expected(log_probs, **settings):
    """Search with plain Python, in float64."""
    found = reference.beam_search(
        log_probs,
        **{"token_min_logp": EVERYTHING, "beam_prune_logp": EVERYTHING, **settings},
    )
    return Found([h.tokens for h in found], np.array([h.score for h in found]))


def assert_same_search(actual, wanted, tolerance, label=""):
    """Compare all hypotheses; which is better may differ where two are as good."""
    assert len(actual.tokens) == len(wanted.tokens), label
    np.testing.assert_allclose(actual.scores, wanted.scores, atol=tolerance, err_msg=label)
    scores = wanted.by_tokens()
    for tokens, score in actual.by_tokens().items():
        assert abs(scores.get(tokens, np.inf) - score) <= tolerance, f"{label}: {tokens}"


def stream_search(log_probs, chunks, *, allowed=None, **settings):
    """Search chunk by chunk, with a look at the best in between."""
    stream = make_search(log_probs.shape[1], **settings).start()
    start = 0
    for size in chunks:
        rows = slice(start, start + size)
        mask = allowed[rows] if allowed is not None and allowed.ndim == 2 else allowed
        stream.push(np.ascontiguousarray(log_probs[rows]), mask)
        stream.best(3, False), stream.stable()
        start += size
    assert start == len(log_probs) == stream.frames
    return stream
