"""The distance of two sequences, and which tokens of one stand for which of the other."""

from __future__ import annotations

from typing import Any

from unrolled.metrics.corpus import Tokens, distances, paths

KEEP, SUBSTITUTE, DELETE, INSERT = range(4)  # the steps of `corpus.paths`


def edit_distance(reference: Tokens, hypothesis: Tokens) -> int:
    """Fewest substitutions, insertions and deletions that turn one sequence into the other.

    Parameters
    ----------
    reference, hypothesis
        Two strings, or two sequences of hashable tokens.

    Returns
    -------
    int
        The Levenshtein distance.

    Notes
    -----
    The recurrence of R. Wagner and M. Fischer, "The string-to-string correction problem" (1974).

    Examples
    --------
    >>> edit_distance("kitten", "sitting")
    3
    """
    return int(distances([reference], [hypothesis])[0])


def error_alignment(reference: Tokens, hypothesis: Tokens) -> list[tuple[Any, Any]]:
    """Pair the tokens of both sequences along a cheapest edit path.

    Parameters
    ----------
    reference, hypothesis
        Two strings, or two sequences of hashable tokens.

    Returns
    -------
    list of (reference token or None, hypothesis token or None)
        Equal pairs are right, unequal ones substitutions; ``(token, None)`` is a deletion (the
        reading lacks it), ``(None, token)`` an insertion (the reading has too much). Of several
        cheapest paths the one is taken that, from the end backwards, prefers a pair to a
        deletion, and a deletion to an insertion.

    Examples
    --------
    >>> error_alignment("1225", "125")
    [('1', '1'), ('2', None), ('2', '2'), ('5', '5')]
    """
    (steps,) = paths([reference], [hypothesis])
    left, right = iter(reference), iter(hypothesis)
    return [
        (None if step == INSERT else next(left), None if step == DELETE else next(right))
        for step in steps.tolist()
    ]
