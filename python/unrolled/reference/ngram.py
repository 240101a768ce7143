"""N-gram language models: counting, smoothing, and scoring with back-off.

A sentence's probability is the product of those of its words, each given the words before it (the
chain rule), of which a model of order N looks at N - 1. How often words followed one another in a
text estimates these probabilities; smoothing gives some of what was seen to what was not. Here an
n-gram is a tuple of words, and counts are dictionaries.

Sources: Chen and Goodman (1998), "An Empirical Study of Smoothing Techniques for Language
Modeling"; Heafield et al. (2013), "Scalable Modified Kneser-Ney Language Model Estimation".
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

NGram = tuple[str, ...]
Sentences = Iterable[Sequence[str]]


class Model(NamedTuple):
    """A model in back-off form.

    Attributes
    ----------
    order
    words
        All that can follow: the words of the text, ``</s>`` and ``<unk>``.
    probs
        P(w | h) of the n-grams h w that the model keeps.
    backoffs
        The weight of P(w | shorter h) where h w is not kept; 1 where h is not listed.
    """

    order: int
    words: list[str]
    probs: dict[NGram, float]
    backoffs: dict[NGram, float]


def count(sentences: Sentences, order: int) -> list[Counter[NGram]]:
    """Count the n-grams of 1 to `order` words; a sentence stands between <s> and </s>."""
    counts: list[Counter[NGram]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        text = ["<s>", *sentence, "</s>"]
        for end in range(2, len(text) + 1):
            for k in range(1, min(order, end) + 1):
                counts[k - 1][tuple(text[end - k : end])] += 1
    return counts


def continuations(counts: list[Counter[NGram]]) -> list[Counter[NGram]]:
    """Count the different words before each n-gram: N1+(. w), Chen and Goodman, section 2.7.

    N-grams behind <s> and those of the highest order keep their occurrences (Heafield et al.,
    section 3.2).
    """
    adjusted = [Counter(level) for level in counts]
    for below, level in zip(adjusted, counts[1:], strict=False):
        before = Counter(ngram[1:] for ngram in level)
        for ngram in below:
            if ngram[0] != "<s>":
                below[ngram] = before[ngram]
    return adjusted


def counts_of_counts(level: Counter[NGram]) -> list[int]:
    """Return how many n-grams have count 1, 2, 3 and 4."""
    numbers = Counter(level.values())
    return [numbers[j] for j in (1, 2, 3, 4)]


def modified_discounts(level: Counter[NGram]) -> list[float]:
    """Return D1, D2 and D3+: Chen and Goodman, equation 26."""
    n = [0, *counts_of_counts(level)]
    y = n[1] / (n[1] + 2 * n[2])
    return [j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)]


def absolute_discount(level: Counter[NGram]) -> float:
    """Return the one discount of Ney, Essen and Kneser (1994): Chen and Goodman, section 2.6."""
    n1, n2, _, _ = counts_of_counts(level)
    return n1 / (n1 + 2 * n2)


def kneser_ney(
    sentences: Sentences,
    order: int,
    discounts: Sequence[Sequence[float]] | None = None,
    cutoffs: Sequence[int] | None = None,
    words: Iterable[str] = (),
) -> Model:
    """Estimate a model with modified, interpolated Kneser-Ney: Heafield et al., section 3.

    Parameters
    ----------
    sentences
    order
    discounts
        D1, D2, D3+ of each order; by default `modified_discounts`.
    cutoffs
        For each order: n-grams that occur so often or less are left out.
    words
        Words that may not occur in the text.
    """
    counts = count(sentences, order)
    adjusted = continuations(counts)
    if discounts is None:
        discounts = [modified_discounts(level) for level in adjusted]

    def mass(k: int, c: int) -> float:
        return c - discounts[k - 1][min(c, 3) - 1]

    return _interpolate(counts, adjusted, mass, lambda context: 0.0, cutoffs, words)


def absolute(
    sentences: Sentences,
    order: int,
    discounts: Sequence[float] | None = None,
    cutoffs: Sequence[int] | None = None,
    words: Iterable[str] = (),
) -> Model:
    """Estimate a model with interpolated absolute discounting: Chen and Goodman, section 2.6."""
    counts = count(sentences, order)
    if discounts is None:
        discounts = [absolute_discount(level) for level in counts]

    def mass(k: int, c: int) -> float:
        return c - discounts[k - 1]

    return _interpolate(counts, counts, mass, lambda context: 0.0, cutoffs, words)


def witten_bell(
    sentences: Sentences,
    order: int,
    cutoffs: Sequence[int] | None = None,
    words: Iterable[str] = (),
) -> Model:
    """Estimate a model with Witten-Bell smoothing: Chen and Goodman, section 2.5.

    A context that was followed by T different words leaves T of its C + T to the shorter one.
    """
    counts = count(sentences, order)
    different = Counter(ngram[:-1] for level in counts for ngram in level)
    return _interpolate(
        counts, counts, lambda k, c: c, lambda context: different[context], cutoffs, words
    )


def _interpolate(
    counts: list[Counter[NGram]],
    used: list[Counter[NGram]],
    mass: Callable[[int, int], float],
    reserve: Callable[[NGram], float],
    cutoffs: Sequence[int] | None,
    words: Iterable[str],
) -> Model:
    """P(w | h) = (mass + left * P(w | shorter h)) / (total + reserve).

    `left` is what the n-grams of h do not take: what is reserved, what `mass` takes off their
    counts, and all of those that are left out.
    """
    model = _empty(counts, words)
    for k, level in enumerate(used, start=1):
        kept = _kept(counts[k - 1], k, cutoffs)
        total: defaultdict[NGram, float] = defaultdict(float)
        left: defaultdict[NGram, float] = defaultdict(float)
        for context in {ngram[:-1] for ngram in level}:
            total[context] = left[context] = reserve(context)
        for ngram, c in level.items():
            total[ngram[:-1]] += c
            left[ngram[:-1]] += c - mass(k, c) if ngram in kept else c
        for context in total:
            model.backoffs[context] = left[context] / total[context]
        for ngram in kept:
            share = mass(k, level[ngram]) / total[ngram[:-1]]
            lower = 1 / len(model.words) if k == 1 else model.probs[ngram[1:]]
            model.probs[ngram] = share + model.backoffs[ngram[:-1]] * lower
    _add_unseen_words(model)
    return model


def add_k(
    sentences: Sentences,
    order: int,
    k: float = 1.0,
    cutoffs: Sequence[int] | None = None,
    words: Iterable[str] = (),
) -> Model:
    """Estimate a model with Lidstone's smoothing: Chen and Goodman, section 2.1.

    P(w | h) = (c(h w) + k) / (c(h) + k V) for every n-gram that occurs. What this leaves is
    shared among the other words as the shorter context shares it, in place of evenly.
    """
    counts = count(sentences, order)
    model = _empty(counts, words)
    size = len(model.words)
    for length, level in enumerate(counts, start=1):
        kept = _kept(level, length, cutoffs)
        total: Counter[NGram] = Counter()
        for ngram, c in level.items():
            total[ngram[:-1]] += c
        for ngram in kept:
            model.probs[ngram] = (level[ngram] + k) / (total[ngram[:-1]] + k * size)
        if length == 1:
            model.backoffs[()] = k * size / (total[()] + k * size)
            _add_unseen_words(model)
            continue
        for context in total:
            followers = [ngram for ngram in kept if ngram[:-1] == context]
            left = 1 - sum(model.probs[ngram] for ngram in followers)
            lower = 1 - sum(model.probs[ngram[1:]] for ngram in followers)
            model.backoffs[context] = left / lower if len(followers) < size else 1.0
    return model


def _empty(counts: list[Counter[NGram]], words: Iterable[str]) -> Model:
    seen = [ngram[0] for ngram in counts[0]]
    return Model(len(counts), sorted({"<unk>", "</s>", *seen, *words}), {}, {})


def _kept(level: Counter[NGram], k: int, cutoffs: Sequence[int] | None) -> list[NGram]:
    cutoff = 0 if cutoffs is None or k == 1 else cutoffs[k - 1]
    return [ngram for ngram, c in level.items() if c > cutoff]


def _add_unseen_words(model: Model) -> None:
    """Share what single words leave evenly; the empty context has no other use of its weight."""
    left = model.backoffs.pop((), 0.0)
    for word in model.words:
        model.probs.setdefault((word,), left / len(model.words))


def prob(model: Model, context: Sequence[str], word: str) -> float:
    """Return P(word | context): the longest n-gram that is kept, times weights on the way to it."""
    word = word if (word,) in model.probs else "<unk>"
    ngram = (*context[max(0, len(context) - model.order + 1) :], word)
    weight = 1.0
    while ngram not in model.probs:
        weight *= model.backoffs.get(ngram[:-1], 1.0)
        ngram = ngram[1:]
    return weight * model.probs[ngram]


def log_prob(model: Model, sentence: Sequence[str]) -> float:
    """Return the natural logarithm of a sentence's probability, that of its end included."""
    text = ["<s>", *(w if (w,) in model.probs else "<unk>" for w in sentence), "</s>"]
    return sum(math.log(prob(model, text[:i], text[i])) for i in range(1, len(text)))


