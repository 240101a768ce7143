"""What a language model says of lines, one by one and together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass
class Score:
    """What a model says of a line, or of several together."""

    tokens: int = 0
    ends: int = 0
    unknown: int = 0
    log_prob: float = 0.0
    log_prob_unknown: float = 0.0  # what of it unknown words brought

    @property
    def perplexity(self) -> float:
        """Of the tokens and the ends of lines."""
        return _perplexity(self.log_prob, self.tokens + self.ends)

    @property
    def perplexity_known(self) -> float:
        """Without the unknown words."""
        known = self.log_prob - self.log_prob_unknown
        return _perplexity(known, self.tokens + self.ends - self.unknown)

    def add(self, other: Score) -> None:
        """Take in what another says."""
        self.tokens += other.tokens
        self.ends += other.ends
        self.unknown += other.unknown
        self.log_prob += other.log_prob
        self.log_prob_unknown += other.log_prob_unknown

    def as_json(self) -> dict[str, Any]:
        """Return what there is to know, by name."""
        return {
            "log_prob": self.log_prob,
            "perplexity": self.perplexity,
            "tokens": self.tokens,
            "unknown": self.unknown,
        }


def total_of(scores: Iterable[Score]) -> Score:
    """Sum what is said of lines."""
    total = Score()
    for score in scores:
        total.add(score)
    return total


def _perplexity(log_prob: float, events: int) -> float:
    try:
        return math.exp(-log_prob / events) if events else math.nan
    except OverflowError:
        return math.inf
