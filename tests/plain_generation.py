"""Picking tokens written out in plain Python, in float64: what the core is compared with.

`says(history)` gives log probabilities, or logits, (V,); a history has the prompt in front.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.random import Philox

NEVER = -np.inf


def repetition(scores, history, penalty):
    scores = scores.copy()
    for token in set(history):
        scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty
    return scores


def no_repeated_ngrams(scores, history, size):
    scores = scores.copy()
    if size > 0:
        seen = {tuple(history[i : i + size]) for i in range(len(history) - size + 1)}
        last = tuple(history[len(history) - size + 1 :]) if len(history) >= size - 1 else None
        for token in range(len(scores)):
            if last is not None and (*last, token) in seen:
                scores[token] = NEVER
    return scores


def allowed_only(scores, allowed):
    return scores if allowed is None else np.where(allowed, scores, NEVER)


def least_length(scores, place, least, eos):
    scores = scores.copy()
    if place < least:
        scores[eos] = NEVER
    return scores


def ruled(scores, prompt, written, s, eos, allowed=None):
    """Apply the rules in their order to the scores of the token after `written`."""
    history = [*prompt, *written]
    scores = repetition(scores, history, s.get("repetition_penalty", 1.0))
    scores = no_repeated_ngrams(scores, history, s.get("no_repeat_ngram_size", 0))
    scores = allowed_only(scores, allowed)
    return least_length(scores, len(written), s.get("min_new_tokens", 0), eos)


def score(total, length, penalty):
    return total / length**penalty


def exhaustive(says, prompt, s, eos, allowed=None, prefix=()):
    """Return (score, tokens) of all sequences, best first: they end in <eos>, or are cut off."""
    found = []

    def go_on(written, total):
        if len(written) == s["max_new_tokens"] or (written and written[-1] == eos):
            found.append((score(total, len(written), s["length_penalty"]), tuple(written)))
            return
        log_probs = says([*prompt, *written])
        if len(written) < len(prefix):
            token = prefix[len(written)]
            return go_on([*written, token], total + log_probs[token])
        scores = ruled(log_probs, prompt, written, s, eos, allowed)
        for token in np.flatnonzero(scores > NEVER).tolist():
            go_on([*written, token], total + scores[token])

    go_on([], 0.0)
    return sorted(found, key=lambda one: -one[0])


def beam(says, prompt, s, eos, allowed=None, ends=True):
    """Return (score, tokens) of what beam search collects; with ends=False it never stops early."""
    width, most, penalty = s["num_beams"], s["max_new_tokens"], s["length_penalty"]
    stopping = s.get("early_stopping", False)
    open_, ended = [(0.0, ())], []
    for place in range(most):
        candidates = []
        for at, (total, written) in enumerate(open_):
            scores = ruled(says([*prompt, *written]), prompt, written, s, eos, allowed)
            for token in np.flatnonzero(scores > NEVER).tolist():
                candidates.append((total + scores[token], at, token))
        candidates.sort(key=lambda c: (-c[0], c[1], c[2]))
        next_ = []
        for rank, (total, at, token) in enumerate(candidates):
            written = (*open_[at][1], token)
            if token != eos:
                next_.append((total, written))
            elif rank < width:
                ended.append((score(total, len(written), penalty), written))
        open_ = next_[:width]
        ended = sorted(ended, key=lambda one: -one[0])[:width]
        if not open_:
            return ended
        if ends and place + 1 < most and _is_over(open_[0][0], ended, place + 1, s, stopping):
            return ended
    ended += [(score(total, most, penalty), written) for total, written in open_]
    return sorted(ended, key=lambda one: -one[0])[:width]


def _is_over(best, ended, length, s, stopping):
    if len(ended) < s["num_beams"]:
        return False
    if stopping is True:
        return True
    if stopping == "never" and s["length_penalty"] > 0:
        length = s["max_new_tokens"]
    return ended[-1][0] >= score(best, length, s["length_penalty"])


def early_termination(says, prompt, s, eos):
    """Return the beam, best first, when its best `num_return_sequences` members have ended."""
    members = [(0.0, ())]
    for _ in range(s["max_new_tokens"]):
        candidates = []
        for at, (total, written) in enumerate(members):
            if written and written[-1] == eos:
                candidates.append((total, at, -1, written))
                continue
            log_probs = says([*prompt, *written])
            candidates += [
                (total + log_probs[token], at, token, (*written, token))
                for token in np.flatnonzero(log_probs > NEVER).tolist()
            ]
        candidates.sort(key=lambda c: (-c[0], c[1], c[2]))
        members = [(total, written) for total, _, _, written in candidates[: s["num_beams"]]]
        best = members[: s.get("num_return_sequences", 1)]
        if all(written[-1] == eos for _, written in best):
            break
    return members


def uniform(seed, item, sequence, place):
    """Return the number in [0, 1) that a draw uses: of NumPy's Philox4x64-10."""
    counter = [place, sequence, item, 0]
    counter = (
        sum(part << (64 * k) for k, part in enumerate(counter)) - 1
    )  # it steps before it draws
    generator = Philox(counter=counter % 2**256, key=seed)
    return (int(generator.random_raw()) >> 11) * 2.0**-53


def shaped(logits, s):
    """Return (tokens, probabilities) that a draw picks among, in the order in which it does."""
    temperature = s.get("temperature", 1.0)
    if temperature == 0:
        return [int(np.argmax(logits))], np.ones(1)
    logits = (logits - logits.max()) / temperature
    top_k, top_p = s.get("top_k"), s.get("top_p", 1.0)
    tokens = [int(v) for v in np.flatnonzero(logits > NEVER)]
    if (top_k is not None and top_k < len(logits)) or top_p < 1:
        tokens.sort(key=lambda v: (-logits[v], v))
    if top_k is not None:
        tokens = tokens[:top_k]
    probabilities = np.exp(logits[tokens])
    probabilities /= probabilities.sum()
    if top_p < 1:
        sums = list(itertools.accumulate(probabilities))
        count = next((k + 1 for k, total in enumerate(sums) if total >= top_p), len(sums))
        tokens, probabilities = tokens[:count], probabilities[:count]
    return tokens, probabilities / probabilities.sum()


def sample(says, prompt, s, eos, item=0, sequence=0, allowed=None):
    """Return the tokens that are drawn."""
    written = []
    while len(written) < s["max_new_tokens"] and (not written or written[-1] != eos):
        logits = ruled(says([*prompt, *written]), prompt, written, s, eos, allowed)
        tokens, probabilities = shaped(logits, s)
        place = uniform(s["seed"], item, sequence, len(written))
        k = int(np.searchsorted(np.cumsum(probabilities), place, side="right"))
        written.append(tokens[min(k, len(tokens) - 1)])
    return tuple(written)
