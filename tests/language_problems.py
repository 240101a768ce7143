"""Language models under test: small ones of each kind, and their probabilities token by token."""

from __future__ import annotations

import numpy as np

import unrolled
from unrolled.lm import Vocabulary
from unrolled.models import LanguageModel

LETTERS = Vocabulary(list("abcd"), unit="char")  # <pad> <unk> <sos> <eos> a b c d
LINES = Vocabulary(list("\nabcd"), unit="char", pad=None, unk=None, sos=None, eos=None)

KINDS = {
    "rnn": {"cell": "rnn"},
    "lstm": {"cell": "lstm", "layers": 2},
    "gru": {"cell": "gru", "tie": True},
    "tied": {"cell": "lstm", "tie": True, "embedding": 5},
    "window": {"kind": "window", "window": 3, "layers": 2},
    "time-delay": {"kind": "time-delay", "window": 2, "layers": 3, "tie": True},
}


def small_model(kind="lstm", vocabulary=LETTERS, *, seed=0, sharp=3.0, **options):
    """A model with weights large enough that its probabilities differ."""
    unrolled.manual_seed(seed)
    arguments = {"embedding": 4, "hidden": 6, **KINDS[kind], **options}
    model = LanguageModel(vocabulary, **arguments)
    for parameter in model.parameters():
        parameter.data *= sharp
    return model.eval()


def log_softmax(scores):
    scores = np.asarray(scores, np.float64)
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def next_log_probs(model, ids):
    """Of the token after `ids`: a pass over all of them, nothing carried."""
    with unrolled.no_grad():
        scores, _ = model(np.array([ids]))
    return log_softmax(scores.data[0, -1])


def chain(model, ids):
    """The log probability of all of `ids` but the first, one pass for each."""
    return sum(next_log_probs(model, ids[:k])[ids[k]] for k in range(1, len(ids)))


class Protocol:
    """The same model by the decoder's protocol for models written in Python."""

    def __init__(self, model):
        self.model, self.borders = model, model.borders
        self.vocabulary = [t for t in model.vocabulary.tokens if t not in ("<pad>", "<sos>")]

    def start(self):
        return (self.borders.start,)

    def score(self, states, units):
        tokens = [self.model.vocabulary.index(unit) for unit in units]
        pairs = list(zip(states, tokens, strict=True))
        found = [next_log_probs(self.model, list(state))[token] for state, token in pairs]
        return found, [(*state, token) for state, token in pairs]

    def finish(self, states):
        end = self.borders.end
        return [next_log_probs(self.model, list(state))[end] for state in states]
