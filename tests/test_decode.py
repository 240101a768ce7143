"""The prefix beam search against plain Python, on every instruction set."""

from __future__ import annotations

import math

import numpy as np
import pytest

from beam_problems import (
    EVERYTHING,
    assert_same_search,
    counted_emissions,
    expected,
    make_search,
    normal_emissions,
    peaky_emissions,
    search,
)
from oracles import every_text

WIDTHS = [1, 2, 3, 16, 17, 40, 100, None]
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


def random_settings(rng, classes):
    return {
        "blank": int(rng.integers(classes)),
        "beam_width": [1, 2, 3, 16, 17, 40, 100][rng.integers(7)],
        "token_min_logp": [EVERYTHING, -1.0, -3.0][rng.integers(3)],
        "beam_prune_logp": [EVERYTHING, -1.0, -4.0][rng.integers(3)],
        "token_top_k": [None, 1, 2, 4][rng.integers(4)],
        "merge": ["sum", "max"][rng.integers(2)],
    }


def random_mask(rng, frames, classes):
    kind = rng.integers(3)
    if kind == 0:
        return None
    return rng.random((classes,) if kind == 1 else (frames, classes)) < 0.7


def test_random_searches(isa):
    """240 of them, all options at once."""
    rng = np.random.default_rng(1)
    for case in range(240):
        frames, classes = int(rng.integers(0, 12)), int(rng.integers(2, 7))
        impossible = [0.0, 0.3][rng.integers(2)]
        settings = random_settings(rng, classes)
        allowed = random_mask(rng, frames, classes)
        log_probs = normal_emissions(
            rng, frames, classes, rng.uniform(0.5, 4), np.float64, impossible
        )
        if allowed is not None:
            log_probs[:, settings["blank"]] = np.maximum(log_probs[:, settings["blank"]], -9.0)
        label = f"case {case}: {frames} x {classes}, {settings}, mask {allowed}"
        wanted = expected(log_probs, allowed=allowed, **settings)
        actual = search(log_probs, allowed=allowed, **settings)
        assert_same_search(actual, wanted, TOLERANCE["float64"], label)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("beam_width", WIDTHS)
def test_widths(isa, dtype, beam_width, rng):
    frames = 5 if beam_width is None else 14
    log_probs = normal_emissions(rng, frames, 4, 1.5, dtype)
    for merge in ("sum", "max"):
        wanted = expected(log_probs, beam_width=beam_width, merge=merge)
        actual = search(log_probs, beam_width=beam_width, merge=merge)
        assert_same_search(actual, wanted, TOLERANCE[dtype], merge)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 31, 32, 33, 64, 65, 130, 500])
