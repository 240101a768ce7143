"""Picking the next token: drawing words one by one, and the beam search of the textbook.

Everything here is a function of a step, ``step(word, state) -> (y, state)``: the distribution y
(K,) of the next word and the state behind `word`. `language_model.step` with its network filled
in is such a step, of a language model and of a decoder alike; so is any function, such as a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Step = Callable[[int, Any], tuple[Array, Any]]
Path = tuple[int, ...]  # begins with <sos>


class Beam(NamedTuple):
    """The paths that `prune` kept, their scores and states, and the best of them."""

    paths: list[Path]
    scores: dict[Path, float]
    states: dict[Path, Any]
    best: Path


def likeliest(y: ArrayLike) -> int:
    """Return the word with the largest probability, of equals the first: greedy decoding."""
    return int(np.argmax(np.asarray(y)))


def draw(y: ArrayLike, u: float) -> int:
    """Draw a word from a distribution y (K,) with a number u that is uniform in [0, 1).

    Examples
    --------
    >>> [draw([0.2, 0.5, 0.3], u) for u in (0.0, 0.19, 0.2, 0.69, 0.7, 0.999)]
    [0, 0, 1, 1, 2, 2]
    """
    sums = np.cumsum(np.asarray(y, np.float64))
    return int(np.searchsorted(sums, u * sums[-1], side="right"))


def warmer(y: ArrayLike, temperature: float) -> Array:
    """Return the distribution at a temperature: y ** (1 / temperature), of sum 1.

    Below 1 the likely words gain, above 1 the others.

    Examples
    --------
    >>> warmer([0.8, 0.2], 0.5).round(6)
    array([0.941176, 0.058824])
    """
    with np.errstate(divide="ignore"):
        z = np.log(np.asarray(y, np.float64)) / temperature
    return renormalised(np.exp(z - z.max()))


def top_k(y: ArrayLike, k: int) -> Array:
    """Keep the k most probable words, of equals the first, and make them sum to 1.

    Examples
    --------
    >>> top_k([0.4, 0.1, 0.3, 0.2], 2).round(6)
    array([0.571429, 0.      , 0.428571, 0.      ])
    """
    return renormalised(_only(y, _by_probability(y)[:k]))


def top_p(y: ArrayLike, p: float) -> Array:
    """Keep the fewest words whose probability is at least p together (the nucleus).

    There is always one, the likeliest (Holtzman et al. 2020).

    Examples
    --------
    >>> top_p([0.4, 0.1, 0.3, 0.2], 0.7).round(6)
    array([0.571429, 0.      , 0.428571, 0.      ])
    >>> top_p([0.4, 0.1, 0.3, 0.2], 1e-9)
    array([1., 0., 0., 0.])
    """
    y, kept, mass = np.asarray(y, np.float64), [], 0.0
    for word in _by_probability(y):
        kept.append(word)
        mass += y[word]
        if mass >= p:
            break
    return renormalised(_only(y, kept))


def renormalised(y: ArrayLike) -> Array:
    """Make probabilities sum to 1 again."""
    y = np.asarray(y, np.float64)
    return np.asarray(y / y.sum())


def write(
    step: Step,
    state: Any,
    draw_word_from: Callable[[Array], int],
    *,
    sos: int,
    eos: int,
    most: int,
) -> tuple[list[int], float]:
    """Write words until ``<eos>`` or `most` of them, each fed back as the next input.

    Returns the words, ``<eos>`` included, and the natural logarithm of their probability.

    Examples
    --------
    >>> after = {0: [0.0, 0.0, 0.6, 0.4], 2: [0.0, 0.5, 0.1, 0.4], 3: [0.0, 1.0, 0.0, 0.0]}
    >>> words, score = write(lambda word, _: (np.array(after[word]), None), None, likeliest,
    ...                      sos=0, eos=1, most=9)
    >>> words, round(float(np.exp(score)), 6)
    ([2, 1], 0.3)
    """
    words, score, word = list[int](), 0.0, sos
    while word != eos and len(words) < most:
        y, state = step(word, state)
        word = draw_word_from(y)
        score += float(np.log(y[word]))
        words.append(word)
    return words, score


def beam_search(
    step: Step,
    H: Any,
    *,
    symbols: Sequence[int],
    sos: int,
    eos: int,
    beamwidth: int,
    most: int = 100,
    until: str = "early_termination",
) -> list[tuple[Path, float]]:
    """Search for the likeliest sequence, the best paths in parallel.

    Parameters
    ----------
    step : function of a word and a state
        Returns the distribution y (K,) of the next word, and the state behind the word.
    H : any
        The state before ``<sos>``, the output of the encoder.
    symbols : words that may be written, ``<eos>`` among them
    beamwidth : paths that are kept after each step
    most : steps after which the search ends
    until : "early_termination" or "n_best"
        Stop when the best of all paths ends with ``<eos>``; or when all paths in the beam do, and
        collect those that ended on the way, to have several to choose from.

    Returns
    -------
    The paths that are left in the beam, with "n_best" also all that ended with ``<eos>`` before:
    best first, each with its probability and without ``<sos>``. Only a search that was cut off
    has an open path in front.

    Examples
    --------
    The greedy way begins with word 2, but the best sequence is 3 and the end:

    >>> after = {0: [0.0, 0.0, 0.6, 0.4], 2: [0.0, 0.5, 0.1, 0.4], 3: [0.0, 1.0, 0.0, 0.0]}
    >>> def table(word, state):
    ...     return np.array(after[word]), None
    >>> beam_search(table, None, symbols=[1, 2, 3], sos=0, eos=1, beamwidth=2)[0]
    ((3, 1), 0.4)
    """
    path: Path = (sos,)
    beam, pathscore, state = [path], {path: 1.0}, {path: H}
    complete = dict[Path, float]()  # every path with <eos> that was in the beam once
    for _ in range(most):
        nextbeam, nextpathscore, nextstate = list[Path](), dict[Path, float](), dict[Path, Any]()
        for path in beam:
            if path[-1] == eos:  # complete: it competes as it is, and is not extended
                nextbeam.append(path)
                nextpathscore[path], nextstate[path] = pathscore[path], state[path]
                continue
            cfin = path[-1]
            hpath = state[path]
            y, h = step(cfin, hpath)
            for c in symbols:
                newpath = (*path, c)
                nextstate[newpath] = h
                nextpathscore[newpath] = pathscore[path] * float(y[c])
                nextbeam.append(newpath)
        beam, pathscore, state, bestpath = prune(nextstate, nextpathscore, nextbeam, beamwidth)
        complete.update({path: pathscore[path] for path in beam if path[-1] == eos})
        if until == "early_termination" and bestpath[-1] == eos:
            break
        if all(path[-1] == eos for path in beam):
            break
    found = pathscore if until == "early_termination" else {**complete, **pathscore}
    return [(path[1:], found[path]) for path in sorted(found, key=lambda path: -found[path])]


def prune(
    state: dict[Path, Any], score: dict[Path, float], beam: Sequence[Path], beamwidth: int
) -> Beam:
    """Keep the best `beamwidth` paths, best first, of equals those that come first.

    Paths of probability 0 are never kept, unless all are.

    Examples
    --------
    >>> score = {(0, 2): 0.25, (0, 3): 0.5, (0, 4): 0.25}
    >>> prune(dict.fromkeys(score), score, list(score), 2).paths
    [(0, 3), (0, 2)]
    """
    # The notes keep what scores strictly above sortedscore[beamwidth]. That loses every path of a
    # tie at the threshold, all of them when all are equal; their text says "retain only the top K".
    kept = sorted(beam, key=lambda path: -score[path])[:beamwidth]
    kept = [path for path in kept if score[path] > 0] or kept[:1]
    return Beam(
        kept, {path: score[path] for path in kept}, {path: state[path] for path in kept}, kept[0]
    )


def every_sequence(
    step: Step, H: Any, *, symbols: Sequence[int], sos: int, eos: int, most: int
) -> Iterator[tuple[Path, float]]:
    """Give every sequence of at most `most` words that ends with ``<eos>``, and its probability.

    The exhaustive search that a beam stands in for.
    """
    words = [c for c in symbols if c != eos]
    for length in range(most):
        for body in itertools.product(words, repeat=length):
            path, score, state = (*body, eos), 1.0, H
            for before, c in zip((sos, *body), path, strict=True):
                y, state = step(before, state)
                score *= float(y[c])
            yield path, score


def _by_probability(y: ArrayLike) -> list[int]:
    """List the words by falling probability, of equals the first first."""
    return np.argsort(-np.asarray(y, np.float64), kind="stable").tolist()


def _only(y: ArrayLike, words: Sequence[int]) -> Array:
    """Return probabilities that are 0 but for some words."""
    y = np.asarray(y, np.float64)
    kept = np.zeros_like(y)
    kept[list(words)] = y[list(words)]
    return kept
