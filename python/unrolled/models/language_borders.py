"""What stands before and after the texts of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unrolled.lm.vocabulary import Vocabulary

Text = str | Sequence[str]
Texts = str | Sequence[Any]

LINE_BREAK = "\n"


class Borders:
    """The tokens at the two ends of a text, by a vocabulary.

    They are ``<sos>`` and ``<eos>``; a vocabulary without one of them has the line break there if
    it knows it, as characters of a long text do.

    Parameters
    ----------
    vocabulary : Vocabulary

    Attributes
    ----------
    start, end : int or None
        The tokens' numbers.
    before : int
        What a model that reads a window of tokens finds before the first one.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        line_break = vocabulary.index(LINE_BREAK) if LINE_BREAK in vocabulary else None
        self.start = line_break if vocabulary.sos_id is None else vocabulary.sos_id
        self.end = line_break if vocabulary.eos_id is None else vocabulary.eos_id
        known = [i for i in (self.start, vocabulary.pad_id, vocabulary.unk_id) if i is not None]
        self.before = (*known, 0)[0]

    def encode(
        self, text: Text, *, bos: bool | None = True, eos: bool | None = True
    ) -> NDArray[np.int64]:
        """Turn a text into tokens, borders included; None puts a border where there is one.

        Raises
        ------
        ValueError
            If a token is unknown, or a border that is asked for does not exist.
        """
        for name, asked, found in (("bos", bos, self.start), ("eos", eos, self.end)):
            if asked and found is None:
                raise ValueError(
                    f"{name}=True needs a token at that end of a text, and the vocabulary has "
                    f"none: build it with sos and eos, or pass {name}=False"
                )
        first = [] if bos is False or self.start is None else [self.start]
        last = [] if eos is False or self.end is None else [self.end]
        return np.concatenate(
            [np.array(part, np.int64) for part in (first, self.vocabulary.encode(text), last)]
        )


def is_one_text(texts: Texts, vocabulary: Vocabulary) -> bool:
    """Tell one long text from a sequence of separate ones.

    A string is one. So is a flat sequence of tokens where the vocabulary does not cut strings.
    """
    if isinstance(texts, str):
        return True
    return vocabulary.unit == "token" and all(isinstance(item, str) for item in texts)
