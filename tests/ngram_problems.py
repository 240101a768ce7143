"""Small random texts, and what is estimated from them, for tests of n-gram models."""

from __future__ import annotations

import itertools
import random
import warnings

import pytest

from unrolled.lm.discounts import DiscountWarning
from unrolled.lm.training import SMOOTHINGS, estimate
from unrolled.reference import ngram as reference


def random_text(rng):
    """Sentences over a few words, so that n-grams come again; some sentences are empty."""
    words = "abcdefgh"[: rng.randint(1, 8)]
    count = rng.randint(1, 25)
    text = [[rng.choice(words) for _ in range(rng.randint(0, 8))] for _ in range(count)]
    return [*text, [words[0]]]


def random_case(seed):
    """A text and arguments of `estimate`."""
    rng = random.Random(seed)
    order = rng.randint(1, 4)
    return random_text(rng), {
        "order": order,
        "smoothing": SMOOTHINGS[seed % len(SMOOTHINGS)],
        "prune": [0, *sorted(rng.choice([0, 0, 0, 1, 2]) for _ in range(order - 1))],
        "prune_entropy": rng.choice([0.0, 0.0, 1e-4, 1e-2]),
        "k": rng.choice([0.01, 0.5, 1.0]),
    }


def quietly(text, *args, **options):
    """Estimate without the warnings that small texts bring."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        return estimate(text, *args, **options)


def rows_of(estimated):
    """The tables as {n-gram: (log10 probability, log10 weight)}."""
    return {
        tuple(estimated.words[i] for i in ids): (float(prob), float(backoff))
        for table in estimated.tables
        for ids, prob, backoff in zip(*table, strict=True)
    }


def model_of(estimated):
    """The tables as a model of the reference, to score with."""
    rows = rows_of(estimated)
    words = [word for word in estimated.words if word != "<s>"]
    probs = {ngram: 10**prob for ngram, (prob, _) in rows.items() if ngram != ("<s>",)}
    backoffs = {ngram: 10**backoff for ngram, (_, backoff) in rows.items()}
    return reference.Model(len(estimated.tables), words, probs, backoffs)


def assert_sums_to_one(model):
    """In every context, seen or not, the probabilities of all words sum to 1."""
    context_words = ["<s>", *model.words[:6], "never seen"]
    for length in range(min(model.order, 3)):
        for context in itertools.product(context_words, repeat=length):
            total = sum(reference.prob(model, context, word) for word in model.words)
            assert total == pytest.approx(1, abs=1e-10), context


def assert_agrees(estimated, model, within=1e-10):
    """Tables and a model of the reference have the same n-grams, probabilities and weights."""
    ours = model_of(estimated)
    assert set(ours.probs) == set(model.probs)
    for ngram, prob in model.probs.items():
        assert ours.probs[ngram] == pytest.approx(prob, rel=within), ngram
        weight = model.backoffs.get(ngram, 1.0)
        assert ours.backoffs[ngram] == pytest.approx(weight, rel=within), ngram
