"""Small step models for tests of the search: any function of what was written."""

from __future__ import annotations

import numpy as np

from unrolled._core import PythonStepModel

# Ids of the vocabularies here: <sos> 0, <eos> 1, then the others.
SOS, EOS = 0, 1


def names(size):
    """Return ``<sos>, <eos>, a, b, ...``."""
    return ["<sos>", "<eos>", *map(chr, range(ord("a"), ord("a") + size - 2))]


class Table:
    """Logits that are random for each history: any model over a small vocabulary and few tokens.

    A history is a number with the digits token + 1, which float32 holds exactly.
    """

    def __init__(self, rng, size, most, items=1, spread=2.0, attended=0):
        self.size, self.items, self.attended = size, items, attended
        codes = (size + 1) ** (most + 1)
        assert codes < 2**24
        self.logits = (spread * rng.standard_normal((items, codes, size))).astype(np.float32)
        self.steps = []

    def code_of(self, history):
        code = 0
        for token in history:
            code = code * (self.size + 1) + token + 1
        return code

    def log_probs(self, history, item=0):
        """Return log probabilities (V,) of the next token, in float64."""
        row = self.logits[item, self.code_of(history)].astype(np.float64)
        row = row - row.max()
        return row - np.log(np.exp(row).sum())

    def raw(self, history, item=0):
        return self.logits[item, self.code_of(history)].astype(np.float64)

    def model(self, items=None):
        """Return a step model of all items, or of some."""
        chosen = np.arange(self.items) if items is None else np.asarray(items)

        def step(tokens, rows, states):
            self.steps.append(len(tokens))
            codes = states[:, 0].astype(np.int64) * (self.size + 1) + tokens + 1
            after = codes[:, None].astype(np.float32)
            logits = self.logits[chosen[rows], codes]
            if not self.attended:
                return after, logits
            weights = np.ones((len(tokens), self.attended)) * (1 + codes[:, None] % 7)
            weights *= 1 + np.arange(self.attended)
            return after, logits, (weights / weights.sum(1, keepdims=True)).astype(np.float32)

        return PythonStepModel(
            tokens=self.size,
            items=len(chosen),
            state_size=1,
            start=lambda: np.zeros((len(chosen), 1), np.float32),
            step=step,
            attended=self.attended,
        )


class Fixed:
    """The same logits (V,) at each place, whatever was written."""

    def __init__(self, logits, items=1):
        self.logits, self.items = np.asarray(logits, np.float32), items

    def model(self):
        def step(tokens, items, states):
            return states, np.repeat(self.logits[None], len(tokens), 0)

        return PythonStepModel(
            tokens=len(self.logits),
            items=self.items,
            state_size=1,
            start=lambda: np.zeros((self.items, 1), np.float32),
            step=step,
        )


class Continuations:
    """Probabilities by hand: ``{("the",): {"nose": 0.5, "<eos>": 0.5}}``; what is left out is 0."""

    def __init__(self, table):
        found = dict.fromkeys(token for row in table.values() for token in row)
        found.update(dict.fromkeys(token for history in table for token in history))
        self.names = ["<sos>", "<eos>", *[name for name in found if not name.startswith("<")]]
        self.rows = {
            tuple(self.names.index(token) for token in history): row
            for history, row in table.items()
        }

    def logits(self, history):
        logits = np.full(len(self.names), -np.inf, np.float32)
        for token, probability in self.rows.get(tuple(history), {"<eos>": 1.0}).items():
            logits[self.names.index(token)] = np.log(probability)
        return logits

    def model(self, items=1):
        histories = [()]  # a state is a place in this list

        def step(tokens, _, states):
            after, logits = np.empty_like(states), []
            for row, (token, state) in enumerate(zip(tokens, states[:, 0], strict=True)):
                history = (*histories[int(state)], int(token))
                after[row] = len(histories)
                histories.append(history)
                logits.append(self.logits(history[1:]))
            return after, np.array(logits)

        return PythonStepModel(
            tokens=len(self.names),
            items=items,
            state_size=1,
            start=lambda: np.zeros((items, 1), np.float32),
            step=step,
        )
