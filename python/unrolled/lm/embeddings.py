"""Trained embeddings looked into: neighbours, analogies, and the plane that shows most of them."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_real, require_axes, require_shape
from unrolled.lm.principal_plane import principal_plane
from unrolled.lm.vector_files import read_vectors
from unrolled.lm.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

METHODS = ("add", "multiply")
# Keeps the product's divisor from 0: Levy and Goldberg's choice.
_EPSILON = 1e-3


class Neighbour(NamedTuple):
    """A token and how similar it is: the cosine, or an analogy's score."""

    token: str
    similarity: float


@dataclass(frozen=True)
class AnalogyScore:
    """How many analogies were solved.

    Attributes
    ----------
    correct, asked : int
        Of the questions whose four tokens are all known.
    unknown : int
        Questions with a token that is not in the vocabulary; they are not asked.
    """

    correct: int
    asked: int
    unknown: int

    @property
    def accuracy(self) -> float:
        """Correct answers over questions asked; 0 where none was."""
        return self.correct / self.asked if self.asked else 0.0

    def __str__(self) -> str:
        return (
            f"{self.correct} of {self.asked} analogies ({100 * self.accuracy:.1f} %), "
            f"{self.unknown} more with unknown tokens"
        )


class Embeddings:
    """The vectors of a vocabulary's tokens.

    Parameters
    ----------
    vocabulary : Vocabulary, or iterable of str
        Tokens; special symbols and tokens without a vector (all zero) are never answers.
    vectors : array-like (V, D), or an `unrolled.nn.Embedding`
        One row a token; copied.

    Attributes
    ----------
    vocabulary : Vocabulary
    vectors : ndarray (V, D)

    Raises
    ------
    ValueError
        If there is not one row for each token, or a number is NaN or infinite.

    Examples
    --------
    >>> from unrolled import lm
    >>> vectors = [[2, 0, 0], [2, 1, 0], [2, 0, 2], [2, 1, 2], [0, 0, 2]]
    >>> words = lm.Embeddings(["man", "woman", "king", "queen", "crown"], vectors)
    >>> [(token, round(similarity, 2)) for token, similarity in words.nearest("woman", 2)]
    [('man', 0.89), ('queen', 0.75)]
    >>> words.analogy("man", "woman", "king", 1)[0].token
    'queen'
    """

    def __init__(self, vocabulary: Vocabulary | Iterable[str], vectors: Any) -> None:
        if not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary(
                vocabulary, unit="token", pad=None, unk=None, sos=None, eos=None
            )
        self.vocabulary = vocabulary
        if hasattr(vectors, "weight"):  # a layer, whose table is a tensor
            vectors = vectors.weight.data
        array = as_real(vectors, "vectors")
        require_axes(array, "vectors", "V, D")
        require_shape(array, "vectors", (len(vocabulary), array.shape[1]), "a row for each token")
        if not np.isfinite(array).all():
            row = np.flatnonzero(~np.isfinite(array).all(1))[0]
            raise ValueError(f"the vector of {vocabulary.tokens[row]!r} is not finite")
        self.vectors = array.copy()
        norms = np.linalg.norm(self.vectors.astype(np.float64), axis=1)
        self._units = self.vectors / np.where(norms > 0, norms, 1)[:, None].astype(array.dtype)
        self._answers = norms > 0
        self._answers[[vocabulary.index(special) for special in vocabulary.specials]] = False

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], vocabulary: Container[str] | None = None
    ) -> Embeddings:
        """Read a text file of word2vec's, fastText's or GloVe's form.

        Parameters
        ----------
        path : path-like
            UTF-8; each line a token and its numbers, with or without a first line of two sizes.
        vocabulary : Vocabulary, set or the like, optional
            Which tokens to keep; all, when not given.

        Raises
        ------
        ValueError
            If the file cannot be read or has another form (`DataError`, which names the line), or
            a number is NaN or infinite.
        """
        return cls(*read_vectors(path, vocabulary))

    def table(self, vocabulary: Vocabulary) -> tuple[Array, NDArray[np.bool_]]:
        """Return the vectors of another vocabulary's tokens, to begin an `Embedding` with.

        Returns
        -------
        table : ndarray (V, D)
            Zero where the token has no vector here.
        known : ndarray of bool (V)
            Where it has one.

        Examples
        --------
        >>> from unrolled import lm, nn
        >>> trained = lm.Embeddings(["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
        >>> words = lm.Vocabulary(["dog", "bird"])
        >>> table, known = trained.table(words)
        >>> layer = nn.Embedding(len(words), 2, padding_idx=words.pad_id)
        >>> layer.weight.data[known] = table[known]
        >>> layer(words.encode("dog")).data
        array([[3., 4.]], dtype=float32)
        """
        known = np.array([token in self.vocabulary for token in vocabulary.tokens], bool)
        table = np.zeros((len(vocabulary), self.vectors.shape[1]), self.vectors.dtype)
        rows = [self._row(vocabulary.tokens[number]) for number in np.flatnonzero(known)]
        table[known] = self.vectors[rows]
        return table, known

    def __repr__(self) -> str:
        return f"Embeddings({len(self.vocabulary)} tokens, {self.vectors.shape[1]} dimensions)"

    def answers(self) -> list[str]:
        """Return the tokens that may be answers: those with a vector, without special symbols."""
        return [self.vocabulary.tokens[row] for row in np.flatnonzero(self._answers)]

    def vector(self, token: str) -> Array:
        """Return the vector (D) of a token (ValueError if it is not in the vocabulary)."""
        row: Array = self.vectors[self._row(token)]
        return row

    def similarity(self, one: str, other: str) -> float:
        """Return the cosine between two tokens' vectors; 0 where one of them is zero."""
        return float(self._units[self._row(one)] @ self._units[self._row(other)])

    def nearest(self, query: str | ArrayLike, k: int = 10) -> list[Neighbour]:
        """Return the k tokens with the largest cosine to a token, or to a vector (D).

        The token itself is no answer; where cosines tie, the smaller id comes first.

        Raises
        ------
        ValueError
            If the token is not in the vocabulary, the vector has not D numbers, or k is below 1.
        """
        if isinstance(query, str):
            row = self._row(query)
            return self._best(self._units @ self._units[row], k, [row])
        vector = as_real(query, "query").astype(self._units.dtype)
        require_shape(vector, "query", self.vectors.shape[1:], "the vectors' size")
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        return self._best(self._units @ vector / (norm or 1.0), k, [])

    def analogy(
        self, a: str, b: str, c: str, k: int = 5, *, method: str = "add"
    ) -> list[Neighbour]:
        """Return what is to `c` as `b` is to `a`: the k best; none of the three is an answer.

        Parameters
        ----------
        a, b, c : str
        k : int
        method : {"add", "multiply"}
            What is largest: ``cos(x, b) - cos(x, a) + cos(x, c)``, or ``cos(x, b) cos(x, c) /
            cos(x, a)`` of cosines moved into [0, 1], in which no term outweighs the others.

        Raises
        ------
        ValueError
            If a token is not in the vocabulary, the method is unknown, or k is below 1.

        References
        ----------
        Mikolov, Yih, Zweig: Linguistic regularities in continuous space word representations
        (2013), section 4; Levy, Goldberg: Linguistic regularities in sparse and explicit word
        representations (2014), section 6.
        """
        rows = [self._row(token) for token in (a, b, c)]
        return self._best(self._scores(rows, method), k, rows)

    def solve(self, questions: Iterable[Sequence[str]], *, method: str = "add") -> AnalogyScore:
        """Ask analogies ``(a, b, c, answer)`` and count those whose best answer is right.

        Raises
        ------
        ValueError
            If a question has not four tokens, or the method is unknown.
        """
        correct = asked = unknown = 0
        for number, question in enumerate(questions):
            if isinstance(question, str) or len(question) != 4:
                raise ValueError(f"question {number} must have four tokens, not {question!r}")
            a, b, c, answer = question
            if not all(token in self.vocabulary for token in question):
                unknown += 1
                continue
            asked += 1
            best = self.analogy(a, b, c, 1, method=method)
            correct += bool(best) and self._row(best[0].token) == self._row(answer)
        return AnalogyScore(correct, asked, unknown)

    def plane(
        self, tokens: Iterable[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the tokens' places on the plane on which they differ most, and its shares.

        The two principal components: the vectors less their mean, in the directions of the two
        largest singular values. The sign of an axis makes its largest place positive.

        Parameters
        ----------
        tokens : iterable of str, optional
            All that may be answers, when not given.

        Returns
        -------
        places : ndarray (n, 2)
        shares : ndarray (2)
            Of the variance, for each axis.

        Raises
        ------
        ValueError
            If a token is not in the vocabulary, or there are fewer than two.
        """
        rows = [self._row(token) for token in (self.answers() if tokens is None else tokens)]
        if len(rows) < 2:
            raise ValueError(f"a plane needs at least two tokens, not {len(rows)}")
        return principal_plane(self.vectors[rows])

    def plot(
        self,
        tokens: Iterable[str] | None = None,
        path: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Figure:
        """Show tokens on their `plane`; see `unrolled.plot.embeddings`."""
        from unrolled.plot import embeddings

        return embeddings(self, tokens, path, **options)

    def _row(self, token: str) -> int:
        if token not in self.vocabulary:
            raise ValueError(f"{token!r} is not among the {len(self.vocabulary)} tokens")
        return self.vocabulary.index(token)

    def _scores(self, rows: list[int], method: str) -> Array:
        if method not in METHODS:
            raise ValueError(f"method must be 'add' or 'multiply', not {method!r}")
        a, b, c = (self._units @ self._units[row] for row in rows)
        if method == "add":
            return b - a + c
        a, b, c = ((cosine + 1) / 2 for cosine in (a, b, c))
        return b * c / (a + _EPSILON)

    def _best(self, scores: Array, k: int, left_out: list[int]) -> list[Neighbour]:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        answers = self._answers.copy()
        answers[left_out] = False
        rows = np.flatnonzero(answers)
        order = rows[np.argsort(-scores[rows], kind="stable")[:k]]
        return [Neighbour(self.vocabulary.tokens[row], float(scores[row])) for row in order]
