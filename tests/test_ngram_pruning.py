"""Pruning of n-gram models: by counts as lmplz, by entropy as Stolcke."""

from __future__ import annotations

import random

import pytest

import lmplz_figures
from ngram_problems import assert_sums_to_one, model_of, quietly, random_text, rows_of
from unrolled.lm.training import SMOOTHINGS, estimate
from unrolled.reference import ngram as reference


def test_counts_cut_off_as_lmplz_does():
    ours = rows_of(estimate(lmplz_figures.TEN_TEXT.splitlines(), 3, prune=1))
    theirs = lmplz_figures.table(lmplz_figures.TEN_PRUNED)
    assert set(ours) == set(theirs)
    for ngram, figures in theirs.items():
        assert ours[ngram] == pytest.approx(figures, abs=1e-6), ngram


def test_the_last_cutoff_holds_for_longer_ngrams():
    text = lmplz_figures.TEN_TEXT.splitlines()
    short, whole = (rows_of(quietly(text, 4, prune=prune)) for prune in ([0, 0, 1], [0, 0, 1, 1]))
    assert short == whole
    assert len(whole) < len(rows_of(quietly(text, 4)))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_a_higher_threshold_keeps_fewer_and_costs_more(smoothing):
    text = lmplz_figures.TEN_TEXT.splitlines()
    tokens = [line.split() for line in text]
    sizes, perplexities = [], []
    for threshold in (0, 1e-3, 1e-2, 1e-1, 10):
        model = model_of(quietly(text, 3, smoothing, prune_entropy=threshold))
        assert_sums_to_one(model)
        sizes.append(len(model.probs))
        perplexities.append(reference.perplexity(model, tokens))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == len(model.words)  # words are never pruned
    assert perplexities[-1] > perplexities[0]


def test_ngrams_that_others_stand_on_stay():
    for seed in range(30):
        text = random_text(random.Random(seed))
        kept = set(rows_of(quietly(text, 4, "witten-bell", prune_entropy=1e-2)))
        for ngram in kept:
            if len(ngram) > 1:
                assert ngram[1:] in kept
                assert ngram[:-1] in kept


def test_what_is_lost_is_what_the_model_can_do_without():
    """The n-gram that goes first is the one without which the distributions differ least."""
    text = lmplz_figures.TEN_TEXT.splitlines()
    whole = estimate(text, 2, "witten-bell")
    model = model_of(whole)
    costs = {n: reference.divergence(model, n) for n in model.probs if len(n) == 2}
    threshold = sorted(costs.values())[10] * 1.0000001
    kept = set(rows_of(estimate(text, 2, "witten-bell", prune_entropy=threshold)))
    lost = set(rows_of(whole)) - kept
    assert lost == set(sorted(costs, key=costs.__getitem__)[: len(lost)])
    assert len(lost) >= 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prune": [0, 2, 1]}, r"must not fall .* \[0, 2, 1\]"),
        ({"prune": [1, 1]}, "must begin with 0.*min_count"),
        ({"prune": [0, 0, 0, 0]}, "1 to 3 numbers, got 4"),
        ({"prune": []}, "1 to 3 numbers, got 0"),
        ({"prune": [0, 0.5]}, "whole numbers"),
        ({"prune": -1}, "at least 0"),
        ({"prune_entropy": -1.0}, "prune_entropy must be"),
        ({"prune_entropy": float("nan")}, "prune_entropy must be"),
    ],
)
def test_wrong_arguments(options, says):
    with pytest.raises(ValueError, match=says):
        estimate(["a b"], 3, **options)
