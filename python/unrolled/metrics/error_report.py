"""Every error of a corpus: how many of each kind, where, and lines side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from unrolled.metrics.corpus import Tokens, Unit, cut_into_units, paths
from unrolled.metrics.edit_distance import DELETE, INSERT, KEEP, SUBSTITUTE
from unrolled.metrics.side_by_side import side_by_side

KINDS = ("hit", "substitution", "deletion", "insertion")


@dataclass(frozen=True)
class ErrorCounts:
    """How many tokens are right, and how many errors there are of each kind."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions: the edit distance."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference_length(self) -> int:
        """Tokens of the reference: hits, substitutions and deletions."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors over the reference's length; without any reference token, over 1."""
        return self.errors / max(1, self.reference_length)

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


class Step(NamedTuple):
    """A token of the reference with the token that was read for it.

    Attributes
    ----------
    kind : "hit", "substitution", "deletion" or "insertion"
    reference, hypothesis : token
        None where that side has none.
    reference_position, hypothesis_position : int
        Where the token stands in its line; of a missing one, where it would stand.
    """

    kind: str
    reference: Any
    hypothesis: Any
    reference_position: int
    hypothesis_position: int


@dataclass(frozen=True)
class LineErrors:
    """One line of a corpus, and what became of it.

    Attributes
    ----------
    reference, hypothesis : sequence of tokens
    steps : tuple of Step
        From the first token to the last, along a cheapest edit path: of several, the one that,
        from the end backwards, prefers a pair to a deletion, and a deletion to an insertion.
    """

    reference: Tokens
    hypothesis: Tokens
    steps: tuple[Step, ...]

    @property
    def counts(self) -> ErrorCounts:
        """Tokens of each kind."""
        kinds = Counter(step.kind for step in self.steps)
        return ErrorCounts(*(kinds[kind] for kind in KINDS))

    @property
    def errors(self) -> list[Step]:
        """The steps that are no hits."""
        return [step for step in self.steps if step.kind != "hit"]

    def side_by_side(self, width: int | None = 100) -> str:
        """Show reference and hypothesis one above the other, with S, D and I under the errors.

        Parameters
        ----------
        width : int, optional
            Columns after which the lines go on below; None for lines of any length.

        Returns
        -------
        str
            Three lines for each stretch. Asterisks fill the place of what one side lacks.
        """
        return side_by_side(self.steps, width)


@dataclass(frozen=True)
class ErrorReport:
    """All lines of a corpus, and its totals.

    Attributes
    ----------
    unit : "word", "character" or "token"
    lines : tuple of LineErrors
    counts : ErrorCounts
        Of all lines together.
    """

    unit: str
    lines: tuple[LineErrors, ...]
    counts: ErrorCounts

    @property
    def rate(self) -> float:
        """Errors of the corpus over its reference tokens: no mean of the lines' rates."""
        return self.counts.rate

    def confusions(self) -> Counter[tuple[Any, Any]]:
        """Count each pair (reference token or None, hypothesis token or None) that is an error."""
        return Counter(
            (step.reference, step.hypothesis) for line in self.lines for step in line.errors
        )

    def worst(self, count: int = 10) -> list[LineErrors]:
        """Return the lines with most errors, the worst first; of equals the earlier."""
        wrong = [line for line in self.lines if line.errors]
        return sorted(wrong, key=lambda line: -line.counts.errors)[:count]

    def __str__(self) -> str:
        counts = self.counts
        return (
            f"{self.unit} error rate {100 * self.rate:.2f} %: {counts.errors} errors in "
            f"{counts.reference_length} reference {self.unit}s of {len(self.lines)} lines "
            f"({counts.substitutions} substitutions, {counts.deletions} deletions, "
            f"{counts.insertions} insertions)"
        )


def error_report(
    references: Sequence[Any], hypotheses: Sequence[Any], *, unit: Unit = "word"
) -> ErrorReport:
    """Compare every reading of a corpus with the truth, token by token.

    Parameters
    ----------
    references, hypotheses : sequence of str, or of sequences of tokens with ``unit="token"``
        As many readings as truths, in the same order.
    unit : "word", "character" or "token"
        What is counted: what white space separates, code points, or the tokens as they are given.

    Returns
    -------
    ErrorReport

    Raises
    ------
    TypeError
        If either side is one string, or a line is not what `unit` needs.
    ValueError
        If the numbers of lines differ, there is none, or `unit` is not known.

    Examples
    --------
    >>> report = error_report(["the cat sat", "yes"], ["the at sat on", "yes"])
    >>> print(report)
    word error rate 50.00 %: 2 errors in 4 reference words of 2 lines \
(1 substitutions, 0 deletions, 1 insertions)
    >>> print(report.lines[0].side_by_side())
    REF  the cat sat **
    HYP  the at  sat on
             S       I
    """
    truths, readings = cut_into_units(references, hypotheses, unit)
    lines = tuple(
        LineErrors(truth, reading, tuple(_walk(steps.tolist(), truth, reading)))
        for truth, reading, steps in zip(truths, readings, paths(truths, readings), strict=True)
    )
    return ErrorReport(unit, lines, reduce(add, (line.counts for line in lines)))


def _walk(steps: list[int], reference: Tokens, hypothesis: Tokens) -> Iterator[Step]:
    i = j = 0
    for step in steps:
        left = None if step == INSERT else reference[i]
        right = None if step == DELETE else hypothesis[j]
        yield Step(_KIND_OF[step], left, right, i, j)
        i, j = i + (step != INSERT), j + (step != DELETE)


_KIND_OF = dict(zip((KEEP, SUBSTITUTE, DELETE, INSERT), KINDS, strict=True))
