"""N-gram language models with back-off."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import as_indices
from unrolled.lm.model_files import read_model, write_model
from unrolled.lm.sentences import UNITS

# How character models spell the space, in the order in which they are tried.
SPACES = (" ", "<space>", "▁", "|", "_")


class NGramScore(NamedTuple):
    """One token: natural logarithm, length of the longest n-gram found, unknown or not."""

    log_prob: float
    ngram_length: int
    oov: bool


class NGram:
    """An n-gram language model: immutable, shared by threads.

    Made by `load`, `train` or `from_tables`. All scores are natural logarithms; files hold log10.
    A sentence is a sequence of tokens, or a text: of words between white space, or, if `unit` is
    "char", of characters. Words that the model does not know score as ``<unk>``; a model without
    ``<unk>`` gives them -100 in log10, as KenLM does.

    Attributes
    ----------
    unit : str or None
        "word", "char", or None where the file does not tell; then texts are words.
    """

    def __init__(self, model: _core.NGram) -> None:
        if not isinstance(model, _core.NGram):
            raise TypeError("make a model with NGram.load, NGram.train or NGram.from_tables")
        self._model = model
        self.unit = model.unit or None
        self._has_begin, self._has_end = model.begin_word != 0, model.end_word != 0

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, unit: str | None = None, check: bool = True
    ) -> NGram:
        r"""Read a model; the format is told by the content.

        Parameters
        ----------
        path
            An ARPA file, plain or gzip; ``.ngram``, our own format, which is mapped into memory
            and shared by processes; or a binary file of KenLM's, probing or trie, quantised and
            with compressed pointers too.
        unit : {"word", "char"}, optional
            What the tokens are; what the file tells by default.
        check
            Whether to compare the checksum of a ``.ngram`` file, which reads all of it.

        Raises
        ------
        ValueError
            The file is damaged, cut or of no known format; for an ARPA file the message has the
            number of the line and what was found there.
        OSError
            It cannot be read.

        Examples
        --------
        >>> import math, os, tempfile
        >>> text = "\\data\\\nngram 1=3\n\n\\1-grams:\n-1 <s>\n-0.5 </s>\n-0.2 hey\n\n\\end\\\n"
        >>> path = os.path.join(tempfile.mkdtemp(), "small.arpa")
        >>> with open(path, "w") as file:
        ...     _ = file.write(text)
        >>> model = NGram.load(path)
        >>> round(model.score("hey hey") / math.log(10), 3)
        -0.9
        """
        return cls(read_model(path, _unit_name(unit), check))

    @classmethod
    def from_tables(
        cls,
        words: Sequence[str],
        tables: Sequence[tuple[Any, Any, Any]],
        *,
        unit: str | None = None,
    ) -> NGram:
        """Make a model of its n-grams.

        Parameters
        ----------
        words
            The vocabulary; the first must be ``<unk>``.
        tables
            For each order, from 1 on: ids of the words of n-grams, oldest first, (count, order);
            their log10 probabilities and log10 back-off weights, (count,). Every word but
            ``<unk>`` needs its 1-gram.
        unit : {"word", "char"}, optional

        Raises
        ------
        ValueError
            A probability above 1, an n-gram that comes twice, shapes that do not fit.

        Examples
        --------
        >>> import math
        >>> model = NGram.from_tables(["<unk>", "a"], [([[0], [1]], [-1.0, -0.1], [0.0, 0.0])])
        >>> round(model.score(["a", "b"], bos=False, eos=False) / math.log(10), 3)
        -1.1
        """
        arrays = [_table(table, order) for order, table in enumerate(tables, 1)]
        return cls(_core.NGram.from_tables(list(words), arrays, _unit_name(unit)))

    @classmethod
    def train(
        cls, sentences: Any, order: int = 3, smoothing: str = "kneser-ney", **options: Any
    ) -> NGram:
        """Estimate a model from sentences; `unrolled.lm.training.estimate` has all options."""
        from unrolled.lm.training import train

        return train(sentences, order, smoothing, **options)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the model, under another name first: `path` holds all of it or what was there.

        Parameters
        ----------
        path
        format : {"arpa", "arpa.gz", "ngram"}, optional
            By the ending where it is not given.

        Raises
        ------
        ValueError
            The format cannot be told, or the model came from a probing file of KenLM's, which
            does not keep the words of n-grams: it can be saved as ``.ngram`` alone.
        OSError
            It cannot be written.
        """
        write_model(self._model, path, format)

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return self._model.order

    @property
    def counts(self) -> tuple[int, ...]:
        """How many n-grams there are of each order."""
        return tuple(self._model.counts)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, ``<unk>`` first."""
        return tuple(self._model.vocabulary())

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self._model.find(word) != 0

    def score(self, sentence: str | Sequence[str], bos: bool = True, eos: bool = True) -> float:
        """Return the natural logarithm of a sentence's probability.

        Parameters
        ----------
        sentence : str or sequence of str
        bos
            Whether the sentence begins here: the first word's context is ``<s>``.
        eos
            Whether it ends here: ``</s>`` is scored too.

        Raises
        ------
        ValueError
            The model has no ``<s>`` or ``</s>``.
        """
        return self._sum(sentence, bos, eos)[0]

    def full_scores(
        self, sentence: str | Sequence[str], bos: bool = True, eos: bool = True
    ) -> list[NGramScore]:
        """Return the score of each token, of ``</s>`` last; arguments as those of `score`."""
        self._require_ends(bos, eos)
        scores = self._model.full_scores(self._tokens(sentence), bos, eos)
        return [NGramScore(*score) for score in scores]

    def perplexity(self, sentence: str | Sequence[str]) -> float:
        """Return exp(-score / tokens), where ``</s>`` is a token as well; KenLM's convention."""
        log_prob, tokens = self._sum(sentence, True, True)
        return float(np.exp(-log_prob / tokens))

    def score_batch(
        self, sentences: Iterable[str | Sequence[str]], bos: bool = True, eos: bool = True
    ) -> NDArray[np.float64]:
        """Score many sentences in one call, on threads; the same bits as `score` of each."""
        self._require_ends(bos, eos)
        if isinstance(sentences, str):
            raise TypeError("sentences must be a sequence of sentences, got one str")
        return self._model.score_batch([self._tokens(s) for s in sentences], bos, eos)

    def start(self, bos: bool = True) -> _core.NGramState:
        """Return the state before the first token: after ``<s>``, or of no context."""
        self._require_ends(bos, False)
        return self._model.begin() if bos else self._model.empty()

    def step(self, state: _core.NGramState, token: str) -> tuple[float, _core.NGramState]:
        """Score one token; return its natural logarithm and the state after it.

        States are what of the past still matters: they compare and hash by it. ``</s>`` is a token
        as any other.
        """
        return self._model.step(state, token)

    def __repr__(self) -> str:
        unit = f", unit={self.unit!r}" if self.unit else ""
        return f"NGram(order={self.order}, counts={self.counts}{unit})"

    def __reduce__(self) -> Any:
        raise TypeError("an NGram is not pickled: save it as .ngram and load that in each process")

    def _sum(self, sentence: str | Sequence[str], bos: bool, eos: bool) -> tuple[float, int]:
        self._require_ends(bos, eos)
        return self._model.score(self._tokens(sentence), bos, eos)

    def _tokens(self, sentence: str | Sequence[str]) -> str | Sequence[str]:
        if self.unit != "char" or not isinstance(sentence, str):
            return sentence
        space = self.space
        return [space if character.isspace() else character for character in sentence]

    @property
    def space(self) -> str:
        """How the model spells the space between words: for models of characters."""
        return next((space for space in SPACES if space in self), SPACES[0])

    def _require_ends(self, bos: bool, eos: bool) -> None:
        if bos and not self._has_begin:
            raise ValueError("the model does not know <s>: pass bos=False")
        if eos and not self._has_end:
            raise ValueError("the model does not know </s>: pass eos=False")


def _unit_name(unit: str | None) -> str:
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unit must be 'word', 'char' or None, got {unit!r}")
    return unit or ""


def _table(table: tuple[Any, Any, Any], order: int) -> tuple[Any, Any, Any]:
    ids, probs, backoffs = table
    numbers = as_indices(ids, f"ids of {order}-grams")
    if numbers.size == 0:
        numbers = numbers.reshape(0, order)
    if numbers.ndim != 2 or numbers.shape[1] != order:
        raise ValueError(f"ids of {order}-grams must be (count, {order}), got {numbers.shape}")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < 2**32:
        raise ValueError(f"ids of {order}-grams must lie in 0 .. 2**32 - 1, got {numbers.min()}")
    weights = [np.ascontiguousarray(column, np.float32) for column in (probs, backoffs)]
    return numbers.astype(np.uint32), weights[0], weights[1]
