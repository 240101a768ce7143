"""Estimating n-gram models from text; `unrolled.lm.NGram.train` is the way in."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.lm import discounts as _discounts
from unrolled.lm.counting import Sentence, count_ngrams, levels_of

if TYPE_CHECKING:
    from unrolled import _core
    from unrolled.lm import NGram

SMOOTHINGS = ("kneser-ney", "witten-bell", "absolute", "add-k")


@dataclass(frozen=True, eq=False)
class Estimate:
    """What was estimated, in float64: the model's tables, and what they rest on.

    Attributes
    ----------
    words
        The words by their numbers: ``<unk>``, ``<s>``, ``</s>``, then in the order of the text.
    tables
        For each order: numbers of the words (n, order), log10 probabilities (n,), and log10
        back-off weights (n,), 0 where there is none.
    counted
        How many n-grams of each order there are; the tables hold fewer after pruning.
    discounts
        (orders, 3): of counts 1, 2, and 3 or more; None for methods without discounts.
    sentences, tokens
        How many the text has; ``</s>`` is not among the tokens.
    unit
        "word" or "char".
    """

    words: list[str]
    tables: list[tuple[Any, Any, Any]]
    counted: list[int]
    discounts: Any
    sentences: int
    tokens: int
    unit: str

    def model(self) -> NGram:
        """Return the model, in float32."""
        from unrolled.lm import NGram

        single = [
            (ids, probs.astype(np.float32), backoffs.astype(np.float32))
            for ids, probs, backoffs in self.tables
        ]
        return NGram.from_tables(self.words, single, unit=self.unit)


def train(*args: Any, **options: Any) -> NGram:
    """Estimate a model; see `unrolled.lm.NGram.train`, which has the arguments of `estimate`."""
    return estimate(*args, **options).model()


def estimate(
    sentences: Iterable[Sentence] | os.PathLike[str],
    order: int = 3,
    smoothing: str = "kneser-ney",
    *,
    unit: str = "word",
    prune: int | Sequence[int] = 0,
    prune_entropy: float = 0.0,
    min_count: int = 1,
    vocabulary: int | Collection[str] | None = None,
    k: float = 1.0,
    discount: float | None = None,
    discount_fallback: Sequence[float] = (0.5, 1.0, 1.5),
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Estimate:
    """Estimate an n-gram model from sentences.

    Parameters
    ----------
    sentences
        An iterable of sentences, each a text or a sequence of tokens; or the path
        (`pathlib.Path`) of a text file, a sentence a line. It is gone through once, and never held:
        memory grows with the number of different n-grams alone. A sentence without tokens counts
        as one that ends at once; so do blank lines.
    order
        The length of the longest n-grams, 1 to 10.
    smoothing
        "kneser-ney" (modified, interpolated; as lmplz), "witten-bell" (interpolated), "absolute"
        (interpolated; one discount an order), or "add-k" (what an n-gram was not seen with goes
        to the shorter context).
    unit
        What texts are cut into: "word" (at white space) or "char" (white space becomes
        ``<space>``). Tokens stay as they are.
    prune
        Leave out n-grams that occur so often or less: a number for each order, never falling; the
        last holds for longer ones. That of single words must be 0; a single number spares them.
    prune_entropy
        Leave out n-grams as long as each raises the perplexity by less than this share, for
        example 1e-7 (Stolcke, 1998).
    min_count
        Words that occur less often become ``<unk>``.
    vocabulary
        The number of words to keep, the most frequent ones, or a list of words: all others become
        ``<unk>``. Listed words that never occur are part of the model; `min_count` does not count
        for a list.
    k
        What "add-k" adds to each count.
    discount
        The discount of "absolute", in place of the estimated ones; between 0 and 1.
    discount_fallback
        Discounts of counts 1, 2, and 3 or more for orders where the text is too small to estimate
        them (a `DiscountWarning` says so); "absolute" takes the first.
    progress
        Wraps the sentences while they are counted, as `tqdm.tqdm` does.

    Returns
    -------
    Estimate

    Raises
    ------
    TypeError, ValueError
        For arguments out of range, tokens that are empty, have white space in them or are ``<s>``
        or ``</s>``, and text without tokens; a message names the sentence, or file and line.

    Warns
    -----
    DiscountWarning
        Where `discount_fallback` is used.

    Examples
    --------
    >>> from unrolled.lm.training import estimate
    >>> made = estimate(["to be or not to be"], order=2, smoothing="witten-bell")
    >>> made.counted, made.tokens
    ([7, 6], 6)
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing must be one of {', '.join(SMOOTHINGS)}; got {smoothing!r}")
    fallback = _checked_fallback(discount_fallback)
    _check_numbers(smoothing, k, discount, prune_entropy, min_count)
    counter = count_ngrams(sentences, order, unit, progress)
    cutoffs = _cutoffs(prune, order)
    words, levels = levels_of(counter, min_count, vocabulary)
    discounts = _estimated_discounts(levels, smoothing, discount, fallback)
    tables = levels.estimate(
        "discount" if discounts is not None else smoothing,
        continuations=smoothing == "kneser-ney",
        discounts=np.zeros((order, 3)).tolist() if discounts is None else discounts.tolist(),
        added=float(k),
        cutoffs=cutoffs,
        entropy=float(prune_entropy),
    )
    counts = counter.word_counts()
    return Estimate(
        words=words,
        tables=tables,
        counted=levels.sizes(),
        discounts=discounts,
        sentences=counter.sentences,
        tokens=int(counts.sum()) - counter.sentences,
        unit=unit,
    )


