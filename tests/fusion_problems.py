"""What language models, lexica and hotwords add to a text, from their definitions alone."""

from __future__ import annotations

import itertools
import math
import re
import zlib
from functools import cache

import numpy as np

from unrolled.decode.labels import Labels

CHARACTERS = Labels(["", "a", "b", "c", " "])
PIECES = Labels(["▁a", "b", "▁", "ab", "▁?▁", "<blk>"], blank=-1)
WORDPIECES = Labels(["[PAD]", "a", "##b", "##a", "b"])
WORDS = Labels(["hey", "you", "there", "<pad>"], blank="<pad>", kind="words")
SINGLE = Labels(["", "a", "b", "ab"], kind="characters")  # no delimiter, and a label of two letters
ALL_LABELS = {
    "characters": CHARACTERS,
    "pieces": PIECES,
    "wordpieces": WORDPIECES,
    "words": WORDS,
    "single": SINGLE,
}


class PlainModel:
    """A language model whose probabilities follow from a hash of the last units."""

    def __init__(self, order=3, upper_bound=0.0, forbidden=()):
        self.order, self.upper_bound, self.forbidden = order, upper_bound, forbidden
        self.calls = []
        self.log_prob = cache(self._log_prob)

    def start(self):
        return ("<s>",)

    def score(self, states, units):
        self.calls.append(len(units))
        scores = [self.log_prob(s, u) for s, u in zip(states, units, strict=True)]
        return np.array(scores), [self.next(s, u) for s, u in zip(states, units, strict=True)]

    def finish(self, states):
        return [self.log_prob(state, "</s>") for state in states]

    def next(self, state, unit):
        return (*state, unit)[1 - self.order :] if self.order > 1 else ()

    def _log_prob(self, state, unit):
        if unit in self.forbidden:
            return -math.inf
        return -4.0 * zlib.crc32(repr((state, unit)).encode()) / 2**32 - 0.1

    def told_early(self, word):
        return 0.0

    def total(self, units, finished):
        state, total = self.start(), 0.0
        for unit in [*units, *(["</s>"] if finished else [])]:
            total += self.log_prob(state, unit)
            state = self.next(state, unit)
        return total


def closed_words(labels, tokens, finished):
    """List the words that are complete."""
    words = labels.words(tokens)
    is_open = words and words[-1][2] == len(tokens) and not labels.ends_word[tokens[-1]]
    return [word for word, *_ in (words[:-1] if is_open and not finished else words)]


def running_text(labels, tokens):
    """Write a text with a space wherever a word starts or ends."""
    written = ""
    for token in tokens:
        text = labels.text([token])
        written += " " * int(labels.starts_word[token]) + text + " " * int(labels.ends_word[token])
    return written


def units_of(labels, unit, tokens, finished):
    """Cut a text into units of a language model."""
    if unit == "word":
        return closed_words(labels, tokens, finished)
    if unit == "token":
        return [labels.texts[token] for token in tokens]
    text = running_text(labels, tokens)
    return list(text[1:] if tokens and labels.starts_word[tokens[0]] else text)


def language_bonus(labels, model, *, unit, weight, unit_score, eos=True):
    """Return a function of tokens, and whether they are a whole text."""

    def bonus(tokens, finished=True):
        units = units_of(labels, unit, tokens, finished)
        total = model.total(units, finished and eos)
        if unit == "word" and not finished:  # at most one word is not complete
            total += sum(model.told_early(word) for word, *_ in labels.words(tokens)[len(units) :])
        return weight * total + unit_score * len(units)

    return bonus


def hotword_bonus(labels, weights, *, whole_words=True):
    """Return a function of tokens, and whether they are a whole text."""
    marks = labels.delimiter is not None or labels.kind != "characters"
    edge = " " if whole_words and marks else ""

    def bonus(tokens, finished=True):
        text = " " + running_text(labels, tokens) + " " * finished
        text = re.sub(" +", " ", text)
        total, credit = 0.0, 0.0
        for phrase, weight in weights.items():
            weight = min(weight, 5.0 * len(phrase))
            pattern = edge + phrase + edge
            total += weight * len(re.findall(f"(?={re.escape(pattern)})", text))
            for k in range(1, len(pattern)):
                if text.endswith(pattern[:k]) and not finished:
                    share = min(max(k - len(edge), 0), len(phrase)) / len(phrase)
                    credit = max(credit, math.floor(weight * share * 2**20) / 2**20)
        return total + credit

    return bonus


