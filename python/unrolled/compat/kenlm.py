"""The ``kenlm`` package's names over `unrolled.lm.NGram`: scores are log10, as there.

``import unrolled.compat.kenlm as kenlm`` is the whole change. Models are ARPA files, which may be
compressed by gzip as well, KenLM's binary files, probing or trie, and our own. They have up to
n-grams of 10 words, where the wheels of ``kenlm`` end at 6.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from unrolled import _core
from unrolled.lm import NGram

_LOG_10 = math.log(10)


class LoadMethod:
    """How KenLM loads binary files; accepted, as ours are mapped and KenLM's converted."""

    LAZY = 0
    POPULATE_OR_LAZY = 1
    POPULATE_OR_READ = 2
    READ = 3
    PARALLEL_READ = 4


class ARPALoadComplain:
    """Whether KenLM warns that ARPA files load slowly; accepted, nothing is printed."""

    ALL = 0
    EXPENSIVE = 1
    NONE = 2


class Config:
    """KenLM's options of loading, which change no score."""

    def __init__(self) -> None:
        self.load_method = LoadMethod.POPULATE_OR_READ
        self.show_progress = True
        self.arpa_complain = ARPALoadComplain.ALL


class FullScoreReturn(NamedTuple):
    """One word: log10 probability, length of the n-gram found, unknown or not."""

    log_prob: float
    ngram_length: int
    oov: bool


@functools.total_ordering
class State:
    """What of the words before matters; written by a model, hashable, ordered."""

    def __init__(self) -> None:
        self._state = _core.NGramState()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._state == other._state

    def __lt__(self, other: State) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        words, others = self._state.words, other._state.words
        return (len(words), words) < (len(others), others)

    def __hash__(self) -> int:
        return hash(self._state)

    def __copy__(self) -> State:
        copy = State()
        copy._state = self._state
        return copy

    def __deepcopy__(self, memo: Any = None) -> State:
        return self.__copy__()


class Model:
    r"""A language model.

    Parameters
    ----------
    path : str or bytes
    config : Config, optional

    Raises
    ------
    OSError
        The file cannot be read, or is no model; the message says why.

    Examples
    --------
    >>> import os, tempfile
    >>> text = "\\data\\\nngram 1=3\n\n\\1-grams:\n-1 <s>\n-0.5 </s>\n-0.2 hey\n\n\\end\\\n"
    >>> path = os.path.join(tempfile.mkdtemp(), "small.arpa")
    >>> with open(path, "w") as file:
    ...     _ = file.write(text)
    >>> round(Model(path).score("hey hey"), 3)
    -0.9
    """

    def __init__(self, path: str | bytes, config: Config | None = None) -> None:
        self.path = os.path.abspath(os.fsencode(path))
        try:
            self._model = NGram.load(os.fsdecode(path))
        except (OSError, ValueError) as error:
            raise OSError(f"Cannot read model '{os.fsdecode(path)}' ({error})") from error

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return self._model.order

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """Return the log10 probability of the words between white space."""
        return self._model.score(_words(sentence), bos, eos) / _LOG_10

    def perplexity(self, sentence: str | bytes) -> float:
        """Return 10 ** (-score / words), where ``</s>`` is a word."""
        return 10.0 ** (-self.score(sentence) / (len(_words(sentence)) + 1))

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """Yield (log10 probability, n-gram length, unknown) of each word, of ``</s>`` last."""
        for log_prob, length, unknown in self._model.full_scores(_words(sentence), bos, eos):
            yield log_prob / _LOG_10, length, unknown

    def BeginSentenceWrite(self, state: State) -> None:
        """Make it the state after ``<s>``."""
        state._state = self._model.start()

    def NullContextWrite(self, state: State) -> None:
        """Make it the state without a context."""
        state._state = self._model.start(bos=False)

    def BaseScore(self, in_state: State, word: str, out_state: State) -> float:
        """Return log10 P(word | in_state), and write the state after it."""
        log_prob, out_state._state = self._model.step(in_state._state, word)
        return log_prob / _LOG_10

    def BaseFullScore(self, in_state: State, word: str, out_state: State) -> FullScoreReturn:
        """Return the score with its n-gram's length, and write the state after it."""
        log_prob, state, length, unknown = self._model._model.full_step(in_state._state, word)
        out_state._state = state
        return FullScoreReturn(log_prob / _LOG_10, length, unknown)

    def __contains__(self, word: str | bytes) -> bool:
        return (word.decode() if isinstance(word, bytes) else word) in self._model

    def __repr__(self) -> str:
        return f"<Model from {os.fsdecode(os.path.basename(self.path))}>"

    def __reduce__(self) -> Any:
        return type(self), (self.path,)


class LanguageModel(Model):
    """The older name of `Model`."""


def _words(sentence: str | bytes) -> list[str]:
    """Cut at ASCII white space, which KenLM cuts at."""
    data = sentence.encode() if isinstance(sentence, str) else sentence
    return [word.decode() for word in data.split()]
