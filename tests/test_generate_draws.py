"""Drawing tokens: numbers, shapes of the distribution, and the known traps."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import plain_generation as plain
from generation_models import EOS, SOS, Fixed, Table, names
from unrolled import manual_seed
from unrolled.generate import Settings, generate


def ids_of(generation):
    return (*generation.ids.tolist(), *([EOS] if generation.ended else []))


def test_draws_equal_plain_python(rng):
    """300 random models with and without temperature, top-k, top-p and every rule."""
    different = 0
    for case in range(300):
        size, most = int(rng.integers(3, 7)), int(rng.integers(1, 5))
        s = {"max_new_tokens": most, "seed": int(rng.integers(2**63))}
        if rng.random() < 0.6:
            s["temperature"] = float(rng.choice([0.3, 0.8, 1.7]))
        if rng.random() < 0.5:
            s["top_k"] = int(rng.integers(1, size + 2))
        if rng.random() < 0.5:
            s["top_p"] = float(rng.choice([0.2, 0.6, 0.95]))
        if rng.random() < 0.4:
            s["repetition_penalty"] = float(rng.choice([0.7, 1.5]))
        if rng.random() < 0.3:
            s["no_repeat_ngram_size"] = int(rng.integers(2, 4))
        if rng.random() < 0.3:
            s["min_new_tokens"] = int(rng.integers(0, most + 1))
        table = Table(rng, size, most, items=3)
        allowed = np.ones(size, bool)
        allowed[SOS] = rng.random() < 0.5
        settings = Settings(do_sample=True, num_return_sequences=2, allowed=allowed, **s)
        for item, drawn in enumerate(generate(table.model(), names(size), settings, first_item=7)):
            for sequence, generation in enumerate(drawn):
                expected = plain.sample(
                    partial(table.raw, item=item),
                    [SOS],
                    s,
                    EOS,
                    7 + item,
                    sequence,
                    allowed,
                )
                different += ids_of(generation) != expected
                assert len(generation.log_probs) == len(generation.tokens) + generation.ended
        assert different == 0, f"case {case}: V={size}, {s}"


def test_the_numbers_are_those_of_numpys_philox():
    """A draw from 1,000 equally likely tokens shows the first digits of its number."""
    size = 1000
    settings = Settings(do_sample=True, seed=2**40 + 5, max_new_tokens=3, num_return_sequences=4)
    model = Fixed(np.zeros(size), items=5).model()
    tokens = [str(k) for k in range(size)]
    generations = generate(model, tokens, settings, [[0]] * 5, first_item=3)
    for item, drawn in enumerate(generations):
        for sequence, generation in enumerate(drawn):
            for place, token in enumerate(generation.ids):
                number = plain.uniform(2**40 + 5, 3 + item, sequence, place)
                assert token == int(number * size)


def test_draws_have_the_frequencies_of_the_distribution(rng):
    """Chi-square over 20,000 draws: all three shapes of it, of one seed each."""
    logits = rng.standard_normal(12).astype(np.float32) * 1.5
    count = 20_000
    for options in (
        {},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 5},
        {"top_p": 0.8},
        {"top_k": 6, "top_p": 0.9},
    ):
        settings = Settings(
            do_sample=True, seed=11, max_new_tokens=1, allowed=np.ones(12, bool), **options
        )
        generations = generate(Fixed(logits, items=count).model(), names(12), settings)
        drawn = np.bincount([ids_of(g)[0] for g in generations], minlength=12)
        tokens, probabilities = plain.shaped(logits.astype(np.float64), options)
        left_out = np.setdiff1d(np.arange(12), tokens)
        assert drawn[left_out].sum() == 0
        expected = probabilities * count
        chi_square = float(((drawn[tokens] - expected) ** 2 / expected).sum())
        freedom = max(len(tokens) - 1, 1)
        assert chi_square < freedom + 4.5 * np.sqrt(2 * freedom), (options, chi_square)


def test_draws_of_sequences_and_places_are_independent(rng):
    """Pairs of neighbouring places, and of two sequences, fill a square evenly."""
    settings = Settings(do_sample=True, seed=1, max_new_tokens=2, num_return_sequences=2)
    size = 8
    model = Fixed(np.zeros(size), items=8_000).model()
    tokens = [str(k) for k in range(size)]
    generations = generate(model, tokens, settings, [[0]] * 8_000)
    drawn = np.array([[g.ids for g in pair] for pair in generations])
    for a, b in ((drawn[:, 0, 0], drawn[:, 0, 1]), (drawn[:, 0, 0], drawn[:, 1, 0])):
        cells = np.bincount(a * size + b, minlength=size * size)
        expected = 8_000 / size**2
        chi_square = float(((cells - expected) ** 2 / expected).sum())
        assert chi_square < 63 + 4.5 * np.sqrt(126)


def test_trap_f3_top_k_of_the_vocabulary_and_more_is_no_cut(rng):
    table = Table(rng, 6, 4, items=40)
    base = {"do_sample": True, "seed": 9, "max_new_tokens": 4}
    plainly = [ids_of(g) for g in generate(table.model(), names(6), Settings(**base))]
    for options in ({"top_k": 6}, {"top_k": 1000}, {"top_p": 1.0}, {"top_k": 6, "top_p": 1.0}):
        drawn = generate(table.model(), names(6), Settings(**base, **options))
        assert [ids_of(g) for g in drawn] == plainly


def test_trap_f3_tiny_top_p_keeps_one_token_and_cold_draws_are_greedy(rng):
    table = Table(rng, 6, 4, items=40)
    greedy = [ids_of(g) for g in generate(table.model(), names(6), Settings(max_new_tokens=4))]
    for options in (
        {"top_p": 0.0},
        {"top_p": 1e-9},
        {"top_k": 1},
        {"temperature": 0.0},
        {"temperature": 1e-300},
        {"temperature": 1e-9},
        {"temperature": 1e-6, "top_k": 3, "top_p": 0.9},
    ):
        settings = Settings(do_sample=True, seed=2, max_new_tokens=4, **options)
        drawn = generate(table.model(), names(6), settings)
        assert [ids_of(g) for g in drawn] == greedy, options
        assert all(np.isfinite(g.log_probs).all() for g in drawn)


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e30])
def test_trap_f3_extreme_logits_give_no_nan(temperature):
    logits = np.array([-np.inf, 3e38, -3e38, 2.9e38, 0], np.float32)
    settings = Settings(do_sample=True, seed=0, max_new_tokens=3, temperature=temperature)
    drawn = generate(Fixed(logits, items=20).model(), names(5), settings)
    assert all(g.ended or len(g.tokens) == 3 for g in drawn)


def test_trap_f4_seeded_draws_are_the_same_for_any_batch_size(rng):
    """The items' numbers say what is drawn, not how they are cut into batches."""
    items = 130
    table = Table(rng, 5, 4, items=items)
    settings = Settings(do_sample=True, seed=5, max_new_tokens=4, num_return_sequences=2)
    together = generate(table.model(), names(5), settings)
    for size in (1, 7, 64):
        pieces = []
        for first in range(0, items, size):
            numbers = range(first, min(first + size, items))
            pieces += generate(table.model(numbers), names(5), settings, first_item=first)
        for ours, theirs in zip(pieces, together, strict=True):
            assert [ids_of(g) for g in ours] == [ids_of(g) for g in theirs]
            assert [g.score for g in ours] == [g.score for g in theirs]