def lexicon_bonus(labels, words):
    """Return a function of tokens, and whether they are a whole text."""

    def bonus(tokens, finished=True):
        complete = closed_words(labels, tokens, finished)
        last = labels.words(tokens)[len(complete) :]
        begun = all(any(known.startswith(word) for known in words) for word, *_ in last)
        return 0.0 if begun and all(word in words for word in complete) else -math.inf

    return bonus


def every_sequence(labels, length):
    """Yield all token sequences of up to `length`."""
    classes = [c for c in range(len(labels)) if c != labels.blank and c not in labels.specials]
    for n in range(length + 1):
        yield from itertools.product(classes, repeat=n)


def assert_follows(fusion, bonus, tokens):
    """Compare what each token adds, and the end, with differences of a plain bonus."""
    weights, _, end, before, after = fusion.follow(np.array(tokens, np.int32))
    assert bonus((), False) == 0
    for n in range(1, len(tokens) + 1):
        total = bonus(tokens[:n], False)
        if total == -math.inf:
            assert weights[n - 1] == -math.inf, tokens
            return None
        assert abs(weights[:n].sum() - total) <= 1e-12 * max(1, abs(total)), tokens
    total = bonus(tokens, True)
    if total == -math.inf:
        assert end == -math.inf, tokens
        return None
    assert abs(weights.sum() + end - total) <= 1e-12 * max(1, abs(total)), tokens
    return before, after


def single(x):
    """Round a number as models keep it."""
    return float(np.float32(x))


class PlainNGram:
    """A back-off model as ARPA files define it, in base 10 inside and natural logs outside."""

    def __init__(self, rng, words, order=3, unknown=-10.0, has_unknown=True):
        self.unknown, self.order = unknown, order
        names = [*words, "</s>", *(["<unk>"] if has_unknown else [])]
        self.probs = {(name,): single(-rng.uniform(0.1, 2.0)) for name in names}
        self.backoffs = {("<s>",): single(-0.3)} | {
            (name,): single(-rng.uniform(0, 1)) for name in words
        }
        self.probs[("<s>",)] = -99.0
        for n in range(2, order + 1):
            for context in [c for c in self.backoffs if len(c) == n - 1]:
                for name in rng.choice([*words, "</s>"], 2, replace=False).tolist():
                    self.probs[(*context, name)] = single(-rng.uniform(0.05, 1.0))
                    if n < order and name != "</s>":
                        self.backoffs[(*context, name)] = single(-rng.uniform(0, 1))

    def arpa(self):
        lines = ["\\data\\"]
        levels = [[g for g in self.probs if len(g) == n + 1] for n in range(self.order)]
        lines += [f"ngram {n + 1}={len(level)}" for n, level in enumerate(levels)]
        for n, level in enumerate(levels):
            lines += ["", f"\\{n + 1}-grams:"]
            for gram in level:
                backoff = f"\t{self.backoffs[gram]!r}" if gram in self.backoffs else ""
                lines.append(f"{self.probs[gram]!r}\t{' '.join(gram)}{backoff}")
        return "\n".join([*lines, "", "\\end\\", ""])

    def log_prob(self, history, unit):
        known = (unit,) in self.probs and unit != "<unk>"
        if not known and ("<unk>",) not in self.probs:
            return -100.0 * math.log(10) + self.unknown  # as the reader of ARPA files has it
        gram = (*history, unit if known else "<unk>")[-self.order :]
        total = 0.0
        while gram not in self.probs:
            total += self.backoffs.get(gram[:-1], 0.0)
            gram = gram[1:]
        return (total + self.probs[gram]) * math.log(10) + (0.0 if known else self.unknown)

    def told_early(self, word):
        """Return what an unfinished word costs that can only become an unknown one."""
        known = {gram[0] for gram in self.probs if len(gram) == 1} - {"<s>", "</s>", "<unk>"}
        begins = any(name.startswith(word) for name in known)
        return 0.0 if begins else min(self.unknown, 0.0)

    def total(self, units, finished):
        history, total = ["<s>"], 0.0
        for unit in [*units, *(["</s>"] if finished else [])]:
            total += self.log_prob(history, unit)
            history.append(unit if (unit,) in self.probs else "<unk>")
        return total
