"""Tiny decoding problems: emissions, and what language models and word lists think of a text."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from unrolled.reference.softmax import log_softmax

NOTHING_CUT = {"beam_width": None, "token_min_logp": -math.inf, "beam_prune_logp": -math.inf}
KINDS = ("mild", "sharp", "masked", "quantised")


def tiny_emissions(rng, frames, classes):
    """Return log probabilities (T, C): mild, sharp, with -inf, or of few different values."""
    kind = rng.choice(KINDS)
    logits = rng.standard_normal((frames, classes)) * (10.0 if kind == "sharp" else 1.5)
    if kind == "masked":
        logits[rng.random(logits.shape) < 0.25] = -np.inf
        logits[np.isneginf(logits).all(axis=1)] = 0.0
    if kind == "quantised":
        logits = np.round(logits)
    return log_softmax(logits)


class BackoffModel:
    """An n-gram model as a table: Katz's recursion, written apart from the package's own."""

    def __init__(self, rng, words, order):
        self.order, self.known = order, set(words)
        self.log10, self.backoff = {}, {}
        vocabulary = ["<s>", "</s>", "<unk>", *words]
        for length in range(1, order + 1):
            for gram in product(vocabulary, repeat=length):
                contexts_exist = gram[:-1] in self.log10 or length == 1
                wanted = length == 1 or (rng.random() < 0.5 and contexts_exist)
                if not wanted or "<s>" in gram[1:] or "</s>" in gram[:-1]:
                    continue
                self.log10[gram] = -99.0 if gram == ("<s>",) else float(rng.uniform(-3.0, -0.2))
                if length < order and gram[-1] != "</s>":
                    self.backoff[gram] = float(rng.uniform(-1.0, 0.2))

    def log_prob(self, context, word):
        """Return the natural logarithm of the probability of a word behind others."""
        gram = (*context, word)[-self.order :]
        return math.log(10.0) * self._log10(gram)

    def _log10(self, gram):
        if gram in self.log10:
            return self.log10[gram]
        return self.backoff.get(gram[:-1], 0.0) + self._log10(gram[1:])

    def write(self, path):
        """Write it as ARPA."""
        lengths = range(1, self.order + 1)
        grams = {n: [gram for gram in self.log10 if len(gram) == n] for n in lengths}
        lines = ["\\data\\", *(f"ngram {n}={len(grams[n])}" for n in lengths), ""]
        for n in lengths:
            lines.append(f"\\{n}-grams:")
            for gram in grams[n]:
                cells = [repr(self.log10[gram]), " ".join(gram)]
                if gram in self.backoff:
                    cells.append(repr(self.backoff[gram]))
                lines.append("\t".join(cells))
            lines.append("")
        path.write_text("\n".join([*lines, "\\end\\", ""]), encoding="utf-8")
        return path


def language_bonus(model, units_of, *, lm_weight, word_score, unk_score, lm_eos):
    """Return the bonus of a text whose units `units_of` lists."""

    def bonus(tokens):
        context, total = ["<s>"], 0.0
        for unit in units_of(tokens):
            known = unit in model.known
            unit = unit if known else "<unk>"
            offset = 0.0 if known else unk_score
            total += lm_weight * (model.log_prob(tuple(context), unit) + offset) + word_score
            context.append(unit)
        end = model.log_prob(tuple(context), "</s>") if lm_eos else 0.0
        return total + lm_weight * end

    return bonus


def lexicon_bonus(words, words_of):
    """Return the bonus of a text that must consist of known words."""
    return lambda tokens: 0.0 if set(words_of(tokens)) <= set(words) else -math.inf


def hotword_bonus(weights, text_of):
    """Return the bonus of a text that may hold phrases, as whole words, each time they occur."""

    def bonus(tokens):
        words = text_of(tokens).split()
        total = 0.0
        for phrase, weight in weights.items():
            wanted = phrase.split()
            places = range(len(words) - len(wanted) + 1)
            total += weight * sum(words[k : k + len(wanted)] == wanted for k in places)
        return total

    return bonus


def joined(*parts):
    """Add up several bonuses."""
    return lambda tokens: sum(part(tokens) for part in parts)
