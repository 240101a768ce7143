"""Random back-off models, their ARPA files, and the rule of back-off in plain Python."""

from __future__ import annotations

import math

import numpy as np

SMALLEST = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.75\t</s>
-0.5\ta\t-0.25
-0.625\tb\t0.125

\\2-grams:
-0.375\t<s> a
-0.25\ta b
-0.125\tb </s>

\\end\\
"""


def random_model(rng, order, words=6, ngrams=30, unk=True, positive=False, missing=0.0):
    """N-grams of each order: {words: (log10 probability, log10 back-off weight)}.

    `missing` is how many of the n-grams that begin or end others are left out.
    """
    vocabulary = [*(["<unk>"] if unk else []), "<s>", "</s>", *(f"w{i}" for i in range(words))]
    levels = [{(word,): None for word in vocabulary}]
    for _ in range(order - 1):
        shorter = [ngram for ngram in levels[-1] if ngram[-1] != "</s>"]
        longer = {("w0",) * (len(levels) + 1): None}  # so that all orders have some
        for _ in range(ngrams):
            context = shorter[rng.integers(len(shorter))]
            ngram = (*context, vocabulary[rng.integers(len(vocabulary))])
            if ngram[-1] != "<s>" and ngram[1:] in levels[-1]:
                longer[ngram] = None
        levels.append(longer)
    for below in levels[1:-1]:
        for ngram in list(below):
            if rng.random() < missing and len(below) > 1:
                del below[ngram]
    top = 1.5 if positive else 0.0
    return [
        {
            ngram: (
                np.float32(-rng.uniform(0, 4)),
                np.float32(rng.uniform(-2, top) if n < order and rng.random() < 0.7 else 0),
            )
            for ngram in level
        }
        for n, level in enumerate(levels, 1)
    ]


def arpa_text(model, rng=None):
    """Write it as ARPA; with `rng` the n-grams come in any sequence."""
    lines = ["\\data\\", *(f"ngram {n}={len(level)}" for n, level in enumerate(model, 1))]
    for n, level in enumerate(model, 1):
        lines += ["", f"\\{n}-grams:"]
        ngrams = list(level)
        if rng is not None:
            rng.shuffle(ngrams)
        for ngram in ngrams:
            prob, backoff = level[tuple(ngram)]
            weight = f"\t{backoff}" if backoff != 0 else ""
            lines.append(f"{prob}\t{' '.join(ngram)}{weight}")
    return "\n".join([*lines, "", "\\end\\", ""])


def back_off(model, context, word):
    """Return log10 P(word | context) and the length of the longest n-gram found."""
    context = tuple(context)[max(0, len(context) - len(model) + 1) :]
    ngram = (*context, word)
    if ngram in model[len(context)]:
        return float(model[len(context)][ngram][0]), len(ngram)
    if not context:
        return -100.0, 1  # <unk> in a model without it
    weight = model[len(context) - 1].get(context, (0.0, 0.0))[1]
    log_prob, length = back_off(model, context[1:], word)
    return float(weight) + log_prob, length


def plain_scores(model, sentence, bos=True, eos=True):
    """Return (natural logarithm, n-gram length, unknown) of each word, its whole history kept."""
    known = [word if (word,) in model[0] else "<unk>" for word in sentence]
    history, scores = (["<s>"] if bos else []), []
    for word in [*known, *(["</s>"] if eos else [])]:
        log_prob, length = back_off(model, history, word)
        scores.append((log_prob * math.log(10), length, word == "<unk>"))
        history.append(word)
    return scores


def random_sentence(rng, model, longest=8):
    """Words of the model, many of its n-grams, and words that it does not know."""
    words = []
    while len(words) < rng.integers(1, longest + 1):
        level = model[rng.integers(len(model))]
        ngrams = list(level)
        words += [w for w in ngrams[rng.integers(len(ngrams))] if w not in ("<s>", "</s>")]
        if rng.random() < 0.1:
            words.append("unheard")
    return words


def load_text(tmp_path, text, name="model.arpa", **options):
    """Load a model from the text of a file."""
    from unrolled.lm import NGram

    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return NGram.load(path, **options)
