"""What of some texts a vocabulary does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class UnknownTokens:
    """Tokens of texts that a vocabulary lacks.

    Attributes
    ----------
    count, total : int
        How many tokens are unknown, and how many there are.
    most_frequent : tuple of (str, int)
        The most frequent unknown tokens with their counts.
    """

    count: int
    total: int
    most_frequent: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """Unknown tokens over all of them; 0 without tokens."""
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        named = ", ".join(f"{token!r} ({count})" for token, count in self.most_frequent)
        start = f"{self.count} of {self.total} tokens are unknown ({100 * self.share:.2f} %)"
        return f"{start}, the most frequent: {named}" if named else start


def count_unknown(texts: Iterable[list[str]], known: Collection[str], most: int) -> UnknownTokens:
    """Count the tokens of texts that are not among those known, and name the `most` frequent."""
    counts: Counter[str] = Counter()
    total = 0
    for tokens in texts:
        total += len(tokens)
        counts.update(token for token in tokens if token not in known)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return UnknownTokens(counts.total(), total, tuple(ranked[: max(most, 0)]))