def _estimated_discounts(
    levels: _core.NGramLevels, smoothing: str, discount: float | None, fallback: list[float]
) -> Any:
    if smoothing == "kneser-ney":
        return _discounts.modified_kneser_ney(levels.counts_of_counts(True), fallback)
    if smoothing != "absolute":
        return None
    if discount is not None:
        return np.full((len(levels.sizes()), 3), float(discount))
    return _discounts.absolute(levels.counts_of_counts(False), fallback[0])


def _check_numbers(
    smoothing: str, k: float, discount: float | None, prune_entropy: float, min_count: int
) -> None:
    if not 0 < k < math.inf:
        raise ValueError(f"k must be a number above 0, got {k!r}")
    if discount is not None and smoothing != "absolute":
        raise ValueError(f"discount is for smoothing='absolute', not {smoothing!r}; leave it out")
    if discount is not None and not 0 < discount < 1:
        raise ValueError(f"discount must be between 0 and 1, got {discount!r}")
    if not 0 <= prune_entropy < math.inf:
        raise ValueError(f"prune_entropy must be a number of at least 0, got {prune_entropy!r}")
    if isinstance(min_count, bool) or min_count != int(min_count) or min_count < 1:
        raise ValueError(f"min_count must be a whole number of at least 1, got {min_count!r}")


def _checked_fallback(fallback: Sequence[float]) -> list[float]:
    values = [float(value) for value in fallback]
    if len(values) != 3 or not all(0 < value <= j for j, value in enumerate(values, start=1)):
        raise ValueError(
            "discount_fallback must be three numbers above 0, at most 1, 2 and 3, "
            f"got {tuple(fallback)}"
        )
    return values


def _cutoffs(prune: int | Sequence[int], order: int) -> list[int]:
    """Return a cut-off for each order."""
    if isinstance(prune, (int, np.integer)):
        given = [0, prune]
    else:
        given = list(prune)
        if not 1 <= len(given) <= order:
            raise ValueError(f"prune must have 1 to {order} numbers, got {len(given)}")
    if any(cutoff != int(cutoff) or cutoff < 0 for cutoff in given):
        raise ValueError(f"prune must hold whole numbers of at least 0, got {prune!r}")
    if given[0] != 0:
        raise ValueError(
            f"prune must begin with 0, got {prune!r}: words are left out with min_count"
        )
    if sorted(given) != given:
        raise ValueError(
            f"prune must not fall from order to order, got {prune!r}: n-grams would lose their ends"
        )
    return [int(cutoff) for cutoff in (given + [given[-1]] * order)[:order]]
