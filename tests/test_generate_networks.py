"""The search over networks in C++: bits, threads and instruction sets."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest

import plain_generation as plain
from generation_models import EOS, SOS, names
from unrolled import nn
from unrolled.generate import Settings, generate
from unrolled.generate.step_models import recurrent_step_model
from unrolled.nn.attention_decoder import AttentionDecoder

V, H, S = 9, 12, 6

OPTIONS = [
    {},
    {"num_beams": 4, "num_return_sequences": 4},
    {"num_beams": 3, "early_stopping": "never", "repetition_penalty": 1.2},
    {"num_beams": 3, "strategy": "early_termination"},
    {"do_sample": True, "seed": 7, "num_return_sequences": 2, "top_k": 5, "top_p": 0.95},
]


class Network:
    """A decoder with attention on random memories, the same ones for each test's name."""

    def __init__(self, rng, items):
        from unrolled import manual_seed

        manual_seed(int(rng.integers(2**31)))
        self.embedding, self.output = nn.Embedding(V, 8), nn.Linear(H, V)
        self.output.weight.data *= 8
        self.decoder = AttentionDecoder("gru", 8, H, 10, score="additive", feeding="input")
        self.memory = rng.standard_normal((items, S, 10)).astype(np.float32)
        self.lengths = rng.integers(1, S + 1, items)

    def model(self, items=slice(None)):
        return recurrent_step_model(
            self.decoder,
            self.embedding,
            self.output,
            memory=self.memory[items],
            lengths=self.lengths[items],
        )


def flat(found):
    """Return what was written as arrays that compare bit for bit."""
    return [
        (g.ids.tolist(), g.score, g.log_probs.tobytes(), g.attention.tobytes(), g.ended)
        for generations in found
        for g in (generations if isinstance(generations, list) else [generations])
    ]


@pytest.mark.parametrize("options", OPTIONS)
def test_bits_depend_on_no_threads(rng, options, threads):
    network = Network(np.random.default_rng(5), 150)
    settings = Settings(max_new_tokens=8, **options)
    found = flat(generate(network.model(), names(V), settings))
    import unrolled

    unrolled.set_num_threads(1)
    assert flat(generate(network.model(), names(V), settings)) == found


@pytest.mark.parametrize("options", OPTIONS)
def test_an_item_has_the_same_bits_alone_and_in_a_batch(rng, options):
    network = Network(rng, 90)
    settings = Settings(max_new_tokens=8, **options)
    together = flat(generate(network.model(), names(V), settings))
    count = settings.num_return_sequences
    for item in (0, 1, 17, 63, 64, 89):
        only = slice(item, item + 1)
        alone = flat(generate(network.model(only), names(V), settings, first_item=item))
        assert alone == together[item * count : (item + 1) * count]


def test_beams_over_a_network_equal_plain_python(rng, isa):
    """Its steps one by one from Python, the search by loops; on every instruction set."""
    network = Network(rng, 12)
    model = network.model()
    s = {"num_beams": 3, "max_new_tokens": 5, "length_penalty": 0.7}
    found = generate(model, names(V), Settings(num_return_sequences=3, **s))
    states = model.start()

    for item, generations in enumerate(found):

        def says(history, item=item):
            state = states[item : item + 1]
            for token in history:
                state, logits, _ = model.step(
                    np.array([token], np.int32), np.array([item], np.int32), state
                )
            row = logits[0].astype(np.float64)
            row -= row.max()
            return row - np.log(np.exp(row).sum())

        allowed = np.arange(V) != SOS
        expected = plain.beam(says, [SOS], s, EOS, allowed)
        np.testing.assert_allclose([g.score for g in generations], [e for e, _ in expected], 1e-5)
        for g, (_, ids) in zip(generations, expected, strict=True):
            assert (*g.ids.tolist(), *[EOS] * g.ended) == ids
            np.testing.assert_allclose(g.attention.sum(1), 1, rtol=1e-5)
            assert (g.attention[:, network.lengths[item] :] == 0).all()


def test_ctrl_c_ends_a_search_in_the_core(rng):
    """Within half a second, though every item would take thousands of steps."""
    network = Network(rng, 400)
    allowed = np.arange(V) > EOS
    settings = Settings(max_new_tokens=200_000, num_beams=4, allowed=allowed)
    main = threading.main_thread().ident
    at = []

    def interrupt():
        at.append(time.perf_counter())
        signal.pthread_kill(main, signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        generate(network.model(), names(V), settings)
    assert time.perf_counter() - at[0] < 2
    timer.join()
