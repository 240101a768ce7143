"""Tiny emissions, and a search that cuts nothing."""

from __future__ import annotations

import math

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
