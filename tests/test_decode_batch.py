"""Batches, threads, chunks and Ctrl-C: none of them changes a bit."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from beam_problems import (
    make_search,
    normal_emissions,
    peaky_emissions,
    search,
    stream_search,
    unpack,
)
from interrupts import assert_stops_within_half_a_second
from unrolled.reference.softmax import log_softmax

SETTINGS = [
    {"beam_width": 1},
    {"beam_width": 7, "token_min_logp": -5.0, "beam_prune_logp": -10.0},
    {"beam_width": 40},
    {"beam_width": 100, "token_top_k": 5, "merge": "max"},
]
DTYPES = ["float32", "float64"]


def assert_same(actual, wanted):
    assert actual.tokens == wanted.tokens
    np.testing.assert_array_equal(actual.scores, wanted.scores)


def make_batch(rng, dtype, classes=11):
    lengths = np.array([60, 0, 1, 33, 60, 47, 16, 15, 59, 2])
    items = [
        (peaky_emissions if n % 2 else normal_emissions)(rng, 60, classes, dtype=dtype)
        for n in range(len(lengths))
    ]
    return np.stack(items), lengths


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_batch_is_its_items(threads, isa, settings, dtype, rng):
    from unrolled import set_num_threads

    set_num_threads(threads)  # `isa` runs on one
    scores, lengths = make_batch(rng, dtype)
    results = make_search(11, **settings).decode(scores, lengths, None, 5)
    assert len(results) == len(lengths)
    for item, length, result in zip(scores, lengths, results, strict=True):
        assert_same(unpack(result), search(item[:length], nbest=5, **settings))


def test_frames_past_an_item_s_length_are_not_read(rng):
    scores, lengths = make_batch(rng, "float32")
    engine = make_search(11)
    wanted = [unpack(r) for r in engine.decode(scores, lengths, None, 3)]
    for item, length in zip(scores, lengths, strict=True):
        item[length:] = np.nan
    for result, found in zip(engine.decode(scores, lengths, None, 3), wanted, strict=True):
        assert_same(unpack(result), found)


def test_the_first_faulty_item_is_named(threads, rng):
    scores, _ = make_batch(rng, "float32")
    scores[7:, 30, 4] = np.nan
    for _ in range(20):
        with pytest.raises(ValueError, match="item 7, frame 30, class 4"):
            make_search(11).decode(scores, np.full(10, 60), None, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_of_every_shape(dtype, rng):
    scores, lengths = make_batch(rng, dtype)
    engine = make_search(11, beam_width=9)
    for shape in ((11,), (10, 11), (10, 60, 11)):
        allowed = rng.random(shape) < 0.6
        of_item = np.broadcast_to(allowed if len(shape) != 2 else allowed[:, None], (10, 60, 11))
        results = engine.decode(scores, lengths, allowed, 4)
        for n, result in enumerate(results):
            frames = slice(0, lengths[n])
            hidden = np.where(of_item[n] | (np.arange(11) == 0), scores[n], -np.inf)
            wanted = search(hidden[frames].astype(dtype), nbest=4, beam_width=9)
            assert_same(unpack(result), wanted)
            assert all(of_item[n, frames].any(0)[list(text)].all() for text in wanted.tokens)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("settings", [*SETTINGS, {"beam_width": None}])
def test_chunks(settings, dtype, rng):
    """C13: a look at the best in between changes nothing."""
    frames = 5 if settings["beam_width"] is None else 43
    log_probs = peaky_emissions(rng, frames, 9, dtype)
    whole = search(log_probs, **settings)
    chunkings = [[1] * frames, [frames], [0, frames], [frames - 2, 0, 2]]
    if frames > 40:
        chunkings += [[7] * 6 + [1], [16, 27]]
    for chunks in chunkings:
        stream = stream_search(log_probs, chunks, **settings)
        for _ in range(2):
            assert_same(unpack(stream.best(1 << 30, True)), whole)


def test_chunks_with_masks(rng):
    log_probs = normal_emissions(rng, 20, 9, dtype=np.float32)
    for shape in ((9,), (20, 9)):
        allowed = rng.random(shape) < 0.6
        whole = search(log_probs, allowed=allowed, beam_width=8)
        for chunks in ([1] * 20, [7, 13]):
            stream = stream_search(log_probs, chunks, allowed=allowed, beam_width=8)
            assert_same(unpack(stream.best(1 << 30, False)), whole)


@pytest.mark.parametrize("beam_prune_logp", [-2.0, -8.0, -np.inf])
def test_the_stable_prefix(beam_prune_logp, rng):
    """What all prefixes share never changes any more."""
    log_probs = log_softmax(3 * peaky_emissions(rng, 400, 9))
    stream = make_search(9, beam_width=8, beam_prune_logp=beam_prune_logp).start()
    assert stream.stable() == 0
    stable = ()
    for start in range(0, 400, 10):
        stream.push(log_probs[start : start + 10])
        live = unpack(stream.best(1 << 30, False)).tokens
        count = stream.stable()
        assert count >= len(stable) and live[0][: len(stable)] == stable
        stable = live[0][:count]
        assert all(text[:count] == stable for text in live)
        assert len({text[: count + 1] for text in live}) > 1 or len(live) == 1
    assert len(stable) > 20 or beam_prune_logp < -2.0


def test_a_stream_has_one_dtype():
    stream = make_search(3).start()
    assert unpack(stream.best(1, False)).tokens == [()]
    stream.push(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="must have one dtype"):
        stream.push(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"chunk must be \(t, C\)"):
        stream.push(np.zeros((2, 4), np.float32))
    assert stream.frames == 2


def test_threads_of_the_caller(rng):
    """An engine is shared; a stream says no to a second thread instead of breaking."""
    log_probs = normal_emissions(rng, 300, 30, dtype=np.float32)
    engine, lengths = make_search(30, beam_width=60), np.array([300])
    wanted = unpack(engine.decode(log_probs[None], lengths, None, 3)[0])
    stream, found, refused = engine.start(), [None] * 8, []

    def work(i):
        found[i] = unpack(engine.decode(log_probs[None], lengths, None, 3)[0])
        try:
            stream.push(log_probs)
        except RuntimeError as error:
            refused.append(str(error))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result in found:
        assert_same(result, wanted)
    assert stream.frames == 300 * (8 - len(refused))
    assert set(refused) <= {"the stream is in use by another thread"}


CHILD = """
import signal, sys
import numpy as np
import unrolled
from unrolled import _core
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told it to be ignored
unrolled.set_num_threads(int(sys.argv[2]))
inf = float("inf")
search = _core.BeamSearch(100, 0, 3000, -inf, -inf, 0, False)
rows = -5.0 + 0.3 * np.random.default_rng(0).standard_normal((50, 100)).astype(np.float32)
log_probs = np.tile(rows, (4, 400, 1))  # a minute of work
stream = search.start()
stream.push(log_probs[0, :5])
print("ready", flush=True)
try:
    if sys.argv[1] == "batch":
        search.decode(log_probs, np.full(4, 20_000), None, 1)
    else:
        stream.push(log_probs[0])
except KeyboardInterrupt:
    stream.push(log_probs[0, :5])  # all is well after it
    print("stopped", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("work", [["batch", "1"], ["batch", "2"], ["stream", "1"]])
def test_interrupt(work):
    assert_stops_within_half_a_second(CHILD, *work)
