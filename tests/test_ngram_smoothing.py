"""Smoothing of n-gram models: against the reference, lmplz, NLTK, and figures worked by hand."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

import lmplz_figures
from ngram_problems import (
    assert_agrees,
    assert_sums_to_one,
    model_of,
    quietly,
    random_case,
    random_text,
    rows_of,
)
from unrolled import _core
from unrolled.lm.training import SMOOTHINGS, estimate
from unrolled.reference import ngram as reference


def of_reference(text, estimated, order, smoothing, *, prune=None, prune_entropy=0.0, k=1.0):
    """The same by the reference, with the same discounts."""
    if smoothing == "kneser-ney":
        model = reference.kneser_ney(text, order, estimated.discounts.tolist(), prune)
    elif smoothing == "absolute":
        model = reference.absolute(text, order, estimated.discounts[:, 0].tolist(), prune)
    elif smoothing == "witten-bell":
        model = reference.witten_bell(text, order, prune)
    else:
        model = reference.add_k(text, order, k, prune)
    return reference.prune_by_entropy(model, prune_entropy) if prune_entropy else model


@pytest.mark.parametrize("seeds", [range(start, start + 50) for start in range(0, 240, 50)])
def test_the_reference_on_random_texts(seeds):
    for seed in seeds:
        text, options = random_case(seed)
        estimated = quietly(text, **options)
        try:
            assert_agrees(estimated, of_reference(text, estimated, **options))
            assert_sums_to_one(model_of(estimated))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {options}, {text}") from error


@pytest.mark.parametrize("smoothing", ["kneser-ney", "absolute"])
def test_estimated_discounts_and_a_longer_text(smoothing):
    """Enough words that every discount can be estimated, and tables of n-grams have to grow."""
    rng = random.Random(3)
    words = [f"w{int(rng.paretovariate(0.7))}" for _ in range(3000)]
    text = [words[i : i + 10] for i in range(0, len(words), 10)]
    estimated = estimate(text, 3, smoothing)
    assert estimated.counted[2] > 1500
    counts = reference.count(text, 3)
    if smoothing == "kneser-ney":
        expected = [reference.modified_discounts(n) for n in reference.continuations(counts)]
        model = reference.kneser_ney(text, 3)
    else:
        expected = [[reference.absolute_discount(level)] * 3 for level in counts]
        model = reference.absolute(text, 3)
    np.testing.assert_allclose(estimated.discounts, expected, rtol=1e-12)
    assert_agrees(estimated, model)


def test_lmplz_on_the_text_of_its_own_test():
    text = lmplz_figures.LOIN_TEXT.splitlines()
    with pytest.warns(UserWarning, match="2-grams"):
        ours = rows_of(estimate(text, 3))
    theirs = lmplz_figures.table(lmplz_figures.LOIN)
    assert set(ours) == set(theirs)
    for ngram, figures in theirs.items():
        assert ours[ngram] == pytest.approx(figures, abs=1e-6), ngram


@pytest.mark.parametrize(
    ("smoothing", "options", "by_hand"),
    [
        # 6 words counted, 4 different, 5 that can come: a, b, c, </s>, <unk>.
        (
            "witten-bell",
            {},
            {"a": "28/100", "b": "18/100", "<unk>": "8/100", "a b": "34/100", "<s> a": "76/100"},
        ),
        # Every count is 1 more, of 5 words.
        ("add-k", {"k": 1.0}, {"a": "3/11", "<unk>": "1/11", "a b": "2/7", "<s> a": "3/7"}),
        # n1 = n2 = 2 words, so D = 1/3; n1 = 4 and n2 = 1 pairs, so D = 2/3.
        ("absolute", {}, {"a": "29/90", "b": "14/90", "a b": "73/270"}),
        # Before a, b, c stands one word, before </s> two: of 5 ways, 5/2 go to the 5 words evenly.
        ("kneser-ney", {}, {"a": "2/10", "</s>": "3/10", "a b": "35/100", "<s> a": "6/10"}),
    ],
)
def test_figures_worked_by_hand(smoothing, options, by_hand):
    rows = rows_of(quietly(["a b", "a c"], 2, smoothing, **options))
    for ngram, prob in by_hand.items():
        assert 10 ** rows[tuple(ngram.split())][0] == pytest.approx(float(Fraction(prob)))


def test_what_add_k_leaves_goes_to_the_shorter_context():
    rows = rows_of(estimate(["a b", "a c"], 2, "add-k"))
    assert 10 ** rows[("a",)][1] == pytest.approx((3 / 7) / (7 / 11))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("k", [0.1, 0.3, 0.7, 1.1])
def test_contexts_that_every_word_follows(smoothing, k):
    """Nothing is left for others: no weight is needed, and none may be 0 / 0."""
    words = ["a", "b", "c", "<unk>"]
    text = [[*pair] for pair in itertools.product(words, words)] + [[w] for w in words] + [[]]
    for threshold in (0.0, 1e-3, 1e-1):
        made = quietly(text, 3, smoothing, k=k, prune_entropy=threshold)
        model = model_of(made)
        assert np.isfinite([*model.probs.values(), *model.backoffs.values()]).all()
        assert_sums_to_one(model)
        assert_agrees(made, of_reference(text, made, 3, smoothing, k=k, prune_entropy=threshold))


def test_the_sentence_begins_with_certainty():
    assert rows_of(quietly(["a b"], 2))[("<s>",)][0] == 0


def nltk_model(kind, text, order):
    models = pytest.importorskip("nltk.lm.models")
    everygrams = pytest.importorskip("nltk.util").everygrams
    model = getattr(models, kind)(
        order=order, **({"discount": 0.6} if "Witten" not in kind else {})
    )
    padded = [["<s>", *sentence, "</s>"] for sentence in text]
    model.fit(
        ([ngram for ngram in everygrams(s, max_len=order) if ngram != ("<s>",)] for s in padded),
        {word for sentence in padded for word in sentence},
    )
    return model


@pytest.mark.parametrize(
    ("kind", "smoothing"),
    [
        ("WittenBellInterpolated", "witten-bell"),
        ("AbsoluteDiscountingInterpolated", "discount"),
        ("KneserNeyInterpolated", "discount"),
    ],
)
def test_nltk_on_random_texts(kind, smoothing):
    """NLTK has another base for single words; above them the definitions are the same."""
    by_ways = kind.startswith("Kneser")
    for seed in range(20):
        text, order = random_text(random.Random(seed)), 1 + seed % 3
        theirs = nltk_model(kind, text, order)
        counter = _core.NGramCounter(order)
        counter.add_words(text)
        words = counter.words()
        levels = counter.levels(np.arange(len(words), dtype=np.uint32), len(words))
        tables = levels.estimate(smoothing, by_ways, [[0.6] * 3] * order, 1.0, [0] * order, 0.0)
        probs = {
            tuple(words[i] for i in ids): 10**prob
            for table in tables
            for ids, prob in zip(table[0], table[1], strict=True)
        }
        for ngram, prob in probs.items():
            # Behind <s> we keep occurrences, as lmplz does; NLTK counts the one way there.
            if len(ngram) > 1 and not (by_ways and ngram[0] == "<s>" and len(ngram) < order):
                alpha, gamma = theirs.estimator.alpha_gamma(ngram[-1], ngram[:-1])
                assert prob == pytest.approx(alpha + gamma * probs[ngram[1:]]), (seed, ngram)


def test_more_text_of_the_kind_is_better_predicted():
    """Each method does better than the words by themselves, on text it has not seen."""
    rng = random.Random(5)

    def sentence():
        walk = [rng.randrange(40)]
        while rng.random() < 0.9:
            walk.append((walk[-1] * 7 + rng.choice([1, 1, 1, 2, 5])) % 40)
        return [f"w{i}" for i in walk]

    text, held_out = [sentence() for _ in range(300)], [sentence() for _ in range(30)]
    for smoothing in ("kneser-ney", "witten-bell", "absolute", "add-k"):
        by_order = [
            reference.perplexity(model_of(quietly(text, order, smoothing, k=0.1)), held_out)
            for order in (1, 2)
        ]
        assert all(lower < higher / 2 for higher, lower in itertools.pairwise(by_order)), smoothing
