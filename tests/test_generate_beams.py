"""Beam search: against all sequences there are, against plain Python, and the known traps."""

from __future__ import annotations

import itertools

import numpy as np
import plain_generation as plain
import pytest
from generation_models import EOS, SOS, Continuations, Fixed, Table, names

from unrolled.generate import Settings, generate

PENALTIES = (-1.0, -0.3, 0.0, 0.5, 1.0, 2.0)


def ids_of(generation):
    """Return the ids with that of <eos>, where it came."""
    return (*generation.ids.tolist(), *([EOS] if generation.ended else []))


def found(generations):
    generations = generations if isinstance(generations, list) else [generations]
    return [(g.score, ids_of(g)) for g in generations]


def same(ours, expected):
    """Whether rankings are equal but for the order of what differs by rounding alone."""
    assert len(ours) == len(expected)
    np.testing.assert_allclose([s for s, _ in ours], [s for s, _ in expected], rtol=3e-6, atol=3e-6)
    for (s, ids), (_, other) in zip(ours, expected, strict=True):
        if ids != other:
            assert any(abs(t - s) < 1e-5 for t, alike in expected if alike == ids), (ids, other)


def random_settings(rng, size):
    """Return settings with and without each rule."""
    most = int(rng.integers(1, 5 if size < 5 else 4))
    settings = {
        "max_new_tokens": most,
        "length_penalty": float(rng.choice(PENALTIES)),
        "early_stopping": [True, False, "never"][rng.integers(3)],
    }
    if rng.random() < 0.5:
        settings["repetition_penalty"] = float(rng.choice([0.7, 1.3, 2.0]))
    if rng.random() < 0.3:
        settings["no_repeat_ngram_size"] = int(rng.integers(1, 4))
    if rng.random() < 0.3:
        settings["min_new_tokens"] = int(rng.integers(0, most + 1))
    return settings


@pytest.mark.parametrize("block", range(5))
def test_an_unbounded_beam_finds_what_exhaustive_search_finds(rng, block):
    """100 random models and settings each, 500 in all."""
    for case in range(100):
        size = int(rng.integers(3, 6))
        s = random_settings(rng, size)
        table = Table(rng, size, s["max_new_tokens"])
        allowed = np.ones(size, bool)
        allowed[SOS] = bool(rng.random() < 0.5)
        prefix = [2] if s["max_new_tokens"] > 1 and rng.random() < 0.2 else None
        expected = plain.exhaustive(table.log_probs, [SOS], s, EOS, allowed, prefix or ())
        message = f"case {case}: V={size}, {s}, prefix {prefix}"
        if not expected:
            with pytest.raises(ValueError, match="no token may be written"):
                generate(table.model(), names(size), Settings(num_beams=2, allowed=allowed, **s))
            continue
        width = max(2, len(expected))
        settings = Settings(
            num_beams=width,
            num_return_sequences=min(width, 7),
            allowed=allowed,
            forced_prefix=prefix,
            **s,
        )
        ours = found(generate(table.model(), names(size), settings)[0])
        try:
            same(ours, expected[: min(7, len(expected))])
        except AssertionError as error:
            raise AssertionError(message) from error


def test_random_beams_equal_plain_python(rng):
    """Of every width, with every stop test and rule; 300 cases."""
    for case in range(300):
        size = int(rng.integers(3, 7))
        s = random_settings(rng, size) | {"num_beams": int(rng.integers(2, 6))}
        table = Table(rng, size, s["max_new_tokens"])
        expected = plain.beam(table.log_probs, [SOS], s, EOS)
        settings = Settings(
            num_return_sequences=s["num_beams"], allowed=np.ones(size, bool), **s
        )
        try:
            ours = found(generate(table.model(), names(size), settings)[0])
        except ValueError:
            assert expected == []
            continue
        try:
            # With "never" our search may stop earlier or later: what it returns is the same.
            same(ours, expected)
        except AssertionError as error:
            raise AssertionError(f"case {case}: V={size}, {s}\n{ours}\n{expected}") from error