def test_trap_f4_the_first_draw_does_not_depend_on_how_many_are_asked_for(rng):
    table = Table(rng, 5, 4, items=20)
    base = {"do_sample": True, "seed": 5, "max_new_tokens": 4}
    one = generate(table.model(), names(5), Settings(**base))
    three = generate(table.model(), names(5), Settings(num_return_sequences=3, **base))
    assert [ids_of(g) for g in one] == [ids_of(drawn[0]) for drawn in three]


def test_without_a_seed_draws_follow_the_packages_random_numbers(rng):
    table = Table(rng, 5, 4, items=30)
    settings = Settings(do_sample=True, max_new_tokens=4)

    def draw():
        return [ids_of(g) for g in generate(table.model(), names(5), settings)]

    manual_seed(3)
    first, second = draw(), draw()
    manual_seed(3)
    assert first == draw()
    assert first != second


def test_a_nucleus_of_many_tokens_is_found(rng):
    """More tokens than are looked at first; ties at the cut go to the lower ids."""
    size = 3000
    tokens = [str(k) for k in range(size)]
    settings = Settings(do_sample=True, seed=3, top_p=0.5, max_new_tokens=1)
    drawn = generate(Fixed(np.zeros(size), items=2000).model(), tokens, settings, [[0]] * 2000)
    ids = {int(g.ids[0]) for g in drawn}
    assert max(ids) in range(1400, 1502)
    assert len(ids) > 900
