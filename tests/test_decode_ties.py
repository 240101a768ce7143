"""Which of equals is kept: masses that count paths are exact, and most of them tie."""

from __future__ import annotations

import numpy as np
import pytest

from beam_problems import counted_emissions, expected, search, stream_search, unpack


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("merge", ["sum", "max"])
def test_the_written_rule(isa, dtype, merge):
    """The same prefixes in the same order as in plain Python, 200 times."""
    rng = np.random.default_rng(2)
    for case in range(200):
        frames, classes = int(rng.integers(1, 9)), int(rng.integers(2, 8))
        settings = {
            "beam_width": int(rng.integers(1, 40)),
            "blank": int(rng.integers(classes)),
            "token_top_k": [None, 2, 3][rng.integers(3)],
            "merge": merge,
        }
        log_probs = counted_emissions(rng, frames, classes, rng.uniform(0.3, 1.0), dtype)
        actual, wanted = search(log_probs, **settings), expected(log_probs, **settings)
        label = f"case {case}: {frames} x {classes}, {settings}"
        assert actual.tokens == wanted.tokens, label
        np.testing.assert_allclose(actual.scores, wanted.scores, atol=1e-6, err_msg=label)


def test_stays_come_first_then_low_symbols_then_early_parents():
    uniform = np.zeros((2, 4))
    assert search(uniform[:1], beam_width=3).tokens == [(), (1,), (2,)]
    # 1 path: ''; 3 paths: (1), (2), (3) of width 4; then (1, 2) before (1, 3), (2, 1).
    found = search(uniform, beam_width=4).tokens
    assert found == [(1,), (2,), (3,), ()]
    wide = search(uniform, beam_width=6)
    assert wide.tokens == [(1,), (2,), (3,), (), (2, 1), (3, 1)]


@pytest.mark.parametrize("beam_width", [2, 17, 40])
def test_quantised_emissions(isa, beam_width):
    """Steps of a quarter, as 8-bit models give them: chunks and levels keep the same of equals."""
    rng = np.random.default_rng(3)
    log_probs = (np.round(4 * rng.standard_normal((60, 12))) / 4 - 6).astype(np.float32)
    whole = search(log_probs, beam_width=beam_width)
    stream = stream_search(log_probs, [1] * 60, beam_width=beam_width)
    chunked = unpack(stream.best(1 << 30, True))
    assert chunked.tokens == whole.tokens
    np.testing.assert_array_equal(chunked.scores, whole.scores)