def test_classes(isa, dtype, classes, rng):
    """Tables in registers, gathered ones, rows that end within a vector."""
    log_probs = normal_emissions(rng, 7, classes, 2.0, dtype)
    settings = {"beam_width": 19, "blank": classes - 1}
    assert_same_search(
        search(log_probs, **settings), expected(log_probs, **settings), TOLERANCE[dtype]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("top_k", [1, 3, 20, 40, 199])
def test_the_best_symbols_of_a_frame(isa, dtype, top_k, rng):
    log_probs = normal_emissions(rng, 6, 200, 2.0, dtype)
    log_probs[2] = np.round(log_probs[2])  # many of them equal
    log_probs[3] = -math.log(200)  # all of them: the lowest classes stay
    settings = {"beam_width": 15, "token_top_k": top_k}
    assert_same_search(
        search(log_probs, **settings), expected(log_probs, **settings), TOLERANCE[dtype]
    )


@pytest.mark.parametrize("merge", ["sum", "max"])
def test_an_unbounded_beam_is_exact(merge, rng):
    for _ in range(20):
        log_probs = normal_emissions(rng, 5, 3, 2.0, impossible=0.2)
        found = search(log_probs, beam_width=None, merge=merge).by_tokens()
        wanted = {text.tokens: text.score for text in every_text(log_probs, 0, merge=merge)}
        assert found.keys() == wanted.keys()
        for tokens, score in wanted.items():
            assert abs(found[tokens] - score) < 1e-12


def test_the_best_text_is_not_on_the_best_path():
    log_probs = np.log(np.array([[0.4, 1e-30, 0.6], [0.4, 1e-30, 0.6]]))
    found = search(log_probs, blank=2)
    assert found.tokens[0] == (0,)
    assert found.scores[0] == pytest.approx(math.log(0.64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_and_peaky(isa, dtype, rng):
    """Scales change by thousands of powers of two; most frames hold the blank alone."""
    log_probs = peaky_emissions(rng, 300, 20, dtype)
    for settings in ({"beam_width": 12}, {"beam_width": 12, "token_min_logp": -5.0}):
        actual, wanted = search(log_probs, **settings), expected(log_probs, **settings)
        assert actual.tokens[0] == wanted.tokens[0]
        np.testing.assert_allclose(actual.scores, wanted.scores, rtol=1e-6)


def test_float32_is_as_good_as_float64(isa, rng):
    """The score of the best prefix, where rounding may keep another one at the rim of the beam."""
    for scale in (1.0, 4.0, 50.0):
        log_probs = normal_emissions(rng, 200, 32, scale, np.float32)
        for beam_width in (1, 16, 40):
            single = search(log_probs, beam_width=beam_width, nbest=1)
            double = search(log_probs.astype(np.float64), beam_width=beam_width, nbest=1)
            assert single.scores[0] == pytest.approx(double.scores[0], abs=1e-3, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_frames(dtype):
    found = search(np.zeros((0, 5), dtype))
    assert found.tokens == [()] and found.scores.tolist() == [0.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_frame(dtype):
    log_probs = np.log(np.array([[0.5, 0.3, 0.2]])).astype(dtype)
    found = search(log_probs)
    assert found.tokens == [(), (1,), (2,)]
    np.testing.assert_allclose(found.scores, log_probs[0], atol=1e-6)


def test_only_the_blank():
    found = search(np.full((4, 1), -0.5))
    assert found.tokens == [()] and found.scores[0] == pytest.approx(-2.0)


@pytest.mark.parametrize("beam_width", [1, 5, 16, 33])
def test_exactly_as_many_are_kept(isa, beam_width, rng):
    for make in (normal_emissions, counted_emissions):
        found = search(make(rng, 9, 6, dtype=np.float32), beam_width=beam_width)
        assert len(found.tokens) == beam_width


def test_the_best_symbol_always_stays(isa):
    """C10: a cut may leave one symbol, never none; of two equals the lower."""
    log_probs = np.log(np.array([[0.25, 0.375, 0.375], [0.5, 0.25, 0.25]]))
    found = search(log_probs, token_min_logp=-0.1)
    assert found.tokens == [(1,)]
    assert found.scores[0] == pytest.approx(math.log(0.375 * 0.5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_far_from_one(isa, dtype):
    """Nothing underflows: a common factor in a frame changes scores by its logarithm alone."""
    log_probs = np.full((50, 4), -1.5, dtype)
    low = search(log_probs - np.asarray(200, dtype), beam_width=8)
    high = search(log_probs, beam_width=8)
    assert low.tokens == high.tokens
    np.testing.assert_allclose(low.scores, high.scores - 50 * 200, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.01])
def test_what_is_no_log_probability(isa, dtype, value):
    log_probs = np.full((2, 40, 21), -3.0, dtype)
    log_probs[1, 33, 17] = value
    engine = make_search(21)
    lengths = np.array([40, 40])
    with pytest.raises(ValueError, match=r"item 1, frame 33, class 17; apply log_softmax first"):
        engine.decode(log_probs, lengths, None, 1)
    engine.decode(log_probs, np.array([40, 33]), None, 1)  # beyond its length nobody looks
    stream = engine.start()
    stream.push(log_probs[0])
    before = stream.best(1, True)
    with pytest.raises(ValueError, match=r"at frame 73, class 17"):
        stream.push(log_probs[1])
    assert stream.frames == 40 and stream.best(1, True)[2] == before[2]
    log_probs[1, 33, 17] = 1e-4  # rounding
    engine.decode(log_probs, lengths, None, 1)


def test_impossible_frames():
    log_probs = np.full((3, 4), -1.0)
    log_probs[1] = -np.inf
    with pytest.raises(ValueError, match="-inf for all classes at item 0, frame 1"):
        search(log_probs)
    log_probs[1, 2] = -1.0
    search(log_probs)
    with pytest.raises(ValueError, match="that `allowed` permits at item 0, frame 1"):
        search(log_probs, allowed=np.array([True, True, False, True]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blank": 9}, "blank must be one of the classes"),
        ({"beam_width": -1}, "beam_width must not be negative"),
        ({"token_top_k": -1}, "token_top_k must not be negative"),
        ({"token_min_logp": 0.5}, "token_min_logp must not be above 0"),
        ({"beam_prune_logp": math.nan}, "beam_prune_logp must not be above 0"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        make_search(9, **change)


def test_arrays_are_checked():
    engine, scores = make_search(3), np.full((2, 4, 3), -1.0)
    lengths = np.array([4, 4])
    with pytest.raises(ValueError, match=r"scores must be \(N, T, C\)"):
        engine.decode(scores[:, :, :2].copy(), lengths, None, 1)
    with pytest.raises(ValueError, match="lengths must lie in"):
        engine.decode(scores, np.array([4, 5]), None, 1)
    with pytest.raises(ValueError, match="allowed must be"):
        engine.decode(scores, lengths, np.ones((3, 3), bool), 1)
    with pytest.raises(ValueError, match="nbest must be at least 1"):
        engine.decode(scores, lengths, None, 0)