def perplexity(model: Model, sentences: Sentences) -> float:
    """Return exp of the mean negative log probability of a word, or end of a sentence."""
    total, events = 0.0, 0
    for sentence in sentences:
        total += log_prob(model, sentence)
        events += len(sentence) + 1
    return math.exp(-total / events)


def prune_by_entropy(model: Model, threshold: float) -> Model:
    """Leave out n-grams that the model can do without: Stolcke (1998), section 3.

    An n-gram goes if the perplexity without it, and it alone, is less than `threshold` above that
    of the model on text of its own: exp(D(p || p')) - 1. N-grams that begin or end a longer one
    stay.
    """
    pruned = Model(model.order, model.words, dict(model.probs), dict(model.backoffs))
    for k in range(model.order, 1, -1):
        needed = {part for n in pruned.probs if len(n) == k + 1 for part in (n[:-1], n[1:])}
        candidates = [n for n in pruned.probs if len(n) == k and n not in needed]
        lost = [n for n in candidates if math.expm1(divergence(model, n)) < threshold]
        for ngram in lost:
            del pruned.probs[ngram]
        for context in {ngram[:-1] for ngram in lost}:
            pruned.backoffs[context] = _backoff(pruned, context)
    return pruned


def divergence(model: Model, ngram: NGram) -> float:
    """Return D(p || p') of a model p and p', the same without one n-gram."""
    h = ngram[:-1]
    without = Model(model.order, model.words, dict(model.probs), dict(model.backoffs))
    del without.probs[ngram]
    without.backoffs[h] = _backoff(without, h)
    joint = math.prod(prob(model, h[:i], "</s>" if h[i] == "<s>" else h[i]) for i in range(len(h)))
    terms = [(prob(model, h, w), prob(without, h, w)) for w in model.words]
    return joint * sum(p * (math.log(p) - math.log(q)) for p, q in terms)


def _backoff(model: Model, h: NGram) -> float:
    """Return the weight with which the probabilities of a context sum to 1."""
    followers = [ngram for w in model.words if (ngram := (*h, w)) in model.probs]
    left = 1 - sum(model.probs[ngram] for ngram in followers)
    return left / (1 - sum(prob(model, h[1:], ngram[-1]) for ngram in followers))
