"""Emissions and a text to words with times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from unrolled.align.alignment import Alignment
from unrolled.align.spelling import OutOfVocabulary, label_list, spell
from unrolled.align.viterbi import forced_align


def align_text(
    log_probs: Any,
    text: str | Sequence[str],
    labels: Sequence[str] | Mapping[str, int],
    *,
    blank: int | None = 0,
    separator: int | str | None = None,
    oov: OutOfVocabulary = "star",
    star_unit: Literal["word", "character"] = "word",
    fold_case: bool = True,
    strip_accents: bool = True,
    word_prefix: str | None = None,
    **options: Any,
) -> Alignment:
    """Find where each word of a text stands: it is spelt with the labels, and aligned.

    Every word of the text has one in the result, in its order and as it is written there. Words
    that cannot be spelt are ``estimated``.

    Parameters
    ----------
    log_probs : array (T, C), or iterator of (t, C)
        Natural log probabilities, as for `forced_align`.
    text : str, or sequence of str
        Words between white space, or the words themselves.
    labels : sequence of str, or mapping from str to int
        Text of each of the C classes; a mapping need not name all of them.
    blank, separator, oov, star_unit, fold_case, strip_accents, word_prefix
        How the text is spelt: see `spell`.
    **options
        Further arguments of `forced_align`, such as ``seconds_per_frame``.

    Returns
    -------
    Alignment
        With `labels`, and one of ``words`` for each in the text.

    Raises
    ------
    ValueError
        If there is not one label a class, the text needs more frames than there are, or for the
        reasons of `spell` and `forced_align`.

    Examples
    --------
    >>> import numpy as np
    >>> labels = ["", "|", "o", "h", "i"]
    >>> best = [3, 4, 0, 1, 2, 0, 3, 3, 0, 0]
    >>> log_probs = np.log(np.eye(5)[best] * 0.9 + 0.02)
    >>> for word in align_text(log_probs, "Hi, oh!", labels, seconds_per_frame=0.5).words:
    ...     print(word.text, word.start_seconds, word.end_seconds)
    Hi, 0.0 1.0
    oh! 2.0 4.0
    """
    names = label_list(labels)
    shape = getattr(log_probs, "shape", None)
    if shape is not None and isinstance(labels, Mapping):
        names += [""] * (shape[-1] - len(names))
    if shape is not None and shape[-1] != len(names):
        raise ValueError(
            f"labels must name each of the {shape[-1]} classes of log_probs, got {len(names)}"
        )
    spelling = spell(
        text,
        names,
        blank=blank,
        separator=separator,
        oov=oov,
        star_unit=star_unit,
        fold_case=fold_case,
        strip_accents=strip_accents,
        word_prefix=word_prefix,
    )
    if spelling.star is not None:
        options["star"] = spelling.star
    alignment: Alignment = forced_align(
        log_probs,
        spelling.target,
        blank=blank,
        separator=spelling.separator,
        labels=names,
        **options,
    )
    return alignment.replace(word_slices=spelling.words)
